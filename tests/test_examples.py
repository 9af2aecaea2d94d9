"""The example pairs that ship with the judge: no shortcut by side or by length finds the better answer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import mean

import pytest

import judge.records
from judge.forms.reading import read_pairs

EXAMPLES = Path(judge.records.__file__).parent / "examples" / "pairs.jsonl"
CATEGORIES = ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities")


@pytest.fixture(scope="module")
def pairs():
    return read_pairs(EXAMPLES)


def better_and_worse(pair):
    responses = (pair.response_a, pair.response_b)
    return responses if pair.metadata["gold"] == "A" else responses[::-1]


def length_of_the_better(pair):
    """Compared in characters; less than a tenth apart counts as equal."""
    better, worse = map(len, better_and_worse(pair))
    if abs(better - worse) < 0.1 * max(better, worse):
        return "equal"
    return "shorter" if better < worse else "longer"


def test_every_category_has_three_pairs_named_after_it(pairs):
    assert [pair.id for pair in pairs] == [f"{category}-{n}" for category in CATEGORIES for n in (1, 2, 3)]
    assert all(pair.category == pair.id.rsplit("-", 1)[0] for pair in pairs)


def test_the_better_answer_is_as_often_a_as_b_overall_and_for_every_length(pairs):
    counts = Counter((length_of_the_better(pair), pair.metadata["gold"]) for pair in pairs)
    assert counts == {
        ("shorter", "A"): 5,
        ("shorter", "B"): 5,
        ("longer", "A"): 5,
        ("longer", "B"): 5,
        ("equal", "A"): 2,
        ("equal", "B"): 2,
    }


def test_no_category_has_its_better_answers_all_on_one_side(pairs):
    sides = {(pair.category, pair.metadata["gold"]) for pair in pairs}
    assert len(sides) == 2 * len(CATEGORIES)


def test_one_math_one_reasoning_and_one_coding_pair_have_a_reference(pairs):
    with_reference = sorted(pair.category for pair in pairs if pair.reference is not None)
    assert with_reference == ["coding", "math", "reasoning"]


def test_the_responses_are_short_enough_to_judge_on_a_laptop(pairs):
    n_words = [len(response.split()) for pair in pairs for response in (pair.response_a, pair.response_b)]
    assert 55 <= mean(n_words) <= 85
    assert max(n_words) <= 220


def test_nothing_but_the_better_side_is_in_the_metadata_and_no_text_is_there_twice(pairs):
    assert all(set(pair.metadata) == {"gold"} for pair in pairs)
    assert len({text for pair in pairs for text in (pair.prompt, pair.response_a, pair.response_b)}) == 72
