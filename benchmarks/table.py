"""Write the figures of docs/, and the picture of docs/performance.md, from benchmarks/readings.

Run ``python benchmarks/table.py`` from the project's root; `make bench` does so.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from training import BATCH, CLASSES, LAYERS, operations

from brain_mri.assessment.replicates import student

ROOT = Path(__file__).parent.parent
READINGS = ROOT / "benchmarks/readings"
LEAST_SHARE = 0.01  # of the time of all layers, for a layer to be listed
START, END = "<!-- {}: {} -->\n", "<!-- end of {} -->"


def read(name: str) -> pd.DataFrame:
    """Read the readings of one script."""
    return pd.read_csv(READINGS / f"{name}.csv")


def measured_last(readings: pd.DataFrame) -> pd.DataFrame:
    """Choose the readings of the type of processor that was measured last."""
    return readings[readings["processor"] == readings["processor"].iloc[-1]]


def _of_model_1(name: str) -> pd.DataFrame:
    """Read what a script read of model_1, on the type of processor that was measured last."""
    readings = read(name)
    return measured_last(readings[readings["network"] == "model_1"])


def in_columns(readings: pd.DataFrame, value: str) -> pd.DataFrame:
    """Give one column per way and one row per round, whose readings were made in turn."""
    return readings.pivot(index="round", columns="way", values=value)


def markdown(header: list[str], rows: list[list]) -> str:
    """Give a Markdown table, its first column to the left and the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def machine() -> str:
    """Say what training was measured on, by the newest instructions; all else on the last."""
    said = ""
    for kind, facts in json.loads((READINGS / "machines.json").read_text("utf-8")).items():
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        said += (
            f"- {kind}: {facts['device']}, {facts['threads']} threads, {facts['memory_gb']} GB; "
            f"instructions {', '.join(facts['instruction_set'])}; `precision: auto` takes "
            f"{facts['precision']} there. {versions}; peers: {facts['peers']}.\n"
        )
    return said


def training() -> str:
    """Compare the ways to train model_1."""
    readings = read("training")
    return _trained(readings[readings["network"] == "model_1"], ["processor"])


def contenders() -> str:
    """Compare the ways to train the other networks, and tell where a step of ours goes."""
    readings, table = (
        part[part["network"] != "model_1"] for part in map(read, ("training", "layers"))
    )
    ways = ["processor", "network"]
    seconds = table.pivot_table(index="kind", columns=ways, values="seconds", aggfunc="sum")
    shares = (seconds / seconds.sum()).fillna(0)
    shares = shares.loc[shares.max(axis=1).sort_values(ascending=False).index]
    rows = [
        [kind, *(f"{share:.0%}" for share in row)]
        for kind, row in shares.iterrows()
        if row.max() >= LEAST_SHARE
    ]
    header = ["kind of layer, each alone", *(", ".join(names) for names in shares)]
    return _trained(readings, ways) + "\n" + markdown(header, rows)


def normalising() -> str:
    """Compare batch normalisation as one operation with Keras's."""
    rows = []
    for names, readings in read("normalising").groupby(["processor", "network"], sort=False):
        rates = in_columns(readings, "images_per_second")
        medians = [f"{rates[way].median():.3g}" for way in ("as Keras makes it", "one operation")]
        rows.append([*names, *medians, _ratio(rates["one operation"] / rates["as Keras makes it"])])
    header = ["as Keras makes it, images/s", "one operation, images/s", "ratio"]
    return markdown(["processor", "network", *header], rows)


def depthwise() -> str:
    """Compare ways to the gradient of depthwise weights, in milliseconds."""
    what = ["processor", "channels", "side", "stride"]
    found = read("depthwise").pivot(index=what, columns="way", values="seconds")
    ways = ["tensorflow", "pairs", "shifts"]
    rows = [
        [kind, channels, f"{side} x {side}", stride, *(f"{row[way] * 1000:.0f}" for way in ways)]
        for (kind, channels, side, stride), row in found.sort_index(level="side").iterrows()
    ]
    return markdown(["processor", "channels", "maps", "stride", *(f"{w}, ms" for w in ways)], rows)


