from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scenario.cells import make_cell

from .build import GOOD, load

TWO = GOOD.replace("routes:\n", 'routes:\n  edge: {base_url: "simulator://", owner: gateway}\n')


def ids(tmp_path: Path, matrix: str, text: str = GOOD) -> list[str]:
    return [cell.id for cell in load(tmp_path, text + matrix).cells()]


def test_without_a_matrix_there_is_one_cell_of_defaults(tmp_path: Path) -> None:
    assert ids(tmp_path, "") == ["direct/low/1024x1024"]


def test_axes_are_crossed_in_the_order_of_the_request_fields(tmp_path: Path) -> None:
    assert ids(tmp_path, "matrix: {quality: [low, high], route: [direct, edge]}\n", TWO) == [
        "direct/low/1024x1024",
        "direct/high/1024x1024",
        "edge/low/1024x1024",
        "edge/high/1024x1024",
    ]


def test_an_id_names_only_what_was_asked_for(tmp_path: Path) -> None:
    matrix = (
        "matrix: {include: [{format: jpeg, compression: 85, n: 2, background: opaque, moderation: low, stream: true},"
        " {quality: auto, size: auto, partial_images: 0}]}\n"
    )
    assert ids(tmp_path, matrix) == [
        "direct/low/1024x1024/jpeg85/n2/stream/background-opaque/moderation-low",
        "direct/quality-auto/size-auto/stream-p0",
    ]


def test_partial_images_imply_a_stream_and_null_leaves_a_field_out(tmp_path: Path) -> None:
    plain, streamed = load(tmp_path, GOOD + "matrix: {partial_images: [null, 2]}\n").cells()
    assert plain.request() == {"quality": "low", "size": "1024x1024"}
    assert streamed.request() == {"quality": "low", "size": "1024x1024", "stream": True, "partial_images": 2}


def test_an_include_takes_the_defaults_and_crosses_its_lists(tmp_path: Path) -> None:
    matrix = "matrix: {quality: [high], include: [{n: [2, 3], size: 1536x1024}]}\n"
    assert ids(tmp_path, matrix) == ["direct/high/1024x1024", "direct/low/1536x1024/n2", "direct/low/1536x1024/n3"]


def test_an_exclude_drops_the_cells_that_match_every_field(tmp_path: Path) -> None:
    matrix = "matrix: {format: [png, jpeg], compression: [null, 75], exclude: [{format: png, compression: 75}]}\n"
    assert ids(tmp_path, matrix) == ["direct/low/1024x1024/" + f for f in ("png", "jpeg", "jpeg75")]


def test_axes_are_the_fields_in_which_cells_differ(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD + "matrix: {quality: [low], n: [1, 2]}\n").axes() == ("n",)


fields = st.fixed_dictionaries(
    {
        "route": st.sampled_from(["a", "b-c", "low"]),
        "quality": st.sampled_from([None, "auto", "low", "high"]),
        "size": st.sampled_from([None, "auto", "1024x1024"]),
        "output_format": st.sampled_from([None, "png", "jpeg"]),
        "output_compression": st.sampled_from([None, 0, 85]),
        "n": st.sampled_from([None, 1, 2]),
        "stream": st.sampled_from([None, False, True]),
        "partial_images": st.sampled_from([None, 0, 2]),
        "background": st.sampled_from([None, "auto", "opaque"]),
        "moderation": st.sampled_from([None, "auto", "low"]),
    }
)


@settings(deadline=None)
@given(fields, fields)
def test_equal_ids_are_equal_cells(one: dict[str, object], other: dict[str, object]) -> None:
    a, b = make_cell(one), make_cell(other)
    assert (a.id == b.id) == (a == b)
