"""A study as a result file: the schema is in docs/result-files.md, and `SCHEMA` goes up when it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from judge.datasets import DATA_SETS
from judge.datasets.dataset import Check, Dataset
from judge.metrics import own_metrics
from judge.metrics.bootstrap import LEVEL
from judge.provenance import provenance
from judge.study.page import Frame
from judge.study.study import Study, counts_as_json, study_as_json

SCHEMA = "four-token-judge/bench/1"


def result_of(
    study: Study, data: Dataset, selection: Mapping[str, Any], checks: Sequence[Check]
) -> dict[str, Any]:
    """Everything that the study found, and what it stands on.

    Args:
        selection: which part of the data was asked for: turn, votes, categories, limit, seed of the sample.
        checks: of published figures, empty where there are none for this data.
    """
    return {
        "schema": SCHEMA,
        **provenance(),
        "seed": study.seed,
        "data": {
            "name": data.name,
            "source": data.source,
            "hash": data.hash,
            **counts_as_json(study),
            "broken": dict(data.broken),
            "selection": dict(selection),
            "categories": {name: asdict(counts) for name, counts in study.by_category.items()},
        },
        "intervals": {"level": LEVEL, "n_draws": study.n_draws, "clusters": "questions"},
        "metrics": [
            {"name": one.name, "label": one.label, "meaning": one.meaning, "unit": one.unit.value}
            for one in (*own_metrics(), *study.others)
        ],
        "self_check": [{**asdict(check), "is_met": check.is_met} for check in checks],
        **study_as_json(study),
    }


def frame_of(result: Mapping[str, Any]) -> Frame:
    """What a report says around the figures of this result."""
    data, selection = result["data"], result["data"]["selection"]
    checks = [Check(one["name"], one["published"], one["ours"]) for one in result["self_check"]]
    source = DATA_SETS.find(selection["data_set"])
    published = source.self_check.of if source and source.self_check else data["name"]
    return Frame(
        title=f"Judges on {title_of(data['name'], selection)}",
        provenance=(
            ("Data", f"{data['name']}: {data['source']}"),
            ("Data hash", data["hash"]),
            ("Selection", json.dumps(selection, ensure_ascii=False)),
            ("Rows left out", counts_told(data["broken"]) or "none"),
            ("Commit", result["commit"] or "not in a checkout"),
            ("Machine", f"{result['cores']} cores of {result['cpu']}, GPU: {result['gpu']}"),
            ("Versions", ", ".join(f"{name} {number}" for name, number in result["versions"].items())),
            ("Seed", str(result["seed"])),
            ("Measured", result["measured_at"]),
            *((f"Judge {one['name']}", one["fingerprint"]) for one in result["judges"] if one["fingerprint"]),
        ),
        self_check=((summary(checks, published), all(one.is_met for one in checks)),) if checks else (),
    )


def summary(made: Sequence[Check], of: str) -> str:
    """All the checks in one line; `of` says what was published, for instance "MT-bench turn 1"."""
    failed = [f"{check.name} {check.ours} instead of {check.published}" for check in made if not check.is_met]
    if failed:
        return f"Self-check FAILED: {'; '.join(failed)}."
    figures = ", ".join(f"{check.name} {check.ours:g}" for check in made)
    return f"Self-check passed, {len(made)} published figures of {of} come out: {figures}."


def title_of(name: str, selection: Mapping[str, Any]) -> str:
    """The data set and the part of it, in words."""
    parts = [name]
    if selection["turn"] != "any":
        parts.append(f"turn {selection['turn']}")
    elif (source := DATA_SETS.find(selection["data_set"])) and source.every_turn:
        parts.append(source.every_turn)
    if selection["votes"]:
        parts.append(f"votes: {selection['votes']}")
    parts += selection["categories"]
    if selection["limit"]:
        parts.append(f"a sample of {selection['limit']} pairs")
    return ", ".join(parts)


def counts_told(broken: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in broken.items() if n)
