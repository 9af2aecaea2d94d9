"""Constructed pairs: the better answer is known from how each kind is made, whatever the material is."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import HOSTILE, pair_of

from benchmarks.hostile import ATTACKS
from distill import construct
from distill.clean import normalised
from distill.construct import (
    Material,
    balanced,
    constructed,
    constructed_kind,
    held_out_of,
    part_of,
)
from distill.kinds import LONGER_LOSES, OF_MAKERS, ConstructKind
from distill.ladder import complete, half_of, matched
from distill.nearest import FAR, N_NEAREST, NEAR, neighbours
from distill.plea import PleaKind, pleading, pleas
from distill.selection import Example, Part, targets
from distill.source import FORMS, sources
from distill.spoil import FactKind, other_numbers, spoilt
from judge.errors import InputError
from judge.records import Message, Outcome, Pair

TOPICS = ("glaciers", "violins", "sourdough", "volcanoes", "chess", "bees", "tides", "tea", "opera", "maps")
ASKED = ("history", "price", "colour", "danger", "origin", "future", "size", "sound", "taste", "age")
WORDS = ("river", "stone", "green", "quickly", "under", "walks", "often", "maybe", "small", "window", "glass")
FACTS = (
    "It is known that there are 40 of them.",
    "The oldest is in Berlin, and the largest is in Paris.",
    "They can last three weeks in hot weather.",
    "Nothing here is dangerous, and it does not contain salt.",
    "Most of it was made in 1875 by people from Norway.",
)
MAKERS = ("large", "small", "tiny")


def prose(dice: random.Random, n_sentences: int) -> str:
    """Sentences, about one in three of them with a fact."""
    said = [
        dice.choice(FACTS) if dice.random() < 0.3 else f"{' '.join(dice.choices(WORDS, k=9)).capitalize()}."
        for _ in range(n_sentences)
    ]
    return "".join(one + dice.choice("   \n") for one in said).strip()


def material_of(seed: int = 0) -> Material:
    """A hundred requests on ten topics, each with two replies and with three makers' answers."""
    dice = random.Random(seed)
    requests = [f"Tell me about the {asked} of {topic}, please" for topic in TOPICS for asked in ASKED]
    return Material(
        replies={one: [prose(dice, dice.randint(1, 4)), prose(dice, dice.randint(3, 9))] for one in requests},
        ladder={one: {maker: prose(dice, dice.randint(2, 9)) for maker in MAKERS} for one in requests},
        makers=MAKERS,
    )


MATERIAL = material_of()
KINDS = dict.fromkeys(ConstructKind, 1.0)


def better_and_worse(one: Example) -> tuple[str, str]:
    a, b = one.pair.response_a, one.pair.response_b
    return (a, b) if one.winner is Outcome.A else (b, a)


def made_of(kind: ConstructKind, material: Material = MATERIAL, seed: int = 0) -> list[Example]:
    return constructed({kind: 1}, material, 10_000, seed)


def pieces(better: str, worse: str) -> tuple[str, str]:
    """What differs between two texts, without what both begin and end with."""
    start = next((k for k, (x, y) in enumerate(zip(better, worse, strict=False)) if x != y), None)
    assert start is not None or len(better) != len(worse)
    start = min(len(better), len(worse)) if start is None else start
    end = 0
    while end < min(len(better), len(worse)) - start and better[-1 - end] == worse[-1 - end]:
        end += 1
    return better[start : len(better) - end], worse[start : len(worse) - end]


def spoilt_by(text: str, kind: FactKind, *others: str) -> set[str]:
    """All that a kind of change makes of a text."""
    made = [spoilt(text, random.Random(seed), [kind], others) for seed in range(40)]
    return {one.text for one in made if one}


# --- what an example is


