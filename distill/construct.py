"""Constructed pairs: which answer is better is known from how the pair was made, without label or teacher.

- other_request: a longer, nice-looking reply to another, similar request loses to a short one to this
  request, as in OffsetBias (Park et al., arXiv:2407.06551).
- spoilt_fact: an answer loses to itself with one fact changed; see `distill.spoil`.
- plea: an answer that pleads for itself loses to itself without the plea; see `distill.plea`.
- source: an answer that names a source loses to itself without it, as no judge could look it up; see
  `distill.source`.
- form: the request asks for a form of the answer, and only the better one has it; see `distill.constraints`.
- other_answer: as other_request, of makers' answers: one by a model to another, similar request loses.
- ladder: a weaker maker's answer loses to a stronger one's, alike in length; see `distill.ladder`.

Of a tenth of the requests no pair is made to train on, whatever the kind and the seed. Ordinary pairs of them
may be trained on all the same, so that a judge may know the request and the better answer, not the worse one.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, cycle
from typing import TypeVar

from distill.clean import normalised
from distill.constraints import FORMS, ConstraintKind
from distill.contrast import MIN_ANSWER_WORDS, WORD, won_by_a
from distill.kinds import LONGER_LOSES, ConstructKind
from distill.ladder import PLAIN, complete, matched
from distill.nearest import neighbours
from distill.plea import pleading, pleas
from distill.selection import Example, Part, surplus_of
from distill.source import sources
from distill.spoil import FactKind, spoilt
from judge.errors import InputError
from judge.records import Outcome, Pair, sha256_of_json

T = TypeVar("T")

HELD_OUT = 0.1
"""The share of the requests that are kept from training."""

MOST_HELD_OUT = 100
"""At most so many held-out pairs of a kind: enough to see how the learning goes."""

LONGER = 1.2
"""An answer to another request is at least this many times as long as the winner, where there is one."""

CLEAR_WORDS = 4
"""In shorter requests it is not clear what is asked for."""

DECLINES = re.compile(
    r"\b(?:sorry|as an? (?:ai|artificial|language model)|"
    r"(?:can't|cannot|can not|unable to) (?:assist|provide|discuss|help|engage))\b",
    re.IGNORECASE,
)
"""Answers that decline to answer: they would do for any request, or for none."""

BESIDE = ("{0} {1}", "{0}\n\n{1}", "{1}\n\n{0}")
"""How a request and the form that is asked for stand together."""

LOSERS = 3
"""A request's short answer wins at most so many times."""

CREATIVE = re.compile(
    r"\b(?:poem|haiku|limerick|story|stories|tale|novel|song|lyrics|fiction\w*|joke|jokes|riddle|rap|roleplay|"
    r"role-play|pretend|imagine|dialogue|screenplay|script for|character|slogan|names? for)\b",
    re.IGNORECASE,
)
"""Requests whose answers are made up: no fact in them is wrong."""


SINGLE_TURN = 2
"""Messages of a conversation with one request and its answer."""


ID = re.compile(rf"construct-({'|'.join(ConstructKind)})-[0-9a-f]{{16}}")


@dataclass(frozen=True, slots=True)
class Material:
    """What pairs are made of.

    `replies` are real replies by request. `ladder` has the makers' answers by request and maker, and `makers`
    names these, the strongest first; those in `half_blind` saw half of each request.
    """

    replies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ladder: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    makers: Sequence[str] = ()
    half_blind: Sequence[str] = ()


def material_of(pairs: Iterable[Pair]) -> Material:
    """The requests of single-turn pairs, whose answers are both to the same, with their replies."""
    replies: dict[str, list[str]] = {}
    for pair in pairs:
        both = pair.conversation_a, pair.conversation_b
        if {len(one) for one in both} == {SINGLE_TURN} and both[0][0] == both[1][0]:
            replies.setdefault(pair.prompt, []).extend([pair.response_a, pair.response_b])
    return Material({request: sorted(set(some)) for request, some in replies.items()})


