"""FastChat's MT-bench files: question.jsonl, model_answer/*.jsonl, and judgments of pairs or single answers.

One pair a turn for every two models on a question. A judgment of a pair is a vote where both orders agree,
and a tie where they differ, as in Zheng et al. (arXiv:2306.05685); of two single scores the higher one wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from judge.errors import BadLines
from judge.forms.answers import compared
from judge.forms.arena import turn_of
from judge.forms.conversation import Conversation, content_of
from judge.forms.form import (
    Answer,
    Answers,
    Comparison,
    Entry,
    Form,
    Imported,
    Labels,
    each,
    imported,
    is_pair,
    optional_name,
)
from judge.io.rows import Cells, Wrong, found, kind_of
from judge.io.usable import Unusable, usable
from judge.records import Ballot, Message

NEEDED = "FastChat's rows need question_id, and turns, or model_id and choices, or a judgment."
QUESTION = ("turns", "text", "reference")
"""What is the same in equal questions."""
WINNERS = {"model_1": Ballot.A, "model_2": Ballot.B, "tie": Ballot.TIE}


def recognises(cells: Mapping[str, Any]) -> bool:
    return kind_among(cells) is not None


def kind_among(cells: Mapping[str, Any]) -> str | None:
    """What a row is: a question, an answer, a judgment of a pair or of a single answer."""
    if "question_id" not in cells or is_pair(cells):
        return None
    if "model_id" in cells and ("choices" in cells or "text" in cells):
        return "answer"
    if "g1_winner" in cells and "model_1" in cells:
        return "pair"
    if "score" in cells and "model" in cells:
        return "single"
    return "question" if "turns" in cells or "text" in cells else None


def read(entries: Sequence[Entry]) -> Imported:
    """Every two models' answers to each turn of a question, and judgments on them as votes.

    Raises:
        BadLines: a row is none of FastChat's.
        Wrong: there are no questions, or all answers are of one model.
    """
    rows, left_out = each(entries, row_of)
    given = answers_in(rows, left_out)
    judged = [(kind, entry.cells) for kind, entry in rows if kind in ("pair", "single")]
    comparisons = list(with_judgments(compared(given, left_out), judged, left_out))
    return imported(comparisons, left_out, voter="judgment")


def answers(entries: Sequence[Entry]) -> Answers:
    """What each model answered in each turn of a question.

    Raises:
        BadLines: a row is none of FastChat's.
        Wrong: there are no questions, or no answers.
    """
    rows, left_out = each(entries, row_of)
    return answers_in(rows, left_out), left_out


def answers_in(rows: Sequence[tuple[str, Entry]], left_out: Counter[str]) -> list[Answer]:
    """The answers among rows; adds to `left_out` those to unknown questions."""
    of_kind = {kind: [entry for one, entry in rows if one == kind] for kind in ("question", "answer")}
    if not of_kind["question"] or not of_kind["answer"]:
        missing = "answers, model_answer/*.jsonl" if of_kind["question"] else "questions, question.jsonl"
        raise Wrong(f"there are no {missing}. Give the questions and the answers together.")
    questions = questions_among(of_kind["question"])
    turns, unasked = usable(of_kind["answer"], lambda entry: list(turns_of(entry, questions)))
    left_out.update(unasked)
    return [answer for given in turns for answer in given]


def questions_among(entries: Iterable[Entry]) -> dict[str, Cells]:
    """The questions by their numbers. Raises BadLines where two of one number are different ones."""
    firsts: dict[str, Entry] = {}
    problems = []
    for entry in entries:
        number = str(entry.cells["question_id"])
        first = firsts.setdefault(number, entry)
        if any(first.cells.get(name) != entry.cells.get(name) for name in QUESTION):
            problems.append(
                f"{entry.where}: question {number} is another one than in {first.where}. A number must name "
                "one question: read the files of each set of questions by themselves."
            )
    if problems:
        raise BadLines(problems)
    return {number: entry.cells for number, entry in firsts.items()}


def row_of(entry: Entry) -> tuple[str, Entry]:
    kind = kind_among(entry.cells)
    if kind is None:
        raise Wrong(f"found {found(entry.cells)}. {NEEDED}")
    if kind in ("pair", "single"):
        check_judgment(entry.cells)
    return kind, entry


def check_judgment(cells: Cells) -> None:
    """Raises Wrong where what says which judgment this is, is a list or an object."""
    for name in ("model", "model_1", "model_2", "turn"):
        if isinstance(value := cells.get(name), list | Mapping):
            right = "the number of a turn" if name == "turn" else "the name of one model"
            raise Wrong(f"{name} is {kind_of(value)}. It must be {right}.")


def turns_of(entry: Entry, questions: Mapping[str, Cells]) -> Iterator[Answer]:
    """A model's answers, one a turn, each after all that was said before it."""
    cells = entry.cells
    number = str(cells["question_id"])
    if number not in questions:
        raise Unusable("answer: to a question that no file has")
    question = questions[number]
    before = Conversation(())
    both = zip(texts_of(question.get("turns", question.get("text"))), answers_of(cells), strict=False)
    for turn, (asked, answer) in enumerate(both, start=1):
        before = replace(before, messages=(*before.messages, Message("user", asked)))
        yield Answer(
            before,
            answer,
            model=str(cells["model_id"]),
            file=entry.file,
            where=entry.where,
            question=f"{number}, turn {turn}",
            category=optional_name(question.get("category")),
            reference=reference_of(question, turn),
            metadata={"question_id": cells["question_id"], "turn": turn},
        )
        before = before.answered(answer)


