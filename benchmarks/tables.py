"""What is generated in README.md and docs/: `python -m benchmarks.tables` rewrites tables and pictures.

On a page a table stands between `<!-- NAME: FILE ... -->` and `<!-- end of NAME -->`, where NAME is one of
`TABLES` and the files are the result files it is made from. One that is made from the code has no files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import (
    branch,
    calibrated,
    choices,
    cluster,
    commandline,
    constructed,
    coverage,
    curves,
    direction,
    fleet,
    greedy,
    hostile,
    jury,
    methods,
    plugin,
    policy,
    power,
    ranking,
    recipes,
    scale,
    signals,
    sizes,
    speed,
    training,
)
from benchmarks.controls import figures as controls
from benchmarks.negatives import figures as negatives
from benchmarks.pictures import picture_of
from benchmarks.system2 import figures as system2
from benchmarks.system2.chart import CHARTS, chart_of
from benchmarks.system2.tasks import TASKS
from judge.bench.result import SCHEMA, title_of
from judge.errors import InputError
from judge.metrics import own_metrics
from judge.metrics.metric import Metric, Unit
from judge.models.separation import refuse_mixed
from judge.provenance import CHECKOUT
from judge.study.scoreboard import COIN, LONGER

MARKED = re.compile(r"<!-- ([a-z][a-z0-9-]*)(?:: ([^\n]*?))? -->\n(.*?)<!-- end of \1 -->", re.DOTALL)
BENCH_FIGURES = ("inconsistent", "strict", "length_balanced", "with_ties", "without_ties", "half", "by_mean")
TEACHER_COLUMNS = {
    "coverage": "kept",
    "without_ties": "right of the kept",
    "longer_chosen": "longer won of the kept",
    "unparsed": "unreadable",
    "by_mean": "right by mean",
}
"""A figure and what it is called where judges are compared as teachers."""
CEILING = "people with each other"
OUR_JUDGE = "0.5B score"
HEADLINE_ROWS = {
    OUR_JUDGE: "the judge in this package (0.5B)",
    "1.5B score": "the larger one (1.5B)",
    "0.5B distilled": "the one that reads both answers at once (0.5B)",
    "1.5B distilled BSM": "the paper's recipe, distilled branch-solve-merge (BSM), at 1.5B",
    "0.5B direct": "the 0.5B base model",
    "gpt-4 (released)": "GPT-4, verdicts released in 2023",
    LONGER: "the longer answer wins",
    CEILING: "people with each other",
}
"""An entrant of the result file and what the README calls it."""
HEADLINE_COLUMNS = {
    "strict": "agrees with people, %",
    "length_balanced": "the same, lengths balanced, %",
    "inconsistent": "verdict changes with the order, %",
    "without_ties": "right where it decides, %",
}
NONE = "-"
UNITS = {
    Unit.PERCENT: "in percent",
    Unit.POINTS: "in points, a hundredth of a share",
    Unit.ELO: "in Elo points",
    Unit.NUMBER: "a plain number",
}

Result = dict[str, Any]


def pages(checkout: Path = CHECKOUT) -> list[Path]:
    """Everything that people read: the README and the pages of the site."""
    return [checkout / "README.md", *sorted((checkout / "docs").rglob("*.md"))]


def rewritten(page: str, checkout: Path = CHECKOUT, name: str = "README.md") -> str:
    """The page called `name` with every table made again from its result files or from the code.

    Raises:
        InputError: a table of an unknown name, a result file that is missing, or a table with judges that
            were fine-tuned on human votes beside others.
    """

    def table_between(found: re.Match[str]) -> str:
        table, files = found[1], (found[2] or "").split()
        if table not in TABLES:
            raise InputError(f"{name}: no table is called {table}. There are: {', '.join(TABLES)}.")
        results = [read_result(checkout / file) for file in files]
        refuse_mixed(judges_of(files, results))
        opening = found[0].partition("\n")[0]
        return f"{opening}\n{TABLES[table](results)}\n<!-- end of {table} -->"

    return MARKED.sub(table_between, page)


def read_result(path: Path) -> Result:
    if not path.is_file():
        raise InputError(f"{path}: no such result file. A page names it as the source of a table.")
    result: Result = json.loads(path.read_text(encoding="utf-8"))
    return result


def judges_of(files: Sequence[str], results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    """Each of our judges in these files: its name and the file's, and the name of its adapter."""
    for file, result in zip(files, results, strict=True):
        for judge in result.get("judges", ()):
            if judge["identity"] is not None:
                yield f"{judge['name']} ({file})", judge["identity"]["adapter"]


