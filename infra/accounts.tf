# One service account for each unit, and to each exactly what it does. test/fixtures/infra-grants.ts holds the same list:
# a role that is added or made wider here fails the test until it is written there.

resource "google_service_account" "unit" {
  for_each = {
    webhooks  = "takes deliveries"
    api       = "answers people and programs, dials"
    jobs      = "reconciles, sweeps"
    relay     = "shows events"
    scheduler = "calls jobs"
    build     = "builds the functions"
  }
  account_id   = "earshot-${each.key}"
  display_name = "Earshot: ${each.value}"
  depends_on   = [google_project_service.api]
}

# The log and the directory

resource "google_project_iam_member" "functions_firestore" {
  for_each = toset(["webhooks", "api", "jobs"])
  project  = var.project
  role     = "roles/datastore.user"
  member   = google_service_account.unit[each.key].member

  condition {
    title      = "Earshot's databases"
    expression = "resource.name == \"${google_firestore_database.log.id}\" || resource.name == \"${google_firestore_database.sessions.id}\""
  }
}

resource "google_project_iam_member" "relay_log" {
  project = var.project
  role    = "roles/datastore.viewer"
  member  = google_service_account.unit["relay"].member

  condition {
    title      = "Earshot's log and directory"
    expression = "resource.name == \"${google_firestore_database.log.id}\""
  }
}

resource "google_project_iam_member" "relay_sessions" {
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.unit["relay"].member

  condition {
    title      = "Earshot's tickets and leases"
    expression = "resource.name == \"${google_firestore_database.sessions.id}\""
  }
}

# The bus. Subscriptions are made at run time, and Pub/Sub knows no conditions on their names: these rights hold for all of the
# project's, one reason why an environment has a project to itself.

resource "google_pubsub_topic_iam_member" "functions_publish" {
  for_each = toset(["webhooks", "api", "jobs"])
  topic    = google_pubsub_topic.events.id
  role     = "roles/pubsub.publisher"
  member   = google_service_account.unit[each.key].member
}

resource "google_project_iam_custom_role" "subscriber" {
  role_id     = "earshotSubscriber"
  title       = "Earshot: a subscription of one's own"
  permissions = ["pubsub.subscriptions.consume", "pubsub.subscriptions.create", "pubsub.subscriptions.delete", "pubsub.subscriptions.get"]
  depends_on  = [google_project_service.api]
}

resource "google_project_iam_custom_role" "attacher" {
  role_id     = "earshotAttacher"
  title       = "Earshot: subscribe to a topic"
  permissions = ["pubsub.topics.attachSubscription"]
  depends_on  = [google_project_service.api]
}

resource "google_project_iam_custom_role" "sweeper" {
  role_id     = "earshotSweeper"
  title       = "Earshot: remove subscriptions left behind"
  permissions = ["pubsub.subscriptions.delete", "pubsub.subscriptions.list"]
  depends_on  = [google_project_service.api]
}

resource "google_project_iam_member" "relay_subscriptions" {
  project = var.project
  role    = google_project_iam_custom_role.subscriber.id
  member  = google_service_account.unit["relay"].member
}

resource "google_pubsub_topic_iam_member" "relay_attach" {
  topic  = google_pubsub_topic.events.id
  role   = google_project_iam_custom_role.attacher.id
  member = google_service_account.unit["relay"].member
}

resource "google_project_iam_member" "jobs_subscriptions" {
  project = var.project
  role    = google_project_iam_custom_role.sweeper.id
  member  = google_service_account.unit["jobs"].member
}

# Raw deliveries: read, written, listed and removed, no more

resource "google_storage_bucket_iam_member" "functions_raw" {
  for_each = toset(["webhooks", "api", "jobs"])
  bucket   = google_storage_bucket.raw.name
  role     = "roles/storage.objectUser"
  member   = google_service_account.unit[each.key].member
}

# Metrics of the relay, by the collector beside it

resource "google_project_iam_member" "relay_metrics" {
  project = var.project
  role    = "roles/monitoring.metricWriter"
  member  = google_service_account.unit["relay"].member
}

# Who may call what. The code of webhooks, api and relay checks for itself who comes.

resource "google_cloud_run_v2_service_iam_member" "everybody" {
  for_each = toset(["webhooks", "api"])
  name     = google_cloudfunctions2_function.unit[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "everybody_relay" {
  name     = google_cloud_run_v2_service.relay.name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  name     = google_cloudfunctions2_function.unit["jobs"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.unit["scheduler"].member
}

# Building the functions: read what was uploaded, write the image and the build's log

resource "google_project_iam_member" "build_source" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.unit["build"].member

  condition {
    title      = "Sources of functions"
    expression = "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.source.name}\") || resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.here.number}-${var.region}\")"
  }
}

resource "google_artifact_registry_repository_iam_member" "build_image" {
  repository = google_artifact_registry_repository.earshot.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.unit["build"].member
}

resource "google_project_iam_member" "build_log" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.unit["build"].member
}
