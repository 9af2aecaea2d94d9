from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.backends.gathered import FREE_PADDING, MAX_GROUP_TOKENS, MAX_PADDING, groups_of, padded_places
from judge.backends.packing import MIN_SHARED, Segment, batches_of, pack, packed_attention, shared_length

token_lists = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=60).map(tuple), min_size=1, max_size=12
)


def read_back(packing, segments, end):
    """The tokens and positions that the last token at `end` sees, from the top of the trie down."""
    own = next(s for s in segments if s.start <= end < s.end)
    places = [i for start, stop in (*own.above, (own.start, end + 1)) for i in range(start, stop)]
    return [packing.ids[i] for i in places], [packing.positions[i] for i in places]


@given(token_lists, st.integers(0, 40))
def test_each_sequence_sees_its_own_tokens_and_nothing_else(lists, n_shared):
    head = (1,) * n_shared
    sequences = sorted({head + tokens for tokens in lists})
    packing = pack(sequences)
    for sequence, end in zip(sequences, packing.ends, strict=True):
        ids, positions = read_back(packing, packing.segments, end)
        assert ids == list(sequence)
        assert positions == list(range(len(sequence)))


@given(token_lists)
def test_segments_cover_the_row_once_and_look_only_back(lists):
    packing = pack(sorted(set(lists)))
    assert [place for s in packing.segments for place in range(s.start, s.end)] == list(
        range(len(packing.ids))
    )
    assert all(end <= s.start for s in packing.segments for _, end in s.above)


def test_a_shared_beginning_stands_once_and_a_very_short_one_is_repeated():
    long, short = tuple(range(100, 100 + MIN_SHARED)), (7, 8)
    assert len(pack([(*long, 1), (*long, 2)]).ids) == MIN_SHARED + 2
    assert len(pack([(*short, 1), (*short, 2)]).ids) == 6


def test_a_sequence_that_begins_another_ends_inside_it():
    head = tuple(range(MIN_SHARED))
    packing = pack([head, (*head, 5)])
    assert packing.ends == [MIN_SHARED - 1, MIN_SHARED]
    assert packing.segments == [
        Segment(0, MIN_SHARED, ()),
        Segment(MIN_SHARED, MIN_SHARED + 1, ((0, MIN_SHARED),)),
    ]


@given(token_lists, st.integers(1, 100))
def test_batches_are_runs_of_all_sequences_within_the_budget(lists, budget):
    sequences = sorted(set(lists))
    batches = batches_of(sequences, budget)
    assert [i for batch in batches for i in batch] == list(range(len(sequences)))
    for batch in batches:
        new = [
            len(sequences[i]) - (shared_length(sequences[i - 1], sequences[i]) if i > batch.start else 0)
            for i in batch
        ]
        assert sum(new) <= 2 * budget or len(batch) == 1
        for n_before, i in enumerate(batch):
            is_mostly_there = 2 * new[n_before] < len(sequences[i])
            assert sum(new[: n_before + 1]) <= budget or is_mostly_there or n_before == 0


def test_the_criteria_of_a_long_pair_stay_together():
    head = tuple(range(90))
    sequences = [(*head, 1000 + i, 0, 0) for i in range(12)]
    assert batches_of(sequences, 100) == [range(12)]
    assert batches_of([(i,) * 60 for i in range(3)], 100) == [range(1), range(1, 2), range(2, 3)]


def test_no_sequences_make_no_batches():
    assert batches_of([], 10) == []