def bench_table(results: Sequence[Result]) -> str:
    """Every entrant and the ceiling with intervals, and a line on what it was measured with."""
    [result] = results
    refuse_other_schema(result)
    heads = [name.replace("_", " ") for name in BENCH_FIGURES]
    labels = ["judge", *heads, "tokens in, out", "s a verdict"]
    rows = [
        [
            name_and_judged(judge),
            *(cell_of(judge["figures"], name) for name in BENCH_FIGURES),
            *cost_cells(judge["cost"]),
        ]
        for judge in result["judges"]
    ]
    ceiling = [cell_of(result["people"]["figures"], name) for name in BENCH_FIGURES]
    if any(cell != NONE for cell in ceiling):
        rows.append([CEILING, *ceiling, NONE, NONE])
    return "\n".join([table_of(labels, rows), "", line_of(result)])


def category_table(results: Sequence[Result]) -> str:
    """`strict` and % inconsistent of every entrant in each category, with the ceiling of `strict`.

    For rules without a model only `strict`: their share of inconsistent pairs is not a finding.
    """
    [result] = results
    refuse_other_schema(result)
    categories = list(result["data"]["categories"])
    rows = []
    for judge in result["judges"]:
        for name in ("strict",) if judge["kind"] == "baseline" else ("strict", "inconsistent"):
            figures = [cell_of(judge["by_category"][category], name) for category in categories]
            rows.append([name_and_judged(judge), name, *figures, cell_of(judge["figures"], name)])
    people = result["people"]
    ceiling = [cell_of(people["by_category"][category], "strict") for category in categories]
    if any(cell != NONE for cell in ceiling):
        rows.append([CEILING, "strict", *ceiling, cell_of(people["figures"], "strict")])
    return table_of(["judge", "figure", *categories, "all"], rows)


def teacher_table(results: Sequence[Result]) -> str:
    """What the swap filter keeps of each judge and of "longer wins", and how useful that is to a student."""
    [result] = results
    refuse_other_schema(result)
    labels = ["judge", *TEACHER_COLUMNS.values(), "tokens in, out", "s a verdict"]
    rows = [
        [
            name_and_judged(judge),
            *(share_of(judge["figures"], name) for name in TEACHER_COLUMNS),
            *cost_cells(judge["cost"]),
        ]
        for judge in result["judges"]
        if judge["kind"] == "judge" or judge["name"] == LONGER
    ]
    return "\n".join([table_of(labels, rows), "", line_of(result)])


def headline_table(results: Sequence[Result]) -> str:
    """A few rows for a first look: our judges, the base model, GPT-4, the longer answer, people."""
    [result] = results
    refuse_other_schema(result)
    figures_of = {judge["name"]: judge["figures"] for judge in result["judges"]}
    figures_of[CEILING] = result["people"]["figures"]
    rows = [
        [label, *(cell_of(figures_of[name], figure) for figure in HEADLINE_COLUMNS)]
        for name, label in HEADLINE_ROWS.items()
    ]
    return "\n".join([table_of(["judge", *HEADLINE_COLUMNS.values()], rows), "", f"{figures_line(result)}."])


def limits_list(results: Sequence[Result]) -> str:
    """What our judge reaches on each data set beside the rule that takes the longer answer, and a coin."""
    lines = []
    for result in results:
        refuse_other_schema(result)
        figures_of = {judge["name"]: judge["figures"] for judge in result["judges"]}
        shares = (share_of(figures_of[name], "strict") for name in (OUR_JUDGE, LONGER, COIN))
        ours, longer, coin = (share.replace(" ", " % ", 1) for share in shares)
        beside = f"the longer answer {longer}, a coin {coin}"
        lines.append(f"- {result['data']['name']}: the judge {ours}, {beside}.")
    return "\n".join(lines)


def glossary_list(results: Sequence[Result]) -> str:
    """Every figure by its name in tables and result files, with what it counts."""
    assert not results
    return "\n\n".join(glossary_entry(metric) for metric in own_metrics())


def glossary_entry(metric: Metric) -> str:
    meaning = metric.meaning[0].upper() + metric.meaning[1:]
    return f"### {metric.label}\n\n`{metric.name}`, {UNITS[metric.unit]}. {meaning}"


def name_and_judged(judge: Mapping[str, Any]) -> str:
    """For example "0.5B BSM (97 of 100 judged)"; the name alone where all pairs were read."""
    name: str = judge["name"]
    unread = judge["figures"].get("unparsed")
    if unread is None or not unread["value"]:
        return name
    n = unread["n"]
    return f"{name} ({n - round(unread['value'] * n):,} of {n:,} judged)"


def table_of(labels: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rules = ["---"] * len(labels)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [labels, rules, *rows])


def cell_of(figures: Mapping[str, Any], name: str) -> str:
    """As `share_of`; `without_ties` says how much it covers: 84.6 (81.2-87.9) at 82 %."""
    cell = share_of(figures, name)
    if name == "without_ties" and cell != NONE:
        cell += f" at {100 * figures['coverage']['value']:.0f} %"
    return cell


def share_of(figures: Mapping[str, Any], name: str) -> str:
    """In percent with its interval: 69.4 (64.7-73.9)."""
    figure = figures.get(name)
    if figure is None or figure["value"] is None:
        return NONE
    cell = f"{100 * figure['value']:.1f}"
    if figure["low"] is not None:
        cell += f" ({100 * figure['low']:.1f}-{100 * figure['high']:.1f})"
    return cell


