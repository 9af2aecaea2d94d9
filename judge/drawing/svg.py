"""Drawings as SVG for a page: no script, nothing loaded, colours that are the page's variables.

A drawing is a function that draws into one matplotlib `Axes`; `svg_of` makes an `<svg>` element of it.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Each colour becomes the variable of the page's style sheet, which knows light and dark.
INK, MUTED, GRID, PANEL, BLUE, ORANGE = "#1b1d22", "#5a606c", "#e4e2dd", "#fefefe", "#0072b2", "#d55e00"
GREEN, PURPLE, YELLOW = "#009e73", "#cc79a7", "#e69f00"
CSS_NAMES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "line",
    PANEL: "panel",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    PURPLE: "purple",
    YELLOW: "yellow",
}


def svg_of(draw: Callable[[Axes], None], size: tuple[float, float], alt: str) -> str:
    """An `<svg>` element to put into a page; `size` in inches, colours as the page's variables."""
    import matplotlib
    from matplotlib.figure import Figure

    file = io.BytesIO()
    # The salt is the plot's own, so that the ids of two plots in one page differ.
    # Text stays text: the browser draws it, so a letter that matplotlib's font lacks is nothing to warn of.
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": alt, "font.size": 10})
        matplotlib.rcParams.update({"text.color": INK, "axes.labelcolor": INK, "ytick.color": INK})
        matplotlib.rcParams.update({"xtick.color": MUTED, "axes.edgecolor": GRID, "ytick.major.size": 0})
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right", "left"]].set_visible(False)
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        draw(axes)
        figure.savefig(file, format="svg", metadata={"Date": None})
    return svg_for_page(file.getvalue(), alt)


def svg_for_page(svg: bytes, alt: str) -> str:
    """The drawing without prolog, metadata and unused ids, with the page's colours and a description."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    for unwanted in root.findall("metadata"):
        root.remove(unwanted)
    # Its one style rule is for every element, which inside a page would be the whole page's.
    for parent in root.iter("defs"):
        for style in parent.findall("style"):
            parent.remove(style)
    attributes = [element.attrib for element in root.iter()]
    links = " ".join(value for attrib in attributes for value in attrib.values() if "#" in value)
    used = set(re.findall(r"#([\w-]+)", links))
    for attrib in attributes:
        if attrib.get("id") not in used:
            attrib.pop("id", None)
        if "style" in attrib:
            attrib["style"] = re.sub(r"#[0-9a-f]{6}", themed, attrib["style"])
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib.update({"role": "img", "aria-label": alt})
    return ElementTree.tostring(root, encoding="unicode")


def themed(colour: re.Match[str]) -> str:
    name = CSS_NAMES.get(colour[0])
    return f"var(--{name})" if name else colour[0]
