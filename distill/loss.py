"""What a student minimises: the reply's cross-entropy and, if asked for, how far its two orders are apart.

All losses are in nats, one a row or a pair, so that batches of any size add up to a step. Tensors are
float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


PLACES = 256
"""The logits of this many places are held at a time: 150 MB in float32 over 151,936 words, and as much again
for their gradient."""


def log_probabilities(
    hidden: Tensor, head: Tensor, targets: Tensor, letters: Sequence[int] = ()
) -> tuple[Tensor, Tensor]:
    """The log-probability of the target at each place, and of each allowed letter there.

    Shapes (places,) and (places, letters). Over more than `PLACES` places the logits are made once more in
    the backward pass, so that those of a long reply are never held at once.

    Args:
        hidden: the last hidden states, shape (places, size). head: shape (vocabulary, size).
        targets: token ids, shape (places,).
        letters: the ids of the allowed letters.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    def of_some(some: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        logs = (some @ head.T).log_softmax(dim=-1)
        return logs.gather(1, wanted[:, None])[:, 0], logs[:, list(letters)]

    if len(targets) <= PLACES:
        return of_some(hidden, targets)
    parts = [
        checkpoint(of_some, *one, use_reentrant=False)
        for one in zip(torch.split(hidden, PLACES), torch.split(targets, PLACES), strict=True)
    ]
    return torch.cat([own for own, _ in parts]), torch.cat([some for _, some in parts])


def log_probabilities_of(hidden: Tensor, head: Tensor, words: Tensor) -> Tensor:
    """The log-probability of some words of its own at each place, shape (places, words).

    Over more than `PLACES` places the logits are made once more in the backward pass, as above.

    Args:
        hidden, head: as above. words: token ids, shape (places, words).
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    def of_some(some: Tensor, wanted: Tensor) -> Tensor:
        return (some @ head.T).log_softmax(dim=-1).gather(1, wanted)

    parts = zip(torch.split(hidden, PLACES), torch.split(words, PLACES), strict=True)
    return torch.cat([checkpoint(of_some, *one, use_reentrant=False) for one in parts])


def likeliest(hidden: Tensor, head: Tensor) -> Tensor:
    """The id of the likeliest token at each place, shape (places,); arguments as above, without gradients."""
    import torch

    with torch.no_grad():
        return torch.cat([(some @ head.T).argmax(dim=-1) for some in torch.split(hidden, PLACES)])


def by_row(values: Tensor, lengths: Sequence[int]) -> Tensor:
    """The sum over the places of each row, shape (rows,).

    Args:
        values: of all places, row after row, shape (places,). lengths: how many places each row has.
    """
    import torch

    return torch.stack([one.sum() for one in torch.split(values, list(lengths))])


def verdict_loss(
    own: Tensor, of_letters: Tensor, lengths: Sequence[int], places: Sequence[int], weights: Tensor
) -> Tensor:
    """The cross-entropy of each row's reply, shape (rows,): the sum over its tokens.

    Args:
        own, of_letters: log-probabilities, as `log_probabilities` gives them.
        lengths: how many places each row has.
        places: which of all places is each row's letter; there `weights` are learned, not only the target.
        weights: the probability of each letter that is learned, shape (rows, letters).
    """
    open_places = list(places)
    of_letter = (of_letters[open_places] * weights).sum(dim=1)
    return own[open_places] - by_row(own, lengths) - of_letter


def letter_loss(logits: Tensor, weights: Tensor) -> Tensor:
    """The cross-entropy of each row's letter among the allowed ones, shape (rows,): 0.693 is chance for two.

    Args:
        logits: of the allowed letters, shape (rows, letters).
        weights: the probability of each letter that is learned, shape (rows, letters).
    """
    return -(logits.log_softmax(dim=-1) * weights).sum(dim=1)


def symmetry_loss(ab: Tensor, ba: Tensor) -> Tensor:
    """How far apart a pair's two orders are, shape (pairs,): Jeffreys' divergence, halved.

    It is 0 where both give each response the same probability, whichever is shown first.

    Args:
        ab, ba: logits in either order of the letters for first, second and, if allowed, tie; shape
            (pairs, letters).
    """
    swapped = ba[:, [1, 0, *range(2, ba.shape[1])]]
    one, other = ab.log_softmax(dim=-1), swapped.log_softmax(dim=-1)
    return ((one.exp() - other.exp()) * (one - other)).sum(dim=1) / 2
