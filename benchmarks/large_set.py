"""Take sets larger than memory from audit to one epoch, each stage under a limit of memory.

    python benchmarks/large_set.py /tmp/large                           # hours on two cores
    python benchmarks/large_set.py /tmp/large --images 10000            # some minutes

From the project's root, on Linux. A set of so many slices of 128 x 128 is made in the folder given,
which takes about 60 KB per slice. The limit is RLIMIT_DATA, for every process of a stage: the
kernel refuses to give it more than so much memory of its own. A control that asks for more is run
first, and must fail. The processes of a stage together are looked at five times a second; if they
pass the limit, they are killed and the run ends. RLIMIT_AS (`ulimit -v`) would not do, since
TensorFlow maps far more than it uses. What is measured goes to benchmarks/readings/large_set.csv:

seconds, cpu_seconds
    Of the clock, and of all cores together.
peak_mb
    The largest sum over the stage's processes of memory that is theirs alone (anonymous).
data_mb
    The most that one process has asked the kernel for, used or not: what RLIMIT_DATA limits.
mapped_mb
    The largest sum of pages of files that they have mapped, shared ones in each. The system takes
    them back where memory is short, so they are not limited.
planted, found, others
    Of the audit: twins planted, those of them found, and pairs of others that it took for twins.
"""

import argparse
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
import psutil
from PIL import Image
from ruamel.yaml import YAML
from scipy.ndimage import map_coordinates
from watching import cpu_seconds, peaks

from brain_mri.parallel import map_in_order
from brain_mri.phantom.anatomy import VIEWS
from brain_mri.phantom.heads import REAL_COUNTS
from brain_mri.phantom.slices import draw_slice

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "benchmarks/readings/large_set.csv"
SIDE = 128
TWINS = 0.01  # share of all images; Testing images that are a copy of a Training image
DRAWN = 500  # slices that all others are warped from
STAGES = {
    "audit": "audit data --manifest manifest.csv --patients patients.csv --reports reports",
    "prepare": "prepare data --manifest manifest.csv --output prepared --reports reports",
    "balance": "balance --strategy augment --training prepared/train --output balanced",
    "train": "train model_4 --activation relu --training balanced --validation prepared/val "
    "--model model_4.keras --reports reports",
}


def make_set(folder: Path, count: int) -> None:
    """Write `count` images, and ``truth.csv`` with the source of every planted twin."""
    labels = _labels()
    np.save(folder / "drawn.npy", np.stack([*map_in_order(_draw, list(enumerate(labels)), "draw")]))
    rows = []
    for number in range(count):
        copied = number - round(0.8 * count)  # the first of Testing is a copy of the first of all
        label, source = labels[number % DRAWN], ""
        if 0 <= copied < TWINS * count:
            label = labels[copied % DRAWN]
            source = f"Training/{label}/{copied:07}.jpg"
        split = "Training" if copied < 0 else "Testing"
        rows.append((f"{split}/{label}/{number:07}.jpg", source, number))
    truth = pd.DataFrame(rows, columns=["path", "source", "number"])
    for parent in sorted({(folder / "data" / path).parent for path in truth["path"]}):
        parent.mkdir(parents=True)
    write = partial(_write, folder=folder)
    for _ in map_in_order(write, truth.values.tolist(), "write", chunksize=64):
        pass
    truth.to_csv(folder / "truth.csv", index=False)


def _labels() -> list[str]:
    """Give the class of every drawn slice, in the proportions of the real set."""
    real = REAL_COUNTS["Training"]
    shares = np.array(list(real.values())) / sum(real.values())
    return np.random.default_rng(0).choice(list(real), DRAWN, p=shares).tolist()


def _draw(item: tuple[int, str]) -> np.ndarray:
    number, label = item
    plane = list(VIEWS)[number % len(VIEWS)]
    return draw_slice(np.random.default_rng(number), label, plane, SIDE, 0.02)


def _write(row: list, folder: Path) -> None:
    """Warp a drawn slice smoothly at random, so that no two are of the same head; or copy one."""
    path, source, number = row
    generator = np.random.default_rng([1, number])
    if source:
        copied = int(Path(source).stem)
        image = _warped(copied, folder) + generator.integers(-20, 21)
        quality = int(generator.integers(50, 85))
    else:
        image, quality = _warped(number, folder), 90
    image = Image.fromarray(np.uint8(np.clip(image, 0, 255)))
    image.save(folder / "data" / path, quality=quality)


def _warped(number: int, folder: Path) -> np.ndarray:
    generator = np.random.default_rng([2, number])
    drawn = np.load(folder / "drawn.npy", mmap_mode="r")
    angle = np.radians(generator.uniform(-12, 12))
    y, x = np.mgrid[: SIDE * 1.0, : SIDE * 1.0] - (SIDE - 1) / 2
    place = [y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)]
    for axis in range(2):
        knots = generator.normal(0, 5, (6, 6)).astype(np.float32)
        bent = Image.fromarray(knots).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        place[axis] = place[axis] * generator.uniform(0.92, 1.08) + np.asarray(bent)
    place = np.stack(place) + (SIDE - 1) / 2
    image = map_coordinates(drawn[number % DRAWN].astype(np.float32), place, order=1)
    return image + generator.normal(0, 3, image.shape)


