"""The tables of pages follow from result files, and say so when they cannot."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from benchmarks import sizes
from benchmarks.commandline import SHARED, SHARED_ANCHOR, reference
from benchmarks.tables import (
    CEILING,
    HEADLINE_ROWS,
    MARKED,
    OUR_JUDGE,
    TABLES,
    bench_table,
    category_table,
    glossary_list,
    headline_table,
    limits_list,
    read_result,
    rewritten,
    teacher_table,
)
from judge.bench.result import SCHEMA
from judge.errors import InputError
from judge.metrics import own_metrics
from judge.models.sizes import KNOWN
from judge.provenance import CHECKOUT
from judge.study.scoreboard import COIN, LONGER


def estimate(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 10}


FIGURES = {
    "strict": estimate(0.694, 0.647, 0.739),
    "inconsistent": estimate(0.153, 0.125, 0.183),
    "without_ties": estimate(0.846, 0.812, 0.879),
    "coverage": estimate(0.82, 0.78, 0.86),
    "half": estimate(None),
}
RESULT = {
    "schema": SCHEMA,
    "gpu": "none",
    "cores": 2,
    "cpu": "a processor",
    "data": {
        "name": "MT-bench",
        "n_pairs": 821,
        "n_votes": 1343,
        "n_questions": 80,
        "selection": {"turn": "1", "votes": "experts", "categories": [], "limit": 160},
        "categories": {"coding": {}, "math": {}},
    },
    "intervals": {"level": 0.95, "clusters": "questions"},
    "people": {"figures": FIGURES, "by_category": {"coding": FIGURES, "math": {}}},
    "judges": [
        {
            "name": "fast",
            "kind": "judge",
            "identity": {"adapter": "none"},
            "figures": FIGURES,
            "by_category": {"coding": FIGURES, "math": {"strict": estimate(0.5)}},
            "cost": {"tokens_in": 1212.9, "tokens_out": 8.0, "elapsed_s": 1.234},
        }
    ],
}


def test_a_table_has_every_judge_and_the_ceiling_with_intervals_and_coverage():
    heads, _, judge, people, _, line = bench_table([RESULT]).splitlines()
    assert heads.startswith("| judge | inconsistent | strict | length balanced |")
    assert judge.startswith(
        "| fast | 15.3 (12.5-18.3) | 69.4 (64.7-73.9) | - | - | 84.6 (81.2-87.9) at 82 % | - |"
    )
    assert judge.endswith("| 1,213, 8 | 1.23 |")
    assert people.startswith("| people with each other | 15.3")
    assert line.startswith("MT-bench, turn 1, votes: experts, a sample of 160 pairs: 821 pairs, 1,343 votes,")
    assert "80 questions; percent with 95 % intervals, bootstrapped over questions" in line


def test_a_table_by_category_has_both_figures_of_every_judge():
    _, _, strict, inconsistent, people = category_table([RESULT]).splitlines()
    assert strict == "| fast | strict | 69.4 (64.7-73.9) | 50.0 | 69.4 (64.7-73.9) |"
    assert inconsistent == "| fast | inconsistent | 15.3 (12.5-18.3) | - | 15.3 (12.5-18.3) |"
    assert people == "| people with each other | strict | 69.4 (64.7-73.9) | - | 69.4 (64.7-73.9) |"


def test_a_table_of_teachers_says_what_the_swap_filter_keeps_of_judges_and_of_length():
    rules = [{**RESULT["judges"][0], "name": name, "kind": "baseline"} for name in (LONGER, "first wins")]
    table = teacher_table([{**RESULT, "judges": [*RESULT["judges"], *rules]}])
    heads, _, judge, rule, _, line = table.splitlines()
    assert heads.startswith("| judge | kept | right of the kept | longer won of the kept | unreadable |")
    assert judge == "| fast | 82.0 (78.0-86.0) | 84.6 (81.2-87.9) | - | - | - | 1,213, 8 | 1.23 |"
    assert rule == judge.replace("fast", LONGER)
    assert line.startswith("MT-bench, turn 1")


def test_the_headline_has_five_rows_by_names_that_say_what_they_are():
    judges = [{**RESULT["judges"][0], "name": name} for name in HEADLINE_ROWS if name != CEILING]
    heads, _, *rows, _, line = headline_table([{**RESULT, "judges": judges}]).splitlines()
    assert heads.startswith("| judge | agrees with people, % |")
    assert [row.split(" | ")[0] for row in rows] == [f"| {label}" for label in HEADLINE_ROWS.values()]
    label, *cells = rows[0].strip("| ").split(" | ")
    assert label == HEADLINE_ROWS[OUR_JUDGE]
    assert cells == ["69.4 (64.7-73.9)", "-", "15.3 (12.5-18.3)", "84.6 (81.2-87.9) at 82 %"]
    assert line.startswith("MT-bench, turn 1")


def test_the_limits_name_our_judge_beside_the_longer_answer_and_a_coin_on_each_data_set():
    judges = [{**RESULT["judges"][0], "name": name} for name in (OUR_JUDGE, LONGER, COIN)]
    share = "69.4 % (64.7-73.9)"
    assert (
        limits_list([{**RESULT, "judges": judges}] * 2).splitlines()
        == [f"- MT-bench: the judge {share}, the longer answer {share}, a coin {share}."] * 2
    )


def test_the_glossary_has_every_figure_with_its_name_and_meaning():
    entries = glossary_list([])
    assert entries.count("### ") == len(own_metrics())
    assert "### Strict\n\n`strict`, in percent. The headline: votes" in entries
    assert "`ece`, a plain number. Expected calibration error" in entries


def test_the_reference_of_the_command_line_has_every_verb_with_its_options():
    page = reference()
    for verb in ("compare", "run", "report", "bench", "app", "models list", "distill all"):
        assert f"\n## judge {verb}\n" in f"\n{page}"
    run = page[page.index("## judge run\n") : page.index(f"## {SHARED}\n")]
    assert "| `PAIRS` | Pairs: JSON" in run
    assert "| `--out TEXT` | Verdicts" in run
    assert SHARED_ANCHOR in run
    assert "| `--backend" not in run
    assert "| `--backend TEXT` | embedded;" in page
    assert "| `--concurrency N` | Requests that each address of a server gets at a time. | `16` |" in page


def test_a_table_that_is_made_from_the_code_needs_no_result_file():
    page = rewritten("<!-- power -->\nold\n<!-- end of power -->\n")
    assert page.startswith("<!-- power -->\n| cases | 50 % |")


def test_a_stale_table_is_written_anew_and_the_text_around_it_stays(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    readme = "# Title\n\n<!-- bench: result.json -->\nold\n<!-- end of bench -->\n\nText.\n"
    new = rewritten(readme, tmp_path)
    assert new.startswith("# Title\n\n<!-- bench: result.json -->\n| judge |")
    assert new.endswith("<!-- end of bench -->\n\nText.\n")
    assert rewritten(new, tmp_path) == new
    assert len(MARKED.findall(new)) == 1


@pytest.mark.parametrize(
    ("readme", "complaint"),
    [
        ("<!-- bench: missing.json -->\n<!-- end of bench -->", "no such result file"),
        ("<!-- wench: missing.json -->\n<!-- end of wench -->", "no table is called wench"),
    ],
)
def test_a_table_that_cannot_be_made_says_why(tmp_path, readme, complaint):
    with pytest.raises(InputError, match=complaint):
        rewritten(readme, tmp_path)


def test_a_result_of_another_schema_is_refused():
    with pytest.raises(InputError, match=r"schema other/1; this table reads four-token-judge/bench/"):
        bench_table([{**RESULT, "schema": "other/1"}])


def test_no_table_mixes_judges_that_learned_votes_with_others_within_a_file_or_between_files(
    tmp_path, monkeypatch
):
    def write(file: str, *adapters: str) -> str:
        judge, rule = RESULT["judges"][0], {**RESULT["judges"][0], "kind": "baseline", "identity": None}
        judges = [{**judge, "name": f"{one} direct", "identity": {"adapter": one}} for one in adapters]
        (tmp_path / file).write_text(json.dumps({**RESULT, "judges": [*judges, rule]}))
        return file

    def table_of(*files: str) -> str:
        return rewritten(f"<!-- all: {' '.join(files)} -->\n<!-- end of all -->", tmp_path)

    monkeypatch.setitem(TABLES, "all", lambda results: bench_table(results[:1]))
    both = write("both.json", "none", "a", "a-votes")
    distilled, voted = write("distilled.json", "none", "a"), write("voted.json", "none", "a-votes", "b-votes")
    message = r"^a-votes direct \({}\) was fine-tuned on human votes and a direct \({}\) was not: "
    for files, places in (((both,), (both, both)), ((distilled, voted), (voted, distilled))):
        with pytest.raises(InputError, match=message.format(*places)):
            table_of(*files)
    assert "| a direct |" in table_of(distilled)
    assert "| b-votes direct |" in table_of(voted)


def test_a_rule_has_no_row_for_what_it_is_by_its_making_and_people_none_without_a_second_voter():
    rule = {**RESULT["judges"][0], "name": "longer wins", "kind": "baseline"}
    alone = {**RESULT, "judges": [rule], "people": {"figures": {}, "by_category": {"coding": {}, "math": {}}}}
    assert [row.split(" | ")[:2] for row in category_table([alone]).splitlines()[2:]] == [
        ["| longer wins", "strict"]
    ]
    assert "people" not in bench_table([alone])


def test_the_command_line_says_of_both_sizes_what_the_result_files_say():
    names = ("mt-bench", "llmbar")
    results = [read_result(CHECKOUT / "benchmarks" / "results" / f"{name}.json") for name in names]
    assert sizes.line_of(results) == KNOWN
    items = sizes.list_of(results)
    for figure in re.findall(r"\d+\.\d", KNOWN):
        assert figure in items
