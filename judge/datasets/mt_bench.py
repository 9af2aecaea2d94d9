"""MT-bench with human votes: texts and votes by Zheng et al. (arXiv:2306.05685), CC-BY-4.0.

Read in the schema of the hub's `lmsys/mt_bench_human_judgments`; categories and reference answers come with
the questions, which a vote's row does not have. For measuring only: nothing of it is trained or tuned on.
`python -m judge.datasets.mt_bench --turn 1 --out pairs.jsonl` writes its pairs as a pair file.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from judge.datasets.dataset import Check, Dataset, DataSource, SelfCheck, Wanted, data_folder, not_empty
from judge.datasets.sources import Source, published_rows
from judge.errors import InputError
from judge.io.labels import ballot_of
from judge.io.pairs import write_pairs
from judge.io.usable import UnknownLabel, Unusable, usable
from judge.records import Ballot, HumanVote, Message, Outcome, Pair, Status, Verdict

REPO = "lmsys/mt_bench_human_judgments"
HUMAN = Source("mt_bench_human_judgments/human.jsonl.gz", REPO, "human")
GPT_4 = Source("mt_bench_human_judgments/gpt4_pair.jsonl.gz", REPO, "gpt4_pair")
QUESTIONS = Source("mt_bench_human_judgments/question.jsonl", "HuggingFaceH4/mt_bench_prompts", "train")

VOTERS = {"experts": "expert", "authors": "author", "all": ""}
TURNS = (1, 2)
INCONSISTENT = "tie (inconsistent)"
SECOND_VERDICT = "a second one on the pair"
NOT_RELEASED = "pair without a released verdict"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What a vote's row does not say of its question. `references` has a good answer a turn, or none."""

    category: str | None
    references: tuple[str, ...]


def read(wanted: Wanted) -> Dataset:
    """The pairs with a vote of the wanted people, those votes, and GPT-4's released verdicts on the pairs.

    Some votes name a pair's models in one order and some in the other; here a is the first by name. If
    GPT-4's verdict on any pair is missing, none of its verdicts are given, as judges are compared on all
    pairs.

    Raises:
        InputError: the data cannot be read, no pair is left, or there is no such turn or kind of voter.
    """
    pairs, votes, broken = pairs_and_votes(wanted)
    released, unread = released_rows(wanted)
    verdict_on = {verdict.pair_id: verdict for verdict in released}
    n_missing = sum(pair.id not in verdict_on for pair in pairs)
    return not_empty(
        Dataset(
            name="MT-bench",
            pairs=pairs,
            votes=votes,
            source="Zheng et al. (arXiv:2306.05685), CC-BY-4.0",
            broken=broken + unread + Counter({NOT_RELEASED: n_missing}),
            released={} if n_missing else {"gpt-4": tuple(verdict_on[pair.id] for pair in pairs)},
        )
    )


def voted_pairs(folder: Path | None, turn: int = 1) -> list[Pair]:
    """Every pair of conversations that people voted on in one turn, each once, by question and models.

    Raises:
        InputError: the data cannot be read from `folder`, or from the hub where that is None.
    """
    return list(pairs_and_votes(Wanted(folder, turn, "all"))[0])


def pairs_and_votes(wanted: Wanted) -> tuple[tuple[Pair, ...], tuple[HumanVote, ...], Counter[str]]:
    """The pairs by id, the votes in the order of the file, and the rows that were left out, by reason."""
    refuse_unknown(wanted)
    numbered = enumerate(published_rows(HUMAN, wanted.folder), start=1)
    rows = {number: row for number, row in numbered if is_wanted(row, wanted)}
    questions = questions_by_text(published_rows(QUESTIONS, wanted.folder))
    pairs: dict[str, Pair] = {}

    def vote_of(row: Row) -> HumanVote:
        pair = pair_of(row, questions)
        vote = vote_on(pair, row)
        if pairs.setdefault(pair.id, pair) != pair:
            raise Unusable("other texts than an earlier row of the pair")
        return vote

    votes, broken = usable(rows.values(), vote_of, rows)
    return tuple(pairs[id] for id in sorted(pairs)), tuple(votes), broken


def released_verdicts(wanted: Wanted) -> list[Verdict]:
    """GPT-4's verdicts on every released pair of the wanted turn, those without a vote too, by pair id."""
    return released_rows(wanted)[0]


def released_rows(wanted: Wanted) -> tuple[list[Verdict], Counter[str]]:
    """The same, and the rows that were left out, by reason: no verdict, or a second one on a pair."""
    refuse_unknown(wanted)
    numbered = enumerate(published_rows(GPT_4, wanted.folder), start=1)
    rows = {number: row for number, row in numbered if wanted.turn in (None, row.get("turn"))}
    verdicts, broken = usable(rows.values(), verdict_from_row, rows)
    first = {verdict.pair_id: verdict for verdict in reversed(verdicts)}
    broken[SECOND_VERDICT] = len(verdicts) - len(first)
    named = Counter({f"released verdict: {reason}": n for reason, n in broken.items()})
    return [first[id] for id in sorted(first)], named


# --- from rows to records --------------------------------------------------------------------------------


def refuse_unknown(wanted: Wanted) -> None:
    """Raises InputError for a turn or a kind of voter that MT-bench does not have."""
    if wanted.turn not in (None, *TURNS):
        raise InputError(f"turn {wanted.turn}: MT-bench has turn 1 and turn 2.")
    if wanted.votes and wanted.votes not in VOTERS:
        raise InputError(f"votes {wanted.votes!r}: MT-bench has those of {', '.join(VOTERS)}.")


