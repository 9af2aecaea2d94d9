"""What a slow judge did, as people see it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pairs import FOUR_PAIRS, pair_of

from judge.backends import load_backend
from judge.backends.scripted import ScriptedBackend, longer
from judge.cli.main import format_verdict
from judge.drawing.steps import cut_in_words, format_steps, reading_cut_in_words, scores_of, shared_steps
from judge.evaluate import judge_pairs
from judge.io.verdicts import verdict_to_json
from judge.ledger.ledger import Ledger
from judge.methods import METHODS, MethodSettings, load_method
from judge.records import Cut, Order


def verdict_of(method="bsm-text", spec="scripted:longer"):
    [verdict] = judge_pairs([pair_of("a longer answer", "short")], load_method(method, load_backend(spec)))
    return verdict


def test_the_table_shows_scores_by_criterion_and_response_in_both_orders():
    lines = format_steps(verdict_of()).splitlines()
    assert lines[:6] == [
        "                                A shown first   B shown first",
        "criterion                            A      B        A      B",
        "Content: says what was asked.     4.00   2.00     4.00   2.00",
        "Form: is easy to read.            4.00   2.00     4.00   2.00",
        "Care: says nothing wrong.         4.00   2.00     4.00   2.00",
        "sum                              12.00   6.00    12.00   6.00",
    ]


def test_scores_are_the_responses_own_whichever_was_shown_first():
    verdict = verdict_of()
    assert scores_of(verdict.readings[Order.BA], Order.BA) == scores_of(verdict.readings[Order.AB], Order.AB)


def test_plan_and_reasons_are_shown_the_plan_once():
    text = format_steps(verdict_of())
    assert text.count("branch\n  1. Content: says what was asked.") == 1
    assert text.count("Reason: it is a rule.") == 2 * 3
    assert "In its replies the judge calls the answer shown first A" in text


def test_what_could_control_a_terminal_is_not_printed():
    verdict = verdict_of()
    hostile = {
        order: replace(
            reading,
            raw="\x1b]0;x\x07",
            steps=tuple(replace(s, name=f"{s.name}\x1b[2J", raw="\x9b1m") for s in reading.steps),
        )
        for order, reading in verdict.readings.items()
    }
    text = format_steps(replace(verdict, readings=hostile))
    assert "criterion" in text
    assert not set(text) & {"\x1b", "\x07", "\x9b"}


def test_a_long_criterion_is_folded_and_the_table_stays_within_the_width():
    lines = format_steps(verdict_of(), width=56).splitlines()
    table = lines[: lines.index("")]
    assert max(map(len, table)) <= 56
    assert "says what was" in "\n".join(table)


def test_a_method_without_scores_shows_its_replies():
    text = format_steps(verdict_of("cot"))
    assert "criterion" not in text
    assert "A shown first, reply\n  [[A]]" in text
    assert "B shown first, reply\n  [[B]]" in text


def test_a_reply_that_readings_share_is_counted_once():
    verdicts = judge_pairs(FOUR_PAIRS, load_method("bsm", load_backend("scripted:longer")))
    assert len(shared_steps(verdicts)) == 4  # questions
    assert len(shared_steps(verdicts[:1])) == 1


def test_the_seconds_of_what_readings_share_are_found_under_the_name_in_their_steps(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        method = load_method("bsm", load_backend("scripted:longer"), MethodSettings(store=ledger))
        verdicts = judge_pairs(FOUR_PAIRS, method, ledger)
        contents = [pair.content_hash for pair in FOUR_PAIRS]
        shared = [step.shared for step in shared_steps(verdicts)]
        judge = method.identity.fingerprint
        assert ledger.elapsed(judge, contents, shared) > ledger.elapsed(judge, contents) > 0


class Shortening(ScriptedBackend):
    """Says that it read 4,096 tokens of each prompt: of 20,000, and of one more in each later prompt."""

    def __init__(self) -> None:
        super().__init__(longer, "scripted-shortening")
        self.n_whole = 20_000

    def shortened(self, answers):
        cuts = [Cut(4096, self.n_whole + number) for number in range(len(answers))]
        self.n_whole += len(answers)
        return [replace(one, is_trimmed=True, cut=cut) for one, cut in zip(answers, cuts, strict=True)]

    def complete(self, prompts, sampling):
        return self.shortened(super().complete(prompts, sampling))

    def choose(self, prompts, choices):
        return self.shortened(super().choose(prompts, choices))


@pytest.mark.parametrize("name", METHODS.ours)
def test_every_method_says_how_much_was_read_of_its_longest_prompt(name):
    backend = Shortening()
    [verdict] = judge_pairs([pair_of("a longer answer", "short")], load_method(name, backend))
    cuts = [reading.cut for reading in verdict.readings.values()]
    assert all(reading.is_trimmed for reading in verdict.readings.values())
    assert max(cut.whole for cut in cuts) == backend.n_whole - 1
    words = f"answers were shortened for the judge, which read 4,096 of {backend.n_whole - 1:,} tokens"
    assert cut_in_words(verdict) == words
    assert f"\n{words.capitalize()}.\n" in format_verdict(verdict, 1.0)


def test_a_vote_says_how_much_its_samples_read():
    method = load_method("cot", Shortening(), MethodSettings(temperature=0.5), 3, "usc")
    [verdict] = judge_pairs([pair_of("a longer answer", "short")], method)
    assert {reading.cut.read for reading in verdict.readings.values()} == {4096}


def test_a_verdict_that_is_older_than_the_count_says_what_it_knows():
    whole = verdict_of("direct")
    readings = {
        order: replace(reading, is_trimmed=True, tokens_in=4096) for order, reading in whole.readings.items()
    }
    old = replace(whole, readings=readings)
    assert cut_in_words(whole) == reading_cut_in_words(whole.readings[Order.AB]) == ""
    assert "cut" not in verdict_to_json(whole)["orders"]["AB"]
    assert cut_in_words(old) == "answers were shortened for the judge, which read 4,096 tokens"
    assert reading_cut_in_words(readings[Order.AB]) == "answers shortened"
    known = replace(readings[Order.AB], cut=Cut(4096, 30_000))
    assert reading_cut_in_words(known) == "answers shortened: 4,096 of 30,000 tokens read"
