"""The steps of a lease. Each is a function of the place; what it needs of others it reads."""

from __future__ import annotations

import gc
import gzip
import json
import shutil
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.ensemble import Ensemble, kept, less_length, log_odds_by, log_ratio_of, measured_each, weights_of
from distill.folder import RunFolder
from distill.lease.place import Place, timed
from distill.lease.students import LONGEST_PROMPT, recipes_of
from distill.lease.tables import labels_of, line, standing
from distill.recipe import Recipe, recipe_of
from distill.signals import SIGNALS, Numbers
from distill.stages import run_collect, run_select
from distill.trainstage import run_train
from judge.api import Judge
from judge.backends import Settings
from judge.backends.embedded import EmbeddedBackend
from judge.backends.loaded import LoadedModel
from judge.backends.local import dtype_of
from judge.backends.parity import check_parity
from judge.bench.run import read
from judge.datasets.dataset import Dataset, Wanted, only
from judge.ledger.ledger import Ledger
from judge.methods import MethodSettings
from judge.methods.direct import render_direct
from judge.options import judge_options
from judge.records import NO_ADAPTER, Order, Pair, sha256_of_json

SETTINGS = "hh-rlhf"
"""The data set whose labels may choose settings."""

READING_WAYS = ("direct", "alone", "request", "yes", "likelihoods", "bsm")
"""The ways of reading that give signals, the most telling first."""

MEASURED = {"mt-bench": 1, "oasst": 1, "llmbar": 1}
"""The data sets that nothing is chosen by, and the turn that is judged."""


def parity(place: Place, base: str) -> None:
    """Whether the engine's own ways through a model say what transformers says, and how fast they are."""
    with timed(f"parity of {base}") as found:
        model = LoadedModel(Settings(base, device=place.device), place.device, dtype_for(place))
        found |= check_parity(model)
        found["device"] = place.device
    print(json.dumps(found), flush=True)
    place.report(f"parity-{Path(base).name}", found)
    del model
    free()


def signals(place: Place) -> None:
    """Every signal of the large model on the half that chooses settings, and the ensembles that follow."""
    data = dataset_of(place, SETTINGS)
    with timed("signals") as found:
        table, how = signals_of(place, data.pairs)
    labels = labels_of(data.pairs, data.votes)
    ratios = [log_ratio_of(pair) for pair in data.pairs]
    names = kept(table, labels, ratios) or ["direct"]
    ensembles = ensembles_from(table, names, ratios)
    without = {name: less_length(numbers, ratios) for name, numbers in table.items()}
    sums = {name: log_odds_by(table, one, ratios) for name, one in ensembles.items()}
    figures = {
        "signals": measured_each(table, labels, ratios),
        "less_length": measured_each(without, labels, ratios),
        "of_ensembles": measured_each(sums, labels, ratios),
    }
    for kind, of_kind in figures.items():
        for name, one in of_kind.items():
            print(line(f"{kind} {name}", {key: round(value, 3) for key, value in one.items()}), flush=True)
    print(json.dumps(ensembles), flush=True)
    bring_numbers(place, data.pairs, table)
    told = {"data": data.name, "data_hash": data.hash, "kept": names, "ensembles": ensembles}
    place.report("signals", {**found, **how, **told, **figures})


def signals_of(place: Place, pairs: Sequence[Pair]) -> tuple[dict[str, Numbers], dict[str, Any]]:
    """The numbers of every signal that could be read, by name; and the engine and the seconds of each way."""
    table: dict[str, Numbers] = {}
    seconds: dict[str, float] = {}
    backend = EmbeddedBackend(Settings(place.large, device=place.device, max_prompt_tokens=LONGEST_PROMPT))
    backend.load()
    with Ledger(place.ledger) as ledger:
        for way in READING_WAYS:
            names = [name for name, one in SIGNALS.items() if one.way == way]
            started, before = time.monotonic(), backend.tokens_computed
            ensemble = Ensemble(backend, dict.fromkeys(names, 1.0), 0.0, MethodSettings(store=ledger))
            try:
                rows = ensemble.numbers(pairs)
            except Exception:  # one way of reading must not cost the others
                traceback.print_exc()
                continue
            given = {name: [row[name] for row in rows] for name in names}
            table |= {name: some for name, some in given.items() if sum(x is not None for x in some) > 1}
            seconds[way] = time.monotonic() - started
            print(f"  {way}: {seconds[way]:.1f} s, {backend.tokens_computed - before:,} tokens", flush=True)
    engine = asdict(backend.engine)
    del backend, ensemble
    free()
    return table, {"engine": engine, "seconds": seconds}


