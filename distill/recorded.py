"""A teacher whose readings are in a shard: to teach by what was read once, no teacher has to be loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from distill.ensemble import METHOD, SignalOptions, own_of, templates_of, weights_in_words
from judge.backends import Backend, load_backend
from judge.errors import InputError
from judge.ledger.ledger import Ledger
from judge.ledger.shards import parts_of
from judge.methods import ReplyStore, load_method
from judge.models.adapters import read_adapter
from judge.models.basemodels import known_models
from judge.models.sizes import last_part
from judge.options import LOCAL, BackendLoader, JudgeOptions
from judge.progress import Progress, silent
from judge.prompts import fingerprint_of
from judge.records import NO_ADAPTER, Identity, Order, Pair, Reading

NO_ENGINE = "scripted:longer"
"""What stands for an engine where none computes anything."""


@dataclass(frozen=True, slots=True)
class RecordedOptions(JudgeOptions):
    """The teacher that a recipe names, and the shard with its readings; see `judge ledger export`."""

    shard: Path = Path()
    named: dict[str, Any] = field(default_factory=dict)

    def load(self, progress: Progress, store: ReplyStore, load: BackendLoader = load_backend) -> Recorded:
        """The teacher of the shard, which needs no engine; the ledger has its readings from then on.

        Raises:
            BadLines: the shard cannot be read, every bad line named.
            InputError: there is no such file, another teacher's readings are in it, or the ledger has others.
        """
        return recorded_of(self.shard, cast("Ledger", store), self.named)


def recorded_of(shard: Path, ledger: Ledger, named: Mapping[str, Any] = MappingProxyType({})) -> Recorded:
    """The judge whose readings are in a shard; the ledger has them from then on.

    Where the shard is the first of a judge's (`...-0001.jsonl.gz`), those that go on from it are read, too.

    Args:
        named: what its identity has to say, by name.

    Raises:
        BadLines: a shard cannot be read, every bad line named.
        InputError: there is no such file, its judge is another one, or the ledger has other readings of it.
    """
    from judge.ledger.reading import read_shards

    if not shard.is_file():
        raise InputError(f"{shard}: no such file. It must be a shard that `judge ledger export` wrote.")
    parts = parts_of(shard)
    shards = read_shards(parts)
    identity, _ = shards[0]
    for part, (other, _) in zip(parts, shards, strict=True):
        if other != identity:
            raise InputError(
                f"{part}: read by {other.fingerprint}, and by its name it goes on from {shard.name}, which "
                f"was read by {identity.fingerprint}. Rename one of them."
            )
    for name, right in named.items():
        found = getattr(identity, name)
        if (last_part(found) if name == "base_model" else found) != right:
            raise InputError(
                f"{shard}: read by another teacher, of {name} {found!r}. The recipe's has {right!r}."
            )
    counts = ledger.take_in(shards, may_differ=False)
    if counts.differing:
        raise InputError(
            f"{shard}: {counts.differing} of its readings differ from those in {ledger.path}, and none was "
            "taken in. Name the shard that those came from, or begin anew in another --folder."
        )
    has_probabilities = any(row.probabilities is not None for _, rows in shards for row in rows)
    return Recorded(identity, shard, ledger, has_probabilities)


def recorded_options(options: JudgeOptions, shard: Path) -> RecordedOptions:
    """The same teacher, its readings taken from the shard."""
    return RecordedOptions(**own_of(options), shard=shard, named=named_by(options))


def named_by(options: JudgeOptions) -> dict[str, Any]:
    """What the identity of the judge that these options name has to say, as far as they say it, by name.

    Raises:
        InputError: there is no such method or signal, or it does not go with the other options.
        ModelError: there is no adapter in the folder that is named.
    """
    if options.is_service:  # whose judge is its own
        return {}
    named = named_asking(options)
    settings = options.settings
    if options.backend in LOCAL or options.backend.startswith("server:"):
        named |= {"base_model": last_part(settings.base_model)}
        named |= {name: getattr(settings, name) for name in ("overflow", "max_prompt_tokens")}
    if options.backend in LOCAL:  # a server may call an adapter as it likes
        named |= named_adapter(options.adapter)
        hashes = {model.name: model.sha256 for model in known_models()}
        if settings.base_model in hashes:
            named["base_model_hash"] = hashes[settings.base_model]
    return named


def named_asking(options: JudgeOptions) -> dict[str, Any]:
    """The part of it that says what is asked, and which answers there are, whatever the engine."""
    if isinstance(options, SignalOptions):
        said = weights_in_words(options.signals, options.length)
        return {"method": METHOD, "letters": said, "prompts": fingerprint_of(*templates_of(options.signals))}
    settings, samples, vote = options.method_settings, options.samples, options.vote
    asked = load_method(options.asked_by, load_backend(NO_ENGINE), settings, samples, vote).identity
    return {name: getattr(asked, name) for name in ("method", "letters", "prompts", "decoding")}


def named_adapter(folder: str) -> dict[str, str]:
    """What the identity of a judge with this adapter says of it; "" is the bare base model.

    Raises:
        ModelError: there is no adapter in the folder.
    """
    if not folder:
        return {"adapter": NO_ADAPTER, "adapter_hash": ""}
    adapter = read_adapter(folder)
    return {"adapter": adapter.name, "adapter_hash": adapter.hash}


class Recorded:
    """A teacher that has read all it will ever read: what it said is in the ledger.

    `has_probabilities` is whether any of its readings has.
    """

    def __init__(self, identity: Identity, shard: Path, ledger: Ledger, has_probabilities: bool) -> None:
        self.identity = identity
        self.shard = shard
        self.has_probabilities = has_probabilities
        self._ledger = ledger

    @property
    def backend(self) -> Backend:
        """An engine that computes nothing."""
        return load_backend(NO_ENGINE)

    @property
    def batch_characters(self) -> int:
        """Any number of pairs is looked up at once."""
        return 1 << 30

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Does nothing: nothing will be asked."""

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        """What it said. Raises InputError where it has not read a pair."""
        known = self._ledger.find(self.identity.fingerprint, {pair.content_hash for pair, _ in items})
        missing = {pair.id for pair, order in items if (pair.content_hash, order) not in known}
        if missing:
            raise InputError(
                f"{self.shard}: lacks {len(missing)} of the recipe's pairs, {min(missing)} first. Take the "
                "shard that was made of these pairs, a smaller limit where it was made of the first ones, or "
                "have the teacher read them."
            )
        return [known[pair.content_hash, order] for pair, order in items]
