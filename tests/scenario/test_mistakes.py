"""Every mistake: on its line, in words, with its fix, and without a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ScenarioError
from harness.scenario import load_scenario

from .build import GOOD, load, only_problem, problems

ROUTE = '  direct: {base_url: "simulator://", owner: openai}\n'
DEFAULTS = "defaults: {quality: low, size: 1024x1024}\n"
KEY = "sk-proj-" + "Ab3" * 8


def with_route(rest: str) -> str:
    return GOOD.replace(ROUTE, f"  direct: {{{rest}}}\n")


def with_defaults(rest: str) -> str:
    return GOOD.replace(DEFAULTS, f"defaults: {{{rest}}}\n")


@pytest.mark.parametrize(
    ("text", "line", "what", "fix"),
    [
        (GOOD + "repeets: 3\n", 7, "no field `repeets`", "write repeats"),
        (GOOD + "load: {concurency: 3}\n", 7, "no field `concurency`", "write concurrency"),
        (with_route('base_urll: "simulator://", base_url: "simulator://", owner: openai'), 5, "base_urll", "base_url"),
        (GOOD + 'repeats: "3"\n', 7, "repeats must be a whole number, not text `3`", "write 3 without quotes"),
        (GOOD + "repeats: 3.5\n", 7, "repeats must be a whole number", "whole number"),
        (GOOD + "record_prompts: yes\n", 7, "record_prompts must be true or false", "write true or false"),
        (GOOD + "repeats: 0\n", 7, "repeats: 0 is out of range", "at least 1"),
        (GOOD + "load: {concurrency: 2049}\n", 7, "2049 is out of range", "at most 2048"),
        (GOOD + "model: gpt-image2\n", 7, "no model `gpt-image2`", "write gpt-image-2"),
        (GOOD + "model: gpt_image_2\n", 7, "no model `gpt_image_2`", "write gpt-image-2"),
        (GOOD + "model: GPT-Image-2\n", 7, "no model `GPT-Image-2`", "write gpt-image-2"),
        (GOOD + "model: chatgpt-image-2\n", 7, "no model", "write gpt-image-2"),
        (GOOD + "model: dall-e-4\n", 7, "no model", "write gpt-image-2"),
        (GOOD + "model: dall-e-3\n", 7, "shut down on 2026-05-12", "write gpt-image-2"),
        (GOOD + "model: gpt-image-1\n", 7, "shut down on 2026-10-23", "write gpt-image-2"),
        (with_defaults("size: 1920x1080"), 6, "divisible by 16", "write 1920x1088"),
        (with_defaults("size: 512x512"), 6, "655360 pixels are needed", "write 816x816"),
        (with_defaults("size: 4096x4096"), 6, "longer than 3840", "write 2880x2880"),
        (with_defaults("size: 3840x1024"), 6, "3 times", "write 3744x1248"),
        (with_defaults("size: 3200x3200"), 6, "at most 8294400 pixels", "write 2880x2880"),
        (with_defaults("size: 1024*1024"), 6, "is not a size", "write 1024x1024"),
        (with_defaults("quality: hd"), 6, "quality hd belonged to", "write high"),
        (with_defaults("quality: standard"), 6, "quality standard belonged to", "write medium"),
        (with_defaults("quality: hihg"), 6, "quality cannot be `hihg`", "write high"),
        (with_defaults("output_format: jpg"), 6, "jpg is spelled jpeg", "write jpeg"),
        (with_defaults("response_format: url"), 6, "refuse response_format", "leave it out"),
        (with_defaults("style: vivid"), 6, "refuse style", "leave it out"),
        (with_defaults("input_fidelity: high"), 6, "refuses input_fidelity", "leave it out"),
        (GOOD + "messages: []\n", 7, "chat", "prompts"),
        (GOOD + "quality: high\n", 7, "request field", "defaults"),
        (with_defaults("n: 11"), 6, "n: 11 is out of range", "at most 10"),
        (with_defaults("partial_images: 4"), 6, "4 is out of range", "at most 3"),
        (with_defaults("compression: 80"), 6, "does not apply to png (the default format)", "jpeg or webp"),
        (with_defaults("format: png, compression: 80"), 6, "does not apply to png", "jpeg or webp"),
        (with_defaults("format: jpeg, output_format: png"), 6, "the same field", "keep output_format"),
        (with_defaults("format: jpeg, background: transparent"), 6, "no transparent background", "png or webp"),
        (GOOD + "name: again\n", 7, "given twice; the first is on line 1", "keep one"),
        (GOOD.replace("[a lemon]", "[]"), 3, "prompts is empty", "one prompt"),
        (GOOD.replace("prompts: [a lemon]\n", ""), 1, "`prompts` is missing", "prompts_file"),
        (GOOD.replace("why: Does the loader load?\n", ""), 1, "`why` is missing", "add `why"),
        (GOOD + "simulator: {time_scale: 0.5}\n", 7, "time_scale cannot be 0.5", "1 to 10000"),
        (GOOD + "simulator:\n  profile: tuning\n", 8, "no latency profile `tuning`", "tuning-article"),
        (GOOD + "simulator: [1]\n", 7, "simulator must be a mapping", "name: value"),
        (GOOD.replace("simulator://", "simulator://edge"), 5, "simulator.layers has no `edge`", "add `edge:`"),
        (GOOD + "timeouts: {total: soon}\n", 7, "`soon` is not a duration", "90s"),
        (GOOD + "timeouts: {total: -1}\n", 7, "out of range", "more than 0"),
        (GOOD + "timeouts: {total: .nan}\n", 7, "total", "number"),
        (GOOD + "retry: {statuses: [200]}\n", 7, "200 is nothing to retry on", "429"),
        (GOOD + "budget: {usd: free}\n", 7, "usd must be a number", "write a number"),
        (GOOD + "matrix: {quality: []}\n", 7, "quality is empty", "at least one value"),
        (GOOD + "matrix: {quality: [low, low]}\n", 7, "is there already", "drop it"),
        (GOOD + "matrix: {quality: [low], exclude: [{quality: low}]}\n", 7, "nothing is left to run", "exclude"),
        (GOOD + "matrix: {quality: [low], exclude: [{quality: high}]}\n", 7, "drops nothing", "take it out"),
        (GOOD + "matrix: {route: [edge]}\n", 7, "no route `edge`", "write direct"),
        (GOOD + "matrix: {stream: [false], partial_images: [2]}\n", 7, "needs a stream", "null"),
        (
            GOOD + "matrix: {n: [1, 2, 3], size: [auto]}\nrepeats: 10000\nseed: -1\n",
            9,
            "-1 is out of range",
            "at least 0",
        ),
        (GOOD + "objectives: [p95(final_img_ms) < 9s]\n", 7, "no metric `final_img_ms`", "write final_image_ms"),
        (GOOD + "objectives: ['p95(total_ms){quality=high} < 9s']\n", 7, "no cell matches", "matrix"),
        (GOOD + "objectives:\n  - 'total_ms: p(95)': 9\n", 8, "must be text, not a mapping", "put it in quotes"),
        (GOOD + "objectives: ['900 images under 5min']\n", 7, "such images at most", "or fewer, or raise repeats"),
        (GOOD + "objectives: ['share(total_ms > 9) < 9%']\n", 7, "not a time with its unit", "write 90s"),
        (GOOD + "why2: {{ x }}\n", 7, "used as a key", "quotes"),
        (GOOD + "x: !!python/object:os.system {}\n", 7, "no field `x`", "known here"),
        (GOOD + "x: &a [*a]\n", 7, "holds itself", "write the value out"),
        (GOOD + "x:\n\ty: 1\n", 8, "not YAML", "spaces"),
    ],
)
def test_a_mistake_is_reported_on_its_line_with_its_fix(
    tmp_path: Path, text: str, line: int, what: str, fix: str
) -> None:
    found = problems(tmp_path, text)
    hits = [problem for problem in found if what in problem.what and fix in problem.fix]
    assert hits, [str(problem) for problem in found]
    assert hits[0].line == line


def test_one_reading_reports_every_mistake_of_the_file_in_the_files_order(tmp_path: Path) -> None:
    text = (
        "name: Bad Name\nwhy: x\nprompts: [a]\nmodle: gpt-image-2\n"
        "routes:\n  direct: {base_url: 'simulator://', owner: opnai}\n"
        "defaults: {size: 1000x1000}\nmatrix: {qualty: [low]}\nload: {concurrency: none}\n"
    )
    assert [problem.line for problem in problems(tmp_path, text)] == [1, 4, 6, 7, 8, 9]


def test_the_message_names_file_and_line_so_that_a_terminal_can_jump_there(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, GOOD + "repeets: 3\n")
    assert str(caught.value) == f"{tmp_path / 's.yaml'}:7: there is no field `repeets` here\n    fix: write repeats"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "route",
    [
        f'base_url: "simulator://", owner: openai, api_key: {KEY}',
        f'base_url: "simulator://", owner: openai, key: {KEY}',
        f'base_url: "simulator://", owner: openai, api_key_env: {KEY}',
        f'base_url: "simulator://", owner: openai, headers: {{Authorization: Bearer {KEY}}}',
        'base_url: "simulator://", owner: openai, headers: {Cookie: "session=hunter2secret"}',
        f'base_url: "simulator://", owner: openai, headers: {{X-Note: {KEY}}}',
        "base_url: https://someone:hunter2secret@example.com/v1, owner: openai",
        f'base_url: "https://example.com/v1?api_key={KEY}", owner: openai',
        f"base_url: https://example.com/{KEY}/v1, owner: openai",
        f'base_url: "simulator://", owner: {KEY}',
        f'base_url: "simulator://", owner: openai, {KEY}: x',
        f'base_url: "simulator://{KEY}", owner: openai',
    ],
)
def test_a_secret_in_the_file_is_a_mistake_and_is_never_echoed(tmp_path: Path, route: str) -> None:
    found = problems(tmp_path, with_route(route))
    message = "\n".join(str(problem).replace(str(tmp_path), "") for problem in found)
    assert "hunter2" not in message
    assert KEY not in message
    assert KEY[8:] not in message
    assert {problem.line for problem in found} == {5}


def test_a_key_pasted_anywhere_is_found(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, GOOD.replace("[a lemon]", f"['draw {KEY}']"))
    assert problem.what == "this value looks like a key or token"


def test_plain_headers_are_nothing_to_complain_about(tmp_path: Path) -> None:
    scenario = load(tmp_path, with_route('base_url: "simulator://", owner: azure, headers: {X-Region: westeurope-2}'))
    assert scenario.routes["direct"].headers == {"X-Region": "westeurope-2"}


def test_headers_that_the_client_sets_itself_and_broken_ones_are_refused(tmp_path: Path) -> None:
    text = with_route(
        'base_url: "simulator://", owner: azure, headers: {Host: a, "X Y": b, X-A: "a\\nb", X-B: "${open"}'
    )
    whats = [problem.what for problem in problems(tmp_path, text)]
    assert whats == [
        "the client itself sets host",
        "`X Y` cannot be a header's name",
        "header `X-A` holds a line break or control character",
        "the reference in header `X-B` is not closed or not a name",
    ]


def test_a_scaled_world_and_the_real_one_do_not_mix(tmp_path: Path) -> None:
    text = GOOD.replace(ROUTE, ROUTE + "  real: {base_url: https://images.example.com/v1, owner: gateway}\n").replace(
        "defaults: {", "defaults: {route: direct, "
    )
    assert load(tmp_path, text).simulated is False
    problem = only_problem(tmp_path, text + "simulator: {time_scale: 50}\n")
    assert problem.line == 6
    assert "leads to the real world" in problem.what


def test_only_one_route_is_the_direct_one(tmp_path: Path) -> None:
    text = GOOD.replace(
        ROUTE,
        '  a: {base_url: "simulator://", owner: openai, direct: true}\n'
        '  b: {base_url: "simulator://", owner: openai, direct: true}\n',
    ).replace("defaults: {", "defaults: {route: a, ")
    assert only_problem(tmp_path, text).what == "a is the direct route already"


def test_with_several_routes_the_cells_must_say_which(tmp_path: Path) -> None:
    text = GOOD.replace(ROUTE, ROUTE + ROUTE.replace("direct", "other"))
    problem = only_problem(tmp_path, text)
    assert problem.what == "no route is named for these cells"
    assert problem.fix == "add `route: [direct, other]`"


def test_openai_needs_a_key_and_its_version_path(tmp_path: Path) -> None:
    whats = [p.what for p in problems(tmp_path, with_route("base_url: https://api.openai.com, owner: openai"))]
    assert whats == ["base_url of api.openai.com must end in /v1", "route `direct` has no key"]


def test_a_file_that_is_not_utf8_is_reported_on_its_line(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_bytes(b"name: a\nwhy: caf\xe9\n")
    with pytest.raises(ScenarioError, match=r":2: byte 16 is not UTF-8"):
        load_scenario(file)


def test_an_empty_file_and_one_that_is_a_list_are_reported(tmp_path: Path) -> None:
    assert only_problem(tmp_path, "").what == "the file is empty"
    assert only_problem(tmp_path, "- a\n").what == "a scenario is a mapping of fields"


def test_aliases_cannot_multiply_without_end(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join(['*' + old] * 10)}]" for old, new in zip("abcdef", "bcdefg", strict=True)]
    assert any("values" in problem.what for problem in problems(tmp_path, "\n".join(lines)))


def test_a_deeply_nested_file_is_reported_and_not_a_crash(tmp_path: Path) -> None:
    assert "nested too deeply" in problems(tmp_path, "a: " + "[" * 5000)[0].what


def test_words_of_yaml_1_1_are_text_as_editors_show_them(tmp_path: Path) -> None:
    scenario = load(tmp_path, GOOD.replace("[a lemon]", "[no, on, 12:30:45]"))
    assert [prompt.text for prompt in scenario.prompts] == ["no", "on", "12:30:45"]
