"""Contamination: on the real files by a second, independent look, and on made texts case by case."""

from __future__ import annotations

import gzip
import json
import shutil
import unicodedata
from dataclasses import replace

import pytest

from distill.clean import HeldOut, check_to_json, clean, held_out_texts, normalised
from distill.pairs import read_unlabelled
from distill.recipe import PairSource
from judge.datasets.mt_bench import HUMAN, QUESTIONS
from judge.datasets.oasst import VALIDATION
from judge.datasets.sources import published_rows
from judge.errors import InputError
from judge.records import Message, Pair

TRAINING = "${JUDGE_DATA}/oasst/train_messages_reconstructed.jsonl.gz"
SETS = ["MT-bench", "OASST validation", "LLMBar"]


@pytest.fixture(scope="module")
def held_out(data_dir):
    return held_out_texts(data_dir)


@pytest.fixture(scope="module")
def training(data_dir):
    return read_unlabelled(PairSource(path=TRAINING), data_dir)[0]


@pytest.fixture(scope="module")
def hh_pairs(data_dir, tmp_path_factory):
    """HH-RLHF's helpful test pairs, by way of a pair file that still has their labels."""
    path = tmp_path_factory.mktemp("hh") / "pairs.jsonl"
    lines = []
    for one in rows_in(data_dir / "hh_rlhf" / "helpful_test_pairs.jsonl.gz"):
        context = [{"role": message["role"], "content": message["text"]} for message in one["context"]]
        context.append({"role": "user", "content": one["prompt"]})
        replies = ([*context, {"role": "assistant", "content": one[name]}] for name in ("chosen", "rejected"))
        row = dict(zip(("conversation_a", "conversation_b"), replies, strict=True)) | {"gold": "A"}
        lines.append(json.dumps(row) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return read_unlabelled(PairSource(source="file", path=str(path)))[0]


@pytest.fixture(scope="module")
def of_training(training, held_out):
    """The training pairs that are left, and those that were dropped."""
    kept, dropped = clean(training, held_out)
    ids = {pair.id for pair in kept}
    return kept, [pair for pair in training if pair.id not in ids], dropped


# --- a second look, that shares no code with the first ---------------------------------------------------


def rows_in(path):
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open() as lines:
        return [json.loads(line) for line in lines]


def texts_in(value, keys):
    """Every text below one of these keys, however deep."""
    if isinstance(value, list):
        for inner in value:
            yield from texts_in(inner, keys)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts_in([{key: one} for one in inner] if isinstance(inner, list) else inner, keys)
            if key in keys and isinstance(inner, str):
                yield inner


def same(text):
    """Its letters and digits without case and accents, or where it has none, all but its spaces."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", folded))) or "".join(folded.split())


def spaced(text):
    """As DESIGN section 8 may be read at least: Unicode, case and spaces do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def texts_of(pairs):
    return {m.content for pair in pairs for m in (*pair.conversation_a, *pair.conversation_b)}


def prompts_of(pairs):
    return {pair.prompt for pair in pairs}


@pytest.fixture(scope="module")
def measured_on(data_dir):
    """Every text of the three data sets, read plainly."""
    mt_bench = data_dir / "mt_bench_human_judgments"
    paths = [mt_bench / "human.jsonl.gz", mt_bench / "question.jsonl"]
    paths += [data_dir / "oasst" / "validation_messages.jsonl.gz", *(data_dir / "llmbar").glob("*.jsonl")]
    assert len(paths) == 3 + 5
    keys = {"content", "turns", "reference", "text", "input", "output_1", "output_2"}
    texts = {text for path in paths for text in texts_in(rows_in(path), keys)}
    return {same(text) for text in texts}


@pytest.mark.slow
def test_nothing_that_judges_are_measured_on_is_left_in_the_training_file(of_training, measured_on):
    kept, gone, dropped = of_training
    assert not measured_on & {same(text) for text in texts_of(kept)}
    assert len(gone) == dropped.total() > 0
    assert all(measured_on & {same(text) for text in texts_of([pair])} for pair in gone)


@pytest.mark.slow
def test_nothing_that_judges_are_measured_on_is_left_in_hh_rlhf(hh_pairs, held_out, measured_on):
    kept, dropped = clean(hh_pairs, held_out)
    assert not measured_on & {same(text) for text in texts_of(kept)}
    assert len(kept) + dropped.total() == len(hh_pairs) == 6_190
    # Most are short remarks within a conversation, such as "Thank you!".
    assert dropped == {
        "prompt in MT-bench": 10,
        "reply in MT-bench": 15,
        "prompt in OASST validation": 138,
        "reply in OASST validation": 106,
        "prompt in LLMBar": 10,
    }


@pytest.mark.slow
def test_the_counts_of_the_training_file_are_the_known_ones(of_training, data_dir):
    kept, gone, dropped = of_training
    assert (len(kept), len(gone)) == (3_762, 118)
    assert dropped == {
        "prompt in OASST validation": 29,
        "reply in OASST validation": 2,
        "prompt in LLMBar": 58,
        "reply in LLMBar": 29,
    }
    inputs = [row["input"] for path in (data_dir / "llmbar").glob("*.jsonl") for row in rows_in(path)]
    in_llmbar = {
        form: {form(text) for text in prompts_of(gone)} & {form(text) for text in inputs}
        for form in (spaced, lettered, same)
    }
    # The README of the data counts 31, which is without punctuation; one more has an accent ("recipé").
    assert [len(prompts) for prompts in in_llmbar.values()] == [30, 31, 32]
    # One prompt begins a conversation of validation. The others are greetings, and deeper in one.
    messages = rows_in(data_dir / "oasst" / "validation_messages.jsonl.gz")
    first = {same(message["text"]) for message in messages if message["parent_id"] is None}
    assert {prompt for prompt in prompts_of(gone) if same(prompt) in first} == {
        "what is the meaning of life?"
    }


def lettered(text):
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


# --- made texts ------------------------------------------------------------------------------------------


def pair_of(*turns, other="Something else that nobody measures on."):
    """A pair whose conversations differ in their last message."""
    roles = ["user", "assistant"] * len(turns)
    asked = tuple(Message(role, text) for role, text in zip(roles, turns, strict=False))
    return Pair("p", asked, (*asked[:-1], Message("assistant", other)))


MADE = HeldOut(
    texts={
        "MT-bench": frozenset(map(normalised, ["Why is the sky blue?", "It scatters.", "Yes."])),
        "LLMBar": frozenset(map(normalised, ["Why is the sky blue?", "It's cold.", ""])),
    },
    unread={},
)


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (pair_of("Why is the sky blue?", "x"), "prompt in MT-bench"),
        (pair_of("  why is\u00a0the SKY\nblue", "x"), "prompt in MT-bench"),
        (pair_of("What?", "It scatters."), "reply in MT-bench"),
        (pair_of("What?", "x", other="It scatters."), "reply in MT-bench"),
        (pair_of("What?", "its cold"), "reply in LLMBar"),
        (pair_of("What?", "Ｉｔ’ｓ ｃóｌｄ"), "reply in LLMBar"),
        (pair_of("What?", "yes"), "reply in MT-bench"),  # short texts count, too
        (pair_of("What?", ""), "reply in LLMBar"),
        (pair_of("It's cold.", "It scatters."), "prompt in LLMBar"),  # one reason a pair, a prompt first
        (pair_of("Hi", "x", "Why is the sky blue?", "y"), "prompt in MT-bench"),  # in any turn
        (pair_of("Hi", "It scatters.", "What?", "y"), "reply in MT-bench"),
        (replace(pair_of("What?", "x"), reference="It scatters."), "reply in MT-bench"),
        (replace(pair_of("What?", "x"), system="Why is the sky blue?"), "prompt in MT-bench"),
    ],
)
def test_a_pair_with_any_text_of_a_held_out_set_is_dropped_for_a_reason(pair, reason):
    assert clean([pair], MADE) == ([], {reason: 1})


