"""Constraint pairs: the request asks for a form of the answer, and only one of the two answers has it.

Which one has it can be checked without a judge, as in IFEval (Zhou et al., arXiv:2311.07911). The answers are
the replies of kept pairs, reshaped. Each is in two pairs: it wins where the request asks for its form and
loses where the request asks for the other one, so only the request decides which is better.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from distill.contrast import SENTENCE, WORD, place_of, won_by_a
from distill.selection import Example, Part
from judge.records import Pair

MIN_REPLY_WORDS = 8
"""Replies with fewer words than this are not reshaped."""

MOST_SENTENCES = 8
"""The most sentences that a request asks for: people do not count further."""

MARKER = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
LONG_WORD = re.compile(r"(?<![^\W\d_])[^\W\d_]{5,14}(?![^\W\d_])")
OPENINGS = ("Certainly!", "Dear friend,", "In short:", "Good question!", "Here is what I know:", "Hello!")
ENDINGS = ("Hope this helps!", "That is all.", "Any questions?", "Thank you for asking.", "The end.")
WRAPPINGS = (("double quotation marks", '"', '"'), ("square brackets", "[", "]"), ("asterisks", "*", "*"))


class ConstraintKind(StrEnum):
    """What the request asks for, see the function of each. The kind with the fewest pairs comes next."""

    LENGTH = "length"
    CASE = "case"
    WORD = "word"
    SENTENCES = "sentences"
    OPENING = "opening"
    LIST = "list"
    ENDING = "ending"
    WRAPPING = "wrapping"


@dataclass(frozen=True, slots=True)
class AskedForm:
    """What is asked for, and a text that has it."""

    asked: str
    text: str


Forms = tuple[AskedForm, AskedForm]
"""Two forms; neither text has the form of the other."""

ID = re.compile(rf"constraint-({'|'.join(ConstraintKind)})-[0-9a-f]{{16}}")


def asked_of(pair: Pair) -> ConstraintKind | None:
    """What a constraint pair's request asks for; None for every other pair."""
    found = ID.fullmatch(pair.id)
    return ConstraintKind(found[1]) if found else None


def constraint_examples(examples: Sequence[Example], per_pair: float, seed: int) -> list[Example]:
    """Constraint pairs made of the training pairs among these; the order of `examples` does not matter.

    Args:
        per_pair: how many for each training pair, at most. They come in twos; where there are not enough for
        all, a hash decides which pairs get them.
        seed: decides which these are, which kinds they get, and how they are worded.
    """
    sources = sorted(
        (one for one in examples if one.part is Part.TRAIN and can_be_asked(one.pair)),
        key=lambda one: (place_of(one, seed), one.pair.category or ""),
    )
    made: dict[str, Example] = {}
    used = Counter(dict.fromkeys(ConstraintKind, 0))
    for number in range(round(per_pair * len(sources) / 2)):
        lap, place = divmod(number, len(sources))
        pair = sources[place].pair
        dice = random.Random(f"{place_of(sources[place], seed)} {lap}")
        for kind in sorted(ConstraintKind, key=used.__getitem__):
            if forms := FORMS[kind](replies_of(pair, dice), dice):
                made |= {one.pair.id: one for one in asked_both_ways(pair, kind, forms, dice)}
                used[kind] += 1
                break
    return list(made.values())


def can_be_asked(pair: Pair) -> bool:
    """Whether both answers answer one request, to which words can be added."""
    context = pair.conversation_a[:-1]
    return bool(context) and context == pair.conversation_b[:-1] and context[-1].role == "user"


def replies_of(pair: Pair, dice: random.Random) -> tuple[str, str]:
    """Both replies, whichever is first."""
    one, other = (pair.response_a.strip(), pair.response_b.strip())
    return (one, other) if dice.random() < 0.5 else (other, one)


def asked_both_ways(pair: Pair, kind: ConstraintKind, forms: Forms, dice: random.Random) -> Iterator[Example]:
    """Two examples: each form's text wins where that form is asked for."""
    is_before = dice.random() < 0.25
    for form, other in (forms, forms[::-1]):
        *context, request = pair.conversation_a[:-1]
        parts = (form.asked, request.content) if is_before else (request.content, form.asked)
        asked = replace(request, content=dice.choice((" ", "\n", "\n\n")).join(parts))
        last = pair.conversation_a[-1]
        better, worse = ((*context, asked, replace(last, content=text)) for text in (form.text, other.text))
        new = replace(pair, conversation_a=better, conversation_b=worse, reference=None)
        yield won_by_a(new, f"constraint-{kind}", Part.TRAIN)


# --- what can be asked for: two forms of the replies, None where they cannot be made of them -------------


