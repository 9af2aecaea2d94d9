"""A suite that still runs: the cases so far in the order of its tests, and what they show for certain.

A case that comes after all others takes one step of the interval, however many there are. One that comes
between others, as from the workers of pytest-xdist, takes the steps after its place anew.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judge.plugin.gate import EVEN_RATE, Bets, GateFinding, GateResult, early_result, finding_of

KEPT = 16
"""The bets after each so many clusters are kept to go back to: 7 kB each."""

Case = tuple[float, str]
"""The score of a case and its cluster."""


@dataclass(slots=True)
class Stretch:
    """The first run of cases of a cluster: where it begins, the sum of its scores, and its number of cases.

    `begins` is the place of a test among the suite's and that of a case among the test's.
    """

    cluster: str
    begins: tuple[int, int]
    total: float = 0.0
    n: int = 0


class GrowingSuite:
    """The early looks of `sequential_gate` at a suite that grows; `take` cases, then `look`.

    A look is at the first run of cases of each cluster, except one that the last case is in, as more of it
    may come. So a case that was counted stays counted as it is, if cases come in the order of the suite.
    Cases of a cluster that comes up again count at the end only.
    """

    def __init__(self, margin: float, collected: Sequence[str]) -> None:
        """`collected` are the names of the tests in their order; others come after them as they arrive."""
        self._margin = margin
        self._places = {test: number for number, test in enumerate(collected)}
        self._arrivals: dict[str, int] = {}
        self._order: list[tuple[int, int]] = []
        self._cases: list[Sequence[Case]] = []
        self._stretches: list[Stretch] = []
        self._known: set[str] = set()
        self._is_open = False
        """Whether the last case is in the last stretch."""

        self._bets = Bets.first()
        """After the clusters that were looked at."""

        self._kept = [self._bets]

    def take(self, test: str, cases: Sequence[Case]) -> None:
        """Takes the cases of a test, in place of those of an earlier phase or try."""
        arrival = self._arrivals.setdefault(test, len(self._arrivals))
        key = (self._places.get(test, len(self._places)), arrival)
        at = bisect_left(self._order, key)
        begins = (at, 0)
        if at < len(self._order):
            begins = self._back_to(at)
        if self._order[at : at + 1] == [key]:
            self._cases[at] = cases
        else:
            self._order.insert(at, key)
            self._cases.insert(at, cases)
        self._read_from(begins)

    def _back_to(self, test: int) -> tuple[int, int]:
        """Forgets what was read and looked at from a test on, and the stretch before, which may go on in it.

        Returns:
            The place to read on from: where that stretch begins.
        """
        begins = (0, 0)
        while self._stretches:
            stretch = self._stretches.pop()
            self._known.remove(stretch.cluster)
            if stretch.begins < (test, 0):
                begins = stretch.begins
                break
        self._is_open = False
        if len(self._stretches) < self._bets.n:
            del self._kept[len(self._stretches) // KEPT + 1 :]
            self._bets = self._kept[-1]
        return begins

    def _read_from(self, begins: tuple[int, int]) -> None:
        first = begins[1]
        for place in range(begins[0], len(self._cases)):
            for number, (score, cluster) in enumerate(self._cases[place][first:], first):
                self._read(score, cluster, (place, number))
            first = 0

    def _read(self, score: float, cluster: str, place: tuple[int, int]) -> None:
        if cluster not in self._known:
            self._known.add(cluster)
            self._stretches.append(Stretch(cluster, place))
            self._is_open = True
        elif cluster != self._stretches[-1].cluster:
            self._is_open = False
        if self._is_open:
            self._stretches[-1].total += score
            self._stretches[-1].n += 1

    def look(self) -> GateResult | None:
        """What the first clusters that settle it show; None if more are needed.

        After something was found the suite is not to be looked at again.
        """
        for place in range(self._bets.n, len(self._stretches) - self._is_open):
            stretch = self._stretches[place]
            self._bets = self._bets.after(np.asarray(stretch.total / stretch.n))
            if self._bets.n % KEPT == 0:
                self._kept.append(self._bets)
            low, high = (float(end) for end in self._bets.ends)
            finding = finding_of(low, high, EVEN_RATE - self._margin)
            if finding is not GateFinding.UNCLEAR:
                return self._found(finding, low, high)
        return None

    def _found(self, finding: GateFinding, low: float, high: float) -> GateResult:
        seen = self._stretches[: self._bets.n]
        rates = np.asarray([stretch.total / stretch.n for stretch in seen])
        return early_result(finding, self._margin, rates, low, high, sum(stretch.n for stretch in seen))
