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
from table import markdown, write

HERE = Path(__file__).parent
RUNS = {
    "leak kept": "sartaj-128-keep",
    "twins dropped": "sartaj-128-drop",
    "patients dropped": "sartaj-128-patients",  # and twins
}
FOLDS = "sartaj-128-folds"
CONTENDERS = "sartaj-224-contenders"
BY_CLUSTER = "sartaj-128-folds-by-cluster"
FIGSHARE = "figshare-128-folds"
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


def folds(run: str = FOLDS) -> dict:
    """Read every figure of a study of folds."""
    return json.loads((HERE / run / "figures.json").read_text(encoding="utf-8"))


def table() -> str:
    """Give the comparison with the study as a Markdown table: accuracy by what is tested."""
    runs = [comparison(run)["classifiers"] for run in RUNS.values()]
    found = comparison(CONTENDERS)["classifiers"]
    runs[-1] = runs[-1] | {"efficientnet": found["efficientnet"]}
    runs.append(folds()["classifiers"])
    rows = []
    for name in sorted(runs[-2], key=list(NO_MODELS).count):  # models first
        study = f"{STUDY[name]['accuracy']:.3f}" if name in STUDY else ""
        cells = [_with_interval(run[name]["accuracy"]) if name in run else "" for run in runs]
        rows.append([NO_MODELS.get(name, name), study, *cells])
    tested = [*(f"Testing, {name}" for name in RUNS), "folds by patient"]
    return markdown(["model", "the study", *tested], rows)


def sources() -> str:
    """Count the images of the public set that are slices of figshare's set, as a Markdown table."""
    images = pd.read_csv(HERE / "sartaj-manifest.csv")
    known = pd.read_csv(HERE.parent / "data/sartaj-patients.csv")["path"]
    classes = sorted(images["class"].unique())
    rows = []
    for split in ("Training", "Testing"):
        cells = []
        for name in classes:
            own = images.loc[(images["split"] == split) & (images["class"] == name), "path"]
            cells.append(f"{own.isin(known).sum()} of {len(own)}")
        rows.append([split, *cells])
    return markdown(["images that are figshare's", *classes], rows)


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
    parts = {
        "patient known": "known_patient_accuracy",
        "patient unknown": "unknown_patient_accuracy",
    }
    return _folds_table(FOLDS, {"accuracy": "accuracy", "macro F1": "macro_f1"} | parts)


def _folds_table(run: str, measures: dict[str, str]) -> str:
    """Give measures, by their heading, of a study of folds as a Markdown table."""
    found = folds(run)
    rows = [
        [
            NO_MODELS.get(name, name),
            *(_with_interval(figures[measure]) for measure in measures.values()),
            _gap(found["gaps"].get(name)),
        ]
        for name, figures in found["classifiers"].items()
    ]
    return markdown(["model", *measures, "validation less test"], rows)


def recipes() -> str:
    """Give the recipes that were tried, best first, as a Markdown table."""
    tried = pd.read_csv(HERE / "recipes.csv", keep_default_na=False)
    what = ["net", "other", "size", "epochs", "batch"]
    found = tried.groupby(what)["accuracy_mirrored"].agg(["mean", "min", "max"]).reset_index()
    found["net"] += found["other"].where(found["other"] == "", ", " + found["other"])
    rows = []
    for each in found.sort_values("mean", ascending=False).itertuples():
        spread = f"{each.mean:.3f} [{each.min:.3f}, {each.max:.3f}]"
        rows.append([each.net, each.size, each.epochs, each.batch, spread])
    return markdown(["network", "pixels", "epochs", "batch", "validation"], rows)


def by_cluster() -> str:
    """Give what is answered right in folds by twin cluster and by patient, as a Markdown table."""
    runs = folds(BY_CLUSTER), folds()
    rows = [
        [
            NO_MODELS.get(name, name),
            *(_with_interval(run["classifiers"][name]["accuracy"]) for run in runs),
            *(_gap(run["gaps"].get(name)) for run in runs),
        ]
        for name in runs[0]["classifiers"]
    ]
    header = ["model", "folds by twin cluster", "folds by patient"]
    return markdown([*header, "validation less test, by cluster", "by patient"], rows)


