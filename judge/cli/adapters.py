"""`judge adapters`: which adapters there are, what each one is, and whether it is what it says."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from judge.cli.console import STYLE, QuietOption, check_folder, progress_shown
from judge.errors import InputError, ModelError
from judge.io.wording import one_line
from judge.models.adapters import (
    FILES,
    MANIFEST,
    NEGATIVE,
    POSITIVE,
    RANKS,
    REPLIES,
    SHIPPED,
    SHORT,
    UNITS,
    Adapter,
    as_json,
    check_base,
    check_prompts,
    criteria_of,
    files_in,
    files_of,
    is_judge,
    is_nat,
    method_of,
    read_adapter,
    starts_of,
)

RUNS = Path("runs")
TAUGHT_BY = {
    "hard": "the winners that a slow judge named",
    "soft": "the probabilities that a slow judge gave",
    "replies": "replies to prompts, as rows of a file have them: it is no judge",
    "ranks": "right and wrong traces, as rows of two files have them: it ranks what a judge wrote",
    "votes": "HUMAN VOTES: it was fine-tuned on what people voted, not on a judge's verdicts",
}
ROWS_OF_A_JUDGE = "rows of a file, each a working or a verdict"
SHOWN_BEFORE = ("train", "held_out", "contrast", "constraints")
"""The parts of a manifest's data that get their own lines."""

app = typer.Typer(help="Adapters: list, show, verify, mix.", no_args_is_help=True, **STYLE)

FolderArgument = Annotated[Path, typer.Argument(help="The adapter's folder.", show_default=False)]


@app.command("list", epilog="Example: judge adapters list runs ~/adapters")
def list_adapters(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help=f"Where to look, up to two levels below; by default {RUNS} and this package."),
    ] = None,
) -> None:
    """The adapters in folders, a line each."""
    for folder in folders or []:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder. Name folders that hold adapters, or nothing.")
    found = folders_in(folders or [RUNS, SHIPPED])
    for folder in found:
        try:
            print(summary_line(read_adapter(folder), folder))
        except ModelError as error:
            print(f"does not load: {error}")
    if not found:
        where = ", ".join(map(str, folders or [RUNS]))
        print(f"There is no adapter in {where}. `judge distill` makes one; see: judge distill --help")


@app.command(
    epilog="Example: judge adapters show runs/NAME/adapter. With --json also the hash of every pair that it "
    "learned from."
)
def show(
    folder: FolderArgument,
    is_json: Annotated[bool, typer.Option("--json", help="The whole manifest as JSON.")] = False,
) -> None:
    """What an adapter is and learned from."""
    adapter = read_adapter(folder)
    if is_json:
        print(as_json(adapter.manifest))
        return
    print(summary(adapter, shutil.get_terminal_size((100, 24)).columns))


@app.command(
    epilog="Examples: judge adapters verify runs/NAME/adapter. "
    "judge adapters verify ADAPTER --base-model ~/models/mine, for a base model that is a folder."
)
def verify(
    folder: FolderArgument,
    base_model: Annotated[
        str, typer.Option(help="The base model; by default the one that the adapter names.")
    ] = "",
    dtype: Annotated[str, typer.Option(help="auto, bfloat16 or float32.")] = "auto",
    quiet: QuietOption = False,
) -> None:
    """Check its files, base model and answers."""
    from judge.backends import Settings
    from judge.backends.embedded import EmbeddedBackend
    from judge.cli.adaptercheck import compared, example_pairs, probabilities_of_a
    from judge.io.files import hash_and_remember
    from judge.models import basemodels

    say = (lambda line: None) if quiet else print
    with progress_shown(quiet) as progress:
        adapter = read_adapter(folder, partial(hash_and_remember, progress=progress))
        say(f"files: {', '.join(files_of(adapter.manifest))} are those of {MANIFEST}")
        base = base_model or adapter.manifest["base_model"]
        check_base(adapter, base, basemodels.hash_of(base))
        base_hash = basemodels.verify(base, progress).hash
        say(f"base model: {base} is the one it was made for, and whole (hash {base_hash[:SHORT]})")
        check_prompts(adapter)
        if is_judge(adapter):
            say(f"prompts: {', '.join(adapter.manifest['templates'])} as in the training")
        asked_by = method_of(adapter) if is_judge(adapter) else "direct"
        settings = Settings(base, str(adapter.folder), dtype=dtype, progress=progress)
        pairs = example_pairs()
        beside = probabilities_of_a(EmbeddedBackend(settings), pairs, asked_by)
        say("answers: it changes those of the base model")
        if is_nat(adapter):
            say("merged: never, as its units weigh the two LoRAs anew at every token")
            print(f"{adapter.name} is whole and fits.")
            return
        merged = probabilities_of_a(EmbeddedBackend(settings, is_merged=True), pairs, asked_by)
    comparison = compared(beside, merged)
    if not comparison.is_close:
        raise ModelError(f"{folder}: merged into the base model it answers otherwise: {comparison}.")
    say(f"merged and unmerged: {comparison}")
    print(f"{adapter.name} is whole and fits.")


