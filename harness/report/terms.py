"""What the words of a report mean, where they are no clock: one sentence each, which every column of a table leads to.

The clocks are defined in `harness.metrics`, and how figures are made stands in the templates of the definitions.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A word of the report. `name` is where links lead: ``#def-name``; `phrase` what a figure of it is called."""

    name: str
    title: str
    sentence: str
    phrase: str | None = None


TERMS: tuple[Term, ...] = (
    Term("route", "Route", "A way to the model as the scenario declares it, with its owner and the layers on it; all "
         "of them stand under Conditions."),
    Term("cell", "Cell", "One combination of what the scenario varies. Its jobs differ in when they were sent, and in "
         "the prompt where the scenario has several."),
    Term("completed", "Completed", "Jobs that brought an image which decodes and is what was asked for. Jobs that were "
         "cancelled, or whose answer nobody saw, are no failures, and are named apart."),
    Term("error_rate", "Share of failed jobs", "Jobs that did not complete, of those that were seen to their end.",
         "of failed jobs"),
    Term("outcome", "Outcome and status", "How the last attempt of a job ended, and the HTTP status, type and code "
         "that it was answered with, as they were answered."),
    Term("verdict", "Verdict", "What the audits make of one job, all evidence taken together. Each job has one."),
    Term("result", "Result", "Supported: the whole interval meets it. Refuted: the whole interval misses it. Pass and "
         "fail: with enough jobs the figure itself decides, and it is said where its interval holds the limit; with "
         "fewer the whole interval does. Inconclusive and not shown: the run cannot tell."),
    Term("layer", "Layer that gave up", "What stopped waiting for the answer: a client, a proxy, a CDN, a gateway, a "
         "platform. The setting is the one that sets its cap, the kind of the cap says what the cap counts."),
    Term("cut", "Cut", "A job’s clock was stopped by a layer that gave up. Its true time is larger, and nobody knows "
         "by how much."),
    Term("finished", "Finished behind it", "Of the jobs that were cut, those whose image was made all the same, by the "
         "backend’s own record. A dash: there is no such record."),
    Term("unreceived", "Paid and not received", "Generations that may have been made and billed without anybody "
         "getting them. Made for certain: the backend’s own record says so; a dash: it does not say. Prices "
         "are list prices."),
    Term("grade", "Evidence", "Proven: a record from behind the cut shows it. Attributed: an answer or a header names "
         "the layer. Inferred: nobody signed, but "
         "exactly one declared cap agrees, or the cuts pile up at one moment. Undetermined: neither."),
    Term("attempts", "Attempts and retries", "An attempt is one request that went out for a job; a retry is every "
         "attempt of ours beyond the first. A gateway’s own attempts are known only where it tells of them."),
    Term("rate_limited_rate", "Met a 429", "Jobs of which an attempt was answered 429, too many requests, whether or "
         "not a later one brought the image.", "of jobs that met a 429"),
    Term("in_flight", "In flight", "How many jobs were under way at once, this one included."),
    Term("segments", "Segments of a job", "What its time was spent on, laid end to end. Earlier attempts: until the "
         "last attempt began, pauses included. Partials: from the first event of a stream to the first byte of its "
         "final image. The others are clocks of their own."),
    Term("told", "What a route tells", "Delivered jobs whose answer came with the fact: a request id to ask the "
         "provider with, the time that the server says it took, token counts, the size that was made."),
    Term("against_cell", "Against its cell", "The time of each job divided by the median of its cell over the whole "
         "run, and of these the median. 1 is as always, 1.2 is a fifth slower."),
    Term("cost_usd", "Cost of a job", "What a job cost, in US dollars; per image: of all jobs, divided by the images "
         "that were delivered. Below it how it is known.", "cost of a job"),
    Term("batch_ms", "Time of a batch", "From the start of the first of these jobs until the named number of images "
         "was here.", "time of a batch"),
    Term("image_bytes", "Bytes of an image", "How many bytes the delivered images of a job have.", "bytes of an image"),
    Term("ratio", "Ratio and difference", "The figure of the second setting divided by that of the first, and less it. "
         "Intervals come from blocks drawn anew; what was cut counts as a lower bound."),
    Term("pairs", "Jobs compared", "Jobs of both settings, and how many of them stand in one block with the same "
         "prompt."),
    Term("use_latency", "Latency of a use", "The quantile of the final image that the use asks for, with its 95 % "
         "interval. It is met, or missed, only where the whole interval is on one side of the limit."),
    Term("monthly_usd", "A month", "What the asked volume costs in a month: with the images that failed, were cut "
         "after they may have been made, or were sent again."),
    Term("fitting_timeout", "Timeout that goes with it", "From the upper limit of a high quantile of all jobs, cut "
         "ones as lower bounds, with headroom on top; outer layers wait longer than inner ones."),
    Term("cap", "Cap", "How long a layer waits at most, and what of: the whole call, its first byte, or between two "
         "bytes."),
    Term("stable", "How many at a time", "The most jobs that were under way at once without a 429, and how large the "
         "share of 429s may be all the same. Nothing beyond it was tried."),
    Term("not_sent", "Not sent, not spent", "Jobs that were planned and not needed any more, and what they would have "
         "cost by the plan."),
    Term("preferred", "Preferred", "How often this one would be chosen against the average of all, from blind votes "
         "on pairs (Bradley and Terry), with its 95 % interval."),
    Term("votes", "Votes", "Pairs that were shown with this one in them, and judged."),
    Term("images_looked_at", "Images looked at", "Kept images that were opened and measured."),
    Term("lettering", "Lettering", "What text recognition read, against what the prompt asked for: images with every "
         "letter right, and shares of letters and words."),
    Term("ssim", "Structural similarity", "How like the original an image is after it was compressed anew: 1 is "
         "equal. And how many of its bytes it then has."),
    Term("usage_output_tokens", "Output tokens", "Tokens that the answer says the image took.",
         "output tokens of a job"),
)  # fmt: skip

PHRASES: dict[str, str] = {term.name: term.phrase for term in TERMS if term.phrase}
