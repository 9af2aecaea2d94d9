"""What tests see of the judge: the object behind the fixture, the marker's data set, and the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from judge.errors import InputError, JudgeError
from judge.forms.reading import file_at
from judge.io.criteria import criteria_given
from judge.io.given import asked, one_system, optional_given, text_given
from judge.io.wording import did_you_mean, one_line, visible
from judge.io.writing import write_whole
from judge.plugin.approved import (
    UPDATE,
    Approved,
    file_for,
    has_same_lines,
    is_same_text,
    read_approved,
    write_approved,
)
from judge.plugin.casefile import cluster_in, newer_first
from judge.plugin.fixtures import RECORDS, SHARED, file_of, id_of, key_of_fixture, owner_of, shared_one
from judge.plugin.run import RATED, Kind, Record, SuiteRun, is_skipped, lines_of, property_of, record_of
from judge.plugin.suite import SCORES, Comparison, cluster_of
from judge.plugin.testnames import id_of_test
from judge.records import Criterion, Message, Order, Outcome, Pair, Status, Verdict

NAMES: pytest.StashKey[dict[str, bool]] = pytest.StashKey()
"""What a test's approved answers are called so far, and whether that is a key: others have "" or a number."""

APPROVED: pytest.StashKey[list[str]] = pytest.StashKey()
N_TOLD: pytest.StashKey[int] = pytest.StashKey()
"""How many records and approved answers of a test the reports of its earlier phases had."""

JUDGED: pytest.StashKey[list[Comparison]] = pytest.StashKey()
MAX_SHOWN = 2000
SETTLED = "the gate is settled"
Prompt = str | Sequence[Mapping[str, Any]]


