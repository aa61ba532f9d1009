"""Hosts that may be named, each with its reason. Every other host is somebody's, and is replaced."""

# ruff: noqa: E501 - tables
from __future__ import annotations

import functools
import ipaddress
import re

from harness.sanitizer.words import words

# host → why it may stay. A name that begins with a dot stands for everything below it, and the label in front of it is
# a customer's own (a resource, a tenant): that label alone is replaced.
VENDOR_HOSTS: dict[str, str] = dict.fromkeys(
    ("api.openai.com", "eu.api.openai.com", "us.api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com",
     "aiplatform.googleapis.com", "api.replicate.com", "fal.run", "queue.fal.run", "rest.alpha.fal.ai",
     "api.stability.ai", "api.bfl.ai", "api.us1.bfl.ai", "api.eu1.bfl.ai", "api.bfl.ml", "api.together.xyz",
     "api.together.ai", "api.fireworks.ai", "api.x.ai", "api.mistral.ai", "api.groq.com", "api.deepinfra.com",
     "api.deepseek.com", "api.cohere.com", "api.perplexity.ai", "api.cerebras.ai", "api.novita.ai", "api.siliconflow.cn",
     "api.siliconflow.com", "dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "ark.cn-beijing.volces.com",
     "open.bigmodel.cn", "api.moonshot.cn", "api.minimax.chat", "api.ideogram.ai", "external.api.recraft.ai",
     "cloud.leonardo.ai", "api.runwayml.com", "api.dev.runwayml.com", "api.lumalabs.ai", "api.segmind.com",
     "api.getimg.ai", "api.clipdrop.co", "api.hyperbolic.xyz", "router.huggingface.co", "api-inference.huggingface.co",
     "api.kie.ai", "api.evolink.ai", "api.piapi.ai", "api.302.ai", "api.aimlapi.com"),
    "an image or model API: the route under question"
) | dict.fromkeys(
    ("openrouter.ai", "gateway.ai.cloudflare.com", "ai-gateway.vercel.sh", "api.portkey.ai", "oai.helicone.ai",
     "oai.hconeai.com", "ai-gateway.helicone.ai", "gateway.helicone.ai", "api.requesty.ai", "router.requesty.ai"),
    "a public AI gateway: a layer of the route",
) | dict.fromkeys(
    ("platform.openai.com", "help.openai.com", "status.openai.com", "openai.com", "chatgpt.com", "developers.openai.com",
     "docs.anthropic.com", "status.anthropic.com", "learn.microsoft.com", "aka.ms", "go.microsoft.com",
     "docs.microsoft.com", "portal.azure.com", "azure.microsoft.com", "ai.azure.com", "ai.google.dev", "cloud.google.com",
     "docs.aws.amazon.com", "developers.cloudflare.com", "www.cloudflare.com", "support.cloudflare.com",
     "cloudflarestatus.com", "www.cloudflarestatus.com", "vercel.com", "docs.litellm.ai", "docs.vllm.ai", "replicate.com",
     "fal.ai", "docs.fal.ai", "huggingface.co", "stability.ai", "platform.stability.ai", "docs.bfl.ai", "nginx.org",
     "nginx.com", "www.haproxy.org", "www.envoyproxy.io", "caddyserver.com", "www.w3.org", "www.ietf.org",
     "tools.ietf.org", "datatracker.ietf.org", "httpwg.org", "developer.mozilla.org", "docs.python.org", "python.org",
     "www.python.org", "pypi.org", "github.com", "stackoverflow.com", "errors.pydantic.dev", "opentelemetry.io",
     "schema.org", "json-schema.org", "schemas.xmlsoap.org", "nodejs.org", "npmjs.com", "www.npmjs.com", "curl.se",
     "www.google.com", "cloudflare.com", "httpx.readthedocs.io", "urllib3.readthedocs.io", "help.fal.ai"),
    "documentation or a status page that error texts point to",
)  # fmt: skip
VENDOR_HOSTS |= dict.fromkeys(
    ("nginx.ingress.kubernetes.io", "alb.ingress.kubernetes.io", "ingress.kubernetes.io", "kubernetes.io", "k8s.io",
     "appgw.ingress.kubernetes.io", "service.beta.kubernetes.io", "networking.gke.io", "haproxy.org", "traefik.io",
     "ingress.haproxy.org", "haproxy-ingress.github.io", "projectcontour.io", "konghq.com", "gateway.networking.k8s.io", "networking.k8s.io",
     "networking.istio.io", "istio.io", "type.googleapis.com", "cloud.run", "run.googleapis.com", "linkerd.io"),
    "the prefix of settings: which product, not whose machine",
)  # fmt: skip
VENDOR_SUFFIXES: dict[str, str] = dict.fromkeys(
    (".openai.azure.com", ".openai.azure.us", ".cognitiveservices.azure.com", ".services.ai.azure.com",
     ".azure-api.net", ".inference.ai.azure.com", ".api.cognitive.microsoft.com", ".models.ai.azure.com"),
    "Azure: the label is the customer's resource",
) | dict.fromkeys(
    (".ai-gateway.vercel.sh", ".gateway.ai.cloudflare.com", ".litellm.ai"), "a gateway: the label is the customer's"
)  # fmt: skip
_REGIONAL = re.compile(
    r"(?:[a-z0-9-]{2,24}-aiplatform\.googleapis\.com|bedrock(?:-runtime|-agent-runtime)?\.[a-z]{2}(?:-[a-z]+)+-\d"
    r"\.amazonaws\.com|(?:eastus2?|westus[23]?|swedencentral|westeurope|northeurope|francecentral|uksouth|japaneast"
    r"|australiaeast|canadaeast|southcentralus|northcentralus|polandcentral|switzerlandnorth|koreacentral|uaenorth)"
    r"\.api\.cognitive\.microsoft\.com)"
)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "[::1]", "::1", "localhost.localdomain"})

