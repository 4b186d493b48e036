# Terraform makes the secrets; their values are put in by hand or by `npm run deploy` and never pass through its state:
#   printf %s "$VALUE" | gcloud secrets versions add earshot-<SETTING> --data-file=-
#
# A process gets the version that was the newest when Terraform ran, by its number and not as `latest`: all instances of a
# revision then have the same, and the way back to a revision is the way back to its secrets. To rotate: add a version that
# holds both values (`new,old`), apply - from then on every process takes both, no delivery is refused -, change it at
# ElevenLabs, add a version with the new one alone, apply.

locals {
  # Which unit gets which, as core/settings-table.ts has it.
  secrets = {
    webhooks = concat(["ELEVENLABS_API_KEY", "ELEVENLABS_WEBHOOK_SECRETS", "INGEST_KEY"], tolist(setintersection(var.optional_secrets, ["SENTRY_DSN"])))
    api      = concat(["ELEVENLABS_API_KEY", "AUTH_SIGNING_KEY"], tolist(setintersection(var.optional_secrets, ["SENTRY_DSN", "E2E_AUTH_KEY"])))
    jobs     = concat(["ELEVENLABS_API_KEY"], tolist(setintersection(var.optional_secrets, ["SENTRY_DSN"])))
    relay    = tolist(setintersection(var.optional_secrets, ["SENTRY_DSN"]))
  }
}

resource "google_secret_manager_secret" "setting" {
  for_each  = toset(concat(local.secrets.webhooks, local.secrets.api, local.secrets.jobs, local.secrets.relay))
  secret_id = "earshot-${each.key}"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.api]
}

data "google_secret_manager_secret_version" "setting" {
  for_each = google_secret_manager_secret.setting
  secret   = each.value.id
  # Its number is enough: the value does not come here.
  fetch_secret_data = false
}

resource "google_secret_manager_secret_iam_member" "webhooks" {
  for_each  = toset(local.secrets.webhooks)
  secret_id = google_secret_manager_secret.setting[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.unit["webhooks"].member
}

resource "google_secret_manager_secret_iam_member" "api" {
  for_each  = toset(local.secrets.api)
  secret_id = google_secret_manager_secret.setting[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.unit["api"].member
}

resource "google_secret_manager_secret_iam_member" "jobs" {
  for_each  = toset(local.secrets.jobs)
  secret_id = google_secret_manager_secret.setting[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.unit["jobs"].member
}

resource "google_secret_manager_secret_iam_member" "relay" {
  for_each  = toset(local.secrets.relay)
  secret_id = google_secret_manager_secret.setting[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.unit["relay"].member
}

# What the collector beside a relay reads. No secret: but a file from here is the one way to hand it its settings.
resource "google_secret_manager_secret" "collector" {
  secret_id = "earshot-collector"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_secret_manager_secret_version" "collector" {
  secret = google_secret_manager_secret.collector.id
  secret_data = templatefile("${path.module}/collector.yaml", {
    port = local.metrics_port
  })
  # An earlier revision of the relay still reads the earlier one.
  deletion_policy = "ABANDON"

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret_iam_member" "collector" {
  secret_id = google_secret_manager_secret.collector.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.unit["relay"].member
}
