"""Apache: whose timeout counts, as the real server has it."""

from __future__ import annotations

from typing import Any

import pytest

from harness.chain.config import read_config

from .configs import APACHE, set_caps, told


def test_in_apache_the_workers_own_timeout_comes_before_the_servers(put: Any) -> None:
    file = put("apache2.conf", APACHE)
    one = told(read_config(f"{file}:10").caps)
    assert one["timeout=", "idle"] == 600
    assert one["connectiontimeout=", "connect"] == 0.5
    assert one["RequestReadTimeout", "request_read"] == 30
    assert ("ProxyTimeout", "idle") not in one
    assert told(read_config(f"{file}:12").caps)["ProxyTimeout", "idle"] == 90


def test_apache_includes_are_followed(put: Any) -> None:
    put("conf.d/a.conf", "ProxyTimeout 33\n")
    file = put("httpd.conf", "IncludeOptional conf.d/*.conf\nIncludeOptional none/*.conf\nProxyPass / http://x/\n")
    found = read_config(file)
    assert told(found.caps)["ProxyTimeout", "idle"] == 33
    assert found.notes == ()


# What real Apache 2.4 did with each of these, in front of a server that never answers.
APACHE_WORKERS = """\
Timeout 9
<Proxy balancer://c>
BalancerMember http://10.0.0.1:80 timeout=4
ProxySet timeout=2
</Proxy>
<Proxy balancer://d>
BalancerMember http://10.0.0.2:80
ProxySet timeout=2
</Proxy>
<Proxy "http://10.0.0.3/e">
ProxySet timeout=3
</Proxy>
<IfModule mod_proxy.c>
ProxyTimeout 6
</IfModule>
<IfModule !mod_proxy.c>
ProxyTimeout 1
</IfModule>
ProxyPass /c balancer://c/
ProxyPass /d balancer://d/ timeout=2
ProxyPass /e http://10.0.0.3/e
ProxyPass /f http://10.0.0.4/f
ProxyPass /i http://10.0.0.5/i timeout=8
<Proxy "http://10.0.0.5/i">
ProxySet timeout=1
</Proxy>
"""


@pytest.mark.parametrize(("line", "setting", "cap_s"), [
    (19, "timeout=", 4), (20, "ProxyTimeout", 6), (21, "timeout=", 3), (22, "ProxyTimeout", 6), (23, "timeout=", 1),
])  # fmt: skip
def test_an_apache_worker_has_the_timeout_that_the_real_one_has(put: Any, line: int, setting: str, cap_s: int) -> None:
    caps = set_caps(read_config(f"{put('apache2.conf', APACHE_WORKERS)}:{line}").caps)
    assert caps == {(setting, "first_byte"): cap_s, (setting, "idle"): cap_s}


def test_the_member_of_an_apache_balancer_that_waits_least_counts_also_at_its_default(put: Any) -> None:
    text = "<Proxy balancer://c>\nBalancerMember http://a timeout=600\nBalancerMember http://b\n</Proxy>\n"
    found = read_config(put("apache2.conf", text + "ProxyPass / balancer://c/\n"))
    assert (found.places, told(found.caps)["ProxyTimeout", "idle"]) == (1, 60)
    alone = read_config(put("apache2.conf", text))
    assert (alone.places, told(alone.caps)["timeout=", "idle"]) == (2, 600)
    assert any("differs by place" in note for note in alone.notes)
    elsewhere = read_config(put("apache2.conf", "ProxyTimeout ${WAIT}\nProxyPass / balancer://c/ timeout=2\n"))
    assert told(elsewhere.caps)["ProxyTimeout", "idle"] is None
    assert ["variable" in elsewhere.notes[0], "members of this balancer" in elsewhere.notes[1]] == [True, True]
