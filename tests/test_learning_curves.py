"""The drawing of a training run: right numbers, a whole file, and no history that it cannot draw."""

from __future__ import annotations

import warnings
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from distill.history import HeldOutLook, History, TrainStep
from distill.learningcurves import curves_of, draw_loss, draw_shares, smoothed, write_curves
from judge.errors import InputError
from judge.records import Share


def look(step: int, agree: int, inconsistent: int) -> HeldOutLook:
    return HeldOutLook(step, 0.5, Share(agree, 20), Share(inconsistent, 20))


def history(n_steps: int, *looks: HeldOutLook, n_letters: int = 2) -> History:
    steps = [TrainStep(n, 3e-4, 0.2, 0.1 * (n % 7)) for n in range(1, n_steps + 1)]
    return History(n_letters, steps, list(looks))


THREE_LOOKS = history(60, look(0, 9, 12), look(30, 16, 3), look(60, 15, 2))


def words_of(svg: str) -> list[str]:
    """The texts of a drawing that is a whole XML file."""
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return [
        text for one in root.iter("{http://www.w3.org/2000/svg}text") if (text := "".join(one.itertext()))
    ]


def drawn(draw, history: History) -> dict[str, list[tuple[float, float]]]:
    """The points of every curve in a panel, by its label."""
    axes: Axes = Figure().add_subplot()
    draw(axes, history)
    return {str(line.get_label()): [(x, y) for x, y in line.get_xydata()] for line in axes.lines}


# --- what is drawn


def test_the_axes_have_units_and_chance_and_the_best_look_are_named():
    words = words_of(curves_of(THREE_LOOKS, "a run"))
    assert words.count("optimizer steps") == 2
    assert {"a run", "letter's loss, nats", "% of the held-out pairs", "chance 0.693"} <= set(words)
    assert {"each step", "mean of 5 steps", "held-out pairs", "best, step 30"} <= set(words)


@pytest.mark.slow
def test_chance_depends_on_how_many_letters_there_are():
    assert "chance 1.099" in words_of(curves_of(history(3, n_letters=3), "with ties"))
    assert (0, pytest.approx(1.0986, abs=1e-4)) in [
        point for points in drawn(draw_loss, history(3, n_letters=3)).values() for point in points
    ]


def test_the_curves_of_the_looks_are_in_percent_and_the_best_one_is_ringed():
    curves = drawn(draw_shares, THREE_LOOKS)
    assert curves == {
        "agree with the teacher": [(0, 45), (30, 80), (60, 75)],
        "inconsistent": [(0, 60), (30, 15), (60, 10)],
        "best, step 30": [(30, 80), (30, 15)],
    }


def test_the_loss_is_the_letters_own():
    curves = drawn(draw_loss, history(3, look(2, 9, 9)))
    assert curves["each step"] == [(n, pytest.approx(0.1 * n)) for n in (1, 2, 3)]
    assert curves["held-out pairs"] == [(2, 0.5)]


def test_a_smoothed_value_is_the_mean_of_its_neighbours():
    assert smoothed([1, 2, 6, 4], 1) == [1.5, 3, 4, 5]
    assert smoothed([1, 2, 6, 4], 9) == [3.25] * 4
    assert smoothed([7], 3) == [7]


# --- what it can be made of


@pytest.mark.slow
@pytest.mark.parametrize(
    ("history", "is_there", "is_not"),
    [
        (history(0), {"no looks at held-out pairs"}, {"each step", "held-out pairs"}),
        (history(50), {"no looks at held-out pairs", "each step", "mean of 3 steps"}, {"inconsistent"}),
        (history(1), {"each step"}, {"mean of 1 steps", "best, step 0"}),
        (history(0, look(0, 9, 9)), {"inconsistent", "held-out pairs"}, {"each step", "best, step 0"}),
        (history(1, look(1, 20, 0)), {"best, step 1"}, {"no looks at held-out pairs"}),
    ],
)
def test_a_history_of_little_is_drawn_too(history, is_there, is_not):
    words = set(words_of(curves_of(history, "short")))
    assert is_there <= words
    assert not is_not & words


def test_a_single_step_and_a_single_look_can_be_seen():
    axes = Figure().add_subplot()
    draw_loss(axes, history(1, look(1, 9, 9)))
    step, held_out, _ = axes.lines
    assert step.get_marker() == "."
    assert held_out.get_marker() == "D"


@pytest.mark.slow
def test_thousands_of_steps_make_no_huge_file():
    svg = curves_of(history(5_000, *(look(n, 15, 2) for n in range(0, 5_001, 100))), "long")
    assert {"5,000", "mean of 251 steps"} <= set(words_of(svg))
    assert len(svg) < 400_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("$x_1$ & <b>", "$x_1$ & <b>"),
        ("裁判 کوچک", "裁判 کوچک"),
        ("two\nlines, \0 and \x1b", "two lines, \ufffd and \ufffd"),
        (200 * "x", 99 * "x" + "…"),
        ("", "optimizer steps"),
    ],
)
def test_whatever_the_title_the_file_is_whole_and_nothing_is_warned_of(title, shown):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shown in words_of(curves_of(history(2), title))


# --- the file


@pytest.mark.slow
def test_one_history_gives_the_same_bytes_whatever_style_is_set():
    once = curves_of(THREE_LOOKS, "a run")
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 20, "svg.hashsalt": None}):
        assert curves_of(THREE_LOOKS, "a run") == once
    assert "date" not in once


def test_the_drawing_is_white_behind_and_needs_no_style_sheet():
    svg = curves_of(THREE_LOOKS, "a run")
    first = next(ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path"))
    assert "fill: #ffffff" in first.attrib["style"]
    assert "var(" not in svg


@pytest.mark.slow
def test_the_file_is_written_whole_into_a_new_folder(tmp_path):
    path = tmp_path / "run" / "curves.svg"
    write_curves(path, THREE_LOOKS, "a run")
    assert path.read_text("utf-8") == curves_of(THREE_LOOKS, "a run")
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match=r"curves\.svg: cannot be written"):
        write_curves(tmp_path / "run" / "curves.svg", THREE_LOOKS, "a run")
