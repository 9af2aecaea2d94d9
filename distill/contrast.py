"""Contrast pairs: pairs in which one answer is worse by construction, so that nobody has to label them.

The better answer is the winner of a kept training pair, the worse one is of one `Kind` after the other. Cut
answers are shorter, repeated ones longer by as much, the others about as long: length says nothing.
"""

from __future__ import annotations

import math
import random
import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from heapq import nsmallest
from itertools import chain, cycle, islice

from distill.clean import normalised
from distill.pairs import unlabelled
from distill.selection import Example, Part, targets
from judge.records import Message, Outcome, Pair, sha256_of_json

MIN_ANSWER_WORDS = 5
"""In shorter answers (in words) a part may be as good as the whole, and a reply to another prompt may fit."""

LIKE_LENGTH = 1.2
"""Two answers are alike in length if the longer has at most this many times the characters of the other."""

N_NEAREST = 20
"""If fewer replies are alike in length, this many of the nearest are looked at."""

SAME_QUESTION = 0.2
"""Prompts at least this similar may ask the same thing, so that a reply fits both; see `likeness`."""

LEAST_KEPT, MOST_KEPT = 0.3, 0.6
"""The share of an answer's words that a cut leaves, and the answer's share of a repeated one."""

# Thai, Lao, Burmese, Khmer, kana and Chinese characters: these scripts put no spaces between words.
UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
ENDS_SENTENCE = re.compile(r"[.!?…؟।。！？]\W*\Z")
AFTER_SENTENCE = re.compile(r"[^\S\n]*(?:\n|\Z)|[。！？]")
SENTENCE = re.compile(r"\S.*?(?:[.!?…؟।]+(?=\s)|[。！？]+|\n|\Z)\s*", re.DOTALL)


class ContrastKind(StrEnum):
    """What is wrong with the worse answer, see `worse_texts`; in the order in which the kinds take turns.

    Where a kind cannot be made, the next one is. An answer that cannot be cut cannot be repeated either, and
    these two come first, so that in their place come kinds that are about as long as the winner.
    """

    CUT = "cut"
    REPEATED = "repeated"
    OTHER = "other"
    SHUFFLED = "shuffled"


KINDS = tuple(ContrastKind)
ID = re.compile(rf"contrast-({'|'.join(ContrastKind)})-[0-9a-f]{{16}}")


def contrast_kind(pair: Pair) -> ContrastKind | None:
    """What is wrong with the worse answer of a contrast pair; None for every other pair."""
    found = ID.fullmatch(pair.id)
    return ContrastKind(found[1]) if found else None


def contrast_examples(examples: Sequence[Example], per_pair: float, seed: int) -> list[Example]:
    """Contrast pairs made of the training pairs among these; the order of `examples` does not matter.

    Args:
        per_pair: how many for each training pair with a winner. If that is not a whole number, a hash decides
        which pairs get one more. A pair whose winner cannot be spoiled gets none.
        seed: decides which these are, which kind a pair gets, and where an answer is cut or shuffled.
    """
    sources = sorted(
        (one for one in examples if one.part is Part.TRAIN and one.winner),
        key=lambda one: (place_of(one, seed), one.pair.category or ""),
    )
    replies = Replies(chain.from_iterable(answers_of(one) for one in sources))
    made: dict[str, Example] = {}
    for number in range(round(per_pair * len(sources))):
        lap, place = divmod(number, len(sources))
        first = (lap + place) % len(KINDS)
        dice = random.Random(f"{place_of(sources[place], seed)} {lap}")
        candidates = contrasts(sources[place], KINDS[first:] + KINDS[:first], replies, dice)
        new = next((one for one in candidates if one.pair.id not in made), None)
        if new is not None:
            made[new.pair.id] = new
    return list(made.values())


def place_of(example: Example, seed: int) -> str:
    """A hash of the seed and the example's content, by which examples are ordered."""
    return sha256_of_json([seed, example.pair.content_hash, example.winner])