def ways() -> str:
    """Compare other ways to make an update of the recommended network with the way taken."""
    return _turns("ways", "as it is", "images_per_second", "images/s")


def _trained(table: pd.DataFrame, named: list[str]) -> str:
    rows = []
    for (*names, size), readings in table.groupby([*named, "size"], sort=False):
        rates = in_columns(readings, "images_per_second")
        others = [name for name in rates if name.startswith("pytorch")]
        best = rates[others].median().idxmax()
        rows.append(
            [
                *names,
                f"{size} x {size}",
                f"{rates['keras fit'].median():.3g}",
                f"{rates['ours'].median():.3g}",
                _ratio(rates["ours"] / rates["keras fit"]),
                f"{rates[best].median():.3g} ({best.removeprefix('pytorch ').replace('_', ' ')})",
                _ratio(rates["ours"] / rates[best]),
                f"{(rates['ours'] / rates['matmul']).median():.0%}",
                f"{(rates['ours'] / rates['reading']).median():.2%}",
            ]
        )
    return markdown(
        [
            *named,
            "images",
            "Keras `fit`, float32, images/s",
            "ours, images/s",
            "ours / Keras",
            "PyTorch's best, images/s",
            "ours / PyTorch",
            "share of the matrix product",
            "reading, share of a step",
        ],
        rows,
    )


def layers() -> str:
    """Tell what share of the time of all layers each takes, alone."""
    table = _of_model_1("layers")
    rates = _of_model_1("training").groupby(["size", "way"])["images_per_second"].median()
    sizes = table["size"].unique()
    seconds = table.pivot(index="layer", columns="size", values="seconds")
    shares = (seconds / seconds.sum()).reindex(table["layer"].unique())
    rows = [
        [name, *(f"{shares.loc[name, size]:.0%}" for size in sizes)]
        for name in shares.index[shares.max(axis=1) >= LEAST_SHARE]
    ]
    sums = [seconds[size].sum() * rates[size, "ours"] / BATCH for size in sizes]
    rows.append(["all, over a step of ours", *(f"{share:.0%}" for share in sums)])
    return markdown(["layer alone, forward and backward", *(f"{n} x {n}" for n in sizes)], rows)


def precision() -> str:
    """Compare what two precisions come to, over seeds."""
    rows = []
    for model, runs in read("precision").groupby("model"):
        accuracy = runs.pivot(index="seed", columns="precision", values="accuracy")
        mean, spread = accuracy.mean(), accuracy.std()
        differences = accuracy["mixed_bfloat16"] - accuracy["float32"]
        low, high, _ = student(differences.to_numpy())
        rows.append(
            [
                model,
                *(f"{mean[way]:.3f} ({spread[way]:.3f})" for way in accuracy),
                f"{differences.mean():+.3f} ({low:+.3f} to {high:+.3f})",
            ]
        )
    return markdown(["", *accuracy, "bfloat16 less float32"], rows)


def repro() -> str:
    """Tell where the seconds of the default pipeline go."""
    table, said = read("repro"), ""
    for kind, own in table.groupby("processor", sort=False):
        whole, compute = own["process"].sum(), own["compute"].sum()
        trainings = own[own["stage"].str.startswith("train@")].set_index("stage")
        besides = (trainings["body"] - trainings["compute"]).nlargest(2)
        said += (
            f"\n{kind}: {whole:.0f} s, {whole / compute:.2f} times the {compute:.0f} s of bare "
            f"compute of the trainings. All else in train: {besides.iloc[0]:.0f} s of "
            f"{besides.index[0]}, and {besides.iloc[1]:.0f} s of another at most.\n"
        )
    return _seconds(table) + said


def _seconds(table: pd.DataFrame) -> str:
    """Give the seconds of each stage, of all models together, as a Markdown table."""
    table["stage"] = table["stage"].str.partition("@")[0]
    table["start"] = (table["process"] - table["body"]).where(table["stage"] != "dvc", 0)
    table["rest"] = table["process"] - table["start"] - table.get("compute", 0)
    columns = {"process": "seconds", "start": "start of Python and imports"}
    columns |= {"compute": "bare compute"} if "compute" in table else {}
    columns |= {"rest": "all else"}
    groups = table.groupby(["processor", "stage"], sort=False)[list(columns)].sum()
    rows = [[*names, *(f"{cell:.1f}" for cell in row)] for names, row in groups.iterrows()]
    return markdown(["processor", "stage", *columns.values()], rows)


