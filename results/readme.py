"""Write the figures of README and docs/studies.md from the real runs beside this file.

Run ``python results/readme.py`` from the project's root.
"""

import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
from table import write

HERE = Path(__file__).parent
RUNS = ("sartaj-128-keep", "sartaj-128-drop")
NO_MODELS = {"look_up": "*look-up*", "majority": "*majority class*"}

# As the origin study printed them; it reports no figures for the other models.
STUDY = {
    "model_1": {"accuracy": 0.6701, "f1": 0.623519},
    "model_2": {"accuracy": 0.664975, "f1": 0.623227},
    "model_3": {"accuracy": 0.2538, "f1": 0.102756},
}


def comparison(run: str) -> dict:
    """Read every figure of a run's models."""
    return json.loads((HERE / run / "comparison/figures.json").read_text(encoding="utf-8"))


def table() -> str:
    """Give the comparison with the study as a Markdown table, accuracy / weighted F1."""
    keep, drop = (comparison(run)["classifiers"] for run in RUNS)
    lines = [
        "| model | the study | ours, leak kept | ours, leak dropped "
        "| leak kept: images with / without a twin |",
        "|---|---|---|---|---|",
    ]
    for name in keep:
        study = STUDY.get(name)
        parts = (keep[name][part] for part in ("with_twin_accuracy", "without_twin_accuracy"))
        cells = [
            NO_MODELS.get(name, name),
            f"{study['accuracy']:.3f} / {study['f1']:.3f}" if study else "not reported",
            *(
                f"{_with_interval(run[name]['accuracy'])} / {run[name]['weighted_f1']['value']:.3f}"
                for run in (keep, drop)
            ),
            " / ".join(f"{part['value']:.3f}" for part in parts),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _with_interval(found: dict) -> str:
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def studies() -> str:
    """Give the answers of the studies on the real set, as their reports word them."""
    parts = []
    for name in ("balancing", "activation"):
        folder = f"sartaj-64-{name}"
        title, rest = (HERE / folder / "report.md").read_text(encoding="utf-8").split("\n", 1)
        what, rest = rest.split("## Answer\n", 1)
        answer = rest.split("\n![", 1)[0].strip()
        parts.append(f"**{title.removeprefix('# ')}** {what.strip()}\n\n{answer}\n")
    return "\n".join(parts)


def audit() -> str:
    """Tell what the audit of the set found, in a sentence."""
    path = HERE / "sartaj-128-drop/audit/findings.json"
    found = json.loads(path.read_text(encoding="utf-8"))
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
    keep, drop = (comparison(run)["classifiers"] for run in RUNS)
    models = [name for name in keep if name not in NO_MODELS]
    best = max(models, key=lambda name: keep[name]["accuracy"]["value"])

    def share(run: dict, measure: str) -> str:
        return f"{run[best][measure]['value']:.1%}"

    images = pd.read_csv(HERE / "sartaj-manifest.csv")  # the audit's, one row per file
    images = images[images["accepted"]]
    testing, training = (images[images["split"] == split] for split in ("Testing", "Training"))
    twin = testing["cluster"].isin(training["cluster"])
    counts = Counter(testing.loc[~twin, "class"])
    classes = [f"{count} {name}" for name, count in counts.most_common()]
    return (
        f"Trained as published, {best} is right on {share(keep, 'accuracy')} of Testing: "
        f"on {share(keep, 'with_twin_accuracy')} of the {twin.sum()} images that have a twin in "
        f"Training, and on {share(keep, 'without_twin_accuracy')} of the {(~twin).sum()} that have "
        f"none. With those twins out of Training it is right on {share(drop, 'accuracy')} of all "
        "Testing images. "
        f"The images without a twin are {', '.join(classes)}.\n\n"
        + "\n".join(map(_answer, RUNS))
        + "\n"
    )


def _answer(run: str) -> str:
    """Tell which model a run recommends, and which beat the look-up of a training image."""
    found = comparison(run)
    name, classifiers = found["recommended"]["model"], found["classifiers"]
    models = [model for model in classifiers if model not in NO_MODELS]
    ahead = [model for model in models if classifiers[model]["beats_look_up"]]
    return (
        f"- Leak {'kept' if run.endswith('keep') else 'dropped'}: validation recommends {name}, "
        f"accuracy {_with_interval(classifiers[name]['accuracy'])} on Testing; a look-up of the "
        f"most similar training image has {_with_interval(classifiers['look_up']['accuracy'])}. "
        f"Shown to beat it: {', '.join(ahead) or 'no model'}."
    )


PARTS = {
    "README.md": {"audit": audit, "results": table, "meaning": meaning},
    "docs/studies.md": {"studies": studies},
}

if __name__ == "__main__":
    write(PARTS, "results/readme.py")