@dataclass(frozen=True, slots=True)
class Won:
    """A request with the better answer and the worse one."""

    request: str
    better: str
    worse: str


def constructed_kind(pair: Pair) -> ConstructKind | None:
    """How a constructed pair was made; None for every other pair."""
    found = ID.fullmatch(pair.id)
    return ConstructKind(found[1]) if found else None


def constructed(kinds: Mapping[str, float], material: Material, n: int, seed: int) -> list[Example]:
    """About `n` pairs to train on, fewer where the material gives no more; its order does not matter.

    Args:
        kinds: each kind's share of the pairs; they need not sum to 1.
        seed: decides which requests come first, which of their answers, and what is changed in them.

    Raises:
        InputError: an unknown kind, a negative share, or a maker that `makers` does not name.
    """
    check(kinds, material)
    total = sum(kinds.values())
    return [
        one
        for kind in ConstructKind
        if kinds.get(kind, 0) > 0
        for one in pairs_of(kind, material, Part.TRAIN, round(n * kinds[kind] / total), seed)
    ]


def held_out_of(kind: str, material: Material, n: int = MOST_HELD_OUT, seed: int = 0) -> list[Example]:
    """At most `n` pairs of one kind, of requests that no training pair of any kind has."""
    check({kind: 1}, material)
    return pairs_of(ConstructKind(kind), material, Part.HELD_OUT, n, seed)


def check(kinds: Mapping[str, float], material: Material) -> None:
    """Raises InputError that names what is wrong."""
    for kind, share in kinds.items():
        if kind not in list(ConstructKind):
            raise InputError(f"no kind {kind!r}. It must be one of {', '.join(ConstructKind)}.")
        if not 0 <= share < float("inf"):
            raise InputError(f"{kind}: {share} is no share. It must be 0 or more.")
    unknown = {maker for answers in material.ladder.values() for maker in answers} - set(material.makers)
    if unknown:
        raise InputError(f"makers does not name {', '.join(sorted(unknown))}: how strong are they?")


def pairs_of(kind: ConstructKind, material: Material, part: Part, n: int, seed: int) -> list[Example]:
    """At most `n` pairs of one kind and part, as many as can be of each request before it has another.

    Where fewer are taken than there are, lengths stay balanced.
    """
    here = replace(
        material,
        replies={request: some for request, some in material.replies.items() if part_of(request) is part},
        ladder={request: some for request, some in material.ladder.items() if part_of(request) is part},
    )
    made = {
        new.pair.id: new
        for one in WAYS[kind](here, seed)
        if one.better != one.worse
        for new in [won_by_a(Pair.of(one.request, one.better, one.worse), f"construct-{kind}", part)]
    }
    sides: dict[object, list[Example]] = {True: [], False: [], Outcome.TIE: []}
    for one in balanced(list(made.values())):
        longer = one.pair.longer
        sides[longer if longer is Outcome.TIE else one.winner is longer].append(one)
    return list(in_turns(sides.values()))[:n]


def part_of(request: str) -> Part:
    """The part that a request is in, by a hash of its letters and digits alone."""
    place = int(sha256_of_json(normalised(request))[:13], 16) / 16**13
    return Part.HELD_OUT if place < HELD_OUT else Part.TRAIN


def balanced(examples: Sequence[Example]) -> list[Example]:
    """The examples without the surplus: in each kind the longer answer wins as often as the shorter one.

    Pairs in which the longer answer is meant to lose stay as they are.
    """
    kinds: dict[ConstructKind | None, list[Example]] = defaultdict(list)
    for one in examples:
        kinds[constructed_kind(one.pair)].append(one)
    for kind in LONGER_LOSES:
        kinds.pop(kind, None)
    surplus = {id for some in kinds.values() for id in surplus_of(some)}
    return [one for one in examples if one.pair.id not in surplus]