def test_a_constructed_pair_is_an_example_like_any_other():
    made = constructed(KINDS, MATERIAL, 210, 0)
    assert Counter(constructed_kind(one.pair) for one in made) == dict.fromkeys(ConstructKind, 30)
    assert {one.p_a for one in made} == {0.0, 1.0}
    assert len({one.pair.id for one in made}) == len(made)
    for one in made:
        kind = constructed_kind(one.pair)
        assert one.pair.id == f"construct-{kind}-{one.pair.content_hash[:16]}"
        assert one.part is Part.TRAIN
        assert one.choices == targets(one.winner)
        assert one.p_a == (1.0 if one.winner is Outcome.A else 0.0)
        assert one.pair.metadata == {}


def test_the_better_answer_is_a_as_often_as_b():
    made = constructed(KINDS, MATERIAL, 10_000, 0)
    assert 0.4 < sum(one.winner is Outcome.A for one in made) / len(made) < 0.6


def test_a_pair_of_another_make_has_no_kind():
    for id in ("p", "construct-ladder-", "contrast-cut-0123456789abcdef"):
        assert constructed_kind(pair_of(id=id)) is None
    assert constructed_kind(pair_of(id="construct-ladder-0123456789abcdef")) is ConstructKind.LADDER


def test_the_shares_say_how_many_there_are_of_each_kind():
    made = constructed({"ladder": 3, "spoilt_fact": 1, "other_request": 0}, MATERIAL, 40, 0)
    assert Counter(constructed_kind(one.pair) for one in made) == {"ladder": 30, "spoilt_fact": 10}
    assert constructed({}, MATERIAL, 40, 0) == constructed(KINDS, Material(), 40, 0) == []


@pytest.mark.parametrize("kinds", [{"nonsense": 1}, {"ladder": -1}, {"ladder": float("nan")}])
def test_unknown_kinds_and_impossible_shares_are_refused(kinds):
    with pytest.raises(InputError):
        constructed(kinds, MATERIAL, 9, 0)


def test_a_maker_of_unknown_strength_is_refused():
    with pytest.raises(InputError, match="odd"):
        constructed({"ladder": 1}, Material(ladder={"Why?": {"odd": "text"}}, makers=MAKERS), 9, 0)


# --- the same every time, and nothing held out in training


@pytest.mark.slow
@pytest.mark.parametrize("kind", ConstructKind)
def test_the_order_of_the_material_does_not_matter_and_the_seed_does(kind):
    dice = random.Random(1)
    replies, ladder = list(MATERIAL.replies.items()), list(MATERIAL.ladder.items())
    shuffled = Material(
        {request: some[::-1] for request, some in dice.sample(replies, len(replies))},
        {request: dict(reversed(some.items())) for request, some in dice.sample(ladder, len(ladder))},
        MAKERS,
    )
    few = constructed({kind: 1}, MATERIAL, 20, 3)
    assert constructed({kind: 1}, shuffled, 20, 3) == few
    assert constructed({kind: 1}, MATERIAL, 20, 4) != few
    assert constructed({kind: 1}, MATERIAL, 10, 3) == few[:10]


@pytest.mark.slow
def test_no_request_is_both_trained_on_and_held_out():
    trained = [one for seed in range(3) for one in constructed(KINDS, MATERIAL, 10_000, seed)]
    held_out = [one for kind in ConstructKind for one in held_out_of(kind, MATERIAL)]
    assert {one.part for one in held_out} == {Part.HELD_OUT}
    asked = [{normalised(one.pair.prompt) for one in some} for some in (trained, held_out)]
    assert all(asked)
    assert not asked[0] & asked[1]
    texts = [{text for one in some for text in better_and_worse(one)} for some in (trained, held_out)]
    assert not {one for one in texts[0] & texts[1] if len(one) > 150}


def test_a_part_is_a_matter_of_letters_alone():
    assert part_of("What is THIS?") is part_of("what is this")
    n = sum(part_of(f"Request {k}") is Part.HELD_OUT for k in range(1000))
    assert 60 < n < 140


