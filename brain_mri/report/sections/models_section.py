"""What the models are made of, and what their training took."""

import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from brain_mri.report.drawing import STYLE, Words, svg, whole
from brain_mri.report.pictures import read_gallery
from brain_mri.report.reading import Reports
from brain_mri.storage import read_json, read_table

WIDTH, ROW, GAP = 4.5, 0.27, 0.09  # inches: of the drawing, a box, the arrow between two

# By what a kind of layer has in its name; the first that fits. The rest is grey.
FILLS = {"Conv": "#cfe3f5", "Pool": "#fbe3c0", "Dense": "#cdebdd", "Functional": "#ead7ea"}


def content(reports: Reports) -> dict:
    """Give each model's layers, drawn, and the seconds of its training."""
    return {
        "seconds": {name: _seconds(reports, name) for name in reports.models},
        "architectures": {
            name: architecture(_layers(reports, name), reports.words) for name in reports.models
        },
        "augmented": {name: seen for name in reports.models if (seen := _seen(reports, name))},
    }


def _seconds(reports: Reports, name: str) -> float | None:
    """Read how long this machine's last training took, where there was one."""
    path = reports.folder / f"timing/{name}.json"
    return read_json(path)[name]["seconds"] if path.exists() else None


def _seen(reports: Reports, name: str) -> list[dict]:
    """Give the pictures of a slice as a network saw it; none where it saw it as it is."""
    folder = reports.folder / f"pictures/augmented/{name}"
    return read_gallery(folder, ["path", "class"], numbers=["epoch"]).to_dict("records")


def _layers(reports: Reports, name: str) -> pd.DataFrame:
    path = reports.folder / f"layers/{name}.csv"
    return read_table(path, ["name", "kind", "shape"], numbers=["parameters"])


def architecture(layers: pd.DataFrame, words: Words) -> str:
    """Draw a model as a column of boxes, from its input down.

    Parameters
    ----------
    layers : DataFrame
        One row per layer: ``name``, ``kind``, ``shape`` of the output as ``64x64x1``,
        ``parameters``.
    words : mapping of str
        Of the figures, in a language.

    Returns
    -------
    str
        SVG.
    """
    pitch = ROW + GAP
    height = (len(layers) + 2) * pitch
    with style.context(STYLE, after_reset=True):  # whatever the user's own matplotlibrc says
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
        axes.set_axis_off()
        heads = (words["layer"], words["output"], words["parameters"])
        _row(axes, pitch / 2, heads, color="#555555", size=8)
        for place, layer in enumerate(layers.to_dict("records"), start=1):
            top = place * pitch
            if place > 1:
                arrow = {"arrowstyle": "-|>,head_width=0.14,head_length=0.2", "color": "#777777"}
                ends = {"xy": (0.5, top), "xytext": (0.5, top - GAP)}
                axes.annotate("", **ends, arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0})
            axes.add_patch(_box(top, layer["kind"]))
            shape = layer["shape"].replace("x", "\N{MULTIPLICATION SIGN}")
            _row(axes, top + ROW / 2, (_label(layer), shape, whole(layer["parameters"], words)))
        total = whole(layers["parameters"].sum(), words)
        _row(axes, height - pitch / 2, (words["all_layers"], "", total), weight="bold")
        return svg(figure)


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
