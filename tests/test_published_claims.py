"""The scenario of published claims: each published figure has its entry, and worlds that differ answer differently."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

import pytest

from harness.conditions import Hypothesis
from harness.plan import make_plan
from harness.report.model import HypothesisResult
from harness.scenario import Scenario, load_scenario
from harness.simulator.profiles import Profile

from .report.build_run import PRICE, job, of_events
from .report.test_build import summary_of

ROOT = Path(__file__).resolve().parents[1]
FACTS = ROOT.parent / "shared" / "facts" / "published-figures.md"

# What the list of figures says (as it is written there) → the entries that carry it.
CARRIED: dict[str, tuple[str, ...]] = {
    "| 1024×1024 low | 3–8": ("low-3-to-8-s",),
    "| 20–40, average 25": ("medium-20-to-40-s", "medium-25-s-on-average"),
    "| about 80": ("medium-about-80-s",),
    "| 150–235 typical": ("high-150-to-235-s", "high-median-195-s", "high-from-145-s"),
    "200 samples: min 145": ("high-from-145-s", "high-up-to-280-s"),
    "p95 about 280": ("high-median-195-s", "high-p95-280-s"),
    "| about 38": ("medium-1536-about-38-s",),
    "| 240 and more": ("high-1536-from-240-s",),
    "| about 130": ("high-1536-reference-about-130-s",),
    "| about 44": ("medium-two-references-about-44-s",),
    "| up to about 120": ("complex-within-120-s",),
    "first byte with stream": ("stream-first-byte-5-to-15-s", "no-stream-first-byte-about-195-s"),
    "| 1.5× (visual": ("size-1536-takes-half-as-long-again", "tokens-1536"),
    "custom up to 2K": ("size-2k-takes-2-to-3-times",),
    "simple against complex": ("high-simple-about-100-s", "high-complex-from-230-s"),
    "| 0.7–0.9 × n": ("four-images-cost-less-than-four-times-the-time",),
    '"any API call"': ("any-call-from-5-s", "any-call-within-a-minute", "peak-hours-add-200-to-400-percent"),
    "low 1024² 0.006": ("low-costs-0-006",),
    "medium 1024² 0.053": ("medium-costs-0-053",),
    "medium 1024×1536 about 0.06": ("medium-portrait-costs-0-06",),
    "high 1024² 0.211": ("high-costs-0-211",),
    "high 1536 about 0.21": ("high-1536-costs-0-21",),
    "Visual tokens (estimate)": ("tokens-1024",),
    "1536×1024 1536": ("tokens-1536",),
    "2K up to 3686": ("tokens-2k",),
    "Each partial image": ("a-partial-image-costs-100-tokens",),
    "60–70 % smaller than PNG": ("jpeg-85-is-60-to-70-percent-smaller-than-png",),
    "30–40 % smaller": ("jpeg-85-is-30-to-40-percent-smaller-than-100",),
    "WebP 90 is usual": ("webp-90-is-usual",),
    "under 70 shows": ("under-70-shows-artifacts",),
    "JPEG is faster than PNG": ("format-does-not-change-the-time", "jpeg-is-faster-than-png"),
    "Billable limits": ("above-2k-is-experimental",),
    "| e-commerce main image": ("use-ecommerce-main",),
    "| social post": ("use-social-post",),
    "| article cover": ("use-article-cover",),
    "| poster, print": ("use-poster-print",),
    "| slide / subtitle": ("use-slide-cover",),
    "| thumbnail": ("use-thumbnail",),
    "| batch sketches": ("use-batch-sketches",),
    "| assistant": ("use-assistant",),
    "lowest cap wins": ("the-lowest-cap-wins", "sdk-gives-up-at-600-s"),
    "Azure SDK 180": ("azure-sdk-gives-up-at-180-s",),
    "Express 120": ("express-gives-up-at-120-s",),
    "nginx 60": ("nginx-gives-up-at-60-s",),
    "Cloudflare Free 100": ("cloudflare-gives-up-at-100-s",),
    "Vercel Hobby 60": ("vercel-gives-up-at-60-s",),
    "Advice: high at least": ("high-fits-300-s", "low-fits-60-s", "medium-fits-60-s"),
    "Abandonment": ("people-leave-after-45-s",),
    "fail over at 30 s": ("people-leave-after-45-s",),
    'over 30 s means "optimise"': ("people-leave-after-45-s",),
    "one image under 10 s": ("an-image-within-10-s",),
    "a batch of 20": ("twenty-within-5-minutes",),
    "Streaming keeps idle caps": ("streaming-keeps-idle-caps-quiet",),
    "does not make the final image sooner": (
        "streaming-does-not-hasten-the-image",
        "streaming-does-not-delay-the-image",
    ),
    "After a local timeout": ("upstream-goes-on-after-a-timeout",),
    "3 concurrent": ("three-at-a-time-is-stable",),
    "5: occasional 429": ("five-at-a-time-meets-an-occasional-429",),
    "10: nearly certain": ("ten-at-a-time-meet-a-429",),
    "5-way concurrency": ("low-batches-run-five-at-a-time",),
    "Unsuccessful requests": ("refusals-count-against-the-limit",),
    "429 for billing": ("some-gateways-answer-429-for-billing",),
    "Each of n images": ("each-of-n-images-counts",),
    "moderation_blocked": ("moderation-has-two-stages",),
    "repeating the same prompt": ("a-blocked-prompt-stays-blocked",),
    "`response_format` is not": ("response-format-is-refused",),
    "chat-style": ("response-format-is-refused",),
    "Model names that fail": ("wrong-model-names-fail",),
    "Organisation not verified": ("verification-takes-6-to-24-hours",),
    "Task gateways": ("task-gateways-are-polled-every-2-s",),
    "poll about every 2 s": ("task-gateways-are-polled-every-2-s",),
    "states end in": ("task-gateways-are-polled-every-2-s",),
    "callback_url": ("task-gateways-call-back",),
    "result links die": ("links-die-after-24-h",),
    "a failed task id": ("a-failed-task-is-never-reusable",),
}
NOT_CLAIMS = (
    "The pre-launch experiment",  # it is scenarios/tier-selection.yaml
    "Two-stage patterns",  # how to work, not how fast
    "low to test that a prompt",
    "(Check these against",
    "which has sources.)",
    "Monitoring asked for",  # what somebody would like to see
    "alerts on sustained",
    "per product category",
    "cost per image (E)",
)


@cache
def scenario() -> Scenario:
    return load_scenario(ROOT / "scenarios" / "published-claims.yaml", env={})


@cache
def claims() -> dict[str, Hypothesis]:
    return {claim.name: claim for claim in scenario().hypothesis_conditions()}


def facts() -> list[str]:
    """The statements of the list: table rows, and prose in its sentences and parts."""
    if not FACTS.is_file():
        pytest.skip("the list of published figures is not beside this repository")
    _, _, body = FACTS.read_text(encoding="utf-8").partition("## Latency")
    found: list[str] = []
    for line in body.splitlines()[1:]:
        if not line.strip() or line.startswith(("#", "|---", "| shape", "| use")):
            continue
        found += [line] if line.startswith("|") else re.split(r" · |; |(?<=[)”\".]) (?=[A-Z])", line)
    return found


def test_every_published_claim_has_its_entry() -> None:
    known = (*CARRIED, *NOT_CLAIMS)
    assert [part for part in facts() if not any(words in part for words in known)] == []
    assert [words for words in CARRIED if not any(words in part for part in facts())] == []


def test_every_entry_is_of_a_published_claim_with_its_source() -> None:
    assert {name for names in CARRIED.values() for name in names} == set(claims())
    assert all(re.search(r"\b[A-E]\b", claim.source) for claim in claims().values())


def test_a_contradiction_is_no_secret_of_one_side() -> None:
    """Who is contradicted by a claim can be found from the claim; every name is there."""
    assert all(name in claims() for claim in claims().values() for name in claim.contradicts)
    assert sum(bool(claim.contradicts) for claim in claims().values()) >= 16


def test_the_plan_works_and_fits_its_budget() -> None:
    plan = make_plan(scenario())
    assert plan.over_budget() is None
    assert len(plan.cells) == 13
    assert plan.real_wall_s is not None
    assert plan.real_wall_s < 180
    assert [cell.cell.id for cell in plan.cells if cell.cut_by] == []


@cache
def answers(profile: str) -> dict[str, HypothesisResult]:
    """The claims over a run of their scenario, with times drawn from one article's profile."""
    asked = scenario().model_copy(update={"repeats": 36})
    drawn = Profile(profile)
    events = []
    for number, planned in enumerate(make_plan(asked).jobs):
        cell = planned.cell
        timing = drawn.timing(cell.quality or "", cell.size or "", cell.n, random.Random(f"{profile}/{planned.job_id}"))
        events.append(
            job(
                number,
                route=cell.route,
                quality=cell.quality or "",
                size=cell.size or "",
                seconds=timing.generation_s,
                stream=cell.stream,
                block=planned.block,
                cell=cell.id,
                output_format=cell.output_format,
                output_compression=cell.output_compression,
                n=cell.n,
                partial_images=cell.partial_images,
                reference_images=cell.reference_images,
                prompt_complexity=planned.prompt.complexity,
                prompt_hash=f"p{planned.prompt_index}",
                cost_usd=PRICE[cell.quality or ""],
            )
        )
    run = of_events(events, hypotheses=asked.hypothesis_conditions(), concurrency=3)
    return {result.name: result for result in summary_of(run).hypotheses}


def test_two_profiles_that_contradict_each_other_give_opposite_answers() -> None:
    tuning, causes, guide = map(answers, ("tuning-article", "failure-causes-article", "audit-guide"))
    expected = {
        "medium-20-to-40-s": ("supported", "refuted"),
        "medium-25-s-on-average": ("supported", "refuted"),
        "medium-about-80-s": ("refuted", "supported"),
        "medium-fits-60-s": ("supported", "refuted"),
        "low-3-to-8-s": ("supported", "refuted"),
    }
    assert {name: (tuning[name].state, causes[name].state) for name in expected} == expected
    apart = {
        "complex-within-120-s": ("refuted", "supported"),
        "high-median-195-s": ("supported", "refuted"),
        "high-150-to-235-s": ("supported", "refuted"),
    }
    assert {name: (tuning[name].state, guide[name].state) for name in apart} == apart


@pytest.mark.parametrize("profile", ["tuning-article", "failure-causes-article", "audit-guide"])
def test_no_two_claims_that_contradict_each_other_are_both_supported(profile: str) -> None:
    found = answers(profile)
    both = [
        (name, other)
        for name, result in found.items()
        for other in result.contradicts
        if result.state == found[other].state == "supported"
    ]
    assert both == []
