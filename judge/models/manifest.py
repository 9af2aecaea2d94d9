"""What an adapter's manifest must say. Import it inside functions: pydantic takes a while to load."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from judge.io.shapes import Must, OpenShape, Sha256

Text = Annotated[str, Field(pattern=r"\S")]


class Files(OpenShape):
    """The SHA-256 of each file of an adapter."""

    config: Sha256 = Field(alias="adapter_config.json")
    weights: Sha256 = Field(alias="adapter_model.safetensors")


class NatFiles(OpenShape):
    """The SHA-256 of each file of an adapter of method nat."""

    positive_config: Sha256 = Field(alias="positive/adapter_config.json")
    positive_weights: Sha256 = Field(alias="positive/adapter_model.safetensors")
    negative_config: Sha256 = Field(alias="negative/adapter_config.json")
    negative_weights: Sha256 = Field(alias="negative/adapter_model.safetensors")
    units: Sha256 = Field(alias="units.safetensors")


class Data(OpenShape):
    """The pairs or rows that were seen in training, by the SHA-256 of their contents."""

    train: list[Sha256]
    held_out: list[Sha256]


class Named(OpenShape):
    """Another adapter, by its name and its hash."""

    name: Text
    hash: Sha256


class Start(Named):
    """An adapter that training went on from, and what that one went on from in turn."""

    data: Data | None = None
    start_from: Start | None = None


class Mixed(OpenShape):
    """Between which two adapters the weights lie, and where."""

    share: float
    before: Named
    after: Named


class Lora(OpenShape):
    """The size of a LoRA; `layers` are the first and the last one that it adapts."""

    layers: list[int] = Field(default_factory=list)


class Manifest(OpenShape):
    """The part of a manifest that the judge reads; the rest is for people. Its schema was checked before.

    `templates` and `letters` are empty where replies to rows were learned, or which traces are right: that is
    no judging.
    """

    name: Annotated[str, Field(pattern=r"^[\w.-]+$"), Must("letters, digits and . _ -")]
    targets: Annotated[
        Literal["hard", "soft", "votes", "replies", "ranks"],
        Must("one of hard, soft, votes, replies, ranks"),
    ]
    base_model: Annotated[Text, Must("text")]
    base_model_hash: Annotated[Sha256, Must("a SHA-256")]
    templates: Annotated[list[Text], Must("a list of prompt names")]
    prompts: Annotated[Sha256, Must("a SHA-256")]
    letters: Annotated[
        Literal["AB", "ABC", "123456789", ""],
        Must("one of AB, ABC, 123456789"),
    ]
    criteria: Annotated[list[Text], Must("a list of criteria")] = Field(default_factory=list)
    files: Annotated[
        Files, Must("an object with the SHA-256 of adapter_config.json and adapter_model.safetensors")
    ]
    data: Annotated[Data, Must("an object with the lists train and held_out, of SHA-256s of pairs' contents")]
    start_from: Annotated[
        Start | None,
        Must("null, or an object with the name and the hash of an adapter, its data and start_from in turn"),
    ] = None
    mixed: Annotated[
        Mixed | None, Must("an object with the share, and the name and hash of the adapters before and after")
    ] = None
    lora: Annotated[Lora, Must("an object, its layers a list of numbers")] = Field(default_factory=Lora)
    metrics: Annotated[dict[str, Any], Must("an object")] = Field(default_factory=dict)
    settings: Annotated[dict[str, Any], Must("an object")] = Field(default_factory=dict)


class NatManifest(Manifest):
    """The same of an adapter of two LoRAs, a positive and a negative one, and the units that weigh them."""

    files: Annotated[NatFiles, Must("an object with the SHA-256 of each LoRA's two files and of the units")]  # type: ignore[assignment]
    negative: Annotated[
        Named | None, Must("an object with the name and the hash of the adapter that learned wrong traces")
    ] = None