def lengths(replies: tuple[str, str], dice: random.Random) -> Forms | None:
    """The first sentences of a reply and the whole; few words or many are asked for."""
    text = max(replies, key=n_words)
    sentences = sentences_of(text)
    start = next(
        (k for k in range(1, len(sentences)) if n_words(" ".join(sentences[:k])) >= MIN_REPLY_WORDS), 0
    )
    short = " ".join(sentences[:start])
    few, many = n_words(short), n_words(text)
    if not start or many < 2 * few:
        return None
    limit = dice.randint(few, (few + many) // 2)
    asked = dice.choice(("Answer in at most {} words.", "Use no more than {} words.", "Limit: {} words."))
    least = dice.randint((few + many) // 2, many)
    return AskedForm(asked.format(limit), short), AskedForm(f"Answer in at least {least} words.", text)


def cases(replies: tuple[str, str], dice: random.Random) -> Forms | None:
    """A reply in capital letters and in small ones."""
    upper, lower = replies[0].upper(), replies[0].lower()
    if n_words(replies[0]) < MIN_REPLY_WORDS or upper == lower:
        return None
    every = dice.choice(("Write everything in {}.", "Use {} only.", "Your whole answer must be in {}."))
    return AskedForm(every.format("capital letters"), upper), AskedForm(
        every.format("lowercase letters"), lower
    )


def words(replies: tuple[str, str], dice: random.Random) -> Forms | None:
    """Both replies unchanged; the first has a word that the second lacks."""
    one, other = replies
    there = other.casefold()
    own = sorted({word for word in LONG_WORD.findall(one) if word.casefold() not in there})
    if not own or min(map(n_words, replies)) < MIN_REPLY_WORDS:
        return None
    word = dice.choice(own)
    use, avoid = dice.choice((("Use", "Do not use"), ("Mention", "Do not mention")))
    return AskedForm(f'{use} the word "{word}".', one), AskedForm(f'{avoid} the word "{word}".', other)


def sentence_counts(replies: tuple[str, str], dice: random.Random) -> Forms | None:
    """The first sentences of a reply, a small number of them and a greater one."""
    text = replies[0]
    sentences = sentences_of(text)
    if "\n" in text or len(sentences) < 2:
        return None
    counts = dice.sample(range(1, min(len(sentences), MOST_SENTENCES) + 1), 2)
    asked = dice.choice(("Answer in exactly {}.", "Write {}, no more and no less.", "Your answer: {}."))
    few, many = (
        AskedForm(asked.format(f"{n} sentence{'s' if n > 1 else ''}"), " ".join(sentences[:n]))
        for n in sorted(counts)
    )
    return few, many


def openings(replies: tuple[str, str], dice: random.Random) -> Forms | None:
    """A reply after one opening and after another one."""
    asked = dice.choice(('Begin your answer with "{}"', 'The first words of your answer must be "{}"'))
    return framed(replies[0], OPENINGS, asked, "{frame} {text}", dice)


def endings(replies: tuple[str, str], dice: random.Random) -> Forms | None:
    """A reply before one ending and before another one."""
    asked = dice.choice(('End your answer with "{}"', 'The last words of your answer must be "{}"'))
    return framed(replies[0], ENDINGS, asked, "{text} {frame}", dice)


def framed(text: str, frames: Sequence[str], asked: str, shape: str, dice: random.Random) -> Forms | None:
    if n_words(text) < MIN_REPLY_WORDS or any(frame.casefold() in text.casefold() for frame in frames):
        return None
    one, other = (
        AskedForm(asked.format(frame), shape.format(frame=frame, text=text))
        for frame in dice.sample(frames, 2)
    )
    return one, other


def lists(replies: tuple[str, str], dice: random.Random) -> Forms | None:
    """The sentences of a reply as a list and as one paragraph."""
    sentences = [MARKER.sub("", one) for one in sentences_of(replies[0])]
    if len(sentences) < 3 or any(n_words(one) < 2 for one in sentences):
        return None
    numbered = dice.random() < 0.5
    items = "\n".join(f"{n}. {one}" if numbered else f"- {one}" for n, one in enumerate(sentences, start=1))
    kind = "a numbered list" if numbered else "a bulleted list"
    asked = dice.choice(("Give your answer as {}.", "Format: {}.", "Write {}."))
    return AskedForm(asked.format(kind), items), AskedForm(
        asked.format("one paragraph, no list"), " ".join(sentences)
    )


def wrappings(replies: tuple[str, str], dice: random.Random) -> Forms | None:
    """A reply between one kind of marks and between another kind."""
    text = replies[0]
    if n_words(text) < MIN_REPLY_WORDS or any(
        text[0] == start or text[-1] == end for _, start, end in WRAPPINGS
    ):
        return None
    asked = dice.choice(("Put your whole answer in {}.", "Wrap the answer in {}."))
    one, other = (
        AskedForm(asked.format(name), f"{start}{text}{end}") for name, start, end in dice.sample(WRAPPINGS, 2)
    )
    return one, other


FORMS: dict[ConstraintKind, Callable[[tuple[str, str], random.Random], Forms | None]] = {
    ConstraintKind.LENGTH: lengths,
    ConstraintKind.CASE: cases,
    ConstraintKind.WORD: words,
    ConstraintKind.SENTENCES: sentence_counts,
    ConstraintKind.OPENING: openings,
    ConstraintKind.LIST: lists,
    ConstraintKind.ENDING: endings,
    ConstraintKind.WRAPPING: wrappings,
}


def n_words(text: str) -> int:
    return len(WORD.findall(text))


def sentences_of(text: str) -> list[str]:
    """The sentences or lines of a text, without the spaces around them."""
    found: list[str] = SENTENCE.findall(text)
    return [one.strip() for one in found]
