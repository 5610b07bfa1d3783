"""Draw the house, from the code's imports: stages from left to right, and the rooms they use.

Run ``python docs/house.py`` from the project's root; it writes docs/house.svg.
"""

import ast
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import yaml
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from brain_mri.report.drawing import STYLE, svg
from brain_mri.storage import write_text

ROOT = Path(__file__).parent.parent
ROOMS = ("phantom", "data", "models", "assessment", "use", "report")
BELOW = (
    "params · storage · gallery · parallel · console · errors"  # which every stage or room may use
)
WIDTH, BOX = 11.0, 0.42  # inches


def rooms_of(module: Path) -> set[str]:
    """Give the rooms that a module imports from."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("brain_mri"):
            parts = node.module.split(".")[1:] or [alias.name for alias in node.names]
            found |= {parts[0]} & set(ROOMS)
    return found


def draw() -> str:
    """Give the drawing as SVG."""
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    stages = list(pipeline["stages"])
    uses = {name: rooms_of(ROOT / f"stages/{name}.py") for name in stages}
    step, room_step = WIDTH / len(stages), WIDTH / len(ROOMS)
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, 3.4))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(3.4, 0))
        axes.set_axis_off()
        axes.text(0.08, 0.16, "stages/, from left to right", color="#555555", size=8)
        axes.text(0.08, 1.86, "brain_mri/", color="#555555", size=8)
        tops = {name: (step * (place + 0.5), 0.32) for place, name in enumerate(stages)}
        below = {name: (room_step * (place + 0.5), 2.0) for place, name in enumerate(ROOMS)}
        for name, rooms in uses.items():
            for room in rooms:
                (x, y), (to_x, to_y) = tops[name], below[room]
                axes.plot([x, to_x], [y + BOX, to_y], color="#9db8cf", linewidth=0.9, zorder=0)
        for (one, (x, y)), other in zip(tops.items(), [*stages[1:], None], strict=True):
            _box(axes, x, y, step - 0.16, one, "#cfe3f5")
            if other:
                edge = x + step / 2
                ends = {"xy": (edge + 0.08, y + BOX / 2), "xytext": (edge - 0.08, y + BOX / 2)}
                axes.annotate("", **ends, arrowprops={"arrowstyle": "-|>", "color": "#777777"})
        for room, (x, y) in below.items():
            _box(axes, x, y, room_step - 0.3, room, "#cdebdd")
        _box(axes, WIDTH / 2, 2.72, WIDTH - 0.3, BELOW, "#eeeeee")
        return svg(figure)


def _box(axes, x: float, y: float, width: float, text: str, fill: str) -> None:
    look = {"boxstyle": "round,pad=0,rounding_size=0.05", "edgecolor": "#777777", "linewidth": 0.6}
    axes.add_patch(FancyBboxPatch((x - width / 2, y), width, BOX, facecolor=fill, **look))
    axes.text(x, y + BOX / 2, text, ha="center", va="center")


if __name__ == "__main__":
    write_text(ROOT / "docs/house.svg", draw())
