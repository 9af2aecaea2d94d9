"""A student that grades single answers: its rows, its loss, and that it learns a rule on a small model."""

from __future__ import annotations

import math

import pytest
from models import VERDICT_MERGES, make_model
from pairs import pair_of

from distill.examples import VERDICT_TOKENS, batches_of
from distill.grading import GradeTraining, graded_rows, mean_grades, p_a_of
from distill.recipe import Train
from distill.selection import Example, Part, targets
from distill.student import Lora, Student, batch_of
from distill.train import twos_of
from judge.errors import ModelError
from judge.methods.score import GRADES, mean_grade, render_score
from judge.records import Order, Outcome, Share

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.slow

SETTINGS = Train(
    method="score",
    epochs=20,
    accumulate=1,
    batch_tokens=4096,
    learning_rate=0.01,
    evaluations=4,
    patience=0,
)


RIGHT, WRONG = "no, " * 3, "yes" * 4
"""Of one length, so that nothing but their letters tells them apart; the random model likes the wrong one."""


def examples(n: int, part: Part) -> list[Example]:
    """Pairs in which one and the same answer is right, whichever it is."""
    first = {Part.TRAIN: 10, Part.HELD_OUT: 50}[part]
    made = []
    for i in range(first, first + n):
        winner = (Outcome.A, Outcome.B)[i % 2]
        texts = (RIGHT, WRONG) if winner is Outcome.A else (WRONG, RIGHT)
        made.append(Example(pair_of(*texts, f"Is it {i}?", f"p{i}"), targets(winner), None, part))
    return made


def soft(p_a: float) -> Example:
    return Example(pair_of("yes", "no"), targets(Outcome.A), p_a, Part.TRAIN)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    # Weights this small leave every grade possible, so that there is something to learn from.
    return make_model(tmp_path_factory.mktemp("models") / "tiny", VERDICT_MERGES, initializer_range=0.05)


@pytest.fixture(scope="module")
def student(tiny) -> Student:
    return Student(str(tiny), Lora(4, 8, 0.5, 0.0), 2048, "cpu", "float32", seed=3)


def rows_of(student, some, is_soft=False, sharpness=1.0):
    return graded_rows(some, student.encoder, student.end_of_turn, is_soft, sharpness)


def training_of(tiny, folder, settings=SETTINGS, n_held_out=4) -> GradeTraining:
    student = Student(str(tiny), Lora(8, 16, 1.0, settings.dropout), 2048, "cpu", "float32", seed=3)
    trained, held_out = (
        batches_of(rows_of(student, some), settings.batch_tokens)
        for some in (examples(6, Part.TRAIN), examples(n_held_out, Part.HELD_OUT))
    )
    letters = student.encoder.choice_ids(GRADES, "[[")
    return GradeTraining(student, trained, held_out, letters, settings, 3, folder, "k")


# --- rows


def test_a_row_is_the_prompt_of_one_answer_and_a_verdict_of_four_tokens(student):
    [one] = examples(1, Part.TRAIN)
    rows = rows_of(student, [one])
    encoded = student.encoder.encode([render_score(one.pair, Order.AB, number) for number in (0, 1)])
    start, middle, end = (student.encoder.plain_ids(text) for text in ("[[", "5", "]]"))
    for row, order, prompt in zip(rows, Order, encoded, strict=True):
        assert row.order is order
        assert row.targets == (*start, *middle, *end, student.end_of_turn)
        assert len(row.targets) == VERDICT_TOKENS
        assert row.ids == (*prompt.ids[: prompt.n_prompt], *row.targets[:-1])
        assert row.targets[row.letter] == middle[0]
    assert [row.weights for row in rows] == [(1.0, 0.0), (0.0, 1.0)]


@pytest.mark.parametrize("batch_tokens", [1, 800, 4096])
def test_both_answers_of_an_example_are_in_one_batch(student, batch_tokens):
    batches = [batch_of(rows) for rows in batches_of(rows_of(student, examples(7, Part.TRAIN)), batch_tokens)]
    found = [
        batch.rows[place].example for batch in batches for two in twos_of(batch) for place in two.values()
    ]
    assert sorted(found) == sorted([*range(7)] * 2)
    assert all(set(two) == set(Order) for batch in batches for two in twos_of(batch))


def test_soft_targets_are_the_teachers_probability_made_sharper(student):
    assert [row.weights for row in rows_of(student, [soft(0.75)], is_soft=True)] == [
        (0.75, 0.25),
        (0.25, 0.75),
    ]
    [first, _] = rows_of(student, [soft(0.75)], is_soft=True, sharpness=2.0)
    assert first.weights[0] == pytest.approx(0.9)  # odds of 3 to 1, squared
    assert p_a_of(soft(0.75), is_soft=False, sharpness=1.0) == 1.0


def test_a_tokenizer_without_the_brackets_of_a_verdict_is_one_clear_line(tmp_path):
    bare = make_model(tmp_path / "bare")
    student = Student(str(bare), Lora(4, 8, 0.5, 0.0), 2048, "cpu", "float32", seed=3)
    with pytest.raises(ModelError, match=r"^a grade is 6 tokens in this base model's tokenizer"):
        rows_of(student, examples(1, Part.TRAIN))


# --- the loss


def test_the_mean_grade_is_that_of_the_judge():
    logits = torch.randn(3, 9, generator=torch.Generator().manual_seed(0))
    expected = [mean_grade(row.softmax(dim=0).tolist()) for row in logits]
    assert mean_grades(logits).tolist() == pytest.approx(expected, abs=1e-5)


def test_the_loss_of_pairs_is_bradley_and_terrys(tiny, tmp_path):
    training = training_of(tiny, tmp_path)
    for batch in training.batches:
        grades = torch.linspace(2.0, 7.0, len(batch.rows))
        found = training._of_pairs(batch, grades).tolist()
        for two, loss in zip(twos_of(batch), found, strict=True):
            ab, ba = two[Order.AB], two[Order.BA]
            lead = (grades[ab] - grades[ba]).item() * (1 if batch.rows[ab].weights[0] == 1 else -1)
            assert loss == pytest.approx(math.log1p(math.exp(-lead)), rel=1e-5)


def test_chance_is_the_loss_of_a_coin(tiny, tmp_path):
    training = training_of(tiny, tmp_path)
    assert training.new_history().chance == pytest.approx(math.log(2))
    batch = training.batches[0]
    alike = training._of_pairs(batch, torch.full((len(batch.rows),), 5.0))
    assert alike.tolist() == pytest.approx([math.log(2)] * len(alike))


# --- learning


def test_the_loss_falls_and_the_rule_holds_on_pairs_that_were_held_out(tiny, tmp_path):
    training = training_of(tiny, tmp_path)
    trained = training.run()
    first, last = trained.history.steps[0], trained.history.steps[-1]
    assert last.letter_loss < 0.3 < first.letter_loss
    assert last.loss < first.loss
    looks = trained.history.looks
    assert len(looks) == 5
    assert all(look.inconsistent == Share(0, 4) for look in looks)
    assert (looks[0].agreement, looks[-1].agreement) == (Share(0, 4), Share(4, 4))
    assert looks[-1].letter_loss < 0.3 < looks[0].letter_loss


def test_what_was_learned_is_what_a_look_sees_again(tiny, tmp_path):
    training = training_of(tiny, tmp_path)
    trained = training.run()
    best = trained.history.best
    training.student.load(trained.weights)
    assert training.look(best.step) == best
