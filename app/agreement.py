"""Agreement: the harness's metrics over the votes of this file; a bar opens the pairs behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import streamlit as st

from app import shell
from app.shell import Project
from judge.drawing.steps import cut_in_words
from judge.errors import InputError
from judge.metrics.bootstrap import Estimate
from judge.provenance import as_json
from judge.records import HumanVote, Pair, Share, Status, Verdict
from judge.review.agreement import (
    JUDGE,
    Between,
    Together,
    between_reviewers,
    by_time,
    category_of,
    differing,
    differing_votes,
    differs,
    judged_pairs,
    kinds_of,
    study_of_votes,
    together,
)
from judge.review.repeating import own_consistency
from judge.study.calibrating import calibrate, format_fit
from judge.study.study import Study

CALIBRATION_FILE = "my-judge.json"
WHAT_FOR = (
    "A calibration makes the judge's probabilities what these votes say they are worth. Verdicts that are "
    "too close for so many to be right become undecided."
)
BLUE, ORANGE = "#2f6f9f", "#c76b00"  # told apart by everybody, and by their place
BARS = {"strict": "agreement, strict", "inconsistent": "inconsistent"}
COUNTS = {"inconsistent": "pair"}
"""What a figure counts, where that is not votes."""
LANES = [lane for label in BARS.values() for lane in (label, f"{label}, interval")]
"""What a category's rows in the chart are: each bar, and under it, on no bar, the line of its interval."""


def page() -> None:
    project = shell.need_project()
    votes = project.votes()
    if not votes:
        st.subheader("No votes yet", anchor=False)
        st.write("Agreement appears here with the first vote on the Review page.")
        return
    by_kind = {kind: those for kind, those in kinds_of(votes).items() if those}
    studies = {kind: study_with(project, those) for kind, those in by_kind.items()}
    for kind, those in by_kind.items():
        headline(kind, those, studies[kind], project.verdicts)
        if st.button(f"Review the pairs of these votes ({kind})", key=f"see_{kind}", type="tertiary"):
            shell.open_pairs({vote.pair_id for vote in those}, f"pairs with votes that are {kind}")
    st.caption(
        "Strict: of votes that are no ties, both orders have to say what the vote says. Below each "
        "figure its 95 % interval over questions, and how many votes or pairs it counts: votes without a "
        "verdict are in none, ties in no share of agreement. A vote is blind if its reviewer had not seen by "
        "then what the judge says of the pair; of votes from elsewhere it may not be known."
    )
    if cut := sum(bool(cut_in_words(verdict)) for verdict in project.verdicts.values()):
        st.caption(
            f"{shell.counted(cut, 'verdict')} of the judge rest on answers that were shortened for it."
        )
    if not project.verdicts:
        st.info("To see the judge beside people, open verdicts on the Review page, or let it read the pairs.")
    if st.session_state.get("kept_kind") not in by_kind:
        st.session_state["kept_kind"] = next(iter(by_kind))
    chosen = st.segmented_control("Below, of the votes", list(by_kind), key="kept_kind", required=True)
    chosen = chosen or next(iter(by_kind))
    those = by_kind[chosen]
    if (study := studies[chosen]) is not None:
        by_category(study, those, project.verdicts)
        calibration(study)
        offer_calibration(project, those)
        who_differs(project, those)
    voted = {vote.pair_id for vote in those}
    reviewers(project, those, project.index.pairs([entry for entry in project.entries if entry.id in voted]))


def study_with(project: Project, votes: list[HumanVote]) -> Study | None:
    """The judge beside these votes; None without verdicts on their pairs."""
    voted = {vote.pair_id for vote in votes}
    entries = [entry for entry in project.entries if entry.id in voted]
    verdicts = [project.verdicts[entry.id] for entry in entries if entry.id in project.verdicts]
    if not verdicts:
        return None
    try:
        return study_of_votes(votes, verdicts, project.index.pairs(entries))
    except InputError as error:
        st.error(shell.plain(str(error)))
        return None


def percent_of(estimate: Estimate | None) -> str:
    return "-" if estimate is None or estimate.value is None else f"{100 * estimate.value:.1f} %"


