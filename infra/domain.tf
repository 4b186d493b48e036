# A domain of one's own, its certificate and Cloud Armor: only where var.domain is set. Its DNS has to point api., webhooks. and
# relay. at the address (output `load_balancer_address`) before the certificate can be made.

locals {
  # Host name and Cloud Run service of each unit that stands behind the load balancer.
  balanced = {
    for name, service in {
      api      = google_cloudfunctions2_function.unit["api"].name
      webhooks = google_cloudfunctions2_function.unit["webhooks"].name
      relay    = google_cloud_run_v2_service.relay.name
    } : name => service if var.domain != null
  }
  domains = compact([var.domain])
}

resource "google_compute_global_address" "earshot" {
  for_each   = toset(local.domains)
  name       = "earshot"
  depends_on = [google_project_service.api]
}

resource "google_compute_managed_ssl_certificate" "earshot" {
  for_each = toset(local.domains)
  # Its domains cannot be changed: others need another name, so that the new one is there before the old one goes.
  name = "earshot-${substr(sha256(each.value), 0, 8)}"

  managed {
    domains = ["api.${each.value}", "webhooks.${each.value}", "relay.${each.value}"]
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_project_service.api]
}

resource "google_compute_region_network_endpoint_group" "unit" {
  for_each              = local.balanced
  name                  = "earshot-${each.key}"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = each.value
  }
}

# One address that asks too often is slowed down. Never in front of `webhooks`: ElevenLabs does not repeat what is answered 429.
resource "google_compute_security_policy" "earshot" {
  for_each   = toset(local.domains)
  name       = "earshot"
  depends_on = [google_project_service.api]

  rule {
    priority    = 1000
    action      = "throttle"
    description = "So many requests a minute from one address"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      enforce_on_key = "IP"
      conform_action = "allow"
      exceed_action  = "deny(429)"

      rate_limit_threshold {
        count        = var.requests_per_minute_max
        interval_sec = 60
      }
    }
  }

  rule {
    priority    = 2147483647
    action      = "allow"
    description = "The rule that has to be the last"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

resource "google_compute_backend_service" "unit" {
  for_each              = local.balanced
  name                  = "earshot-${each.key}"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = each.key == "webhooks" ? null : google_compute_security_policy.earshot[var.domain].id

  backend {
    group = google_compute_region_network_endpoint_group.unit[each.key].id
  }

  # Its lines would hold whole URLs, and older clients bring their token in them.
  log_config {
    enable = false
  }
}

resource "google_compute_url_map" "earshot" {
  for_each        = toset(local.domains)
  name            = "earshot"
  default_service = google_compute_backend_service.unit["api"].id

  dynamic "host_rule" {
    for_each = local.balanced
    content {
      hosts        = ["${host_rule.key}.${each.value}"]
      path_matcher = host_rule.key
    }
  }

  dynamic "path_matcher" {
    for_each = local.balanced
    content {
      name            = path_matcher.key
      default_service = google_compute_backend_service.unit[path_matcher.key].id
    }
  }
}

resource "google_compute_target_https_proxy" "earshot" {
  for_each         = toset(local.domains)
  name             = "earshot"
  url_map          = google_compute_url_map.earshot[each.value].id
  ssl_certificates = [google_compute_managed_ssl_certificate.earshot[each.value].id]
}

resource "google_compute_global_forwarding_rule" "earshot" {
  for_each              = toset(local.domains)
  name                  = "earshot"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.earshot[each.value].id
  port_range            = "443"
  target                = google_compute_target_https_proxy.earshot[each.value].id
}
