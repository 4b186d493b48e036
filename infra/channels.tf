# Who is told of an alert: everybody of high ones, all but PagerDuty of the others.

resource "google_monitoring_notification_channel" "email" {
  for_each     = toset(var.alert_emails)
  display_name = "Earshot: ${each.value}"
  type         = "email"
  labels = {
    email_address = each.value
  }
  depends_on = [google_project_service.api]
}

resource "google_monitoring_notification_channel" "slack" {
  for_each     = toset(compact([var.slack_channel]))
  display_name = "Earshot: ${each.value}"
  type         = "slack"
  labels = {
    channel_name = each.value
  }
  sensitive_labels {
    auth_token = var.slack_token
  }
  depends_on = [google_project_service.api]
}

resource "google_monitoring_notification_channel" "pagerduty" {
  count        = nonsensitive(var.pagerduty_key == null) ? 0 : 1
  display_name = "Earshot: PagerDuty"
  type         = "pagerduty"
  sensitive_labels {
    service_key = var.pagerduty_key
  }
  depends_on = [google_project_service.api]
}

locals {
  channels_medium = concat(values(google_monitoring_notification_channel.email)[*].id, values(google_monitoring_notification_channel.slack)[*].id)
  channels = {
    high   = concat(local.channels_medium, google_monitoring_notification_channel.pagerduty[*].id)
    medium = local.channels_medium
  }
}
