"""One test run with a judge: its settings, what was compared in which test, and the gate over all of it.

A worker of pytest-xdist compares, and hands its records to the controller with the tests' reports; the
controller alone, or the only process there is, has them all and decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from threading import RLock
from typing import Any

from judge.api import Judge
from judge.backends import Settings
from judge.errors import InputError
from judge.io.criteria import criteria_given
from judge.io.pairs import pair_from_cells, pair_to_json
from judge.io.verdicts import UNDECIDED, verdict_from_cells, verdict_to_json
from judge.ledger.replay import Replay
from judge.methods import AUTO, BY_CRITERIA, BY_GIVEN, DUAL, METHODS, WAYS
from judge.methods.auto import is_escalated
from judge.models.sizes import SIZES
from judge.options import JudgeOptions
from judge.plugin.gate import (
    FEWEST_FLIPS,
    GateFinding,
    GateResult,
    gate,
    lack_of_evidence,
    least_share_of,
    margin_of,
    sequential_gate,
)
from judge.plugin.growing import GrowingSuite
from judge.plugin.reportfile import check_report
from judge.plugin.suite import Comparison, mixed
from judge.records import Criterion, Pair, Share, Status

POLICIES = {"tie": "tie", "skip": "skip", "fail": "tie; an assertion on one fails"}
"""What a verdict that changes with the order may be to a test, and what it is to rates and the gate."""
Record = dict[str, Any]
Shared = tuple[str, str]
"""A fixture of a wider scope than a test, and its phase: set-up or teardown."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of a run, from the options or the ini file's keys of the same names."""

    model: str = Settings().base_model
    adapter: str = ""
    method: str = "fast"
    backend: str = "embedded"
    base_url: str = ""
    inconsistent: str = "tie"
    gate: str = ""
    min_readable: str = "80%"
    sequential: bool = False
    ledger: str = ""
    no_cache: bool = False
    report: str = ""
    calibration: str = ""
    criteria: str = ""
    update_baseline: bool = False
    ini: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where the settings that are not from an option were found: an ini file, or pytest's -o."""

    def __post_init__(self) -> None:
        said = self._said
        if self.inconsistent not in POLICIES:
            raise InputError(f"{said('inconsistent')}: must be one of {', '.join(POLICIES)}.")
        if self.method not in (*WAYS, AUTO) and self.method not in METHODS:
            known = ", ".join([*WAYS, AUTO, *METHODS.names()])
            raise InputError(f"{said('method')}: must be one of {known}.")
        if self.base_url and self.backend not in ("embedded", "server"):
            raise InputError(
                f"{said('base_url')} names a server, and {said('backend')} something else. Give one of them."
            )
        if self.sequential and not self.gate:
            raise InputError(f"{said('sequential')} stops a gate early: give --judge-gate too.")
        if self.gate:
            margin_of(self.gate, said("gate"))
        least_share_of(self.min_readable, said("min_readable"))
        _ = self.options.rule  # says before any test that a calibration cannot be read
        if self.report:
            check_report(self.report, said("report"), (self.ledger, self.calibration, self.criteria))

    def _said(self, name: str) -> str:
        """A setting as it was set: an option, or a line of the ini file after its path."""
        value = getattr(self, name)
        if place := self.ini.get(name):
            return f"{place}: judge_{name} = {'true' if value is True else value}"
        option = f"--judge-{name.replace('_', '-')}"
        return option if value is True else f"{option}={value}"

    @property
    def options(self) -> JudgeOptions:
        """The judge that they name."""
        backend = f"server:{self.base_url}" if self.base_url else self.backend
        settings = Settings(SIZES.get(self.model, self.model), self.adapter)
        return JudgeOptions(self.method, backend, settings=settings, calibration=self.calibration)


class Kind(StrEnum):
    """What a comparison is to the gate; only those that are `RATED` are in a rate."""

    COUNTED = "counted"
    FLIPPED = "flipped"
    UNCHANGED = "unchanged"
    UNREADABLE = "unreadable"
    UNDECIDED = "undecided"
    SKIPPED = "skipped"


RATED = (Kind.COUNTED, Kind.FLIPPED, Kind.UNCHANGED)
"""Kinds that count in a rate. Of unchanged answers no judge was asked: they are ties, and no evidence."""


