# Cloud Scheduler has no shorter period than a minute, so `reconcile` does what `follow` does on one machine too.

locals {
  jobs = {
    reconcile = "* * * * *"
    janitor   = "*/5 * * * *"
    retention = "*/15 * * * *"
  }
}

resource "google_cloud_scheduler_job" "job" {
  for_each         = local.jobs
  name             = "earshot-${each.key}"
  region           = var.region
  schedule         = each.value
  time_zone        = "Etc/UTC"
  attempt_deadline = "540s"

  # What a run missed, the next finds.
  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = "${local.jobs_url}/${each.key}"

    oidc_token {
      service_account_email = google_service_account.unit["scheduler"].email
      audience              = local.jobs_url
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.scheduler]
}