class SuiteJudge:
    """Compares new answers with approved ones. What is compared counts for the gate of the run."""

    def __init__(self, run: SuiteRun) -> None:
        self._run = run
        self._owners: dict[str, tuple[Path, tuple[str, object]]] = {}
        """Whose approved answer each file is: a test's or a fixture's."""

    def compare(
        self,
        prompt: Prompt,
        response: str,
        baseline: str | None = None,
        *,
        key: str = "",
        reference: str | None = None,
        system: str | None = None,
        category: str | None = None,
        cluster: str | None = None,
        criteria: str | Path | Sequence[str] = (),
    ) -> Verdict | None:
        """The verdict on the new answer (A) beside the approved one (B), read in both orders.

        Args:
            prompt: what was asked, or a conversation that ends in a question, as messages with role and
                content. A system message at its start is the system text. Texts may be given in parts.
            baseline: the approved answer; None takes the one that --judge-update-baseline wrote.
            key: which approved answer, in a test that has several; by default they are numbered. Each key may
            be used once in a test.
            cluster: comparisons with one name count as one for the gate's interval; by default those with the
            same first question.
            criteria: what it is judged by, as lines in a list, or a file of them beside the test.

        Returns:
            The verdict; None where the new answer was just approved.
        """
        __tracebackhide__ = True
        comparison = self._compared(
            prompt,
            response,
            baseline,
            key=key,
            reference=reference,
            system=system,
            category=category,
            cluster=cluster,
            criteria=criteria,
        )
        return None if comparison is None else comparison.verdict

    def _compared(
        self,
        prompt: Prompt,
        response: str,
        baseline: str | None,
        *,
        key: str = "",
        reference: str | None = None,
        system: str | None = None,
        category: str | None = None,
        cluster: str | None = None,
        criteria: str | Path | Sequence[str] = (),
    ) -> Comparison | None:
        """What `compare` says, with its pair. The caller's own: other threads may compare meanwhile."""
        __tracebackhide__ = True
        try:
            in_prompt, question = asked(prompt)
            response, key = text_given(response, "response"), text_given(key, "key")
            cluster, category = optional_given(cluster, "cluster"), optional_given(category, "category")
            system, reference = one_system(in_prompt, system), optional_given(reference, "reference")
            if baseline is None:
                baseline = self._approved(question, response, key)
                if baseline is None:
                    return None
            pair = Pair.of(
                question,
                response,
                text_given(baseline, "baseline"),
                reference=reference,
                system=system,
                category=category,
                criteria=criteria_beside(self._item, criteria),
            )
            [comparison] = self._run.compare([pair])
        except JudgeError as error:
            give_up(error)
        add_records(self._item, [record_of(comparison, cluster or cluster_of(pair))])
        return comparison

    def assert_preferred(
        self, prompt: Prompt, response: str, baseline: str | None = None, **more: Any
    ) -> None:
        """Fails unless the new answer wins. See `assert_not_worse` for the arguments."""
        __tracebackhide__ = True
        self._expect("preferred", prompt, response, baseline, **more)

    def assert_not_worse(
        self, prompt: Prompt, response: str, baseline: str | None = None, **more: Any
    ) -> None:
        """Fails if the approved answer wins.

        Args:
            explain: also ask the slow judge, and show its scores on each criterion in the message.
            prompt, response, baseline, more: as in `compare`.
        """
        __tracebackhide__ = True
        self._expect("not-worse", prompt, response, baseline, **more)

    def _expect(
        self,
        expect: str,
        prompt: Prompt,
        response: str,
        baseline: str | None,
        *,
        explain: bool = False,
        **more: Any,
    ) -> None:
        __tracebackhide__ = True
        comparison = self._compared(prompt, response, baseline, **more)
        if comparison is not None:
            self.check(comparison, expect, explain)

    def check(self, comparison: Comparison, expect: str, explain: bool = False) -> None:
        """Fails or skips the test if the comparison is not as expected."""
        __tracebackhide__ = True
        status, policy = comparison.verdict.status, self._run.settings.inconsistent
        if comparison.verdict.is_undecided:
            pytest.skip(f"undecided: P(new is better) {comparison.verdict.p_a:.3f} is too close to call")
        if is_skipped(status, policy):
            pytest.skip("the verdict changes when the answers swap places")
        is_flip = status is Status.INCONSISTENT and policy == "fail"
        if (
            not is_flip
            and comparison.score is not None
            and comparison.score >= {"preferred": 1.0}.get(expect, 0.5)
        ):
            return
        raise AssertionError(
            why_not_as_expected(comparison, expect, self._criteria(comparison.pair) if explain else "")
        )

    def _criteria(self, pair: Pair) -> str:
        return self._run.criteria(pair)

    def _approved(self, asked: str | Sequence[Message], response: str, key: str) -> str | None:
        """The approved answer, None where the new one was just approved.

        Where the two differ in their line ends alone, it is the new one: git may have changed them.
        """
        item, question = self._item, as_text(asked)
        try:
            file = self._file_of_answer(key)
            if self._run.settings.update_baseline:
                write_approved(file, Approved(question, response))
                item.stash[APPROVED].append(relative(file))
                return None
            found = read_approved(file)
        except JudgeError as error:
            give_up(error)
        command = f'{UPDATE} "{id_of_test(item)}"'
        if found is None:
            pytest.fail(
                f"no approved answer in {relative(file)}. To approve the new one: {command}", pytrace=False
            )
        if not is_same_text(found.prompt, question):
            pytest.fail(
                f"the approved answer in {relative(file)} is to another prompt. To approve the new one: "
                f"{command}\n\n"
                f"[Its prompt]\n{clipped(found.prompt)}\n\n[The prompt now]\n{clipped(question)}",
                pytrace=False,
            )
        return response if has_same_lines(found.response, response) else found.response

    def _file_of_answer(self, key: str) -> Path:
        """The file of the next approved answer of the test or the fixture that runs now.

        Raises:
            InputError: the key is taken, or the file is that of another test or fixture.
        """
        item, name = self._item, id_of_test(self._item)
        fixture = shared_one(item.config)
        test = key_of_test(name) if fixture is None else key_of_fixture(fixture)
        which = name_of_answer(item.stash[NAMES] if fixture is None else fixture.names, key)
        path = item.path if fixture is None else file_of(fixture)
        file = file_for(path, f"{test}.{which}" if which else test)
        owner = (name, None) if fixture is None else owner_of(fixture)
        taken, other = self._owners.setdefault(str(file).casefold(), (file, owner))
        if other != owner:
            why = "" if taken == file else " (names that differ in case alone are one to macOS and Windows)"
            raise InputError(
                f"{relative(file)}: the file of two approved answers{why}, of {other[0]} and of {owner[0]}. "
                'Give one of them a key of its own: judge.compare(..., key="...").'
            )
        return file

    @property
    def _item(self) -> pytest.Item:
        item: pytest.Item | None = self._run.item
        if item is None:
            pytest.fail("the fixture judge compares inside a test, not outside of one", pytrace=False)
        return item