@dataclass
class SuiteRun:
    """All comparisons of a run, by test; `judge` loads when it is first used."""

    settings: RunSettings
    records: dict[str, list[Record]] = field(default_factory=dict)
    """What counts. Of what a fixture of several tests compared, that is what the first of them has."""

    names: dict[str, str] = field(default_factory=dict)
    """What selects a test, where its reports call it otherwise."""

    collected: list[str] = field(default_factory=list)
    settled: GateResult | None = None
    approved: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_dry: bool = False
    """Whether pytest runs no test (--collect-only and the like), so that no gate is asked."""

    has_stopped: bool = False
    """Whether a test was skipped because the gate was settled: workers of pytest-xdist skip none."""

    item: Any = None
    suite_criteria: tuple[Criterion, ...] = field(init=False)
    """What all pairs are judged by that have no criteria of their own; none if the suite has none."""
    _asking: RLock = field(default_factory=RLock)
    """Held while a judge is loaded or asked: what it says of its last call is then of this one."""

    _ahead: dict[str, Comparison] = field(default_factory=dict)
    _n_of: Counter[Kind] = field(default_factory=Counter)
    _told: dict[str, list[Record]] = field(default_factory=dict)
    """What every test told, also what a fixture compared in other workers too."""

    _holders: dict[Shared, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The tests in which a fixture compared: one in each worker that set it up."""

    def __post_init__(self) -> None:
        """Raises InputError where the suite's criteria cannot be read."""
        self.suite_criteria = criteria_given(self.settings.criteria)

    @cached_property
    def judge(self) -> Judge:
        return self._judge_of(self.settings.options)

    @cached_property
    def slow_judge(self) -> Judge:
        """The judge that is asked for reasons if a test wants them."""
        options = self.settings.options
        return self._judge_of(options if options.is_service else options.slow)

    @cached_property
    def criteria_judge(self) -> Judge:
        """The judge of pairs with criteria: the run's own if its method reads them, else by `BY_GIVEN`."""
        options = self.settings.options
        is_own = options.is_service or options.asked_by in BY_CRITERIA
        return self.judge if is_own else self._judge_of(options.bare(BY_GIVEN))

    def _judge_of(self, options: JudgeOptions) -> Judge:
        return Judge.of(options, ledger=self.settings.ledger or None, cache=not self.settings.no_cache)

    def close(self) -> None:
        for name in ("judge", "slow_judge", "criteria_judge"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()

    def compare(self, pairs: Sequence[Pair]) -> list[Comparison]:
        """One comparison per pair; those with criteria of their own by the judge that reads them.

        Raises:
            JudgeError: a judge cannot be loaded, or failed.
        """
        pairs = [self._by_suite(pair) for pair in pairs]
        own, rest = ([one for one in pairs if bool(one.criteria) is has] for has in (True, False))
        compared = {id(one.pair): one for some in (rest, own) if some for one in self._compare(some)}
        return [compared[id(pair)] for pair in pairs]

    def _by_suite(self, pair: Pair) -> Pair:
        """The pair with the suite's criteria, where it has none of its own."""
        return pair if pair.criteria else replace(pair, criteria=self.suite_criteria)

    def _compare(self, pairs: Sequence[Pair]) -> list[Comparison]:
        """One comparison per pair; either all of them have criteria or none has."""
        with self._asking:
            judge = self.criteria_judge if pairs[0].criteria else self.judge
            verdicts = judge.judge(pairs)
            self.say(judge.notice)
            return [Comparison(*one) for one in zip(pairs, verdicts, judge.replay.made, strict=True)]

    def say(self, line: str) -> None:
        """Says it once in the summary; "" is nothing to say."""
        if line not in ("", *self.warnings):
            self.warnings.append(line)

    def criteria(self, pair: Pair) -> str:
        """The scores on each criterion as a table, its own or a plan's; a sentence if there are none."""
        from judge.drawing.steps import score_table

        with self._asking:
            judge = self.criteria_judge if pair.criteria else self.slow_judge
            [verdict] = judge.judge([pair])
        if table := score_table(verdict, 100):
            return table
        if verdict.status is Status.UNPARSED:
            return "The slow judge's replies could not be read."
        if self.settings.options.is_service:
            return "The judge behind the service scores no criteria."
        return "The slow judge scored no criterion."

    def compare_ahead(self, pair: Pair, others: Callable[[], Sequence[Pair]]) -> Comparison:
        """The comparison of a pair; others are judged with it, for when they are asked for.

        In a sequential run a pair is judged alone: others may never be needed.
        """
        pair = self._by_suite(pair)
        if pair.content_hash not in self._ahead:
            wanted = [pair] if self.settings.sequential else [*others(), pair]
            self._ahead |= {one.pair.content_hash: one for one in self.compare(wanted)}
        return replace(self._ahead[pair.content_hash], pair=pair)

    def add(self, test: str, records: Iterable[Record]) -> None:
        """Takes the records of a test, replacing those of an earlier phase or try; may settle the gate."""
        records = list(records)
        before, now = shared_in(self._told.get(test, ())), shared_in(records)
        owners = set(map(self._owner_of, before | now))
        self._told[test] = records
        for fixture in before - now:
            self._holders[fixture].remove(test)
        for fixture in now:
            self._holders[fixture].add(test)
        owners |= set(map(self._owner_of, before | now))
        for changed in (test, *sorted(owners - {test, ""})):
            self._count(changed)
        may_settle = self.settings.sequential and not self.settings.update_baseline  # approves all answers
        if may_settle and self.settled is None and self.is_gate_asked and not self.lack:
            self.settled = self._growing.look()

    def forget(self, test: str) -> None:
        """Drops what an earlier try of a test told: it begins anew, and may compare nothing."""
        if test in self._told:
            self.add(test, [])

    def _owner_of(self, fixture: Shared) -> str:
        """The first test in which a fixture compared, "" without one; by name where no order is known."""
        return min(self._holders[fixture], key=lambda test: (self._place_of(test), test), default="")

    def _count(self, test: str) -> None:
        """Counts what a test told, except what a fixture compared in an earlier test as well."""
        told = self._told[test]
        elsewhere = {fixture for fixture in shared_in(told) if self._owner_of(fixture) != test}
        kept = [record for record in told if record.get("shared") not in elsewhere]
        self._n_of.subtract(map(self.kind_of, self.records.get(test, ())))
        self._n_of.update(map(self.kind_of, kept))
        self.records[test] = kept
        if self.settings.sequential and self.settled is None:
            counted = self._mixed(kept)
            self._growing.take(test, [(record["score"], record["cluster"]) for record in counted])

    def _place_of(self, test: str) -> int:
        return self._places.get(test, len(self._places))

    @cached_property
    def _places(self) -> dict[str, int]:
        """Made when the first test ends: by then all of them are collected."""
        return {test: number for number, test in enumerate(self.collected)}

    @cached_property
    def _growing(self) -> GrowingSuite:
        """Made when the first test ends: by then all of them are collected."""
        return GrowingSuite(margin_of(self.settings.gate), self.collected)

    # --- what it came to

    @property
    def all_records(self) -> list[Record]:
        """In the order in which the tests were collected, whatever order they ran in."""
        return [record for test in self._tests() for record in self.records[test]]

    def comparisons(self) -> list[Comparison]:
        """All comparisons in that order, their pairs named by their tests, numbered if a test has several."""
        found = []
        for test in self._tests():
            records, name = self.records[test], self.names.get(test, test)
            ids = [name] if len(records) == 1 else [f"{name} ({n})" for n in range(1, len(records) + 1)]
            for id, record in zip(ids, records, strict=True):
                one = comparison_in(record)
                found.append(Comparison(replace(one.pair, id=id), replace(one.verdict, pair_id=id)))
        return found

    def _tests(self) -> list[str]:
        return sorted(self.records, key=self._place_of)

    @property
    def is_gate_asked(self) -> bool:
        """Whether this run has to pass a gate: not where answers were approved and none compared."""
        only_approves = self.settings.update_baseline and not self._n_of.total()
        return bool(self.settings.gate) and not self.is_dry and not only_approves

    @property
    def lack(self) -> str:
        """Why the gate cannot tell, in words; "" where it can, or is not asked."""
        if not self.is_gate_asked:
            return ""
        return self.lack_in(self._n_of)

    def lack_in(self, n_of: Mapping[Kind, int]) -> str:
        """Why comparisons, so many of each kind, decide nothing; "" where they may."""
        n_readable = n_of[Kind.COUNTED] + n_of[Kind.FLIPPED]
        n_called = n_readable + n_of[Kind.UNREADABLE] + n_of[Kind.SKIPPED]
        n_undecided = n_of[Kind.UNDECIDED]
        is_all = n_undecided >= FEWEST_FLIPS or not n_of[Kind.UNCHANGED]
        if n_undecided and not n_called and is_all:
            return f"all {n_undecided} changed answers are undecided"
        return lack_of_evidence(
            n_readable,
            n_called,
            least_share_of(self.settings.min_readable),
            n_of[Kind.SKIPPED],
            n_flipped=n_of[Kind.FLIPPED],
            n_unchanged=n_of[Kind.UNCHANGED],
        )

    @property
    def counted(self) -> list[Record]:
        """The comparisons that say something: readable, not undecided, and not skipped as inconsistent."""
        return self._counted_in(self.all_records)

    def _counted_in(self, records: Iterable[Record]) -> list[Record]:
        return [record for record in records if self.kind_of(record) in RATED]

    def _mixed(self, records: Iterable[Record]) -> list[Record]:
        """Those of a test that say something, cluster by cluster: a file of pairs has its topics as well."""
        return sorted(self._counted_in(records), key=lambda record: mixed(record["cluster"]))

    @property
    def n_skipped(self) -> int:
        """How many comparisons are skipped as inconsistent."""
        return self._n_of[Kind.SKIPPED]

    @property
    def n_undecided(self) -> int:
        """How many comparisons are too close to call: no evidence either way, and not a lack of it."""
        return self._n_of[Kind.UNDECIDED]

    def kind_of(self, record: Record) -> Kind:
        """What a comparison is to the gate."""
        if is_undecided(record):
            return Kind.UNDECIDED
        if is_skipped(record["verdict"]["status"], self.settings.inconsistent):
            return Kind.SKIPPED
        if record["score"] is None:
            return Kind.UNREADABLE
        if record["unchanged"]:
            return Kind.UNCHANGED
        is_flip = record["verdict"]["status"] == Status.INCONSISTENT
        return Kind.FLIPPED if is_flip else Kind.COUNTED

    @property
    def is_failed(self) -> bool:
        """Whether the gate fails the run: the new answers are worse, or nothing shows that they are not."""
        found = self.gate()
        return bool(self.lack) or (found is not None and found.finding is GateFinding.WORSE)

    def gate(self) -> GateResult | None:
        """What the gate finds; None where it is not asked, or cannot tell."""
        if not self.is_gate_asked or self.lack:
            return None
        if self.settled is not None:
            return self.settled
        is_sequential, margin = self.settings.sequential, margin_of(self.settings.gate)
        read = self._mixed if is_sequential else self._counted_in
        counted = [record for test in self._tests() for record in read(self.records[test])]
        scores = [record["score"] for record in counted]
        clusters = [record["cluster"] for record in counted]
        if not is_sequential:
            return gate(scores, clusters, margin)
        return sequential_gate(scores, clusters, margin, is_complete=True)


def is_skipped(status: str, policy: str) -> bool:
    """Whether a verdict of this status counts for nothing under this policy for inconsistent ones."""
    return policy == "skip" and status == Status.INCONSISTENT


def shared_in(records: Iterable[Record]) -> set[Shared]:
    """The fixtures of a wider scope than a test that compared some of these."""
    return {record["shared"] for record in records if "shared" in record}


def is_undecided(record: Record) -> bool:
    """Whether the judge's calibration calls a comparison too close to call."""
    return UNDECIDED in record["verdict"]


def record_of(comparison: Comparison, cluster: str) -> Record:
    """A comparison as plain values, which travel with a test's report."""
    return {
        "score": comparison.score,
        "cluster": cluster,
        "escalated": is_escalated(comparison.verdict),
        "unchanged": comparison.verdict.is_identical,
        "made": comparison.made,
        "pair": pair_to_json(comparison.pair),
        "verdict": verdict_to_json(comparison.verdict),
    }


def comparison_in(record: Record) -> Comparison:
    """The comparison that a record holds."""
    pair: Mapping[str, Any] = record["pair"]
    verdict = verdict_from_cells(record["verdict"])
    return Comparison(pair_from_cells(pair, pair["id"]), verdict, record["made"])


def property_of(record: Record) -> str:
    """A comparison in a few words, for JUnit's properties."""
    if record["unchanged"]:
        return "unchanged, no judge was asked"
    verdict = record["verdict"]
    winner = {1.0: "new", 0.0: "approved", 0.5: "tie", None: "unreadable"}[record["score"]]
    winner = "undecided" if is_undecided(record) else winner
    p = "" if verdict["p_a"] is None else f", P(new is better) {verdict['p_a']:.3f}"
    return f"{winner}, {verdict['status']}{p}, by {verdict['judge']}"


# --- in words --------------------------------------------------------------------------------------------


def lines_of(run: SuiteRun) -> list[str]:
    """The summary of a run for the terminal."""
    records = run.all_records
    if not records:
        return cannot_tell(run)
    counted, n = run.counted, len(records)
    statuses = [record["verdict"]["status"] for record in records]
    wins, losses = (sum(record["score"] == score for record in records) for score in (1.0, 0.0))
    n_unread = statuses.count(Status.UNPARSED)
    n_read = n - n_unread
    ties, flips = len(counted) - wins - losses, Share(statuses.count(Status.INCONSISTENT), n_read)
    skipped = ", left out of every rate" if run.n_skipped else ""
    lines = [
        f"{n} comparisons: the new answer won {wins}, the approved one {losses}, {ties} ties",
        f"inconsistent: {flips}, counted as {POLICIES[run.settings.inconsistent]}{skipped}",
    ]
    if run.n_undecided:
        lines.append(
            f"undecided: {Share(run.n_undecided, n_read)}, too close to call, left out of every rate"
        )
    if n_unread:
        lines.append(f"unreadable: {Share(n_unread, n)}, left out of every rate")
    if run.settings.options.asked_by in (AUTO, DUAL[-1]):
        lines.append(escalated_line(records))
    lines += cannot_tell(run)
    found = run.gate()
    if found is not None:
        lines += gate_lines(found, run.has_stopped, n - len(counted) - run.n_undecided)
    lines += known_lines(run, records)
    judges = sorted({record["verdict"]["judge"] for record in records})
    return [*lines, f"judge: {', '.join(judges)}"]


def known_lines(run: SuiteRun, records: Sequence[Record]) -> list[str]:
    """How many verdicts the ledger had; those of a run that keeps none can only be its own."""
    replay = Replay(tuple(record["made"] for record in records))
    if not run.settings.no_cache:
        return [str(replay)]
    n = replay.n_known
    return [f"{n:,} of {len(records):,} were compared before in this run"] if n else []


def cannot_tell(run: SuiteRun) -> list[str]:
    """The gate's line where it has not enough to go by."""
    if not run.lack:
        return []
    way_out = f" {WITHOUT_GATE}" if not run.all_records else ""
    return [f"gate not-worse:{margin_of(run.settings.gate):g}: cannot tell: {run.lack}.{way_out}"]


WITHOUT_GATE = "A run without judge tests is one with --judge-gate= (nothing after it)."


def escalated_line(records: Sequence[Record]) -> str:
    """How many cases the judge chose to judge slowly, and what each of them took."""
    slow = [comparison_in(record).n_tokens for record in records if record["escalated"]]
    took = f", {sum(slow) / len(slow):,.0f} tokens each in the mean" if slow else ""
    return f"escalated (judged slowly by the judge's own choice): {Share(len(slow), len(records))}{took}"


def gate_lines(found: GateResult, is_early: bool, n_left_out: int) -> list[str]:
    """What a gate found, and what would settle it; `n_left_out` comparisons were unreadable or skipped."""
    bound = 50 - 100 * found.margin
    named = "mean of the clusters' win rates" if found.is_by_cluster else "win rate"
    rate = (
        f"{named} {100 * found.win_rate:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f}) over "
        f"{found.n_cases} cases in {found.n_clusters} clusters, ties half"
        f"{f'; {n_left_out} unreadable or skipped left out' if n_left_out else ''}"
    )
    says = {
        GateFinding.WORSE: f"WORSE: all of the interval is below {bound:g} %",
        GateFinding.NOT_WORSE: f"not worse: all of the interval is at or above {bound:g} %",
        GateFinding.UNCLEAR: f"too few to tell: the interval has {bound:g} % in it",
    }[found.finding]
    if found.n_needed is not None:
        says += f"; about {found.n_needed:,} cases like these would do"
    early = ["settled early: cases after that were skipped"] if is_early else []
    return [f"gate not-worse:{found.margin:g}: {says}", rate, *early]