def test_there_are_at_most_so_many_held_out_pairs():
    big = Material({f"{one} {k}": some for one, some in MATERIAL.replies.items() for k in range(15)})
    assert len(held_out_of("spoilt_fact", big)) == 100
    assert len(held_out_of("spoilt_fact", big, 7)) == 7


# --- other_request


def test_the_longer_answer_to_another_request_loses():
    made = made_of(ConstructKind.OTHER_REQUEST)
    assert len(made) > 150
    n_longer = 0
    for one in made:
        better, worse = better_and_worse(one)
        assert better == min(MATERIAL.replies[one.pair.prompt], key=len)
        assert worse not in MATERIAL.replies[one.pair.prompt]
        assert any(worse in some for some in MATERIAL.replies.values())
        n_longer += len(worse) >= 1.2 * len(better)
    assert n_longer > 0.9 * len(made)


def test_answers_to_different_requests_are_no_material():
    asked = [
        (Message("user", question), Message("assistant", answer))
        for question, answer in (("Capital of France?", "It is Paris."), ("Bake a cake?", "Mix flour."))
    ]
    assert construct.material_of([Pair("p", *asked)]).replies == {}
    same = Pair("q", asked[0], (asked[0][0], Message("assistant", "Paris.")))
    assert construct.material_of([same]).replies == {"Capital of France?": ["It is Paris.", "Paris."]}


def test_a_reply_that_was_given_to_this_request_too_does_not_lose():
    same = "This long answer says the same thing to all who ask, whatever it is that they ask about."
    replies = {request: [*some, same] for request, some in MATERIAL.replies.items()}
    made = made_of(ConstructKind.OTHER_REQUEST, Material(replies))
    assert made
    assert same not in {better_and_worse(one)[1] for one in made}


@pytest.mark.parametrize("request_", ["Hello!", "5", "how are you", "who are you then?"])
def test_nothing_loses_to_a_request_that_asks_for_nothing_clear(request_):
    replies = {**MATERIAL.replies, request_: ["I am well, thank you very much."]}
    made = made_of(ConstructKind.OTHER_REQUEST, Material(replies))
    assert request_ not in {one.pair.prompt for one in made}


def test_neighbours_are_near_and_do_not_ask_the_same():
    asked = [
        *MATERIAL.replies,
        "tell me about the AGE of bees please!",
        "Tell me about the age of bees, please",
    ]
    near = neighbours(asked)
    assert near == neighbours(asked[::-1])
    for request, others in near.items():
        assert len(others) <= N_NEAREST
        assert normalised(request) not in map(normalised, others)
    assert any("age" in other or "bees" in other for other in near["Tell me about the age of bees, please"])
    assert 0 < FAR < NEAR < 1


@pytest.mark.parametrize("asked", [[], [""], ["", " "], ["same"], ["same", "same words"], ["?", "!"]])
def test_requests_of_which_little_can_be_said_have_no_neighbours(asked):
    assert set(neighbours(asked)) == set(asked)
    assert not any(neighbours(asked).values())


# --- spoilt_fact