def key_of_test(nodeid: str) -> str:
    """What a test's approved answers are called: class, name and parameters, with dots between the first."""
    name, bracket, parameters = nodeid.partition("::")[2].partition("[")
    return f"{name.replace('::', '.')}{bracket}{parameters}"


def name_of_answer(taken: dict[str, bool], key: str) -> str:
    """What a test's next approved answer is called: its key, else "" if it is the first, else its number.

    Args:
        taken: the names so far, and whether each is a key; the new one is added.

    Raises:
        InputError: the name is taken, so that one answer would be written over another.
    """
    number = len(taken) + 1
    name = key or ("" if number == 1 else str(number))
    if name in taken:
        if key and taken[name]:
            raise InputError(f"key {key!r} is used twice in this test. Give each answer a key of its own.")
        raise InputError(
            f"key {name!r} is also the number of an answer without a key in this test. Take another key."
        )
    taken[name] = bool(key)
    return name


def criteria_beside(item: pytest.Item, given: str | Path | Sequence[str]) -> tuple[Criterion, ...]:
    """The criteria of a test: lines, or a file that is named from the test's folder. Raises InputError."""
    return criteria_given(item.path.parent / given if given and isinstance(given, str | Path) else given)


def as_text(asked: str | Sequence[Message]) -> str:
    if isinstance(asked, str):
        return asked
    return "\n\n".join(f"{message.role}: {message.content}" for message in asked)


def give_up(error: JudgeError) -> NoReturn:
    """The test fails with the one line of an expected error."""
    __tracebackhide__ = True
    raise pytest.fail.Exception(f"judge: {error}", pytrace=False) from None


# --- a test's records ------------------------------------------------------------------------------------


def begin(run: SuiteRun, item: pytest.Item, is_judged: bool) -> None:
    """Starts a test; if the gate is settled, a test that would judge is skipped, unless it is tried again."""
    run.item = item
    is_first_try = RECORDS not in item.stash
    shared = item.stash.setdefault(SHARED, [])  # of a try before: the fixtures that made them stay
    item.stash[RECORDS] = list(shared)
    if JUDGED in item.stash:
        del item.stash[JUDGED]
    item.stash[APPROVED] = []
    item.stash[NAMES] = {}
    item.stash[N_TOLD] = 0
    check_markers(item)
    if is_judged and run.settled is not None and is_first_try:
        run.has_stopped = True
        pytest.skip(SETTLED)


def add_records(item: pytest.Item, records: Sequence[Record]) -> None:
    """Takes what was compared in a test; what a wide fixture compared is marked with its name and phase."""
    fixture = shared_one(item.config)
    if fixture is not None:
        records = [record | {"shared": (id_of(fixture), fixture.phase)} for record in records]
        item.stash[SHARED] += records
    item.stash[RECORDS] += records


def properties_of(item: pytest.Item) -> list[tuple[str, object]]:
    """What was compared in a test so far, for JUnit."""
    return [("judge", property_of(record)) for record in item.stash.get(RECORDS, [])]


def told_of(item: pytest.Item, report: pytest.TestReport) -> dict[str, Any] | None:
    """What a phase's report carries to the deciding process: all that the test compared and approved so far.

    None if that is nothing, or if another phase's report has it all: the call's after a set-up that passed,
    an earlier one at the teardown.
    """
    records, approved = item.stash.get(RECORDS, []), item.stash.get(APPROVED, [])
    n = len(records) + len(approved)
    is_told_later = report.when == "setup" and report.passed
    is_told = report.when == "teardown" and n == item.stash.get(N_TOLD, 0)
    if is_told_later or is_told:
        return None
    item.stash[N_TOLD] = n
    return {"records": records, "approved": approved} if n else None


