"""The last layer computes only what is asked of it.

Behind the last layer nothing reads the hidden states of tokens whose logits nobody asks for. Their keys and
values are needed, their queries, attention output and MLP are not: about 4 % of a model of 24 layers.
Where only keys and values are wanted, nobody asks at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

PARTS = ("self_attn.q_proj", "self_attn.o_proj", "mlp")
"""What in a layer works on each token by itself, as Llama's and Qwen's families name it."""


@contextmanager
def only_at(model: Any, rows: Sequence[int]) -> Iterator[None]:
    """Inside, the last layer's `PARTS` are computed at these tokens alone, and are zero at all others.

    The hidden states of those others mean nothing then. A model whose layers are named otherwise computes
    everything, as before.

    Args:
        model: the model without its head, of which one sequence is read, input shape (1, tokens).
        rows: the tokens whose hidden states count.
    """
    with ExitStack() as hooks:
        for part in parts_of(model):
            hooks.enter_context(at_rows(part, list(rows)))
        yield


def parts_of(model: Any) -> list[Any]:
    """The `PARTS` of the last layer; [] where it has not all of them."""
    try:
        return [attrgetter(part)(model.layers[-1]) for part in PARTS]
    except AttributeError:
        return []


@contextmanager
def at_rows(module: Any, rows: list[int]) -> Iterator[None]:
    """Inside, the module reads only these tokens; its output has the shape that it would have had."""
    shapes: list[Any] = []

    def only_rows(_: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        shapes.append(given[0].shape)
        return (given[0][:, rows],)

    def back_in_place(_: Any, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        whole = output.new_zeros((*shapes.pop()[:-1], output.shape[-1]))
        whole[:, rows] = output
        return whole

    before = module.register_forward_pre_hook(only_rows)
    behind = module.register_forward_hook(back_in_place)
    try:
        yield
    finally:
        before.remove()
        behind.remove()
