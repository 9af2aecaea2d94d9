"""Case files as test items: one item per case, read from `judge_cases.jsonl` or `judge_cases.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from judge.errors import JudgeError
from judge.plugin.casefile import Case, read_cases
from judge.plugin.judging import SuiteJudge, add_records, give_up, relative
from judge.plugin.run import SuiteRun, record_of


class CaseFile(pytest.File):
    """A file of cases. Bad lines are reported as one collection error, all of them at once."""

    def __init__(self, *, run: SuiteRun, **given: Any) -> None:
        super().__init__(**given)
        self.run = run

    def collect(self) -> Iterable[pytest.Item]:
        try:
            cases = read_cases(Path(relative(self.path)), self.run.say)
        except JudgeError as error:
            raise self.CollectError(str(error)) from None
        for case in cases:
            yield CaseItem.from_parent(self, name=node_name(case.pair.id), case=case, run=self.run)


MARKS = re.compile(r"%(?=[0-9A-Fa-f]{2})|::|^:|:$|[\[\]]|^\s+|\s+$")


def node_name(id: str) -> str:
    """The id as pytest can find it again: what is a mark in a node id, or cannot be seen, as in an address.

    "a::b" is "a%3A%3Ab". No two ids have one name.
    """
    marked = MARKS.sub(lambda found: escaped(found[0]), id)
    return "".join(one if one.isprintable() else escaped(one) for one in marked)


def escaped(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8"))


class CaseItem(pytest.Item):
    """One case. It fails if its own expectation is not met; without one, it counts for the gate alone."""

    def __init__(self, *, case: Case, run: SuiteRun, **given: Any) -> None:
        super().__init__(**given)
        self.judge_case = case
        self._run = run

    def runtest(self) -> None:
        run, case = self._run, self.judge_case
        try:
            comparison = run.compare_ahead(case.pair, self.siblings)
        except JudgeError as error:
            give_up(error)
        add_records(self, [record_of(comparison, case.cluster)])
        if case.expect:
            SuiteJudge(run).check(comparison, case.expect)

    def siblings(self) -> list[Any]:
        """The pairs of all cases that run here, as judging them together takes less time.

        A worker of pytest-xdist does not know which of them it will get, and judges one after the other.
        """
        if hasattr(self.config, "workerinput"):
            return []
        return [item.judge_case.pair for item in self.session.items if isinstance(item, CaseItem)]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, AssertionError):
            return f"{self.judge_case.where}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        file, _, line = self.judge_case.where.rpartition(":")  # a case that was a pair has no line
        has_line = line.isdecimal() and file.endswith(self.path.name)
        return self.path, int(line) - 1 if has_line else None, f"case {self.name}"