def in_folds() -> str:
    """Tell where the seconds of the best contender's five folds go."""
    return _seconds(read("folds"))


def nothing() -> str:
    """Compare what a run costs that has nothing to do."""
    return _turns("nothing", "dvc status of a bare dvc add")


def audit() -> str:
    """Compare the audit with CleanVision, in time and in what is found."""
    pairs = read("audit_pairs")
    found = pairs.groupby("kind")["found"].agg(["sum", "size"])
    said = "".join(
        f"- {kind.replace('_', ' ')}: the audit has {row['sum']} of {row['size']} pairs\n"
        for kind, row in found.iterrows()
    )
    missed = pairs.loc[~pairs["found"], ["a", "b"]].itertuples(index=False)
    names = "; ".join(f"{a} and {Path(b).name}" for a, b in missed)
    return _turns("audit", "cleanvision") + "\n" + said + (f"- not: {names}\n" if names else "")


def prepare() -> str:
    """Compare prepare with Pillow alone."""
    return _turns("prepare", "pillow")


def growth() -> str:
    """Tell how seconds and memory of the stages grow with the set."""
    table = _by_stage()
    rows = []
    for names, readings in table.groupby(["processor", "stage"], sort=False):
        seconds, memory = readings["body"].to_numpy(), readings["mb"].to_numpy()
        exponent = f"{np.log(seconds[-1] / seconds[-2]) / np.log(4):.2f}" if seconds[-2] else ""
        rows.append(
            [
                *names,
                *(f"{value:.1f}" for value in seconds),
                exponent,
                *(f"{value:.0f}" for value in memory),
            ]
        )
    times = table["times"].unique()
    header = ["processor", "stage", *(f"seconds at {n}x" for n in times), "exponent, last step"]
    return markdown([*header, *(f"MB at {n}x" for n in times)], rows)


def _by_stage() -> pd.DataFrame:
    """Add up the readings of a stage that runs for several models."""
    table = read("growth")
    table["stage"] = table["stage"].str.partition("@")[0]
    grouped = table.groupby(["processor", "times", "stage"], sort=False)
    return grouped.agg({"body": "sum", "mb": "max"}).reset_index()


def replicas() -> str:
    """Compare steps of several processes with what their parts add up to."""
    table = read("replicas")
    medians = table.groupby(["size", "workers", "what", "bytes"], dropna=False)["seconds"].median()
    rows, shares = [], {}
    for size, readings in table.groupby("size"):
        weights = 4 * readings["parameters"].max()
        for workers in readings["workers"].unique():
            step, alone = (
                medians.loc[size, n, "step"].iloc[0] for n in (workers, readings["workers"].min())
            )
            call, each = _reduction(medians, size, workers)
            sums = 2 * call + weights * each  # of gradients, and of losses
            shares[workers] = [*shares.get(workers, []), step / (alone + sums)]
            rows.append(
                [
                    f"{size} x {size}",
                    workers,
                    f"{BATCH / step:.0f}",
                    f"{step * 1e3:.0f}",
                    f"{(alone + sums) * 1e3:.0f}",
                    f"{sums * 1e3:.0f}",
                    f"{weights / 1e6:.1f}",
                    f"{medians.loc[size, workers, 'read'].iloc[0] * 1e3:.1f}",
                ]
            )
    said = ", ".join(
        f"{min(ratios):.2f} to {max(ratios):.2f} with {workers} processes"
        for workers, ratios in shares.items()
        if workers > 1
    )
    table = markdown(
        [
            "images",
            "processes",
            "images/s",
            "step, ms",
            "predicted, ms",
            "of that, adding up, ms",
            "gradients, MB",
            "reading, ms",
        ],
        rows,
    )
    return f"{table}\nThe step is {said}, as a share of what was predicted.\n"


