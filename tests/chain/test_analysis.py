"""A declared chain against expected waits. Everything here is arithmetic."""

from __future__ import annotations

import pytest

from harness.chain.analysis import look_at
from harness.chain.changes import changes
from harness.chain.durations import APACHE, GO, HAPROXY, NGINX, PROTOBUF, seconds
from harness.chain.known import catalog, find
from harness.chain.model import Cap, Kind, Wait, declared
from harness.chain.settings import SETTINGS, known_of, line_for
from harness.chain.text import lines
from harness.conditions import Caps, LayerCap


def cap(
    layer: str, cap_s: float | None, *kinds: Kind, product: str | None = None, setting: str | None = None
) -> list[Cap]:
    return [Cap(layer=layer, product=product, kind=kind, cap_s=cap_s, setting=setting) for kind in kinds or ("total",)]


def nginx(layer: str, cap_s: float) -> list[Cap]:
    return cap(layer, cap_s, "first_byte", "idle", product="nginx", setting="proxy_read_timeout")


def plain(whole_s: float, needed_s: float | None = None, streamed_silence_s: float | None = None) -> Wait:
    needed = needed_s or whole_s
    return Wait(
        cell=f"plain-{whole_s:g}",
        streamed=False,
        whole_s=whole_s,
        silence_s=whole_s,
        needed_s=needed,
        needed_silence_s=needed,
        streamed_silence_s=streamed_silence_s,
        basis="a test",
    )


def streamed(whole_s: float, silence_s: float) -> Wait:
    return Wait(cell="stream", streamed=True, whole_s=whole_s, silence_s=silence_s, basis="a test")


def test_without_a_stream_every_kind_of_cap_sees_the_whole_wait() -> None:
    wait = plain(100)
    assert [wait.under(kind) for kind in ("total", "first_byte", "idle")] == [100, 100, 100]
    assert wait.under("connect") is None
    assert wait.under("request_read") is None


def test_of_a_stream_idle_caps_see_the_silence_and_nothing_is_said_of_the_first_byte() -> None:
    wait = streamed(200, 40)
    assert [wait.under(kind) for kind in ("total", "first_byte", "idle")] == [200, None, 40]


def test_the_lowest_cap_fires_first_and_one_setting_bites_once() -> None:
    view = look_at([*cap("cdn", 100, "first_byte"), *nginx("proxy", 60)], [plain(195)])
    bites = view.cells[0].bites
    assert [(bite.layer, bite.cap_s) for bite in bites] == [("proxy", 60), ("cdn", 100)]
    assert bites[0].kinds == ("first_byte", "idle")
    assert view.lowest["first_byte"].layer == "proxy"


def test_a_cap_that_only_slow_jobs_meet_is_told_from_one_that_cuts_most() -> None:
    view = look_at(nginx("proxy", 250), [plain(195, 280)])
    assert [bite.most for bite in view.cells[0].bites] == [False]
    assert look_at(nginx("proxy", 280), [plain(195, 280)]).cells[0].bites == ()


def test_an_inner_layer_that_outlives_an_outer_one_is_named_with_it() -> None:
    view = look_at([*nginx("edge", 60), *cap("gateway", 600)], [plain(195)])
    (found,) = view.inversions
    assert (found.outer, found.inner, found.met, found.tie) == ("edge", "gateway", True, False)
    assert view.cells[0].orphan is not None
    assert view.cells[0].orphan.outlived_by == ("gateway",)
    assert view.cells[0].orphan.goes_on == "yes"  # by the catalog: nginx's upstream does


def test_layers_that_get_more_patient_towards_the_user_are_not_inverted() -> None:
    assert look_at([*cap("client", 600), *nginx("edge", 330), *cap("gateway", 300)], [plain(100)]).inversions == ()


def test_two_equal_caps_are_a_tie() -> None:
    (found,) = look_at([*cap("client", 60), *nginx("edge", 60)], []).inversions
    assert found.tie


def test_of_streams_only_caps_of_the_same_kind_are_compared() -> None:
    caps = [*cap("client", 600), *cap("edge", 60, "idle"), *cap("gateway", 300)]
    assert look_at(caps, [streamed(200, 30)]).inversions == ()
    both = look_at([*cap("edge", 60, "idle"), *cap("gateway", 90, "idle")], [streamed(200, 75)])
    assert [(one.inner, one.jobs, one.met) for one in both.inversions] == [("gateway", "streamed", True)]


def test_previews_and_heartbeats_rescue_from_idle_caps_and_never_from_total_ones() -> None:
    idle = look_at(nginx("edge", 100), [plain(195, streamed_silence_s=62)]).cells[0]
    assert idle.streaming is not None
    assert idle.heartbeats is not None
    assert (idle.streaming.rescues, idle.heartbeats.rescues) == ("yes", "yes")
    total = look_at(cap("function", 60), [plain(195, streamed_silence_s=62)]).cells[0]
    assert total.streaming is not None
    assert total.heartbeats is not None
    assert (total.streaming.rescues, total.heartbeats.rescues) == ("no", "no")


