"""What `harness shrink` says: the cost first, each send in a line, and the answer."""

from __future__ import annotations

from collections.abc import Iterator

from harness.shrinking.ladders import ladders
from harness.shrinking.model import Shape, ShrinkRecord, Trial
from harness.shrinking.rule import by_chance, majority
from harness.shrinking.search import Step, expected_sends

WORDS = {
    "smallest": "the smallest shape that still shows it, confirmed with fresh sends",
    "not_reproduced": "the job's own shape does not show the verdict any more: nothing to shrink; more --repeats or "
    "another hour may",
    "out_of_budget": "the budget ended first; this is the smallest so far. Run again with a larger one to go on",
    "stopped": "stopped by you; run again to go on",
    "disturbed": "too many sends in a row ended for reasons of their own (rate limit, quota, no connection); run again "
    "later to go on",
    "running": "not at its end; run again to go on",
}


def shape_words(shape: Shape) -> str:
    """``high 2048x2048 webp n=2, prompt low 1-50``; only what is asked for."""
    parts = [word for word in (shape.quality, shape.size) if word]
    if shape.output_format or shape.output_compression is not None:
        level = "" if shape.output_compression is None else shape.output_compression
        parts.append(f"{shape.output_format or 'compression '}{level}")
    parts += [f"n={shape.n}"] * (shape.n != 1)
    parts += [f"stream{'' if shape.partial_images is None else f' p{shape.partial_images}'}"] * shape.stream
    parts += [f"{name} {value}" for name in ("background", "moderation") if (value := getattr(shape, name))]
    if shape.reference_images:
        parts.append(f"{shape.reference_images} references{' and a mask' if shape.mask else ''}")
    return f"{' '.join(parts) or 'nothing but a prompt'}, prompt {shape.prompt} {shape.prompt_length}"


def opening(record: ShrinkRecord, price_usd: float | None, simulated: bool) -> Iterator[str]:
    """What is looked for, by which rule, and what it will cost."""
    rule, limits = record.rule, record.limits
    found = ladders(record.original)
    yield f"{record.job_id}: {record.target.verdict.replace('_', ' ')}; asked for {shape_words(record.original)}"
    yield f"parameters that can be made simpler: {', '.join(found) or 'none'}"
    yield (
        f"a shape shows it when {majority(rule.repeats)} of at most {rule.repeats} sends do; by chance, where one send "
        f"in ten does, {by_chance(rule.repeats):.1%} of shapes would"
    )
    few, many = expected_sends(record.original, rule.repeats)
    each = "at a price that is not known" if price_usd is None else f"at up to {price_usd:.3f} USD each"
    cost = "" if price_usd is None else f", up to {many * price_usd:.2f} USD"
    played = "; play money, the embedded API answers" if simulated else ""
    yield f"if one parameter is to blame that takes {few} to {many} sends {each}{cost}{played}"
    if limits.usd is not None or limits.tries is not None:
        most = [f"{limits.tries} sends"] if limits.tries is not None else []
        most += [f"{limits.usd:.2f} USD"] if limits.usd is not None else []
        if limits.usd is None and price_usd is not None and limits.tries is not None:
            most.append(f"{limits.tries * price_usd:.2f} USD")
        yield f"it will send no more than {' and '.join(most)}, what was sent before included"
    if record.trials:
        yield f"goes on from {len(record.trials)} sends that shrink.json holds"


def next_experiment(step: Step, record: ShrinkRecord) -> str:
    """Which experiment comes next and why."""
    times = majority(record.rule.repeats)
    if step.shape is None:
        return "nothing is left to send"
    what = f"{shape_words(step.shape)}, {times} to {record.rule.repeats} times"
    if step.purpose == "control":
        return f"next: the job's own shape ({what}): a verdict that does not come back cannot be shrunk"
    if step.purpose == "confirm":
        return (
            f"next: the smallest shape once more ({what}): with fresh sends, so that it is not the one that was lucky"
        )
    if not step.kept:
        return f"next: everything at its simplest ({what}): does the shape matter at all?"
    return f"next: only {', '.join(step.kept)} as the job had it ({what}): are these enough for the verdict?"


def trial_line(trial: Trial) -> str:
    """One send in a line."""
    seen = trial.seen
    end = "its end was not seen" if seen is None else f"{seen.verdict}, {seen.outcome}"
    took = "" if seen is None or seen.total_ms is None else f" after {seen.total_ms / 1000:.1f} s"
    mark = {True: "shows it", False: "does not", None: "says nothing"}[trial.shows]
    return f"{trial.number:>3}  {trial.purpose:<8} {shape_words(trial.shape)}: {end}{took}: {mark}"


def answer_lines(record: ShrinkRecord) -> Iterator[str]:
    """The answer for a person."""
    if record.smallest is not None:
        yield f"smallest: {shape_words(record.smallest)}"
        yield f"  it showed the verdict in {record.smallest_shown} of {record.smallest_sends} sends"
        yield f"  needed: {', '.join(record.needed) or 'nothing: any shape shows it'}"
        yield f"  not needed: {', '.join(record.dropped) or 'none'}"
    yield f"{record.shapes_tried} shapes, {record.sends} sends, {record.spent_usd:.3f} USD: {WORDS[record.status]}"
