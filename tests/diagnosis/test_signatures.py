"""Replies and failures as they are met, and whose they are: with the right author on the list, and nobody accused
who did not write them."""

from __future__ import annotations

import pytest

from harness.diagnosis.catalog import signed_by

NGINX = (
    "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n<center><h1>504 Gateway Time-out</h1>"
    "</center>\r\n<hr><center>{}</center>\r\n</body>\r\n</html>"
)
ALB = NGINX.partition("<hr>")[0] + "</body>\r\n</html>"
HAPROXY = "<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n"
HAPROXY_503 = (
    "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n"
)
HAPROXY_502 = (
    "<html><body><h1>502 Bad Gateway</h1>\nThe server returned an invalid or incomplete response.\n</body></html>\n"
)
APACHE = (
    '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n<title>502 Proxy Error</title>\n</head><body>\n'
    "<h1>Proxy Error</h1>\n<p>The proxy server received an invalid\r\nresponse from an upstream server.<br />"
)
VARNISH = (
    "<!DOCTYPE html>\n<html>\n  <head>\n    <title>503 Backend fetch failed</title>\n  </head>\n  <body>\n"
    "    <h1>Error 503 Backend fetch failed</h1>\n    <p>Backend fetch failed</p>\n    <h3>Guru Meditation:</h3>\n"
    "    <p>XID: 5</p>\n    <hr>\n    <p>Varnish cache server</p>\n  </body>\n</html>\n"
)
ATS = "<HTML>\n<HEAD>\n<TITLE>Inactivity Timeout</TITLE>\n</HEAD>\n\n<BODY BGCOLOR=white>\n<H1>Inactivity Timeout</H1>"
CLOUDFRONT = (
    '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">\n'
    '<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=iso-8859-1">\n'
    "<TITLE>ERROR: The request could not be satisfied</TITLE>\n</HEAD><BODY>\n<H1>504 ERROR</H1>"
)
GUNICORN = (
    "<html>\n  <head>\n    <title>Internal Server Error</title>\n  </head>\n  <body>\n    <h1><p>Internal Server Error"
    "</p></h1>\n    \n  </body>\n</html>\n"
)
ENVOY_503 = (
    "upstream connect error or disconnect/reset before headers. reset reason: connection timeout"
)  # fmt: skip