def figshare() -> str:
    """Give the folds of figshare's three tumours as a Markdown table."""
    return _folds_table(FIGSHARE, {"accuracy": "accuracy", "macro F1": "macro_f1"})


def _gap(found: dict | None) -> str:
    return f"{found['gap']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]" if found else ""


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
    keep, drop, *_ = (comparison(run)["classifiers"] for run in RUNS.values())
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
    answered = RUNS | {"patients dropped": CONTENDERS}
    return (
        f"Trained as published, {best} is right on {share(keep, 'accuracy')} of Testing: "
        f"on {share(keep, 'with_twin_accuracy')} of the {twin.sum()} images that have a twin in "
        f"Training, and on {share(keep, 'without_twin_accuracy')} of the {(~twin).sum()} that have "
        f"none. With those twins out of Training it is right on {share(drop, 'accuracy')} of all "
        "Testing images. "
        f"The images without a twin are {', '.join(classes)}.\n\n"
        + "\n".join(_answer(said, comparison(run)) for said, run in answered.items())
        + "\n"
        + _folds_answer()
    )


def contenders() -> str:
    """Tell how good the best contender is, on Testing and by patient, and beside what."""
    found, by_fold = comparison(CONTENDERS), folds()
    name, classifiers = "efficientnet", by_fold["classifiers"]
    paths = sorted((HERE / CONTENDERS / "seeds").glob("*/metrics/efficientnet.json"))
    seeds = [json.loads(path.read_text(encoding="utf-8"))[name]["accuracy"] for path in paths]
    times = [path.parents[1] / "timing/efficientnet.json" for path in paths]
    minutes = [json.loads(p.read_text(encoding="utf-8"))[name]["seconds"] / 60 for p in times]
    beside = by_fold["pairs"][f"model_1 - {name}"]["accuracy"]
    p, ahead = beside["p_holm"], -beside["value"]
    return (
        "- On Testing without twins and patients: accuracy "
        f"{_with_interval(found['classifiers'][name]['accuracy'])}; by seed "
        f"{', '.join(f'{each:.3f}' for each in seeds)}, mean {sum(seeds) / len(seeds):.3f}; "
        f"{_references(name, found['classifiers'])}\n"
        f"- In folds by patient: accuracy {_with_interval(classifiers[name]['accuracy'])}; "
        f"{_references(name, classifiers)} Above model_1 by {ahead:.3f} "
        f"[{-beside['high']:.3f}, {-beside['low']:.3f}], p = {p:.4f} after Holm. Validation less "
        f"test: {_gap(by_fold['gaps'][name])}.\n"
        f"- One training on two cores takes {min(minutes):.0f} minutes at 224 pixels.\n"
    )


def by_class() -> str:
    """Give the best contender's recall in folds by patient, by class and origin, as a table."""
    figures = folds()["classifiers"]["efficientnet"]
    rows = [
        [f"recall of {label}", _with_interval(found["recall"])]
        for label, found in figures["per_class"].items()
    ]
    for known in ("known", "unknown"):
        found = figures[f"{known}_patient_accuracy"]
        rows.append([f"accuracy, patient {known}", _with_interval(found)])
    return markdown(["efficientnet in folds by patient", ""], rows)


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
        f"Validation less test: {_gap(gap)}.\n"
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
    "docs/contenders.md": {**{"recipes": recipes, "contenders": contenders, "by_class": by_class}},
    "docs/patients.md": {
        **{"sources": sources, "header": header, "folds": by_patient},
        **{"by_cluster": by_cluster, "figshare": figshare},
    },
}

if __name__ == "__main__":
    write(PARTS, "results/readme.py")