@app.command(
    epilog="Example: judge adapters mix runs/third/adapter runs/fourth/adapter --share 0.5 --name mixed "
    "--out runs/mixed"
)
def mix(
    before: Annotated[Path, typer.Argument(help="The folder of an adapter.", show_default=False)],
    after: Annotated[
        Path, typer.Argument(help="That of one whose training went on from it.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the mixed adapter.")],
    name: Annotated[str, typer.Option(help="What it is called.")],
    share: Annotated[float, typer.Option(help="How much of the way from BEFORE to AFTER.")] = 0.5,
) -> None:
    """Make an adapter whose weights lie between two, to keep most of what both know."""
    from judge.cli.adaptermix import mix as mixed

    check_folder(out)
    adapter = mixed(before, after, share, name, out)
    print(f"{adapter.name}: {share:g} of the way from {before} to {after}")
    print(f"Adapter: {out}")


def folders_in(roots: Iterable[Path]) -> list[Path]:
    """Folders with a file of an adapter: the roots themselves, and those up to two levels below.

    The two LoRAs of an adapter of method nat are parts of it, not adapters.
    """
    patterns = [f"{below}{name}" for below in ("", "*/", "*/*/") for name in (*FILES, UNITS)]
    found = {file.parent for root in roots for pattern in patterns for file in root.glob(pattern)}
    return sorted(one for one in found if files_in(one.parent) == FILES)


def summary_line(adapter: Adapter, folder: Path) -> str:
    """An adapter on one line of the list."""
    manifest = adapter.manifest
    targets = {"votes": "human votes", "replies": "replies", "ranks": "ranker"}.get(
        manifest["targets"], f"{manifest['targets']} targets"
    )
    learned = f"{len(manifest['data']['train']):,} {'rows' if learned_rows(manifest) else 'pairs'}"
    return "  ".join([adapter.name, one_line(manifest["base_model"]), targets, learned, str(folder)])