@pytest.mark.parametrize(
    "pair",
    [
        pair_of("Why is the sky blue at noon?", "It scatters a lot."),
        pair_of("What?", "?!"),  # no letters, and not the empty text
        pair_of("What?", "日本"),
    ],
)
def test_other_pairs_stay_as_they_are(pair):
    assert clean([pair], MADE) == ([pair], {})


def test_texts_without_letters_are_told_apart():
    assert len({normalised(text) for text in ("", "?", "? ?", "😀", "😁", "...")}) == 6


# --- data that is not at hand ----------------------------------------------------------------------------


def with_llmbar_only(data_dir, folder):
    shutil.copytree(data_dir / "llmbar", folder / "llmbar")
    return folder


def test_without_the_data_nothing_is_checked_and_the_error_says_how_to_go_on(tmp_path):
    with pytest.raises(InputError) as raised:
        held_out_texts(tmp_path)
    *problems, way_out = str(raised.value).splitlines()
    assert [problem.partition(":")[0] for problem in problems] == SETS
    assert "JUDGE_DATA" in way_out
    assert "collect.pairs.unchecked: true" in way_out


def test_an_unchecked_run_checks_what_it_can_and_says_what_it_could_not(data_dir, held_out, tmp_path):
    some = held_out_texts(with_llmbar_only(data_dir, tmp_path), unchecked=True)
    assert some.texts == {"LLMBar": held_out.texts["LLMBar"]}
    assert some.warning.startswith("NOT CHECKED against MT-bench, OASST validation: ")
    record = check_to_json(some, clean([pair_of("What?", "x")], some)[1])
    assert list(record["checked"]) == ["LLMBar"]
    assert "human.jsonl.gz: no such file" in record["not_checked"]["MT-bench"]