def interval(estimate: Estimate | None) -> str | None:
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    return f"{100 * estimate.low:.0f} to {100 * estimate.high:.0f} %"


def counted_over(name: str, estimate: Estimate | None) -> str | None:
    """The interval of a figure and over how many votes it counts, or pairs; None where there is none."""
    if estimate is None or estimate.value is None:
        return None
    of = f"of {shell.counted(estimate.n, COUNTS.get(name, 'vote'))}"
    ends = interval(estimate)
    return of if ends is None else f"{ends}, {of}"


def headline(kind: str, votes: list[HumanVote], study: Study | None, verdicts: Mapping[str, Verdict]) -> None:
    n_pairs = len({vote.pair_id for vote in votes})
    n_without = sum(vote.pair_id not in verdicts for vote in votes) if verdicts else 0
    left_out = f"; {shell.counted(n_without, 'vote')} without a verdict" if n_without else ""
    with st.container(horizontal=True):
        st.metric(
            f"Votes, {kind}",
            f"{len(votes):,}",
            f"{shell.counted(n_pairs, 'pair')}{left_out}",
            delta_color="off",
            delta_arrow="off",
        )
        if study is None:
            return
        figures = study.standing(JUDGE).figures
        for name, label in {
            "strict": "Agreement, strict",
            "by_mean": "Agreement by mean",
            "inconsistent": "Inconsistent",
        }.items():
            st.metric(
                label,
                percent_of(figures.get(name)),  # one that a judge without probabilities does not have
                counted_over(name, figures.get(name)),
                delta_color="off",
                delta_arrow="off",
            )


def by_category(study: Study, votes: list[HumanVote], verdicts: Mapping[str, Verdict]) -> None:
    rows: list[dict[str, Any]] = []
    for category, figures in study.standing(JUDGE).by_category.items():
        for name, label in BARS.items():
            one = figures[name]
            if one.value is not None:
                rows.append(
                    {
                        "category": category,
                        "figure": label,
                        "share": one.value,
                        "low": one.low,
                        "high": one.high,
                        "of": shell.counted(one.n, COUNTS.get(name, "vote")),
                        "interval": f"{label}, interval",
                    }
                )
    if not rows:
        return
    st.subheader("By category", anchor=False)
    picked = alt.selection_point(name="bar", fields=["category", "figure"])
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("category:N", title=None, axis=alt.Axis(labelLimit=160)),
    )
    lanes = alt.Scale(domain=LANES)
    axis = alt.Axis(format="%")
    bars = (
        base.mark_bar(cursor="pointer")
        .encode(
            x=alt.X("share:Q", title=None, axis=axis, scale=alt.Scale(domain=[0, 1])),
            yOffset=alt.YOffset("figure:N", scale=lanes),
            color=alt.Color(
                "figure:N",
                title=None,
                scale=alt.Scale(domain=list(BARS.values()), range=[BLUE, ORANGE]),
                legend=alt.Legend(orient="top"),
            ),
            opacity=alt.condition(picked, alt.value(1.0), alt.value(0.5)),
            tooltip=["category:N", "figure:N", alt.Tooltip("share:Q", format=".1%"), "of:N"],
        )
        .add_params(picked)
    )
    lines = base.mark_rule(strokeWidth=2, color="gray").encode(
        x="low:Q", x2="high:Q", yOffset=alt.YOffset("interval:N", scale=lanes)
    )
    chart: Any = legible(alt.layer(bars, lines).properties(height=alt.Step(9)))
    words = ", ".join(f"{row['category']} {row['figure']} {100 * float(row['share']):.0f} %" for row in rows)
    chosen = st.altair_chart(chart, on_select="rerun", key="category_chart", width="stretch", alt=words)
    st.caption("The line under a bar is its 95 % interval. Click a bar to review its pairs.")
    points = chosen["selection"].get("bar") if chosen else None
    if points:
        open_bar(points[0], votes, verdicts)


def legible(chart: Any) -> Any:
    """The chart with words of a contrast of more than 4.5 on the page's ground."""
    colour = "#b9bec6" if st.context.theme.type == "dark" else "#555b64"
    axes = chart.configure_axis(labelColor=colour, titleColor=colour)
    return axes.configure_legend(labelColor=colour)


