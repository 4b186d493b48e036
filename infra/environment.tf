# The settings of each unit. test/fixtures/infra-settings.ts holds them against core/settings-table.ts: a unit gets what it
# needs, and nothing that it does not read.

locals {
  metrics_port = 9091

  # Names that Cloud Run will give, known beforehand: https://cloud.google.com/run/docs/triggering/https-request
  run_host     = "${data.google_project.here.number}.${var.region}.run.app"
  api_url      = var.domain == null ? "https://earshot-api-${local.run_host}" : "https://api.${var.domain}"
  webhooks_url = var.domain == null ? "https://earshot-webhooks-${local.run_host}" : "https://webhooks.${var.domain}"
  jobs_url     = "https://earshot-jobs-${local.run_host}"
  relay_host   = var.domain == null ? "earshot-relay-${local.run_host}" : "relay.${var.domain}"

  hosting_site   = coalesce(var.hosting_site, var.project)
  dashboard_urls = ["https://${local.hosting_site}.web.app", "https://${local.hosting_site}.firebaseapp.com"]

  everywhere = {
    NODE_ENV                    = var.node_env
    STORE                       = "google"
    GOOGLE_CLOUD_PROJECT        = var.project
    FIRESTORE_DATABASE          = google_firestore_database.log.name
    FIRESTORE_SESSIONS_DATABASE = google_firestore_database.sessions.name
    EVENTS_TOPIC                = google_pubsub_topic.events.name
    LOG_LEVEL                   = var.log_level
  }

  environment = {
    webhooks = merge(local.everywhere, {
      RAW_BUCKET          = google_storage_bucket.raw.name
      ELEVENLABS_BASE_URL = var.elevenlabs_base_url
    })
    api = merge(local.everywhere, {
      RAW_BUCKET                 = google_storage_bucket.raw.name
      ELEVENLABS_BASE_URL        = var.elevenlabs_base_url
      ELEVENLABS_AGENT_ID        = var.elevenlabs_agent_id
      ELEVENLABS_PHONE_NUMBER_ID = var.elevenlabs_phone_number_id
      ELEVENLABS_TELEPHONY       = var.elevenlabs_telephony
      AUTH_PUBLIC_KEYS           = var.auth_public_keys
      AUTH_ISSUERS               = jsonencode(var.auth_issuers)
      ALLOWED_ORIGINS            = join(",", concat(local.dashboard_urls, var.allowed_origins))
      ALLOWED_PREFIXES           = join(",", var.allowed_prefixes)
      PUBLIC_API_URL             = local.api_url
      PUBLIC_RELAY_URL           = "wss://${local.relay_host}"
    })
    jobs = merge(local.everywhere, {
      RAW_BUCKET          = google_storage_bucket.raw.name
      ELEVENLABS_BASE_URL = var.elevenlabs_base_url
      RETENTION_DAYS      = var.retention_days
      JOBS_INVOKER        = google_service_account.unit["scheduler"].email
      JOBS_AUDIENCE       = local.jobs_url
      JOBS_BEHIND_IAM     = true
    })
    relay = merge(local.everywhere, {
      AUTH_PUBLIC_KEYS         = var.auth_public_keys
      AUTH_ISSUERS             = jsonencode(var.auth_issuers)
      ALLOW_QUERY_TOKEN        = var.allow_query_token
      ALLOWED_ORIGINS          = join(",", concat(local.dashboard_urls, var.allowed_origins))
      MAX_CONNECTIONS_PER_USER = var.max_connections_per_user
      METRICS_PORT             = local.metrics_port
    })
  }

  # A setting without a value is left out, so that the product's own default holds.
  settings = { for unit, values in local.environment : unit => { for name, value in values : name => tostring(value) if value != null } }
}
