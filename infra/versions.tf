terraform {
  required_version = ">= 1.5"

  required_providers {
    # Exactly the versions that provider-schema.json was taken from: what the test knows is what is applied.
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "6.50.0"
    }
  }

  # terraform init -backend-config=bucket=<a bucket of yours> -backend-config=prefix=earshot/<environment>
  backend "gcs" {}
}

provider "google" {
  project = var.project
  region  = var.region
}

provider "google-beta" {
  project = var.project
  region  = var.region
  # Firebase asks whose quota a person's own credentials use up.
  user_project_override = true
  billing_project       = var.project
}

data "google_project" "here" {
  project_id = var.project
}