def test_previews_do_not_rescue_where_they_are_too_far_apart_or_nobody_knows() -> None:
    far = look_at(nginx("edge", 60), [plain(195, streamed_silence_s=62)]).cells[0].streaming
    unknown = look_at(nginx("edge", 60), [plain(195)]).cells[0].streaming
    assert far is not None
    assert unknown is not None
    assert (far.rescues, unknown.rescues) == ("no", "unknown")


def test_only_what_bites_is_widened_and_what_fires_first_comes_first() -> None:
    caps = [*cap("client", 600), *cap("cdn", 100, "first_byte"), *nginx("proxy", 60), *cap("gateway", 3000)]
    steps = changes(look_at(caps, [plain(195, 280)]))
    assert [(step.number, step.action, step.layer) for step in steps[:2]] == [
        (1, "widen", "proxy"),
        (2, "widen", "cdn"),
    ]
    proxy, cdn = steps[:2]
    assert proxy.to_s == 360
    assert proxy.line == "proxy_read_timeout 360s;"
    assert cdn.to_s is not None
    assert cdn.to_s > proxy.to_s  # the inner one gives up first, and can say so
    assert "client" not in {step.layer for step in steps}


def test_a_widened_cap_stays_inside_of_an_outer_one_that_is_left_alone() -> None:
    steps = changes(look_at([*cap("client", 300), *nginx("edge", 60)], [plain(195, 280)]))
    assert [(step.layer, step.to_s) for step in steps] == [("edge", 290)]


def test_what_nobody_can_change_is_gone_around() -> None:
    fixed = next((one for one in catalog() if one.fixed and one.default_s), None)
    if fixed is None:
        pytest.skip("the catalog does not say yet who can change what")
    caps = [Cap(layer="far", product=fixed.product, kind="total", cap_s=fixed.default_s, setting=fixed.setting)]
    (step,) = changes(look_at(caps, [plain((fixed.default_s or 0) * 10)]))
    assert (step.action, step.to_s, step.line) == ("go_around", None, None)
    assert step.instead is not None
    assert "job id" in step.instead


def test_an_inner_layer_that_would_outlive_the_others_is_lowered_where_that_cuts_nothing() -> None:
    caps = [*cap("client", 400), *cap("gateway", 6000, product="haproxy", setting="timeout server")]
    (step,) = changes(look_at(caps, [plain(195, 280)]))
    assert (step.action, step.layer, step.to_s, step.line) == ("narrow", "gateway", 390, "timeout server 390s")


def test_nothing_is_changed_where_nothing_bites() -> None:
    view = look_at(nginx("edge", 600), [plain(195, 280)])
    assert changes(view) == ()
    assert "changes: none; nothing here bites" in list(lines(view, ()))


def test_a_cell_that_is_not_known_beforehand_is_not_judged() -> None:
    wait = Wait(cell="auto", streamed=False, whole_s=None, note="the API chooses")
    view = look_at(nginx("edge", 1), [wait])
    assert view.cells[0].bites == ()
    assert "cell auto: not known beforehand (the API chooses)" in list(lines(view, ()))


def test_our_own_timeouts_are_the_outermost_layer() -> None:
    caps = declared([LayerCap(layer="edge", cap_s=60)], Caps(total_s=300, idle_s=None))
    assert [(one.layer, one.kind, one.cap_s) for one in caps] == [("client", "total", 300), ("edge", "total", 60)]


def test_every_known_setting_has_a_line_with_the_value_in_it() -> None:
    for one in SETTINGS:
        assert "360" in (line_for(one.product, one.name, 360) or "")


def test_the_catalog_is_searched_by_the_settings_own_name() -> None:
    found = find("nginx", "proxy_read_timeout")
    assert found is not None
    assert found.default_s == 60
    assert find("nginx", "read_timeout") is None
    assert find("nobody", None, "total") is None
    alike = known_of("apache", "Timeout")
    assert alike is None or alike.setting == "ProxyTimeout"


@pytest.mark.parametrize(
    ("text", "units", "joined", "expected"),
    [
        ("60", NGINX, True, 60), ("1m30s", NGINX, True, 90), ("1h 30m", NGINX, True, 5400), ("500ms", NGINX, True, 0.5),
        ("1M", NGINX, True, 2_592_000), ("5000", HAPROXY, False, 5), ("5s", HAPROXY, False, 5),
        ("100us", HAPROXY, False, 0.0001), ("60", APACHE, False, 60), ("500ms", APACHE, False, 0.5),
        ("2min", APACHE, False, 120), ("1m0.5s", GO, True, 60.5), ("1d", GO, True, 86_400), ("0", GO, True, 0),
        ("0.25s", PROTOBUF, False, 0.25),
    ],
)  # fmt: skip
def test_each_product_writes_times_in_its_own_way(
    text: str, units: dict[str, float], joined: bool, expected: float
) -> None:
    assert seconds(text, units, joined=joined) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "units", "joined"),
    [("", NGINX, True), ("s", NGINX, True), ("5 parsecs", GO, True), ("60", PROTOBUF, False), ("1m30s", HAPROXY, False),
     ("-5", NGINX, True), ("9" * 40, NGINX, True), ("99y", NGINX, True), ("60", GO, True)],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str, units: dict[str, float], joined: bool) -> None:
    with pytest.raises(ValueError):
        seconds(text, units, joined=joined)