def ensembles_from(
    table: Mapping[str, Numbers], names: Sequence[str], ratios: Sequence[float]
) -> dict[str, dict[str, Any]]:
    """The teachers to try, each with its signals' weights and that of length."""
    members = {"plain": (names, 0.0), "less_length": (names, 1.0), "direct_alone": (("direct", "alone"), 0.0)}
    ensembles = {}
    for name, (signs, takes_length) in members.items():
        weights, length = weights_of(table, [one for one in signs if one in table], ratios, takes_length)
        ensembles[name] = {"signals": weights, "length": length}
    return ensembles


def bring_numbers(place: Place, pairs: Sequence[Pair], table: Mapping[str, Numbers]) -> None:
    """Writes the number of every signal of every pair, a line a pair."""
    place.out.mkdir(parents=True, exist_ok=True)
    with gzip.open(place.out / "signals-hh-rlhf.jsonl.gz", "wt") as file:
        for i, pair in enumerate(pairs):
            row = {"content": pair.content_hash, **{name: numbers[i] for name, numbers in table.items()}}
            file.write(json.dumps(row) + "\n")


def student(place: Place, name: str) -> None:
    """One student: what its teacher says, what is kept of it, training, figures on the settings half."""
    values = recipes_of(place, ensembles_of(place))[name]
    recipe, folder = recipe_of(values, name), RunFolder(place.work / name)
    with timed(f"student {name}") as found:
        collected(place, recipe, folder)
        manifest = run_train(recipe, folder, place.data, said_at_times())
        found |= {"metrics": manifest["metrics"], "loaded_difference": manifest["loaded_difference"]}
    place.bring(f"adapter-{name}", folder.adapter)
    free()
    figures = judged(place, name, folder.adapter, SETTINGS)
    place.report(f"student-{name}", {**found, SETTINGS: figures, "recipe": values})


def collected(place: Place, recipe: Recipe, folder: RunFolder) -> None:
    """Collect and select; students with one teacher and the same pairs share the traces.

    The student's folder has a copy, made anew where the pairs, the teacher or the filter are others now.
    """
    blocks = recipe.model_dump(mode="json")
    shared = RunFolder(place.work / f"traces-{sha256_of_json(blocks['collect'])[:12]}")
    with timed(f"collect for {recipe.name}"):
        run_collect(recipe, shared, place.data, said_at_times(), place.ledger)
        selected = run_select(recipe, shared)
        print(json.dumps(selected["report"], default=str)[:600], flush=True)
    place.bring(shared.path.name, shared.traces)
    if not folder.is_done("select", selected["inputs"]):
        shutil.rmtree(folder.traces, ignore_errors=True)
        shutil.copytree(shared.path, folder.path, dirs_exist_ok=True)


def judged(place: Place, name: str, adapter: Any, data_name: str, **options: Any) -> dict[str, Any]:
    """A judge's figures on a data set; its readings stay in the ledger."""
    data = dataset_of(place, data_name)
    with timed(f"{name} on {data_name}") as found:
        given = judge_options(
            base_model=options.pop("base_model", place.large if "1.5b" in name else place.small),
            method=options.pop("method", "score" if name.startswith("grade") else "direct"),
            adapter=str(adapter),
            device=place.device,
            **options,
        )
        with Judge.of(given, ledger=place.ledger, progress=said_at_times()) as judge:
            verdicts = judge.judge(data.pairs)
            found["tokens"] = judge.tokens_computed
            found["fingerprint"] = judge.identity.fingerprint
    figures = standing(data.pairs, labels_of(data.pairs, data.votes), verdicts)
    print(line(f"{name} {data_name}", figures), flush=True)
    free()
    return found | figures


def bench(place: Place, names: Sequence[str]) -> None:
    """The named students, and the large model's own ways, on what nothing is chosen by."""
    for name in names:
        adapter = place.work / name / "adapter"
        place.report(
            f"bench-{name}", {one: judged(place, name, adapter, one) for one in (*MEASURED, SETTINGS)}
        )


