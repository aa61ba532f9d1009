"""People, accounts, addresses, paths, pictures: what is private without being a key. One row a shape."""

# ruff: noqa: E501 - a row is a line
from __future__ import annotations

import ipaddress
import re

from harness.sanitizer.prose import is_machine_talk
from harness.sanitizer.rules import Rule
from harness.sanitizer.words import words

HARMLESS_ADDRESSES = frozenset({"127.0.0.1", "0.0.0.0", "::1", "::"})


def _ipv4(value: str) -> bool:
    """A real address. Versions (``Chrome/120.0.0.0``) were left out by the pattern; loopback names nobody."""
    parts = value.split(".")
    return all(len(part) < 4 and int(part) <= 255 for part in parts) and value not in HARMLESS_ADDRESSES


def _ipv6(value: str) -> bool:
    value = value.partition("%")[0].partition("/")[0]
    if value.endswith(":") and not value.endswith("::"):
        value = value[:-1]
    if value.count(":") < 2 or value in HARMLESS_ADDRESSES or re.fullmatch(r"\d{1,2}(?::\d{2}){1,2}", value):
        return False
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    # "a::b" of C++ or "12::" alone is too little to be somebody's address
    return value.count(":") > 2 or len(value) > 6


def _phone(value: str) -> bool:
    import phonenumbers  # lazily: it brings tables

    digits = sum(character.isdigit() for character in value)
    if not 7 <= digits <= 15:
        return False
    region = None if value.lstrip("( ").startswith(("+", "00")) else "US"
    text = "+" + value[2:] if value.startswith("00") else value
    try:
        return bool(phonenumbers.is_possible_number(phonenumbers.parse(text, region)))
    except phonenumbers.NumberParseException:
        return False


