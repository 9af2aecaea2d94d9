"""Judges with a known character and no model: for tests, for trying things out, and as baselines."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence

from judge.backends import ChoiceProbabilities, Completion, Sampling, Settings
from judge.errors import InputError
from judge.prompts.parsing import last_tag
from judge.records import NO_ADAPTER, Engine, Prompt, Unparsed

Script = Callable[[Prompt, int], str]
"""(prompt, how many prompts came before it) -> the whole reply."""

VERDICT_OF = {f"[[{letter}]]": letter for letter in "ABC"}
UNREADABLE = "Both answers have their merits."
HIGHEST_GRADE, CHECKED = "[[9]]", "[[Yes]]"
PLANNED = "Plan\n"
FRACTION = re.compile(r"\[\[(\d\.\d+)\]\]")
MIDDLING_LENGTH = 500
"""Characters of an answer that gets the middle grade for its length."""


class ScriptedBackend:
    """Replies by a rule instead of a model.

    Tokens are counted as words. A choice is read from the scripted reply, so a reply without one of the
    allowed choices comes back as Unparsed.
    """

    batch_characters = 16_000
    answers_alone = True

    def __init__(self, script: Script, name: str = "scripted") -> None:
        self._script = script
        self._asked = itertools.count()
        self._name = name
        self.tokens_computed = 0

    @classmethod
    def from_settings(cls, argument: str, settings: Settings) -> ScriptedBackend:
        """A ready character: "first", "second", "longer", "shorter", "unreadable:N", "replies:A,B,..."."""
        character, _, value = argument.partition(":")
        if character in CHARACTERS and not value:
            return cls(CHARACTERS[character], f"scripted-{character}")
        if character == "unreadable" and value.isdecimal() and int(value) > 0:
            return cls(unreadable_every(int(value), longer), f"scripted-unreadable-{value}")
        if character == "replies" and value:
            return cls(listed(f"[[{letter.strip()}]]" for letter in value.split(",")), f"scripted-{value}")
        known = ", ".join([*CHARACTERS, "unreadable:3", "replies:A,B,A"])
        raise InputError(f"--backend scripted:{argument}: no such character. There are: {known}.")

    @property
    def engine(self) -> Engine:
        return Engine(
            base_model=self._name,
            base_model_hash="",
            adapter=NO_ADAPTER,
            adapter_hash="",
            backend="scripted",
            dtype="none",
            overflow="none",
            max_prompt_tokens=0,
        )

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]:
        replies = [self._reply(prompt) for prompt in prompts]
        return [
            Completion(reply, n_words(prompt), len(reply.split()), is_ended=True)
            for prompt, reply in zip(prompts, replies, strict=True)
        ]

    def choose(
        self, prompts: Sequence[Prompt], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        return [self._choice(prompt, choices) for prompt in prompts]

    def _choice(self, prompt: Prompt, choices: Sequence[str]) -> ChoiceProbabilities | Unparsed:
        reply = self._reply(prompt)
        if (grades := grades_in(reply, choices)) is not None:
            return ChoiceProbabilities(grades, n_words(prompt), len(reply.split()))
        if not prompt.reply_start and reply.startswith(tuple(choices)):
            begins = tuple(float(reply.startswith(each)) for each in choices)
            return ChoiceProbabilities(begins, n_words(prompt), len(reply.split()))
        choice = last_tag(reply, choices)
        if isinstance(choice, Unparsed):
            return Unparsed(choice.reason, reply, n_words(prompt), len(reply.split()))
        probabilities = tuple(float(each == choice) for each in choices)
        return ChoiceProbabilities(probabilities, n_words(prompt), len(reply.split()))

    def _reply(self, prompt: Prompt) -> str:
        self.tokens_computed += n_words(prompt)
        return in_form(self._script(prompt, next(self._asked)), prompt)


def in_form(reply: str, prompt: Prompt) -> str:
    """A verdict such as [[A]] in the form that the prompt asks for: a plan, scores of 4 and 2, or a grade.

    A prompt that asks for another wording gets the text back as it is, and a working goes on from the first
    line that was begun for it. Where one answer is graded alone, it
    is the first shown: [[A]] is a high grade, [[B]] a low one, so a judge that goes by the place grades all
    answers alike.
    """
    side = VERDICT_OF.get(reply)
    if side is None:
        return reply.removeprefix(PLANNED) if prompt.reply_start == PLANNED else reply
    if is_graded_alone(prompt):
        return {"A": "[[7.0]]", "B": "[[3.0]]", "C": "[[5.0]]"}[side]
    if prompt.reply_start == "1.":
        return " Content: says what was asked.\n2. Form: is easy to read.\n3. Care: says nothing wrong."
    scores = {each: 3 if side == "C" else 4 if each == side else 2 for each in "AB"}
    if prompt.reply_start.startswith("Score "):
        return f"[[{scores[prompt.reply_start[6]]}]]"
    if prompt.reply_start == PLANNED:
        return f"1. Content: says what was asked.\nA {scores['A']}, B {scores['B']}. It is a rule.\n{reply}"
    if prompt.reply_start.startswith("Scores: "):
        return f"{scores['A']}]], B [[{scores['B']}]]\nReason: it is a rule."
    if "[[A]]" not in text_of(prompt, "instruction"):
        return text_of(prompt, "first") or text_of(prompt, "context")
    return reply


def first(prompt: Prompt, index: int) -> str:
    """Always the first shown."""
    return "[[A]]"


def second(prompt: Prompt, index: int) -> str:
    """Always the second shown."""
    return "[[B]]"


def longer(prompt: Prompt, index: int) -> str:
    """The longer response in characters; the first of equals. Alone, a grade that grows with the length."""
    if is_graded_alone(prompt):
        return f"[[{grade_of_length(len(text_of(prompt, 'first')))}]]"
    return "[[A]]" if len(text_of(prompt, "first")) >= len(text_of(prompt, "second")) else "[[B]]"


def shorter(prompt: Prompt, index: int) -> str:
    """The shorter response in characters; the first of equals. Alone, a grade that falls with the length."""
    if is_graded_alone(prompt):
        return f"[[{10 - grade_of_length(len(text_of(prompt, 'first')))}]]"
    return "[[A]]" if len(text_of(prompt, "first")) <= len(text_of(prompt, "second")) else "[[B]]"


def listed(replies: Iterable[str]) -> Script:
    """The replies of a list, one after the other, and again from its start."""
    known = tuple(replies)
    return lambda prompt, index: known[index % len(known)]


def unreadable_every(n: int, script: Script) -> Script:
    """As `script`, but every n-th reply holds no verdict."""
    return lambda prompt, index: UNREADABLE if index % n == n - 1 else script(prompt, index)


def is_graded_alone(prompt: Prompt) -> bool:
    """Whether the prompt asks for the grade of a single answer, or whether something is true of it."""
    return any(mark in text_of(prompt, "instruction") for mark in (HIGHEST_GRADE, CHECKED))


def grade_of_length(n_characters: int) -> float:
    """A grade from 1 (nothing) to 9 (endless) that no two lengths of answers share."""
    return 1 + 8 * n_characters / (n_characters + MIDDLING_LENGTH)


def grades_in(reply: str, choices: Sequence[str]) -> tuple[float, ...] | None:
    """Probabilities of grades with the mean that a reply states as a fraction, [[6.25]]; None without one.

    Where the choices are Yes and No, a grade of 1 is a sure No and one of 9 a sure Yes.
    """
    found = FRACTION.findall(reply)
    if not found:
        return None
    grade = float(found[-1])
    if choices[0] == "Yes":
        return (grade - 1) / 8, (9 - grade) / 8
    if not choices[0].isdecimal():
        return None
    shares = tuple(max(0.0, 1.0 - abs(int(choice) - grade)) for choice in choices)
    return shares if sum(shares) else None


def text_of(prompt: Prompt, kind: str) -> str:
    """All words of one kind in a prompt, for example those of the first response."""
    return "".join(span.text for _, spans in prompt.messages for span in spans if span.kind == kind)


def n_words(prompt: Prompt) -> int:
    return sum(len(span.text.split()) for _, spans in prompt.messages for span in spans)


CHARACTERS: dict[str, Script] = {"first": first, "second": second, "longer": longer, "shorter": shorter}
