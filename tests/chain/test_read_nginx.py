"""nginx: blocks, what they inherit, includes, defaults."""

from __future__ import annotations

from typing import Any

import pytest

from harness.chain.config import read_config
from harness.errors import UsageProblem

from .configs import NGINX, told


def test_nginx_inherits_from_the_block_around_and_the_lowest_place_counts(put: Any) -> None:
    found = read_config(put("nginx.conf", NGINX))
    assert (found.form, found.product, found.places) == ("nginx", "nginx", 3)
    caps = told(found.caps)
    assert caps["proxy_read_timeout", "first_byte"] == caps["proxy_read_timeout", "idle"] == 90
    assert caps["proxy_connect_timeout", "connect"] == 1.5
    assert caps["fastcgi_read_timeout", "idle"] == 300
    assert any("proxy_read_timeout differs by place (90 s, 120 s)" in note for note in found.notes)


def test_a_line_picks_the_place_and_a_wrong_one_is_answered_with_those_that_there_are(put: Any) -> None:
    file = put("nginx.conf", NGINX)
    found = read_config(f"{file}:9")
    assert told(found.caps)["proxy_read_timeout", "idle"] == 120
    assert next(cap for cap in found.caps if cap.setting == "proxy_read_timeout").place == f"{file}:3"
    assert ("fastcgi_read_timeout", "idle") not in told(found.caps)
    with pytest.raises(UsageProblem, match=r"nginx\.conf:4: .*lines that do: 9, 12, 13"):
        read_config(f"{file}:4")


def test_nginx_includes_are_followed_and_their_names_are_not_told(put: Any) -> None:
    put("snippets/shop.example.com.conf", "proxy_read_timeout 45s;\ninclude ../deeper.conf;\n")
    file = put("nginx.conf", NGINX)
    found = read_config(f"{file}:9")
    cap = next(cap for cap in found.caps if cap.setting == "proxy_read_timeout")
    assert (cap.cap_s, cap.place) == (45, f"{file}:7 → include:1")
    assert "shop.example" not in repr(found)
    assert any("include:2: what it includes is not here" in note for note in found.notes)


def test_what_nginx_leaves_unset_is_shown_as_its_default(put: Any) -> None:
    found = read_config(put("site.conf", "location / { proxy_pass http://x; }"))
    assert found.recognised_by == "by its directives"
    cap = next(cap for cap in found.caps if cap.setting == "proxy_read_timeout")
    assert (cap.cap_s, cap.default, cap.place) == (60, True, None)