def _reduction(medians: pd.Series, size: int, workers: int) -> tuple[float, float]:
    """Give the seconds of a call that adds up, and of each byte; none for one process."""
    if workers == 1:
        return 0.0, 0.0
    seconds = medians.loc[size, workers, "reduce"]
    call, most = seconds.iloc[0], seconds.index.max()
    return call, (seconds.loc[most] - call) / most


# What is taken of machines that are not here: a GPU's operations and dollars, and for each layout
# its GPUs, hosts, bytes per second between them, and seconds per call. Nominal, not measured.
OPERATIONS, DOLLARS = 100e12, 3.0  # a second in bfloat16, a sixth of the nominal; an hour
LAYOUTS = {
    "1 GPU": (1, 1, 1.0, 0.0),
    "8 GPUs of a host": (8, 1, 300e9, 50e-6),
    "64 GPUs of 8 hosts": (64, 8, 12.5e9, 200e-6),
}
FROM_DISK = 1e9  # bytes per second, for each host
SIDE, AN_IMAGE, A_JPEG = 256, 256**2, 27_000  # pixels; bytes, prepared and as of the public set


def predicted() -> str:
    """Say what the model of a step gives for more devices and images than there are here."""
    from brain_mri.models import building  # imported here, since it takes TensorFlow

    model = building.build("model_1", SIDE, CLASSES, **LAYERS)
    weights, taken = 4 * model.count_params(), operations(model)
    rows = []
    for name, (devices, hosts, link, call) in LAYOUTS.items():
        parts = devices if hosts == 1 else hosts
        compute = BATCH * taken / OPERATIONS
        adding = 2 * (parts - 1) / parts * weights / link + 2 * call
        reading = BATCH * devices / hosts * AN_IMAGE / FROM_DISK
        step = compute + adding + reading
        cells = [f"{compute * 1e3:.1f}", f"{adding * 1e3:.1f}", f"{reading * 1e3:.1f}"]
        cells.append(f"{compute / step:.0%}")
        for images in (1e6, 1e8):
            hours = images / (BATCH * devices) * step / 3600
            cells += [f"{hours:.3g}", f"{hours * devices * DOLLARS:.3g}"]
        rows.append([name, *cells])
    header = ["", "compute, ms", "adding up, ms", "reading, ms", "GPUs busy"]
    for images in ("10⁶", "10⁸"):
        header += [f"epoch of {images}, hours", "dollars"]
    stored = [f"{images * size / 1e12:.3g}" for images in (1e6, 1e8) for size in (A_JPEG, AN_IMAGE)]
    said = (
        f"\nModel_1 at {SIDE} x {SIDE} has {weights / 4e6:.1f} million weights and takes "
        f"{taken / 1e9:.1f} GFLOP per image. Stored: {stored[0]} TB of files and {stored[1]} "
        f"TB prepared for 10⁶ images, {stored[2]} and {stored[3]} TB for 10⁸.\n"
    )
    return markdown(header, rows) + said


def _turns(name: str, reference: str, value: str = "seconds", unit: str = "seconds") -> str:
    rows = []
    for kind, readings in read(name).groupby("processor", sort=False):
        found = in_columns(readings, value)
        for way in sorted(found, key=lambda way: way != reference):
            ratio = _ratio(found[way] / found[reference])
            rows.append([kind, way, f"{found[way].median():.1f}", ratio])
    return markdown(["processor", "", f"{unit}, median", f"times {reference}"], rows)


def _ratio(ratios: pd.Series) -> str:
    """Give the median of the ratios of each round, with the least and the largest."""
    return f"{ratios.median():.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def tolerances() -> str:
    """Give by how much a model differs that was trained in another way, as a Markdown table."""
    header = ["model", "trained", "compared with", "same bytes", "accuracy", "same answers"]
    rows = [
        [
            row.model,
            row.way,
            row.compared_with,
            "yes" if row.same_bytes else "no",
            f"{row.accuracy:.3f}",
            f"{row.same_answers:.1%}",
            f"{row.largest_difference:.3f}",
        ]
        for row in read("tolerances").itertuples()
    ]
    return markdown([*header, "largest difference of a probability"], rows)


