"""What of a run came from the ledger, and when it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Replay:
    """`n_known` of `n_verdicts` verdicts came from the ledger, made between `first` and `last` (ISO 8601)."""

    n_known: int = 0
    n_verdicts: int = 0
    first: str = ""
    last: str = ""

    @classmethod
    def of(cls, made: Sequence[str | None]) -> Replay:
        """Of the times at which verdicts were made before this run; None for one that was not."""
        known = sorted(at for at in made if at is not None)
        return cls(len(known), len(made), *((known[0], known[-1]) if known else ("", "")))

    def __str__(self) -> str:
        days = list(dict.fromkeys(at[:10] for at in (self.first, self.last) if at))
        when = f" (made {' to '.join(days)})" if days else ""
        noun = "verdict" if self.n_verdicts == 1 else "verdicts"
        return f"{self.n_known:,} of {self.n_verdicts:,} {noun} from the ledger{when}"
