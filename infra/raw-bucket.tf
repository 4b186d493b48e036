# Deliveries as they came: those in quarantine until somebody drives them again, all others for seven days.

data "google_storage_project_service_account" "storage" {
  depends_on = [google_project_service.api]
}

resource "google_kms_key_ring" "earshot" {
  name       = "earshot"
  location   = var.region
  depends_on = [google_project_service.api]
}

resource "google_kms_crypto_key" "raw" {
  name            = "raw"
  key_ring        = google_kms_key_ring.earshot.id
  rotation_period = "${90 * 86400}s"
}

resource "google_kms_crypto_key_iam_member" "storage" {
  crypto_key_id = google_kms_crypto_key.raw.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = data.google_storage_project_service_account.storage.member
}

resource "google_storage_bucket" "raw" {
  name                        = "${var.project}-earshot-raw"
  location                    = var.region
  force_destroy               = !var.production
  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  encryption {
    default_kms_key_name = google_kms_crypto_key.raw.id
  }

  # What is erased is gone at once: no earlier versions, nothing kept behind.
  versioning {
    enabled = false
  }
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  # A delivery gets its custom time when it was used; one in quarantine has none and stays.
  lifecycle_rule {
    condition {
      days_since_custom_time = 7
      matches_prefix         = ["deliveries/"]
    }
    action {
      type = "Delete"
    }
  }
  # Where used ones are found; those of the quarantine lie elsewhere. Days later than the deliveries themselves: an erasure finds
  # them by these, and rules may take a day to be applied.
  lifecycle_rule {
    condition {
      age            = 9
      matches_prefix = ["used/"]
    }
    action {
      type = "Delete"
    }
  }
  lifecycle_rule {
    condition {
      age = 1
    }
    action {
      type = "AbortIncompleteMultipartUpload"
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.storage]
}
