"""What of a run came from the ledger, and when it was made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Replay:
    """When each verdict of a run was made (ISO 8601), in their order; None for one that was made just now."""

    made: tuple[str | None, ...] = ()

    @property
    def n_known(self) -> int:
        """How many verdicts came from the ledger."""
        return sum(at is not None for at in self.made)

    def __str__(self) -> str:
        known = sorted(at for at in self.made if at is not None)
        days = list(dict.fromkeys(at[:10] for at in (*known[:1], *known[-1:])))
        when = f" (made {' to '.join(days)})" if days else ""
        noun = "verdict" if len(self.made) == 1 else "verdicts"
        return f"{self.n_known:,} of {len(self.made):,} {noun} from the ledger{when}"
