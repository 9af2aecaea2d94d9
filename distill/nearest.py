"""Which requests are near each other: TF-IDF over their words, in blocks of a sparse matrix.

A reply to a request that is near this one, and not so near that the reply would do here too, looks like an
answer and is none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from distill.clean import normalised
from distill.contrast import WORD

FAR, NEAR = 0.15, 0.7
"""Below the one cosine two requests have little in common; above the other an answer may do for both."""

N_NEAREST = 5
"""So many of the nearest requests are looked at."""

BLOCK = 512
"""So many requests at a time are compared with all, so that the table of cosines is never held whole."""


def neighbours(requests: Sequence[str]) -> dict[str, list[str]]:
    """For each request up to `N_NEAREST` others between `FAR` and `NEAR`, the nearest first.

    Neither the order of the requests nor repeats matter. Of two requests as near, the one first by the
    alphabet comes first.
    """
    ordered = sorted(set(requests))
    if not ordered:
        return {}
    keys = [normalised(one) for one in ordered]
    matrix = tf_idf(ordered)
    return {
        request: [ordered[k] for k in near if keys[k] != key][:N_NEAREST]
        for request, key, near in zip(ordered, keys, nearest(matrix), strict=True)
    }


def nearest(matrix: Any) -> Iterator[list[int]]:
    """For each row the numbers of the rows between `FAR` and `NEAR`, the nearest first."""
    other = matrix.T.tocsr()
    for start in range(0, matrix.shape[0], BLOCK):
        block = (matrix[start : start + BLOCK] @ other).tocsr()
        for row in range(block.shape[0]):
            here = slice(block.indptr[row], block.indptr[row + 1])
            places, cosines = block.indices[here], np.round(block.data[here], 9)
            kept = (cosines >= FAR) & (cosines <= NEAR)
            places, cosines = places[kept], cosines[kept]
            yield [int(k) for k in places[np.lexsort((places, -cosines))]]


def tf_idf(texts: Sequence[str]) -> Any:
    """A sparse matrix of one row a text, each of length 1, or 0 where the text has no telling word."""
    from scipy.sparse import csr_matrix

    counts = [Counter(normalised(word) for word in WORD.findall(text)) for text in texts]
    n_with = Counter(chain.from_iterable(counts))
    column = {word: k for k, word in enumerate(sorted(n_with))}
    starts, columns, values = [0], [], []
    for words in counts:
        weights = {
            column[word]: (1 + math.log(n)) * math.log(len(texts) / n_with[word])
            for word, n in sorted(words.items())
            if n_with[word] < len(texts)
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        columns += list(weights)
        values += [weight / length for weight in weights.values()]
        starts.append(len(columns))
    return csr_matrix((values, columns, starts), shape=(len(texts), len(column)))
