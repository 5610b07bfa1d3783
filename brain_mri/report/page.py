"""The page a person reads and the summary a pull request shows, from templates and words."""

import json
import re
import shlex
from functools import partial
from itertools import count

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from brain_mri.report.language import Language


def html_page(results: dict) -> str:
    """Give the report as one HTML page that needs no other file.

    Parameters
    ----------
    results : dict
        What :func:`brain_mri.report.sections.gather` gives.

    Returns
    -------
    str
    """
    return rendered("index.html.j2", results)


def markdown_summary(results: dict) -> str:
    """Give the report's main figures as Markdown; takes what :func:`html_page` takes."""
    return rendered("report.md.j2", results)


def study_summary(results: dict) -> str:
    """Give what a study found as Markdown; takes what :mod:`stages.study` gathers."""
    return rendered("study.md.j2", results)


def at(mapping: dict, path: str):
    """Give the value at a dotted path, such as ``accuracy.value``; None where there is none."""
    value = mapping
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def inline(svg: str, prefix: str, label: str) -> Markup:
    """Make an SVG of ours part of a page: labelled, and its ids apart from other figures'."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)  # HTML knows both by itself
    svg = re.sub(r"\n +", "\n", svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))


def breakable(name: str) -> Markup:
    """Let a path or a name break after its slashes and underscores."""
    return Markup(re.sub(r"([/_])", r"\1<wbr>", str(escape(name))))


def cell(text: str) -> Markup:
    """Escape a text for a cell of a Markdown table."""
    return Markup(re.sub(r"([\\`*_|\[\]])", r"\\\1", str(escape(" ".join(text.split())))))


def override(key: str, value) -> str:
    """Write a parameter as DVC's `-S` takes it, safe in a shell."""
    if isinstance(value, list):
        value = f"[{','.join(map(str, value))}]"
    return f"-S {shlex.quote(f'{key}={_plain(value)}')}"


def setting(value) -> str:
    """Write a parameter's value as params.yaml does."""
    return ", ".join(map(str, value)) if isinstance(value, list) else _plain(value)


def _plain(value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def misses(share: float | None, whole: int) -> int | None:
    """Count the images that a share of them leaves out; None where there is no share."""
    return None if share is None else round((1 - share) * whole)


def environment(language: Language) -> Environment:
    """Give what renders templates in a language: its words by ``say``, its numbers by filters.

    Figures and tables are numbered anew in each.
    """
    made = Environment(
        loader=PackageLoader("brain_mri.report"),
        autoescape=True,  # in Markdown too, which reads HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    own = (at, inline, breakable, cell, override, setting, misses)
    written = (
        "number",
        "signed",
        "percent",
        "p_value",
        "seconds",
        "reason",
        "class_counts",
        "folders",
    )
    intervals = ("interval", "signed_interval", "percent_interval")
    made.filters |= {
        **{function.__name__: function for function in own},
        **{name: getattr(language, name) for name in (*written, *intervals)},
    }
    made.globals |= {
        "say": language.say,
        "language": language.code,
        "figure_number": partial(next, count(1)),
        "table_number": partial(next, count(1)),
    }
    return made


def rendered(name: str, results: dict) -> str:
    """Fill in a template in the language of the parameters among the results."""
    language = Language(results["parameters"]["language"])
    return environment(language).get_template(name).render(results)