def open_bar(point: dict[str, Any], votes: list[HumanVote], verdicts: Mapping[str, Verdict]) -> None:
    """Opens the pairs behind a bar on the Review page."""
    category, figure = point["category"], point["figure"]
    ids = judged_pairs(votes, verdicts, category)
    if is_of_inconsistent := figure == BARS["inconsistent"]:
        ids = [id for id in ids if verdicts[id].status is Status.INCONSISTENT]
    shell.open_pairs(ids, f"pairs with votes, {category}: {figure}", tells_judge=is_of_inconsistent)


def calibration(study: Study) -> None:
    bins = study.standing(JUDGE).reliability
    if not bins:
        return
    st.subheader("Calibration", anchor=False)
    rows = [
        {"said": one.confidence, "right": one.right.value, "low": one.right.low, "high": one.right.high}
        for one in bins
        if one.right.value is not None
    ]
    base = alt.Chart(alt.InlineData(values=rows))
    scale = alt.Scale(domain=[0.5, 1])
    x = alt.X(
        "said:Q",
        title="how sure the judge was (P of the side it chose)",
        axis=alt.Axis(format="%"),
        scale=scale,
    )
    y = alt.Y(
        "right:Q", title="how often people agreed", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])
    )
    ideal = alt.Chart(alt.InlineData(values=[{"v": 0.5}, {"v": 1.0}])).mark_line(
        strokeDash=[4, 4], color="gray"
    )
    layers = alt.layer(
        ideal.encode(x=alt.X("v:Q", scale=scale), y="v:Q"),
        base.mark_rule(color="gray").encode(x=x, y="low:Q", y2="high:Q"),
        base.mark_point(filled=True, size=90, color=BLUE).encode(x=x, y=y),
    ).properties(height=260)
    st.altair_chart(
        legible(layers),
        width="stretch",
        alt="Calibration: how sure the judge was, and how often people agreed",
    )
    st.caption("On the dashed line the judge is as often right as it says.")


NO_BAND = "nothing"
PRECISIONS = {NO_BAND: None, "70 % right": 0.7, "75 % right": 0.75, "80 % right": 0.8, "90 % right": 0.9}


def offer_calibration(project: Project, votes: list[HumanVote]) -> None:
    """A calibration by these votes as a file, fitted when it is asked for."""
    wanted = st.selectbox(
        "Leave undecided what is too close for", list(PRECISIONS), key="kept_precision", help=WHAT_FOR
    )
    if not st.button("Calibrate the judge on these votes", disabled=not project.is_read):
        return
    voted = {vote.pair_id for vote in votes}
    entries = [entry for entry in project.entries if entry.id in voted and entry.id in project.verdicts]
    verdicts = [project.verdicts[entry.id] for entry in entries]
    try:
        fit = calibrate(verdicts, votes, project.index.pairs(entries), PRECISIONS[wanted or NO_BAND])
    except InputError as error:
        st.error(shell.plain(str(error)))
        return
    st.code(format_fit(fit), language=None, wrap_lines=True)
    st.download_button(
        "Download the calibration",
        as_json(fit.as_json()) + "\n",
        file_name=CALIBRATION_FILE,
        icon=":material/download:",
        on_click="ignore",
    )
    st.caption(f"For `judge run`, beside the options of this judge: `--calibration {CALIBRATION_FILE}`.")


def who_differs(project: Project, votes: list[HumanVote]) -> None:
    """How often each reviewer and the judge differ, in each category, and a way to those pairs."""
    shares = differing(votes, project.verdicts)
    rows = [
        {
            "reviewer": voter,
            "category": category,
            "votes": differ.total,
            "differ from the judge": differ.count,
        }
        for (voter, category), differ in shares.items()
    ]
    st.subheader("Who differs from the judge", anchor=False)
    behind = [
        (
            [vote.pair_id for vote in differing_votes(votes, project.verdicts, voter, category)],
            f"pairs of which {voter} and the judge say different things, {category}",
        )
        for voter, category in shares
    ]
    shell.linked_columns_of(rows, behind, "who_differs", tells_judge=True)
    if st.button("Review the pairs where judge and people differ"):
        ids = {vote.pair_id for vote in votes if differs(vote, project.verdicts)}
        words = "pairs on which people and the judge say different things"
        shell.open_pairs(ids, words, tells_judge=True)


