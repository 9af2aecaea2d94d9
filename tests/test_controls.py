"""The control of dropping parts of traces: mazes, A*, words, students that learn them, a whole run."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.controls import __main__ as command
from benchmarks.controls import figures, plan
from benchmarks.controls.mazes import (
    Clause,
    Maze,
    Search,
    different_mazes,
    drawn_maze,
    drawn_splits,
    search,
    shortest,
)
from benchmarks.controls.model import Shape, new_model, written
from benchmarks.controls.plan import (
    LEAST_MAZES,
    LEAST_STEPS,
    MAZES_A_STEP,
    MOST_MAZES,
    Plan,
    Rates,
    Scale,
    fitted,
    learning_s,
    plan_of,
    writing_s,
)
from benchmarks.controls.run import OPTIMAL, SCHEMA, SOLVED, UNREAD, WRONG, mark_of, run
from benchmarks.controls.students import (
    BATCH_TOKENS,
    LEARNERS,
    MULTIPLE,
    Course,
    Row,
    Training,
    batches_of,
    padded_length,
    reply_loss,
    row_of,
)
from benchmarks.controls.words import (
    END,
    FAST,
    PAD,
    SLOW,
    Answer,
    Coder,
    is_way,
    n_trace_words,
    parts_of,
    prompt_words,
    read_reply,
    reply_words,
)
from benchmarks.system2.plan import begun_plan, write_plan
from distill.dropping import FEWER, NO_CLOSE, NO_COST, NOTHING, WHOLE, Kind, dropped
from judge.errors import InputError
from judge.records import Unparsed

TINY = Shape(hidden=16, inner=16, layers=2, heads=2)


def maze_in(drawing: str) -> Maze:
    rows = drawing.split()
    at = {mark: [] for mark in ".#SG"}
    for y, row in enumerate(rows):
        for x, mark in enumerate(row):
            at[mark].append((x, y))
    return Maze(len(rows), frozenset(at["#"]), at["S"][0], at["G"][0])


CORNER = maze_in("""
S..
.#.
.#G
""")
CORNER_PROMPT = "bos start 0,0 goal 2,2 wall 1,1 wall 1,2 eos"
AT_LEVEL = {
    WHOLE: (
        "create 0,0 c0 c4 close 0,0 c0 c4 create 1,0 c1 c3 create 0,1 c1 c3 close 1,0 c1 c3 create 2,0 c2 c2 "
        "close 2,0 c2 c2 create 2,1 c3 c1 close 2,1 c3 c1 create 2,2 c4 c0 close 2,2 c4 c0 "
        "plan 0,0 plan 1,0 plan 2,0 plan 2,1 plan 2,2 eos"
    ),
    NO_CLOSE: (
        "create 0,0 c0 c4 create 1,0 c1 c3 create 0,1 c1 c3 create 2,0 c2 c2 create 2,1 c3 c1 "
        "create 2,2 c4 c0 plan 0,0 plan 1,0 plan 2,0 plan 2,1 plan 2,2 eos"
    ),
    NO_COST: (
        "create 0,0 create 1,0 create 0,1 create 2,0 create 2,1 create 2,2 "
        "plan 0,0 plan 1,0 plan 2,0 plan 2,1 plan 2,2 eos"
    ),
    FEWER: ("create 0,0 create 0,1 create 2,0 create 2,1 plan 0,0 plan 1,0 plan 2,0 plan 2,1 plan 2,2 eos"),
    NOTHING: "plan 0,0 plan 1,0 plan 2,0 plan 2,1 plan 2,2 eos",
}


def mazes(n: int, size: int = 4) -> list[Maze]:
    drawn = different_mazes(0, size)
    return [next(drawn) for _ in range(n)]


# --- mazes -----------------------------------------------------------------------------------------------


@given(st.integers(0, 10**9), st.sampled_from([3, 5, 10]))
@settings(max_examples=60, deadline=None)
def test_every_maze_has_a_way_as_long_as_it_is_wide_and_walls_on_a_third_to_a_half(seed, size):
    maze = drawn_maze(random.Random(seed), size)
    assert shortest(maze) >= size
    assert round(0.3 * size**2) <= len(maze.walls) <= round(0.5 * size**2)
    assert not maze.walls & {maze.start, maze.goal}


def test_splits_share_no_walls_and_the_test_mazes_do_not_depend_on_how_many_are_learned():
    few, many = drawn_splits(7, 4, 20, 30, 40), drawn_splits(7, 4, 300, 30, 40)
    walls = [maze.walls for some in (many.train, many.held_out, many.test) for maze in some]
    assert len(set(walls)) == len(walls) == 370
    assert (few.held_out, few.test) == (many.held_out, many.test)
    assert few.train == many.train[:20]


def test_the_same_seed_draws_the_same_mazes_and_another_one_others():
    assert drawn_splits(3, 5, 9, 2, 2).hash == drawn_splits(3, 5, 9, 2, 2).hash
    assert drawn_splits(3, 5, 9, 2, 2).hash != drawn_splits(4, 5, 9, 2, 2).hash


def test_a_maze_is_drawn_with_its_walls_start_and_goal():
    assert str(CORNER) == "S..\n.#.\n.#G"
    assert maze_in(str(CORNER)) == CORNER
    assert shortest(CORNER) == 4
    assert shortest(maze_in("S#G ### ...")) is None


@given(st.integers(0, 10**9), st.sampled_from([3, 6, 10]))
@settings(max_examples=60, deadline=None)
def test_a_star_finds_a_way_as_short_as_a_breadth_first_search(seed, size):
    maze = drawn_maze(random.Random(seed), size)
    found = search(maze)
    assert is_way(maze, found.path)
    assert len(found.path) - 1 == shortest(maze)
    for clause in found.clauses:
        if clause.kind is Kind.CLOSE:
            assert clause.cost == shortest(Maze(size, maze.walls, maze.start, clause.cell))
    closed = [one.cell for one in found.clauses if one.kind is Kind.CLOSE]
    assert len(set(closed)) == len(closed)


def test_a_maze_without_a_way_is_an_error():
    with pytest.raises(ValueError, match="no way leads to the goal"):
        search(maze_in("S#G ### ..."))


# --- words -----------------------------------------------------------------------------------------------


def test_every_level_of_one_maze_is_written_like_this():
    assert " ".join(prompt_words(CORNER)) == CORNER_PROMPT
    found = search(CORNER)
    for level, text in AT_LEVEL.items():
        left = dropped(parts_of(found), level, random.Random("a fixed draw"))
        assert " ".join(reply_words(left, found.path)) == text


def searched(words: list[str]) -> Search:
    """A whole trace read back, by itself: clauses of four words, then steps of two."""
    clauses, path, at = [], [], 0
    while words[at] != END:
        if words[at] == FAST:
            path.append(cell_of(words[at + 1]))
            at += 2
            continue
        kind = Kind.CREATE if words[at] == "create" else Kind.CLOSE
        cost, estimate = (int(word.removeprefix("c")) for word in words[at + 2 : at + 4])
        clauses.append(Clause(kind, cell_of(words[at + 1]), cost, estimate))
        at += 4
    return Search(tuple(clauses), tuple(path))


def cell_of(word: str) -> tuple[int, int]:
    x, y = word.split(",")
    return int(x), int(y)


@given(st.integers(0, 10**9), st.sampled_from([3, 10]))
@settings(max_examples=40, deadline=None)
def test_a_whole_trace_read_back_gives_the_search(seed, size):
    maze, coder = drawn_maze(random.Random(seed), size), Coder(size)
    row = row_of(maze, LEARNERS["complete"].levels, 0, 0, coder)
    assert searched(coder.text(row.reply).split()) == search(maze)
    assert coder.text(row.prompt).split() == prompt_words(maze)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "not finished"),
        ("plan 0,0", "not finished"),
        ("create 0,0 c0 c4 eos", "no plan"),
        ("plan 0 eos", "'plan 0' is no step"),
        ("plan 0,c1 eos", "'plan 0,c1' is no step"),
        ("plan 0,0 create 0,1 eos", "'create 0,1' is no step"),
        ("plan eos plan 0,0 eos", "'plan eos' is no step"),
    ],
)
def test_a_reply_without_a_whole_plan_is_unparsed_with_its_reason(reply, reason):
    found = read_reply(reply)
    assert isinstance(found, Unparsed)
    assert reason in found.reason
    assert found.raw == reply
    assert mark_of(CORNER, reply) == UNREAD


@pytest.mark.parametrize(
    ("reply", "mark"),
    [
        (AT_LEVEL[WHOLE], OPTIMAL),
        (AT_LEVEL[NOTHING], OPTIMAL),
        ("create 9 plan 0,0 plan 1,0 plan 2,0 plan 2,1 plan 2,2 eos", OPTIMAL),
        ("plan 0,0 plan 0,1 plan 0,0 plan 1,0 plan 2,0 plan 2,1 plan 2,2 eos", SOLVED),
        ("plan 1,0 plan 2,0 plan 2,1 plan 2,2 eos", WRONG),
        ("plan 0,0 plan 1,0 plan 2,0 plan 2,1 eos", WRONG),
        ("plan 0,0 plan 1,0 plan 1,1 plan 2,1 plan 2,2 eos", WRONG),
        ("plan 0,0 plan 2,2 eos", WRONG),
    ],
)
def test_a_plan_is_marked_by_where_it_leads_whatever_the_trace_says(reply, mark):
    assert isinstance(read_reply(reply), Answer)
    assert mark_of(CORNER, reply) == mark


def test_the_trace_is_what_stands_before_the_plan():
    assert n_trace_words(AT_LEVEL[WHOLE].split()) == 44
    assert n_trace_words(AT_LEVEL[NO_COST].split()) == 12
    assert n_trace_words(AT_LEVEL[NOTHING].split()) == 0
    assert n_trace_words(["create", "0"]) == 2


# --- what is learned from --------------------------------------------------------------------------------


def level_of(words: list[str]) -> int:
    """Which level a reply of CORNER shows."""
    creates = words.count("create")
    if not creates:
        return NOTHING
    if "close" in words:
        return WHOLE
    if "c0" in words:
        return NO_CLOSE
    return NO_COST if creates == 6 else FEWER


@pytest.mark.slow
def test_the_dual_student_sees_the_levels_as_often_as_the_paper_says_and_the_others_one_each():
    coder, n = Coder(3), 4000
    for name, learner in LEARNERS.items():
        shown = Counter(
            level_of(coder.text(row_of(CORNER, learner.levels, 0, epoch, coder).reply).split())
            for epoch in range(n if name == "dual" else 20)
        )
        assert sum(learner.levels) == pytest.approx(1)
        for level, share in enumerate(learner.levels):
            margin = 4 * (share * (1 - share) / n) ** 0.5
            assert shown[level] / shown.total() == pytest.approx(share, abs=margin)


def test_each_epoch_has_every_maze_once_in_an_order_of_its_own():
    course = Course(mazes(16), LEARNERS["dual"].levels, n_steps=8, a_step=6, seed=5)
    places = [place for number in range(1, 9) for place in course.places(number)]
    assert [epoch for epoch, _ in places] == [0] * 16 + [1] * 16 + [2] * 16
    orders = [[maze for epoch, maze in places if epoch == each] for each in range(3)]
    assert all(sorted(order) == list(range(16)) for order in orders)
    assert orders[0] != orders[1]
    assert course.places(2) == places[6:12]
    assert replace(course, seed=6).places(2) != places[6:12]


def test_the_same_seed_shows_the_same_rows_and_all_students_the_same_mazes():
    coder, some = Coder(4), mazes(16)
    seen = {}
    for name, learner in LEARNERS.items():
        course = Course(some, learner.levels, n_steps=8, a_step=6, seed=5)
        rows = course.rows(4, coder)
        assert rows == course.rows(4, coder)
        assert rows != replace(course, seed=6).rows(4, coder)
        seen[name] = [row.prompt for row in rows]
    assert seen["solution"] == seen["complete"] == seen["dual"]


def test_batches_hold_all_rows_by_length_and_no_more_tokens_than_fit():
    dice = random.Random(0)
    rows = [Row((1,) * dice.randrange(1, 90), (2,) * dice.randrange(1, 300)) for _ in range(50)]
    batches = batches_of(rows)
    assert Counter(row for batch in batches for row in batch) == Counter(rows)
    lengths = [len(row) for batch in batches for row in batch]
    assert all(one >= other for one, other in pairwise(lengths))
    assert all(padded_length(batch) * len(batch) <= BATCH_TOKENS for batch in batches)
    assert all(padded_length(batch) % MULTIPLE == 0 for batch in batches)


# --- models ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_loss_is_that_of_each_row_alone_and_of_its_reply_only(monkeypatch):
    import torch

    monkeypatch.setattr("benchmarks.controls.students.is_quickest_in_bfloat16", lambda: False)
    coder, model = Coder(4), new_model(TINY, len(Coder(4).words), seed=1)
    rows = [row_of(maze, LEARNERS["dual"].levels, 0, 0, coder) for maze in mazes(5)]
    [pad] = coder.ids([PAD])
    alone = 0.0
    for row in rows:
        words = torch.tensor([[*row.prompt, *row.reply]])
        told = model(words).logits[0].log_softmax(-1)
        places = range(len(row.prompt) - 1, len(row) - 1)
        alone -= sum(told[place, words[0, place + 1]].item() for place in places)
    assert reply_loss(model, rows, pad).item() == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
def test_writing_with_kept_keys_gives_what_reading_all_again_gives():
    import torch

    coder, model = Coder(4), new_model(TINY, len(Coder(4).words), seed=2)
    prompts = [coder.ids(prompt_words(maze)) for maze in mazes(6)]
    assert len({len(prompt) for prompt in prompts}) > 1
    [slow], [end] = coder.ids([SLOW]), coder.ids([END])
    for first in (None, slow):
        expected = []
        for prompt in prompts:
            reply = [] if first is None else [first]
            while len(reply) < 12 and end not in reply:
                logits = model(torch.tensor([[*prompt, *reply]])).logits[0, -1]
                reply.append(int(logits.argmax()))
            expected.append(reply)
        assert written(model, prompts, first, end, 12) == expected


@pytest.mark.slow
def test_words_are_drawn_by_their_probabilities_and_a_seed_draws_them_again():
    import torch

    coder, model = Coder(4), new_model(TINY, len(Coder(4).words), seed=2)
    prompt, [end] = coder.ids(prompt_words(mazes(1)[0])), coder.ids([END])
    drawn = written(model, [prompt] * 3_000, None, end, 1, seed=7)
    assert drawn == written(model, [prompt] * 3_000, None, end, 1, seed=7)
    assert drawn != written(model, [prompt] * 3_000, None, end, 1, seed=8)
    with torch.inference_mode():
        p = model(torch.tensor([prompt])).logits[0, -1].float().softmax(-1)
    best = int(p.argmax())
    share = sum(reply == [best] for reply in drawn) / 3_000
    assert share == pytest.approx(float(p[best]), abs=0.04)


def training(folder: Path, n_steps: int = 7, key: str = "one", seed: int = 0) -> Training:
    coder = Coder(4)
    model = new_model(TINY, len(coder.words), seed)
    course = Course(mazes(10), LEARNERS["dual"].levels, n_steps, 4, seed)
    return Training(model, coder, course, folder / "student.pt", key)


def weights(one: Training) -> list[list[float]]:
    return [weight.flatten().tolist() for weight in one.model.parameters()]


class Killed(Exception):
    pass


@pytest.mark.slow
def test_a_killed_training_that_goes_on_ends_with_the_weights_of_a_whole_one(tmp_path):
    whole = training(tmp_path / "whole")
    whole.run()
    assert whole.learned.n_steps == 7

    first = training(tmp_path / "killed")
    for _ in range(3):
        first.step()
    first.save()
    first.step()  # lost
    second = training(tmp_path / "killed")
    seen = []
    second.run(lambda what, done, total: seen.append(done))
    assert seen == [4, 5, 6, 7]
    assert weights(second) == weights(whole)
    assert second.learned.losses == whole.learned.losses
    assert second.learned.n_tokens == whole.learned.n_tokens

    third = training(tmp_path / "killed")
    third.run(lambda *_: pytest.fail("it was done"))
    assert weights(third) == weights(whole)


@pytest.mark.slow
def test_the_checkpoint_of_another_run_is_not_taken_up(tmp_path):
    training(tmp_path).run()
    other = training(tmp_path, key="other")
    other.go_on()
    assert other.learned.n_steps == 0


@pytest.mark.slow
def test_another_seed_begins_with_other_weights_and_a_step_lowers_the_loss(tmp_path):
    one, other = training(tmp_path / "a", n_steps=60), training(tmp_path / "b", seed=1)
    assert weights(one) != weights(other)
    one.run()
    means = [total / n_words for total, n_words in one.learned.losses]
    assert len(means) == 20
    assert means[-1] < 0.9 * means[0]


# --- the plan --------------------------------------------------------------------------------------------

RATES = Rates({"solution": 0.1, "complete": 0.3, "dual": 0.2}, 0.0001)


@pytest.mark.parametrize("within_s", [3600, 7200, 48 * 3600])
def test_a_plan_fills_the_time_and_takes_ten_to_fifty_thousand_mazes(within_s):
    wanted = plan_of("small", 0)
    made = fitted(wanted, within_s, RATES)
    assert 0.84 * within_s <= learning_s(made, RATES) + writing_s(made, RATES) <= 0.85 * within_s
    assert made.train == min(max(made.steps * MAZES_A_STEP, LEAST_MAZES), MOST_MAZES)
    assert LEAST_MAZES <= made.train <= MOST_MAZES


def test_fewer_mazes_than_usual_change_no_steps_and_are_another_run(tmp_path):
    made = fitted(plan_of("small", 0, 2000), 7200, RATES)
    assert (made.train, made.steps) == (2000, fitted(plan_of("small", 0), 7200, RATES).steps)
    write_plan(tmp_path / "plan.json", made)
    with pytest.raises(InputError, match="this run has most_mazes 2000, and 50000 was asked for"):
        begun_plan(tmp_path / "plan.json", plan_of("small", 0))


def test_too_little_time_is_refused_with_what_it_takes():
    with pytest.raises(InputError, match=rf"--within: {LEAST_STEPS} steps take \d+ minutes at least"):
        fitted(plan_of("small", 0), 60, RATES)


def test_a_run_that_has_begun_keeps_its_plan_and_another_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    assert begun_plan(path, plan_of("small", 0)) is None
    begun = Plan("small", 0, 20, 3, 4, 5)
    write_plan(path, begun)
    assert begun_plan(path, plan_of("small", 0)) == begun
    with pytest.raises(InputError, match="this run has seed 0, and 1 was asked for"):
        begun_plan(path, plan_of("small", 1))
    path.write_text("{}")
    with pytest.raises(InputError, match="no plan of a run"):
        begun_plan(path, plan_of("small", 0))


# --- a whole run -----------------------------------------------------------------------------------------


@pytest.fixture
def tiny(monkeypatch) -> Plan:
    monkeypatch.setitem(plan.SCALES, "tiny", Scale(3, TINY))
    return Plan("tiny", seed=0, train=30, held_out=2, test=3, steps=3)


def told(result: dict) -> dict:
    """A result without what the clock says."""
    plain = json.loads(json.dumps(result))
    for student in plain["students"]:
        del student["elapsed_s"]
    return plain


@pytest.mark.slow
def test_a_run_measures_every_student_in_every_way_and_goes_on_after_a_kill(tiny, tmp_path):
    whole = run(tiny, tmp_path / "whole")
    assert whole["schema"] == SCHEMA
    assert whole["data_hash"] == tiny.splits().hash
    assert (whole["base_model"], whole["base_model_hash"]) == ("none", "")
    asked = [(row["student"], row["way"], row["split"]) for row in whole["rows"]]
    assert [one[:2] for one in asked if one[2] == "test"] == [
        *(("solution", "fast"), ("complete", "slow")),
        *(("complete", "slow sampled"), ("dual", "fast"), ("dual", "slow"), ("dual", "auto")),
        *(("dual", "slow sampled"), ("dual", "auto sampled")),
    ]
    for row in whole["rows"]:
        assert len(row["marks"]) == len(row["trace_tokens"]) == (3 if row["split"] == "test" else 2)
        if not row["way"].startswith("auto"):
            assert row["n_fast"] == (len(row["marks"]) if row["way"] == "fast" else 0)
    assert {student["n_steps"] for student in whole["students"]} == {3}

    def kill(what: str, done: int, total: int) -> None:
        if what.startswith("dual") and done == 2:
            raise Killed

    with pytest.raises(Killed):
        run(tiny, tmp_path / "killed", kill)
    assert told(run(tiny, tmp_path / "killed")) == told(whole)
    other = replace(tiny, steps=tiny.steps + 1)
    assert told(run(other, tmp_path / "killed")) == told(run(other, tmp_path / "other"))


@pytest.mark.slow
def test_the_command_prints_an_estimate_and_writes_a_result_and_says_what_is_wrong(
    tiny, tmp_path, monkeypatch, capsys
):
    write_plan(tmp_path / "run" / "plan.json", tiny)
    monkeypatch.setattr(command, "plan_of", lambda scale, seed, most_mazes: tiny)
    out = tmp_path / "controls.json"
    command.main([str(tmp_path / "run"), "--out", str(out)])
    assert "mazes of 3 x 3: about 1 minutes (3 steps of 16 mazes, 30 mazes" in capsys.readouterr().out
    assert json.loads(out.read_text())["schema"] == SCHEMA
    with pytest.raises(SystemExit) as ended:
        command.main([str(tmp_path / "other"), "--within", "soon"])
    assert ended.value.code == 2
    assert "--within" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main([str(tmp_path / "other"), "--mazes", "0"])
    assert capsys.readouterr().err == "--mazes 0: must be from 1 to 50,000.\n"


# --- the table -------------------------------------------------------------------------------------------


def row(student: str, way: str, marks: str, tokens: list[int], n_fast: int) -> dict:
    shown = {"marks": marks, "trace_tokens": tokens, "tokens_out": 9.0, "n_fast": n_fast}
    return {"student": student, "way": way, "split": "test", **shown}


MEASURED = {
    "schema": SCHEMA,
    "cpu": "a processor",
    "mazes": {"size": 10},
    "n_mazes": {"train": 12_000, "held_out": 2, "test": 4},
    "model": {"n_weights": 3_300_000},
    "training": {"steps": 750, "mazes_a_step": 16},
    "rows": [
        row("solution", "fast", "2001", [0, 0, 0, 0], 4),
        row("complete", "slow", "22-2", [100, 200, 300, 400], 0),
        row("dual", "fast", "2201", [0, 0, 0, 0], 4),
        row("dual", "slow", "2222", [50, 50, 50, 50], 0),
        row("dual", "auto", "2221", [50, 50, 50, 0], 1),
    ],
}


def test_the_table_shows_dashes_until_it_is_measured():
    heads, _, *rows, _, note = figures.table_of([]).splitlines()
    assert heads.startswith(
        "| student | asked | paper, 30 x 30: optimal, % | tokens of trace | ours, 10 x 10"
    )
    assert rows[0] == "| solution only | fast | 30.0 | - | - | - | - |"
    assert rows[3] == "| dual | slow | 97.6 | 854 | - | - | - |"
    assert "have not been measured" in note


def test_the_table_shows_shares_and_lengths_with_intervals_beside_the_papers():
    _, _, *rows, _, note = figures.table_of([MEASURED]).splitlines()
    assert rows[0] == "| solution only | fast | 30.0 | - | 25.0 (4.6-69.9) | 50.0 (15.0-85.0) | - |"
    # The mean of 100, 200, 300, 400 is 250, the standard error sqrt(16667 / 4) = 64.5, and 1.96 of it 126.5.
    assert rows[2].endswith("| 1,538 | 75.0 (30.1-95.4) | 75.0 (30.1-95.4) | 250 (123-377) |")
    assert rows[3].endswith("| 50 |")
    assert "3.3 million weights, 750 steps of 16 mazes, 12,000 mazes to learn from, 4 to measure" in note
    assert "dual fast less solution only fast: +25.0 (-24.0 to 74.0)" in note
    assert "left the trace out in 1 of 4 mazes" in note


def test_what_is_drawn_stands_below_and_says_how_long_its_traces_are():
    drawn = [
        row("complete", "slow sampled", "22-2", [100, 200, 300, 400], 0),
        row("dual", "slow sampled", "2222", [50, 50, 100, 50], 0),
        row("dual", "auto sampled", "2211", [50, 0, 0, 0], 3),
    ]
    _, _, *rows, _, note = figures.table_of([{**MEASURED, "rows": [*MEASURED["rows"], *drawn]}]).splitlines()
    assert rows[5].startswith("| complete trace | slow sampled | - | - | 75.0 (30.1-95.4) |")
    assert "and in 3 of 4 where its words are drawn by their probabilities" in note
    assert "its slow traces then have 25 % of the words of complete ones" in note


def test_a_result_of_another_schema_is_refused():
    with pytest.raises(InputError, match=r"schema something/1; this table reads four-token-judge/controls/1"):
        figures.table_of([{**MEASURED, "schema": "something/1"}])
