# Two databases, because rights end at a database: a relay reads the log and the directory, and may write only where
# everything ends by itself.

locals {
  firestore_location = coalesce(var.firestore_location, var.region)
  # The files that firebase.json names as well.
  firestore_indexes = jsondecode(file("${path.module}/firestore.indexes.json"))
}

resource "google_firestore_database" "log" {
  name                              = "earshot"
  location_id                       = local.firestore_location
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "PESSIMISTIC"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = var.production ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = var.production ? "ABANDON" : "DELETE"
  depends_on                        = [google_project_service.api]
}

# Tickets, ended sign-ins, leases, watermarks.
resource "google_firestore_database" "sessions" {
  name                              = "earshot-sessions"
  location_id                       = local.firestore_location
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "PESSIMISTIC"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = var.production ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = var.production ? "ABANDON" : "DELETE"
  depends_on                        = [google_project_service.api]
}

resource "google_firestore_backup_schedule" "daily" {
  database  = google_firestore_database.log.name
  retention = "${var.backup_retention_days * 86400}s"

  daily_recurrence {}
}

resource "google_firestore_index" "log" {
  for_each = {
    for index in local.firestore_indexes.indexes :
    "${index.collectionGroup}(${join(",", [for field in index.fields : "${field.fieldPath} ${try(field.order, field.arrayConfig)}"])})" => index
  }
  database    = google_firestore_database.log.name
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path   = fields.value.fieldPath
      order        = try(fields.value.order, null)
      array_config = try(fields.value.arrayConfig, null)
    }
  }
}

# Fields without an index, or with others than the usual ones.
resource "google_firestore_field" "log" {
  for_each   = { for field in local.firestore_indexes.fieldOverrides : "${field.collectionGroup}.${field.fieldPath}" => field }
  database   = google_firestore_database.log.name
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes
      content {
        query_scope  = indexes.value.queryScope
        order        = try(indexes.value.order, null)
        array_config = try(indexes.value.arrayConfig, null)
      }
    }
  }
}

# Nobody reaches a database but by IAM: the rules refuse every browser and phone.
resource "google_firebaserules_ruleset" "deny_all" {
  source {
    files {
      name    = "firestore.rules"
      content = file("${path.module}/firestore.rules")
    }
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_project_service.api]
}

resource "google_firebaserules_release" "log" {
  name         = "cloud.firestore/${google_firestore_database.log.name}"
  ruleset_name = google_firebaserules_ruleset.deny_all.name
}

resource "google_firebaserules_release" "sessions" {
  name         = "cloud.firestore/${google_firestore_database.sessions.name}"
  ruleset_name = google_firebaserules_ruleset.deny_all.name
}
