"""Keys, tokens and other credentials that their makers gave a shape. One row a shape."""

# ruff: noqa: E501 - a row is a line
from __future__ import annotations

import re

from harness.sanitizer.rules import Rule

_START = r"(?:^|[^A-Za-z0-9])"  # what stands before: a key does not begin inside a word
_MIXED = re.compile(r"[0-9A-Z*]")


def _has_digit_or_upper(value: str) -> bool:
    """Words joined by hyphens (``sk-learn-pipeline``) are no key."""
    return _MIXED.search(value.partition("-")[2] or value.partition("_")[2] or value) is not None


_KNOWN_WORD = re.compile(
    r"(?i)(?:gpt|chatgpt|dall-e|imagen|flux|gemini|claude|sd|sdxl|llama|qwen|seedream|grok)[-_.0-9].*|o[1-9](?:-.*)?"
    r"|v?\d[\d.,:x-]*(?:[a-z]{1,5}|%)?|(?:sha|md|utf|rs|hs|es|ps|base|aes|oauth|http|h|tls|ssl|x|rfc|ipv|int|float)-?\d+\S*"
    r"|https?:.*|/.*|<.*|\$.*|\{.*|.*\*{3}.*|[a-z_]+\(.*|\d.*(?:z|utc|gmt)"
)


def _like_a_password(value: str) -> bool:
    """Digits and letters, or signs, in what is no model, no figure and no algorithm: words stay words."""
    value = value.rstrip(".,;:)]}'\"")
    if len(value) < 6 or _KNOWN_WORD.fullmatch(value) or not re.search(r"[A-Za-z]", value):
        return False
    return re.search(r"[0-9]", value) is not None


_NAMED = r"(?:password|passwd|passphrase|api[ _-]?key|secret(?:[ _-]?access)?(?:[ _-]?key)?|access[ _-]key|(?:auth|api|access|session|bearer)[ _-]?token|token|private[ _-]key|credential)"


def _prefixed(name: str, prefix: str, tail: str, example: str, *false: str, group: str = "key") -> Rule:
    """A key that begins with a fixed word; `prefix` is RE2, its literal start is the needle."""
    literal = re.match(r"[A-Za-z0-9_.\-/]+", prefix.replace("\\", ""))
    needle = (literal[0] if literal else "").lower()
    return Rule(name, group, f"{_START}({prefix}{tail})", (needle,) if len(needle) > 1 else (), (example,), false)