def in_turns(of_each: Iterable[Sequence[T]]) -> Iterator[T]:
    """The first of each, then the second of each, and so on."""
    rows = list(of_each)
    for lap in range(max(map(len, rows), default=0)):
        yield from (row[lap] for row in rows if lap < len(row))


def by_hash(requests: Iterable[str], seed: int) -> list[str]:
    """The requests in an order that depends on the seed and on each request alone."""
    return sorted(requests, key=lambda request: (sha256_of_json([seed, request]), request))


def dice_of(seed: int, *texts: str) -> random.Random:
    return random.Random(sha256_of_json([seed, *texts]))


def enough(replies: Iterable[str]) -> list[str]:
    """The replies that say something, each once, the shortest first."""
    long_enough = {one for one in replies if len(WORD.findall(one)) >= MIN_ANSWER_WORDS}
    return sorted(long_enough, key=lambda one: (len(one), one))


# --- one function a kind ----------------------------------------------------------------------------------


def other_requests(material: Material, seed: int) -> Iterator[Won]:
    """The shortest reply to a request over longer ones to the nearest requests, one of each."""
    replies = {request: enough(some) for request, some in material.replies.items()}
    replies = {request: some for request, some in replies.items() if some and says_what(request)}
    near = neighbours(list(replies))
    yield from in_turns(lost_to(request, replies, near[request], seed) for request in by_hash(replies, seed))


def other_answers(material: Material, seed: int) -> Iterator[Won]:
    """As other requests, of what makers answered who saw the request whole and did not decline.

    Both answers are a model's, so that nothing tells them apart but which request they answer; LLMBar's set
    Neighbor is made so (Zeng et al., arXiv:2310.07641).
    """
    answers = {
        request: [
            complete(text)
            for maker, text in some.items()
            if maker not in material.half_blind and not DECLINES.search(text)
        ]
        for request, some in material.ladder.items()
    }
    yield from other_requests(replace(material, replies=answers), seed)


def says_what(request: str) -> bool:
    """Whether a request is clear enough that a reply to another one is no answer; "Hello!" is not."""
    words = [normalised(word) for word in WORD.findall(request)]
    return len(words) >= CLEAR_WORDS and len([word for word in words if not PLAIN.fullmatch(word)]) >= 2


def lost_to(request: str, replies: Mapping[str, Sequence[str]], near: Sequence[str], seed: int) -> list[Won]:
    """The request's shortest reply with a reply to each of up to `LOSERS` of its nearest requests.

    A reply is taken that is `LONGER`, and no reply to this request as well. Where no nearest request has
    one, it is the longest of all their replies.
    """
    better, dice = replies[request][0], dice_of(seed, request)
    here = {normalised(one) for one in replies[request]}
    others = [[one for one in replies[other] if normalised(one) not in here] for other in near]
    longer = [[one for one in some if len(one) >= LONGER * len(better)] for some in others]
    found = [dice.choice(some) for some in longer if some][:LOSERS]
    if not found:
        found = sorted((one for some in others for one in some), key=len)[-1:]
    return [Won(request, better, worse) for worse in found]


def spoilt_facts(material: Material, seed: int) -> Iterator[Won]:
    """Replies over themselves with one fact changed; the kind of fact that was changed least comes first."""
    near = neighbours(list(material.replies))
    used = Counter(dict.fromkeys(FactKind, 0))
    rows = {
        request: dice_of(seed, request).sample(replies, len(replies))
        for request in by_hash(material.replies, seed)
        if not CREATIVE.search(request) and (replies := enough(material.replies[request]))
    }
    for one in in_turns([[Won(request, text, "") for text in texts] for request, texts in rows.items()]):
        others = [text for other in near[one.request] for text in material.replies[other]]
        found = spoilt(one.better, dice_of(seed, one.request, one.better), next_kinds(used), others)
        if found is not None:
            used[found.kind] += 1
            yield Won(one.request, one.better, found.text)


