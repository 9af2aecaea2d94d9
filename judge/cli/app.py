"""`judge app`: the review app, on this machine only unless you say otherwise."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from judge.cli.console import STYLE, LedgerOption
from judge.cli.options import takes_judge
from judge.errors import InputError
from judge.forms.reading import read_votes_on
from judge.options import JudgeOptions
from judge.review.importing import take_in
from judge.review.judging import check
from judge.review.pairindex import opened
from judge.review.projectfile import guidelines_of, is_project, read_project
from judge.review.settings import REVIEWS, AppSettings, below, holds_verdicts, start_with
from judge.review.store import ReviewStore

LOOPBACK = "127.0.0.1"

app = typer.Typer(help="Review pairs side by side in the browser.", **STYLE)


@app.command(
    epilog="Examples: judge app. judge app pairs.jsonl. judge app verdicts.jsonl --pairs pairs.jsonl. "
    "judge app project.yaml. "
    "Others reach it through an SSH tunnel or a proxy with a login: docs/app.md says how."
)
@takes_judge
def review(
    judge: JudgeOptions,
    file: Annotated[
        str,
        typer.Argument(
            help="Pairs to review, verdicts on them, or a project (YAML); without one, choose in the app."
        ),
    ] = "",
    pairs: Annotated[str, typer.Option(help="The pairs, where FILE has verdicts.")] = "",
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Files below this folder can be opened in the app, no others; by default this one, or that "
            "of the project."
        ),
    ] = None,
    reviews: Annotated[
        Path | None, typer.Option(help=f"Where votes are kept; by default FOLDER/{REVIEWS}.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the page's address.")] = 8501,
    address: Annotated[
        str, typer.Option(help="Where to listen; whoever reaches it can read and vote.")
    ] = LOOPBACK,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    ledger: LedgerOption = None,
) -> None:
    """Opens the review app in your browser."""
    if find_spec("streamlit") is None:
        raise InputError('the app needs Streamlit: pip install "four-token-judge[app]"')
    if is_project(file):
        settings = settings_of_project(file, pairs, folder, reviews, ledger, judge)
    else:
        settings = settings_of(file, pairs, folder, reviews, ledger, judge)
    check(judge)  # says now what no page could ask
    store = ReviewStore(settings.reviews)  # and if votes could not be kept
    take_in_votes(settings, store)
    start_with(settings)
    serve(address, port, browser)


def settings_of(
    file: str, pairs: str, folder: Path | None, reviews: Path | None, ledger: Path | None, judge: JudgeOptions
) -> AppSettings:
    """What the pages need. Raises InputError for a file that is missing, elsewhere or of the wrong kind."""
    root = (folder or Path()).resolve()
    if not root.is_dir():
        raise InputError(f"{folder}: no such folder. Files below it are what the app can open.")
    verdicts = ""
    for name in filter(None, (file, pairs)):
        if not below(root, inside(root, name)).is_file():
            raise InputError(f"{name}: no such file.")
    if file and holds_verdicts(below(root, inside(root, file))):
        if not pairs:
            raise InputError(f"{file}: these are verdicts. Name the pairs that they are on with --pairs.")
        verdicts, file = inside(root, file), pairs
    elif pairs:
        raise InputError(
            f"{file or pairs}: --pairs goes with a file of verdicts. Pairs alone need no option."
        )
    return AppSettings(
        root=root,
        pairs=inside(root, file) if file else "",
        verdicts=verdicts,
        reviews=reviews or root / REVIEWS,
        ledger=ledger,
        judge=judge,
    )


def settings_of_project(
    file: str, pairs: str, folder: Path | None, reviews: Path | None, ledger: Path | None, judge: JudgeOptions
) -> AppSettings:
    """What the pages need, from a project. Raises InputError for one that is wrong or names files elsewhere.

    The project's own folder is the one below which files may be opened, unless another one is named.
    """
    if find_spec("yaml") is None:
        raise InputError('a project needs PyYAML: pip install "four-token-judge[app]"')
    if pairs:
        raise InputError(f"{file}: a project names its pairs itself. Leave out --pairs.")
    project = read_project(file)
    home = Path(file).resolve().parent
    root = home if folder is None else folder.resolve()
    for name in (project.pairs, project.verdicts, project.guidelines, *project.votes):
        if not (home / name).resolve().is_relative_to(root):
            raise InputError(
                f"{file}: {name} is not below {root}, so it is not opened. Name it with --folder."
            )
    if holds_verdicts(home / project.pairs):
        raise InputError(f"{file}: pairs: {project.pairs} holds verdicts. It must be a file of pairs.")
    if project.verdicts and not holds_verdicts(home / project.verdicts):
        raise InputError(f"{file}: verdicts: {project.verdicts} holds none. It must be a file of verdicts.")
    return AppSettings(
        root=root,
        pairs=inside(root, str(home / project.pairs)),
        verdicts=inside(root, str(home / project.verdicts)) if project.verdicts else "",
        reviews=reviews or home / (project.reviews or REVIEWS),
        ledger=ledger,
        judge=judge,
        project=project,
        guidelines=guidelines_of(project, home),
        votes=tuple(str(home / name) for name in project.votes),
    )


def take_in_votes(settings: AppSettings, store: ReviewStore) -> None:
    """Keeps the votes of the project's files and says how many; all are read before any is kept."""
    if not settings.votes:
        return
    index = opened(settings.root / settings.pairs)
    index.read_on(index.n_lines)
    files = [(Path(file).name, read_votes_on(file, index.every_pair())) for file in settings.votes]
    for name, votes in files:
        typer.echo(take_in(votes, index.by_id, name, store).words, err=True)


def inside(root: Path, name: str) -> str:
    """The name relative to `root`; on the command line it is relative to where the command runs."""
    path = Path(name).resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def serve(address: str, port: int, browser: bool) -> None:
    """Runs the server until it is interrupted."""
    from streamlit.web import bootstrap

    flags = {
        "server_address": address,
        "server_port": port,
        "server_headless": not browser,
        "server_fileWatcherType": "none",
        "server_enableStaticServing": False,
        "browser_gatherUsageStats": False,
        "client_toolbarMode": "minimal",
        "client_showErrorDetails": "none",
        "theme_light_primaryColor": "#2f6f9f",
        "theme_dark_primaryColor": "#2a78b0",
        "theme_light_backgroundColor": "#ffffff",  # --ground of the style sheet
        "theme_dark_backgroundColor": "#171614",
    }
    bootstrap.load_config_options(flags)
    bootstrap.run(str(pages_folder() / "main.py"), False, [], flags)


def pages_folder() -> Path:
    """The folder of the pages, which Streamlit runs by path: in the package, or in a checkout beside it."""
    package = Path(__file__).parents[1]
    installed = package / "pages" / "app"
    return installed if installed.is_dir() else package.parent / "app"
