"""Votes by other rules over the samples that a ledger has of one vote."""

from __future__ import annotations

import pytest
from pairs import pair_of

from benchmarks import revote
from benchmarks.revote import revoting
from judge.backends import Completion
from judge.backends.scripted import ScriptedBackend
from judge.errors import InputError
from judge.evaluate import judge_pairs
from judge.ledger.ledger import Ledger
from judge.methods import MethodSettings, load_method
from judge.records import Choice, Order

PAIRS = [pair_of(f"an answer {n}", f"another {n}", f"Question {n}?", f"p{n}") for n in range(4)]
SETTINGS = MethodSettings(temperature=0.7)


class Drawing(ScriptedBackend):
    """Of each prompt's three samples the first names B and the others A; a second asking is an error."""

    def __init__(self):
        super().__init__(lambda prompt, index: "", "drawing")
        self.seen = 0

    def complete(self, prompts, sampling):
        letter = "B" if sampling.seed == 0 else "A"
        self.seen += len(prompts)
        return [Completion(f"So it is. [[{letter}]]", 10, 5, True) for _ in prompts]


class Sure:
    """Finds the traces that name B right, and all others wrong."""

    name = "sure"

    def scores(self, asked):
        return [float("[[B]]" in reply) * 5 for _, reply in asked]


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def drawn(ledger):
    """A vote whose samples are in the ledger, and the backend that drew them."""
    vote = load_method("cot", Drawing(), SETTINGS, samples=3)
    judge_pairs(PAIRS, vote, ledger)
    return vote


def named(verdicts):
    return {reading.choice for verdict in verdicts for reading in verdict.readings.values()}


def test_another_vote_and_a_single_sample_are_made_of_what_was_drawn(ledger, drawn):
    n_drawn = drawn.backend.seen
    assert n_drawn == 3 * len(PAIRS) * len(Order)
    ranked = load_method("cot", drawn.backend, SETTINGS, samples=3, vote="ranked", ranker=Sure())
    first = load_method("cot", drawn.backend, SETTINGS)
    of_majority = judge_pairs(PAIRS, drawn, ledger)
    of_ranked = judge_pairs(PAIRS, revoting(ranked, drawn, ledger), ledger)
    of_first = judge_pairs(PAIRS, revoting(first, drawn, ledger), ledger)
    assert (named(of_majority), named(of_ranked), named(of_first)) == (
        {Choice.FIRST},
        {Choice.SECOND},
        {Choice.SECOND},
    )
    assert drawn.backend.seen == n_drawn
    reading = of_first[0].readings[Order.AB]
    assert (reading.raw, reading.tokens_in, reading.tokens_out) == ("So it is. [[B]]", 10, 5)


def test_they_are_in_the_ledger_under_the_fingerprints_of_the_judges_that_would_draw_them(ledger, drawn):
    ranked = load_method("cot", drawn.backend, SETTINGS, samples=3, vote="ranked", ranker=Sure())
    judge_pairs(PAIRS, revoting(ranked, drawn, ledger), ledger)
    assert len(ledger.find(ranked.identity.fingerprint, {pair.content_hash for pair in PAIRS})) == 2 * len(
        PAIRS
    )


def test_fewer_samples_are_the_first_of_those_drawn(ledger, drawn):
    two = load_method("cot", drawn.backend, SETTINGS, samples=2, vote="ranked", ranker=Sure())
    assert named(judge_pairs(PAIRS, revoting(two, drawn, ledger))) == {Choice.SECOND}
    four = load_method("cot", drawn.backend, SETTINGS, samples=4, vote="ranked", ranker=Sure())
    with pytest.raises(InputError, match="draws other samples than --drawn has"):
        revoting(four, drawn, ledger)


def test_samples_of_another_temperature_or_none_at_all_are_refused(ledger, drawn):
    warmer = load_method("cot", drawn.backend, MethodSettings(temperature=1.0), samples=3)
    with pytest.raises(InputError, match="draws other samples than --drawn has"):
        revoting(warmer, drawn, ledger)
    with pytest.raises(InputError, match="--drawn: it takes one sample"):
        revoting(drawn, load_method("cot", drawn.backend, SETTINGS), ledger)


def test_a_pair_that_was_not_drawn_is_named(ledger, drawn):
    other = pair_of("new", "newer", "Another question?", "p9")
    with pytest.raises(InputError, match=r"the ledger has no samples of pair p9\. Judge it by "):
        judge_pairs([other], revoting(drawn, drawn, ledger))


def test_the_command_says_in_one_line_what_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        revote.main(["no.jsonl", "--ledger", "l.sqlite", "--drawn", "method=cot", "--judge", "methd=cot"])
    assert ended.value.code == 2
    assert "'methd=cot' is no option of a judge" in capsys.readouterr().err