def limited(command: list, folder: Path, limit_mb: int) -> subprocess.Popen:
    """Start a process that, as every one it starts, gets no more memory of its own than that."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    running = subprocess.Popen([sys.executable, *command], cwd=folder, env=environment)
    limit = round(limit_mb * 1e6)
    resource.prlimit(running.pid, resource.RLIMIT_DATA, (limit, limit))
    return running


def require_limit(folder: Path, limit_mb: int) -> None:
    """Exit unless the limit bites: a process that asks for a tenth more must fail for memory."""
    ask = (
        "import sys, numpy\n"
        f"try: numpy.ones({round(limit_mb * 1.1)}_000_000, numpy.uint8)\n"
        "except MemoryError: sys.exit(77)"
    )
    if limited(["-c", ask], folder, limit_mb).wait() != 77:
        sys.exit("RLIMIT_DATA does not limit memory here")


def memory_mb(process: psutil.Process) -> tuple[float, float, float]:
    """Give anonymous memory, VmData and mapped pages of files of a process and those it started.

    VmData is the largest of a single process; the others are sums.
    """
    own, data, mapped = 0, 0, 0
    for one in [process, *process.children(recursive=True)]:
        try:
            text = Path(f"/proc/{one.pid}/status").read_text(encoding="utf-8")
        except (OSError, psutil.Error):  # it ended meanwhile
            continue
        lines = (line.split() for line in text.splitlines())
        kb = {line[0]: int(line[1]) for line in lines if line[-1:] == ["kB"]}
        own += kb.get("RssAnon:", 0) + kb.get("RssShmem:", 0)
        data = max(data, kb.get("VmData:", 0))
        mapped += kb.get("RssFile:", 0)
    return own * 1024 / 1e6, data * 1024 / 1e6, mapped * 1024 / 1e6


def measure(command: list[str], folder: Path, limit_mb: int) -> dict:
    """Run Python with these arguments; exit if it fails or takes too much memory."""
    start, used = perf_counter(), cpu_seconds()
    running = limited(command, folder, limit_mb)
    own, data, mapped = peaks(running, memory_mb, limit_mb, " ".join(command), pause=0.05)
    return {
        "seconds": round(perf_counter() - start),
        "cpu_seconds": round(cpu_seconds() - used),
        "peak_mb": round(own),
        "data_mb": round(data),
        "mapped_mb": round(mapped),
    }


def twins_found(folder: Path) -> dict:
    """Compare the audit's clusters with the twins that were planted."""
    truth = pd.read_csv(folder / "truth.csv", keep_default_na=False)
    cluster = pd.read_csv(folder / "manifest.csv").set_index("path")["cluster"]
    planted = truth[truth["source"] != ""]
    same = cluster[planted["path"]].to_numpy() == cluster[planted["source"]].to_numpy()
    joined = len(cluster) - cluster.nunique()  # pairs that the clusters need
    return {"planted": len(planted), "found": int(same.sum()), "others": int(joined - same.sum())}


def main() -> None:
    """Measure every stage at every size, and put the rows in place of the old ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="to make the sets in, or of an earlier run")
    parser.add_argument("--images", nargs="+", type=int, default=[10_000, 50_000, 200_000])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--limit-mb", type=int, default=2000)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    require_limit(arguments.folder, arguments.limit_mb)
    for count in arguments.images:
        folder = arguments.folder / str(count)
        if not (folder / "truth.csv").exists():
            folder.mkdir()
            make_set(folder, count)
        parameters = YAML(typ="safe").load(ROOT / "params.yaml")
        parameters |= {"image_size": SIDE, "patients": None}
        parameters["models"]["model_4"]["epochs"] = 1
        YAML().dump(parameters, folder / "params.yaml")
        for name in arguments.stages:
            row = {"images": count, "stage": name}
            row |= measure(["-m", *f"stages.{STAGES[name]}".split()], folder, arguments.limit_mb)
            row |= twins_found(folder) if name == "audit" else {}
            print(row, flush=True)
            _put(row)


def _put(row: dict) -> None:
    table = pd.DataFrame([row])
    if TABLE.exists():
        table = pd.concat([pd.read_csv(TABLE), table])
    table = table.drop_duplicates(["images", "stage"], keep="last")
    table = table.sort_values("stage", key=lambda names: names.map(list(STAGES).index))
    table = table.sort_values("images", kind="stable")
    counts = dict.fromkeys(("planted", "found", "others"), "Int64")
    TABLE.parent.mkdir(exist_ok=True)
    for name in counts.keys() - set(table.columns):
        table[name] = None
    table.astype(counts).to_csv(TABLE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