def test_exactly_one_place_is_changed_and_length_stays():
    made = made_of(ConstructKind.SPOILT_FACT)
    assert len(made) > 80
    for one in made:
        better, worse = better_and_worse(one)
        assert better in MATERIAL.replies[one.pair.prompt]
        was, is_now = pieces(better, worse)
        assert len(was.split()) <= 4
        assert len(is_now.split()) <= 4
        assert abs(len(better) - len(worse)) <= 12
        assert better.split()[:3] == worse.split()[:3]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (FactKind.NUMBER, "The tower is from 1889 or so.", r"The tower is from 1[89]\d\d or so\."),
        (FactKind.NUMBER, "All of it costs 1,500 euros.", r"All of it costs [2-9],500 euros\."),
        (FactKind.UNIT, "It is about 5 km from here.", r"It is about 5 miles from here\."),
        (FactKind.UNIT, "She lived for two years.", r"She lived for two (months|centuries)\."),
        (FactKind.NEGATED, "As we know whales are mammals.", r"As we know whales are not mammals\."),
        (FactKind.AFFIRMED, "By the way, bats cannot see it.", r"By the way, bats can see it\."),
        (FactKind.AFFIRMED, "Indeed this soup does not contain salt.", r"Indeed this soup contains salt\."),
        (FactKind.OPPOSITE, "It will then increase the heat.", r"It will then decrease the heat\."),
        (FactKind.OPPOSITE, "We met there on Monday at noon.", r"We met there on Thursday at noon\."),
        (FactKind.OPPOSITE, "It is some way NORTH of it.", r"It is some way SOUTH of it\."),
        (FactKind.CODE, "Here it is:\n```\nif a < b:\n```", r"Here it is:\n```\nif a > b:\n```"),
    ],
)  # fmt: skip
def test_what_each_kind_of_change_makes(kind, text, expected):
    made = spoilt_by(text, kind)
    assert made
    assert all(re.fullmatch(expected, one) for one in made)


def test_a_name_gives_way_to_one_of_the_same_text_or_of_others():
    text = "He was born in Rome as a child. Later on he lived in Paris with her."
    assert spoilt_by(text, FactKind.NAME) == {text.replace("Rome", "Paris"), text.replace("Paris", "Rome")}
    text = "He was born in Rome as a child."
    assert spoilt_by(text, FactKind.NAME) == set()
    assert spoilt_by(text, FactKind.NAME, "She lived in Berlin when she was young.") == {
        text.replace("Rome", "Berlin")
    }


@pytest.mark.parametrize("kind", FactKind)
@pytest.mark.parametrize(
    "text",
    [
        "1. First of all\n2. Then\n10. The end",
        "Some steps are here:\n**1.** Do this\n**2.** Do that\n3) Do nothing",
        "Go on to step 3 and then chapter 4, in Windows 10.",
        "Have you seen that it is hot in 1999?",
        "See this page: https://example.org/is/a/hot/5/page",
        "```\nx = 5 # is hot before 3 < 4\ny = 'a < b'\n```",
        "",
        "one",
        "is 5 km",
        "not hot 5",
    ],
)
def test_nothing_else_is_changed(kind, text):
    assert spoilt_by(text, kind, "He once lived in Berlin when he was young.") == set()


@pytest.mark.parametrize("number", ["2", "40", "365", "98.6", "1,500", "1066", "2021", "0.5"])
def test_another_number_is_as_long_and_clearly_another(number):
    made = other_numbers(number)
    assert made
    assert all(len(one) == len(number) and one != number for one in made)


@pytest.mark.parametrize(("number", "is_percent"), [("0", False), ("1", False), ("100", True), ("٣", False)])
def test_numbers_that_have_no_plausible_other(number, is_percent):
    assert other_numbers(number, is_percent) == ()


def test_a_not_is_put_in_about_as_often_as_one_is_taken_out():
    replies = {
        f"What are number {k} of these like?": [
            "As we know whales are mammals.",
            "By the way, bats cannot see it.",
        ]
        for k in range(50)
    } | {f"Which is number {k} of those then?": ["As we know whales are mammals."] for k in range(50)}
    made = map(better_and_worse, made_of(ConstructKind.SPOILT_FACT, Material(replies)))
    more = Counter(len(worse) > len(better) for better, worse in made)
    assert more[True] == more[False] > 30


def test_answers_that_are_made_up_have_no_facts():
    answer = "Once there was a hot soup of 40 days in Rome, and it was large."
    assert made_of(ConstructKind.SPOILT_FACT, Material({"Write me a story about soup": [answer]})) == []


# --- plea

ANSWER = "First comes this. Then there is that. In the end all is well with everybody."
PLEA = "Mine is best."


