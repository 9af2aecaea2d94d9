"""The command `judge`: one verb per task. Expected errors: one line on standard error, exit status 2."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from judge._version import __version__
from judge.cli import cluster, forms
from judge.cli.adapters import app as adapters_app
from judge.cli.calibrate import calibrate
from judge.cli.console import (
    INTERRUPTED,
    NOT_ALL_JUDGED,
    STYLE,
    LedgerOption,
    NoCacheOption,
    QuietOption,
    check_one_on_standard_output,
    check_writable,
    interruptible,
    is_colored,
    show_study,
    time_is_up,
    write,
)
from judge.cli.ledger import app as ledger_app
from judge.cli.models import app as models_app
from judge.cli.options import takes_judge
from judge.cli.rank import rank
from judge.cli.serve import serve
from judge.errors import InputError, JudgeError, PluginError
from judge.io.rows import SURROGATE, not_utf8, shown
from judge.io.wording import one_line
from judge.io.writing import write_out
from judge.options import JudgeOptions
from judge.records import CALIBRATED, Order, Pair, Reading, Status, Unparsed, Verdict
from judge.registry import Registry

if TYPE_CHECKING:
    from judge.api import Judge


def fault_of(name: str, found: object) -> str:
    """Why an object of another package is not a command, or ""."""
    return "" if isinstance(found, typer.Typer) else f"it is no typer.Typer, but {type(found).__name__}"


VERBS: Registry[typer.Typer] = Registry("judge.commands", "command", {}, fault_of)
"""The commands of the packages above this file, ours and others', found by name when they are called."""


class Verbs(TyperGroup):
    """The commands of this file, and `VERBS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *VERBS.names()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if found := super().get_command(ctx, cmd_name):
            return found
        try:
            commands = loaded(cmd_name)
        except PluginError as error:
            return unusable(cmd_name, error)
        return get_command(commands) if commands else None


def loaded(name: str) -> typer.Typer | None:
    """The commands of that name, even if the user's path has a folder of the same name first."""
    beside = str(Path(__file__).parents[2])
    sys.path.insert(0, beside)
    try:
        return VERBS.find(name)
    finally:
        sys.path.remove(beside)


def unusable(name: str, error: PluginError) -> TyperCommand:
    """A command that says what is wrong with it when it is called; help and other commands still work."""

    def complain() -> None:
        raise error

    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    return TyperCommand(name, callback=complain, help="Cannot be used.", context_settings=anything)


app = typer.Typer(
    cls=Verbs,
    help="A pairwise judge that answers in four tokens; no order of the answers moves its verdict.",
    no_args_is_help=True,
    **STYLE,
)
app.add_typer(models_app, name="models")
app.add_typer(adapters_app, name="adapters")
app.add_typer(ledger_app, name="ledger")
app.command(
    "import",
    epilog="Examples: judge import arena battles.jsonl --out pairs.jsonl --votes votes.jsonl. Answers of two "
    "models: judge import alpacaeval one.json other.json --out pairs.jsonl.",
)(forms.import_files)
app.command(
    "export",
    epilog="Example: judge export preferences verdicts.jsonl --pairs pairs.jsonl --out dpo.jsonl",
)(forms.export_verdicts)

app.command(
    "rank",
    epilog="Examples: judge rank outputs/*.json --html ranking.html. judge rank outputs/*.json --within 30m. "
    "judge rank outputs/*.json --method direct --budget 2000. Interrupted, the same command goes on.",
)(takes_judge(rank))
app.command(
    "serve",
    epilog="Examples: judge serve. judge serve --method bsm --port 9000. For other machines: "
    "JUDGE_TOKEN=... judge serve --address 0.0.0.0. To ask it: "
    "judge run pairs.jsonl --backend judge:http://127.0.0.1:8502.",
)(takes_judge(serve))

app.command(
    "calibrate",
    epilog="Example: judge calibrate verdicts.jsonl --votes votes.jsonl --out my-judge.json --precision 0.8. "
    "Then judge run pairs.jsonl --calibration my-judge.json.",
)(calibrate)


