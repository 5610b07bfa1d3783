"""The drawing of a model's layers, and how every figure becomes SVG."""

from io import StringIO
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from stages.storage import write_text

STYLE = {
    "svg.hashsalt": "stages.reporting",  # ids are random without one
    # Text stays text: it can be searched and copied, and a character that matplotlib's own font
    # lacks is still shown. The layout comes from that font, so bytes do not depend on the machine.
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.parse_math": False,  # a class may have a $ in its name
    "text.color": "#222222",
}
WIDTH, ROW, GAP = 4.5, 0.27, 0.09  # inches: of the drawing, a box, the arrow between two

# By what a kind of layer has in its name; the first that fits. The rest is grey.
FILLS = {"Conv": "#cfe3f5", "Pool": "#fbe3c0", "Dense": "#cdebdd", "Functional": "#ead7ea"}


def draw_architecture(path: str | Path, layers: list[dict]) -> None:
    """Draw a model as a column of boxes, from its input down.

    Parameters
    ----------
    path : str or Path
        The SVG to write.
    layers : list of dict
        ``name``, ``kind``, ``shape`` (sides of the output, without the batch), ``parameters``.
    """
    pitch = ROW + GAP
    height = (len(layers) + 2) * pitch
    with style.context(STYLE, after_reset=True):  # whatever the user's own matplotlibrc says
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
        axes.set_axis_off()
        _row(axes, pitch / 2, ("layer", "output", "parameters"), color="#555555", size=8)
        for place, layer in enumerate(layers, start=1):
            top = place * pitch
            if place > 1:
                arrow = {"arrowstyle": "-|>,head_width=0.14,head_length=0.2", "color": "#777777"}
                ends = {"xy": (0.5, top), "xytext": (0.5, top - GAP)}
                axes.annotate("", **ends, arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0})
            axes.add_patch(_box(top, layer["kind"]))
            shape = "\N{MULTIPLICATION SIGN}".join(
                "?" if side is None else str(side) for side in layer["shape"]
            )
            _row(axes, top + ROW / 2, (_label(layer), shape, f"{layer['parameters']:,}"))
        total = sum(layer["parameters"] for layer in layers)
        _row(axes, height - pitch / 2, ("all layers", "", f"{total:,}"), weight="bold")
        write_text(path, svg(figure))


def svg(figure: Figure) -> str:
    """Give a figure as SVG whose bytes depend on the figure alone; call it while STYLE holds."""
    text = StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # neither time nor version
    figure.savefig(text, format="svg", metadata=nothing)
    return text.getvalue()


def _label(layer: dict) -> str:
    """Name a layer by its kind; a model within the model by its name."""
    return layer["name"] if layer["kind"] == "Functional" else layer["kind"]


def _box(top: float, kind: str) -> FancyBboxPatch:
    fill = next((fill for part, fill in FILLS.items() if part in kind), "#eeeeee")
    return FancyBboxPatch(
        (0.05, top),
        WIDTH - 0.1,
        ROW,
        boxstyle="round,pad=0,rounding_size=0.05",
        facecolor=fill,
        edgecolor="#777777",
        linewidth=0.6,
    )


def _row(axes, y: float, words: tuple[str, str, str], **look) -> None:
    places = ((0.15, "left"), (3.4, "right"), (WIDTH - 0.15, "right"))
    for word, (x, side) in zip(words, places, strict=True):
        axes.text(x, y, word, ha=side, va="center", **look)
