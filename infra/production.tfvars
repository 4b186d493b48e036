# What production is. Names of the project, keys and addresses come from whoever deploys: TF_VAR_project ...
production             = true
node_env               = "production"
relay_instances_max    = 4
function_instances_min = 1
function_instances_max = 20