# --- the marker ------------------------------------------------------------------------------------------

MARKER_KEYS = ("dataset", "min_win_rate", "limit", "criteria")


def check_markers(item: pytest.Item) -> None:
    """Ends the test as an error where one of its markers has a wrong argument."""
    __tracebackhide__ = True
    if any(sum(mark.name == "judge" for mark in node.own_markers) > 1 for node in item.listchain()):
        pytest.fail("@pytest.mark.judge: a test has one data set. Write a test for each.", pytrace=False)
    for marker in item.iter_markers("judge"):
        if problem := problem_of(marker):
            pytest.fail(f"@pytest.mark.judge: {problem}", pytrace=False)


def problem_of(marker: pytest.Mark) -> str:
    """What is wrong with a marker, or ""."""
    given = marker.kwargs
    if unknown := [name for name in given if name not in MARKER_KEYS]:
        hint = did_you_mean(unknown[0], MARKER_KEYS)
        return f"unknown argument {unknown[0]!r}.{hint} The arguments are {', '.join(MARKER_KEYS)}."
    if len(marker.args) + ("dataset" in given) != 1:
        return 'it needs the file of pairs: @pytest.mark.judge(dataset="pairs.jsonl").'
    name = marker.args[0] if marker.args else given["dataset"]
    if not isinstance(name, str | Path) or not str(name):
        return f"dataset is {name!r}. It must be the name of a file."
    rate, limit = given.get("min_win_rate", 0.5), given.get("limit")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        return f"min_win_rate is {rate!r}. It must be a number from 0 to 1."
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        return f"limit is {limit!r}. It must be a whole number from 1 up."
    return ""


def judged_by_marker(run: SuiteRun, item: pytest.Item) -> list[Comparison]:
    """The comparisons of the marker's data set, judged once a test; their records are the test's."""
    if JUDGED in item.stash:
        return item.stash[JUDGED]
    marker = item.get_closest_marker("judge")
    if marker is None:
        pytest.fail('the fixture judged needs @pytest.mark.judge(dataset="pairs.jsonl")', pytrace=False)
    name = marker.args[0] if marker.args else marker.kwargs["dataset"]
    try:
        criteria = criteria_beside(item, marker.kwargs.get("criteria") or ())
        pairs = newer_first(file_at(item.path.parent / name), run.say)[: marker.kwargs.get("limit")]
        clusters = [cluster_in(one, f"{name}, {one.id}") for one in pairs]
        comparisons = run.compare([replace(one, criteria=one.criteria or criteria) for one in pairs])
    except JudgeError as error:
        give_up(error)
    add_records(item, [record_of(*both) for both in zip(comparisons, clusters, strict=True)])
    item.stash[JUDGED] = comparisons
    return comparisons


def check_data_set(run: SuiteRun, item: pytest.Item) -> None:
    """Fails the test if the new answers of its marker's data set win too rarely, ties half.

    It fails as well where that cannot be told, by the gate's rule.
    """
    __tracebackhide__ = True
    marker = item.get_closest_marker("judge")
    assert marker is not None
    comparisons = judged_by_marker(run, item)
    kinds = [run.kind_of(record_of(one, cluster_of(one.pair))) for one in comparisons]
    rated = [(one, kind) for one, kind in zip(comparisons, kinds, strict=True) if kind in RATED]
    scores = [one.score for one, _ in rated if one.score is not None]
    least = marker.kwargs.get("min_win_rate", 0.5)
    lack = run.lack_in(Counter(kinds))
    if lack and set(kinds) - {Kind.UNCHANGED} == {Kind.UNDECIDED}:
        pytest.skip(f"{lack}: too close to call")
    if lack:
        pytest.fail(f"cannot tell whether the new answers win often enough: {lack}", pytrace=False)
    rate = sum(scores) / len(scores)
    if rate < least:
        pytest.fail(
            f"the new answers win {100 * rate:.1f} % of {len(scores)} pairs, ties half; at least "
            f"{100 * least:g} % are wanted. {what_was_not_won(rated)}",
            pytrace=False,
        )


