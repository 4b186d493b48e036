# For ElevenLabs

output "post_call_webhook_url" {
  description = "The post-call webhook of the ElevenLabs workspace."
  value       = "${local.webhooks_url}/webhooks/elevenlabs/post-call"
}

output "transcription_webhook_url" {
  description = "For live turns: a server tool, a custom LLM or a media bridge, with INGEST_KEY as bearer."
  value       = "${local.webhooks_url}/webhooks/elevenlabs/transcription"
}

output "agent_events_webhook_url" {
  description = "For agent events, with INGEST_KEY as bearer."
  value       = "${local.webhooks_url}/webhooks/agent-events"
}

# For people and programs

output "api_url" {
  description = "API_BASE_URL"
  value       = local.api_url
}

output "relay_url" {
  description = "WS_BASE_URL"
  value       = "wss://${local.relay_host}"
}

output "websocket_url" {
  description = "What a client opens."
  value       = "wss://${local.relay_host}/ws/calls/transcriptions"
}

output "dashboard_url" {
  description = "Where people go."
  value       = local.dashboard_urls[0]
}

output "load_balancer_address" {
  description = "What the names of one's own domain have to point at; null without one."
  value       = try(google_compute_global_address.earshot[var.domain].address, null)
}

# For npm run deploy

output "repository" {
  description = "Where the relay's image is pushed."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.earshot.repository_id}"
}

output "relay_service" {
  description = "Name of the relay's service."
  value       = google_cloud_run_v2_service.relay.name
}

output "relay_revision" {
  description = "The revision that gets all new sockets: what the document control/relay has to name."
  value       = coalesce(var.relay_revision, element(split("/", google_cloud_run_v2_service.relay.latest_ready_revision), -1))
}

output "log_database" {
  description = "FIRESTORE_DATABASE, where the document control/relay lies."
  value       = google_firestore_database.log.name
}

output "secrets" {
  description = "Every secret that has to have a value, by the setting that it is."
  value       = { for setting, secret in google_secret_manager_secret.setting : setting => secret.secret_id }
}

output "firebase_json" {
  description = "firebase.json as it is here: what `firebase deploy --only hosting` releases the dashboard with."
  value = replace(replace(
    file("${path.module}/../firebase.json"),
    "relay.invalid", local.relay_host),
    "\"us-central1\"", "\"${var.region}\"",
  )
}

# What has to be there before anything can be built or filled: terraform apply -target=terraform_data.foundation
resource "terraform_data" "foundation" {
  input = [
    google_artifact_registry_repository.earshot.id,
    google_storage_bucket.source.id,
    google_project_service.api,
    google_secret_manager_secret.setting,
    # Who builds the relay's image.
    google_artifact_registry_repository_iam_member.build_image.id,
    google_project_iam_member.build_source.id,
    google_project_iam_member.build_log.id,
  ]
}
