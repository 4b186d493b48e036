# What staging is. Names of the project, keys and addresses come from whoever deploys: TF_VAR_project ...
production             = false
node_env               = "staging"
relay_instances_max    = 2
function_instances_min = 0
function_instances_max = 5
optional_secrets       = ["E2E_AUTH_KEY"]
