from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize("head", [0, 40, 300])
def test_packed_attention_is_causal_attention_over_each_sequence(head):
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    lengths = [130, 7, 290]
    sequences = sorted((0,) * head + (n + 1,) * n for n in lengths)
    packing = pack(sequences)
    n = len(packing.ids)
    query, key, value = torch.randn(1, 6, n, 16), torch.randn(1, 2, n, 16), torch.randn(1, 2, n, 16)
    output, _ = packed_attention(None, query, key, value, None, segments=packing.segments)
    for end in packing.ends:
        own = next(s for s in packing.segments if s.start <= end < s.end)
        places = [i for a, b in (*own.above, (own.start, own.end)) for i in range(a, b)]
        expected = torch.nn.functional.scaled_dot_product_attention(
            query[:, :, places], key[:, :, places], value[:, :, places], is_causal=True, enable_gqa=True
        )
        torch.testing.assert_close(output[:, places], expected.transpose(1, 2), atol=1e-5, rtol=1e-5)


def test_the_attention_for_gpus_gives_what_the_one_for_cpus_gives():
    torch = pytest.importorskip("torch")
    from judge.backends.packing import _blocks_of_queries, _fused

    torch.manual_seed(2)
    query, keys, values = torch.randn(2, 3, 150, 16), torch.randn(2, 190, 16), torch.randn(2, 190, 16)
    torch.testing.assert_close(
        _fused(query, keys, values), _blocks_of_queries(query, keys, values), atol=1e-5, rtol=1e-5
    )
