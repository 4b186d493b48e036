# Each alert is a question in PromQL. What the functions write is asked for as logging_googleapis_com:user_<name>, what a relay
# writes under its own name, Google's own figures under theirs; a test holds all of them against what is really written.

locals {
  alerts = {
    errors = {
      title    = "More than 10 errors in 5 minutes"
      level    = "high"
      query    = "sum(increase(logging_googleapis_com:log_entry_count{monitored_resource='cloud_run_revision',severity=~'ERROR|CRITICAL|ALERT|EMERGENCY'}[5m])) > 10"
      duration = "0s"
      advice   = "Read the errors: they name what failed, never whose call it was."
    }
    write_failures = {
      title    = "A write to the log failed"
      level    = "high"
      query    = "sum(increase(logging_googleapis_com:user_earshot_log_append_failures_total{monitored_resource='cloud_run_revision'}[5m])) > 0"
      duration = "0s"
      advice   = "The sender was answered 503 and comes again. Look at Firestore: contention, quota, an outage."
    }
    post_call_5xx = {
      title    = "Post-call webhooks are answered 5xx"
      level    = "medium"
      query    = "sum(increase(logging_googleapis_com:user_earshot_webhook_requests_total{monitored_resource='cloud_run_revision',route='post-call',code=~'5..'}[5m])) > 0"
      duration = "0s"
      advice   = "ElevenLabs repeats them for 45 minutes, and the reconciler fetches what stays away."
    }
    socket_errors = {
      title    = "More than 5 WebSocket errors in 1 minute"
      level    = "medium"
      query    = "(sum(increase(earshot_connections_closed_total{code=~'1011|4002'}[1m])) or vector(0)) + (sum(increase(earshot_deliveries_failed_total[1m])) or vector(0)) > 5"
      duration = "0s"
      advice   = "Viewers come back by themselves and resume; without sockets they poll. Look at the relay's errors and its event loop."
    }
    webhook_error_share = {
      title    = "More than 1 % of the webhooks are refused or fail"
      level    = "high"
      query    = "sum(increase(logging_googleapis_com:user_earshot_webhook_requests_total{monitored_resource='cloud_run_revision',code!='200'}[15m])) / sum(increase(logging_googleapis_com:user_earshot_webhook_requests_total{monitored_resource='cloud_run_revision'}[15m])) > 0.01"
      duration = "0s"
      advice   = "Which code is it? 401: wrong secret, or somebody forges. 503: a fault of ours. 413 and 415: a sender that is not ElevenLabs."
    }
    signature_failures = {
      title    = "Webhooks with wrong signatures"
      level    = "high"
      query    = "sum(increase(logging_googleapis_com:user_earshot_webhook_requests_total{monitored_resource='cloud_run_revision',code='401'}[10m])) > 5"
      duration = "0s"
      advice   = "ElevenLabs does not repeat a 401. If it is ElevenLabs: put the secret that it signs with first into ELEVENLABS_WEBHOOK_SECRETS and apply; the reconciler fetches what was refused."
    }
    webhook_silent = {
      title    = "Calls end, but no webhook says so"
      level    = "high"
      query    = "sum(increase(logging_googleapis_com:user_earshot_reconciler_additions_total_sum{monitored_resource='cloud_run_revision',what='finished'}[30m])) > 0 unless sum(increase(logging_googleapis_com:user_earshot_webhook_requests_total{monitored_resource='cloud_run_revision',route='post-call',code='200'}[30m])) > 0"
      duration = "0s"
      advice   = "Is the webhook on at ElevenLabs, with this deployment's URL, and its retries on? Until it is, the reconciler finishes calls a few minutes late."
    }
    webhook_off = {
      title    = "ElevenLabs has switched the webhook off"
      level    = "high"
      query    = "min by (workspace) (increase(logging_googleapis_com:user_earshot_provider_webhook_ok_sum{monitored_resource='cloud_run_revision'}[30m]) / increase(logging_googleapis_com:user_earshot_provider_webhook_ok_count{monitored_resource='cloud_run_revision'}[30m])) < 0.5"
      duration = "0s"
      advice   = "ElevenLabs does so after many failures in a row. Mend those first, switch it on again with its retries, and fetch what is missing: the reconciler does so by itself for calls that it knows or finds."
    }
    webhook_missed = {
      title    = "Some webhooks never came"
      level    = "medium"
      query    = "sum(increase(logging_googleapis_com:user_earshot_reconciler_additions_total_sum{monitored_resource='cloud_run_revision',what='finished'}[1h])) > 2 and sum(increase(logging_googleapis_com:user_earshot_webhook_requests_total{monitored_resource='cloud_run_revision',route='post-call',code='200'}[30m])) > 0"
      duration = "0s"
      advice   = "Others come, so the webhook is on: look whether its retries are on at ElevenLabs, which tells nobody but you. The reconciler finished these calls."
    }
    calls_unknown = {
      title    = "Dials whose answer never came"
      level    = "high"
      query    = "sum(increase(logging_googleapis_com:user_earshot_calls_stuck_sum{monitored_resource='cloud_run_revision',what='unknown'}[5m])) / sum(increase(logging_googleapis_com:user_earshot_calls_stuck_count{monitored_resource='cloud_run_revision',what='unknown'}[5m])) > 0"
      duration = "300s"
      advice   = "The reconciler looks for them at ElevenLabs, and after ten minutes says that a person is needed. Does ElevenLabs answer?"
    }
    calls_stuck = {
      title    = "More calls are stuck than an hour ago"
      level    = "high"
      query    = "sum by (what) (increase(logging_googleapis_com:user_earshot_calls_stuck_sum{monitored_resource='cloud_run_revision',what=~'needs_person|overdue'}[10m])) / sum by (what) (increase(logging_googleapis_com:user_earshot_calls_stuck_count{monitored_resource='cloud_run_revision',what=~'needs_person|overdue'}[10m])) > 0.5 + sum by (what) (increase(logging_googleapis_com:user_earshot_calls_stuck_sum{monitored_resource='cloud_run_revision',what=~'needs_person|overdue'}[10m] offset 1h)) / sum by (what) (increase(logging_googleapis_com:user_earshot_calls_stuck_count{monitored_resource='cloud_run_revision',what=~'needs_person|overdue'}[10m] offset 1h))"
      duration = "0s"
      advice   = "`needs_person`: nobody knows whether the driver was called; ask. `overdue`: a call is silent for longer than a call can be; fetch its conversation."
    }
    canary_late = {
      title    = "Screens are not fresh"
      level    = "high"
      query    = "max(earshot_verified_age_seconds) > 15"
      duration = "60s"
      advice   = "A relay has not compared with the log for this long, and every screen that it serves says so. Look at its reads of the log."
    }
    unacked_messages = {
      title    = "A relay leaves messages waiting"
      level    = "medium"
      query    = "max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource='pubsub_subscription',subscription_id=~'earshot-relay-.*'}) > 60"
      duration = "120s"
      advice   = "Its comparison with the log fills what does not come. A subscription whose relay is gone is removed by the janitor within half an hour."
    }
    event_loop = {
      title    = "A relay's event loop is slow"
      level    = "medium"
      query    = "max(earshot_event_loop_delay_seconds{quantile='0.99'}) > 0.2"
      duration = "300s"
      advice   = "Events reach the screens late. More relays (relay_instances_max) share the sockets."
    }
    quarantine = {
      title    = "The quarantine grows"
      level    = "medium"
      query    = "sum(increase(logging_googleapis_com:user_earshot_quarantine_size_sum{monitored_resource='cloud_run_revision'}[20m])) / sum(increase(logging_googleapis_com:user_earshot_quarantine_size_count{monitored_resource='cloud_run_revision'}[20m])) > 5 + sum(increase(logging_googleapis_com:user_earshot_quarantine_size_sum{monitored_resource='cloud_run_revision'}[20m] offset 1h)) / sum(increase(logging_googleapis_com:user_earshot_quarantine_size_count{monitored_resource='cloud_run_revision'}[20m] offset 1h))"
      duration = "0s"
      advice   = "`earshot quarantine` lists what waits and why: an agent without a tenant, a form that is not known yet. Nothing is lost; drive it again when it can be used."
    }
    unreachable = {
      title    = "The API or the relay does not answer"
      level    = "high"
      query    = "min(avg by (check_id) (avg_over_time(monitoring_googleapis_com:uptime_check_check_passed{monitored_resource='uptime_url',check_id=~'earshot.*'}[5m]))) < 0.5"
      duration = "0s"
      advice   = "Look at `/health` of both. Without the relay viewers poll the API; without the API deliveries still come in."
    }
  }
}

resource "google_monitoring_alert_policy" "earshot" {
  for_each              = local.alerts
  display_name          = "Earshot: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.level == "high" ? "CRITICAL" : "WARNING"
  notification_channels = local.channels[each.value.level]

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = each.value.duration
      evaluation_interval = "60s"
      # A new project has written none of its figures yet.
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.advice}\n\nRunbooks: docs/operations.md"
  }

  alert_strategy {
    auto_close = "3600s"
  }

  depends_on = [google_logging_metric.earshot]
}

resource "google_monitoring_uptime_check_config" "health" {
  for_each = {
    api   = trimprefix(local.api_url, "https://")
    relay = local.relay_host
  }
  display_name = "earshot-${each.key}"
  timeout      = "10s"
  period       = "60s"

  http_check {
    path         = "/health"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  # It answers 200 while the process lives, and says in words how it is.
  content_matchers {
    content = "\"status\":\"ok\""
    matcher = "CONTAINS_STRING"
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project
      host       = each.value
    }
  }

  depends_on = [google_project_service.api]
}
