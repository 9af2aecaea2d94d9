"""Projects: what their file may hold, who reviews what, how far everybody is, and votes from elsewhere."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
from pairs import pair_of
from test_docs_code import blocks_of
from typer.testing import CliRunner

import judge.cli.app as commands
from judge.cli.main import app
from judge.errors import BadLines, InputError, JudgeError
from judge.io.pairs import write_pairs
from judge.io.verdicts import write_verdicts
from judge.io.votes import write_votes
from judge.metrics.baselines import longer_wins
from judge.records import Ballot, Confidence, HumanVote
from judge.review.agreement import votes_of
from judge.review.assigning import assigned_of, pairs_of, progress_of_pairs, progress_of_reviewers
from judge.review.importing import take_in
from judge.review.pairindex import IndexEntry, opened
from judge.review.pictures import Pictures
from judge.review.projectfile import LONGEST_GUIDELINES, ReviewProject, guidelines_of, read_project
from judge.review.queues import QueueOrder
from judge.review.settings import started
from judge.review.store import Event, EventKind, ReviewStore

ENTRIES = [IndexEntry(n, f"p{n}", f"c{n}", None, 1, 1) for n in range(120)]
PAIRS = [pair_of("a", "b", f"Question {n}?", f"p{n}") for n in range(4)]


@pytest.fixture
def write(tmp_path):
    """Writes a project of these settings beside a file of pairs; its path."""

    def write(**settings):
        write_pairs(tmp_path / "pairs.jsonl", PAIRS)
        path = tmp_path / "project.yaml"
        path.write_text(json.dumps({"pairs": "pairs.jsonl"} | settings), encoding="utf-8")  # JSON is YAML
        return path

    return write


def faults(path):
    with pytest.raises(BadLines) as raised:
        read_project(path)
    return [line.removeprefix(f"{path}: ") for line in raised.value.problems]


def test_a_project_needs_nothing_but_pairs(write):
    project = read_project(write())
    assert (project.pairs, project.order, project.blind, project.repeat) == (
        "pairs.jsonl",
        QueueOrder.RANDOM,
        True,
        None,
    )


def test_the_project_in_the_documentation_can_be_opened(tmp_path):
    [block] = [one for one in blocks_of("docs/app.md") if one.title == "project.yaml"]
    for name in ("pairs.jsonl", "verdicts.jsonl", "votes.jsonl", "guidelines.md"):
        (tmp_path / name).write_text("")
    path = tmp_path / "project.yaml"
    path.write_text(block.text, encoding="utf-8")
    project = read_project(path)
    assert (project.reviewers, project.assignment.reviewers_per_pair) == (("ada", "bob", "cleo"), 2)
    assert (project.tags[0], project.confidence, project.repeat.after) == ("wrong", True, 20)
    assert set(block.text.split()).issuperset(f"{name}:" for name in ReviewProject.model_fields)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"pairs": "gone.jsonl"}, "pairs: no such file (found: 'gone.jsonl'"),
        ({"guidelines": "gone.md"}, "guidelines: no such file (found: 'gone.md'"),
        ({"votes": ["pairs.jsonl", "gone.jsonl"]}, "votes.1: no such file (found: 'gone.jsonl'"),
        ({"reviewer": ["ada"]}, "reviewer: no such key. Did you mean reviewers?"),
        ({"reviewers": "ada"}, "reviewers: must be a list of texts that are not empty (found: 'ada')"),
        ({"reviewers": ["ada", "ada"]}, "reviewers: 'ada' is there 2 times."),
        ({"reviewers": ["ada "]}, "reviewers: 'ada ' begins or ends with a space."),
        ({"order": "backwards"}, "order: must be one of random, most uncertain first"),
        ({"blind": "yes"}, "blind: must be true or false (found: 'yes')"),
        (
            {"reviewers": ["ada"], "assignment": {"reviewers_per_pair": 2}},
            "assignment.reviewers_per_pair: must be at most the number of reviewers (found: 2, and 1",
        ),
        (
            {"reviewers": ["ada"], "assignment": {"reviewers_per_pair": 0}},
            "assignment.reviewers_per_pair: must be a whole number from 1 up (found: 0)",
        ),
        (
            {"reviewers": ["ada", "bob"], "assignment": {"shares": {"ada": 0.5, "bop": 0.5}}},
            "assignment.shares.bop: no such reviewer. Did you mean bob? The reviewers are ada, bob.",
        ),
        (
            {"reviewers": ["ada", "bob"], "assignment": {"shares": {"ada": 0.5, "bob": 0.6}}},
            "assignment.shares: must be 1 together (found: 1.1)",
        ),
        (
            {"reviewers": ["ada"], "assignment": {"shares": {"ada": 1.0}, "reviewers_per_pair": 1}},
            "assignment: has both reviewers_per_pair and shares.",
        ),
        ({"repeat": {"share": 2.0}}, "repeat.share: must be greater than 0 and at most 1 (found: 2.0)"),
        ({"repeat": {"share": 0.1, "aftr": 3}}, "repeat.aftr: no such key. Did you mean after?"),
    ],
)
def test_a_fault_is_one_line_with_file_and_key(write, settings, fault):
    [line] = faults(write(**settings))
    assert line.startswith(fault)


def test_all_faults_are_told_at_once(write):
    assert len(faults(write(tags=[""], images=1, order="x", foo=1))) == 4


def test_faults_of_shape_hide_no_contradiction_and_no_missing_file(write):
    told = faults(
        write(
            pairs="gone.jsonl",
            order="x",
            reviewers=["ada", "ada", " bob"],
            assignment={"reviewers_per_pair": 0, "shares": {"zed": 0.5}},
        )
    )
    assert sorted(line.partition(": ")[0] for line in told) == [
        "assignment.reviewers_per_pair",
        "assignment.shares",
        "assignment.shares.zed",
        "order",
        "pairs",
        "reviewers",
        "reviewers",
    ]
    assert faults(write(reviewers="ada", assignment={"shares": {"ada": 1.0}})) == [
        "reviewers: must be a list of texts that are not empty (found: 'ada')"
    ]
    assert len(faults(write(pairs="", repeat={"share": 2.0}, assignment=3))) == 3


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("pairs: [", ":1: not YAML"),
        ("- pairs", ": the file is a list. It must be the keys name, pairs, verdicts"),
        ("", ": the file is empty."),
        ("pairs: a\npairs: b", ":2: pairs is already in line 1."),
    ],
)
def test_a_file_that_is_no_block_of_keys_is_one_line(tmp_path, text, fault):
    path = tmp_path / "project.yaml"
    path.write_text(text)
    with pytest.raises(BadLines) as raised:
        read_project(path)
    [line] = raised.value.problems
    assert line.startswith(f"{path}{fault}")


def test_guidelines_that_cannot_be_shown_are_one_line(tmp_path):
    project = ReviewProject(pairs="p", guidelines="g.md")
    (tmp_path / "g.md").write_text("# Which is better?")
    assert guidelines_of(project, tmp_path) == "# Which is better?"
    for data, told in ((b"\xff\xfe", "not UTF-8"), (b"x" * (LONGEST_GUIDELINES + 1), "At most 200,000")):
        (tmp_path / "g.md").write_bytes(data)
        with pytest.raises(InputError, match=told):
            guidelines_of(project, tmp_path)


# --- who reviews what ------------------------------------------------------------------------------------


def project(*reviewers, **assignment):
    return ReviewProject(pairs="p", reviewers=reviewers, assignment=assignment)


def counts(assigned):
    return Counter(name for names in assigned.values() for name in names)


def test_everybody_has_all_pairs_and_without_reviewers_nothing_is_assigned():
    assert counts(assigned_of(ENTRIES, project("ada", "bob"))) == {"ada": 120, "bob": 120}
    assert assigned_of(ENTRIES, project()) == {} == assigned_of(ENTRIES, None)


@pytest.mark.parametrize("n_pairs", [1, 7, 50, 120])
def test_k_reviewers_a_pair_have_equally_many_pairs_wherever_the_file_ends(n_pairs):
    assigned = assigned_of(ENTRIES[:n_pairs], project(*"abcde", reviewers_per_pair=2))
    assert {len(set(names)) for names in assigned.values()} == {2}
    found = counts(assigned)
    assert max(found.values()) - min(found.get(name, 0) for name in "abcde") <= 1


def test_all_teams_come_to_work_together():
    assigned = assigned_of(ENTRIES, project(*"abcd", reviewers_per_pair=2))
    assert set(assigned.values()) == set(combinations("abcd", 2))


def test_shares_are_kept():
    assigned = assigned_of(
        ENTRIES, project("ada", "bob", "cleo", shares={"ada": 0.5, "bob": 0.3, "cleo": 0.2})
    )
    assert counts(assigned) == {"ada": 60, "bob": 36, "cleo": 24}


def test_pairs_that_are_added_at_the_end_change_nothing_above_them():
    plan = project(*"abc", reviewers_per_pair=2)
    before = assigned_of(ENTRIES[:50], plan)
    assert before.items() <= assigned_of(ENTRIES, plan).items()
    assert pairs_of("a", before) < pairs_of("a", assigned_of(ENTRIES, plan))


def event(n, reviewer="ada", kind=EventKind.VOTE, at="2026-11-22"):
    ballot = None if kind is EventKind.SKIP else Ballot.A
    return Event(kind, reviewer, f"c{n}", f"p{n}", at, ballot)


def test_progress_counts_own_pairs_skips_and_votes_on_the_pairs_of_others():
    assigned = {"p0": ("ada",), "p1": ("ada",), "p2": ("ada",), "p3": ("bob",)}
    events = [
        event(0),
        event(1, kind=EventKind.SKIP),
        event(3, at="2026-11-23"),
        event(3, "bob", EventKind.LABEL),
        event(0, kind=EventKind.REPEAT),
    ]
    ada, bob = progress_of_reviewers(ENTRIES[:4], assigned, events, ("ada", "bob"))
    assert (ada.n_assigned, ada.n_voted, ada.n_skipped, ada.n_left, ada.n_more) == (3, 1, 1, 2, 1)
    assert (ada.last, bob.n_voted, bob.n_left, bob.last) == ("2026-11-23", 0, 1, "")


def test_without_an_assignment_all_pairs_are_everybody_s_who_has_voted():
    [ada] = progress_of_reviewers(ENTRIES[:4], {}, [event(0)], ())
    assert (ada.reviewer, ada.n_assigned, ada.n_left) == ("ada", 4, 3)


def test_progress_of_a_pair_names_who_has_voted_and_whose_vote_is_missing():
    assigned = {"p0": ("ada", "bob"), "p1": ("bob", "cleo")}
    first, second = progress_of_pairs(ENTRIES[:2], assigned, [event(0, "bob"), event(0, "guest")])
    assert (first.voted, first.missing) == (("bob", "guest"), ("ada",))
    assert (second.voted, second.missing) == ((), ("bob", "cleo"))


# --- votes from elsewhere --------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    index = opened(tmp_path / "pairs.jsonl")
    index.read_on(100)
    return index


VOTES = [
    HumanVote("p0", "ada", Ballot.A, turn=2, model_a="m", note="n", at="2026-11-22", saw_judge=True),
    HumanVote("p1", "bob", Ballot.TIE, tags=("wrong",), confidence=Confidence.LOW),
    HumanVote("gone", "bob", Ballot.B),
]


def test_votes_of_a_file_are_kept_whole_and_the_others_are_named(tmp_path, index):
    store = ReviewStore(tmp_path / "r.sqlite")
    done = take_in(VOTES, index.by_id, "votes.jsonl", store)
    assert done.words == "votes.jsonl: 2 of 3 votes taken in; 1 on no pair of the open file: gone."
    assert votes_of(store.standing(), index.by_id) == VOTES[:2]
    assert {event.source for event in store.standing()} == {"votes.jsonl"}


def test_the_same_file_again_changes_nothing(tmp_path, index):
    store = ReviewStore(tmp_path / "r.sqlite")
    take_in(VOTES, index.by_id, "votes.jsonl", store)
    n = store.last_number()
    assert take_in(VOTES, index.by_id, "votes.jsonl", store).n_known == 2
    assert store.last_number() == n


def test_of_a_voter_s_votes_on_one_pair_the_last_is_kept_and_the_others_are_named(tmp_path, index):
    store = ReviewStore(tmp_path / "r.sqlite")
    turns = [replace(VOTES[0], turn=turn, outcome=ballot) for turn, ballot in ((1, Ballot.A), (2, Ballot.B))]
    done = take_in([*turns, VOTES[1]], index.by_id, "votes.jsonl", store)
    assert done.words == (
        "votes.jsonl: 2 of 3 votes taken in; 1 left out, as a voter's last vote on a pair counts, "
        "of whatever turn: p0."
    )
    assert votes_of(store.standing(), index.by_id) == [turns[1], VOTES[1]]
    assert store.last_number() == 2


def test_a_vote_given_here_stays_when_the_file_says_something_else(tmp_path, index):
    store = ReviewStore(tmp_path / "r.sqlite")
    entry = index.by_id["p0"]
    store.add(Event(EventKind.VOTE, "ada", entry.content, "p0", "2026-11-23", Ballot.B))
    take_in(VOTES[:1], index.by_id, "votes.jsonl", store)
    assert [(one.ballot, one.source) for one in store.standing()] == [(Ballot.B, None)]


# --- `judge app project.yaml` ----------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(commands, "serve", lambda *given: None)

    def run(*arguments):
        done = CliRunner().invoke(app, ["app", *map(str, arguments)])
        if isinstance(done.exception, JudgeError):
            return str(done.exception)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    return run


def test_labels_of_another_tool_are_taken_in_by_the_texts_of_the_pairs(write, run, tmp_path):
    path = write(votes=["labels.jsonl"], reviews="mine.sqlite")
    pairs = [pair_of(f"good {n}", f"bad {n}", "Question?", f"p{n}") for n in range(9)]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    rows = [
        {"id": pair.id, "prompt": pair.prompt, "chosen": pair.response_a, "rejected": pair.response_b}
        for pair in pairs
    ]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run(path, "--backend", "scripted:longer")
    assert {one.ballot for one in ReviewStore(tmp_path / "mine.sqlite").standing()} == {Ballot.A}


def test_a_project_reaches_the_pages_from_any_folder_and_its_votes_are_taken_in(write, run, tmp_path):
    write_votes(tmp_path / "votes.jsonl", VOTES)
    (tmp_path / "g.md").write_text("Be fair.")
    path = write(votes=["votes.jsonl"], guidelines="g.md", reviews="mine.sqlite")
    assert "votes.jsonl: 2 of 3 votes taken in" in run(path, "--backend", "scripted:longer")
    assert (started().pairs, started().root, started().guidelines) == ("pairs.jsonl", tmp_path, "Be fair.")
    assert started().project.votes == ("votes.jsonl",)
    assert len(ReviewStore(tmp_path / "mine.sqlite").standing()) == 2


def test_a_project_that_names_files_elsewhere_or_is_wrong_is_refused(write, run, tmp_path):
    folder = tmp_path / "sub"
    folder.mkdir()
    path = write(pairs="../pairs.jsonl")
    inner = folder / "project.yaml"
    inner.write_text(path.read_text())
    assert f"{inner}: ../pairs.jsonl is not below {folder}" in run(inner)
    assert run(inner, "--folder", tmp_path, "--backend", "scripted:longer") == ""
    assert "order: must be one of" in run(write(order="x"))
    write_verdicts(tmp_path / "verdicts.jsonl", longer_wins(PAIRS))
    assert "pairs: verdicts.jsonl holds verdicts. It must be" in run(write(pairs="verdicts.jsonl"))
    assert "verdicts: pairs.jsonl holds none. It must be" in run(write(verdicts="pairs.jsonl"))
    assert "names its pairs itself" in run(write(), "--pairs", "pairs.jsonl")


# --- pictures --------------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n..."


def test_pictures_are_of_files_below_the_folder_alone(tmp_path):
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "in" / "a b.png").write_bytes(PNG)
    (root / "in" / "page.png").write_bytes(b"<svg onload='x'/>")
    (tmp_path / "outside.png").write_bytes(PNG)
    (root / "in" / "link.png").symlink_to(tmp_path / "outside.png")
    found = Pictures(root, "in")
    assert found("a%20b.png").startswith("data:image/png;base64,")
    refused = ("page.png", "link.png", "../../outside.png", "gone.png", "\0", str(root / "in" / "a b.png"))
    foreign = ("http://x/a.png", "file:a b.png", "data:image/png,x")
    assert [found(name) for name in (*refused, *foreign)] == [""] * 9


def test_a_picture_that_is_too_large_is_not_shown(tmp_path, monkeypatch):
    monkeypatch.setattr("judge.review.pictures.LARGEST", 10)
    (tmp_path / "a.png").write_bytes(PNG)
    assert Pictures(tmp_path)("a.png") == ""