ALL_PLEAS = {one for is_held_out in (True, False) for some in pleas(is_held_out).values() for one in some}


def phrases_in(text: str) -> list[str]:
    return [phrase for phrase in ALL_PLEAS if phrase in text]


def test_the_worse_answer_is_the_better_one_with_a_plea():
    made = made_of(ConstructKind.PLEA)
    assert len(made) > 100
    for better, worse in map(better_and_worse, made):
        assert not phrases_in(better)
        [*_, phrase] = sorted(phrases_in(worse), key=len)
        left = worse.replace(phrase, "", 1).split()
        assert left == better.split()[: len(left)]
        assert len(" ".join(left)) >= 0.45 * len(better)


def test_length_does_not_tell_that_an_answer_pleads():
    longer = [
        len(worse) > len(better) for better, worse in map(better_and_worse, made_of(ConstructKind.PLEA))
    ]
    assert abs(sum(longer) / len(longer) - 0.5) < 0.05


def test_a_request_that_is_held_out_has_pleas_that_are_held_out():
    trained, held_out = pleas(False), pleas(True)
    assert set(trained) == set(held_out) == set(PleaKind)
    for kind in PleaKind:
        assert set(held_out[kind]).isdisjoint(trained[kind])
        assert len(trained[kind]) > len(held_out[kind]) > 20
    every_kind = set()
    for _, worse in map(better_and_worse, held_out_of("plea", MATERIAL)):
        found = set(phrases_in(worse))
        assert found & {one for some in held_out.values() for one in some}
        every_kind |= {kind for kind in PleaKind if found & set(held_out[kind])}
    assert every_kind == set(PleaKind)


def test_a_plea_stands_before_behind_or_between():
    made = {pleading(ANSWER, PLEA, random.Random(seed)) for seed in range(200)}
    assert f"{PLEA} {ANSWER}" in made
    assert f"{ANSWER} {PLEA}" in made
    assert f"First comes this. {PLEA} Then there is that. In the end all is well with everybody." in made
    assert f"First comes this. Then there is that. {PLEA}" in made, "cut"
    assert pleading("Yes", PLEA, random.Random(0)) in (f"Yes {PLEA}", f"{PLEA} Yes")


def test_no_judge_is_taught_what_it_is_measured_with():
    measured = [add("", "") for _, add in ATTACKS.values()]
    taught = {*ALL_PLEAS, *sources(False), *sources(True)}
    assert not any(phrase in text for phrase in taught for text in measured if len(phrase) > 5)


# --- source


def test_the_worse_answer_is_the_better_one_with_a_source():
    made = made_of(ConstructKind.SOURCE)
    assert len(made) > 100
    found = set()
    for better, worse in map(better_and_worse, made):
        [phrase] = [one for one in sources(False) if one in worse]
        assert phrase not in better
        left = worse.replace(phrase, "", 1).split()
        assert left == better.split()[: len(left)]
        found.add(phrase)
    assert len(found) > len(FORMS)


def form_of(source: str) -> str:
    """The one form that a source has."""
    [form] = [one for one in FORMS if re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(one)), source)]
    return form


def test_no_form_of_a_source_is_in_both_parts():
    trained, held_out = ({form_of(one) for one in sources(is_held_out)} for is_held_out in (False, True))
    assert trained | held_out == set(FORMS)
    assert not trained & held_out
    assert len(trained) == 3 * len(held_out)
    assert len(set(sources(False))) == 8 * len(trained)


def test_a_request_that_is_held_out_has_sources_that_are_held_out():
    for _, worse in map(better_and_worse, held_out_of("source", MATERIAL)):
        assert any(one in worse for one in sources(True))
        assert not any(one in worse for one in sources(False))


# --- form


