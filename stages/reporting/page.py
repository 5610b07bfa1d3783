"""The page a person reads and the summary a pull request shows; their words are in templates/."""

import math
import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

MISSING = "\N{EN DASH}"


def html_page(results: dict) -> str:
    """Give the report as one HTML page that needs no other file.

    Parameters
    ----------
    results : dict
        ``parameters`` (of params.yaml), ``audit``, ``splits``, ``conflicts`` and ``refused``
        (lists of rows), and ``models``: by name, in the order to show, each with ``metrics``,
        ``training``, ``settings``, ``answers`` (the classes it ever predicted) and ``figures``
        (SVG by name: architecture, learning_curves, confusion_matrix, roc_curves).

    Returns
    -------
    str
    """
    return _environment().get_template("index.html.j2").render(results)


def markdown_summary(results: dict) -> str:
    """Give the report's tables as Markdown; takes what :func:`html_page` takes."""
    return _environment().get_template("report.md.j2").render(results)


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with its decimals, a whole one with its thousands apart, none as a dash."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def percent(part: int, whole: int) -> str:
    """Write a share in percent."""
    return f"{part / whole:.1%}" if whole else MISSING


def count(name: str, counts: dict[str, int]) -> int:
    """Give the images of a class; 0 where none is listed."""
    return counts.get(name, 0)


def at(mapping: dict, path: str):
    """Give the value at a dotted path, such as ``weighted.f1``; None where there is none."""
    value = mapping
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def best(models: dict, path: str, lowest: bool = False) -> list[str]:
    """Name the models with the best figure at a path of their metrics.

    Models whose figures look the same on the page share it: digits that a reader cannot see
    decide nothing.
    """
    values = {name: at(model["metrics"], path) for name, model in models.items()}
    shown = {name: round(value, 3) for name, value in values.items() if value is not None}
    target = min(shown.values(), default=None) if lowest else max(shown.values(), default=None)
    return [name for name, value in shown.items() if value == target]


def inline(svg: str, prefix: str, label: str) -> Markup:
    """Make an SVG of ours part of a page: labelled, and its ids apart from other figures'."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)  # HTML knows both by itself
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))


def cell(text: str) -> Markup:
    """Escape a text for a cell of a Markdown table."""
    return Markup(re.sub(r"([\\`*|\[\]])", r"\\\1", str(escape(" ".join(text.split())))))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("stages.reporting"),
        autoescape=True,  # in Markdown too, which reads HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (number, percent, count, at, best, inline, cell)
    environment.filters.update({function.__name__: function for function in filters})
    return environment
