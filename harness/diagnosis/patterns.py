"""Regular expressions that cannot run away: every repetition has a bound, and none stands inside another.

Python's `re` backtracks. With bounds, the work for a text grows as the text does, whatever somebody put into a page.
"""

from __future__ import annotations

import re

MAX_REPEAT = 500
MAX_CHARS = 600

_TOKEN = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<open>\((?:\?(?:[:=!]|<[=!]|P<\w+>))?)|(?P<close>\))"
    r"|(?P<bound>\{(?P<low>\d*)(?P<comma>,?)(?P<high>\d*)\}\??)|(?P<free>[*+]\??)|(?P<maybe>\?)|(?P<other>.)",
    re.DOTALL,
)


def what_runs_away(pattern: str) -> str | None:
    """Why a pattern is refused; None when it is fine.

    The pattern must compile; flags within it are not asked for here.
    """
    if len(pattern) > MAX_CHARS:
        return f"it is longer than {MAX_CHARS} characters"
    depth_repeats = [False]  # for every open group: does it hold a repetition?
    last_group_repeats = False
    after_group = False
    for token in _TOKEN.finditer(pattern):
        kind = token.lastgroup
        if token["free"]:
            return f"{token['free']!r} has no bound"
        if token["bound"] is not None and kind != "other":
            if token["low"] == "" and token["high"] == "":
                continue  # literal braces
            if token["comma"] and token["high"] == "":
                return f"{token['bound']!r} has no upper bound"
            if int(token["high"] or token["low"]) > MAX_REPEAT:
                return f"{token['bound']!r} repeats more than {MAX_REPEAT} times"
            if after_group and last_group_repeats:
                return f"{token['bound']!r} repeats what repeats itself"
            depth_repeats[-1] = True
        after_group = False
        if token["open"]:
            depth_repeats.append(False)
        elif token["close"] and len(depth_repeats) > 1:
            last_group_repeats = depth_repeats.pop()
            depth_repeats[-1] = depth_repeats[-1] or last_group_repeats
            after_group = True
    return None
