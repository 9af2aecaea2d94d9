"""Which pairs a reviewer has had on the screen, and whether a key belongs to the one that is there."""

from __future__ import annotations

from dataclasses import dataclass, replace

SOONEST_S = 0.2
"""A key that comes sooner after a pair came up was meant for the pair before: nobody reads that fast."""


@dataclass(frozen=True, slots=True)
class Trail:
    """The ids of the pairs that came up, in their order; `here` is the place of the one on the screen.

    `visit` grows with every pair that comes up. A vote names the visit in which its key went down, so that no
    key counts twice, or for the pair that comes after. `since_s` is when the visit began, by the caller's
    clock.
    """

    seen: tuple[str, ...] = ()
    here: int = -1
    visit: int = 0
    since_s: float = 0.0

    @property
    def at(self) -> str | None:
        """The pair on the screen."""
        return self.seen[self.here] if self.seen else None

    @property
    def has_before(self) -> bool:
        return self.here > 0

    @property
    def has_after(self) -> bool:
        return self.here + 1 < len(self.seen)

    def onward(self, following: str | None, now_s: float) -> Trail:
        """To the pair seen after this one, else to the one that follows in the queue, else to stay."""
        if self.has_after:
            return self._at(self.here + 1, now_s)
        return self._at(self.here, now_s) if following is None else self.to(following, now_s)

    def back(self, now_s: float) -> Trail:
        """To the pair seen before this one; the first one stays."""
        return self._at(max(self.here - 1, 0), now_s)

    def to(self, id: str, now_s: float) -> Trail:
        """To that pair: where it was seen, else as the last one."""
        if id in self.seen:
            return self._at(self.seen.index(id), now_s)
        seen = (*self.seen, id)
        return replace(self, seen=seen)._at(len(seen) - 1, now_s)

    def is_hasty(self, now_s: float) -> bool:
        """Whether a key at that time came before anybody could have seen the pair."""
        return now_s - self.since_s < SOONEST_S

    def hurried(self, now_s: float) -> Trail:
        """The same place after such a key: while one comes close upon the other, none counts."""
        return replace(self, since_s=now_s)

    def _at(self, here: int, now_s: float) -> Trail:
        return replace(self, here=here, visit=self.visit + 1, since_s=now_s)
