# Where

variable "project" {
  description = "Google Cloud project. One for each environment: some rights can only be given for a whole project."
  type        = string
}

variable "region" {
  description = "Region of everything that has one."
  type        = string
  default     = "us-central1"
}

variable "firestore_location" {
  description = "Location of both databases; null: the region. It can never be changed."
  type        = string
  default     = null
}

variable "production" {
  description = "Keeps data and services from being deleted by Terraform, and refuses what is for trials only."
  type        = bool
}

# What is deployed

variable "functions_archive" {
  description = "Path of the zip file that the three functions are built from (functions/dist, bundled)."
  type        = string
}

variable "relay_image" {
  description = "Image of the relay, by an immutable tag or by digest, in the repository that this makes."
  type        = string
}

variable "relay_revision" {
  description = "Revision that gets all new sockets, by its name: the way back to an earlier one. null: the latest."
  type        = string
  default     = null
}

# How large

variable "relay_instances_max" {
  description = "Relays at most. One holds 900 sockets, and each gets every event."
  type        = number
  default     = 4
}

variable "relay_cpu" {
  description = "Processors of one relay. It has one thread: a second one would wait."
  type        = string
  default     = "1"
}

variable "relay_memory" {
  description = "Memory of one relay: 900 sockets with full buffers, rings of the active calls, and room."
  type        = string
  default     = "1Gi"
}

variable "collector_cpu" {
  description = "Processors of the collector beside a relay."
  type        = string
  default     = "1"
}

variable "function_instances_min" {
  description = "Instances of `webhooks` and `api` that wait for requests. One saves the first of them the start of a process."
  type        = number
  default     = 1
}

variable "function_instances_max" {
  description = "Instances at most of each function. ElevenLabs repeats what is answered 503, not what is answered 429."
  type        = number
  default     = 20
}

# Settings of the product, as docs/generated/settings.md has them. Without a value the product's own default holds.

variable "node_env" {
  description = "NODE_ENV. `production` refuses settings that are for trials only."
  type        = string
  default     = "production"
}

variable "auth_public_keys" {
  description = "AUTH_PUBLIC_KEYS: the JWK set that belongs to the secret AUTH_SIGNING_KEY."
  type        = string
}

variable "elevenlabs_agent_id" {
  description = "ELEVENLABS_AGENT_ID"
  type        = string
}

variable "elevenlabs_phone_number_id" {
  description = "ELEVENLABS_PHONE_NUMBER_ID"
  type        = string
  default     = null
}

variable "elevenlabs_telephony" {
  description = "ELEVENLABS_TELEPHONY"
  type        = string
  default     = null
}

variable "elevenlabs_base_url" {
  description = "ELEVENLABS_BASE_URL"
  type        = string
  default     = null
}

variable "auth_issuers" {
  description = "AUTH_ISSUERS: outside identity providers."
  type = list(object({
    issuer       = string
    jwks_url     = string
    audience     = string
    tenant_claim = optional(string, "tenant")
    roles_claim  = optional(string, "roles")
  }))
  default = []
}

variable "allowed_origins" {
  description = "ALLOWED_ORIGINS besides the dashboard's own."
  type        = list(string)
  default     = []
}

variable "allowed_prefixes" {
  description = "ALLOWED_PREFIXES"
  type        = list(string)
  default     = ["+1"]
}

variable "allow_query_token" {
  description = "ALLOW_QUERY_TOKEN"
  type        = bool
  default     = true
}

variable "max_connections_per_user" {
  description = "MAX_CONNECTIONS_PER_USER"
  type        = number
  default     = null
}

variable "retention_days" {
  description = "RETENTION_DAYS"
  type        = number
  default     = null
}

variable "log_level" {
  description = "LOG_LEVEL"
  type        = string
  default     = null
}

variable "optional_secrets" {
  description = "Secrets that are there besides those that are needed: SENTRY_DSN; where it is not production, E2E_AUTH_KEY."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.optional_secrets, ["SENTRY_DSN", "E2E_AUTH_KEY"])) == 0
    error_message = "Only SENTRY_DSN and E2E_AUTH_KEY are optional."
  }
}

# How it is reached

variable "domain" {
  description = "Domain of one's own: api., webhooks. and relay. before it lead to a load balancer with Cloud Armor. null: Cloud Run's own names."
  type        = string
  default     = null
}

variable "requests_per_minute_max" {
  description = "Requests of one address to `api` or the relay before Cloud Armor answers 429; only with a domain."
  type        = number
  default     = 1200
}

variable "hosting_site" {
  description = "Firebase Hosting site of the dashboard; null: the project's own."
  type        = string
  default     = null
}

# Who is told

variable "alert_emails" {
  description = "Addresses that every alert is sent to."
  type        = list(string)
  default     = []
}

variable "slack_channel" {
  description = "Slack channel of every alert, such as #calls; null: none. Its token is slack_token."
  type        = string
  default     = null
}

variable "slack_token" {
  description = "OAuth token of the Slack app of Google Cloud Monitoring."
  type        = string
  default     = null
  sensitive   = true
}

variable "pagerduty_key" {
  description = "Integration key of the PagerDuty service that high alerts go to; null: none."
  type        = string
  default     = null
  sensitive   = true
}

variable "backup_retention_days" {
  description = "How long a daily backup of the log is kept. A call that is erased stays in backups for as long."
  type        = number
  default     = 14
}