def load() -> str:
    """Give what each stage took on 20,000 images, as a Markdown table."""
    header = ["stage", "clock, s", "processors, s", "cores busy", "left idle by all"]
    rows = [
        [
            row.stage,
            f"{row.seconds:.0f}",
            f"{row.cpu_seconds:.0f}",
            f"{row.busy:.0%}",
            f"{row.idle:.0%}",
            f"{row.peak_mb:.0f}",
        ]
        for row in read("load").itertuples()
    ]
    return markdown([*header, "peak memory, MB"], rows)


def probe() -> str:
    """Give what the probe of signals costs, as a Markdown table."""
    rows = []
    for name, pairs in read("probe_cost").groupby("model"):
        more = pairs["with"] / pairs["without"] - 1
        found = (f"{share:+.1%}" for share in (more.median(), more.min(), more.max()))
        rows.append([name, len(pairs), *found])
    return markdown(["model", "pairs", "longer with it, median", "from", "to"], rows)


def large_set() -> str:
    """Give what each stage took on large sets, as a Markdown table, and how memory grows."""
    rows = read("large_set")
    header = ["images", "stage", "clock, s", "processors, s", "memory of its own, MB"]
    header += ["asked for by one process, MB", "pages of files, MB"]
    columns = ["images", "stage", "seconds", "cpu_seconds", "peak_mb", "data_mb", "mapped_mb"]
    lines = rows[columns].itertuples(index=False)
    table = markdown(header, [[f"{images:,}", *others] for images, *others in lines])
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
        said.append(f"From the smallest to it, memory grew per image by {', '.join(grown)}.")
    said.append(f"The audit found {'; '.join(found)}.")
    return table + "\n" + " ".join(said) + "\n"


def twin_search() -> str:
    """Give what both ways of searching twins take and find, as a Markdown table."""
    header = ["set", "images", "registered", "one core, s", "memory, MB", "pairs"]
    header += ["turned pairs", "slices"]
    ways = {"exact": "all proposed", "nearest": "the nearest"}
    rows = [
        [
            row.set,
            f"{row.images:,}",
            ways[row.way],
            row.cpu_seconds,
            row.peak_mb,
            f"{row.pairs:,}",
            f"{row.turned:,}",
            f"{row.clusters:,}",
            f"{row.recall:.1%}",
            "yes" if row.same_clusters else "no",
        ]
        for row in read("twin_search").itertuples()
    ]
    return markdown([*header, "twins together", "same clusters"], rows)


def twin_recall() -> str:
    """Give the share of changed and turned copies that are found, as a Markdown table."""
    readings = read("twin_recall")
    table = readings.pivot(index="orientation", columns="change")
    changes, orientations = (readings[key].unique() for key in ("change", "orientation"))
    rows = []
    for name in orientations:
        found, told, copies = (table.loc[name, column] for column in ("found", "told", "copies"))
        cells = [f"{found[change] / copies[change]:.1%}" for change in changes]
        rows.append([name, *cells, f"{told.sum() / copies.sum():.1%}"])
    said = (
        f"\n{readings['copies'].iloc[0]} slices, {readings['copies'].sum():,} copies. "
        f"{readings['others'].sum()} copies were taken for a twin of another's original.\n"
    )
    return markdown(["copies", *changes, "orientation told"], rows) + said


def twin_search_beyond() -> str:
    """Give what the twin search would take on larger sets like the public one, as a table."""
    rows = read("twin_search")
    ways = rows[rows["set"] == "public set"].set_index("way")
    row, likest = ways.loc["exact"], ways.loc["nearest"]
    product, choosing = row["product_ns"] / 1e9, likest["product_ns"] / 1e9
    each = likest["proposed"] / (2 * likest["images"])
    share = row["proposed"] / (16 * row["images"] ** 2 / 2)
    registered = (row["cpu_seconds"] - product * 8 * row["images"] ** 2) / row["proposed"]
    said = (
        f"There, the product took {row['product_ns']:.0f} ns per pair and way "
        f"({likest['product_ns']:.0f} ns where the nearest are chosen), 1 pair in {1 / share:.0f} "
        f"was registered, and that took {registered * 1e6:.0f} µs (all else counted with it). To "
        f"the nearest 32, an image was registered {each:.0f} times a view. So sets like it would "
        "take, in hours of one core:\n\n"
    )
    rows = []
    for power in range(4, 8):
        count = 10**power
        exact = 8 * count**2 * (product + share * registered)
        nearest = 2 * count * (8 * count * choosing + each * registered)
        hours = (f"{seconds / 3600:,.2f}" for seconds in (exact, nearest))
        rows.append([f"{count:,}", *hours, f"{18 * count / 1e6:,.1f} GB"])
    header = ["images", "all that correlate", "the nearest 32", "on disk meanwhile"]
    return said + markdown(header, rows)