KEY_RULES: tuple[Rule, ...] = (
    Rule("sk-key", "key", _START + r"((?:sk|rk|pk|ak|ek|sess|ck)[-_][A-Za-z0-9_\-*]{4,})",
         ("sk-", "sk_", "rk-", "rk_", "pk-", "pk_", "ak-", "ak_", "ek-", "ek_", "sess-", "ck_", "ck-"),
         ("sk-proj-{b:48}", "sk-svcacct-{w:40}", "sk-{b:48}", "sk-ant-api03-{w:90}", "sk-or-v1-{h:64}", "sk-1234",
          "sk-{w:22}", "rk_live_{b:24}", "pk_live_{b:24}", "pk-lf-{u}", "sess-{b:40}", "sk-admin-{b:30}",
          "sk-proj-****{b:4}9"),
         ("task-1234", "risk_assessment", "sk-learn-pipeline", "disk-0"), check=_has_digit_or_upper),
    Rule("aws-key-id", "key", r"((?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA|AGPA|ANPA|APKA)[0-9A-Z]{12,})",
         ("akia", "asia", "aroa", "aida", "abia", "acca", "agpa", "anpa", "apka"), ("AKIA{A:16}", "ASIA{A:16}"),
         ("asia-east1",)),
    Rule("aws-bedrock-key", "key", r"((?:ABSK|bedrock-api-key-)[A-Za-z0-9+/=_-]{20,})", ("absk", "bedrock-api-key-"),
         ("ABSK{s:60}", "bedrock-api-key-{s:60}")),
    Rule("google-key", "key", r"(AIza[0-9A-Za-z_-]{10,})", ("aiza",), ("AIza{w:35}",)),
    Rule("google-oauth", "key", r"(ya29\.[0-9A-Za-z_.-]{10,}|GOCSPX-[0-9A-Za-z_-]{10,}|1//0[0-9A-Za-z_-]{20,})",
         ("ya29.", "gocspx-", "1//0"), ("ya29.{w:60}", "GOCSPX-{w:28}", "1//0{w:60}")),
    Rule("google-aq-key", "key", _START + r"(AQ\.A[0-9A-Za-z_-]{20,})", ("aq.a",), ("AQ.Ab{w:48}",)),
    Rule("github-token", "key", r"(gh[pousr]_[A-Za-z0-9]{10,}|github_pat_[A-Za-z0-9_]{10,})",
         ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"), ("ghp_{b:36}", "github_pat_{b:22}_{b:59}")),
    Rule("gitlab-token", "key", r"(gl(?:pat|dt|rt|ptt|soat|cbt|ft|agent|imt)-[A-Za-z0-9_.-]{10,})", ("gl",),
         ("glpat-{w:20}",)),
    Rule("slack-token", "key", r"(xox[a-z](?:\.xox[a-z])?-[0-9A-Za-z-]{8,}|xapp-[0-9]-[A-Za-z0-9-]{6,})",
         ("xox", "xapp-"), ("xoxb-{d:12}-{d:12}-{b:24}", "xapp-1-{A:11}-{d:13}-{h:64}")),
    Rule("huggingface-token", "key", _START + r"((?:hf_|api_org_)[A-Za-z0-9]{10,})", ("hf_", "api_org_"), ("hf_{b:34}",),
         ("self_attention",)),
    _prefixed("replicate-token", "r8_", r"[A-Za-z0-9]{10,}", "r8_{b:37}", "r8_x"),
    Rule("fal-key", "key", r"([0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}:[0-9a-zA-Z]{16,})", (":",),
         ("{u}:{h:32}",), ("0f8fad5b-d9cb-469f-a165-70867728950e: done",)),
    _prefixed("groq-key", "gsk_", r"[A-Za-z0-9]{10,}", "gsk_{b:52}"),
    _prefixed("xai-key", "xai-", r"[A-Za-z0-9_-]{16,}", "xai-{b:80}"),
    _prefixed("perplexity-key", "pplx-", r"[A-Za-z0-9]{10,}", "pplx-{b:48}"),
    _prefixed("fireworks-key", "fw_", r"[A-Za-z0-9]{16,}", "fw_{b:24}"),
    _prefixed("together-key", "tgp_v1_", r"[A-Za-z0-9_-]{10,}", "tgp_v1_{w:43}"),
    _prefixed("nvidia-key", "nvapi-", r"[A-Za-z0-9_-]{10,}", "nvapi-{w:64}"),
    _prefixed("langsmith-key", "lsv2_", r"[A-Za-z0-9_]{10,}", "lsv2_pt_{h:32}_{h:10}"),
    _prefixed("databricks-token", "dapi", r"[0-9a-f]{32}(?:-\d)?", "dapi{h:32}"),
    Rule("cloudflare-token", "key", _START + r"(v1\.0-[0-9a-f]{24,}-[0-9a-f]{32,}|cf(?:ut|at|k|oat)_[A-Za-z0-9]{20,})",
         ("v1.0-", "cfut_", "cfat_", "cfk_", "cfoat_"), ("v1.0-{h:24}-{h:146}", "cfut_{b:48}")),
    Rule("vercel-token", "key", _START + r"(vc[pkiar]_[A-Za-z0-9_]{12,}|vercel_blob_rw_[A-Za-z0-9_]{12,})",
         ("vc", "vercel_blob"), ("vcp_{b:56}", "vck_{b:56}", "vercel_blob_rw_{b:16}_{b:30}")),
    Rule("supabase-key", "key", _START + r"(sb(?:p|_secret|_publishable)_[A-Za-z0-9_-]{12,})", ("sbp_", "sb_"),
         ("sbp_{h:40}", "sb_secret_{w:32}")),
    Rule("fly-token", "key", r"(fm[12][ar]?_[A-Za-z0-9+/=,_-]{16,}|fo1_[A-Za-z0-9_-]{16,})",
         ("fm1", "fm2", "fo1_"), ("fm2_{s:80}", "fo1_{w:43}")),
    Rule("hosting-token", "key",
         _START + r"((?:nfp_|rnd_|dop_v1_|doo_v1_|dor_v1_|dckr_pat_|dckr_oat_|pul-|tskey-[a-z]+-)[A-Za-z0-9_-]{12,})",
         ("nfp_", "rnd_", "dop_v1_", "doo_v1_", "dor_v1_", "dckr_", "pul-", "tskey-"),
         ("nfp_{b:36}", "rnd_{b:28}", "dop_v1_{h:64}", "dckr_pat_{w:27}", "tskey-auth-{b:12}-{b:32}")),
    Rule("package-token", "key", _START + r"((?:npm_|pypi-|rubygems_|oy2)[A-Za-z0-9_-]{16,})",
         ("npm_", "pypi-", "rubygems_", "oy2"), ("npm_{b:36}", "pypi-AgEIcHlwaS5vcmc{w:80}")),
    Rule("stripe-webhook", "key", _START + r"(whsec_[A-Za-z0-9+/=]{10,})", ("whsec_",), ("whsec_{b:32}",)),
    Rule("twilio-id", "key", _START + r"((?:AC|SK)[0-9a-f]{32})", (), ("AC{h:32}", "SK{h:32}")),
    Rule("mail-service-key", "key", _START + r"(SG\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}|key-[0-9a-z]{32}"
         r"|[0-9a-f]{32}-us[0-9]{1,2}|re_[A-Za-z0-9]{6,}_[A-Za-z0-9]{12,}|xkeysib-[0-9a-f]{20,}-[A-Za-z0-9]{8,})",
         ("sg.", "key-", "-us", "re_", "xkeysib-"), ("SG.{w:22}.{w:43}", "key-{x:32}", "{h:32}-us12", "re_{b:8}_{b:24}")),
    Rule("observability-key", "key", _START + r"(NRAK-[A-Z0-9]{16,}|NRJS-[a-f0-9]{16,}|sntry[su]_[A-Za-z0-9+/=_-]{16,}"
         r"|gl(?:sa|c)_[A-Za-z0-9+/=_]{16,}|phc_[A-Za-z0-9]{20,}|phx_[A-Za-z0-9]{20,}|hlk_[A-Za-z0-9]{16,})",
         ("nrak-", "nrjs-", "sntry", "glsa_", "glc_", "phc_", "phx_", "hlk_"),
         ("NRAK-{A:27}", "sntrys_{s:60}", "glsa_{b:32}_{h:8}", "phc_{b:43}")),
    Rule("workspace-token", "key", _START + r"(lin_(?:api|oauth)_[A-Za-z0-9]{16,}|ntn_[A-Za-z0-9]{16,}"
         r"|secret_[A-Za-z0-9]{30,}|pat[A-Za-z0-9]{14}\.[0-9a-f]{32,}|fig[dou]_[A-Za-z0-9_-]{16,}"
         r"|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{16,}|PMAK-[a-f0-9]{12,}-[a-f0-9]{12,}|dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9_.]{16,}"
         r"|EAA[A-Za-z0-9]{30,}|sq0[a-z]{3}-[A-Za-z0-9_-]{16,})",
         ("lin_", "ntn_", "secret_", "pat", "fig", "shp", "pmak-", "dp.", "eaa", "sq0"),
         ("lin_api_{b:40}", "ntn_{b:46}", "secret_{b:43}", "figd_{w:40}", "shpat_{h:32}", "PMAK-{h:24}-{h:34}",
          "dp.pt.{b:43}", "EAA{b:60}")),
    Rule("vault-token", "key", _START + r"(hv[sbr]\.[A-Za-z0-9_-]{16,}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{20,}"
         r"|AGE-SECRET-KEY-1[A-Z0-9]{20,})", ("hvs.", "hvb.", "hvr.", "atlasv1", "age-secret"),
         ("hvs.{w:90}", "{b:14}.atlasv1.{w:60}", "AGE-SECRET-KEY-1{A:58}")),
    Rule("bot-token", "key", r"(?:^|[^0-9])([0-9]{8,10}:A[A-Za-z0-9_-]{30,}"
         r"|[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,})", (":a", "."),
         ("{n:9}:AA{w:33}", "M{b:25}.{w:6}.{w:38}")),
    Rule("azure-client-secret", "key", r"([A-Za-z0-9_~.-]{3,5}8Q~[A-Za-z0-9_~.-]{20,})", ("8q~",), ("abc8Q~{w:34}",)),
    Rule("azure-long-key", "key", r"([A-Za-z0-9]{40,60}JQQJ99[A-Za-z0-9]{10,40})", ("jqqj99",),
         ("{b:52}JQQJ99{A:6}AC{b:18}",)),
    Rule("jwt", "jwt", r"(ey[IJ][A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3})", ("eyj", "eyi"),
         ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{b:24}.{w:43}",), ("eyJ",)),
    Rule("pem", "pem", r"(?s)(-----BEGIN [A-Z0-9 ]{0,40}-----(?:[^-]|-[^-]|--[^-]|---[^-]|----[^-])*"
         r"(?:-----END [A-Z0-9 ]{0,40}-----)?)", ("-----begin",),
         ("-----BEGIN PRIVATE KEY-----\n{s:64}\n{s:64}\n-----END PRIVATE KEY-----",
          "-----BEGIN OPENSSH PRIVATE KEY-----\\n{s:64}\\n{s:20}==\\n-----END OPENSSH PRIVATE KEY-----"), wide=False),
    Rule("ssh-key", "pem", r"((?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-[a-z0-9-]+) AAAA[A-Za-z0-9+/=]{20,})", ("aaaa",),
         ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{s:44}",), wide=False),
    Rule("bearer", "key", r"(?i)\bbearer(?:\s|%20|\+|:|=|\\u0020|&#32;){1,4}([A-Za-z0-9._~+/=\-*|:]{6,})", ("bearer",),
         ("Bearer {l:20}",), ("bearer token",), check=lambda v: not v.rstrip(".,").isalpha() or len(v) > 12),
    Rule("basic-auth", "key", r"(?i)\b(?:basic|digest|negotiate|ntlm)(?:\s|%20|\+|:|\\u0020){1,3}([A-Za-z0-9+/_-]{8,}={0,2})",
         ("basic", "negotiate", "ntlm", "digest"), ("Basic YW5uYTpnZWhlaW0=",), ("basic authentication failed",),
         check=lambda v: re.search(r"[0-9A-Z=]", v[1:]) is not None),
    Rule("aws-signature", "key", r"(?i)(AWS4-HMAC-SHA256\s+Credential=[^\r\n\"']+)", ("aws4-hmac",),
         ("AWS4-HMAC-SHA256 Credential=AKIX{A:14}/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature={h:64}",),
         wide=False),
    Rule("connection-string", "connection",
         r"(?i)((?:\b(?:Server|Data Source|AccountEndpoint|Endpoint|DefaultEndpointsProtocol|Host|Addr|User ID|Uid)\s*="
         r"[^;\"'\r\n]*;)(?:[^;\"'\r\n]*;)*\s*(?:Password|Pwd|AccountKey|SharedAccessKey|SharedAccessSignature|User Id|Uid)"
         r"\s*=[^\"'\r\n]*)", ("password", "pwd", "accountkey", "sharedaccess", "user id", "uid"),
         ("Server=tcp:db;Initial Catalog=x;User ID=sa;Password={b:10}!",
          "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={s:86}==;EndpointSuffix=x"), wide=False),
    Rule("connection-url", "connection",
         r"(?i)\b((?:jdbc:)?(?:postgres(?:ql)?|mysql|mariadb|mongodb|redis|rediss|amqps?|mssql|sqlserver|oracle|kafka|nats"
         r"|ftps?|sftp|ssh|smtps?|imaps?|ldaps?|clickhouse|cockroachdb|snowflake|s3|gs|abfss?|wasbs?|hdfs|smb|nfs|git"
         r"|vault|consul|etcd|memcached|valkey|cassandra|neo4j|bolt|influx|mqtts?|rtmps?)(?:\+[a-z0-9_]{1,20})?:"
         r"(?:[a-z]+:)?(?://|@//|thin:)[^\s\"'<>`]+)", ("://", "://"),
         ("postgresql://anna:{b:9}@db.corp:5432/images", "redis://:{b:12}@10.0.0.9:6379/0", "s3://acme-falcon/renders"),
         ("https://api.openai.com",), wide=False),
    Rule("url-credentials", "connection", r"(?i)\b([a-z][a-z0-9+.-]{1,20}://[^\s/?#\"'<>@]*:[^\s/\"'<>]*@[^\s\"'<>`]*)", ("://",),
         ("https://anna:{b:9}@host.example/x", "zookeeper://u:{b:5}@h:1"),
         ("https://api.openai.com/v1",), wide=False),
    Rule("netrc", "key", r"(?i)\bmachine\s+(\S+\s+login\s+\S+\s+password\s+\S+)", ("machine",),
         ("machine api.example.com login anna password {b:10}",), wide=False),
    Rule("curl-user", "key", r"(?:^|\s)(?:-u|--user|--proxy-user|-U)(?:\s+|=)[\"']?([^\s\"':]+:[^\s\"']*)", ("-u", "--user", "--proxy-user"),
         ("curl -u anna:{b:9} https://x",), ("tar -u file",), wide=False),
    Rule("cli-password", "key", r"(?i)\s--?(?:password|passwd|token|api-?key|secret|auth-token|access-token|key|pass)(?:\s+|=)"
         r"[\"']?([^\s\"'\-][^\s\"']{5,})", ("--pass", "-pass", "-token", "key", "-secret"),
         ("tool --password {b:9}", "tool --key {l:12}"), ("sort --key 2",), wide=False),
    Rule("kubernetes-env", "key", r"(?i)(?:name|key)[\"']?[:=]\s*[\"']?[\w.-]*(?:key|token|secret|password|passwd|pwd|dsn|credentials?|authorization|cookie)[\"']?\s*,?\s*\n?\s*[\"']?value[\"']?[:=]\s*[\"']?([^\s\"',}>]+)",
         ("value",), ("- name: DB_PASSWORD\n  value: {l:12}", "- key: x-api-key\n  value: {l:12}", '<add key="ApiKey" value="{l:12}" />'),
         ("- name: SIZE\n  value: large",), wide=False),
    Rule("password-input", "key", r"(?i)type=[\"']?password[\"']?[^>\n]{0,200}\svalue=[\"']?([^\s\"'>]+)", ("password",),
         ('<input type="password" name="pw" value="{l:9}">',), ('<input type="password" value="">',), wide=False),
    Rule("plist-key", "key", r"(?i)<key>[\w.-]*(?:key|token|secret|password)</key>\s*<string>([^<\x01]+)<", ("</key>",),
         ("<key>apiKey</key>\n<string>{l:9}</string>",), ("<key>size</key><string>large</string>",), wide=False),
    Rule("set-by-blank", "key", r"(?i)(?:^|[\s\"'])(?:ENV|ARG|setx|setenv|set\s+-[a-z]{1,4}|#define|proxy_set_header|(?:set|add)-header|header_up|\(setq)\s+[\w-]*(?:key|token|secret|password|passwd|pwd|credentials?|authorization|cookie)\s+[\"']?((?:Bearer\\?\s+)?[^\s\"';)]+)",
         ("env", "arg", "set", "define", "header_up"),
         ("ENV API_TOKEN {l:9}", "setx DB_PASSWORD {l:9}", "set -gx API_TOKEN {l:9}", "proxy_set_header X-Api-Key {l:9};",
          "http-request set-header Authorization Bearer\\ {l:9}"),
         ("proxy_set_header Host api.openai.com;", "ENV TOKEN_LIMIT 4096"), wide=False, check=lambda v: not v.startswith(("$", "%"))),
    Rule("named-loosely", "key", r"(?i)(?:^|[^A-Za-z])(?:[\w-]*[_-])?" + _NAMED + r"(?:[\"']?\s?,\s?[\"']|[ \t]{2,}|\t|\s\.{2,}\s|\s?[|\xff]{1,3}\s{1,20}|(?: is| was)?(?: set to)?:?\s[\"'`]?|\s?[:=]\s?[\"'`]?)([^\s\"'`,;|<>]{6,})",
         ("passw", "passphrase", "key", "secret", "token", "credential"),
         ("[('x-api-key', '{l:5}7{l:4}')]", "api_key ........ {l:5}7{l:4}", "| api_key | {l:5}7{l:4} |", "API Key: {l:5}7{l:4}!",
          "the auth token is {l:5}7{l:4}", "password was '{l:5}7{l:4}'", "API key {l:5}7{l:4} is invalid"),
         ("token gpt-image-1", "token limit 4096", "password sha256 hash", "API key: none", "token 1024x1536", "token expired"),
         wide=False, check=_like_a_password),
    Rule("database-password", "key", r"(?i)(?:identified by|with (?:encrypted )?password|requirepass|convertto-securestring)\s+[\"']?([^\s\"';]+)",
         ("identified by", "password", "requirepass", "securestring"), ("CREATE USER x IDENTIFIED BY '{l:9}'", "ALTER ROLE x WITH PASSWORD '{l:9}'", "requirepass {l:9}"),
         ("signed in with password authentication",), wide=False, check=lambda v: v.lower() not in {"authentication", "auth", "for", "and", "or", "is", "was", "random"}),
    Rule("short-option", "key", r"(?:^|[\s;&|])(?:sshpass|redis-cli|ldap[a-z]{3,8}|mysql[a-z]{0,8}|mariadb[a-z-]{0,8}|docker login|podman login|unzip|zip|7z)\s(?:[^\n|;&]{0,120}\s)?-[pawP]\s?[\"']?([^\s\"'\-/][^\s\"']{3,})",
         ("sshpass", "redis-cli", "ldap", "mysql", "mariadb", "login", "zip", "7z"),
         ("sshpass -p {l:9} ssh x", "mysql -u x -p{l:9} db", "redis-cli -a {l:9} ping", "ldapsearch -D cn=x -w {l:9}"), ("mysql -P 3306 db",),
         wide=False, check=lambda v: not v.isdigit()),
    Rule("xml-element", "key", r"(?i)<[\w:.-]*(?:password|passwd|secret|token|api-?_?key|access-?_?key(?:id)?|signature|sessionid|prompt|userid|username|customer(?:id|name)?)(?:\s[^>]*)?>\s*([^<\x01]+)<",
         ("</",), ("<AccessKeyId>{l:9}</AccessKeyId>", "<prompt>a red fox</prompt>"), ("<title>504</title>",), wide=False),
    Rule("masked-key", "key", r"(?i)(?:key|token|secret|password|credential)s?(?: provided| given| used)?[\"']?[:= ]{1,3}[\"']?([A-Za-z0-9_\-]*\*{3,}[A-Za-z0-9_\-*]*)", ("***",),
         ("API key provided: abcd****{b:4}.",), ("key: none",), wide=False),
    Rule("split-key", "key", r"([\"'](?:sk-|sk-proj-|AKIA|ghp_|hf_|gsk_|AIza)[A-Za-z0-9_-]{0,60}[\"']"
         r"(?:\s*\+\s*[\"'][A-Za-z0-9_-]{1,80}[\"']){1,8})", ("sk-", "akia", "ghp_", "hf_", "gsk_", "aiza"),
         ('"sk-" + "proj-{b:24}"',), wide=False),
)  # fmt: skip
