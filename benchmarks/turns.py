"""Measure things in turn, so that whatever else the machine does falls on all of them alike."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import pandas as pd

ROOT = Path(__file__).parent.parent
READINGS = ROOT / "benchmarks/readings"
PEERS = ROOT / ".venv-peers/bin/python"  # `make bench` makes it
SECONDS = 4  # that one reading takes at least


def processor(taken: dict) -> str:
    """Name the type of processor by its newest instructions, of what runtime.configure took."""
    return [name for name in taken["instruction_set"] if name != "fma"][-1]  # it came with avx2


def write_here(name: str, table: pd.DataFrame, taken: dict) -> None:
    """Write readings in place of those of the same networks on the same type of processor."""
    path, kind = READINGS / f"{name}.csv", processor(taken)
    table = table.assign(processor=kind)
    if path.exists():
        before = pd.read_csv(path)
        replaced = before["processor"] == kind
        if "network" in table:
            replaced &= before["network"].isin(table["network"])
        table = pd.concat([before[~replaced], table])
    path.parent.mkdir(exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n", float_format="%.4g")


def serve(step: Callable[[], None], images: int) -> None:
    """Answer each line of standard input with a reading: images per second of a repeated step."""
    step()
    step()
    print("ready", flush=True)
    for _ in sys.stdin:
        start, steps = perf_counter(), 0
        while perf_counter() - start < SECONDS:
            step()
            steps += 1
        print(steps * images / (perf_counter() - start), flush=True)


def median_seconds(function: Callable[[], object], calls: int) -> float:
    """Give the median of a function's seconds; two calls before, which compile it, do not count."""
    seconds = []
    for _ in range(calls + 2):
        start = perf_counter()
        function()
        seconds.append(perf_counter() - start)
    return median(seconds[2:])


def in_turn(commands: dict[str, list], rounds: int) -> Iterator[tuple[int, str, float]]:
    """Start a process for each command, as :func:`serve` does, and ask them in turn.

    Yields
    ------
    tuple
        Round, from 0; name of the command; its reading.
    """
    started = {}
    try:
        for name, command in commands.items():
            started[name] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
            )
            if started[name].stdout.readline() != "ready\n":
                sys.exit(f"{name} did not start")
        for number in range(rounds):
            for name, process in started.items():
                process.stdin.write("\n")
                process.stdin.flush()
                yield number, name, float(process.stdout.readline())
    finally:
        for process in started.values():
            process.kill()
            process.wait()


def run(command: list, folder: Path = ROOT, **variables: str) -> tuple[float, float]:
    """Run a command; give its seconds, and the MB that its largest process held at most."""
    start = perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with status {process.returncode}")
    return perf_counter() - start, usage.ru_maxrss / 1024