def _card(value: str) -> bool:
    """Luhn, and the length and first digit of a payment card."""
    digits = [int(character) for character in value if character.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (3, 4, 5, 6):
        return False
    doubled = [sum(divmod(digit * 2, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _account(value: str) -> bool:
    tail = re.split(r"[-_]", value, maxsplit=1)[1]
    return re.search(r"[0-9]|[a-z][A-Z]|[A-Z]{2}", tail) is not None


_USER_WORDS = words(
    """agent error errors not request requests id ids limit limits message messages input data name was has had is are
    who that and or the a an of in on at to from for by with must may can cannot should experience action actions
    facing account rejected cancelled canceled aborted quota prompt prompts content role type group session timeout
    closed disconnected connected hung key side code space mode defined provided supplied configuration config info
    feedback interface rate tier access authentication auth token none null true false nobody failed
    failure success required service services page url flow event events count cache facing-timeout org organization"""
)

_SEGMENTS = words("me self current new search list login logout count all export import images generations edits v1 v2")
_L = r"(?:^|[^A-Za-z0-9])"
_SEG = r"[\w.$~@+%=,#\-\xff]"
_FS = (
    r"home|Users|root|var|srv|opt|mnt|tmp|private|data|work|workspace|workspaces|app|apps|etc|usr|Library|Volumes|"
    r"export|nfs|media|run|proc|code|src|builds?|github|runner|vercel|lambda|layers|usr2|scratch|projects|deploy|site"
)

PEOPLE_RULES: tuple[Rule, ...] = (
    Rule("email", "email", r"([\w.!#$&'*+/?^`{|}~%\xff-]{1,64}(?:@|%40|%2540|\\u0040|&#64;|&#x40;|&commat;)"
         r"(?:[\w\xff-]{1,63}\.){1,8}[A-Za-z\xff]{2,24})", ("@", "%40", "%2540", "u0040", "&#64;", "&#x40;", "&commat;"),
         ("anna.{l:6}@{l:8}.com", "j.doe+tag@mail.{l:5}.co.uk"), ("user@", "@media print", "[image]@2x")),
    Rule("user-of-ssh", "user", r"(?i)\b(?:ssh|scp|sftp|rsync|mosh)\s+(?:-\S+\s+(?:[0-9]+\s+)?)*([\w.-]{1,64}@[\w.-]{1,100})",
         ("@",), ("ssh {l:9}@bastion", "ssh -p 2222 {l:7}@{l:6}"), ("ssh bastion", "npm install openai@7.55.0"), wide=False),
    Rule("name-of-mail", "person", r"([A-Z\xff][\w\xff'.-]{1,30}(?: [A-Z\xff][\w\xff'.-]{0,30}){1,3})\"? {0,2}<[\w.+-]{1,64}@[\w.-]{3,80}>", ("@",),
         ("From: Anna Meyer <a.{l:6}@{l:8}.com>",), ("See Also <https://x>",), wide=False),
    Rule("email-obfuscated", "email", r"(?i)\b([\w.+-]{2,64}\s?(?:\[at\]|\(at\)| at )\s?[\w-]{2,63}(?:\s?(?:\[dot\]|\(dot\)| dot )\s?[\w-]{2,20})+)",
         ("dot",), ("anna [at] {l:8} [dot] com",), wide=False),
    Rule("phone", "phone", r"(?:^|[^\w.+/:-])((?:\+|00)[1-9][0-9]{0,2}[ .\-/]?(?:\(0?\)?)?\(?[0-9]{1,4}\)?(?:[ .\-/]?[0-9]{2,5}){1,5})(?:$|[^\w:])",
         ("+", "00"), ("+49 30 5550123{d:2}", "call +14155552671 now", "+44 20 7946 0958"), ("+02:00", "2026-11-20T10:00:00+0200"),
         check=_phone, wide=False),
    Rule("phone-national", "phone", r"(?:^|[^\w.+/:-])(\([2-9][0-9]{2}\) ?[0-9]{3}[ .-][0-9]{4}|[2-9][0-9]{2}[.-][0-9]{3}[.-][0-9]{4})(?:$|[^\w.:-])",
         ("-", "."), ("(415) 555-2671", "415-555-2671"), ("2026-11-20", "100-200-300"), check=_phone, wide=False),
    Rule("phone-named", "phone", r"(?i)\b(?:tel|phone|mobile|fon|fax|whatsapp|cell|sms)(?:efon|ephone)?\.?[ :=]{1,3}(\(?0[0-9()/ .-]{6,20}[0-9])",
         ("tel", "phone", "mobile", "fon", "fax", "whatsapp", "cell", "sms"), ("Tel. 030 1234567{d:1}",), wide=False),
    Rule("ipv4", "ip", r"(?:^|[^\w.])((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?:$|[^\w.]|\.(?:$|\D))", (".",),
         ("203.0.113.{n:2}", "client 203.0.113.{n:2},", "at 8.8.4.4."), ("1.2.3", "300.1.1.1", "127.0.0.1", "Chrome/120.0.0.0", "version 1.2.3.4"),
         check=_ipv4, wide=False, unless_after=re.compile(r"(?i)(?:version|ver|release|build|rev)\.?[ :=\"']{1,3}$|[A-Za-z]/$")),
    Rule("ipv4-private", "ip", r"(?:^|[^\w.])((?:10\.[0-9]{1,3}|192\.168|172\.(?:1[6-9]|2[0-9]|3[01])|169\.254|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))\.[0-9]{1,3}\.[0-9]{1,3})(?:$|[^\w.]|\.(?:$|\D)|_)",
         ("10.", "192.", "172.", "169.", "100."), ("tcp/10.20.30.{n:2}", "192.168.7.{n:2}"), ("Chrome/10.0.0.0",), check=_ipv4, wide=False,
         unless_after=re.compile(r"(?:Chrome|Version|Edg|Safari|OPR|Firefox)/$")),
    Rule("ipv4-dashed", "host", r"(?i)\b(ip-[0-9]{1,3}-[0-9]{1,3}-[0-9]{1,3}-[0-9]{1,3}[a-z0-9.-]*)", ("ip-",), ("ip-10-0-3-17",)),
    Rule("haproxy-backend", "host", r"\] \S+ ([^\s/<]+)/\S+ -?[0-9]+/-?[0-9]+/-?[0-9]+/", ("/",), ("[20/Nov/2026:10:15:30.123] web {l:9}/s1 0/0/1/-1/60002 504",), wide=False),
    Rule("haproxy-server", "host", r"\] \S+ [^\s/]+/([^\s/<]+) -?[0-9]+/-?[0-9]+/-?[0-9]+/", ("/",), ("[20/Nov/2026:10:15:30.123] web api/{l:9} 0/0/1/-1/60002 504",), ("] web api/<NOSRV> 0/-1/-1/-1/3",), wide=False),
    Rule("unresolved-host", "host", r"(?i)(?:\b(?:lookup|ENOTFOUND|EAI_AGAIN|UnknownHostException:|unknown host:?)|could not resolve(?: host)?:?) [\"']?([a-z][\w-]{2,62})(?: on [^\s:]+(?::[0-9]+)?)?(?:[:,;\"'\s]|$)",
         ("lookup ", "enotfound", "eai_again", "unknownhost", "unknown host", "could not resolve"),
         ("dial tcp: lookup {l:9}: no such host", "lookup {l:9} on 10.0.0.2:53: i/o timeout", "getaddrinfo ENOTFOUND {l:9}"), ("lookup failed: x", "lookup table"), wide=False,
         check=lambda v: v.lower() not in {"failed", "table", "error", "timeout", "timed", "host", "the", "for", "took", "of", "by", "in", "is", "not", "localhost", "and"}),
    Rule("ipv6", "ip", r"(?:^|[^0-9A-Za-z:.])((?:[0-9A-Fa-f]{0,4}:){2,8}(?:[0-9A-Fa-f]{1,4}|(?:[0-9]{1,3}\.){3}[0-9]{1,3})?(?:%[a-z0-9]{1,10})?)",
         (":",), ("2001:db8::8a2e:370:{n:4}", "fe80::1ff:fe23:4567:890a", "[2a02:8108::{h:4}]"),
         ("10:15:30", "std::vector", "12:30:45.123", "::1"), check=_ipv6, wide=False),
    Rule("ipv4-behind-slash", "ip", r"[A-Za-z]?/((?:[0-9]{1,3}\.){3}[0-9]{1,3}):[0-9]{2,5}(?:$|[^\w.])", ("/",),
         ("Connect to api.openai.com/198.51.100.{n:2}:443 failed", "tcp/203.0.113.{n:2}:443", "/203.0.113.{n:2}:51234"), ("Chrome/120.0.0.0", "nginx/1.2.3.4"),
         check=_ipv4, wide=False),
    Rule("mac-address", "ip", r"(?:^|[^0-9A-Za-z:-])((?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})(?:$|[^0-9A-Za-z:-])", (":", "-"),
         ("02:42:ac:11:00:{n:2}",), wide=False),
    Rule("account-id", "account", _L + r"((?:org|organization|proj|project|user|usr|acct|account|asst|cus|cust|customer|team|tenant"
         r"|wsp|wrkspc|workspace|ws|sub|seti|pm|pi|ch|in|price|prod|thread|vs|file|assistant|member|client|channel|chan|pool|vault|ten)[-_]"
         r"[A-Za-z0-9][A-Za-z0-9_-]{3,})", ("-", "_"), ("org-{b:24}", "proj_{b:24}", "user-{b:24}", "acct_{b:16}", "cus_{b:14}", "file-{b:22}"),
         ("org_unverified", "organization_spend_limit_exceeded", "user_error", "project-euler", "client_request_id",
          "in_flight", "sub_path"), check=_account),
    Rule("aws-arn", "account", r"(arn:aws[a-z-]*:[^\s\"'<>,;)]+)", ("arn:aws",), ("arn:aws:iam::{n:12}:role/falcon",), wide=False),
    Rule("cloud-resource", "account", r"(?i)(/?(?:subscriptions|projects|resourceGroups|organizations|folders|accounts|tenants|customers)/[^\s\"'<>?,;)/]{2,}"
         r"(?:/(?:resourceGroups|providers|locations|accounts|deployments|serviceAccounts|secrets|keys|workspaces)/[^\s\"'<>?,;)/]+)*)",
         ("subscriptions/", "projects/", "resourcegroups/", "organizations/", "folders/", "accounts/", "tenants/", "customers/"),
         ("/subscriptions/{u}/resourceGroups/falcon", "projects/acme-prod-{d:4}/locations/eu"), ("projects/ are",), wide=False),
    Rule("user-segment", "user", r"(?i)/(?:users|members|people|u|profiles)/([A-Za-z0-9_.@%+-]{2,80})", ("/users/", "/members/", "/people/", "/u/", "/profiles/"),
         ("GET /users/{l:9}/images HTTP/1.1", "GET /v1/members/{l:9}"), ("GET /v1/users/me HTTP/1.1", "GET /users HTTP/1.1"),
         check=lambda v: v.lower() not in _SEGMENTS, wide=False),
    Rule("channel", "account", r"(?i)\b(?:channel|pool|account|acct|tenant|customer|client|upstream account|seat|org(?:anization)?|project|team|workspace)"
         r"(?:[ _-]?id)?(?: |[:=]|: ?|\s?#)\s?#?([0-9]{1,20}|[A-Za-z]*[-_]?[0-9]+[A-Za-z0-9_-]*)\b",
         ("channel", "pool", "account", "acct", "tenant", "customer", "client", "seat", "org", "project", "team", "workspace"),
         ("channel #17", "via pool 3", "account acct42x", "customer 4711", "tenant: t-{d:5}"),
         ("client 200", "pool exhausted"), check=lambda v: v not in {"200", "400", "401", "403", "404", "408", "429", "499", "500", "502", "503", "504"}),
    Rule("channel-name", "account", r"(?i)\b(?:channel|pool|tenant|customer|account|workspace|deployment|resource)s?(?:[ :=]|: ?)[#\"'(]?([a-z0-9]+(?:[-_][a-z0-9]+)+)", ("channel", "pool", "tenant", "customer", "account", "workspace", "deployment", "resource"),
         ("pool premium-{l:4}", "channel acme-{l:5}-east"), ("pool exhausted", "account not_found"),
         check=lambda v: re.search(r"(?i)not[-_]|keep-alive|_(?:id|name|limit|error|exceeded|blocked)$|time-?out|read-only|rate[-_]limit|on-hold", v) is None),
    Rule("chinese-account", "account", r"\xff[ :#\xff\"'(\[]{0,4}([A-Za-z0-9][\w.@-]*(?: \([\w.-]+\))?)", (),
         ("渠道 17 (acme-{l:5})", "用户 {l:6}", "令牌：{l:8}"), ("用时 12 秒",), after=re.compile(r"(?:渠道|用户|令牌|账号|账户|客户|组织|项目|租户|分组|频道|密钥|密码)(?:\s?(?:ID|id))?[\s:：#(（\[\"']*$"), wide=False),
    Rule("company", "account", r"\b((?:[A-Z][\w&.-]{1,30} ){1,3}(?:GmbH|Inc\.?|LLC|Ltd\.?|AG|Corp\.?|S\.A\.|B\.V\.|GmbH & Co\. KG|K\.K\.|Oy|AB|PLC|Pty))(?:$|[^\w])", ("gmbh", "inc", "llc", "ltd", "ag", "corp", "s.a.", "b.v.", "k.k.", "oy", "ab", "plc", "pty"),
         ("from Acme Motors GmbH today",), ("INFO Corporate",), wide=False),
    Rule("user-number", "user", r"(?i)\b(?:user|member|client|owner)[ _-]?(?:id)?[ :=#]{1,3}([0-9]{2,20})\b", ("user", "member", "client", "owner"), ("user id 48{n:3}", "user #4{n:4}"),
         ("client 504", "user 429"), check=lambda v: len(v) > 3 or v not in {"400", "401", "403", "404", "408", "429", "499", "500", "502", "503", "504"}),
    Rule("customer-number", "account", r"\b((?:CUST|CUS|ACME|KD|KNR|ORD|INV|TKT|CASE|ACC|CLI|MEM)[-_#]?[0-9]{3,}[A-Z0-9-]*)", (), ("CUST-004{d:3}",)),
    Rule("payment-card", "account", r"(?:^|[^\w.:-])((?:[0-9]{4}[ -]){3}[0-9]{3,4}|[3-6][0-9]{14,15})(?:$|[^\w.:-])", (),
         ("4111 1111 1111 1111", "5500005555555559"), ("1700000000000000000", "1234567890123456"), check=_card, wide=False),
    Rule("iban", "account", r"\b([A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?)\b", (), ("DE89 3704 0044 0532 0130 00",),
         check=lambda v: sum(c.isdigit() for c in v) > 9, wide=False),
    Rule("ssn", "account", r"(?:^|[^\w-])([0-9]{3}-[0-9]{2}-[0-9]{4})(?:$|[^\w-])", ("-",), ("078-05-1120",), wide=False),
    Rule("snowflake", "account", r"(?i)(?:guild|discord|telegram|chat|slack|wechat|qq|line|whatsapp)[ _-]?(?:id)?[\"']?[ :=#]{1,3}[\"']?(-?[0-9]{6,20})",
         ("guild", "discord", "telegram", "chat", "slack", "wechat", "qq", "line", "whatsapp"), ("discord id: {n:18}", "chat_id={n:9}")),
    Rule("slack-id", "account", r"(?:^|[^\w-])([CGDUTWB]0[0-9A-Z]{7,10})(?:$|[^\w-])", (), ("C0{A:9}",),
         check=lambda v: re.search(r"[A-Z]", v[1:]) is not None and re.search(r"[0-9]", v[2:]) is not None),
    Rule("home-path", "path", _L + r"((?:/|\\/|%2F|\\u002f)+(?:home|Users|root)(?:/|\\/|%2F|\\u002f)" + _SEG + r"(?:" + _SEG + r"|/|\\/)*)",
         ("/home", "/users", "/root", "%2fhome", "%2fusers", "u002fhome", "u002fusers"), ("/home/{l:6}/run", "/Users/{l:6}", "\\/home\\/{l:6}\\/x"),
         wide=False),
    Rule("drive-of-a-shell", "path", _L + r"(/(?:mnt/|cygdrive/)?[a-z]/Users/" + _SEG + r"(?:" + _SEG + r"|/)*)", ("/users/",), ("/c/Users/{l:9}/x",), wide=False),
    Rule("home-path-spaced", "path", r"((?:/(?:home|Users)|[A-Za-z]:\\{1,4}Users)[/\\]{1,4}[\w.-]+(?:[/\\]{1,4}[\w.-]+(?: [\w.-]+){0,4})*[/\\]{1,4}[\w.-]+(?: [\w.()-]+){1,5}\.(?:png|jpe?g|webp|json|py|js|ts|txt|log|pdf|psd|csv|har|zip))",
         ("/home", "/users", "users\\"), ("/Users/{l:6}/My Drawings/red fox.png",), wide=False),
    Rule("system-path", "path", r"(?:^|[^\w.\-/:\\])((?:/(?:" + _FS + r")/" + _SEG + r"(?:" + _SEG + r"|/)*))", ("/",),
         ("/srv/{l:6}/app.py", "in /var/lib/{l:5}/cache", "/app/main.py"), ("/v1/images/generations", "GET /api/v2/tasks", "/dev/null"), wide=False),
    Rule("source-path", "path", r"(?:^|[\s\"'(=@])((?:~|\.{1,2})?(?:/" + _SEG + r"+)+\.(?:py[cx]?|[cm]?[jt]sx?|so|rb|go|java|php|rs|cs|cpp|c|h|sh|ipynb|log|env|ya?ml|toml|ini|conf|pem|key|crt|png|jpe?g|webp|gif|psd|pdf|csv|har|sqlite|db)\b(?:" + _SEG + r"|/)*)",
         ("/",), ("(/weird/{l:6}/x.py:12)", "~/falcon/notes.csv", "@./falcon/ref.png"), ("/v1/images", "nginx.conf"), wide=False),
    Rule("tilde-path", "path", r"(?:^|[\s\"'(=:@])(~[a-z0-9_.-]{0,32}/" + _SEG + r"(?:" + _SEG + r"|/)*)", ("~",), ("~/renders/{l:6}", "~anna/falcon"), ("~5 s",), wide=False),
    Rule("windows-path", "path", r"(?:^|[^A-Za-z0-9])([A-Za-z]:(?:\\{1,4}|/)(?:[\w.$~@+()\xff-]+(?: [\w.$~@+()\xff-]+){0,3}(?:\\{1,4}|/))*[\w.$~@+()\xff-]*)", (":\\", ":/"),
         ("C:\\Users\\{l:6}\\x.png", "D:\\\\{l:6}\\\\a b\\\\c.txt", "c:/Users/{l:6}/x"), ("http://x", "s://"), wide=False,
         check=lambda v: not v[2:].startswith("//") and len(v) > 3),
    Rule("unc-path", "path", r"(?:^|[^\\\w])(\\{2,8}[\w.$\xff-]{1,63}\\{1,4}[\w.$ \xff-]+(?:\\{1,4}[\w.$\xff-]+)*)", ("\\\\",), ("\\\\fs-{l:5}\\share\\x",), wide=False),
    Rule("file-url", "path", r"(?i)(file:/{1,4}[^\s\"'<>)]+)", ("file:/",), ("file:///home/{l:6}/x.png",), wide=False),
    Rule("environment-home", "path", r"(?i)((?:%USERPROFILE%|%APPDATA%|%HOMEPATH%|\$HOME|\$\{HOME\})[/\\][^\s\"'<>)]+)", ("%userprofile%", "%appdata%", "%homepath%", "home"),
         ("%USERPROFILE%\\{l:6}\\x", "$HOME/{l:6}"), wide=False),
    Rule("traceback-file", "path", r"File \\*[\"']([^\"'\r\n<>\\]*(?:[/\\]+|\.py)[^\"'\r\n<>]*?)\\*[\"'], line", ("file ",), ('File "falcon/app/main.py", line 3',), wide=False),
    Rule("shell-prompt", "user", r"(?m)^\(?[\w.-]*\)?\s?([a-z_][\w.-]{0,31}@[\w.-]{1,63}):[~/][^\s$#]*[$#] ", ("@",), ("anna@falcon-{d:2}:~/x$ ls",), wide=False),
    Rule("user-word", "user", r"(?i)\b(?:user|username|login|logname|sudo -u|su -|USER|invoking user|logged in as|as user|uid=[0-9]+)\s?(?:\(|[\"'=: ]{1,2})([a-z][\w.-]{1,31})\)?", ("user", "logged", "login", "logname", "su", "uid="),
         ("uid=1000({l:6})", "user {l:6} connected", "logged in as {l:6}"), ("user agent", "user error", "user not found", "user_error"),
         check=lambda v: v.lower() not in _USER_WORDS, wide=False),
    Rule("login-log", "user", r"(?:\b(?:Accepted|Failed) (?:publickey|password|keyboard-interactive(?:/pam)?|none) for (?:invalid user )?|\b(?:sudo|su|doas)(?:\[[0-9]+\])?:\s+|\bsession (?:opened|closed) for user |\bInvalid user )([A-Za-z_\xff][\w.\xff-]{1,40})",
         ("accepted ", "failed ", "sudo", "su:", "su[", "doas", "session ", "invalid user"),
         ("Accepted publickey for {l:9} from x port 5 ssh2", "sudo: {l:9} : TTY=pts/0 ; COMMAND=/bin/ls"), ("sudo: pam_unix(sudo:session)", "Failed password for root"),
         check=lambda v: v.lower() not in {"root", "pam_unix", "unable", "no", "a", "the", "command", "sorry"}, wide=False),
    Rule("file-owner", "user", r"(?m)^[bcdlps-][rwxsStT-]{9}[+.@]?\s+[0-9]+\s+([A-Za-z_][\w.-]{1,40}\s+[A-Za-z_][\w.-]{1,40})\s+[0-9]", ("-",),
         ("-rw-r--r-- 1 {l:9} {l:6} 123 Nov 20 10:00 a.png",), ("-rw-r--r-- 1 root root 123 Nov 20 10:00 a.png",), check=lambda v: set(v.split()) - {"root", "wheel"} != set(), wide=False),
    Rule("access-log-user", "user", r"(?m)^\S+ \S+ ([^\s\-\x01\[\]\":]+) \[[0-9]{1,2}/[A-Z][a-z]{2}/", ("/",), ("x - {l:6} [20/Nov/2026:10:15:30 +0000] x",), ("x - - [20/Nov/2026:10:15:30 +0000]",), wide=False),
    Rule("prompt-quoted", "prompt", r"(?i)\b(?:prompts?|caption|generat(?:ing|ed?)|draw(?:ing)?|render(?:ing)?|imagine|image of)\b[^\"'`\r\n\x01=:]{0,30}:? ?\\?[\"'`]([^\"'`\r\n\x01]{3,})[\"'`]",
         ("prompt", "caption", "generat", "draw", "render", "imagine", "image of"), ("received prompt 'a red {l:5}'", 'Generating image for "red {l:5}"'), ('generated "ok"',), wide=False,
         check=lambda v: " " in v.strip() and not is_machine_talk(v)),
    Rule("image-data", "image", r"(iVBORw0KGgo|/9j/[A-Za-z0-9+/=_\\-]{20,}|_9j_[A-Za-z0-9=_-]{20,}|R0lGOD[lh][A-Za-z0-9+/=_-]{8,}|UklGR[A-Za-z0-9+/=_-]{12,}|Qk[0-3][A-Za-z0-9+/=]{40,}|AAAA[A-Za-z0-9]{2}Z0eXB[A-Za-z0-9+/=]{12,}|JVBERi0[A-Za-z0-9+/=]{12,}|89504e470d0a1a0a|ffd8ffe[01][0-9a-fA-F]{8,})",
         ("ivborw0kggo", "/9j/", "_9j_", "r0lgod", "uklgr", "qk", "aaaa", "jvberi0", "89504e47", "ffd8ffe"),
         ("iVBORw0KGgoAAAANSUhEUg{s:80}", "/9j/4AAQSkZJRg{s:80}", "UklGR{s:60}")),
    Rule("data-url", "image", r"(?i)(data:[a-z]{0,20}(?:/|%2f|\\/)?[a-z0-9.+-]{0,40}(?:;[a-z0-9=_-]{1,40}){0,4}[;,](?:base64,)?[^\s\"'<>)]*)", ("data:",),
         ("data:image/png;base64,{s:60}", "data:text/plain;charset=utf-8,secret%20fox"), ("data: {}", "data: [DONE]"),
         check=lambda v: "/" in v[:30] or "%2f" in v[:30].lower() or "base64" in v[:60].lower(), wide=False),
    Rule("svg-image", "image", r"(?is)(<svg[^>]*>(?:[^<]|<[^/]|</[^s])*</svg>)", ("<svg",), ('<svg width="1"><path d="M0 0"/></svg>',), wide=False),
    Rule("byte-escapes", "blob", r"((?:\\{1,2}x[0-9a-fA-F]{2}[^\s\\\"']{0,4}){8,}[^\s\"']*)", ("\\x",), ("\\x89PNG\\x0d\\x0a\\x1a\\x0a\\x00\\x00\\x00\\x0d\\x49\\x48",)),
    Rule("byte-list", "blob", r"\[\s*((?:[0-9]{1,3}\s*,\s*){15,}[0-9]{1,3})\s*\]", (",",), ("[137,80,78,71,13,10,26,10,0,0,0,13,73,72,68,82,0]",), ("[1,2,3]",),
         check=lambda v: all(int(n) <= 255 for n in re.findall(r"\d+", v[:400])), wide=False),
)  # fmt: skip