def metric_table() -> str:
    """Every metric by its name in a result file, as it declares itself."""
    rows = [(f"`{one.name}`", one.label, one.unit.value, one.meaning) for one in own_metrics()]
    lines = [("name", "in tables", "unit", "what it is"), ("---",) * 4, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def cost_cells(cost: Mapping[str, Any]) -> list[str]:
    tokens = NONE if cost["tokens_in"] is None else f"{cost['tokens_in']:,.0f}, {cost['tokens_out']:,.0f}"
    return [tokens, NONE if cost["elapsed_s"] is None else f"{cost['elapsed_s']:.2f}"]


def line_of(result: Result) -> str:
    """What the figures and seconds stand on, in one sentence."""
    machine = result["gpu"] if result["gpu"] != "none" else f"{result['cores']} cores of {result['cpu']}"
    where = "seconds are those of the machine it was read on" if result.get("replayed") else f"on {machine}"
    return f"{figures_line(result)}; a verdict is both orders together, {where}."


def figures_line(result: Result) -> str:
    """What the figures stand on, without the machine and without the full stop."""
    data, intervals = result["data"], result["intervals"]
    title = title_of(data["name"], data["selection"])
    counts = f"{data['n_pairs']:,} pairs, {data['n_votes']:,} votes, {data['n_questions']:,} questions"
    return (
        f"{title}: {counts}; percent with {100 * intervals['level']:.0f} % intervals, bootstrapped over "
        f"{intervals['clusters']}"
    )


def refuse_other_schema(result: Result) -> None:
    if result["schema"] != SCHEMA:
        raise InputError(f"a result file of schema {result['schema']}; this table reads {SCHEMA}.")


TABLES: dict[str, Callable[[Sequence[Result]], str]] = {
    "speed": speed.table_of,
    "plugin": plugin.table_of,
    "training": training.table_of,
    "methods": lambda results: methods.table_of(*results),
    "engines": methods.engines_table,
    "branch": branch.table_of,
    "calibration": calibrated.table_of,
    "choices": choices.table_of,
    "cluster": lambda results: cluster.table_of(*results),
    "constructed": constructed.table_of,
    "coverage": coverage.table_of,
    "control-mazes": controls.table_of,
    "greedy": greedy.table_of,
    "hostile": hostile.table_of,
    "policy": policy.table_of,
    "signals": signals.table_of,
    "direction": direction.table_of,
    "jury": jury.table_of,
    "fleet": fleet.table_of,
    "curves-numbers": curves.numbers_table,
    "curves-lengths": curves.lengths_table,
    "curves-cores": curves.cores_table,
    "scale-tokens": scale.tokens_table,
    "scale-rates": scale.rates_table,
    "scale-volumes": scale.volumes_table,
    "bench": bench_table,
    "categories": category_table,
    "teachers": teacher_table,
    "metrics": lambda results: metric_table(),
    "headline": headline_table,
    "limits": limits_list,
    "sizes": sizes.list_of,
    "glossary": glossary_list,
    "ranking": ranking.table_of,
    "recipe": lambda results: recipes.reference(*results),
    "power": lambda results: power.table(*results),
    "commands": lambda results: commandline.reference(*results),
    "negatives-gsm8k": lambda results: negatives.table_of(),
    "system2-signals": lambda results: system2.signal_table(*results),
    **{
        f"system2-{task}": partial(lambda task, results: system2.table_of(task), task)
        for task in TASKS  # each finds its result by its name, also where its marker does not name it yet
    },
}


MT_BENCH_RESULT = "benchmarks/results/mt-bench.json"
PICTURES = {
    "docs/strict-by-category.svg": (MT_BENCH_RESULT, "strict"),
    "docs/inconsistent-by-category.svg": (MT_BENCH_RESULT, "inconsistent"),
}
"""What each picture is drawn from: a result file, and which of its figures."""
NOT_IN_PICTURES = (
    *("0.5B CoT", "0.5B BSM", "0.5B direct", "1.5B direct"),
    *("1.5B distilled signals", "0.5B distilled direct"),
)
"""Judges shown in tables only: a picture holds five."""


def drawn(name: str, checkout: Path = CHECKOUT) -> str:
    """The picture of that name, drawn from its result file as it is now."""
    file, metric = PICTURES[name]
    result = read_result(checkout / file)
    judges = [judge for judge in result["judges"] if judge["name"] not in NOT_IN_PICTURES]
    return picture_of({**result, "judges": judges}, metric)


if __name__ == "__main__":
    for page in pages():
        text = page.read_text(encoding="utf-8")
        page.write_text(rewritten(text, name=str(page.relative_to(CHECKOUT))), encoding="utf-8")
    for name in PICTURES:
        (CHECKOUT / name).write_text(drawn(name), encoding="utf-8")
    for name, task in CHARTS.items():
        (CHECKOUT / name).write_text(chart_of(task), encoding="utf-8")