def reference_of(question: Cells, turn: int) -> str | None:
    """The known good answer of a turn, None where there is none."""
    given = question.get("reference")
    every = given if isinstance(given, list) else [given]
    return content_of(every[turn - 1])[0] if turn <= len(every) else None


def answers_of(cells: Cells) -> list[str]:
    """What the model said in each turn: the first of its choices, or its one text."""
    choices = cells.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        return texts_of(choices[0].get("turns"))
    return texts_of(cells.get("text"))


def texts_of(value: Any) -> list[str]:
    """The texts of turns; each is a text, or has one as its content."""
    turns = value if isinstance(value, list) else [] if value is None else [value]
    texts = [content_of(turn)[0] for turn in turns]
    if any(text is None for text in texts):
        raise Unusable("an answer without text")
    return [str(text) for text in texts]


def with_judgments(
    comparisons: Iterable[Comparison], judged: Iterable[tuple[str, Cells]], left_out: Counter[str]
) -> Iterator[Comparison]:
    """The comparisons, each with what judgments say of its two models in its turn.

    What is said of no comparison, or once more, is added to `left_out`.
    """
    pairs: dict[tuple[str, Any], list[Cells]] = {}
    scores: dict[tuple[str, Any], dict[tuple[str, str], Any]] = {}
    numbered, unknown = usable(judged, lambda one: (turn_of(one[1].get("turn", 1)) or 1, *one))
    left_out.update({f"judgment: {why}": n for why, n in unknown.items()})
    for turn, kind, cells in numbered:
        key = (str(cells["question_id"]), turn)
        if kind == "pair":
            pairs.setdefault(key, []).append(cells)
            continue
        told = (optional_name(cells.get("judge")) or "", str(cells["model"]))
        if told in scores.setdefault(key, {}):
            left_out["judgment: another one of the same judge"] += 1
        else:
            scores[key][told] = cells["score"]
    seen: dict[tuple[str, Any], list[set[str]]] = {}
    for one in comparisons:
        key = (str(one.metadata["question_id"]), one.metadata["turn"])
        labels = Labels()
        models = (str(one.first.model), str(one.second.model))
        seen.setdefault(key, []).append(set(models))
        for cells in pairs.get(key, ()):
            if {cells["model_1"], cells.get("model_2")} == set(models):
                is_turned = cells["model_1"] != models[0]
                labels.add(partial(winner_of, cells, is_turned), optional_name(cells.get("judge")) or "")
        of_turn = scores.get(key, {})
        for voter in dict.fromkeys(voter for voter, _ in of_turn):
            both = [of_turn.get((voter, model)) for model in models]
            labels.add(partial(higher_of, *both), voter)
        yield replace(one, labels=labels)
    unmet = [
        1
        for key, some in pairs.items()
        for cells in some
        if {cells["model_1"], cells.get("model_2")} not in seen.get(key, ())
    ]
    unmet += [
        1
        for key, of_turn in scores.items()
        for _, model in of_turn
        if all(model not in models for models in seen.get(key, ()))
    ]
    if unmet:
        left_out["judgment: of answers that are not compared"] += len(unmet)


def winner_of(cells: Cells, is_turned: bool) -> Ballot:
    """Who won in both orders, TIE where they differ."""
    winners = [cells[name] for name in ("g1_winner", "g2_winner") if cells.get(name) is not None]
    if not winners or any(not isinstance(winner, str) or winner not in WINNERS for winner in winners):
        raise Unusable("a judgment that could not be read")
    if len(set(winners)) > 1:
        return Ballot.TIE
    ballot = WINNERS[winners[0]]
    return {Ballot.A: Ballot.B, Ballot.B: Ballot.A}.get(ballot, ballot) if is_turned else ballot


def higher_of(first: Any, second: Any) -> Ballot | None:
    """Whose score is higher; None where one has none. A score below 0 is a reply that could not be read."""
    if first is None or second is None:
        return None
    if any(isinstance(one, bool) or not isinstance(one, int | float) or one < 0 for one in (first, second)):
        raise Unusable("a judgment that could not be read")
    return Ballot.TIE if first == second else Ballot.A if first > second else Ballot.B


FASTCHAT = Form("FastChat's questions and answers", recognises, read, answers=answers)
