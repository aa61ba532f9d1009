"""A sweep in words."""

from __future__ import annotations

from harness.sweeping.model import Configure, Found, LimitKind, SweepRecord

_KINDS: dict[LimitKind, str] = {
    "per_minute": "a limit of a minute, by its own words",
    "concurrent": "a limit of what is under way, by its own words",
    "unknown": "a limit that it does not name",
}


def lines(record: SweepRecord) -> list[str]:
    """The answer first, then what it rests on, then what to configure."""
    what = record.found
    if what is None:
        return ["nothing was answered: there is no result"]
    stopped = [] if record.status == "complete" else [f"the search was stopped ({record.stopped_by}): what follows is"
                                                      " what is known so far"]  # fmt: skip
    return [*stopped, _answer(what), *_refusal(what), _minute(what), *_headroom(what), *_configure(record.configure)]


def _answer(what: Found) -> str:
    if what.level == 0 and what.refused_at is None:
        return "highest concurrency without a 429: not known, no request went through"
    if what.level == 0:
        return "highest concurrency without a 429: none, one request at a time was refused"
    high = "or more: no level was refused" if what.level_high is None else f"to {what.level_high}"
    share = "" if what.refused_share_high is None else f", so at most {100 * what.refused_share_high:.1f} % at 95 %"
    low = f"{what.level_low} {high}" if what.level_low else f"not enough jobs for a lower limit; up {high}"
    return (
        f"highest concurrency without a 429: {what.level} (interval: {low}; none of {what.clean_jobs} jobs refused"
        f"{share})"
    )


def _refusal(what: Found) -> list[str]:
    if what.refused_at is None:
        return []
    stated = "" if what.stated_limit is None else f"; it states {what.stated_limit:g}"
    return [f"refused at {what.refused_at} at a time, by {_KINDS[what.refused_by or 'unknown']}{stated}"]


def _minute(what: Found) -> str:
    if what.images_per_minute_high is None:
        return f"images a minute: {what.images_per_minute_low} went through, and no limit of a minute was met"
    return f"images a minute: the limit is between {what.images_per_minute_low} and {what.images_per_minute_high}"


def _headroom(what: Found) -> list[str]:
    if what.headroom is None:
        return ["headroom: the answers state no limits that anything could be left of"]
    return [f"headroom: at {what.level} at a time at least {100 * what.headroom:.0f} % of every stated limit was left"]


def _configure(found: Configure | None) -> list[str]:
    if found is None:
        return []
    parts = [f"{found.in_flight} requests in flight"]
    fields = [f"concurrency: {found.in_flight}"]
    for name, limit in (("requests", found.requests_per_minute), ("images", found.images_per_minute)):
        if limit is not None:
            parts.append(f"{limit} {name} a minute")
            fields.append(f"{name}_per_minute: {limit}")
    return [f"configure: {', '.join(parts)}", f"  as a scenario says it: load: {{{', '.join(fields)}}}"]