def is_wanted(row: Row, wanted: Wanted) -> bool:
    """Whether a vote is of the wanted turn and people; one without these is kept, to be counted as broken."""
    turn, voter = row.get("turn"), row.get("judge")
    is_of_turn = wanted.turn in (None, turn) or turn not in TURNS
    return is_of_turn and (not isinstance(voter, str) or voter.startswith(VOTERS[wanted.votes or "experts"]))


def questions_by_text(rows: Iterable[Row]) -> dict[str, Question]:
    """Each question by the text of its first turn: the hub's two data sets share no other key."""
    return {
        turns[0]: Question(row.get("category"), references_in(row))
        for row in rows
        # question.jsonl's name, the hub's name
        if isinstance(turns := row.get("turns") or row.get("prompt"), list)
        and turns
        and isinstance(turns[0], str)
    }


def references_in(row: Row) -> tuple[str, ...]:
    """The reference answers, one a turn; a text is that of the first turn."""
    given = row.get("reference") or ()
    return (given,) if isinstance(given, str) else tuple(given)


def pair_of(row: Row, questions: Mapping[str, Question]) -> Pair:
    """The pair that a vote's row is about, with both conversations up to the row's turn."""
    pair_id, turn = pair_id_of(row), row["turn"]
    conversations = {row[f"model_{side}"]: side_conversation(row, side, turn) for side in "ab"}
    model_a, model_b = sorted(conversations)
    asked_a, asked_b = (conversations[model][::2] for model in (model_a, model_b))
    if asked_a != asked_b:
        raise Unusable("two different questions")
    question = questions.get(asked_a[0].content)
    if question is None:
        raise Unusable("unknown question")
    return Pair(
        id=pair_id,
        conversation_a=conversations[model_a],
        conversation_b=conversations[model_b],
        category=question.category,
        reference=question.references[turn - 1] if len(question.references) >= turn else None,
        metadata={"question_id": row["question_id"], "model_a": model_a, "model_b": model_b},
    )


def pair_id_of(row: Row) -> str:
    """The same id whichever way round the row names the models."""
    model_a, model_b, turn, question = (row.get(k) for k in ("model_a", "model_b", "turn", "question_id"))
    if not isinstance(model_a, str) or not isinstance(model_b, str) or not model_a or not model_b:
        raise Unusable("no model name")
    if model_a == model_b:
        raise Unusable("a model against itself")
    if type(turn) is not int or turn not in TURNS:
        raise Unusable("unknown turn")
    if type(question) not in (int, str):
        raise Unusable("no question_id")
    first, second = sorted((model_a, model_b))
    return f"mt-bench-{question}-{first}-{second}-{turn}"


def side_conversation(row: Row, side: str, turn: int) -> tuple[Message, ...]:
    """One side's messages up to the answer of the turn. An empty answer counts as an answer."""
    messages = row.get(f"conversation_{side}")
    if not isinstance(messages, list) or not messages:
        raise Unusable("no conversation")
    if len(messages) < 2 * turn:
        raise Unusable("fewer messages than the turn needs")
    conversation = tuple(turn_message(message) for message in messages[: 2 * turn])
    if [message.role for message in conversation] != ["user", "assistant"] * turn:
        raise Unusable("roles that do not alternate")
    return conversation


def turn_message(value: Any) -> Message:
    role, content = (value.get("role"), value.get("content")) if isinstance(value, dict) else (None, None)
    if not isinstance(role, str) or not isinstance(content, str):
        raise Unusable("a message without role or content")
    return Message(role, content)


def vote_on(pair: Pair, row: Row) -> HumanVote:
    voter = row.get("judge")
    if not isinstance(voter, str) or not voter:
        raise Unusable("no voter")
    return HumanVote(
        pair_id=pair.id,
        voter=voter,
        outcome=Ballot(voted_outcome(row).value),
        turn=row["turn"],
        category=pair.category,
        model_a=pair.metadata["model_a"],
        model_b=pair.metadata["model_b"],
    )


def voted_outcome(row: Row) -> Outcome:
    """Who won, in the pair's terms: a is the first model by name."""
    found = ballot_of(row.get("winner"))
    if found is None:
        raise UnknownLabel("unknown winner", row.get("winner"))
    if found.outcome is Outcome.TIE:
        return Outcome.TIE
    winner = row["model_a"] if found is Ballot.A else row["model_b"]
    return Outcome.A if winner == min(row["model_a"], row["model_b"]) else Outcome.B


def verdict_from_row(row: Row) -> Verdict:
    """GPT-4's verdict. Its readings are not released; where they differed, the row says so."""
    is_consistent = row.get("winner") != INCONSISTENT
    return Verdict(
        pair_id=pair_id_of(row),
        status=Status.CONSISTENT if is_consistent else Status.INCONSISTENT,
        outcome=voted_outcome(row) if is_consistent else Outcome.TIE,
        p_a=None,
        outcome_by_mean=None,
        readings={},
        judge="gpt-4 (released)",
    )


def self_check(wanted: Wanted) -> list[Check]:
    """The figures published of turn 1 with the experts' votes, beside ours."""
    from judge.datasets.mt_bench_check import checks

    published = replace(wanted, turn=1, votes="experts")
    return checks(read(published), released_verdicts(published))


MT_BENCH = DataSource(
    read,
    turn="1",
    votes="experts",
    every_turn="both turns",
    self_check=SelfCheck("MT-bench turn 1 (experts)", self_check),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write MT-bench's pairs as a pair file.")
    parser.add_argument("--turn", type=int, choices=TURNS, default=1)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    write_pairs(arguments.out, voted_pairs(data_folder(arguments.data_dir), arguments.turn))


if __name__ == "__main__":
    main()
