"""Contrast pairs: what is wrong with each kind of worse answer, and what holds whatever the examples are."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import HOSTILE, pair_of

from distill.contrast import ContrastKind, contrast_examples, contrast_kind
from distill.selection import Example, Part, targets
from judge.records import Choice, Message, Order, Outcome

WORDS = ("river", "stone", "green", "quickly", "under", "seven", "walks", "often", "maybe", "small", "window")


def prose(dice: random.Random, n_sentences: int) -> str:
    """Sentences of five to twelve words, some of them in lines of their own."""
    sentences = [" ".join(dice.choices(WORDS, k=dice.randint(5, 12))) + "." for _ in range(n_sentences)]
    return "".join(one + dice.choice("   \n") for one in sentences).strip()


def example(winner: str, loser: str, prompt: str = "Why?", part: Part = Part.TRAIN, **fields) -> Example:
    """The winner is a; the two responses never are the same one."""
    return Example(pair_of(winner, loser, prompt, **fields), targets(Outcome.A), None, part)


def examples_of(n: int, seed: int = 0) -> list[Example]:
    """Examples with a prompt each. Most winners are longer than the other response, as a teacher's are."""
    dice = random.Random(seed)
    return [
        example(
            prose(dice, dice.randint(3, 24)),
            prose(dice, dice.randint(1, 12)),
            f"Topic {k} " + " ".join(f"w{dice.randrange(200)}" for _ in range(6)),
            id=f"p{k}",
        )
        for k in range(n)
    ]


HUNDRED = examples_of(100)


def better_and_worse(one: Example) -> tuple[str, str]:
    a, b = one.pair.response_a, one.pair.response_b
    return (a, b) if one.winner is Outcome.A else (b, a)


def made_of(one: Example, kind: ContrastKind, others: Sequence[Example] = ()) -> list[str]:
    """The worse texts of a kind that are made of one winner, by several seeds."""
    made = [new for seed in range(10) for new in contrast_examples([one, *others], 4, seed)]
    mine = [new for new in made if contrast_kind(new.pair) is kind and new.pair.prompt == one.pair.prompt]
    return [better_and_worse(new)[1] for new in mine]


# --- how many and which


@pytest.mark.parametrize(("per_pair", "expected"), [(0, 0), (0.254, 25), (1, 100), (2.5, 250), (6, 600)])
def test_there_are_so_many_for_each_pair_spread_evenly(per_pair, expected):
    made = contrast_examples(HUNDRED, per_pair, 0)
    assert len({one.pair.id for one in made}) == len(made) == expected
    of_each = Counter({one.pair.prompt: 0 for one in HUNDRED})
    of_each.update(one.pair.prompt for one in made)
    assert max(of_each.values()) - min(of_each.values()) <= 1


def test_the_kinds_have_equal_shares_and_four_of_one_pair_are_one_of_each():
    assert Counter(contrast_kind(one.pair) for one in contrast_examples(HUNDRED, 1, 0)) == dict.fromkeys(
        ContrastKind, 25
    )
    for one in HUNDRED[:5]:
        made = contrast_examples([one, *HUNDRED[5:9]], 4, 0)
        mine = [contrast_kind(new.pair) for new in made if new.pair.prompt == one.pair.prompt]
        assert sorted(mine) == sorted(ContrastKind)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.sampled_from([*HUNDRED[:12], replace(HUNDRED[0], choices=targets(Outcome.B))]), max_size=9),
    st.sampled_from([0.5, 1, 3.3]),
    st.randoms(use_true_random=False),
)
def test_neither_the_order_of_the_examples_nor_their_ids_matter(examples, per_pair, dice):
    made = contrast_examples(examples, per_pair, 7)
    shuffled = dice.sample(examples, len(examples))
    renamed = [replace(one, pair=replace(one.pair, id=f"new{n}")) for n, one in enumerate(shuffled)]
    assert contrast_examples(renamed, per_pair, 7) == made
    assert len({one.pair.id for one in made}) == len(made)