HALVES = {Kind.COUNTED: "tied", Kind.FLIPPED: "inconsistent", Kind.UNCHANGED: "unchanged"}
"""What pairs that count half are called, by what they are to the gate."""


def what_was_not_won(rated: Sequence[tuple[Comparison, Kind]]) -> str:
    """The clearest losses of a data set, with their texts; without one, which pairs count half, and why."""
    losses = [one for one, _ in rated if one.score == 0]
    if losses:
        worst = sorted(losses, key=lambda one: (one.verdict.p_a is None, one.verdict.p_a or 0.0))[:3]
        shown = "\n\n".join(why_not_as_expected(one, "not-worse") for one in worst)
        return f"They lose {len(losses)}; the clearest of them:\n\n{shown}"
    halves: dict[Kind, list[str]] = {kind: [] for kind in HALVES}
    for one, kind in rated:
        if one.score == SCORES[Outcome.TIE]:
            halves[kind].append(one.pair.id)
    named = ", ".join(f"{len(ids)} {HALVES[kind]} ({first_ids(ids)})" for kind, ids in halves.items() if ids)
    return f"They lose 0; what counts half: {named}."


def first_ids(ids: Sequence[str]) -> str:
    return visible(", ".join(ids[:3])) + (", ..." if len(ids) > 3 else "")


# --- in words --------------------------------------------------------------------------------------------


def why_not_as_expected(comparison: Comparison, expect: str, criteria: str = "") -> str:
    """Why a comparison is not as expected: what the judge said in both orders, and both answers."""
    pair, verdict = comparison.pair, comparison.verdict
    parts = [
        headline(verdict, expect),
        *said_by_judge(verdict),
        f"[Prompt]\n{clipped(pair.prompt)}",
        f"[New answer]\n{clipped(pair.response_a)}",
        f"[Approved answer]\n{clipped(pair.response_b)}",
    ]
    if criteria:
        parts.append(f"[Scores by criterion: A is the new answer, B the approved one]\n{criteria}")
    if not verdict.is_identical:
        parts.append(f"judge: {verdict.judge}")
    return "\n\n".join(parts)


def headline(verdict: Verdict, expect: str) -> str:
    from judge.drawing.steps import graded_steps

    wanted = "it should win" if expect == "preferred" else "it should not lose"
    if verdict.status is Status.UNPARSED:
        return "no verdict: a reply of the judge could not be read"
    if verdict.status is Status.INCONSISTENT:
        return f"the verdict changes when the answers swap places, so it says nothing about them; {wanted}"
    if verdict.is_identical:
        return f"the new answer is the same as the approved one, so no judge was asked; {wanted}"
    won = {Outcome.A: "the new answer is better", Outcome.B: "the approved answer is better"}
    found = won.get(verdict.outcome or Outcome.TIE, "both answers are equally good")
    return f"{found}{'' if graded_steps(verdict) else ', in both orders'}; {wanted}"


def said_by_judge(verdict: Verdict) -> list[str]:
    """What the judge said in each order, and how much it read; nothing where none was asked."""
    if verdict.is_identical:
        return []
    return ["\n".join(f"  {line}" for line in lines_by_order(verdict)), *cut_line(verdict)]


def cut_line(verdict: Verdict) -> list[str]:
    """That the answers were shortened for the judge, as one line; none where they were not."""
    from judge.drawing.steps import cut_in_words

    words = cut_in_words(verdict)
    return [f"{words.capitalize()}."] if words else []