def test_a_checked_run_has_no_warning_and_its_record_names_what_it_was_checked_against(held_out, of_training):
    assert held_out.warning == ""
    record = json.loads(json.dumps(check_to_json(held_out, of_training[2])))
    assert {name: one["texts"] for name, one in record["checked"].items()} == {
        "MT-bench": 1_165,
        "OASST validation": 2_008,
        "LLMBar": 1_252,
    }
    assert record["not_checked"] == {}
    assert sum(record["dropped"].values()) == 118


def test_the_hub_has_two_of_the_three(data_dir, held_out, monkeypatch):
    some = {source: published_rows(source, data_dir)[:40] for source in (HUMAN, QUESTIONS, VALIDATION)}
    some[QUESTIONS] = [{"prompt": row["turns"]} for row in some[QUESTIONS]]  # the hub's name
    hub = {(source.repo, source.split): rows for source, rows in some.items()}
    monkeypatch.setattr("judge.datasets.sources.hub_rows", lambda repo, split: hub[repo, split])
    from_hub = held_out_texts(None, unchecked=True)
    assert from_hub.texts["OASST validation"] == {normalised(row["text"]) for row in some[VALIDATION]}
    assert (
        100 < len(from_hub.texts["MT-bench"] & held_out.texts["MT-bench"]) == len(from_hub.texts["MT-bench"])
    )
    assert "LLMBar is read from local files only" in from_hub.unread["LLMBar"]


def test_a_row_without_its_text_is_no_silent_gap(data_dir, tmp_path):
    folder = with_llmbar_only(data_dir, tmp_path)
    with (folder / "llmbar" / "natural.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"input": "What?", "output_1": "x"}\n')
    unread = held_out_texts(folder, unchecked=True).unread
    assert unread["LLMBar"] == "row 101 of those read is without its texts."
    (folder / "oasst").mkdir()
    (folder / "oasst" / "validation_messages.jsonl.gz").write_bytes(gzip.compress(b""))
    assert held_out_texts(folder, unchecked=True).unread["OASST validation"] == "no rows."