def test_the_seed_decides_which_pairs_get_one_and_of_which_kind():
    few = [{one.pair.id for one in contrast_examples(HUNDRED, 0.2, seed)} for seed in range(2)]
    assert few[0] != few[1]
    assert few[0] == {one.pair.id for one in contrast_examples(HUNDRED, 0.2, 0)}


def test_only_training_pairs_with_a_winner_are_used():
    alike = [
        example(
            f"Secret {prose(random.Random(n), 9)}", f"Secret {prose(random.Random(-n), 9)}", f"Topic {n}!"
        )
        for n in range(1, 9)
    ]
    unused = [replace(one, part=Part.HELD_OUT) for one in alike[:4]]
    unused += [replace(one, choices={Order.AB: Choice.TIE, Order.BA: Choice.TIE}) for one in alike[4:]]
    made = contrast_examples(HUNDRED[:9] + unused, 8, 0)
    assert made == contrast_examples(HUNDRED[:9], 8, 0)
    assert ContrastKind.OTHER in {contrast_kind(one.pair) for one in made}
    assert "Secret" not in str(made)


# --- what an example is


def test_a_contrast_pair_is_an_example_like_any_other():
    source = example("The sky is blue by day.", "no", category="nature", reference="blue", system="Be brief.")
    source = replace(source, pair=replace(source.pair, metadata={"gold": "A"}))
    made = contrast_examples([source], 9, 0)
    assert {one.p_a for one in made} == {0.0, 1.0}
    for one in made:
        pair = one.pair
        assert pair.id == f"contrast-{contrast_kind(pair)}-{pair.content_hash[:16]}"
        assert (pair.category, pair.reference, pair.system) == ("nature", "blue", "Be brief.")
        assert pair.metadata == {}
        assert one.part is Part.TRAIN
        assert one.choices == targets(one.winner)
        assert one.p_a == (1.0 if one.winner is Outcome.A else 0.0)
        assert better_and_worse(one)[0] == "The sky is blue by day."


def test_the_winner_is_kept_as_it_is_whichever_response_it_was():
    winners = {one.pair.prompt: one.pair.response_b for one in HUNDRED}
    made = contrast_examples([replace(one, choices=targets(Outcome.B)) for one in HUNDRED], 2, 0)
    for one in made:
        better, worse = better_and_worse(one)
        assert better == winners[one.pair.prompt] != worse


def test_the_better_answer_is_a_as_often_as_b():
    made = contrast_examples(HUNDRED, 4, 0)
    assert 160 <= sum(one.winner is Outcome.A for one in made) <= 240


def test_both_sides_have_the_context_of_the_winner():
    def talk(answer: str, last: str) -> tuple[Message, ...]:
        said = ["Hello", answer, "And then?", last]
        return tuple(Message(role, text) for role, text in zip(["user", "assistant"] * 2, said, strict=True))

    pair = replace(
        pair_of(), conversation_a=talk("Hi", "no"), conversation_b=talk("Yes", prose(random.Random(0), 9))
    )
    made = contrast_examples([Example(pair, targets(Outcome.B), None, Part.TRAIN), *HUNDRED[:3]], 4, 0)
    mine = [one.pair for one in made if one.pair.question == "Hello"]
    assert {contrast_kind(pair) for pair in mine} == set(ContrastKind)
    assert all(one.context_a == one.context_b == pair.context_b for one in mine)


def test_a_pair_that_is_no_contrast_pair_has_no_kind():
    for id in ("p", "pair-0123456789abcdef", "contrast-cut-", "contrast-long-0123456789abcdef"):
        assert contrast_kind(pair_of(id=id)) is None
    assert contrast_kind(pair_of(id="contrast-cut-0123456789abcdef")) is ContrastKind.CUT


# --- the kinds


def test_a_cut_answer_ends_in_mid_sentence_after_30_to_60_percent_of_its_words():
    winner = "One two three. Four five six seven.\nEight nine ten eleven twelve. Thirteen fourteen. The end."
    cut = made_of(example(winner, "no"), ContrastKind.CUT)
    assert all(winner.startswith(text) for text in cut)
    assert {text.split()[-1] for text in cut} <= {"five", "six", "Eight", "nine"}
    assert len(set(cut)) > 2