def bare(place: Place, method: str) -> None:
    """The large model without an adapter by one method, on everything."""
    found = {}
    for one in (*MEASURED, SETTINGS):
        name = f"bare-1.5b-{method}"
        found[one] = judged(place, name, NO_ADAPTER, one, method=method, base_model=place.large)
    place.report(f"bare-{method}", found)


def text(place: Place) -> None:
    """BSM in text by the large model over pairs of OASST: the traces of the paper's student."""
    recipe = recipe_of(recipes_of(place, ensembles_of(place))["bsm-1.5b"], "bsm-1.5b")
    collected(place, recipe, RunFolder(place.work / "bsm-1.5b"))
    place.bring("traces-bsm-1.5b", place.work / "bsm-1.5b" / "traces")


def shards(place: Place) -> None:
    """Every reading so far, as shards."""
    folder = place.work / "shards"
    shutil.rmtree(folder, ignore_errors=True)
    with Ledger(place.ledger) as ledger:
        ledger.export(folder)
    place.bring("shards", folder)


def speed(place: Place) -> None:
    """Verdicts a second of the four-token judges, and how near that comes to the best matrix product."""
    import torch

    data = dataset_of(place, "mt-bench")
    found: dict[str, Any] = {"matmul_flops": matmul_rate(place.device)}
    for base in (place.small, place.large):
        backend = EmbeddedBackend(Settings(base, device=place.device))
        backend.load()
        prompts = [render_direct(pair, order, False) for pair in data.pairs for order in Order]
        backend.choose(prompts[:64], ("A", "B"))
        before, started = backend.tokens_computed, time.monotonic()
        backend.choose(prompts, ("A", "B"))
        if place.device == "cuda":
            torch.cuda.synchronize()
        elapsed_s = time.monotonic() - started
        found[base] = {
            "verdicts_per_s": len(data.pairs) / elapsed_s,
            "tokens_per_s": (backend.tokens_computed - before) / elapsed_s,
            "elapsed_s": elapsed_s,
        }
        del backend
        free()
    print(json.dumps(found), flush=True)
    place.report("speed", found)


def matmul_rate(device: str, size: int = 4096, times: int = 8) -> float:
    """Floating-point operations a second of the best of some large products, in the dtype of this device."""
    import torch

    dtype = getattr(torch, dtype_of(Settings(""), device))
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = 0.0
    for _ in range(times):
        if device == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best


# --- what the steps share --------------------------------------------------------------------------------


def dataset_of(place: Place, name: str) -> Dataset:
    """A data set's pairs and votes; with `n_pairs` the first of them by content."""
    data = read(
        name,
        Wanted(folder=place.data, turn=MEASURED.get(name, 1), votes="experts" if name == "mt-bench" else ""),
    )
    if place.n_pairs is None:
        return data
    ids = sorted(data.pairs, key=lambda pair: pair.content_hash)[: place.n_pairs]
    return only(data, frozenset(pair.id for pair in ids))


def ensembles_of(place: Place) -> dict[str, Any]:
    """Those of `work/ensembles.json`, else those that the signals led to; before that, direct alone."""
    if (given := place.work / "ensembles.json").is_file():
        chosen: dict[str, Any] = json.loads(given.read_text("utf-8"))
        return chosen
    if place.has("signals"):
        found: dict[str, Any] = place.read("signals")["ensembles"]
        return found
    one = {"signals": {"direct": 1.0}, "length": 0.0}
    return dict.fromkeys(("plain", "less_length", "direct_alone"), one)


def dtype_for(place: Place) -> str:
    """What "auto" is on this device."""
    return dtype_of(Settings(place.small), place.device)


def said_at_times(every_s: float = 5.0) -> Callable[[str, int, int], None]:
    """A progress that prints a line every few seconds."""
    last = [0.0]

    def show(stage: str, done: int, total: int) -> None:
        if time.monotonic() - last[0] > every_s:
            last[0] = time.monotonic()
            print(f"    {stage} ({done} of {total})", flush=True)

    return show


def free() -> None:
    """Gives back what a model that is gone has left in memory."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