def summary(adapter: Adapter, width: int) -> str:
    """An adapter's manifest for a reader, one labelled paragraph per topic; absent ones are left out."""
    manifest = adapter.manifest
    data, metrics = manifest["data"], dict(manifest.get("metrics", {}))
    lora, settings = dict(manifest.get("lora", {})), manifest.get("settings", {})
    if "layers" in lora:
        lora["layers"] = " to ".join(map(str, lora["layers"]))
    learned = "Rows" if learned_rows(manifest) else "Pairs"
    is_by_rows = learned_rows(manifest) and is_judge(adapter)
    rows = {
        "Adapter": adapter.name,
        "Folder": str(adapter.folder),
        "Base model": f"{manifest['base_model']}, hash {manifest['base_model_hash'][:SHORT]}",
        "Taught by": ROWS_OF_A_JUDGE if is_by_rows else TAUGHT_BY[manifest["targets"]],
        "Prompts": f"{', '.join(manifest['templates'])}, fingerprint {manifest['prompts'][:SHORT]}"
        if is_judge(adapter)
        else "those of its rows",
        "Answers": " or ".join(manifest["letters"]),
        "Fast and slow": manifest.get("dual"),
        "Criteria": "; ".join(criteria_of(adapter)),
        **(parts_of(adapter) or {"LoRA": lora}),
        learned: f"{len(data['train']):,} to learn from, {len(data['held_out']):,} held out",
        "Contrast pairs": data.get("contrast"),
        "Constraints": data.get("constraints"),
        "Data": {name: data[name] for name in data if name not in SHOWN_BEFORE},
        "Started from": "; then ".join(rounds_before(manifest)),
        "Mixed": mixed_in_words(manifest),
        "Before": metrics.pop("before", None),
        "After": metrics.pop("after", None),
        "Training": metrics,
        "Seed": manifest.get("seed"),
        "Settings": settings.get("train", settings),
        "Versions": manifest.get("versions"),
        "Hardware": {name: manifest[name] for name in ("cpu", "cores", "gpu") if name in manifest},
        "Commit": manifest.get("commit"),
        "Day": manifest.get("measured_at"),
    }
    label_width = max(map(len, rows)) + 2
    return "\n".join(
        textwrap.fill(
            one_line(text),
            width,
            initial_indent=label.ljust(label_width),
            subsequent_indent=" " * label_width,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for label, value in rows.items()
        if (text := told_value(value))
    )


def learned_rows(manifest: Mapping[str, Any]) -> bool:
    """Whether it learned the rows of a file, a judge or not, and not pairs."""
    return manifest.get("targets") in (REPLIES, RANKS) or "rows" in (manifest.get("data") or {})


def parts_of(adapter: Adapter) -> dict[str, Any]:
    """Of an adapter of method nat: its two LoRAs and the units, what the manifest says of each, its size."""
    if not is_nat(adapter):
        return {}
    manifest, weights = adapter.manifest, FILES[1]
    negative = {"name": "", "hash": "", "lora": {}} | manifest.get("negative", {})
    was = f"{negative['name']}, hash {negative['hash'][:SHORT]}, {told_value(negative['lora'])}"
    told = {
        "Positive LoRA": (f"{POSITIVE}/{weights}", told_value(manifest.get("lora"))),
        "Negative LoRA": (f"{NEGATIVE}/{weights}", was),
        "Units": (UNITS, told_value(manifest.get("units"))),
    }
    sizes = {part: (adapter.folder / file).stat().st_size / 1e6 for part, (file, _) in told.items()}
    return {part: f"{words}, {sizes[part]:,.2f} MB" for part, (_, words) in told.items()}


def rounds_before(manifest: Mapping[str, Any]) -> list[str]:
    """The adapters that training went on from, the first one first: name, hash, number of pairs or rows."""
    found = []
    for start in reversed(starts_of(manifest)):
        what = "rows" if learned_rows(start) else "pairs"
        learned = f", {len(start['data']['train']):,} {what}" if start.get("data") else ""
        found.append(f"{start['name']}, hash {start['hash']}{learned}")
    return found


def mixed_in_words(manifest: Mapping[str, Any]) -> str:
    """Between which adapters its weights lie; "" where they are as training left them."""
    if not (mixed := manifest.get("mixed")):
        return ""
    before, after = (f"{mixed[key]['name']}, hash {mixed[key]['hash']}" for key in ("before", "after"))
    return f"{mixed['share']:g} of the way from {before}, to {after}; the rest is said of the latter"


def told_value(value: Any) -> str:
    """A value of a manifest as words, "" where it says nothing."""
    if isinstance(value, Mapping):
        if value.keys() == {"count", "total"}:
            return f"{value['count']} of {value['total']}"
        said = {name.replace("_", " "): _inside(one) for name, one in value.items()}
        return ", ".join(f"{name} {words}" for name, words in said.items() if words)
    if isinstance(value, list):
        return " ".join(map(told_value, value))
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value or 0.0:.4g}"  # -0.0 is 0
    return str(value)


def _inside(value: Any) -> str:
    """The same within another value: an object of several in brackets."""
    words = told_value(value)
    is_group = isinstance(value, Mapping) and value.keys() != {"count", "total"}
    return f"({words})" if words and is_group else words