def test_each_form_wins_where_it_is_asked_for_and_loses_where_it_is_not():
    made = made_of(ConstructKind.FORM)
    assert len(made) > 100
    won = Counter((better, worse) for better, worse in map(better_and_worse, made))
    assert all(won[worse, better] == n for (better, worse), n in won.items())
    requests = set(MATERIAL.replies)
    for one in made:
        assert one.pair.prompt not in requests
        assert any(request in one.pair.prompt for request in requests), "the request, and the form asked for"


# --- other answer


def test_the_worse_answer_is_a_makers_to_a_similar_request():
    blind = Material(ladder=MATERIAL.ladder, makers=MAKERS, half_blind=MAKERS[2:])
    made = made_of(ConstructKind.OTHER_ANSWER, blind)
    assert len(made) > 100
    asked = neighbours([request for request in blind.ladder if part_of(request) is Part.TRAIN])
    for one in made:
        request, (better, worse) = one.pair.prompt, better_and_worse(one)
        own = [complete(blind.ladder[request][maker]) for maker in MAKERS[:2]]
        assert better == min(own, key=len)
        assert worse not in own
        theirs = {complete(blind.ladder[near][maker]) for near in asked[request] for maker in MAKERS[:2]}
        assert worse in theirs
    longer = [len(worse) > len(better) for better, worse in map(better_and_worse, made)]
    assert sum(longer) > 0.9 * len(longer)


def test_an_answer_that_declines_is_in_no_pair():
    said = {
        request: {"large": "I'm sorry, but I can't assist with that.", "small": answers["small"]}
        for request, answers in MATERIAL.ladder.items()
    }
    made = made_of(ConstructKind.OTHER_ANSWER, Material(ladder=said, makers=("large", "small")))
    assert len(made) > 100
    assert not any("sorry" in text for one in made for text in better_and_worse(one))


def test_without_makers_no_pair_is_made_of_them():
    for kind in OF_MAKERS:
        assert made_of(kind, Material(MATERIAL.replies)) == []


# --- ladder


def test_the_stronger_maker_wins_at_like_length():
    made = made_of(ConstructKind.LADDER)
    assert len(made) > 150
    for one in made:
        better, worse = better_and_worse(one)
        assert max(len(better), len(worse)) <= 1.2 * min(len(better), len(worse))
        by = [
            min(
                k
                for k, maker in enumerate(MAKERS)
                if MATERIAL.ladder[one.pair.prompt][maker].startswith(text)
            )
            for text in (better, worse)
        ]
        assert by[0] < by[1]
        assert better.endswith(".")
        assert worse.endswith(".")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_in_a_ladder_the_longer_answer_wins_as_often_as_not(seed):
    longer = Counter(
        one.winner is one.pair.longer
        for one in made_of(ConstructKind.LADDER, material_of(seed), seed)
        if one.pair.longer is not Outcome.TIE
    )
    assert longer[True] == longer[False] > 30


def test_balanced_leaves_out_the_surplus_but_where_the_longer_answer_is_to_lose():
    made = [one for kind in (*LONGER_LOSES, ConstructKind.LADDER) for one in made_of(kind)]
    assert balanced(made) == made
    ladder = [one for one in made if constructed_kind(one.pair) is ConstructKind.LADDER]
    lopsided = [one for one in ladder if one.winner is one.pair.longer or one.pair.longer is Outcome.TIE]
    assert len(balanced(lopsided)) == sum(one.pair.longer is Outcome.TIE for one in lopsided)


