"""A matplotlib figure as SVG that can stand inside a page: several of them, light and dark.

No pyplot, and matplotlib is imported when the first figure is drawn. What matplotlib writes is
made fit for HTML: text is text in the page's own font, colours are the page's variables, ids are
unlike those of other plots, and there is no link to anything outside.
"""

from __future__ import annotations

import io
import logging
import re
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

INK, SOFT, LINE, ACCENT, PAPER = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Colours to draw with. Each stands for a CSS variable of the page."""

TEXT_SIZE = 13.0
"""In units of the SVG, one of which is a pixel where the plot is shown in its own size."""

PART = "data-part"
"""Attribute that keeps the gid of an artist, for whoever looks for it in the SVG."""

_VARIABLES = {INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)",
              ACCENT: "var(--accent)", PAPER: "var(--paper)"}
_UNITS_AN_INCH = 72
_NOT_XML = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_SETTINGS: Mapping[RcKeyType, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "image-audit", "text.parse_math": False,
    "font.size": TEXT_SIZE, "text.color": INK, "axes.labelcolor": SOFT, "axes.edgecolor": LINE,
    "axes.labelsize": TEXT_SIZE, "axes.titlesize": TEXT_SIZE, "axes.spines.top": False,
    "axes.spines.right": False, "xtick.labelcolor": SOFT, "ytick.labelcolor": SOFT,
    "xtick.color": LINE, "ytick.color": LINE, "xtick.labelsize": TEXT_SIZE,
    "ytick.labelsize": TEXT_SIZE, "lines.solid_capstyle": "round"}

# What matplotlib is set to and what Python warns of are matters of the whole process.
_drawing = threading.Lock()


@contextmanager
def figure_of(width: float, height: float) -> Iterator[Figure]:
    """An empty figure of so many units, with the settings to draw and write it.

    A matplotlibrc of the user's has no say.
    """
    with _drawing, _quiet():
        import matplotlib as mpl  # noqa: PLC0415 - takes half a second
        from matplotlib.figure import Figure  # noqa: PLC0415

        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_SETTINGS)
            yield Figure(figsize=(width / _UNITS_AN_INCH, height / _UNITS_AN_INCH),
                         dpi=_UNITS_AN_INCH)


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing is said of matplotlib's cache of fonts, nor of glyphs that its own font lacks.

    The page's fonts draw the text.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            yield
    finally:
        logger.setLevel(level)


def to_svg(figure: Figure, name: str, label: str) -> str:
    """The figure as one `<svg>` element. Call it within `figure_of`.

    Args:
        figure: drawn with the colours of this module.
        name: unlike that of any other plot of the page; put before ids.
        label: what is to be seen, for those who cannot see it.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - written a line above, not foreign
    _drop_what_is_not_drawn(root)
    parts = {artist.get_gid() for artist in figure.findobj()} - {None}
    used = {found for element in root.iter() for found in _references(element)}
    for element in root.iter():
        _make_local(element, f"{name}-", used, parts)
    view = root.attrib["viewBox"]
    root.attrib.clear()
    # stroke-*: what matplotlib says in a style sheet, which would hold for the whole page.
    root.attrib.update({"viewBox": view, "class": "plot", "role": "img",
                        "aria-label": printable(label),
                        "style": "stroke-linejoin: round; stroke-linecap: butt"})
    return ET.tostring(root, encoding="unicode")


def printable(text: str) -> str:
    """The text in one line, with what XML cannot hold replaced."""
    return _NOT_XML.sub("�", re.sub(r"\s", " ", text))


def _drop_what_is_not_drawn(root: ET.Element) -> None:
    """The makers' names, links and style sheet."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in {"metadata", "style"}:
                parent.remove(child)


def _references(element: ET.Element) -> list[str]:
    """Ids that the element refers to."""
    found = [one for value in element.attrib.values() for one in _REFERENCE.findall(value)]
    found += [value[1:] for key, value in element.attrib.items() if key.endswith("}href")]
    return found


def _make_local(element: ET.Element, prefix: str, used: set[str], parts: set[str | None]) -> None:
    """Rewrite an element for its place in the page, where SVG needs no namespaces."""
    element.tag = element.tag.rpartition("}")[2]
    for key, value in list(element.attrib.items()):
        del element.attrib[key]
        short = key.rpartition("}")[2]
        if short == "id":
            if value in parts:
                element.set(PART, value)
            elif value in used:
                element.set("id", prefix + value)
        elif short == "href":
            element.set("href", f"#{prefix}{value[1:]}")
        elif short == "style":
            element.set("style", _in_the_pages_style(value))
        else:
            element.set(short, _REFERENCE.sub(rf"url(#{prefix}\1)", value))


def _in_the_pages_style(style: str) -> str:
    """Colours as variables of the page; no font family, so that the page's own is used."""
    for colour, variable in _VARIABLES.items():
        style = style.replace(colour, variable)
    return re.sub(r"font-family:[^;]*(;\s*|$)", "", style)