@pytest.mark.slow
@pytest.mark.parametrize("head", [0, 40, 300])
def test_packed_attention_is_causal_attention_over_each_sequence(head):
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    lengths = [130, 7, 290]
    sequences = sorted((0,) * head + (n + 1,) * n for n in lengths)
    packing = pack(sequences)
    n = len(packing.ids)
    query, key, value = torch.randn(1, 6, n, 16), torch.randn(1, 2, n, 16), torch.randn(1, 2, n, 16)
    output, _ = packed_attention(None, query, key, value, None, packing=packing)
    for end in packing.ends:
        own = next(s for s in packing.segments if s.start <= end < s.end)
        places = [i for a, b in (*own.above, (own.start, own.end)) for i in range(a, b)]
        expected = torch.nn.functional.scaled_dot_product_attention(
            query[:, :, places], key[:, :, places], value[:, :, places], is_causal=True, enable_gqa=True
        )
        torch.testing.assert_close(output[:, places], expected.transpose(1, 2), atol=1e-5, rtol=1e-5)


def unequal_sequences():
    """Sequences that share beginnings and begin each other, of which some are very much longer."""
    head, long = (0,) * 40, (5,) * 300
    return sorted(
        [
            head,
            (*head, *long),
            (*head, *long, 7),
            (*head, 8),
            (*head, *(9,) * 60),
            (3,),
            (4,) * 25,
            (*long, 1),
        ]
    )


@pytest.mark.parametrize(("dtype", "near"), [("float32", 1e-5), ("bfloat16", 3e-2)])
@pytest.mark.parametrize(("free_padding", "max_tokens"), [(2048, 10**6), (0, 10**6), (0, 1), (10**6, 700)])
def test_the_attention_for_gpus_gives_what_the_one_for_cpus_gives(
    monkeypatch, dtype, near, free_padding, max_tokens
):
    torch = pytest.importorskip("torch")
    from judge.backends import gathered

    monkeypatch.setattr(gathered, "FREE_PADDING", free_padding)
    monkeypatch.setattr(gathered, "MAX_GROUP_TOKENS", max_tokens)
    packing = pack(unequal_sequences())
    torch.manual_seed(2)
    shapes = [(1, 6, len(packing.ids), 16), (1, 2, len(packing.ids), 16), (1, 2, len(packing.ids), 16)]
    tokens = [torch.randn(shape).to(getattr(torch, dtype)).requires_grad_() for shape in shapes]
    plan = packing.plan("cpu")
    assert packing.plan("cpu") is plan
    assert (len(plan.groups) > 1) == ((free_padding, max_tokens) != (2048, 10**6))
    ours = gathered.attend(*(one[0].transpose(0, 1) for one in tokens), plan, None)
    expected, _ = packed_attention(None, *tokens, None, packing=packing)
    torch.testing.assert_close(ours, expected[0], atol=near, rtol=near)
    weights = torch.randn_like(ours)
    gradients = [torch.autograd.grad((one * weights).sum(), tokens) for one in (ours, expected[0])]
    for own, other in zip(*gradients, strict=True):
        torch.testing.assert_close(own, other, atol=4 * near, rtol=4 * near)


@given(st.lists(st.integers(1, 5000), max_size=80))
def test_groups_are_runs_of_all_lengths_with_little_padding(lengths):
    lengths = sorted(lengths, reverse=True)
    groups = groups_of(lengths)
    assert [i for group in groups for i in group] == list(range(len(lengths)))
    for group in groups:
        real = sum(lengths[i] for i in group)
        padded = len(group) * lengths[group.start]
        assert padded - real <= max(FREE_PADDING, MAX_PADDING * real)
        assert padded <= MAX_GROUP_TOKENS


@given(token_lists, st.integers(0, 40))
def test_a_plan_takes_every_token_of_the_row_from_one_sequence_that_holds_it(lists, n_shared):
    torch = pytest.importorskip("torch")
    packing = pack(sorted({(1,) * n_shared + tokens for tokens in lists}))
    plan = packing.plan("cpu")
    owned = [group.places.flatten()[group.owned] for group in plan.groups]
    assert torch.cat(owned)[plan.order].tolist() == list(range(len(packing.ids)))
    rows = padded_places(packing.paths).tolist()
    for path, row in zip(packing.paths, rows, strict=True):
        places = [place for start, end in path for place in range(start, end)]
        assert row == places + places[-1:] * (len(row) - len(places))
