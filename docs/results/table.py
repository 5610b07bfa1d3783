"""Write the figures of README and of the documents from what is committed beside this file.

Run ``python docs/results/table.py`` from the project's root.
"""

import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RUNS = ("sartaj-128-keep", "sartaj-128-drop")
NO_MODELS = {"look_up": "*look-up*", "majority": "*majority class*"}
START, END = "<!-- {}: {} -->\n", "<!-- end of {} -->"

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


def tolerances() -> str:
    """Give by how much a model differs that was trained in another way, as a Markdown table."""
    lines = [
        "| model | trained | compared with | same bytes | accuracy | same answers "
        "| largest difference of a probability |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in pd.read_csv(HERE / "tolerances.csv").itertuples():
        lines.append(
            f"| {row.model} | {row.way} | {row.compared_with} "
            f"| {'yes' if row.same_bytes else 'no'} | {row.accuracy:.3f} "
            f"| {row.same_answers:.1%} | {row.largest_difference:.3f} |"
        )
    return "\n".join(lines) + "\n"


def load() -> str:
    """Give what each stage took on 20,000 images, as a Markdown table."""
    lines = [
        "| stage | clock, s | processors, s | cores busy | left idle by all | peak memory, MB |",
        "|---|---|---|---|---|---|",
    ]
    for row in pd.read_csv(HERE / "load.csv").itertuples():
        lines.append(
            f"| {row.stage} | {row.seconds:.0f} | {row.cpu_seconds:.0f} | {row.busy:.0%} "
            f"| {row.idle:.0%} | {row.peak_mb:.0f} |"
        )
    return "\n".join(lines) + "\n"


def probe() -> str:
    """Give what the probe of signals costs, as a Markdown table."""
    lines = ["| model | pairs | longer with it, median | from | to |", "|---|---|---|---|---|"]
    for name, rows in pd.read_csv(HERE / "probe_cost.csv").groupby("model"):
        more = rows["with"] / rows["without"] - 1
        found = " | ".join(f"{share:+.1%}" for share in (more.median(), more.min(), more.max()))
        lines.append(f"| {name} | {len(rows)} | {found} |")
    return "\n".join(lines) + "\n"


def large_set() -> str:
    """Give what each stage took on large sets, as a Markdown table, and how memory grows."""
    rows = pd.read_csv(ROOT / "benchmarks/results/large_set.csv")
    lines = [
        "| images | stage | clock, s | processors, s | memory of its own, MB "
        "| asked for by one process, MB | pages of files, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows.itertuples():
        lines.append(
            f"| {row.images:,} | {row.stage} | {row.seconds} | {row.cpu_seconds} | {row.peak_mb} "
            f"| {row.data_mb} | {row.mapped_mb} |"
        )
    grown = []
    for stage, own in rows.groupby("stage", sort=False):
        low, high = own.iloc[0], own.iloc[-1]
        if high["images"] > low["images"]:
            each = (high["peak_mb"] - low["peak_mb"]) * 1e3 / (high["images"] - low["images"])
            grown.append(f"{max(each, 0):.1f} KB in {stage}")
    audits = rows[rows["stage"] == "audit"]
    found = [
        f"{row.found:.0f} of {row.planted:.0f} planted twins and {row.others:.0f} others among "
        f"{row.images:,} images"
        for row in audits.itertuples()
    ]
    said = [f"The largest set measured so far is of {rows['images'].max():,} images."]
    if grown:
        said.append(f"From the smallest to it, memory grew by {', '.join(grown)} an image.")
    said.append(f"The audit found {'; '.join(found)}.")
    return "\n".join(lines) + "\n\n" + " ".join(said) + "\n"


def twin_search() -> str:
    """Give what both ways of searching twins take and find, as a Markdown table."""
    lines = [
        "| set | images | registered | one core, s | memory, MB | pairs | slices "
        "| twins together | same clusters |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in pd.read_csv(ROOT / "benchmarks/results/twin_search.csv").itertuples():
        lines.append(
            f"| {row.set} | {row.images:,} "
            f"| {'all proposed' if row.way == 'exact' else 'the nearest'} | {row.cpu_seconds} "
            f"| {row.peak_mb} | {row.pairs:,} | {row.clusters:,} | {row.recall:.1%} "
            f"| {'yes' if row.same_clusters else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def twin_search_beyond() -> str:
    """Give what the twin search would take on larger sets like the public one, as a table."""
    rows = pd.read_csv(ROOT / "benchmarks/results/twin_search.csv")
    row = rows[(rows["set"] == "public set") & (rows["way"] == "exact")].iloc[0]
    product = row["product_ns"] / 1e9
    share = row["proposed"] / (4 * row["images"] ** 2 / 2)
    registered = (row["cpu_seconds"] - product * 2 * row["images"] ** 2) / row["proposed"]
    lines = [
        f"There, the product took {row['product_ns']:.0f} ns a pair and way, 1 pair in "
        f"{1 / share:.0f} was registered, and that took {registered * 1e6:.0f} µs (all else "
        "counted with it). So sets like it would take, in hours of one core:",
        "",
        "| images | all that correlate | the nearest 32 | on disk meanwhile |",
        "|---|---|---|---|",
    ]
    for power in range(4, 8):
        count = 10**power
        exact = 2 * count**2 * (product + share * registered)
        nearest = 4 * count * (count * product + 32 * registered)
        lines.append(
            f"| {count:,} | {exact / 3600:,.2f} | {nearest / 3600:,.2f} "
            f"| {18 * count / 1e6:,.1f} GB |"
        )
    return "\n".join(lines) + "\n"


PARTS = {
    "README.md": {"audit": audit, "results": table, "meaning": meaning, "studies": studies},
    "docs/results/README.md": {"probe": probe},
    "docs/scaling.md": {
        "large_set": large_set,
        "twin_search": twin_search,
        "twin_search_beyond": twin_search_beyond,
    },
    "docs/reliability.md": {"tolerances": tolerances, "load": load},
}


def write(documents: dict, script: str) -> None:
    """Replace the figures in every document, between marks that name them; print them too."""
    for document, parts in documents.items():
        path = ROOT / document
        text = path.read_text(encoding="utf-8")
        for name, give in parts.items():
            start, end = START.format(name, script), END.format(name)
            before, rest = text.split(start)
            figures = give()
            print(f"{document}, {name}:\n\n{figures}")
            text = before + start + figures + end + rest.split(end)[1]
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(PARTS, "docs/results/table.py")
