# The dashboard of Cloud Monitoring: every figure of the product has its chart.

locals {
  charts = [
    { title = "Webhooks by code", unit = "1/s", query = "sum by (code) (rate(logging_googleapis_com:user_earshot_webhook_requests_total{monitored_resource='cloud_run_revision'}[5m]))" },
    { title = "Webhooks answered 200, share", unit = "1", query = "sum(rate(logging_googleapis_com:user_earshot_webhook_requests_total{monitored_resource='cloud_run_revision',code='200'}[15m])) / sum(rate(logging_googleapis_com:user_earshot_webhook_requests_total{monitored_resource='cloud_run_revision'}[15m]))" },
    { title = "Webhook, 99th percentile until answered", unit = "s", query = "histogram_quantile(0.99, sum by (le) (rate(logging_googleapis_com:user_earshot_webhook_duration_seconds_bucket{monitored_resource='cloud_run_revision'}[5m])))" },
    { title = "Append to the log, 99th percentile", unit = "s", query = "histogram_quantile(0.99, sum by (le) (rate(logging_googleapis_com:user_earshot_log_append_seconds_bucket{monitored_resource='cloud_run_revision'}[5m])))" },
    { title = "Appends that failed", unit = "1", query = "sum(increase(logging_googleapis_com:user_earshot_log_append_failures_total{monitored_resource='cloud_run_revision'}[5m]))" },
    { title = "Reads of the log, 99th percentile", unit = "s", query = "histogram_quantile(0.99, sum by (le, kind) (rate(earshot_log_read_seconds_bucket[5m])))" },
    { title = "Reads of the log", unit = "1/s", query = "sum by (kind) (rate(earshot_log_read_seconds_count[5m]))" },
    { title = "Storage of the databases", unit = "By", query = "sum by (database_id) (firestore_googleapis_com:storage_data_and_index_storage_bytes)" },
    { title = "Sessions", unit = "1", query = "sum(earshot_connections)" },
    { title = "Sessions opened a minute", unit = "1", query = "sum(rate(earshot_connections_opened_total[5m])) * 60" },
    { title = "Sessions closed a minute, by code", unit = "1", query = "sum by (code) (rate(earshot_connections_closed_total[5m])) * 60" },
    { title = "How long sessions last, median", unit = "s", query = "histogram_quantile(0.5, sum by (le) (rate(earshot_connection_duration_seconds_bucket[1h])))" },
    { title = "Events written to viewers", unit = "1/s", query = "sum(rate(earshot_deliveries_total[5m]))" },
    { title = "Sessions cut with events to come", unit = "1", query = "sum(increase(earshot_deliveries_failed_total[5m]))" },
    { title = "From commit to screen, 99th percentile", unit = "s", query = "histogram_quantile(0.99, sum by (le) (rate(earshot_delivery_delay_seconds_bucket[5m])))" },
    { title = "Event loop of the relays, 99th percentile", unit = "s", query = "max by (instance) (earshot_event_loop_delay_seconds{quantile='0.99'})" },
    { title = "Gaps filled from the log", unit = "1", query = "sum(increase(earshot_gaps_filled_total[5m]))" },
    { title = "Viewers told that history is lost", unit = "1", query = "sum(increase(earshot_history_lost_total[5m]))" },
    { title = "Quarantine", unit = "1", query = "sum(increase(logging_googleapis_com:user_earshot_quarantine_size_sum{monitored_resource='cloud_run_revision'}[15m])) / sum(increase(logging_googleapis_com:user_earshot_quarantine_size_count{monitored_resource='cloud_run_revision'}[15m]))" },
    { title = "What the reconciler added", unit = "1", query = "sum by (what) (increase(logging_googleapis_com:user_earshot_reconciler_additions_total_sum{monitored_resource='cloud_run_revision'}[15m]))" },
    { title = "Calls that are stuck", unit = "1", query = "sum by (what) (increase(logging_googleapis_com:user_earshot_calls_stuck_sum{monitored_resource='cloud_run_revision'}[10m])) / sum by (what) (increase(logging_googleapis_com:user_earshot_calls_stuck_count{monitored_resource='cloud_run_revision'}[10m]))" },
    { title = "Webhook on at ElevenLabs", unit = "1", query = "min by (workspace) (increase(logging_googleapis_com:user_earshot_provider_webhook_ok_sum{monitored_resource='cloud_run_revision'}[30m]) / increase(logging_googleapis_com:user_earshot_provider_webhook_ok_count{monitored_resource='cloud_run_revision'}[30m]))" },
    { title = "Since a relay compared with the log", unit = "s", query = "max by (instance) (earshot_verified_age_seconds)" },
    { title = "Dials by result", unit = "1", query = "sum by (result) (increase(logging_googleapis_com:user_earshot_dials_total{monitored_resource='cloud_run_revision'}[15m]))" },
    { title = "Oldest message that a relay has not taken", unit = "s", query = "max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource='pubsub_subscription',subscription_id=~'earshot-relay-.*'})" },
    { title = "Instances", unit = "1", query = "sum by (service_name) (run_googleapis_com:container_instance_count{monitored_resource='cloud_run_revision'})" },
    { title = "Requests by unit", unit = "1/s", query = "sum by (service_name, response_code_class) (rate(run_googleapis_com:request_count{monitored_resource='cloud_run_revision'}[5m]))" },
  ]
}

resource "google_monitoring_dashboard" "earshot" {
  dashboard_json = jsonencode({
    displayName = "Earshot"
    mosaicLayout = {
      columns = 48
      tiles = [
        for place, chart in local.charts : {
          xPos   = place % 3 * 16
          yPos   = floor(place / 3) * 16
          width  = 16
          height = 16
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [{
                plotType   = "LINE"
                targetAxis = "Y1"
                timeSeriesQuery = {
                  prometheusQuery = chart.query
                  unitOverride    = chart.unit
                }
              }]
            }
          }
        }
      ]
    }
  })

  depends_on = [google_logging_metric.earshot]
}
