# webhooks, api and jobs: one archive, three entry points.

locals {
  functions = {
    webhooks = {
      # A commit may be tried for 8 seconds, the bus is waited for 2, and a delivery without analysis is read from ElevenLabs.
      timeout_seconds = 60
      instances_min   = var.function_instances_min
      # Bodies are up to 8 MiB each: this many at once have to fit in memory.
      concurrency = 40
      memory      = "1Gi"
      ingress     = var.domain == null ? "ALLOW_ALL" : "ALLOW_INTERNAL_AND_GCLB"
    }
    api = {
      # A dial is waited for 15 seconds; recordings and exports take as long as the reader does.
      timeout_seconds = 300
      instances_min   = var.function_instances_min
      concurrency     = 80
      # A password hash takes 32 MiB while it is made.
      memory = "1Gi"
      # Firebase Hosting comes from outside, domain or none.
      ingress = "ALLOW_ALL"
    }
    jobs = {
      # A pass over everything may take minutes; two at once do no harm, and the next comes in a minute.
      timeout_seconds = 540
      instances_min   = 0
      concurrency     = 8
      memory          = "1Gi"
      ingress         = "ALLOW_ALL"
    }
  }
}

resource "google_storage_bucket" "source" {
  name                        = "${var.project}-earshot-source"
  location                    = var.region
  force_destroy               = true
  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  depends_on = [google_project_service.api]
}

resource "google_storage_bucket_object" "functions" {
  bucket = google_storage_bucket.source.name
  # A new archive is a new object, and by its name a new build.
  name   = "functions-${filesha256(var.functions_archive)}.zip"
  source = var.functions_archive

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_cloudfunctions2_function" "unit" {
  for_each    = local.functions
  name        = "earshot-${each.key}"
  location    = var.region
  description = "Earshot: ${each.key}"

  build_config {
    runtime           = "nodejs24"
    entry_point       = each.key
    service_account   = google_service_account.unit["build"].id
    docker_repository = google_artifact_registry_repository.earshot.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.functions.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.unit[each.key].email
    environment_variables            = local.settings[each.key]
    timeout_seconds                  = each.value.timeout_seconds
    available_cpu                    = "1"
    available_memory                 = each.value.memory
    min_instance_count               = each.value.instances_min
    max_instance_count               = var.function_instances_max
    max_instance_request_concurrency = each.value.concurrency
    ingress_settings                 = each.value.ingress
    all_traffic_on_latest_revision   = true

    dynamic "secret_environment_variables" {
      for_each = local.secrets[each.key]
      content {
        key        = secret_environment_variables.value
        project_id = var.project
        secret     = google_secret_manager_secret.setting[secret_environment_variables.value].secret_id
        version    = data.google_secret_manager_secret_version.setting[secret_environment_variables.value].version
      }
    }
  }

  # A process that starts without its rights answers 503 until they are there.
  depends_on = [
    google_secret_manager_secret_iam_member.webhooks,
    google_secret_manager_secret_iam_member.api,
    google_secret_manager_secret_iam_member.jobs,
    google_project_iam_member.functions_firestore,
    google_project_iam_member.build_source,
    google_project_iam_member.build_log,
    google_artifact_registry_repository_iam_member.build_image,
  ]
}
