"""Whether the judges in the package say a verdict and end, decoded greedily with nothing begun for them.

    python -m benchmarks.greedy --out benchmarks/results/greedy.json

A judge is read by the probabilities of its grades or letters, after a beginning that is written for it. Here
nothing is written for it: on 200 prompts of the half of HH-RLHF that may choose settings its reply has to be
exactly `[[d]]`, a grade from 1 to 9, or `[[A]]` or `[[B]]`, and to end there.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from judge.backends import Completion, Sampling, Settings, load_backend
from judge.bench.run import chosen, read
from judge.datasets.dataset import Wanted, data_folder
from judge.methods.direct import render_direct
from judge.methods.score import render_score
from judge.models.adapters import shipped_adapter
from judge.progress import Progress, shown_progress
from judge.provenance import provenance, write_result
from judge.records import Order, Pair, Prompt

SCHEMA = "four-token-judge/greedy/1"
JUDGES = (("qwen2.5-coder-0.5b", "score"), ("qwen2.5-coder-1.5b", "score"), ("qwen2.5-coder-0.5b", "direct"))
"""The base model and the method of each judge in the package."""

FORMS = {"score": re.compile(r"\[\[[1-9]\]\]"), "direct": re.compile(r"\[\[[AB]\]\]")}
N_PAIRS = 100
SAMPLING = Sampling(max_new_tokens=12)
"""Room for more than a verdict, so that one which does not end is seen."""


def prompts_of(pair: Pair, method: str) -> list[Prompt]:
    """The two prompts of a pair, its answers alone or its orders, with no reply begun."""
    if method == "score":
        asked = [render_score(pair, Order.AB, number) for number in (0, 1)]
    else:
        asked = [render_direct(pair, order, ties=False) for order in Order]
    return [replace(prompt, reply_start="", reply_end="") for prompt in asked]


def figures_of(replies: Sequence[Any], method: str) -> dict[str, Any]:
    """How many replies are a verdict and nothing else, and the others with how often each came."""
    exact = [one for one in replies if is_exact(one, method)]
    others = Counter(getattr(one, "text", "not read") for one in replies if not is_exact(one, method))
    return {
        "n": len(replies),
        "exact": len(exact),
        "most_tokens": max((one.tokens_out for one in exact), default=0),
        "others": dict(others.most_common()),
    }


def is_exact(reply: Any, method: str) -> bool:
    if not isinstance(reply, Completion):
        return False
    return reply.is_ended and FORMS[method].fullmatch(reply.text) is not None


def measured(base_model: str, method: str, pairs: Sequence[Pair], progress: Progress) -> dict[str, Any]:
    """The figures of the judge in the package with that base model and method."""
    adapter = shipped_adapter(base_model, method)
    settings = Settings(base_model, adapter=adapter, strict=True, progress=progress)
    backend = load_backend("embedded", settings)
    prompts = [prompt for pair in pairs for prompt in prompts_of(pair, method)]
    found = figures_of(backend.complete(prompts, SAMPLING), method)
    return {"name": f"{backend.engine.adapter} {method}", "identity": asdict(backend.engine), **found}


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """A row a judge."""
    [result] = results
    lines = ["| judge | replies that are a verdict and end | tokens at most |", "| --- | --- | --- |"]
    lines += [
        f"| {one['name']} | {one['exact']} of {one['n']} | {one['most_tokens']} |" for one in result["judges"]
    ]
    return "\n".join([*lines, "", f"{result['data']['name']}, decoded greedily; on {result['cpu']}."])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.greedy", description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args()
    data = chosen(read("hh-rlhf", Wanted(data_folder(given.data_dir), 1)), (), N_PAIRS, 0)
    with shown_progress() as progress:
        judges = [measured(base_model, method, data.pairs, progress) for base_model, method in JUDGES]
    result = {
        "schema": SCHEMA,
        **provenance(),
        "seed": 0,
        "base_model_hash": {
            one["identity"]["base_model"]: one["identity"]["base_model_hash"] for one in judges
        },
        "data_hash": data.hash,
        "data": {"name": data.name, "hash": data.hash, "n_pairs": len(data.pairs)},
        "judges": judges,
    }
    write_result(given.out, result)
    print(table_of([result]))


if __name__ == "__main__":
    main()
