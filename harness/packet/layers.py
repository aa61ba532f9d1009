"""Layers by their public names: product, class and setting, from closed lists.

A declared layer is called what its owner likes ("edge-7.corp"); a packet says which product it is, what class of
layer, and where in the chain it sits. The names are those of the harness's layer catalog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, get_args

import yaml

from harness.packet.vocabulary import normal

LayerClass = Literal[
    "browser", "cdn_edge", "serverless", "load_balancer", "reverse_proxy", "gateway", "app_server", "queue",
    "sdk_client", "upstream", "other",
]  # fmt: skip

_REVERSE_PROXIES = Literal[
    "nginx", "k8s_ingress_nginx", "haproxy", "apache", "varnish", "squid", "caddy", "traefik", "lighttpd", "h2o",
    "nghttpx", "trafficserver", "tinyproxy", "envoy", "nextjs", "http_proxy_middleware", "express_http_proxy",
    "fastify_reply_from",
]  # fmt: skip
_APP_SERVERS = Literal[
    "gunicorn", "uwsgi", "uvicorn", "hypercorn", "waitress", "node_http_server", "express", "fastify", "php_fpm", "php"
]
_QUEUES = Literal["celery", "rq"]
_SDK_CLIENTS = Literal[
    "harness", "openai_python", "openai_node", "httpx", "requests", "urllib3", "urllib", "aiohttp", "asyncio", "curl",
    "node_fetch", "node_http", "axios", "got", "ky", "go", "java", "okhttp", "ruby", "dotnet", "ios_urlsession",
    "app_hardcoded_client_timeout",
]  # fmt: skip
_BROWSERS = Literal["browser", "chromium", "firefox", "safari"]
_EDGES = Literal["cloudflare", "openai_edge", "cloudfront", "fastly", "akamai", "azure_front_door", "netlify_edge"]
_SERVERLESS = Literal[
    "cloudflare_workers", "vercel", "netlify", "aws_lambda", "gcp_cloud_run", "gcp_cloud_functions", "gcp_app_engine",
    "azure_app_service", "supabase",
]  # fmt: skip
_LOAD_BALANCERS = Literal[
    "aws_alb", "aws_nlb", "azure_lb", "gcp_external_lb", "azure_app_gateway", "heroku", "fly", "render", "railway",
    "digitalocean",
]  # fmt: skip
_GATEWAYS = Literal[
    "aws_api_gateway", "azure_apim", "kong", "apisix", "litellm", "portkey", "openrouter", "cloudflare_ai_gateway",
    "helicone", "new_api", "cliproxyapi", "sub2api", "ngrok",
]  # fmt: skip
_UPSTREAMS = Literal["openai", "azure_openai"]

_BY_CLASS: tuple[tuple[LayerClass, object], ...] = (
    ("reverse_proxy", _REVERSE_PROXIES),
    ("app_server", _APP_SERVERS),
    ("queue", _QUEUES),
    ("sdk_client", _SDK_CLIENTS),
    ("browser", _BROWSERS),
    ("cdn_edge", _EDGES),
    ("serverless", _SERVERLESS),
    ("load_balancer", _LOAD_BALANCERS),
    ("gateway", _GATEWAYS),
    ("upstream", _UPSTREAMS),
)
# The shipped catalog's own words for the classes.
_CATALOG_CLASSES: Mapping[str, LayerClass] = {"cdn": "cdn_edge", "http_client": "sdk_client", "os": "other"}


def _shipped() -> list[tuple[str, LayerClass, str]]:
    """Product, class and setting of each entry of the shipped catalog: public words, and part of the schema."""
    text = files("harness").joinpath("data/layers.yaml").read_text(encoding="utf-8")
    known = get_args(LayerClass)
    entries = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return [
        (entry["product"], _CATALOG_CLASSES.get(entry["class"], entry["class"] if entry["class"] in known else "other"),
         entry["setting"])
        for entry in entries
    ]  # fmt: skip


_SHIPPED = _shipped()
CLASS_OF: Mapping[str, LayerClass] = {product: family for product, family, _ in _SHIPPED} | {
    name: family for family, names in _BY_CLASS for name in get_args(names)
}
_PRODUCTS: Mapping[str, str] = {name: name for name in CLASS_OF}

if TYPE_CHECKING:
    Product = str
else:
    Product = Literal[*CLASS_OF, "other"]

_PRODUCT_ALIASES: Mapping[str, str] = {
    "apache_httpd": "apache", "ingress_nginx": "k8s_ingress_nginx", "istio": "envoy", "openai_sdk": "openai_python",
    "undici": "node_fetch", "client": "harness", "own_cap": "harness", "this_client": "harness",
    "front_door": "azure_front_door",
    "lambda": "aws_lambda", "cloud_run": "gcp_cloud_run", "alb": "aws_alb", "nlb": "aws_nlb",
    "api_gateway": "aws_api_gateway", "apim": "azure_apim", "upstream": "openai", "render_router": "render",
    "got_timeout": "got", "ky_timeout": "ky", "rq_job_timeout": "rq", "go_client_timeout": "go",
    "go_response_header_timeout": "go", "go_context_deadline": "go", "requests_read_timeout": "requests",
    "requests_connect_timeout": "requests", "php_max_execution_time": "php", "express_connect_timeout": "express",
    "browser_abortsignal_timeout": "browser", "browser_xhr_timeout": "browser", "fly_proxy_error": "fly",
    "java_httpclient_timeout": "java", "ruby_net_http_timeout": "ruby", "railway_edge": "railway",
    "next": "nextjs", "amazonalb": "aws_alb", "awselb": "aws_alb", "upstream_genuine_504": "openai",
    "upstream_overload_503": "openai",
}  # fmt: skip
# Everyday words: they name a product only when they are the whole name, or a whole entry of the catalog.
_WORDS = frozenset(
    {"got", "ky", "rq", "go", "php", "fly", "render", "ruby", "java", "express", "requests", "browser", "railway",
     "openai", "httpx", "curl", "vercel", "harness"}
)  # fmt: skip
_PREFIXES = tuple(sorted((name for name in CLASS_OF if name not in _WORDS), key=len, reverse=True))

_CLASS_ALIASES: Mapping[str, LayerClass] = {
    **{name: name for name in get_args(LayerClass)},
    "edge": "cdn_edge", "cdn": "cdn_edge", "worker": "serverless", "serverless_worker": "serverless",
    "function": "serverless", "lb": "load_balancer", "proxy": "reverse_proxy", "ingress": "reverse_proxy",
    "app": "app_server", "application": "app_server", "server": "app_server", "sdk": "sdk_client",
    "client": "sdk_client", "provider": "upstream", "model": "upstream", "api": "upstream", "backend": "upstream",
}  # fmt: skip


def product_of(text: str | None) -> Product | None:
    """The product that a name stands for: itself, an entry of the catalog that begins with it, or ``other``."""
    if not text:
        return None
    words = normal(text)
    words = _PRODUCT_ALIASES.get(words, words)
    if words in _PRODUCTS:
        return _PRODUCTS[words]
    return next((_PRODUCTS[name] for name in _PREFIXES if words.startswith(name + "_")), "other")


def layer_class_of(layer: str | None, product: Product | None) -> LayerClass:
    """The class of a layer: that of its product when known, else the plain word it is called by, else ``other``."""
    if product is not None and product in CLASS_OF:
        return CLASS_OF[product]
    words = normal((layer or "").partition(".")[0])
    return _CLASS_ALIASES.get(words) or CLASS_OF.get(_PRODUCT_ALIASES.get(words, words)) or "other"


_OWN_SETTINGS = (
    "proxy_read_timeout", "proxy_connect_timeout", "proxy_send_timeout", "client_body_timeout",
    "client_header_timeout", "fastcgi_read_timeout", "uwsgi_read_timeout", "grpc_read_timeout",
    "nginx.ingress.kubernetes.io/proxy-read-timeout", "timeout server", "timeout http-request", "timeout connect",
    "timeout queue", "ProxyTimeout", "RequestReadTimeout", "first_byte_timeout", "between_bytes_timeout",
    "connect_timeout", "read_timeout", "forward_timeout", "response_header_timeout", "dial_timeout",
    "serversTransport.forwardingTimeouts.responseHeaderTimeout", "respondingTimeouts.readTimeout",
    "proxy.timeout.io", "backend-read-timeout", "proxy.config.http.transaction_no_activity_timeout_out",
    "route.timeout", "stream_idle_timeout", "max_stream_duration", "experimental.proxyTimeout", "proxyTimeout",
    "harakiri", "http-timeout", "timeout_keep_alive", "channel_timeout", "server.requestTimeout",
    "server.headersTimeout", "server.timeout", "handlerTimeout", "connectionTimeout", "request_terminate_timeout",
    "max_execution_time", "task_soft_time_limit", "task_time_limit", "job_timeout", "headersTimeout", "bodyTimeout",
    "undici.headersTimeout", "maxDuration", "OriginReadTimeout", "bereq.first_byte_timeout",
    "bereq.between_bytes_timeout", "limits.cpu_ms", "idle_timeout.timeout_seconds", "tcp.idle_timeout.seconds",
    "idleTimeoutInMinutes", "backendService.timeoutSec", "http_options.idle_timeout", "timeoutInMillis",
    "service.read_timeout", "timeout.read", "litellm_settings.request_timeout", "router_settings.timeout",
    "request_timeout", "x-portkey-request-timeout", "x-litellm-timeout", "cf-aig-request-timeout", "xhr.timeout",
    "timeoutIntervalForRequest", "HttpClient.Timeout", "callTimeout", "readTimeout", "--max-time",
    "--connect-timeout", "--timeout", "timeout", "caps.connect_s", "caps.first_byte_s", "caps.idle_s",
    "caps.total_s", "timeouts.connect", "timeouts.first_byte", "timeouts.idle", "timeouts.total",
    "litellm_params.timeout", "Proxy Read Timeout", "(not configurable)", "connect-timeout", "read-timeout",
    "Timeout.read", "Timeout.connect", "ClientTimeout.total", "ClientTimeout.sock_read", "asyncio.wait_for",
    "connect.timeout", "AbortSignal.timeout", "request.timeout", "Client.Timeout", "Transport.ResponseHeaderTimeout",
    "context.WithTimeout", "HttpRequest.timeout", "network.http.response.timeout", "request timeout",
    "origin response timeout", "forward-request timeout",
    "connect_s", "first_byte_s", "idle_s", "total_s", "other",
)  # fmt: skip
_SETTINGS: Mapping[str, str] = {
    " ".join(name.lower().split()): name for name in (*(setting for _, _, setting in _SHIPPED), *_OWN_SETTINGS)
}

if TYPE_CHECKING:
    Setting = str
else:
    Setting = Literal[*dict.fromkeys(_SETTINGS.values())]
_TOKEN = re.compile(r"[A-Za-z0-9_./-]{1,80}")


def setting_of(text: str | None) -> Setting | None:
    """The known setting that a text names: the whole of it, else its first word that is one, else ``other``."""
    if not text:
        return None
    text = text[:200]
    # Where several settings fit alike they are named together; a packet names the first.
    for part in (text, text.partition(" or ")[0]):
        whole = _SETTINGS.get(" ".join(part.lower().split()))
        if whole is not None:
            return whole
    return next((_SETTINGS[token.lower()] for token in _TOKEN.findall(text) if token.lower() in _SETTINGS), "other")
