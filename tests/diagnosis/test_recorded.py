"""What real layers were seen to do, judged again from the recordings: no binary, no network, no waiting.

The recordings are made by ``python -m tests.layers --record``; tests/layers asks the same of this machine's own layers.
"""

from __future__ import annotations

import pytest

from harness.diagnosis.catalog import load_catalog
from tests.layers.expect import GIVES_UP, NOT_TOLD, attributable
from tests.layers.observation import read
from tests.layers.score import Scored, judged
from tests.layers.situations import SITUATIONS

RECORDED = read()
EVIDENCE = {
    "declared": {"declared": True, "with_log": False},
    "with-the-log": {"declared": True, "with_log": True},
    "bare": {"declared": False, "with_log": False},
}
WANTED = 0.95


@pytest.fixture(scope="module", params=EVIDENCE)
def scored(request: pytest.FixtureRequest) -> list[Scored]:
    """Every recorded observation and its verdict, on one kind of evidence."""
    return judged(RECORDED, **EVIDENCE[request.param])


def test_every_layer_has_been_recorded_in_every_situation() -> None:
    assert {one.layer for one in RECORDED} == set(GIVES_UP)
    for one in RECORDED:
        assert [seen.situation for seen in one.observations] == list(SITUATIONS)


def test_nobody_is_named_who_did_not_give_up(scored: list[Scored]) -> None:
    assert [(one.name, one.verdict) for one in scored if one.mark == "wrong"] == []


@pytest.mark.parametrize("with_log", [False, True])
def test_nearly_all_that_can_be_attributed_is_attributed(with_log: bool) -> None:
    found = judged(RECORDED, declared=True, with_log=with_log)
    can = [one for one in found if one.observation.situation in attributable(one.recording.layer)]
    missed = [(one.name, one.verdict) for one in can if one.mark != "right"]
    assert len(missed) <= (1 - WANTED) * len(can), (len(missed), len(can), missed)


def test_what_is_not_attributed_is_a_list_with_the_right_one_in_it() -> None:
    rest = [one for one in judged(RECORDED, declared=True, with_log=False) if one.mark not in ("right", "list")]
    found = {(one.recording.layer, one.observation.situation): one.verdict for one in rest}
    assert {key: verdict for key, verdict in found.items() if key not in NOT_TOLD} == {}


def test_what_the_backend_finished_is_known_from_its_log_and_then_the_cut_is_proven() -> None:
    for one in judged(RECORDED, declared=True, with_log=True):
        if one.observation.situation in attributable(one.recording.layer):
            assert one.observation.truth.finished is True
            assert (one.verdict.backend_finished, one.verdict.grade) == (True, "proven"), (one.name, one.verdict)


# Of those layers that write down why they gave up, and whose log the rig keeps.
SPEAKS = ("apache", "caddy", "gunicorn-new", "gunicorn-old", "haproxy", "nginx")


@pytest.mark.parametrize("layer", SPEAKS)
def test_what_a_layer_logs_when_it_gives_up_is_in_the_catalog(layer: str) -> None:
    recording = next(one for one in RECORDED if one.layer == layer)
    patterns = [pattern for one in load_catalog() if one.product == recording.product for pattern in one.log]
    assert [line for line in recording.log if any(pattern.search(line) for pattern in patterns)] != []