def contrasts(
    example: Example, kinds: Sequence[ContrastKind], replies: Replies, dice: random.Random
) -> Iterator[Example]:
    """The contrast pairs that can be made of an example's winner, the first kind first."""
    answer = answers_of(example)[0]
    if not answer.has_enough_words:
        return
    for kind in kinds:
        for text in worse_texts(kind, answer, replies, dice):
            if normalised(text) != answer.key:
                yield contrast(example.pair, answer, text, kind)


def contrast(pair: Pair, better: Answer, worse: str, kind: ContrastKind) -> Example:
    """The example in which the better answer wins over a worse text in the same conversation."""
    *context, last = better.conversation
    spoiled = (*context, replace(last, content=worse))
    new = replace(pair, conversation_a=better.conversation, conversation_b=spoiled)
    return won_by_a(new, f"contrast-{kind}", Part.TRAIN)


def won_by_a(pair: Pair, name: str, part: Part) -> Example:
    """The example in which a's answer wins. A hash then says which answer is a; the id begins with `name`."""
    new = unlabelled(pair)
    new = replace(new, id=f"{name}-{new.content_hash[:16]}")
    winner = Outcome.A if new.conversation_a == pair.conversation_a else Outcome.B
    return Example(new, targets(winner), 1.0 if winner is Outcome.A else 0.0, part)


# --- answers and what is wrong with the worse ones ------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """A conversation whose last message is the answer."""

    conversation: tuple[Message, ...]

    @cached_property
    def text(self) -> str:
        return self.conversation[-1].content

    @cached_property
    def length(self) -> int:
        """In characters."""
        return len(self.text)

    @property
    def has_enough_words(self) -> bool:
        return len(list(islice(WORD.finditer(self.text), MIN_ANSWER_WORDS))) == MIN_ANSWER_WORDS

    @cached_property
    def words(self) -> list[re.Match[str]]:
        return list(WORD.finditer(self.text))

    @cached_property
    def key(self) -> str:
        """A key that answers saying the same thing share."""
        return normalised(self.text)

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        return tuple(message.content for message in self.conversation if message.role == "user")

    @cached_property
    def asked(self) -> frozenset[str]:
        """A key for each prompt; prompts that ask the same thing share it."""
        return frozenset(map(normalised, self.prompts))

    @cached_property
    def topic(self) -> frozenset[str]:
        """The words of the prompts."""
        return frozenset(normalised(word) for prompt in self.prompts for word in WORD.findall(prompt))


def answers_of(example: Example) -> tuple[Answer, Answer]:
    """The winner, then the other response."""
    a, b = Answer(example.pair.conversation_a), Answer(example.pair.conversation_b)
    return (a, b) if example.winner is Outcome.A else (b, a)


def worse_texts(kind: ContrastKind, answer: Answer, replies: Replies, dice: random.Random) -> Iterator[str]:
    """The worse texts of one kind, the most alike first; none where it cannot be made of this answer.

    cut: the beginning, up to the middle of a sentence.
    repeated: the whole, and then up to three of its sentences or lines over and over again.
    other: a reply to another prompt.
    shuffled: half of the words or more in another order; spaces and line ends stay where they are.
    """
    share = LEAST_KEPT + (MOST_KEPT - LEAST_KEPT) * dice.random()
    match kind:
        case ContrastKind.OTHER:
            yield from replies.like(answer)
        case ContrastKind.SHUFFLED if has_order(answer):
            yield shuffled_words(answer, dice)
        case ContrastKind.CUT if is_cuttable(answer):
            yield cut(answer, share)
        case ContrastKind.REPEATED if is_cuttable(answer):
            yield repeated(answer, share, dice)


def is_cuttable(answer: Answer) -> bool:
    return bool(places_to_cut(answer))


def places_to_cut(answer: Answer) -> list[int]:
    """The word counts after which the answer is in mid-sentence, within what a cut may leave."""
    n_words = len(answer.words)
    most = math.floor(MOST_KEPT * n_words)
    return [
        n
        for n in range(math.ceil(LEAST_KEPT * n_words), most + 1)
        if not ENDS_SENTENCE.search(answer.words[n - 1][0])
        and not AFTER_SENTENCE.match(answer.text, answer.words[n - 1].end())
    ]


