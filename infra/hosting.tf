# Firebase Hosting for the dashboard. Terraform makes the site; its files and headers come with each release, from firebase.json
# as it is for this environment (output `firebase_json`).

resource "google_firebase_project" "earshot" {
  provider   = google-beta
  project    = var.project
  depends_on = [google_project_service.api]
}

resource "google_firebase_hosting_site" "dashboard" {
  provider = google-beta
  project  = google_firebase_project.earshot.project
  site_id  = local.hosting_site
}
