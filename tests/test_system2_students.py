"""The students of benchmarks/system2, really trained: a tiny model learns rows and answers by its adapter."""

from __future__ import annotations

import pytest
from models import VERDICT_MERGES, make_model

from benchmarks.system2 import students
from benchmarks.system2.students import Lesson, OwnWorkshop
from distill.replies import Ask, Replies
from judge.ledger.ledger import Ledger

pytestmark = pytest.mark.slow

LESSONS = [Lesson(f"{n}?", "y") for n in range(4)]
EPOCHS = 30


def test_a_student_replies_what_it_was_taught_and_is_not_trained_twice(tmp_path, monkeypatch):
    # A random model has further to go than a real one.
    monkeypatch.setattr(students, "TRAINING", {**students.TRAINING, "learning_rate": 0.02})
    base = str(make_model(tmp_path / "tiny", VERDICT_MERGES))
    workshop, folder = OwnWorkshop(), tmp_path / "distilled-0"
    student = workshop.teach(LESSONS, base, folder, seed=0, epochs=EPOCHS, layers=1.0)
    assert (student.base_model, student.adapter, student.n_steps) == (base, folder / "adapter", EPOCHS)
    before = {path: path.stat().st_mtime_ns for path in student.adapter.iterdir()}
    assert workshop.teach(LESSONS, base, folder, seed=0, epochs=EPOCHS, layers=1.0) == student
    assert {path: path.stat().st_mtime_ns for path in student.adapter.iterdir()} == before

    asks = [Ask(one.asked) for one in LESSONS]
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        bare = Replies(workshop.load(base, None), ledger).to(asks, 3)
        taught = Replies(workshop.load(base, student.adapter), ledger).to(asks, 3)
    assert [(one.text, one.is_ended) for one in taught] == [("y", True)] * len(LESSONS)
    assert not any(one.text == "y" for one in bare)
