"""URLs: those of vendors keep host and path, every value in them is judged; all others are replaced whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, unquote

from harness.sanitizer.hosts import LOOPBACK, is_address, judged
from harness.sanitizer.names import policy_of
from harness.sanitizer.opaque import ID_SHAPES, SELF_EVIDENT, is_opaque

URL = re.compile(r"(?i)\b((?:https?|wss?|grpcs?|h2c?|tcp|udp|unix|socks5h?)):(?:\\?/){2}[^\s\"'<>`|{}^\x01]*")
_SIGNED = re.compile(
    r"(?i)[?&;](?:amp;)?(?:sig|signature|se|sp|sv|skoid|x-amz-[a-z-]+|x-goog-[a-z-]+|awsaccesskeyid|key-pair-id|policy|expires|token|hdnea"
    r"|verify|auth_key|x-oss-[a-z-]+|ossaccesskeyid|q-sign-[a-z-]+|x-tos-[a-z-]+|sign|st|hmac|md5|secure|e|googleaccessid|__token__|jwt|download_token|alt)="
)
_CALLBACK = re.compile(
    r"(?i)callback|webhook|/hooks?[/.]|notify|postback|hooks\.slack|discord(?:app)?\.com/api/webhooks"
)
_API_PATH = re.compile(  # says which endpoint, and nothing about whose
    r"/(?:openai/)?(?:api/)?v\d(?:beta)?/(?:images/(?:generations|edits|variations)|responses|chat/completions|models|embeddings|completions)/?|/?"
)
_PLAIN = re.compile(r"[A-Za-z0-9_.,:-]{0,40}")
_ID_PARENT = re.compile(
    r"(?i)^(?:tasks?|jobs?|predictions?|requests?|responses|generations?|images|batches|runs?|results?|status|operations?)$"
)
_CUSTOMER_PARENT = re.compile(
    r"(?i)^(?:deployments|organizations|projects|accounts|customers|tenants|users?|teams|workspaces|channels|subscriptions|resourcegroups|v1beta1|members|assistants|threads|files|vector_stores|u|orgs)$"
)


def split_trailing(url: str) -> tuple[str, str]:
    """The URL and the full stops and brackets of the sentence that stand behind it."""
    end = len(url)
    while end and url[end - 1] in ".,;:!?)]'\"*\\":
        if url[end - 1] == ")" and url.count("(", 0, end) >= url.count(")", 0, end):
            break
        if url[end - 1] == "]" and "[" in url[:end]:
            break
        end -= 1
    return url[:end], url[end:]


def clean_url(url: str, pseudonym: Callable[[str, str], str], value: Callable[[str, str], str]) -> str:
    """What may stand instead of this URL. `value(text, name)` judges a parameter or a segment."""
    plain = url.replace("\\/", "/")
    scheme, _, rest = plain.partition("://")
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    tail = rest[len(authority) :]
    if "@" in authority:
        return pseudonym("connection", url)
    host, port = _host(authority)
    if not host:
        return url if not tail.strip("/") else pseudonym("url", url)
    stays, label, suffix = judged(host)
    loopback = host.lower() in LOOPBACK or host == "::1"
    if not stays and not suffix:
        if _API_PATH.fullmatch(tail):
            kind = "ip" if is_address(host) else "host"
            slash = "\\/" if "\\/" in url else "/"
            return f"{scheme}:{slash}{slash}{pseudonym(kind, host)}{port}{tail.replace('/', slash)}"
        path, mark, query = tail.partition("?")
        if mark and len(path) > 1 and _API_PATH.fullmatch(path):  # whose it is stands before and behind
            kind, shown = "ip" if is_address(host) else "host", path.replace("/", "\\/" if "\\/" in url else "/")
            slash = "\\/" if "\\/" in url else "/"
            return f"{scheme}:{slash}{slash}{pseudonym(kind, host)}{port}{shown}?{pseudonym('url', query)}"
        return pseudonym("url", url)
    if _CALLBACK.search(tail) or _SIGNED.search(tail) or _is_callback(tail):
        return pseudonym("url", url)
    if loopback and not tail.strip("/"):
        return url
    shown = host if stays else f"{pseudonym('account', label)}{suffix}"
    cleaned = _path(tail, pseudonym, value)
    if shown == host and cleaned == tail:
        return url
    slash = "\\/" if "\\/" in url else "/"
    return f"{scheme}:{slash}{slash}{shown}{port}{cleaned.replace('/', slash)}"


def _is_callback(tail: str) -> bool:
    return "://" in unquote(unquote(tail)) or any(_is_secret_name(name) for name in re.findall(r"[?&]([\w.-]+)=", tail))


def _is_secret_name(name: str) -> bool:
    policy = policy_of(name)
    return policy in ("drop:url",)


def _host(authority: str) -> tuple[str, str]:
    if authority.startswith("["):
        end = authority.find("]")
        return authority[: end + 1], authority[end + 1 :]
    host, colon, port = authority.partition(":")
    return host, colon + port


def _path(tail: str, pseudonym: Callable[[str, str], str], value: Callable[[str, str], str]) -> str:
    path, mark, query = tail.partition("?")
    if not mark:
        path, mark, query = tail.partition("#")
    pieces = path.split("/")
    for index, piece in enumerate(pieces):
        if not piece:
            continue
        parent = pieces[index - 1] if index else ""
        if _CUSTOMER_PARENT.match(parent) and not re.fullmatch(r"images|chat|v\d+\w*|me|self|generations", piece):
            pieces[index] = pseudonym("account", piece)
        elif SELF_EVIDENT.fullmatch(piece) or (
            _ID_PARENT.match(parent) and ID_SHAPES.fullmatch(piece) and not is_address(piece)
        ):
            continue
        else:
            plain = unquote(piece)
            cleaned = pseudonym("opaque", piece) if is_opaque(plain) else value(plain, "")
            if cleaned != plain:
                pieces[index] = cleaned
    shown = "/".join(pieces)
    if not mark:
        return shown
    return f"{shown}{mark}{clean_query(query, value)}"


def clean_query(query: str, value: Callable[[str, str], str]) -> str:
    """A query string or a form with every value judged; names and order stay."""
    fragment_at = query.find("#")
    fragment = ""
    if fragment_at >= 0:
        query, fragment = query[:fragment_at], query[fragment_at + 1 :]
    parts = re.split(r"(&amp;|[&;])", query)
    for index in range(0, len(parts), 2):
        name, equals, raw = parts[index].partition("=")
        plain = unquote((raw if equals else name).replace("+", " "), errors="replace")
        cleaned = value(plain, unquote(name) if equals else "")
        shown_name = name
        if equals:
            plain_name = unquote(name)
            clean_name = value(plain_name, "")
            shown_name = name if clean_name == plain_name else clean_name
        if cleaned != plain:
            cleaned = (
                cleaned
                if re.fullmatch(r"[^&;#=\s]*", cleaned)
                else quote(cleaned, safe="<>:/ ,", errors="surrogatepass").replace(" ", "+")
            )
            parts[index] = f"{shown_name}={cleaned}" if equals else cleaned
        elif shown_name != name:
            parts[index] = f"{shown_name}{equals}{raw}"
    shown = "".join(parts)
    if fragment_at >= 0:
        cleaned = value(unquote(fragment), "")
        shown += "#" + (fragment if cleaned == unquote(fragment) else cleaned)
    return shown