def cut(answer: Answer, share: float) -> str:
    """The answer up to the place nearest to this share of its words."""
    n = min(places_to_cut(answer), key=lambda n: abs(n - share * len(answer.words)))
    return answer.text[: answer.words[n - 1].end()]


def repeated(answer: Answer, share: float, dice: random.Random) -> str:
    """The answer and repeats of a part, together so long that the answer is about this share of them."""
    space = "\n" if "\n" in answer.text else " "
    found: list[str] = SENTENCE.findall(answer.text)
    sentences = [one if one[-1].isspace() else one + space for one in found]
    first = int(dice.random() * len(sentences))
    loop = cycle(sentences[first : first + 3])
    text = answer.text.rstrip() + space + next(loop)
    while len(text) + len(sentences[first]) / 2 < answer.length / share:
        text += next(loop)
    return text.rstrip()


def has_order(answer: Answer) -> bool:
    """Whether lines hold two words or more on average: the items of a list may come in any order."""
    n_lines = sum(bool(line.strip()) for line in answer.text.splitlines())
    return 2 * n_lines <= len(answer.words)


def shuffled_words(answer: Answer, dice: random.Random) -> str:
    words = [word[0] for word in answer.words]
    n = math.ceil(len(words) * (1 + dice.random()) / 2)
    first = int(dice.random() * (len(words) - n + 1))
    words[first : first + n] = sorted(words[first : first + n], key=lambda _: dice.random())
    ends = [0, *(word.end() for word in answer.words)]
    gaps = (answer.text[end : word.start()] for end, word in zip(ends, answer.words, strict=False))
    return "".join(chain.from_iterable(zip(gaps, words, strict=True))) + answer.text[ends[-1] :]


class Replies:
    """The replies to all prompts, to be looked through for one that is about as long and looks on topic."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        long_enough = {one for one in answers if one.has_enough_words}
        self.by_length = sorted(long_enough, key=lambda one: (one.length, one.text, one.prompts))
        self.lengths = [one.length for one in self.by_length]
        self.keys_to: dict[str, set[str]] = defaultdict(set)
        for one in self.by_length:
            for prompt in one.asked:
                self.keys_to[prompt].add(one.key)
        topics = {one.topic for one in self.by_length}
        n_with = Counter(chain.from_iterable(topics))
        # The fewer prompts have a word, the more it says. Whole numbers, as their sum has no order.
        self.weights = {word: round(1000 * math.log(len(topics) / n)) for word, n in n_with.items()}
        self.weight = {topic: self.weight_of(topic) for topic in topics}

    def like(self, answer: Answer) -> Iterator[str]:
        """Replies of similar length to other prompts, the one with the most similar prompt first."""
        low = bisect_left(self.lengths, answer.length / LIKE_LENGTH)
        high = bisect_right(self.lengths, answer.length * LIKE_LENGTH)
        near = list(self.others(answer, self.by_length[low:high]))
        if len(near) < N_NEAREST:
            everywhere = self.others(answer, self.by_length)
            near = nsmallest(N_NEAREST, everywhere, key=lambda one: one[1:])
        for _, _, text in sorted(near):
            yield text

    def others(self, answer: Answer, replies: Iterable[Answer]) -> Iterator[tuple[float, int, str]]:
        """Replies of these that answer other prompts only: unlikeness, difference in length, text."""
        here = {key for prompt in answer.asked for key in self.keys_to[prompt]}
        for one in replies:
            likeness = self.likeness(one.topic, answer.topic)
            if likeness < SAME_QUESTION and one.key not in here:
                yield -likeness, abs(one.length - answer.length), one.text

    def likeness(self, topic: frozenset[str], other: frozenset[str]) -> float:
        """The weight of the words that the two have in common as a share of the weight of all their words."""
        shared = self.weight_of(topic & other)
        return shared / max(self.weight[topic] + self.weight[other] - shared, 1)

    def weight_of(self, words: Iterable[str]) -> int:
        return sum(map(self.weights.__getitem__, words))
