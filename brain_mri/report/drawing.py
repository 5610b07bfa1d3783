"""What the figures share: their look, their rows and numbers, and how each becomes SVG.

`words` are the strings to print: those under `figures` in words/, with the decimal mark and the
thousands mark of the language.
"""

import re
from collections.abc import Iterable, Mapping
from io import StringIO

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

STYLE = {
    "svg.hashsalt": "stages.reporting",  # ids are random without one; another gives other bytes
    # Text stays text: it can be searched and copied, and a character that matplotlib's own font
    # lacks is still shown. The layout comes from that font, so bytes do not depend on the machine.
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.parse_math": False,  # a class may have a $ in its name
    "text.color": "#222222",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.columnspacing": 1.2,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": "#777777",
    "ytick.color": "#777777",
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
    "lines.linewidth": 1.4,
}

# Okabe and Ito's colours, told apart with any colour vision; without yellow, too pale on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY, BAND = "#777777", "#f4f5f7"
WIDTH, HEIGHT = 4.0, 4.4  # inches
LONGEST_NAME = 18  # characters of a name beside a figure
LONGEST_LABEL = 48  # characters of a label that has a line of its own

Words = Mapping[str, str]


def svg(figure: Figure) -> str:
    """Give a figure as SVG whose bytes depend on the figure alone; call it while STYLE holds.

    Coordinates are to a hundredth of a point, which halves the bytes.
    """

    def shorten(tag: re.Match) -> str:
        return re.sub(r"(\d\.\d\d)\d+", r"\1", re.sub(r' transform="rotate\(-0 [^"]*"', "", tag[0]))

    text = StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # neither time nor version
    figure.savefig(text, format="svg", metadata=nothing)
    return re.sub(r"<[^<>]+>", shorten, text.getvalue())  # in tags; texts keep their digits


def whole(value: int, words: Words) -> str:
    """Write a whole number with its thousands apart."""
    return number(value, ",", words)


def number(value: float, digits: str, words: Words) -> str:
    """Write a number as the language does; `digits` is a format, such as ``.3f``."""
    text = format(value, digits)
    if not text.strip("+-0."):
        text = text.strip("+-")  # zero has no sign
    marks = {",": words["thousands_mark"], ".": words["decimal_mark"], "-": "\N{MINUS SIGN}"}
    return text.translate(str.maketrans(marks))


def number_ticks(axis: Axis, words: Words) -> None:
    """Write the numbers of an axis as the language does."""
    axis.set_major_formatter(lambda value, _: number(value, ",.6g", words))


def short(name: str, longest: int = LONGEST_NAME) -> str:
    """Cut a long name in its middle, since names of a kind often differ at their ends."""
    if len(name) <= longest:
        return name
    end = (longest - 1) // 2
    return f"{name[: longest - 1 - end]}…{name[-end:]}"


def forest(
    names: Iterable[str],
    values: Iterable[float],
    digits: str,
    words: Words,
    pitch: float = 0.22,
    below: float = 0.5,
) -> Axes:
    """Give axes with one row per name from the top down, its value in figures on the right.

    The rows stand at y = 0, 1, 2 and so on. Names too long for the margin stand above their row.

    Parameters
    ----------
    names, values : iterable of str and of float
    digits : str
        Format of the values, such as ``.3f``.
    words : mapping
    pitch : float
        Height of a row, in inches; with names above their rows it is more.
    below : float
        Height of what is not rows, in inches.
    """
    names = list(names)
    long = max(map(len, names), default=0) > LONGEST_NAME
    pitch += 0.18 * long
    height = below + pitch * max(len(names), 1)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    edge = axes.get_yaxis_transform()
    above = 0.7 if long else 0.5  # of a row, above its middle
    for y, (name, value) in enumerate(zip(names, values, strict=True)):
        ground = BAND if y % 2 else "white"
        axes.axhspan(y - above, y + 1 - above, color=ground, linewidth=0, zorder=0)
        text = number(value, digits, words)
        axes.text(1.02, y, text, transform=edge, va="center", size=8)
        if long:
            name = short(name, LONGEST_LABEL)
            axes.text(
                0.01,
                y - above + 0.06,
                name,
                transform=edge,
                va="top",
                size=8,
                bbox={"facecolor": ground, "edgecolor": "none", "pad": 0.8},  # over grid lines
            )
    axes.set_yticks(range(len(names)), [""] * len(names) if long else names)
    axes.set_ylim(max(len(names), 1) - above, -above)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)))
    number_ticks(axes.xaxis, words)
    return axes


def interval(
    axes: Axes,
    y: float,
    value: float,
    low: float,
    high: float,
    marker: str,
    colour: str = COLOURS[0],
    hollow: bool = False,
) -> None:
    """Draw a value with its interval on a row of a forest plot, hollow where it shows nothing."""
    axes.plot([low, high], [y, y], color=colour, linewidth=1.5, solid_capstyle="butt")
    face = "white" if hollow else colour
    axes.plot([value], [y], color=colour, marker=marker, markersize=4.5, markerfacecolor=face)


def handle(label: str, color: str = COLOURS[0], **look) -> Line2D:
    """Give what a legend shows beside a label."""
    return Line2D([], [], color=color, markersize=5, label=label, **look)
