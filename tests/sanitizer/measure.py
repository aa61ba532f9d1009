"""What of the corpus survives and what is lost, as shares; for the tests and for the bench."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.packet.sanitize import sanitize

from .corpus import cases, halves


@dataclass
class Shares:
    """Counts over the corpus and the titles of the cases that failed."""

    must: int = 0
    exotic: int = 0
    keep: int = 0
    survived: list[str] = field(default_factory=list)
    survived_exotic: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def exotic_share(self) -> float:
        return len(self.survived_exotic) / max(self.exotic, 1)

    @property
    def lost_share(self) -> float:
        return len(self.lost) / max(self.keep, 1)


def shares(seed: int) -> Shares:
    """Every case of one seed."""
    out = Shares()
    for case in cases(seed):
        text = sanitize(case.text, salt=b"bench")
        for value in case.gone:
            survived = any(form in text for form in halves(value))
            if case.exotic:
                out.exotic += 1
                out.survived_exotic += [case.title] * survived
            else:
                out.must += 1
                out.survived += [case.title] * survived
        for value in case.kept:
            out.keep += 1
            out.lost += [case.title] * (value not in text)
    return out
