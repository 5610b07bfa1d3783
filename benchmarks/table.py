"""Write the figures of docs/performance.md, and its picture, from benchmarks/results.

Run ``python benchmarks/table.py`` from the project's root; `make bench` does so.
"""

import json
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks/results"
DOCUMENTS = runpy.run_path(str(ROOT / "docs/results/table.py"))


def read(name: str) -> pd.DataFrame:
    """Read the readings of one script."""
    return pd.read_csv(RESULTS / f"{name}.csv")


def in_columns(readings: pd.DataFrame, value: str) -> pd.DataFrame:
    """Give a column a way and a row a round, whose readings were made in turn."""
    return readings.pivot(index="round", columns="way", values=value)


def markdown(header: list[str], rows: list[list]) -> str:
    """Give a Markdown table, its first column to the left and the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def machine() -> str:
    """Say what everything was measured on."""
    facts = json.loads((RESULTS / "machine.json").read_text(encoding="utf-8"))
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['device']}, {facts['threads']} threads, {facts['memory_gb']} GB; instructions "
        f"{', '.join(facts['instruction_set'])}; `precision: auto` takes {facts['precision']} "
        f"here. {versions}; peers: {facts['peers']}.\n"
    )


def training() -> str:
    """Compare the ways to train model_1."""
    rows = []
    for size, readings in read("training").groupby("size"):
        rates = in_columns(readings, "images_per_second")
        others = [name for name in rates if name.startswith("pytorch")]
        best = rates[others].median().idxmax()
        rows.append(
            [
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


def _turns(name: str, reference: str) -> str:
    seconds = in_columns(read(name), "seconds")
    rows = [
        [way, f"{seconds[way].median():.1f}", _ratio(seconds[way] / seconds[reference])]
        for way in sorted(seconds, key=lambda way: way != reference)
    ]
    return markdown(["", "seconds, median", f"times {reference}"], rows)


def _ratio(ratios: pd.Series) -> str:
    """Give the median of the ratios of each round, with the least and the largest."""
    return f"{ratios.median():.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def draw() -> None:
    """Draw the throughput of training."""
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    rates = read("training").groupby(["size", "way"])["images_per_second"].median().unstack()
    ways = sorted(set(rates) - {"reading"}, key=lambda way: -rates[way].iloc[0])
    places, width = np.arange(len(rates)), 0.8 / len(ways)
    for number, way in enumerate(ways):
        label = "matrix product alone" if way == "matmul" else way.replace("_", " ")
        axes.bar(places + number * width, rates[way], width, label=label)
    axes.set_xticks(places + 0.4 - width / 2, [f"{size} x {size}" for size in rates.index])
    axes.set(yscale="log", ylabel="images per second", title="Training model_1, batch 32")
    axes.legend(fontsize=8)
    figure.savefig(ROOT / "docs/performance.png", dpi=110, metadata={"Software": None})


PARTS = {
    "docs/performance.md": {
        "machine": machine,
        "training": training,
        "audit": audit,
        "prepare": prepare,
    },
}

if __name__ == "__main__":
    DOCUMENTS["write"](PARTS, "benchmarks/table.py")
    draw()
