# What the functions write as lines of the log becomes metrics: ports/metrics.log.ts is their form, metrics.json the list, printed
# from ports/metrics.ts by a test.

locals {
  log_metrics = jsondecode(file("${path.module}/metrics.json"))
}

resource "google_logging_metric" "earshot" {
  for_each    = local.log_metrics
  name        = each.key
  description = each.value.help
  filter = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=(\"earshot-webhooks\" OR \"earshot-api\" OR \"earshot-jobs\")",
    "jsonPayload.message=\"metric\"",
    "jsonPayload.metric=\"${each.key}\"",
  ])
  label_extractors = { for label in each.value.labels : label => "EXTRACT(jsonPayload.${label})" }
  value_extractor  = each.value.reads == "value" ? "EXTRACT(jsonPayload.value)" : null

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = each.value.reads == "value" ? "DISTRIBUTION" : "INT64"
    unit        = each.value.unit

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  # Sum and count are exact; the bounds only say how finely quantiles are known.
  dynamic "bucket_options" {
    for_each = each.value.reads == "value" ? ["explicit"] : []
    content {
      explicit_buckets {
        bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300, 3600]
      }
    }
  }

  depends_on = [google_project_service.api]
}

# Older clients bring their token in the URL of a socket, newer ones a ticket: such lines are not kept.
resource "google_logging_project_exclusion" "tokens_in_urls" {
  name        = "earshot-tokens-in-urls"
  description = "Requests that carry a token or a ticket in their URL"
  filter = join(" AND ", [
    "resource.type=(\"cloud_run_revision\" OR \"http_load_balancer\")",
    "httpRequest.requestUrl=~\"[?&](token|ticket)=\"",
  ])
  depends_on = [google_project_service.api]
}