INTERNAL_SUFFIXES = words(
    """internal local localdomain lan corp intranet home private svc cluster test example invalid intern prod staging
    stage dev-internal consul docker arpa ts node vpc vpn priv backend mesh"""
)
# Public suffixes that are also words of code and file endings: "self.name", "main.py" and "event.id" are not hosts.
_ALSO_WORDS = words(
    """py sh rs md zip pl ps so cc mov id info run name host page zone link log is in at to do me my no so id as am it be by
    us la id ms st pm am tv ac la sc gg pics bot app data java php cs ts js go rb net text day date time total call send
    open close works works media video image images style ink map save game games cash prof pro post mobi int cloud read
    select next store report fail failed error limit foundation support services systems network online live stream click
    watch show cool new now one plus yes top win work world zip fyi how like kim et al direct channel pub
    space site website web tech tools team swiss sucks
    """
)
_FIRM = words(
    """com org net io de fr uk eu ch at nl it es pl se dk fi no be cz jp cn kr in br ca au ru dev ai co edu gov mil us
    cloud app xyz tech online site store shop me tv biz info"""
)


@functools.cache
def _extract() -> object:
    import tldextract

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=False)


def public_suffix(host: str) -> str:
    """``co.uk`` of ``a.b.co.uk`` by the library's own snapshot of the list; empty when there is none."""
    extract = _extract()
    return str(extract(host).suffix)  # type: ignore[operator]


def judged(host: str) -> tuple[bool, str, str]:
    """(may stay whole, part to replace, part that stays) of a host that is known to be one."""
    folded = host.lower().rstrip(".")
    if folded in VENDOR_HOSTS or f".{folded}" in VENDOR_SUFFIXES or folded in LOOPBACK or _REGIONAL.fullmatch(folded):
        return True, "", host
    for suffix in VENDOR_SUFFIXES:
        if folded.endswith(suffix) and len(folded) > len(suffix):
            return False, host[: len(folded) - len(suffix)], host[len(folded) - len(suffix) :]
    return False, host, ""


@functools.lru_cache(maxsize=50_000)
def looks_like_host(name: str) -> bool:
    """Whether a dotted word of free text is the name of a machine, and not of a file, a module or a setting."""
    labels = name.lower().rstrip(".").split(".")
    last = labels[-1]
    if len(labels) < 2 or not all(labels) or last.isdigit():
        return False
    if last in INTERNAL_SUFFIXES and (
        last not in ("test", "example", "home", "node", "backend", "ts", "prod", "local", "private", "docker", "stage")
        or len(labels) > 2
        or last in ("local", "test", "example", "prod")
    ):
        return not (len(labels) == 2 and last in ("node", "test", "private"))
    if not last.isalpha():
        return False
    if len(labels) == 2:
        return last in _FIRM and last not in _ALSO_WORDS and len(labels[0]) > 1
    if last in ("py", "sh", "md", "rs", "so", "zip", "js", "java", "id", "name", "page", "log"):
        return False
    return (last in _FIRM or last not in _ALSO_WORDS) and public_suffix(name) != ""


def is_address(text: str) -> bool:
    """Whether this is an IP address, with or without brackets."""
    try:
        ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