def test_an_answer_in_full_sentences_of_one_word_is_neither_cut_nor_repeated():
    words = example("Red. Green! Blue? Yellow。\nBlack… White.", "no")
    made = {contrast_kind(one.pair) for seed in range(20) for one in contrast_examples([words], 1, seed)}
    assert made == {ContrastKind.SHUFFLED}


def test_a_repeated_answer_goes_on_with_sentences_that_it_has_already_said():
    winner = "First of all, no.\nThen comes the second line. A third sentence\n\n    return x"
    repeated = made_of(example(winner, "no"), ContrastKind.REPEATED)
    assert len(set(repeated)) > 3
    for text in repeated:
        more = text.removeprefix(winner)
        for sentence in ("First of all, no.", "Then comes the second line.", "A third sentence", "return x"):
            more = more.replace(sentence, "")
        assert len(text) > len(winner)
        assert not more.strip()


def test_a_single_sentence_is_repeated_whole():
    winner = "we all live in a yellow submarine"
    repeated = made_of(example(winner, "no"), ContrastKind.REPEATED)
    assert {text.replace(winner, "x") for text in repeated} == {"x x", "x x x"}


def test_repeating_makes_an_answer_longer_by_as_much_as_cutting_makes_it_shorter():
    factors: dict[ContrastKind | None, list[float]] = {kind: [] for kind in ContrastKind}
    for one in contrast_examples(examples_of(200), 4, 0):
        better, worse = better_and_worse(one)
        factors[contrast_kind(one.pair)].append(len(worse) / len(better))
    cut, repeated = sorted(1 / f for f in factors[ContrastKind.CUT]), sorted(factors[ContrastKind.REPEATED])
    assert cut[len(cut) // 2] == pytest.approx(repeated[len(repeated) // 2], rel=0.05)
    assert min(cut) > 1.5
    assert min(repeated) > 1.5
    assert max(cut) < 4
    assert max(repeated) < 4


def test_a_shuffled_answer_has_the_same_words_and_lines_in_another_order():
    for one in contrast_examples(HUNDRED, 4, 0):
        if contrast_kind(one.pair) is ContrastKind.SHUFFLED:
            better, worse = better_and_worse(one)
            assert Counter(worse.split()) == Counter(better.split())
            assert len(worse) == len(better)
            assert worse.count("\n") == better.count("\n")
            places = list(zip(better.split(), worse.split(), strict=True))
            assert sum(x != y for x, y in places) > 0.3 * len(places)


def test_a_list_of_single_words_is_not_shuffled_as_it_may_be_as_good():
    items = example("red\ngreen\nblue\nyellow\nblack\nwhite", "no")
    assert contrast_examples([items], 4, 0) == []
    made = contrast_examples([items, HUNDRED[0]], 4, 0)
    assert {contrast_kind(one.pair) for one in made if one.pair.prompt == "Why?"} == {ContrastKind.OTHER}


LINES = "a line of an answer, {} letters or more"


def test_the_other_answer_is_as_long_and_its_prompt_shares_the_most_words():
    asked = example(LINES.format(10), "no", "How do I bake brown bread at home?")
    on_topic = example(
        LINES.format("eleven"), "no", "How do I bake a sweet cake in ten minutes with no oven?"
    )
    others = [
        example(LINES.format(n), "no", f"How do I know which of these are number {n}?") for n in range(30)
    ]
    longer = example(50 * "more and ", "no", "How do I bake bread with a friend from abroad?")
    assert set(made_of(asked, ContrastKind.OTHER, [on_topic, *others, longer])) == {LINES.format("eleven")}


def test_where_no_reply_is_as_long_the_nearest_are_taken():
    asked = example(LINES.format(10), "no", "How do I bake bread?")
    near = [example(3 * LINES.format(n), "no", f"Question {n}") for n in range(20)]
    far = example(9 * LINES.format(9), "no", "Should I bake cakes or biscuits?")
    texts = made_of(asked, ContrastKind.OTHER, [*near, far])
    assert texts
    assert set(texts) <= {one.pair.response_a for one in near}
    assert made_of(asked, ContrastKind.OTHER, [*near[1:], far])[0] == far.pair.response_a


def test_the_other_answer_never_is_a_reply_to_the_same_prompt():
    asked = example("It is four, as always.", "It is five, I am sure.", "What is 2 + 2?")
    same = [
        example("Four it is, my dear friend.", "no", "what is 2+2"),
        example("Four! And nothing but four.", "no", "What is 2 + 2 then?"),
        example("it is FIVE, I am sure!", "Nobody knows that for certain.", "Who won the cup?"),
    ]
    more = [example("no", "no idea", f"Question {n}") for n in range(9)]
    assert set(made_of(asked, ContrastKind.OTHER, same + more)) == {"Nobody knows that for certain."}


def test_without_another_prompt_its_place_is_taken_by_another_kind():
    kinds = [contrast_kind(one.pair) for one in contrast_examples(HUNDRED[:1], 4, 0)]
    assert sorted(kinds) == [
        ContrastKind.CUT,
        ContrastKind.REPEATED,
        ContrastKind.SHUFFLED,
        ContrastKind.SHUFFLED,
    ]


# --- length


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_length_does_not_say_which_answer_is_worse(seed):
    made = contrast_examples(examples_of(400, seed), 1, seed)
    worse_is = Counter(
        "longer" if len(worse) > len(better) else "shorter"
        for better, worse in map(better_and_worse, made)
        if len(worse) != len(better)
    )
    assert worse_is.total() > 240
    assert 0.45 < worse_is["longer"] / worse_is.total() < 0.55


# --- answers of which little can be made


@pytest.mark.parametrize("winner", ["", " \n", "Yes.", "42", "是的。", "No, not at all", "- - - -"])
def test_nothing_is_made_of_an_answer_of_a_few_words(winner):
    assert [
        one for one in contrast_examples([example(winner, "long " * 9), *HUNDRED[:3]], 4, 0)
        if one.pair.prompt == "Why?"
    ] == []  # fmt: skip


def test_an_answer_of_one_word_over_and_over_is_not_shuffled():
    assert made_of(example("ha ha ha ha ha ha", "no"), ContrastKind.SHUFFLED) == []
    assert made_of(example("ha ha ha ha ha ha", "no"), ContrastKind.CUT)


def test_a_script_without_spaces_has_words_too():
    winner = (
        "天空看起来是蓝色的，因为空气散射蓝光比红光更多。傍晚的光线要走更长的路。所以太阳看起来是红色的。"
    )
    cut, shuffled = (
        made_of(example(winner, "不"), ContrastKind.CUT),
        made_of(example(winner, "不"), ContrastKind.SHUFFLED),
    )
    assert all(winner.startswith(text) and 0.3 * len(winner) - 2 < len(text) for text in cut)
    assert not any(text.endswith("。") or winner.removeprefix(text).startswith("。") for text in cut)
    assert all(Counter(text) == Counter(winner) and text != winner for text in shuffled)
    assert made_of(example(winner, "不"), ContrastKind.REPEATED)
    assert len(cut) == 10
    assert len(shuffled) >= 10


def test_code_is_cut_and_shuffled_within_its_lines():
    winner = "def add(a, b):\n    total = a + b\n    return total\n\nprint(add(1, 2), add(3, 4))\n"
    assert all(
        not text.endswith((":", "b", "\n")) for text in made_of(example(winner, "no"), ContrastKind.CUT)
    )
    shuffled = made_of(example(winner, "no"), ContrastKind.SHUFFLED)
    assert all(text.count("\n    ") == 2 and text.endswith("\n") for text in shuffled)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.text(max_size=60), st.sampled_from([*HOSTILE, "x y z. " * 9]), st.sampled_from("PQRS")),
        max_size=6,
    ),
    st.integers(0, 3),
)
def test_whatever_the_texts_are_the_worse_one_is_another_text_in_the_same_conversation(texts, seed):
    examples = [example(text + end, "no", prompt) for text, end, prompt in texts]
    winners = {(one.pair.prompt, one.pair.response_a) for one in examples}
    for one in contrast_examples(examples, 4, seed):
        better, worse = better_and_worse(one)
        assert (one.pair.prompt, better) in winners
        assert worse != better
        assert worse.strip()
        assert one.pair.context_a == one.pair.context_b
