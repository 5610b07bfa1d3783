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
RUNS = {"leak kept": "sartaj-128-keep", "twins dropped": "sartaj-128-drop"}
FOLDS = HERE / "sartaj-128-folds"
NO_MODELS = {
    "look_up": "*look-up*",
    "majority": "*majority class*",
    "header": "*file header*",
    "statistics": "*brightness*",
}

# As the origin study printed them; it reports no figures for the other models.
STUDY = {
    "model_1": {"accuracy": 0.6701, "f1": 0.623519},
    "model_2": {"accuracy": 0.664975, "f1": 0.623227},
    "model_3": {"accuracy": 0.2538, "f1": 0.102756},
}


def comparison(run: str) -> dict:
    """Read every figure of a run's models."""
    return json.loads((HERE / run / "comparison/figures.json").read_text(encoding="utf-8"))


def folds() -> dict:
    """Read every figure of the folds by patient."""
    return json.loads((FOLDS / "figures.json").read_text(encoding="utf-8"))


def table() -> str:
    """Give the comparison with the study as a Markdown table: accuracy by what is tested."""
    runs = [comparison(run)["classifiers"] for run in RUNS.values()]
    by_patient = folds()["classifiers"]
    names = "".join(f" | Testing, {name}" for name in RUNS)
    lines = [
        f"| model | the study{names} | leak kept: with / without a twin | folds by patient |",
        "|---|" + "---|" * (len(RUNS) + 3),
    ]
    for name in runs[0]:
        study = STUDY.get(name)
        parts = (runs[0][name][part] for part in ("with_twin_accuracy", "without_twin_accuracy"))
        cells = [
            NO_MODELS.get(name, name),
            f"{study['accuracy']:.3f}" if study else "not reported",
            *(_with_interval(run[name]["accuracy"]) for run in runs),
            " / ".join(f"{part['value']:.3f}" for part in parts),
            _with_interval(by_patient[name]["accuracy"]) if name in by_patient else "not run",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def sources() -> str:
    """Count the images of the public set that are slices of figshare's set, as a Markdown table."""
    images = pd.read_csv(HERE / "sartaj-manifest.csv")
    known = pd.read_csv(HERE.parent / "data/sartaj-patients.csv")["path"]
    classes = sorted(images["class"].unique())
    lines = [
        f"| images that are figshare's | {' | '.join(classes)} |",
        "|---|" + "--:|" * len(classes),
    ]
    for split in ("Training", "Testing"):
        cells = []
        for name in classes:
            own = images.loc[(images["split"] == split) & (images["class"] == name), "path"]
            cells.append(f"{own.isin(known).sum()} of {len(own)}")
        lines.append(f"| {split} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def header() -> str:
    """Tell what files' headers give away of the public set, in two sentences."""
    run = RUNS["leak kept"]
    tumour = comparison(run)["header_tells_tumour"]
    shift = pd.read_csv(HERE / run / "comparison/shift.csv")
    areas = shift[shift["features"] == "header"].set_index("class")["auc"]
    return (
        f"Within Training a file's header alone tells a tumour from none with an AUC of "
        f"{_with_interval(tumour)}. It tells Testing from Training, class by class, with "
        f"{', '.join(f'{area:.3f} ({name})' for name, area in areas.items())}.\n"
    )


def by_patient() -> str:
    """Give the folds as a Markdown table: all images, known and unknown patients, validation."""
    found = folds()
    lines = [
        "| model | accuracy | macro F1 | patient known | patient unknown | validation less test |",
        "|---|---|---|---|---|---|",
    ]
    for name, figures in found["classifiers"].items():
        gap = found["gaps"].get(name)
        measures = ("accuracy", "macro_f1", "known_patient_accuracy", "unknown_patient_accuracy")
        cells = [NO_MODELS.get(name, name), *(_with_interval(figures[m]) for m in measures)]
        cells.append(f"{gap['gap']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]" if gap else "")
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
    keep, drop = (comparison(run)["classifiers"] for run in RUNS.values())
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
        + "\n".join(_answer(said, comparison(run)) for said, run in RUNS.items())
        + "\n"
        + _folds_answer()
    )


def _answer(said: str, found: dict) -> str:
    """Tell which model a run recommends, and which beat what needs no model."""
    name, classifiers = found["recommended"]["model"], found["classifiers"]
    return (
        f"- Testing, {said}: validation recommends {name}, accuracy "
        f"{_with_interval(classifiers[name]['accuracy'])}; {_references(name, classifiers)}"
    )


def _folds_answer() -> str:
    found = folds()
    name, classifiers = found["recommended"], found["classifiers"]
    gap = found["gaps"][name]
    return (
        f"- Folds by patient, {found['images']} images: validation recommends {name}, accuracy "
        f"{_with_interval(classifiers[name]['accuracy'])}; {_references(name, classifiers)} "
        f"Validation less test: {gap['gap']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}].\n"
    )


def _references(name: str, classifiers: dict) -> str:
    """Tell which of what needs no model a model is shown to beat."""
    beats = classifiers[name]["beats"]
    ahead = [NO_MODELS[other] for other in beats if beats[other]]
    values = [f"{NO_MODELS[o]} {classifiers[o]['accuracy']['value']:.3f}" for o in beats]
    return f"{', '.join(values)}; shown to beat: {', '.join(ahead) or 'none'}."


PARTS = {
    "README.md": {"audit": audit, "results": table, "meaning": meaning},
    "docs/studies.md": {"studies": studies},
    "docs/patients.md": {"sources": sources, "header": header, "folds": by_patient},
}

if __name__ == "__main__":
    write(PARTS, "results/readme.py")