EVERYBODY = "everybody together"


def reviewers(project: Project, votes: list[HumanVote], pairs: list[Pair]) -> None:
    """How far reviewers agree: every two, all together, by category and over time, and with themselves."""
    question_of = {pair.id: pair.question for pair in pairs}
    between = between_reviewers(votes, question_of)
    if not between:
        st.caption("Once two reviewers have voted on the same pair, their kappa and alpha are here.")
    else:
        st.subheader("Between reviewers", anchor=False)
        every_two(between, together(votes, question_of))
        st.caption(
            "Kappa is Cohen's, of two reviewers; alpha is Krippendorff's, of any number. 1 is agreement "
            "throughout, 0 what chance would give. Intervals are 95 %, over questions. A row that is chosen "
            "opens the pairs on which they differ."
        )
        names = [EVERYBODY, *(f"{one.one}, {one.other}" for one in between)]
        whose = st.selectbox("By category and over time, of", names, key="agreement_of")
        by_name = {f"{one.one}, {one.other}": (one.one, one.other) for one in between}
        some = [vote for vote in votes if whose not in by_name or vote.voter in by_name[whose]]
        grouped("category", together(some, question_of, category_of), some, "by_category")
        grouped("when", together(some, question_of, by_time(some)), some, "over_time")
    with_themselves(project, question_of)


def every_two(between: list[Between], everybody: list[Together]) -> None:
    """A row for every two reviewers, and one for all where there are more than two."""
    rows: list[dict[str, Any]] = []
    behind: list[tuple[tuple[str, ...], str]] = []
    for one in between:
        rows.append(row_of(f"{one.one}, {one.other}", one.same, one.kappa, one.alpha))
        behind.append((one.differ, f"pairs on which {one.one} and {one.other} differ"))
    for all_ in everybody:
        if len(all_.reviewers) > 2:
            rows.append(row_of(EVERYBODY, all_.same, None, all_.alpha))
            behind.append((all_.differ, "pairs on which reviewers differ"))
    rows = [{"reviewers": row.pop("of"), **row} for row in rows]
    shell.linked_columns_of(rows, behind, "between_reviewers")


def grouped(name: str, groups: list[Together], votes: list[HumanVote], key: str) -> None:
    """Agreement in each group of pairs; a row opens the pairs that it counts."""
    rows = [row_of(one.group, one.same, one.kappa, one.alpha) for one in groups]
    rows = [{name: row.pop("of"), **row} for row in rows]
    behind = [(one.pair_ids, f"pairs with two votes or more, {one.group}") for one in groups]
    shell.linked_columns_of(rows, behind, key)


def row_of(of: str, same: Share, kappa: Estimate | None, alpha: Estimate) -> dict[str, Any]:
    return {
        "of": of,
        "pairs in common": same.total,
        "same outcome": str(same),
        "kappa": rounded(kappa),
        "kappa, 95 %": between_ends(kappa),
        "alpha": rounded(alpha),
        "alpha, 95 %": between_ends(alpha),
    }


def rounded(estimate: Estimate | None) -> float | None:
    return None if estimate is None or estimate.value is None else round(estimate.value, 2)


def between_ends(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return "-"
    return f"{estimate.low:.2f} to {estimate.high:.2f}"


def with_themselves(project: Project, question_of: dict[str, str]) -> None:
    """How far each reviewer says the same of a pair that came again, sides swapped."""
    found = own_consistency(project.events, question_of)
    if not found:
        return
    st.subheader("With themselves", anchor=False)
    rows = [
        {
            "reviewer": one.reviewer,
            "pairs that came again": one.same.total,
            "same outcome": str(one.same),
            "kappa": rounded(one.kappa),
            "kappa, 95 %": between_ends(one.kappa),
            "same side of the screen, another answer": str(one.same_side),
        }
        for one in found
    ]
    behind = [(one.changed, f"pairs of which {one.reviewer} said two things") for one in found]
    shell.linked_columns_of(rows, behind, "with_themselves")
    st.caption("The same pair again, sides swapped. A row that is chosen opens the pairs that changed.")
