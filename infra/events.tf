# The bus. Each relay makes a subscription of its own and removes it; the janitor removes what a dead one left.

resource "google_pubsub_topic" "events" {
  name = "earshot-events"

  # Texts of calls pass through here: they stay where the log is.
  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.api]
}
