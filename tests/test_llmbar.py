"""LLMBar on the real files and on made rows."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from judge.datasets.dataset import Wanted
from judge.datasets.llmbar import SETS, read
from judge.datasets.sources import local_rows
from judge.errors import InputError
from judge.records import Ballot, HumanVote, Message, Pair

ROW = {"input": "Name a colour.", "output_1": "Red.", "output_2": "A fine question!", "label": 1}


def folder_of(folder, **rows_of_set):
    """A folder of local copies in which each set has these rows, one by default."""
    (folder / "llmbar").mkdir()
    for name in SETS:
        lines = (json.dumps(row) + "\n" for row in rows_of_set.get(name, [ROW]))
        (folder / "llmbar" / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def test_the_five_sets_have_their_known_sizes(data_dir):
    dataset = read(Wanted(data_dir))
    assert Counter(pair.category for pair in dataset.pairs) == {
        "natural": 100,
        "adversarial neighbor": 134,
        "adversarial gptinst": 92,
        "adversarial gptout": 47,
        "adversarial manual": 46,
    }
    assert [vote.pair_id for vote in dataset.votes] == [pair.id for pair in dataset.pairs]
    assert len({pair.id for pair in dataset.pairs}) == 419
    assert dataset.broken == {}
    assert read(Wanted(data_dir, None)) == dataset


def test_each_vote_is_the_label_of_its_row(data_dir):
    dataset = read(Wanted(data_dir))
    texts = {pair.id: {Ballot.A: pair.response_a, Ballot.B: pair.response_b} for pair in dataset.pairs}
    right = [texts[vote.pair_id][vote.outcome] for vote in dataset.votes]
    rows = [row for name in SETS for row in local_rows(data_dir / "llmbar" / f"{name}.jsonl")]
    assert right == [row[f"output_{row['label']}"] for row in rows]
    assert {vote.outcome for vote in dataset.votes} == {Ballot.A, Ballot.B}


def test_a_row_is_a_pair_with_the_label_as_its_vote(tmp_path):
    dataset = read(Wanted(folder_of(tmp_path, adversarial_manual=[ROW, ROW | {"label": 2}])))
    asked = Message("user", "Name a colour.")
    assert dataset.pairs[0] == Pair(
        id="llmbar-natural-1",
        conversation_a=(asked, Message("assistant", "Red.")),
        conversation_b=(asked, Message("assistant", "A fine question!")),
        category="natural",
    )
    assert dataset.votes[-1] == HumanVote(
        "llmbar-adversarial-manual-2", "llmbar-label", Ballot.B, category="adversarial manual"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label": 3}, "unknown label (3 in row natural 1)"),
        ({"label": True}, "unknown label (True in row natural 1)"),
        ({"label": None}, "unknown label (None in row natural 1)"),
        ({"output_2": None}, "missing text"),
        ({"input": 7}, "missing text"),
    ],
)
def test_a_broken_row_is_counted_and_moves_no_other_id(tmp_path, change, reason):
    dataset = read(Wanted(folder_of(tmp_path, natural=[ROW | change, ROW])))
    assert dataset.broken == {reason: 1}
    assert dataset.pairs[0].id == "llmbar-natural-2"


def test_without_a_folder_the_error_says_where_the_files_come_from():
    with pytest.raises(InputError, match=r"Give --data-dir or JUDGE_DATA .*github\.com/princeton-nlp/LLMBar"):
        read(Wanted(None))


def test_a_missing_set_is_named(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "llmbar" / "adversarial_gptout.jsonl").unlink()
    with pytest.raises(InputError, match=r"adversarial_gptout\.jsonl: no such file"):
        read(Wanted(folder))


def test_what_llmbar_does_not_have_is_refused(tmp_path):
    folder = folder_of(tmp_path)
    with pytest.raises(InputError, match="turn 2: LLMBar has one turn only"):
        read(Wanted(folder, 2))
    with pytest.raises(InputError, match="LLMBar has its labels only"):
        read(Wanted(folder, 1, "experts"))
