"""Write README's figures of the real run from the reports committed beside this file.

Run ``python docs/results/table.py`` from the project's root.
"""

import csv
import json
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parent.parent / "README.md"
START, END = "<!-- {}: docs/results/table.py -->\n", "<!-- end of {} -->"

# As the origin study printed them; it reports no figures for the other models.
STUDY = {
    "model_1": {"accuracy": 0.6701, "f1": 0.623519},
    "model_2": {"accuracy": 0.664975, "f1": 0.623227},
    "model_3": {"accuracy": 0.2538, "f1": 0.102756},
}


def metrics(run: str) -> dict[str, dict]:
    """Read the metrics of every model of a run, by the model's name."""
    found = {}
    for path in sorted((HERE / run).glob("*/metrics.json")):
        found |= json.loads(path.read_text(encoding="utf-8"))
    return found


def table() -> str:
    """Give the comparison with the study as a Markdown table, accuracy / weighted F1."""
    keep, drop = metrics("sartaj-128-keep"), metrics("sartaj-128-drop")
    lines = [
        "| model | the study | ours, leak kept | ours, leak dropped "
        "| leak kept: images with / without a twin |",
        "|---|---|---|---|---|",
    ]
    for name in keep:
        study = STUDY.get(name)
        cells = [
            name,
            f"{study['accuracy']:.3f} / {study['f1']:.3f}" if study else "not reported",
            *(
                f"{run[name]['accuracy']:.3f} / {run[name]['weighted']['f1']:.3f}"
                for run in (keep, drop)
            ),
            " / ".join(
                f"{keep[name][part]['accuracy']:.3f}"
                for part in ("with_twin_in_training", "without_twin_in_training")
            ),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def audit() -> str:
    """Tell what the audit of the set found, in a sentence."""
    path = HERE / "sartaj-128-drop" / "audit.json"
    found = json.loads(path.read_text(encoding="utf-8"))["audit"]
    same, testing = found["identical_across"], found["images"]["Testing"]["all"]
    leaked, conflicts = found["twins"]["testing_with_twin_in_training"], found["label_conflicts"]
    return (
        f"Of {testing} Testing images, {same['files']} are byte for byte a Training image, "
        f"{same['pixels']} decode to the same pixels, and **{leaked} ({leaked / testing:.0%}) show "
        f"the same slice**, be it re-encoded, rescaled, cropped or padded. "
        f"{conflicts['clusters']} slices carry two labels, on {conflicts['images']} images.\n"
    )


def meaning() -> str:
    """Tell what the leak does to the model that looks best with it."""
    keep, drop = metrics("sartaj-128-keep"), metrics("sartaj-128-drop")
    best = max(keep, key=lambda name: keep[name]["accuracy"])
    twin, new = (keep[best][part] for part in ("with_twin_in_training", "without_twin_in_training"))
    with (HERE / "sartaj-manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["accepted"] == "True"]
    training = {row["cluster"] for row in rows if row["split"] == "Training"}
    counts = Counter(
        row["class"] for row in rows if row["split"] == "Testing" and row["cluster"] not in training
    )
    classes = [f"{count} {name}" for name, count in counts.most_common()]
    return (
        f"Trained as published, {best} is right on {keep[best]['accuracy']:.1%} of Testing: on "
        f"{twin['accuracy']:.1%} of the {twin['images']} images that have a twin in Training, and "
        f"on {new['accuracy']:.1%} of the {new['images']} that have none. With those twins out of "
        f"Training it is right on {drop[best]['accuracy']:.1%} of all Testing images. "
        f"The images without a twin are {', '.join(classes)}.\n"
    )


def main() -> None:
    """Replace the figures in README."""
    text = README.read_text(encoding="utf-8")
    for name, content in (("audit", audit()), ("results", table()), ("meaning", meaning())):
        start, end = START.format(name), END.format(name)
        before, rest = text.split(start)
        text = before + start + content + end + rest.split(end)[1]
    README.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
