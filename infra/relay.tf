# The relay, and beside it in each instance the collector of its metrics.

resource "google_artifact_registry_repository" "earshot" {
  repository_id = "earshot"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of the relay and of the functions"

  # Those that run are among the newest.
  cleanup_policies {
    id     = "keep-the-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }
  cleanup_policies {
    id     = "remove-the-old"
    action = "DELETE"
    condition {
      older_than = "${90 * 86400}s"
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_cloud_run_v2_service" "relay" {
  name                = "earshot-relay"
  location            = var.region
  ingress             = var.domain == null ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  deletion_protection = var.production

  template {
    service_account = google_service_account.unit["relay"].email
    # The longest that Cloud Run lets a socket live. The relay asks its clients to move five minutes before.
    timeout = "3600s"
    # 900 sockets, and room for probes and polls: beyond this Cloud Run starts another instance, beyond 900 the relay says 503.
    max_instance_request_concurrency = 1000
    # Any relay serves any client from any position: none has to come back to the same.
    session_affinity      = false
    execution_environment = "EXECUTION_ENVIRONMENT_GEN2"

    scaling {
      min_instance_count = 1
      max_instance_count = var.relay_instances_max
    }

    containers {
      name  = "relay"
      image = var.relay_image

      ports {
        # HTTP/1.1 to the container: an upgrade to WebSocket does not pass end-to-end HTTP/2 (h2c).
        name           = "http1"
        container_port = 8080
      }

      resources {
        # Instance-based billing: the bus and the comparison with the log go on while no request is under way.
        cpu_idle          = false
        startup_cpu_boost = true
        limits = {
          cpu    = var.relay_cpu
          memory = var.relay_memory
        }
      }

      # Ready when its subscription is live and a first comparison with the log was made.
      startup_probe {
        period_seconds    = 3
        timeout_seconds   = 2
        failure_threshold = 60
        http_get {
          path = "/ready"
        }
      }

      # Answers while the process lives, whatever the stores do: a sick store is no reason to cut 900 sockets.
      liveness_probe {
        period_seconds    = 15
        timeout_seconds   = 12
        failure_threshold = 4
        http_get {
          path = "/health"
        }
      }

      dynamic "env" {
        for_each = local.settings.relay
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = toset(local.secrets.relay)
        content {
          name = env.value
          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.setting[env.value].secret_id
              version = data.google_secret_manager_secret_version.setting[env.value].version
            }
          }
        }
      }
    }

    containers {
      name       = "collector"
      image      = "us-docker.pkg.dev/cloud-ops-agents-artifacts/cloud-run-gmp-sidecar/cloud-run-gmp-sidecar:1.2.0"
      depends_on = ["relay"]

      resources {
        cpu_idle = false
        limits = {
          cpu    = var.collector_cpu
          memory = "512Mi"
        }
      }

      volume_mounts {
        name       = "collector"
        mount_path = "/etc/rungmp"
      }
    }

    volumes {
      name = "collector"
      secret {
        secret = google_secret_manager_secret.collector.secret_id
        items {
          path    = "config.yaml"
          version = google_secret_manager_secret_version.collector.version
        }
      }
    }
  }

  # Sockets that are open stay where they are when this changes. What moves them is the document control/relay, which names the
  # serving revision: `npm run deploy` writes it, both on the way forward and on the way back.
  traffic {
    type     = var.relay_revision == null ? "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST" : "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
    revision = var.relay_revision
    percent  = 100
  }

  depends_on = [
    google_secret_manager_secret_iam_member.relay,
    google_secret_manager_secret_iam_member.collector,
    google_project_iam_member.relay_log,
    google_project_iam_member.relay_sessions,
    google_project_iam_member.relay_subscriptions,
    google_project_iam_member.relay_metrics,
    google_pubsub_topic_iam_member.relay_attach,
  ]
}