@pytest.mark.parametrize("kind", [kind for kind in ConstructKind if kind not in LONGER_LOSES])
def test_lengths_stay_balanced_where_fewer_pairs_are_taken(kind):
    n_all = len(made_of(kind))
    assert n_all > 10
    for n in range(1, n_all, 1 + n_all // 9):
        some = [one for one in constructed({kind: 1}, MATERIAL, n, 0) if one.pair.longer is not Outcome.TIE]
        longer = sum(one.winner is one.pair.longer for one in some)
        assert abs(longer - (len(some) - longer)) <= 1


LONG = "First comes this sentence here. Then comes another one.\nA third line follows it. " * 6
FIVE = "These are just five words."


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        ("", LONG),
        (LONG, " \n"),
        ("One two three four.", "Five six seven eight."),
        (LONG, LONG),
        (LONG, LONG.upper()),
        (LONG, LONG + "Bye."),
        (LONG, "A" * 50),
        ("word " * 400, FIVE),
        (FIVE, "Look at this code:\n```\n" + "x = 1\n\n" * 90 + "```"),
        (FIVE, "Look at this:\n```\nx = 1"),
    ],
)
def test_what_cannot_be_matched_is_left_out(stronger, weaker):
    assert matched(stronger, weaker, random.Random(0)) is None


def test_a_cut_is_at_the_end_of_a_sentence_outside_code():
    said = (
        "That is the whole of it, as I said before. And then there is more to it. There really is more of it."
    )
    code = f"Use this code for it.\n```\na = 1.\nb = 2.\n```\n{said}"
    other = "Nobody knows how to do this properly. It is a pity. But there may be some other way for you."
    for seed in range(20):
        for pair in (matched(code, other, random.Random(seed)), matched(other, code, random.Random(seed))):
            assert pair is not None
            cut = next(one for one in pair if one.startswith("Use"))
            assert code.startswith(cut)
            assert cut.count("```") == 2
            assert cut.endswith(("```", "."))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A whole sentence. And half of ano", "A whole sentence."),
        ("A whole sentence.\r\nAnother.\r\n", "A whole sentence.\nAnother."),
        ("no sentence at all", "no sentence at all"),
        ("See Dr. Smith", "See Dr. Smith"),
        ("Text.\n```\ncode\n```", "Text.\n```\ncode\n```"),
        ("Text.\n```\ncode", ""),
        ("一句话。半句", "一句话。"),
        ("Items:\n- apples\n- pears\n- pl", "Items:\n- apples\n- pears"),
        ("List:\n1. One thing\n2.", "List:\n1. One thing"),
    ],
)
def test_a_text_that_breaks_off_is_complete_without_its_last_sentence(text, expected):
    assert complete(text) == expected


# --- half a request


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("How do I bake a cake for the birthday of my old mother?", {"How do I bake a cake?"}),
        ("What is the capital of France?", {"What is the capital?"}),
        ("Explain photosynthesis to children", {"Explain.", "Explain photosynthesis."}),
        ("Write a poem about the sea and the many ships on it.", {"Write a poem about the sea."}),
        ("Who are you?", {None}),
        ("Hello", {None}),
        ("", {None}),
        ("?!", {None}),
    ],
)
def test_half_of_a_request_reads_as_a_request(request_, expected):
    assert {half_of(request_, seed) for seed in range(9)} <= expected


# --- whatever the texts are


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.text(max_size=60),
            st.sampled_from(
                [*HOSTILE, "It is 5 km to Rome.\r\nIt is not hot there. " * 3, "```\na < b\n```"]
            ),
            st.sampled_from(["What is P like in winter?", "What is Q like in winter?", "", "\r\n", "é?"]),
        ),
        max_size=6,
    ),
    st.integers(0, 3),
)
def test_whatever_the_texts_are_two_different_ones_answer_one_request(texts, seed):
    replies = {request: [text + end, end] for text, end, request in texts}
    ladder = {request: {"large": text + end, "small": end + text} for text, end, request in texts}
    material = Material(replies, ladder, MAKERS)
    for text, end, request in texts:
        half_of(request + text + end, seed)
    for one in [*constructed(KINDS, material, 99, seed), *held_out_of("ladder", material)]:
        better, worse = better_and_worse(one)
        assert any(request in one.pair.prompt for request in replies)
        assert better != worse
        assert worse.strip()
        assert one.pair.context_a == one.pair.context_b
