"""A corpus for the sanitizer: values that must go and values that must stay, in the carriers that hold them in life.

Made at run time from templates (`harness.sanitizer.rules.expand`), so that nothing here is shaped like a key. A case is
a text with the values that must not survive in it, in any common encoding of the whole or of half, and those that must.
"""

# ruff: noqa: E501 - rows of data
from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.sanitizer.rules import expand

UUID = "{u}"
# (kind, name that it has in life, template)
KEYS: list[tuple[str, str]] = [
    ("openai", "sk-proj-{w:120}"), ("openai", "sk-proj-{b:48}"), ("openai", "sk-svcacct-{w:60}"), ("openai", "sk-{b:48}"),
    ("openai", "sk-admin-{b:40}"), ("anthropic", "sk-ant-api03-{w:93}AA"), ("openrouter", "sk-or-v1-{h:64}"),
    ("litellm", "sk-{w:22}"), ("azure", "{h:32}"), ("azure", "{b:52}JQQJ99BKAC{A:4}AAAB{b:14}"), ("aws id", "AKIA{A:16}"),
    ("aws secret", "{s:40}"), ("aws session", "IQoJb3JpZ2lu{s:300}=="), ("google", "AIza{w:35}"), ("google", "ya29.a0{w:120}"),
    ("google", "GOCSPX-{w:28}"), ("github", "ghp_{b:36}"), ("github", "github_pat_{b:22}_{b:59}"), ("slack", "xoxb-{d:12}-{d:13}-{b:24}"),
    ("stripe", "sk_live_{b:24}"), ("stripe", "rk_live_{b:99}"), ("stripe", "whsec_{b:32}"), ("hf", "hf_{b:34}"), ("replicate", "r8_{b:37}"),
    ("fal", "{u}:{h:32}"), ("cloudflare", "{w:40}"), ("cloudflare", "v1.0-{h:24}-{h:146}"), ("vercel", "{b:24}"), ("vercel", "vck_{b:56}"),
    ("groq", "gsk_{b:52}"), ("xai", "xai-{b:80}"), ("stability", "sk-{b:48}"), ("together", "{h:64}"), ("mistral", "{b:32}"),
    ("jwt", "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJ{b:40}.{w:86}"), ("sendgrid", "SG.{w:22}.{w:43}"),
    ("twilio", "SK{h:32}"), ("gitlab", "glpat-{w:20}"), ("npm", "npm_{b:36}"), ("databricks", "dapi{h:32}"),
    ("helicone", "sk-helicone-{x:7}-{x:7}-{x:7}-{x:7}"), ("langfuse", "sk-lf-{u}"), ("datadog", "{h:40}"), ("telegram", "{n:10}:AA{w:33}"),
]  # fmt: skip
SECRETS: list[tuple[str, str]] = [
    ("password", "{b:12}"),
    ("password", "Tr0ub4dor&{n:3}"),
    ("password", "hunter{n:2}!x"),
    ("session", "{h:32}"),
    ("session", "s%3A{w:32}.{s:20}"),
]
PEOPLE: list[tuple[str, str]] = [
    ("email", "{l:6}.{l:8}@{l:9}.com"), ("email", "{l:4}+x@mail.{l:7}.co.uk"), ("ip", "203.0.113.{n:2}"), ("ip", "10.{n:2}.{n:1}.{n:2}"),
    ("ip", "192.168.{n:1}.{n:2}"), ("ip", "2001:db8:{h:4}::8a2e:370:{n:4}"), ("ip", "fe80::{n:1}ff:fe23:4567:{h:3}a"),
    ("org", "org-{b:24}"), ("project", "proj_{b:24}"), ("user", "user-{b:24}"), ("phone", "+49 30 55{n:6}"), ("phone", "+14155{n:6}"),
    ("path", "/home/{l:7}/code/{l:5}.py"), ("path", "/Users/{l:7}/renders"), ("path", "C:\\Users\\{l:7}\\out.png"),
    ("path", "\\\\fs-{l:4}\\share\\{l:6}.txt"), ("path", "file:///home/{l:7}/x.png"), ("path", "/var/lib/{l:8}/cache.db"),
    ("host", "{l:5}-01.{l:5}.internal"), ("host", "api.{l:8}.corp"), ("host", "img.{l:9}.com"), ("host", "ip-10-{n:2}-3-17.eu-west-1.compute.internal"),
    ("url", "https://hooks.{l:8}.com/cb/{b:12}?sig={w:20}"), ("url", "https://{l:6}.s3.amazonaws.com/a.png?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature={h:64}"),
    ("url", "https://{l:8}.blob.core.windows.net/i/a.png?sv=2024-01-01&se=2026-01-01&sig={w:43}%3D"),
    ("url", "https://storage.googleapis.com/{l:8}/a.png?X-Goog-Signature={h:128}"), ("url", "https://{l:8}.cloudfront.net/a.png?Expires=1&Signature={w:80}&Key-Pair-Id=K{A:13}"),
    ("url", "https://replicate.delivery/pbxt/{b:30}/out-0.png"), ("url", "https://v3.fal.media/files/{l:6}/{b:20}.png"),
    ("connection", "postgresql://{l:5}:{b:10}@{l:5}.{l:6}.rds.amazonaws.com:5432/images"), ("connection", "redis://:{b:16}@10.0.0.{n:1}:6379/0"),
    ("connection", "mongodb+srv://{l:5}:{b:10}@{l:6}.mongodb.net/x"), ("connection", "amqps://{l:5}:{b:10}@{l:6}.example/vh"),
    ("image", "iVBORw0KGgoAAAANSUhEUgAA{s:200}"), ("image", "/9j/4AAQSkZJRgABAQ{s:200}"), ("image", "data:image/png;base64,{s:200}"), ("image", "UklGR{s:200}"),
    ("arn", "arn:aws:iam::{n:12}:role/{l:8}"),
]  # fmt: skip
PROMPTS = [
    "A watercolor fox sleeping under a birch tree at dawn", "Draw our unreleased {l:7} sneaker on marble, studio light",
    "portrait of {l:6} {l:8}, 85mm, soft light, freckles", "ein roter Drache über dem Marktplatz von {l:6}", "一只戴着红帽子的猫坐在屋顶上看月亮，水彩风格",
    'a sign that says "{l:8} closes on friday", neon',
]  # fmt: skip
FIELDS: list[tuple[str, str, str]] = [
    *((name, "secret", template) for name in ("api_key", "apiKey", "x-api-key", "api-key", "access_token", "client_secret", "OPENAI_API_KEY", "AZURE_OPENAI_KEY", "Ocp-Apim-Subscription-Key")
      for template in ("{b:20}", "{h:32}")),
    *((name, "secret", template) for name in ("password", "passwd", "DB_PASSWORD", "secret", "smtp_pass") for template in ("{b:12}", "correct{n:3}horse", "p4ss,w0rd;{n:2}")),
    ("session_id", "cookie", "{h:32}"), ("sessionId", "cookie", "{l:10}"), ("Cookie", "cookie", "sid={h:20}; theme=dark"), ("Set-Cookie", "cookie", "__cf_bm={w:40}; path=/"),
    ("customer_id", "account", "4711{n:2}"), ("customerName", "account", "{l:8} Motors"), ("org_id", "account", "{l:9}"), ("tenant", "account", "{l:8}"),
    ("channel_id", "account", "{n:3}"), ("channel_name", "account", "{l:8}-pool-{n:1}"), ("account_pool", "account", "{l:8}"), ("project_id", "account", "{l:5}-{n:5}"),
    ("user", "account", "{l:8}"), ("username", "account", "{l:8}"), ("user_id", "account", "{n:7}"), ("account_id", "account", "{n:12}"),
    ("hostname", "host", "{l:6}-{n:2}"), ("pod_name", "host", "{l:6}-7d9f8b6c5d-x{n:1}k2p"), ("phone", "phone", "030 55{n:6}"), ("client_ip", "ip", "198.51.100.{n:2}"),
    ("openai-organization", "account", "{l:9}"), ("key_alias", "account", "{l:9}"), ("webhook_url", "url", "https://{l:8}.com/x"), ("callback_url", "url", "http://{l:8}.net/cb"),
]  # fmt: skip
KEEPS: list[tuple[str, str]] = [
    ("x-request-id", "req_{h:32}"), ("x-request-id", "{u}"), ("x-request-id", "{h:32}"), ("request_id", "req_{h:32}"), ("request_id", "{u}"), ("requestId", "{u}"), ("cf-ray", "{h:16}-MUC"),
    ("x-amzn-trace-id", "Root=1-{h:8}-{h:24}"), ("x-amzn-RequestId", "{u}"), ("apim-request-id", "{u}"), ("x-ms-request-id", "{u}"), ("traceparent", "00-{h:32}-{h:16}-01"),
    ("trace_id", "{h:32}"), ("span_id", "{h:16}"), ("x-client-request-id", "harness-{u}"), ("client_request_id", "harness-{h:16}"), ("id", "{u}"), ("id", "chatcmpl-{b:29}"), ("task_id", "{u}"), ("job_id", "job-{h:12}"),
    ("total_ms", "60012.5"), ("duration_ms", "118400"), ("openai-processing-ms", "117{n:3}"), ("request_time", "60.0{n:2}"), ("content-length", "327{n:4}"), ("bytes", "3270588"),
    ("model", "gpt-image-1"), ("model", "gpt-image-1-mini"), ("model", "dall-e-3"), ("model", "chatgpt-image-latest"), ("model", "imagen-4.0-ultra-generate-001"), ("model", "black-forest-labs/flux-1.1-pro"), ("model", "gemini-2.5-flash-image-preview"),
    ("status", "504"), ("http_status", "429"), ("error_type", "image_generation_user_error"), ("type", "invalid_request_error"), ("code", "moderation_blocked"), ("code", "rate_limit_exceeded"), ("code", "DeploymentNotFound"), ("code", "organization_spend_limit_exceeded"),
    ("x-ratelimit-limit-requests", "500"), ("x-ratelimit-remaining-tokens", "149{n:3}"), ("x-ratelimit-reset-requests", "6m0.5s"), ("retry-after", "20"), ("retry-after-ms", "534"), ("x-ratelimit-remaining-input-images", "4"),
    ("sha256", "{h:64}"), ("prompt_hash", "{h:64}"), ("etag", '"{h:32}"'), ("image_sha256", "{h:64}"), ("server", "nginx/1.22.1"), ("server", "cloudflare"), ("user-agent", "OpenAI/Python 1.99.9"), ("via", "1.1 varnish"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"), ("version", "3.52.0"), ("openai-version", "2020-10-01"), ("api-version", "2025-04-01-preview"),
    ("date", "Fri, 20 Nov 2026 10:15:30 GMT"), ("timestamp", "2026-11-20T10:15:30.250Z"), ("startedDateTime", "2026-11-20T10:15:30.250+02:00"), ("time", "1763633730.250"),
    ("size", "1024x1536"), ("quality", "high"), ("output_format", "webp"), ("level", "ERROR"), ("method", "POST"), ("host", "api.openai.com"), ("url", "https://api.openai.com/v1/images/generations"),
    ("url", "https://api.replicate.com/v1/models/black-forest-labs/flux-schnell/predictions"), ("endpoint", "/v1/images/generations"), ("content-type", "application/json; charset=utf-8"), ("cf-cache-status", "DYNAMIC"), ("outcome", "completed"),
    ("x-amz-cf-id", "{w:54}=="), ("x-vercel-id", "fra1::iad1::{x:5}-17636337{n:5}-{h:12}"), ("x-litellm-call-id", "{u}"), ("proxy_read_timeout", "60s"), ("cf-aig-log-id", "01{A:2}HGW2N5E56F11RNTY3ABCDE"), ("x-correlation-id", "{u}"),
]  # fmt: skip
SENTENCES = [
    "upstream timed out (110: Connection timed out) while reading response header from upstream",
    "openai.APITimeoutError: Request timed out.", "httpx.RemoteProtocolError: Server disconnected without sending a response.",
    "Rate limit reached for gpt-image-1 on input-images per min: Limit 5, Used 5, Requested 1. Please try again in 12s.",
    "Your request was rejected by the safety system.", "proxy_read_timeout 60s;", "timeout server 120s", "grpc_status=4 response_flags=UT upstream_rq_timeout",
    "socket.timeout: The read operation timed out", "429 Too Many Requests", "x-envoy-upstream-service-time: 60001", "termination_state=sH-- timers 0/0/1/60001/60002",
    "<html><head><title>504 Gateway Time-out</title></head><body><hr><center>nginx/1.22.1</center></body></html>", "Chrome/120.0.0.0", "litellm.Timeout: APITimeoutError - Request timed out. Timeout passed=600.0, time taken=600.012 seconds",
    "cf-ray: 95fb86278f70e0d3-MUC", "Python 3.11.7, openai 1.99.9, httpx 0.28.1", "nginx.ingress.kubernetes.io/proxy-read-timeout: \"300\"", "fetch failed: UND_ERR_HEADERS_TIMEOUT", "java.net.SocketTimeoutException: Read timed out",
    "event: image_generation.partial_image", "HTTP/2 524", "< HTTP/1.1 504 Gateway Time-out", "* Connected to api.openai.com", "keepalive_timeout 75s; client_max_body_size 50m;",
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One text, what must not survive in it, and what must."""

    title: str
    text: str
    gone: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    exotic: bool = False


ID = "req_0123456789abcdef0123456789abcdef"


def _har(name: str, value: str) -> str:
    entry = {"startedDateTime": "2026-11-20T10:15:30.250Z", "time": 60012.5, "request": {"method": "POST", "url": "https://api.openai.com/v1/images/generations",
             "headers": [{"name": name, "value": value}], "cookies": [{"name": "sid", "value": "x7"}]}, "response": {"status": 504, "headers": [{"value": ID, "name": "x-request-id"}]},
             "timings": {"wait": 60001.2, "connect": -1}}  # fmt: skip
    return json.dumps({"log": {"version": "1.2", "entries": [entry]}})


# A value that a shape gives away, wherever it stands.
BY_SHAPE: dict[str, Callable[[str], str]] = {
    "bearer header": lambda v: (
        f"> POST /v1/images/generations HTTP/1.1\n> Host: api.openai.com\n> Authorization: Bearer {v}\n< x-request-id: {ID}\n< retry-after: 20"
    ),
    "log line": lambda v: f"2026-11-20 10:15:30,250 INFO worker: using {v} for request_id={ID} total_ms=60012.5",
    "end of sentence": lambda v: (
        f"Incorrect API key provided: {v}. You can find your API key at https://platform.openai.com/account/api-keys. ({ID})"
    ),
    "json": lambda v: json.dumps({"request_id": ID, "total_ms": 60012.5, "note": v}, indent=1),
    "json in json": lambda v: json.dumps({"request_id": ID, "body": json.dumps({"inner": json.dumps({"x": v})})}),
    "json in log": lambda v: f"2026-11-20T10:15:30Z ERROR failed {json.dumps({'e': v, 'request_id': ID})} retrying",
    "escaped json in log": lambda v: f'INFO msg="{json.dumps({"e": v, "request_id": ID})[1:-1]}"'.replace(
        '"e"', '\\"e\\"'
    ),
    "repr": lambda v: f"DEBUG headers={ {'Authorization': 'Bearer ' + v, 'x-request-id': ID}!r}",
    "query": lambda v: f"GET /v1/x?a=1&q={urllib.parse.quote(v, safe='')}&n=2 HTTP/1.1 {ID}",
    "url": lambda v: f"see https://api.openai.com/v1/images?x={urllib.parse.quote(v, safe='')} {ID}",
    "percent": lambda v: f"payload={urllib.parse.quote(v, safe='')} {ID}",
    "every byte percent": lambda v: f"x={''.join(f'%{b:02X}' for b in v.encode())} {ID}",
    "percent twice": lambda v: f"x={urllib.parse.quote(urllib.parse.quote(v, safe=''), safe='')} {ID}",
    "unicode escapes": lambda v: (
        '{"request_id":"' + ID + '","x":"' + "".join(f"\\u{ord(c):04x}" for c in v if ord(c) < 65536) + '"}'
    ),
    "unicode escapes in text": lambda v: "x: " + "".join(f"\\u{ord(c):04x}" for c in v) + f" {ID}",
    "entities": lambda v: f"<p>{html.escape(v)}</p> {ID}",
    "numeric entities": lambda v: f"<p>{''.join(f'&#{ord(c)};' for c in v)}</p> {ID}",
    "base64": lambda v: f"blob {base64.b64encode(v.encode()).decode()} {ID}",
    "base64 in json": lambda v: json.dumps({"x": base64.b64encode(("k=" + v).encode()).decode(), "request_id": ID}),
    "hex": lambda v: f"dump {v.encode().hex()} {ID}",
    "traceback": lambda v: (
        f'Traceback (most recent call last):\n  File "/srv/app/x.py", line 3, in go\n    call("{v}")\nValueError: bad {v}\n{ID}'
    ),
    "curl": lambda v: (
        f"curl -sS https://api.openai.com/v1/images/generations -H 'Authorization: Bearer {v}' -H 'x-client-request-id: {ID}' -d '{{\"model\":\"gpt-image-1\"}}'"
    ),
    "har header": lambda v: _har("x-custom", v),
    "multipart": lambda v: (
        f'--abc123\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-image-1\r\n--abc123\r\nContent-Disposition: form-data; name="extra"\r\n\r\n{v}\r\n--abc123--\r\n'
    ),
    "sse": lambda v: f"event: error\ndata: {json.dumps({'message': 'bad ' + v, 'request_id': ID})}\n\ndata: [DONE]\n",
    "nginx": lambda v: (
        f'2026/11/20 10:15:30 [error] 7#7: *5 upstream timed out (110: Connection timed out), request: "POST /v1/images/generations?x={urllib.parse.quote(v, safe="")} HTTP/1.1", host: "api.openai.com" {ID}'
    ),
    "yaml": lambda v: f"request_id: {ID}\nextra: {json.dumps(v)}\nmodel: gpt-image-1\n",
    "env": lambda v: f"export SOMETHING='{v}'\nTIMEOUT_S=60\n# {ID}",
    "json key": lambda v: json.dumps({v: 1, "request_id": ID}),
    "markdown": lambda v: f"- value: `{v}`\n- id: `{ID}`",
    "brackets": lambda v: f"({v}), [{v}] <{v}> {ID}",
}
# A value that only the name in front gives away.
BY_NAME: dict[str, Callable[[str, str], str]] = {
    "json": lambda n, v: json.dumps({n: v, "request_id": ID}),
    "json number": lambda n, v: json.dumps({n: int(v) if v.isdigit() and v[0] != "0" else v, "request_id": ID}),
    "nested": lambda n, v: json.dumps({"a": [{"b": {n: v}}], "request_id": ID}),
    "json in json": lambda n, v: json.dumps({"body": json.dumps({n: v}), "request_id": ID}),
    "header": lambda n, v: f"{n}: {v}\r\nx-request-id: {ID}\r\n",
    "curl": lambda n, v: f"curl https://api.openai.com/v1/models -H '{n}: {v}' -H 'x-request-id: {ID}'",
    "har": _har,
    "query": lambda n, v: f"GET /x?{n}={urllib.parse.quote(v, safe='')}&a=1 HTTP/1.1 request_id={ID}",
    "log quoted": lambda n, v: f'level=info {n}="{v}" request_id={ID}',
    "log escaped": lambda n, v: f'msg="{{\\"{n}\\":\\"{v}\\"}}" request_id={ID}',
    "repr": lambda n, v: f"params={ {n: v, 'request_id': ID}!r}",
    "kwargs": lambda n, v: f"call({n.replace('-', '_')}='{v}', timeout=60) {ID}",
    "yaml": lambda n, v: f"{n}: {v}\nrequest_id: {ID}\n",
    "env": lambda n, v: f"{n.upper().replace('-', '_')}={v}\nREQUEST_ID={ID}\n",
    "form": lambda n, v: urllib.parse.urlencode({n: v, "request_id": ID}),
    "multipart": lambda n, v: (
        f'--b0\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n--b0\r\nContent-Disposition: form-data; name="size"\r\n\r\n1024x1024\r\n--b0--\r\n'
    ),
    "raw headers": lambda n, v: json.dumps({"rawHeaders": [n, v, "x-request-id", ID]}),
    "pairs": lambda n, v: json.dumps({"headers": [[n, v], ["x-request-id", ID]]}),
    "otlp": lambda n, v: json.dumps(
        {
            "attributes": [
                {"key": f"app.{n}", "value": {"stringValue": v}},
                {"key": "request_id", "value": {"stringValue": ID}},
            ]
        }
    ),
    "truncated json": lambda n, v: json.dumps({"request_id": ID, n: v, "z": "y" * 5})[:-4],
}
KEEP_IN: dict[str, Callable[[str, str], str]] = {
    "json": lambda n, v: json.dumps({n: v, "n": 1}),
    "header": lambda n, v: f"{n}: {v}\r\n",
    "curl -v": lambda n, v: f"< HTTP/2 504 \n< {n}: {v}\n",
    "har": _har,
    "logfmt": lambda n, v: f'level=info {n}="{v}" done=1',
    "json in log": lambda n, v: f"2026-11-20 10:15:30 ERROR got {json.dumps({n: v})}",
    "repr": lambda n, v: f"headers={ {n: v}!r}",
    "json in json": lambda n, v: json.dumps({"body": json.dumps({"error": {n: v}})}),
    "pairs": lambda n, v: json.dumps({"headers": [[n, v]]}),
}


def halves(value: str) -> list[str]:
    """What must not be found: the whole and each half, as text, percent, base64 and hex carry them."""
    size = len(value)
    parts = [value] if size < 12 else [value, value[: size // 2], value[size // 2 :]]
    out: dict[str, None] = {}
    for part in parts:
        if len(part) < 5:
            continue
        raw = part.encode()
        forms = [part, json.dumps(part)[1:-1], html.escape(part), raw.hex()]
        if len(part) > 5:
            forms.append(urllib.parse.quote(part, safe=""))
        for shift in range(3):
            whole = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
            inner = whole[(0, 2, 3)[shift] : len(whole) - 2]
            if len(inner) >= 8:
                forms.append(inner)
        out.update(dict.fromkeys(forms))
    return list(out)


def cases(seed: int = 1) -> Iterator[Case]:
    """The whole corpus."""
    for index, (kind, template) in enumerate((*KEYS, *PEOPLE)):
        value = expand(template, seed * 1000 + index)
        for title, carry in BY_SHAPE.items():
            spaced = kind == "phone" and title in ("base64 in json",)
            # as words of a sentence an address is a path, and a path's own escapes are another value
            exotic = spaced or title in (
                "every byte percent",
                "unicode escapes in text",
                "hex",
                "numeric entities",
                "base64",
            )
            kept = () if title in ("multipart", "env") else (ID,)
            yield Case(f"{kind} in {title}", carry(value), (value,), kept, exotic)
    for index, (name, kind, template) in enumerate(FIELDS):
        value = expand(template, seed * 2000 + index)
        for title, carry2 in BY_NAME.items():
            if title == "form" and kind == "cookie" and ";" in value:
                continue
            yield Case(
                f"{kind} {name} by name in {title}",
                carry2(name, value),
                (value,),
                () if title == "multipart" else (ID,),
            )
    for index, template in enumerate(PROMPTS):
        value = expand(template, seed * 3000 + index)
        plain = value.replace('"', "")
        for name in ("prompt", "revised_prompt", "negativePrompt", "instructions", "input", "text"):
            for title, carry2 in BY_NAME.items():
                if title in ("env", "header", "otlp", "pairs", "raw headers", "har", "kwargs", "curl") and name in (
                    "input",
                    "text",
                    "instructions",
                ):
                    continue
                shown = plain if title in ("log quoted", "log escaped", "repr", "kwargs", "curl") else value
                yield Case(
                    f"prompt as {name} in {title}", carry2(name, shown), (shown,), () if title == "multipart" else (ID,)
                )
        yield Case(
            "prompt in messages",
            json.dumps({"messages": [{"role": "user", "content": value}], "id": "chatcmpl-" + "a1B2" * 6}),
            (value,),
            ("chatcmpl-" + "a1B2" * 6,),
        )
        yield Case(
            "prompt in input items",
            json.dumps(
                {"input": [{"role": "user", "content": [{"type": "input_text", "text": value}]}], "model": "gpt-5"}
            ),
            (value,),
            ("gpt-5", "input_text"),
        )
        yield Case("prompt in gemini parts", json.dumps({"contents": [{"parts": [{"text": value}]}]}), (value,))
        yield Case("prompt under an unknown name", json.dumps({"zq": value, "n": 1}), (value,), exotic=True)
        yield Case("prompt unquoted", f"INFO prompt: {plain}\nINFO done request_id={ID}", (plain,), (ID,))
        yield Case(
            "prompt in a block",
            f"prompt: |\n  {value}\n  and more of it, gently\nmodel: gpt-image-1\n",
            (value, "gently"),
            ("gpt-image-1",),
        )
        yield Case(
            "prompt by curl -F",
            f'curl https://api.openai.com/v1/images/edits -F prompt="{plain}" -F image=@/tmp/x/cat.png -F model=gpt-image-1',
            (plain, "cat.png"),
            ("gpt-image-1",),
        )
        yield Case(
            "prompt by curl -d",
            "curl https://api.openai.com/v1/images/generations -d '"
            + json.dumps({"prompt": value, "size": "1024x1024"})
            + "'",
            (value,),
            ("1024x1024",),
        )
        yield Case(
            "prompt in har",
            json.dumps(
                {
                    "log": {
                        "entries": [
                            {
                                "request": {
                                    "postData": {
                                        "mimeType": "application/json",
                                        "text": json.dumps({"model": "gpt-image-1", "prompt": value}),
                                    }
                                }
                            }
                        ]
                    }
                }
            ),
            (value,),
            ("gpt-image-1",),
        )
    for index, (name, template) in enumerate(KEEPS):
        value = expand(template, seed * 4000 + index)
        for title, carry2 in KEEP_IN.items():
            if title in ("logfmt",) and '"' in value:
                continue
            text = carry2(name, value)
            shown = value if value in text else json.dumps(value)[1:-1]
            shown = shown if shown in text else json.dumps(shown)[1:-1]
            yield Case(f"keep {name} in {title}", text, (), (shown,))
            yield Case(f"keep the name {name} in {title}", text, (), (name,))
    for sentence in SENTENCES:
        yield Case("keep a sentence", sentence, (), (sentence,))
        yield Case("keep a sentence in json", json.dumps({"message": sentence}), (), (json.dumps(sentence)[1:-1],))
        yield Case(
            "keep a sentence in a line",
            f"2026-11-20T10:15:30.250Z ERROR {sentence} request_id={ID}",
            (),
            (sentence, ID),
        )