def lines_by_order(verdict: Verdict) -> list[str]:
    """What was said in each order, and the mean; the grades where each answer was graded alone."""
    from judge.drawing.steps import grades_in_words
    from judge.orders import outcome_of, probability_of_a
    from judge.records import Unparsed

    if grades := grades_in_words(verdict, ("new", "approved")):
        return [grades, f"P(new is better) {verdict.p_a:.3f}"]
    names = {Outcome.A: "new", Outcome.B: "approved", Outcome.TIE: "tie"}
    lines = []
    for order, first in ((Order.AB, "new"), (Order.BA, "approved")):
        reading = verdict.readings[order]
        if isinstance(reading, Unparsed):
            lines.append(f"{first} shown first: not readable ({one_line(reading.reason)})")
            continue
        p_a = probability_of_a(reading, order)
        p = "" if p_a is None else f", P(new is better) {p_a:.3f}"
        lines.append(f"{first} shown first: {names[outcome_of(reading.choice, order)]}{p}")
    return lines if verdict.p_a is None else [*lines, f"mean of both: P(new is better) {verdict.p_a:.3f}"]


def clipped(text: str) -> str:
    """The text without terminal control codes; a long one loses its middle."""
    text = visible(text)
    if len(text) <= MAX_SHOWN:
        return text
    half = MAX_SHOWN // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half:,} characters left out ...]\n{text[-half:]}"


def relative(file: Path) -> str:
    try:
        return str(file.relative_to(Path.cwd()))
    except (ValueError, OSError):  # it lies elsewhere, or the working folder is gone
        return str(file)


# --- the end of a run ------------------------------------------------------------------------------------


def finish(session: pytest.Session, run: SuiteRun) -> None:
    """The gate decides, and the report is written. A run that failed otherwise stays failed.

    Nothing is raised: whatever goes wrong here is a line of the summary, and fails the run.
    """
    try:
        is_failed = run.is_failed
    except Exception as error:
        is_failed = True
        run.problems.append(f"the gate: {in_a_line(error)}")
    for step in (write_report, SuiteRun.close):
        try:
            step(run)
        except Exception as error:
            is_failed = True
            run.problems.append(in_a_line(error))
    if is_failed and session.exitstatus in PASSED:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def in_a_line(error: Exception) -> str:
    """The error for the summary: ours speak for themselves, others need their name."""
    return str(error) if isinstance(error, JudgeError) else one_line(f"{type(error).__name__}: {error}")


PASSED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def summarise(terminal: Any, run: SuiteRun) -> None:
    """The run's section on the terminal. Nothing is raised: pytest's own summary comes after it."""
    approved = sorted(set(run.approved))
    try:
        lines, is_failed = lines_of(run), run.is_failed
    except Exception as error:
        lines, is_failed = [], False
        run.problems.append(f"no summary: {in_a_line(error)}")
    if not (lines or approved or run.problems or run.warnings):
        return
    terminal.section("judge", sep="=")
    for line in lines:
        terminal.line(line)
    if is_failed:
        terminal.line("The gate fails this run.", red=True)
    for warning in run.warnings:
        terminal.line(f"judge: {warning}", yellow=True)
    if approved:
        what = "answer" if len(approved) == 1 else "answers"
        terminal.line(f"approved {len(approved)} {what}: {', '.join(approved[:5])}")
    for problem in run.problems:
        terminal.line(f"judge: {problem}", red=True)
    if run.settings.report and run.all_records and not run.problems:
        terminal.line(f"report: {relative(Path(run.settings.report))}")


REPORT_TITLE = "New answers (A) beside the approved ones (B)"


def write_report(run: SuiteRun) -> None:
    """Every comparison as one HTML page, if one is wanted. Raises InputError where it cannot be written."""
    if not run.settings.report:
        return
    if not run.all_records:
        if not run.is_dry and Path(run.settings.report).exists():
            run.say(f"{run.settings.report} is of an earlier run: nothing was compared now.")
        return
    from judge.report.page import format_html
    from judge.report.summary import summarize

    comparisons = run.comparisons()
    judges = ", ".join(sorted({one.verdict.judge for one in comparisons}))  # criteria have one of their own
    verdicts = [replace(one.verdict, judge=judges) for one in comparisons]
    report = summarize(verdicts, [one.pair for one in comparisons])
    report = replace(report, skips_inconsistent=run.settings.inconsistent == "skip")
    page = format_html(report, REPORT_TITLE)
    write_whole(run.settings.report, page)