def say_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"judge {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=say_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """The options that may come before a verb."""


def main() -> NoReturn:
    """Runs the command line; the only place where errors become messages."""
    if sys.stderr is None:  # closed: messages go nowhere
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    try:
        check_surroundings(sys.argv[1:], os.environ)
        try:
            app()
        finally:
            sys.stdout.flush()  # says here, not at the very end, that the disk is full
    except JudgeError as error:
        complain(error)
    except BrokenPipeError:  # whoever reads has seen enough
        close_output()
        raise SystemExit(1) from None
    except OSError as error:  # a full disk, a file that went away: nothing that we could mend
        close_output()
        unnamed = "standard output: " if error.errno == errno.ENOSPC else ""
        place = f"{error.filename}: " if error.filename else unnamed
        complain(f"{place}{error.strerror or error}.")
    except KeyboardInterrupt:
        print("judge: interrupted.", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    raise SystemExit(0)


def check_surroundings(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Refuses what no command could work with: a closed output, and bytes that are no text.

    Text of a file that lacks some letters in this terminal's encoding is printed with "?" in their place.
    """
    if sys.stdout is None:
        raise InputError("standard output is closed. Send it to a file, or to /dev/null.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    said = [(f"argument {number}", text) for number, text in enumerate(arguments, start=1)]
    said += [(name, environment[name]) for name in environment if name == "HOME" or name.startswith("JUDGE_")]
    for what, text in said:
        if odd := SURROGATE.search(text):
            wrong = not_utf8(ord(odd[0]) - 0xDC00, "Write it in UTF-8.")
            raise InputError(f"{what} is {shown(text)}: {wrong}")


def complain(error: object) -> NoReturn:
    print(f"judge: {error}", file=sys.stderr)
    raise SystemExit(2) from None


def close_output() -> None:
    """Lets what could not be printed go nowhere; otherwise Python tries again and complains at its end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command(
    epilog='Examples: judge compare --prompt "2 + 2?" --a "4" --b "5". '
    "Without options one pair is read as JSON from standard input. "
    "judge compare --method bsm --explain ... shows the scores on each criterion."
)
@takes_judge
def compare(
    file: Annotated[
        str, typer.Argument(help="One pair as JSON; - is standard input, and so is no file and no text.")
    ] = "",
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
    no_cache: NoCacheOption = False,
    quiet: QuietOption = False,
    *,
    judge: JudgeOptions,
) -> None:
    """Judge one pair in both orders. Exit status 0: it was judged; 3: a reply could not be read."""
    from judge.api import Judge
    from judge.drawing.steps import format_steps, score_table
    from judge.io.verdicts import verdict_to_json

    texts = {
        "--prompt": _text_of("--prompt", prompt, prompt_file),
        "--a": _text_of("--a", a, a_file),
        "--b": _text_of("--b", b, b_file),
    }
    pair = _pair_of(file, texts, reference, system)
    with Judge.of(judge, ledger=ledger, cache=not no_cache, progress=not quiet) as asked:
        started = time.perf_counter()
        [verdict] = asked.judge([pair])
        elapsed_s = time.perf_counter() - started
    if not quiet:
        _print_origin(asked)
    if as_json:
        write_out(json.dumps(verdict_to_json(verdict), ensure_ascii=False) + "\n")
    else:
        print(format_verdict(verdict, elapsed_s))
        width = shutil.get_terminal_size((100, 24)).columns
        if explain:
            print(f"\n{format_steps(verdict, width)}")
        elif (judge.method_settings.criteria or pair.criteria) and (table := score_table(verdict, width)):
            print(f"\n{table}")
    if verdict.status is Status.UNPARSED:
        raise typer.Exit(NOT_ALL_JUDGED)


@app.command(
    epilog="Example: judge run pairs.jsonl --out verdicts.jsonl. Interrupted, the same command goes on."
)
@takes_judge
def run(
    pairs: Annotated[
        str,
        typer.Argument(
            help="Pairs: JSON, CSV or Parquet, gzipped or not, or a file of another tool that `judge import` "
            "reads, which is recognised; - is standard input."
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            help="Verdicts as JSONL, for every other command; or as a table with the pairs' texts, .csv or "
            ".parquet; - is standard output."
        ),
    ] = "-",
    limit: Annotated[int | None, typer.Option(min=1, help="Judge so many pairs: the first ones.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="With --limit: a random sample by this seed instead.")
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Begin nothing new after this time (90s, 9m, 2h, 1h30m), and write what was judged; the "
            "same command goes on.",
        ),
    ] = None,
    mapping: forms.MapOption = "",
    on: cluster.OnOption = "",
    shards: cluster.ShardsOption = None,
    workers: cluster.WorkersOption = None,
    worker_cpus: cluster.WorkerCpusOption = None,
    worker_gpus: cluster.WorkerGpusOption = None,
    price: cluster.PriceOption = None,
    ledger: LedgerOption = None,
    no_cache: NoCacheOption = False,
    quiet: QuietOption = False,
    *,
    judge: JudgeOptions,
) -> None:
    """Judge a file of pairs in both orders. Exit status 0: all were judged; 3: some were not."""
    if within is not None:
        from judge.io.durations import seconds_in

        seconds_in(within, "--within")
    if seed is not None and limit is None:
        raise InputError("--seed: it draws a sample of --limit pairs, and all are judged. Give --limit too.")
    if on:
        if ledger is not None:
            raise InputError("--ledger: with --on shards are the record. `judge ledger import` takes them.")
        where = cluster.cluster_of(on, workers, worker_cpus, worker_gpus)
        cluster.run_there(
            pairs, out, where, shards, judge, mapping, limit, seed, within, price, no_cache, quiet
        )
        return
    cluster.refuse_alone(
        shards=shards, workers=workers, worker_cpus=worker_cpus, worker_gpus=worker_gpus, price=price
    )
    from judge.api import Judge
    from judge.forms.reading import read_pairs, told
    from judge.io.frames import TABLE_ENDINGS, is_table, verdicts_to_frame, write_frame
    from judge.io.verdicts import write_verdicts

    check_writable(out, (pairs, ledger, *judge.files), (".jsonl", *TABLE_ENDINGS))
    chosen = sample(read_pairs(pairs, silent if quiet else told, mapping), limit, seed)
    with (
        interruptible(is_kept=not no_cache),
        Judge.of(judge, ledger=ledger, cache=not no_cache, progress=not quiet) as asked,
    ):
        started = time.perf_counter()
        verdicts = asked.judge(chosen, within=within)
        elapsed_s = time.perf_counter() - started
    if chosen and not verdicts:
        raise InputError(f"--within: {within} were up before a pair was judged. Give more time.")
    n_chosen, judged = len(chosen), {verdict.pair_id for verdict in verdicts}
    chosen = [pair for pair in chosen if pair.id in judged]
    if is_table(out):
        write_frame(out, verdicts_to_frame(verdicts, chosen))
    else:
        write_verdicts(out, verdicts)
    if not quiet:
        _print_findings(verdicts, chosen, elapsed_s, out, asked)
        if asked.tokens_computed:
            print(f"Prompt tokens computed: {asked.tokens_computed:,}", file=sys.stderr)
        if n_left := n_chosen - len(chosen):
            print(time_is_up(n_left, n_chosen, is_kept=not no_cache), file=sys.stderr)
    if len(chosen) < n_chosen or any(verdict.status is Status.UNPARSED for verdict in verdicts):
        raise typer.Exit(NOT_ALL_JUDGED)


@app.command(
    epilog="Examples: judge report verdicts.jsonl --pairs pairs.jsonl --html report.html. "
    "judge report verdicts.jsonl --votes votes.jsonl --pairs pairs.jsonl measures the judge against people."
)
def report(
    verdicts: Annotated[str, typer.Argument(help="Verdicts as written by `judge run`; - is standard input.")],
    pairs: Annotated[
        str | None, typer.Option(help="Their pairs: adds texts, categories and gold labels.")
    ] = None,
    votes: Annotated[
        str | None,
        typer.Option(
            help="People's votes on them (JSON, CSV or Parquet): agreement by every convention, with "
            "intervals; the verdicts may be of several judges."
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            help="With --votes: a metric that another package adds, beside ours; may be given again.",
        ),
    ] = None,
    html: Annotated[str | None, typer.Option(help="Write one HTML file that can be opened anywhere.")] = None,
    markdown: Annotated[str | None, typer.Option(help="Write Markdown; - is standard output.")] = None,
    as_json: Annotated[str | None, typer.Option("--json", help="Write JSON; - is standard output.")] = None,
) -> None:
    """Report on verdicts: a table on the terminal, Markdown, JSON, HTML with a plot."""
    from judge.forms.reading import read_pairs
    from judge.io.verdicts import read_verdicts
    from judge.report.page import format_html, format_json, format_markdown, format_text
    from judge.report.summary import summarize

    reads, writes = (verdicts, pairs, votes), (html, markdown, as_json)
    for number, path in enumerate(writes):
        check_writable(path, (*reads, *writes[:number]))
    check_one_on_standard_output(*writes)
    if metrics and votes is None:
        raise InputError("--metric: it is worked out from people's votes. Give --votes too.")
    given, texts = read_verdicts(verdicts), None if pairs is None else read_pairs(pairs)
    if not given:
        raise InputError(f"{verdicts}: there are no verdicts. Write some with `judge run`.")
    if votes is not None:
        _report_on_votes(verdicts, given, votes, texts, metrics or (), html, markdown, as_json)
        return
    made = summarize(given, texts)
    for path, formatted in ((html, format_html), (markdown, format_markdown), (as_json, format_json)):
        if path is not None:
            write(path, formatted(made))
    if "-" not in (html, markdown, as_json):
        print(format_text(made, color=is_colored()))


def _report_on_votes(
    name: str,
    verdicts: Sequence[Verdict],
    votes_path: str,
    pairs: Sequence[Pair] | None,
    metrics: Sequence[str],
    html: str | None,
    markdown: str | None,
    as_json: str | None,
) -> None:
    """The report of judges beside people, in every format that was asked for."""
    from judge.forms.reading import read_votes_on
    from judge.metrics import other_metrics
    from judge.study.gallery import galleries_of
    from judge.study.page import Frame
    from judge.study.study import counts_as_json, entrants_of, study_as_json, study_of

    votes = read_votes_on(votes_path, pairs)
    entrants = entrants_of(verdicts)
    study = study_of(entrants, votes, pairs, others=other_metrics(metrics))
    frame = Frame(f"Judges on {Path(votes_path).name}", f"Verdicts: {name}")
    if as_json is not None:
        figures = {"data": counts_as_json(study), **study_as_json(study)}
        write(as_json, json.dumps(figures, indent=2) + "\n")
    galleries = galleries_of(entrants, votes, pairs or ()) if html else ()
    show_study(study, frame, galleries, html, markdown, as_json)


def silent(line: str) -> None:
    """Says nothing."""


def sample(pairs: Sequence[Pair], limit: int | None, seed: int | None) -> list[Pair]:
    """At most `limit` pairs in file order: the first ones, or with a seed a random sample."""
    if limit is None or limit >= len(pairs):
        return list(pairs)
    if seed is None:
        return list(pairs[:limit])
    return [pairs[i] for i in sorted(random.Random(seed).sample(range(len(pairs)), limit))]


def format_verdict(verdict: Verdict, elapsed_s: float) -> str:
    """A verdict in a few readable lines."""
    from judge.drawing.steps import cut_in_words, graded_steps, grades_in_words, shared_steps

    grades = grades_in_words(verdict)
    lines = [_headline(verdict)]
    if verdict.p_a is not None:
        of_both = "" if grades else ", the mean of both orders"
        calibrated = ", calibrated" if f"{CALIBRATED}@" in verdict.judge else ""
        lines.append(f"P(A is better): {verdict.p_a:.3f}{of_both}{calibrated}")
    lines += [f"  {grades}"] if grades else [_line_of(verdict.readings[order], order) for order in Order]
    if cut := cut_in_words(verdict):
        lines.append(f"{cut.capitalize()}.")
    n_in = sum(reading.tokens_in for reading in verdict.readings.values())
    n_out = sum(reading.tokens_out for reading in verdict.readings.values())
    lines.append(f"{verdict.judge}, {n_in} tokens in, {n_out} out, {elapsed_s:.1f} s")
    if shared := shared_steps([verdict]):
        n_in, n_out = sum(s.tokens_in for s in shared), sum(s.tokens_out for s in shared)
        once = "once for each answer" if graded_steps(verdict) else "once for both orders"
        lines.append(f"asked {once}: {n_in} tokens in, {n_out} out")
    return "\n".join(lines)


def _headline(verdict: Verdict) -> str:
    from judge.drawing.steps import graded_steps

    if verdict.status is Status.UNPARSED:
        return "No verdict: a reply could not be read."
    if verdict.status is Status.INCONSISTENT:
        return "Inconsistent: the verdict changes when the answers swap places, so it counts as a tie."
    if verdict.is_identical:
        return "Equally good: the answers are identical, so no model was asked."
    if verdict.is_undecided:
        return "Undecided: too close to call, so it counts as a tie."
    names = {"A": "A is better", "B": "B is better", "TIE": "Equally good"}
    how = "" if graded_steps(verdict) else ", in both orders"
    return f"{names[verdict.outcome or 'TIE']}{how}."


def _line_of(reading: Reading, order: Order) -> str:
    place = f"  {order[0]} shown first: "
    if isinstance(reading, Unparsed):
        return f"{place}not readable ({one_line(reading.reason)})"
    from judge.orders import outcome_of, probability_of_a

    p_a = probability_of_a(reading, order)
    probability = "" if p_a is None else f", P(A) {p_a:.3f}"
    return f"{place}{outcome_of(reading.choice, order)}{probability}"


def _print_origin(judge: Judge) -> None:
    """Says what came from the ledger, which criteria the judge has learned, and what `Judge.notice` says."""
    print(judge.replay, file=sys.stderr)
    if learned := judge.options.learned_criteria:
        print(f"Learned criteria: {'; '.join(learned)}", file=sys.stderr)
    if judge.notice:
        print(judge.notice, file=sys.stderr)


def _print_findings(
    verdicts: Sequence[Verdict], pairs: Sequence[Pair], elapsed_s: float, out: str, judge: Judge
) -> None:
    from judge.report.findings import findings_of
    from judge.report.summary import summarize

    print(f"{len(verdicts)} pairs in both orders, {elapsed_s:.1f} s", file=sys.stderr)
    _print_origin(judge)
    for finding in findings_of(summarize(verdicts, pairs, elapsed_s)):
        print(f"{finding.label}: {finding.value} ({finding.meaning})", file=sys.stderr)
    if out != "-":
        print(f"Verdicts: {out}", file=sys.stderr)


def _text_of(option: str, text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise InputError(f"{option} and {option}-file: give one of the two.")
    if file is None:
        return text
    from judge.io.content import plain_content
    from judge.io.rows import bytes_of

    try:
        content = plain_content(bytes_of(file), str(file)).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: {not_utf8(error.object[error.start])}") from error
    return content.replace("\r\n", "\n").replace("\r", "\n")


def _pair_of(file: str, texts: dict[str, str | None], reference: str | None, system: str | None) -> Pair:
    from judge.forms.reading import read_pairs
    from judge.io.given import NEEDS_QUESTION
    from judge.io.rows import file_name

    given = {option: text for option, text in texts.items() if text is not None}
    beside = {"--reference": reference, "--system": system}
    if not given:
        if named := next((option for option, text in beside.items() if text is not None), None):
            raise InputError(
                f"{named} belongs to --prompt, --a and --b, and {file_name(file or '-')} has its pair's own. "
                "Give a file or the texts, not both."
            )
        pairs = read_pairs(file or "-")
        if len(pairs) != 1:
            raise InputError(
                f"{file_name(file or '-')}: {len(pairs)} pairs. `judge compare` takes one; `judge run "
                f"{file or '-'}` takes more."
            )
        return pairs[0]
    if file:
        raise InputError(f"{file} and {next(iter(given))}: give a file or the texts, not both.")
    if len(given) < len(texts):
        missing = ", ".join(option for option in texts if option not in given)
        raise InputError(
            f"missing {missing}. Give --prompt, --a and --b, or a pair as JSON on standard input."
        )
    if not given["--prompt"].strip():
        raise InputError(f"--prompt is empty. {NEEDS_QUESTION}")
    answers = given["--a"], given["--b"]
    return Pair.of(given["--prompt"], *answers, id="pair", reference=reference, system=system)
