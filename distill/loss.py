"""What a student minimises: the verdict's cross-entropy and, if asked for, how far its two orders are apart.

All losses are in nats, one a row or a pair, so that batches of any size add up to a step. Tensors are
float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def verdict_loss(
    logits: Tensor, targets: Tensor, place: int, letters: Sequence[int], weights: Tensor
) -> Tensor:
    """The cross-entropy of each row's verdict, shape (rows,): the sum over its tokens.

    Args:
        logits: shape (rows, tokens of the verdict, vocabulary).
        targets: ids of the verdict's tokens, shape (rows, tokens of the verdict).
        place: which of these tokens is the letter; there `weights` are learned, not only the target.
        letters: the ids of the allowed letters.
        weights: the probability of each letter that is learned, shape (rows, letters).
    """
    logs = logits.log_softmax(dim=-1)
    own = -logs.gather(2, targets[..., None])[..., 0]
    of_letter = -(logs[:, place, list(letters)] * weights).sum(dim=1)
    return own.sum(dim=1) - own[:, place] + of_letter


def letter_loss(logits: Tensor, weights: Tensor) -> Tensor:
    """The cross-entropy of each row's letter among the allowed ones, shape (rows,): 0.693 is chance for two.

    Args:
        logits: of the allowed letters, shape (rows, letters).
        weights: as in `verdict_loss`.
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