# status, headers, body, error text, failure → the first to sign among those that name themselves, None for nobody
REPLIES = [
    (504, {"server": "nginx/1.22.1"}, NGINX.format("nginx/1.22.1"), "", "nginx_proxy_read_timeout"),
    (504, {"server": "cloudflare"}, NGINX.format("nginx"), "", "nginx_proxy_read_timeout"),
    (504, {"server": "nginx"}, "gateway timeout", "", None),
    (502, {"server": "nginx/1.22.1"}, NGINX.format("nginx/1.22.1"), "", None),
    (504, {"server": "awselb/2.0"}, ALB, "", "aws_alb_idle_timeout"),
    (504, {}, ALB, "", None),
    (504, {"server": "APISIX/3.9.1"}, NGINX.format("openresty"), "", "apisix_upstream_timeout"),
    (504, {"cache-control": "no-cache"}, HAPROXY, "", "haproxy_timeout_server"),
    (503, {}, HAPROXY_503, "", "haproxy_no_server_503"),
    (502, {}, HAPROXY_502, "", None),
    (502, {"server": "Apache/2.4.71 (Debian)"}, APACHE, "", "apache_mod_proxy_timeout"),
    (502, {"server": "Apache/2.4.71 (Debian)"}, "Bad gateway", "", None),
    (503, {"x-varnish": "5", "via": "1.1 host (Varnish/7.1)"}, VARNISH, "", "varnish_first_byte_timeout"),
    (503, {"via": "1.1 varnish"}, "<title>503 first byte timeout</title>", "", "fastly_first_byte_timeout"),
    (504, {"x-squid-error": "ERR_READ_TIMEOUT 0"}, "", "", "squid_read_timeout"),
    (502, {"x-squid-error": "ERR_ZERO_SIZE_OBJECT 0"}, "", "", "squid_upstream_closed"),
    (504, {"server": "Caddy", "content-length": "0"}, "", "", "caddy_response_header_timeout"),
    (502, {"server": "Caddy", "content-length": "0"}, "", "", "caddy_502"),
    (504, {"server": "Caddy", "content-length": "0"}, "", "server_error It broke.", None),
    (502, {"server": "h2o/2.2.5"}, "I/O timeout", "", "h2o_proxy_timeout_io"),
    (502, {"server": "h2o/2.2.5"}, "connection timeout", "", "h2o_upstream_closed"),
    (504, {"server": "ATS/9.2.9"}, ATS, "", "trafficserver_no_activity_timeout"),
    (504, {"server": "Netlify"}, ATS, "", "netlify_edge_inactivity"),
    (504, {"server": "envoy"}, "upstream request timeout", "", "envoy_route_timeout"),
    (504, {"server": "istio-envoy"}, "stream timeout", "", "envoy_stream_idle_timeout"),
    (504, {"server": "envoy"}, "downstream duration timeout", "", "envoy_max_stream_duration"),
    (503, {"server": "envoy"}, ENVOY_503, "", "envoy_connect_failure"),
    (504, {"server": "Google Frontend"}, "upstream request timeout", "", "gcp_cloud_run_timeout"),
    (504, {"via": "1.1 google"}, "upstream request timeout", "", "gcp_external_lb_backend_timeout"),
    (504, {"server": "nobody"}, "upstream request timeout", "", None),
    (504, {"server": "CloudFront"}, CLOUDFRONT, "", "cloudfront_origin_response_timeout"),
    (504, {"x-cache": "Error from cloudfront"}, "upstream failed", "", None),
    (524, {"server": "cloudflare"}, "error code: 524", "", "cloudflare_524"),
    (524, {"server": "cloudflare"}, "", "cf_gateway_timeout 524 Gateway timeout.", "openai_edge_cf_gateway_timeout"),
    (504, {"server": "cloudflare"}, "error code: 504", "", None),
    (500, {"server": "gunicorn"}, GUNICORN, "", "gunicorn_sync_worker_timeout"),
    (500, {}, "Internal Server Error", "", None),
    (504, {}, "Gateway Timeout", "", None),
    (504, {"x-timeout-reason": "express-http-proxy reset the request."}, "", "", "express_http_proxy_timeout"),
    (504, {}, "Error occurred while trying to proxy: 127.0.0.1/v1", "", "http_proxy_middleware_proxy_timeout"),
    (504, {}, "", "FST_REPLY_FROM_GATEWAY_TIMEOUT Gateway Timeout", "fastify_reply_from_timeout"),
    (503, {}, "", "FST_ERR_HANDLER_TIMEOUT Request timed out after 2000ms", "fastify_handler_timeout"),
    (408, {}, "", "invalid_request_error 408 litellm.Timeout: APITimeoutError - Request", "litellm_proxy_timeout"),
    (504, {}, "", "504 litellm.Timeout: Timeout Error: OpenAIException - <html>", "litellm_upstream_504"),
    (408, {}, "", "timeout_error Request exceeded the timeout sent in the request: 1000ms", "portkey_request_timeout"),
    (408, {}, "", "Timeout The operation was timeout.", "azure_openai_idle_60"),
    (504, {"x-vercel-error": "FUNCTION_INVOCATION_TIMEOUT"}, "", "", "vercel_function_timeout"),
    (504, {}, "", "Endpoint request timed out", "aws_api_gateway_timeout"),
    (502, {}, "", "Sandbox.Timedout RequestId: 1 Error: Task timed out after 3.00 seconds", "aws_lambda_timeout"),
    (504, {}, "", "IDLE_TIMEOUT Request idle timeout limit (150s) reached", "supabase_edge_idle_timeout"),
    (504, {"server": "kong/3.9.1"}, "", "The upstream server is timing out", "kong_upstream_timeout"),
    (503, {"server": "Heroku"}, "<html><title>Application Error</title>", "", "heroku_h12"),
    (504, {}, "", "server_error server_error The server had an error.", None),
    (429, {"retry-after": "5"}, "", "rate_limit_exceeded Rate limit reached", None),
    (200, {}, "", "", None),
]  # fmt: skip

