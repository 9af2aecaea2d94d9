"""From the samples of a question to what a student is taught, or the reason why it is not.

No right answer is looked at: what the samples say of each other is all that a filter knows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from benchmarks.system2.following import Followed
from benchmarks.system2.reading import key_of
from benchmarks.system2.task import Answer, Question, Task
from distill.replies import Ask, Replies
from judge.errors import InputError
from judge.records import Unparsed

MAJORITY, USC, NONE = "majority", "usc", "none"

LETTER = re.compile(r"(?<![A-Za-z])[A-Z](?![A-Za-z'’])")
"""One that stands alone, as a pick does; "Based on" picks nothing."""

UNREAD = "no answer could be read"
NO_MAJORITY = "no answer is the most frequent one"
NOT_PICKED = "the model picked none of the samples"
ORDER_DECIDED = "the model picked another answer in the other order"


@dataclass(frozen=True, slots=True)
class Target:
    """What is taught of a question, and how many of the samples say the same: `count` of `total`."""

    answer: str
    count: int
    total: int

    @property
    def share(self) -> float:
        return self.count / self.total


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nothing is taught of a question, and why."""

    reason: str


Taught = Target | Dropped


def taught(
    task: Task,
    filter: str,
    questions: Sequence[Question],
    samples: Sequence[Sequence[Followed]],
    replies: Replies,
) -> list[Taught]:
    """What each question teaches by the filter. Only universal self-consistency asks the model for it.

    Raises:
        InputError: there is no such filter.
    """
    answers = [[task.answer_in(one.reply) for one in each] for each in samples]
    if filter == MAJORITY:
        return [majority(each) for each in answers]
    if filter == NONE:
        return [first(each) for each in answers]
    if filter == USC:
        return picked(questions, samples, answers, replies)
    raise InputError(f"{task.name}: no filter is called {filter}. There are: {MAJORITY}, {USC}, {NONE}.")


def majority(answers: Sequence[Answer]) -> Taught:
    """The most frequent answer (Wang et al., arXiv:2203.11171); unread samples count together as one of
    their own, and a draw teaches nothing."""
    votes = Counter(None if isinstance(one, Unparsed) else key_of(one) for one in answers)
    (winner, most), *others = votes.most_common()
    if any(count == most for _, count in others):
        return Dropped(NO_MAJORITY)
    if winner is None:
        return Dropped(UNREAD)
    return target_of(winner, answers)


def first(answers: Sequence[Answer]) -> Taught:
    """No filter: whatever the first sample says, if it says something."""
    one = answers[0]
    return Dropped(UNREAD) if isinstance(one, Unparsed) else target_of(key_of(one), answers)


def target_of(key: str, answers: Sequence[Answer]) -> Target:
    """The answer in the spelling that comes first, with the count of the samples that say the same."""
    same = [one for one in answers if not isinstance(one, Unparsed) and key_of(one) == key]
    return Target(same[0], len(same), len(answers))


def picked(
    questions: Sequence[Question],
    samples: Sequence[Sequence[Followed]],
    answers: Sequence[Sequence[Answer]],
    replies: Replies,
) -> list[Taught]:
    """Universal self-consistency (Chen et al., arXiv:2311.17311): the model picks the sample that agrees best
    with the others, unread ones left out. It is shown them in both orders, and a pick that changes with the
    order teaches nothing. Where one answer is all that was read, nothing is asked."""
    readable = [
        [(one.reply, answer) for one, answer in zip(*two, strict=True) if not isinstance(answer, Unparsed)]
        for two in zip(samples, answers, strict=True)
    ]
    shown = {n: each for n, each in enumerate(readable) if len({key_of(answer) for _, answer in each}) > 1}
    there = picks(questions, shown, replies)
    back = picks(questions, {n: each[::-1] for n, each in shown.items()}, replies)
    found: list[Taught] = []
    for n, each in enumerate(readable):
        if not each:
            found.append(Dropped(UNREAD))
        elif n not in shown:
            found.append(target_of(key_of(each[0][1]), answers[n]))
        elif not (there[n] and back[n]):
            found.append(Dropped(NOT_PICKED))
        elif there[n] != back[n]:
            found.append(Dropped(ORDER_DECIDED))
        else:
            found.append(target_of(there[n], answers[n]))
    return found


def picks(
    questions: Sequence[Question], shown: Mapping[int, Sequence[tuple[str, str]]], replies: Replies
) -> dict[int, str]:
    """By the number of a question: the key of the answer that the model picks of those shown, "" for none."""
    asks = [
        Ask(most_consistent(questions[n].text, [reply for reply, _ in each])) for n, each in shown.items()
    ]
    found: dict[int, str] = {}
    for (n, each), said in zip(shown.items(), replies.to(asks, 4, stage="picking samples"), strict=True):
        letters = letters_in(said.text) & set(ascii_uppercase[: len(each)])
        found[n] = key_of(each[ascii_uppercase.index(letters.pop())][1]) if len(letters) == 1 else ""
    return found


def letters_in(text: str) -> set[str]:
    """The capital letters that stand alone in a text; one that is all of it may be a small one."""
    alone = text.strip(" \n[](){}*.:")
    return {alone.upper()} if len(alone) == 1 else set(LETTER.findall(text))


def most_consistent(question: str, samples: Sequence[str]) -> str:
    """What asks for the sample that agrees best with the others, by its letter."""
    if len(samples) > len(ascii_uppercase):
        raise InputError(f"{len(samples)} samples: usc can tell {len(ascii_uppercase)} apart at most.")
    shown = "\n".join(
        f"{letter}: {text.strip()}" for letter, text in zip(ascii_uppercase, samples, strict=False)
    )
    what = "Which of these replies agrees best with all of them? Reply with its letter only."
    return f"{question}\n\nReplies to this:\n\n{shown}\n\n{what}"