def abstaining() -> str:
    """Tell how often the recommended model answers what it should, and what it should not."""
    readings = read("abstaining")
    rows = readings.pivot(index="kind", columns="set")
    sets = list(readings["set"].unique())
    kinds = readings["kind"].unique()
    return markdown(
        ["asked", *(f"{name}: {what}" for name in sets for what in ("confident", "answered"))],
        [
            [
                kind,
                *(
                    f"{rows.loc[kind, (what, name)]:.1%}"
                    for name in sets
                    for what in ("confident", "answered")
                ),
            ]
            for kind in kinds
        ],
    )


def app_load() -> str:
    """Tell how the page holds under load, in a sentence."""
    [found] = read("app_load").itertuples()
    return (
        f"{found.people} people sent {found.requests} slices: {found.lost} were lost and none was "
        f"another's. The median took {found.median_s:.1f} s and the 95th percentile "
        f"{found.p95_s:.1f} s; all took {found.all_s:.0f} s. The server held "
        f"{found.first_mb:.0f} MB after its first answer, {found.last_mb:.0f} MB after its last.\n"
    )


def draw() -> None:
    """Draw training and growth."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    rates = _of_model_1("training").groupby(["size", "way"])["images_per_second"].median().unstack()
    ways = sorted(set(rates) - {"reading"}, key=lambda way: -rates[way].iloc[0])
    places, width = np.arange(len(rates)), 0.8 / len(ways)
    for number, way in enumerate(ways):
        label = "matrix product alone" if way == "matmul" else way.replace("_", " ")
        left.bar(places + number * width, rates[way], width, label=label)
    left.set_xticks(places + 0.4 - width / 2, [f"{size} x {size}" for size in rates.index])
    left.set(yscale="log", ylabel="images per second", title="Training model_1, batch 32")
    left.legend(fontsize=8)
    last = measured_last(_by_stage())
    for stage, readings in last.groupby("stage", sort=False):
        right.plot(readings["times"], readings["body"].clip(lower=0.1), marker="o", label=stage)
    ticks = sorted(last["times"].unique())
    right.set(xscale="log", yscale="log", xlabel="times the default data", ylabel="seconds")
    right.set_xticks(ticks, [str(tick) for tick in ticks])
    right.minorticks_off()
    right.set_title("Growth of the stages, imports left out")
    right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(ROOT / "docs/performance.png", dpi=110, metadata={"Software": None})


PARTS = {
    "docs/performance.md": {
        "machine": machine,
        "training": training,
        "layers": layers,
        "contenders": contenders,
        "normalising": normalising,
        "depthwise": depthwise,
        "ways": ways,
        "precision": precision,
        "repro": repro,
        "in_folds": in_folds,
        "nothing": nothing,
        "audit": audit,
        "prepare": prepare,
        "growth": growth,
    },
    "docs/scaling.md": {
        "replicas": replicas,
        "predicted": predicted,
        "large_set": large_set,
        "twin_search": twin_search,
        "twin_recall": twin_recall,
        "twin_search_beyond": twin_search_beyond,
    },
    "docs/reliability.md": {"tolerances": tolerances, "load": load},
    "docs/app.md": {"app_load": app_load},
    "docs/use.md": {"abstaining": abstaining},
    "results/README.md": {"probe": probe},
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
    write(PARTS, "benchmarks/table.py")
    draw()
