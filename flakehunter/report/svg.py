"""Draw with matplotlib and write inline SVG: no style attributes, colours by class, the same bytes for the same data.

A strict Content-Security-Policy forbids style attributes, so they become presentation attributes; each colour given to
matplotlib stands for a class, so that light, dark and print are decided by the page's style sheet. Every chart has a
title and a description in words.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from flakehunter.report.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {
    "#000001": "ink",
    "#000002": "soft",
    "#000003": "line",
    "#000004": "pass",
    "#000005": "fail",
    "#000006": "broken",
    "#000007": "quiet",
    "#000008": "accent",
    "#000009": "paper",
}
"""Colours given to matplotlib, and the class that the page's style sheet gives a colour to."""

INK, SOFT, LINE, PASS, FAIL, BROKEN, QUIET, ACCENT, PAPER = COLORS

SETTINGS: Any = {
    "svg.hashsalt": "flakehunter",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "legend.frameon": False,
}

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True, slots=True)
class Margins:
    """Room around the axes in inches. Fixed: matplotlib's layout engines draw each chart twice to find it out."""

    left: float
    bottom: float
    top: float = 0.08
    right: float = 0.12


@contextmanager
def drawing(width: float, height: float, margins: Margins) -> Iterator[tuple[Figure, "Axes"]]:
    """Give a figure of that many inches with one set of axes, under our settings."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height))
        FigureCanvasSVG(figure)
        axes = figure.add_axes(
            (
                margins.left / width,
                margins.bottom / height,
                1 - (margins.left + margins.right) / width,
                1 - (margins.bottom + margins.top) / height,
            )
        )
        yield figure, axes


def label_room(labels: Sequence[str], *, size: float = 10) -> float:
    """Return the inches that the longest of `labels` needs beside an axis: letters are about 0.6 of their size wide."""
    return max((len(label) for label in labels), default=0) * size * 0.6 / 72 + 0.1


def inline_svg(figure: Figure, *, key: str, title: str, text: str) -> Markup:
    """Return `figure` as an inline SVG element whose ids begin with `key`, with a title and a description."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for unwanted in [*root.findall(f"{_SVG}metadata"), *root.findall(f"{_SVG}defs")]:
        root.remove(unwanted)
    _number_ids(root, key)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        _style_to_attributes(element)
        if element.tag == "text":
            element.text = element.text and element.text.strip("\n")
    view = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({"viewBox": view, "role": "img", "aria-labelledby": f"{key}-title {key}-text", "class": "chart"})
    for place, (tag, content) in enumerate((("title", title), ("desc", text))):
        named = ElementTree.Element(tag, {"id": f"{key}-{'title' if tag == 'title' else 'text'}"})
        named.text = visible(content)
        root.insert(place, named)
    written = ElementTree.tostring(root, encoding="unicode")
    return Markup(re.sub(r">\s+<", "><", written))


def _number_ids(root: ElementTree.Element, key: str) -> None:
    """Keep only the ids that something refers to, and make them unique among all charts of a page."""
    used: dict[str, str] = {}
    for element in root.iter():
        for value in (element.get(_HREF, ""), element.get("clip-path", "")):
            found = re.search(r"#([\w-]+)", value)
            if found:
                used.setdefault(found[1], f"{key}-{len(used)}")
    for element in root.iter():
        identity = element.attrib.pop("id", None)
        if identity in used:
            element.set("id", used[identity])
        reference = element.attrib.pop(_HREF, None)
        if reference:
            element.set("href", f"#{used[reference[1:]]}")
        clip = re.search(r"#([\w-]+)", element.get("clip-path", ""))
        if clip:
            element.set("clip-path", f"url(#{used[clip[1]]})")


def _style_to_attributes(element: ElementTree.Element) -> None:
    """Replace the style attribute by presentation attributes, and colours by classes."""
    declared = dict(part.split(": ", 1) for part in element.attrib.pop("style", "").split("; ") if ": " in part)
    font = declared.pop("font", None)
    if font:
        size = re.search(r"([\d.]+)px", font)
        declared["font-size"] = size[1] if size else "10"
    classes = []
    for name, value in sorted(declared.items()):
        value = value.rstrip(";")
        if name in ("fill", "stroke") and value in COLORS:
            classes.append(f"{name[0]}-{COLORS[value]}")
        elif name != "font-family":
            element.set(name, value)
    if classes:
        element.set("class", " ".join(classes))