def next_kinds(used: Mapping[FactKind, int]) -> list[FactKind]:
    """The kinds of change in the order in which they are tried: those that were made least come first.

    A "not" is put in no more often than one is taken out, or else the word alone would tell the loser.
    """
    kinds = sorted(FactKind, key=used.__getitem__)
    if used[FactKind.NEGATED] > used[FactKind.AFFIRMED]:
        kinds.remove(FactKind.NEGATED)
    return kinds


def pleadings(material: Material, seed: int) -> Iterator[Won]:
    """Replies over themselves with a plea; each kind of plea in its turn."""
    yield from with_phrases(
        material, seed, {part: list(pleas(part is Part.HELD_OUT).values()) for part in Part}
    )


def sourced(material: Material, seed: int) -> Iterator[Won]:
    """Replies over themselves with a source that nobody can look up."""
    yield from with_phrases(material, seed, {part: [sources(part is Part.HELD_OUT)] for part in Part})


def with_phrases(
    material: Material, seed: int, phrases: Mapping[Part, Sequence[Sequence[str]]]
) -> Iterator[Won]:
    """Replies over themselves with a phrase; each kind of phrase in its turn, each one as often as any other.

    A request that is never trained on gets phrases that are never trained on.
    """
    used: Counter[str] = Counter()
    rows = {
        request: dice_of(seed, request).sample(replies, len(replies))
        for request in by_hash(material.replies, seed)
        if (replies := enough(material.replies[request]))
    }
    turns = in_turns([[Won(request, text, "") for text in texts] for request, texts in rows.items()])
    for one, kind in zip(turns, cycle(range(len(phrases[Part.TRAIN]))), strict=False):
        phrase = min(phrases[part_of(one.request)][kind], key=lambda phrase: (used[phrase], phrase))
        used[phrase] += 1
        yield Won(one.request, one.better, pleading(one.better, phrase, dice_of(seed, one.request, phrase)))


def forms(material: Material, seed: int) -> Iterator[Won]:
    """Two replies of a request, reshaped: each wins where its form is asked for, else it loses.

    The kind of form with the fewest pairs comes next.
    """
    used = Counter(dict.fromkeys(ConstraintKind, 0))
    for request in by_hash(material.replies, seed):
        replies, dice = enough(material.replies[request]), dice_of(seed, request)
        if len(replies) < 2:
            continue
        one, other = dice.sample(replies, 2)
        for kind in sorted(ConstraintKind, key=used.__getitem__):
            if found := FORMS[kind]((one, other), dice):
                used[kind] += 1
                for wanted, unwanted in (found, found[::-1]):
                    yield Won(dice.choice(BESIDE).format(request, wanted.asked), wanted.text, unwanted.text)
                break


def ladders(material: Material, seed: int) -> Iterator[Won]:
    """Each maker's answer over that of each weaker one, cut to like lengths."""
    yield from in_turns(
        rungs(request, material.ladder[request], material.makers, seed)
        for request in by_hash(material.ladder, seed)
    )


def rungs(request: str, answers: Mapping[str, str], makers: Sequence[str], seed: int) -> list[Won]:
    """The pairs of one request, in an order of its own."""
    dice = dice_of(seed, request)
    present = [maker for maker in makers if answers.get(maker, "").strip()]
    steps = list(combinations(present, 2))
    found = [matched(answers[strong], answers[weak], dice) for strong, weak in dice.sample(steps, len(steps))]
    return [Won(request, *cut) for cut in found if cut is not None]


WAYS = {
    ConstructKind.OTHER_REQUEST: other_requests,
    ConstructKind.SPOILT_FACT: spoilt_facts,
    ConstructKind.PLEA: pleadings,
    ConstructKind.LADDER: ladders,
    ConstructKind.SOURCE: sourced,
    ConstructKind.OTHER_ANSWER: other_answers,
    ConstructKind.FORM: forms,
}