FAILURES = [
    (("APITimeoutError", "ReadTimeout", "TimeoutError"), "openai_python_timeout"),
    (("APITimeoutError", "ConnectTimeout", "TimeoutError"), "openai_python_connect_timeout"),
    (("ReadTimeout", "TimeoutError"), "httpx_read_timeout"),
    (("ReadTimeout", "ReadTimeoutError", "TimeoutError"), "requests_read_timeout"),
    (("ConnectTimeout", "TimeoutError"), "httpx_connect_timeout"),
    (("ConnectTimeout", "MaxRetryError", "ConnectTimeoutError", "TimeoutError"), "requests_connect_timeout"),
    (("TypeError", "HeadersTimeoutError", "UND_ERR_HEADERS_TIMEOUT"), "node_fetch_headers_timeout"),
    (("TypeError", "BodyTimeoutError", "UND_ERR_BODY_TIMEOUT"), "node_fetch_body_timeout"),
    (("TypeError", "ConnectTimeoutError", "UND_ERR_CONNECT_TIMEOUT"), "node_fetch_connect_timeout"),
    (("AxiosError", "ECONNABORTED"), "axios_timeout"),
    (("APIConnectionTimeoutError",), "openai_node_timeout"),
    (("SocketTimeoutError",), "aiohttp_sock_read_timeout"),
    (("TimeoutError", "CancelledError"), None),  # aiohttp's total, a wait_for, or anybody else's
    (("TimeoutError",), None),
    (("RemoteProtocolError", "PeerClosed"), None),  # a bare close has many possible authors
    (("ReadError", "ReadFailed", "ConnectionResetError", "ECONNRESET"), None),
    (("SoftTimeLimitExceeded",), "celery_soft_time_limit"),
    (("TimeLimitExceeded",), "celery_hard_time_limit"),
    ((), None),
]


@pytest.mark.parametrize(("status", "headers", "body", "error", "author"), REPLIES)
def test_a_reply_is_signed_by_its_author_and_by_nobody_else(
    status: int, headers: dict[str, str], body: str, error: str, author: str | None
) -> None:
    signers = [layer for layer in signed_by(status, headers, body, error) if layer.names_the_layer]
    assert [layer.id for layer in signers][:1] == ([author] if author else [])
    # Others may sign alike only where the catalog says that they do.
    assert {layer.id for layer in signers[1:]} <= set(signers[0].confused_with if signers else ())


@pytest.mark.parametrize(("failure", "author"), FAILURES)
def test_a_failure_names_whose_timer_it_was_or_nobody(failure: tuple[str, ...], author: str | None) -> None:
    signers = [layer.id for layer in signed_by(None, {}, "", "", failure) if layer.names_the_layer]
    assert signers == ([author] if author else [])


def test_a_bare_close_has_a_list_of_possible_authors() -> None:
    signers = {layer.id for layer in signed_by(None, {}, "", "", ("RemoteProtocolError", "PeerClosed"))}
    assert signers >= {"uwsgi_harakiri", "gunicorn_sync_worker_killed", "tinyproxy_timeout"}
    assert "midstream_cut" not in signers


def test_a_cut_after_headers_is_no_bare_close() -> None:
    signers = {layer.id for layer in signed_by(200, {}, "", "", ("RemoteProtocolError", "PeerClosed"))}
    assert "midstream_cut" in signers
    assert "uwsgi_harakiri" not in signers


def test_pages_that_are_the_same_to_the_byte_are_signed_by_all_their_settings() -> None:
    signers = signed_by(504, {"server": "nginx/1.22.1"}, NGINX.format("nginx/1.22.1"), "")
    assert {layer.setting for layer in signers} >= {
        "proxy_read_timeout", "proxy_connect_timeout", "fastcgi_read_timeout",
    }  # fmt: skip
    assert {layer.product for layer in signers} == {"nginx"}
