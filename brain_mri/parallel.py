"""Work on many files at once: on every core of this machine, or on a cluster."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import NamedTuple

from tqdm import tqdm

from brain_mri.errors import InputError

IN_FLIGHT = 1024  # results held at once, so that memory does not grow with the data


def map_in_order(
    function: Callable,
    items: Sequence,
    title: str,
    unit: str = "image",
    chunksize: int = 16,
    compute: "str | Workers" = "local",
) -> Iterator:
    """Apply a function to each item in other processes, and give the results in order.

    Parameters
    ----------
    function : callable
        Takes one item. It and the items can be pickled. On a cluster it may run twice for an item,
        where a worker was lost; the paths it opens are read as from this process's folder.
    items : sequence
    title : str
        Of the progress bar, which is shown on a terminal only; no other call that runs in the
        same folder at the same time has it.
    unit : str
        What the progress bar calls an item.
    chunksize : int
        Items handed to a process at once; few where each takes long.
    compute : str or Workers
        ``local`` for one process per core of this machine, or the address of a Dask scheduler; or
        what :func:`workers` gave of these, for several calls.

    Yields
    ------
    object
        What the function returned, item by item.

    Raises
    ------
    InputError
        If a process was killed here, or the cluster cannot do the work: the sentence says why.
    """
    engine = nullcontext(compute) if isinstance(compute, Workers) else workers(compute, title)
    with (
        tqdm(total=len(items), desc=title, unit=unit, disable=None) as bar,
        engine as (submit, result, cores),
    ):
        parts = (items[start : start + chunksize] for start in range(0, len(items), chunksize))
        futures = (submit(function, part) for part in parts)
        waiting = deque(islice(futures, max(IN_FLIGHT // chunksize, 2 * cores)))
        try:
            while waiting:
                results = result(waiting.popleft())
                waiting.extend(islice(futures, 1))
                for found in results:
                    bar.update()
                    yield found
        finally:
            for future in waiting:
                future.cancel()


class Workers(NamedTuple):
    """Processes that wait for work: how to hand it to them, and their number."""

    submit: Callable
    result: Callable
    cores: int


@contextmanager
def workers(compute: str, title: str) -> Iterator[Workers]:
    """Start what works for :func:`map_in_order`, whose parameters these are, and end it."""
    with _processes() if compute == "local" else _cluster(compute, title) as parts:
        yield Workers(*parts)


def _apply(function: Callable, items: Sequence) -> list:
    return [function(item) for item in items]


def _cluster(address: str, title: str) -> AbstractContextManager[tuple[Callable, Callable, int]]:
    try:  # imported here, since no one else has Dask installed
        from brain_mri.cluster import connect
    except ModuleNotFoundError:
        raise InputError(
            f"compute is '{address}', which needs Dask; `make cluster` installs it"
        ) from None
    return connect(address, title)


@contextmanager
def _processes() -> Iterator[tuple[Callable, Callable, int]]:
    """Start one process per core; they inherit that Ctrl-C is ignored, and leave it to this one."""
    count = os.cpu_count() or 1
    try:
        # Spawned, since forking a process that has threads can hang.
        with ProcessPoolExecutor(count, get_context("spawn"), _set_up) as pool:
            handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
            for _ in range(count):  # as long as none is idle, a task starts one more
                pool.submit(int)
            signal.signal(signal.SIGINT, handler)
            yield lambda *task: pool.submit(_apply, *task), Future.result, count
    except BrokenProcessPool:
        raise InputError(
            "a process that worked on the images was killed, as the system does where memory "
            "is short; run it again"
        ) from None


def _set_up() -> None:
    """Have this process end once its parent is gone, and keep the memory of one array for the next.

    A killed parent cannot tell it to.
    """
    Thread(target=_end_with_parent, daemon=True).start()
    # glibc keeps what is freed, up to twice the largest block that it saw freed. Before that, the
    # kernel hands out new pages for every array, which took a seventh of the audit's time.
    bytearray(32_000_000)


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)
