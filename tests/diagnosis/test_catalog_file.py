"""A user's own file of layers: what may stand in it, and what every mistake is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.diagnosis.catalog import load_catalog, signed_by
from harness.diagnosis.catalog_file import read_layers
from harness.errors import UsageProblem

GOOD = """\
- id: our_edge_cap
  product: our_edge
  class: reverse_proxy
  title: our edge
  setting: proxy_timeout
  kinds: [first_byte]
  first_move: raise proxy_timeout
"""


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read_layers(text.encode(), "own.yaml")[1]]


def test_seven_fields_are_enough() -> None:
    (layer,), found = read_layers(GOOD.encode(), "own.yaml")
    assert found == ()
    assert (layer.default_s, layer.grade, layer.names_the_layer, layer.signatures) == (None, "reported", False, ())


def test_yes_and_no_are_words() -> None:
    (layer,), _ = read_layers((GOOD + "  bytes_reset_it: yes\n  backend_goes_on: no\n").encode(), "own.yaml")
    assert (layer.bytes_reset_it, layer.backend_goes_on) == ("yes", "no")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("title: our edge", "title: our edge\n  defalt_s: 3", 5, "did you mean 'default_s'"),
        ("  title: our edge\n", "", 1, "title is missing"),
        ("id: our_edge_cap", "id: Our Edge", 1, "id is no plain name"),
        ("class: reverse_proxy", "class: proxy", 3, "use one of"),
        ("kinds: [first_byte]", "kinds: first_byte", 6, "not a list"),
        ("kinds: [first_byte]", "kinds: []", 6, "kinds is empty"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  default_s: 1m", 7, "number of seconds"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  default_s: -1", 7, "number of seconds"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  names_the_layer: yes", 7, "true or false"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  signature: {}", 7, "without parts"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  signature: {status: [700]}", 7, "no HTTP status"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  signature: {body: 'a.*b'}", 7, "may run away"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  signature: {body: '(a'}", 7, "does not compile"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  signature: {headers: {Server: x}}", 7, "lower case"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  signature: {bdy: x}", 7, "no part 'bdy'"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  confused_with: [nobody_known]", 1, "no other entry"),
        ("kinds: [first_byte]", "kinds: [first_byte]\n  title: twice", 7, "given twice"),
        ("kinds: [first_byte]", "kinds: [first_byte", 7, "not YAML"),
        ("kinds: [first_byte]", "kinds: !!set {a}", 6, "not a list"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_line_and_its_fix(old: str, new: str, line: int, said: str) -> None:
    found = problems(GOOD.replace(old, new))
    assert len(found) == 1, found
    assert found[0].startswith(f"own.yaml:{line}: ")
    assert said in found[0]
    assert "\n    fix: " in found[0]


def test_every_mistake_is_told_at_once() -> None:
    assert len(problems(GOOD.replace("reverse_proxy", "proxy").replace("first_byte", "frist_byte"))) == 2


@pytest.mark.parametrize("raw", [b"", b"\xff", b"a: b", b"- 1", b"- {id: 1}", b"[" * 500, b"\x00"])
def test_nonsense_is_a_problem_and_no_crash(raw: bytes) -> None:
    layers, found = read_layers(raw, "own.yaml")
    assert layers == ()
    assert found


def test_a_file_that_is_not_there_is_a_usage_problem(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read"):
        load_catalog((tmp_path / "none.yaml",))


def test_ones_own_entries_sign_before_the_shipped_ones(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(GOOD + "  signature: {status: [504], headers: {server: '^awselb'}}\n")
    signers = signed_by(504, {"server": "awselb/2.0"}, "", "", layers=load_catalog((own,)))
    assert [layer.id for layer in signers] == ["our_edge_cap", "aws_alb_idle_timeout"]
