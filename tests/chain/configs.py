"""A configuration of each product, with everything in it that must not leave; and what its caps are."""

from __future__ import annotations

from harness.chain.model import Cap

NGINX = """\
user www-data;
http {
  proxy_read_timeout 2m;   # for all servers
  upstream images { server 10.1.2.3:8000; keepalive 8; }
  server {
    server_name images.example.com;
    include snippets/*.conf;
    location /v1/images {
      proxy_pass http://images;
      proxy_connect_timeout 1500ms;
    }
    location ~ "^/old{2}" { proxy_pass http://images; proxy_read_timeout "1m 30s"; }
    location /php { fastcgi_pass unix:/run/php.sock; fastcgi_read_timeout 300; }
  }
}
"""

HAPROXY = """\
global
    log stdout format raw local0
    stats timeout 30s
defaults base
    mode http
    timeout connect 5s
    timeout client  50s
    timeout server  50000 # fifty seconds
    timeout tunnel  1h
frontend web
    bind *:443 ssl crt /etc/ssl/secret.example.com.pem
    timeout client 90s
    acl img path_beg "/v1/images # not a comment"
    use_backend images if img
    default_backend rest
frontend other
    default_backend rest
    timeout client 10s
backend images
    timeout server 5m
    server one 10.0.0.1:8000 check inter 2s
backend rest
    server two 10.0.0.2:8000
backend nothing
    timeout server 1s
"""

CADDY = """\
{
    email ops@example.com
    servers {
        timeouts {
            read_body 10s
            write 2m30s
        }
    }
}
(upstream) {
    transport http {
        response_header_timeout 90s
        dial_timeout 1s500ms
    }
}
images.example.com {
    # reverse_proxy nowhere { transport http { read_timeout 1s } }
    header X-Note "a { brace"
    respond /text <<EOT
        reverse_proxy }
        EOT 200
    reverse_proxy /v1/* api:8000 {
        import upstream
    }
}
"""

APACHE = """\
Timeout 120
ProxyTimeout \\
    90
LoadModule proxy_module modules/mod_proxy.so
RequestReadTimeout header=20-40,MinRate=500 body=30,MinRate=500
<VirtualHost *:443>
  ServerName images.example.com
  # ProxyTimeout 1
  ProxyPass "/static" "!"
  ProxyPass "/v1" "http://10.0.0.1:8000/v1" timeout=600 connectiontimeout=500ms retry=0
  <Location "/old">
    ProxyPass http://10.0.0.2:8000/
  </Location>
</VirtualHost>
"""

ENVOY = """\
static_resources:
  listeners:
  - filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          stat_prefix: in
          stream_idle_timeout: 0s
          common_http_protocol_options: {max_stream_duration: 900s, idle_timeout: 1h}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["images.example.com"]
              routes:
              - match: {prefix: "/v1"}
                route: {cluster: api, timeout: 300s, retry_policy: {per_try_timeout: 0.5s}}
              - match: {prefix: "/"}
                route:
                  cluster: api
                  idle_timeout: {seconds: 45, nanos: 500000000}
  clusters:
  - name: api
    connect_timeout: 2.5s
"""

VERCEL = """\
{
  "functions": {
    "api/images/*.ts": {"memory": 1024, "maxDuration": 60},
    "api/other.ts": {"memory": 512}
  }
}
"""


def told(caps: tuple[Cap, ...]) -> dict[tuple[str | None, str], float | None]:
    return {(cap.setting, cap.kind): cap.cap_s for cap in caps}


def set_caps(caps: tuple[Cap, ...]) -> dict[tuple[str | None, str], float | None]:
    """What the file sets; what is left at a default depends on the catalog."""
    return told(tuple(cap for cap in caps if not cap.default))
