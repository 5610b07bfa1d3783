"""Watch a stage while it runs: the memory of all its processes, and the time of all cores."""

import resource
import subprocess
import sys
from collections.abc import Callable
from time import sleep

import psutil


def peaks(
    running: subprocess.Popen, memory_mb: Callable, limit_mb: int, name: str, pause: float
) -> tuple[float, ...]:
    """Wait for a process to end; exit if it fails or takes too much memory.

    Parameters
    ----------
    running : Popen
    memory_mb : callable
        Gives figures of a :class:`psutil.Process` and those it started, as a tuple; the first is
        held against the limit.
    limit_mb : int
        Above it, the process and those it started are killed.
    name : str
        What to call it.
    pause : float
        Seconds between two looks.

    Returns
    -------
    tuple of float
        The largest value of each figure.
    """
    process = psutil.Process(running.pid)
    largest = memory_mb(process)
    while running.poll() is None:
        try:
            now = memory_mb(process)
        except psutil.NoSuchProcess:
            continue
        largest = tuple(map(max, largest, now))
        if now[0] > limit_mb:
            for one in [*process.children(recursive=True), process]:
                one.kill()
            running.wait()
            sys.exit(f"{name} took {now[0]:.0f} MB, more than {limit_mb}")
        sleep(pause)
    if running.returncode:
        sys.exit(running.returncode)
    return largest


def cpu_seconds() -> float:
    """Give the processor time of all that this process started and that has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
