"""Work on many files at once, on every core."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread

from tqdm import tqdm

from stages.errors import InputError

IN_FLIGHT = 1024  # results held at once, so that memory does not grow with the data


def map_in_order(
    function: Callable, items: Sequence, title: str, unit: str = "image", chunksize: int = 16
) -> Iterator:
    """Apply a function to each item in processes of its own, and give the results in order.

    Parameters
    ----------
    function : callable
        Of one item; it and the items can be pickled.
    items : sequence
    title : str
        Of the progress bar; it is shown on a terminal only.
    unit : str
        What the progress bar calls an item.
    chunksize : int
        Items handed to a process at once; few where each takes long.

    Yields
    ------
    object
        What the function returned, item by item.

    Raises
    ------
    InputError
        If a process was killed.
    """
    with (
        tqdm(total=len(items), desc=title, unit=unit, disable=None) as bar,
        _workers() as pool,
    ):
        try:
            for start in range(0, len(items), IN_FLIGHT):
                part = items[start : start + IN_FLIGHT]
                for result in pool.map(function, part, chunksize=chunksize):
                    bar.update()
                    yield result
        except BrokenProcessPool:
            raise InputError(
                "a process that worked on the images was killed, as the system does where memory "
                "is short; run it again"
            ) from None


@contextmanager
def _workers() -> Iterator[ProcessPoolExecutor]:
    """Start processes that leave Ctrl-C to this one: what is ignored here is ignored there."""
    count = os.cpu_count() or 1
    # Spawned, since forking a process that has threads can hang.
    with ProcessPoolExecutor(count, get_context("spawn"), _watch_parent) as pool:
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for _ in range(count):  # as long as none is idle, a task starts one more
            pool.submit(int)
        signal.signal(signal.SIGINT, handler)
        yield pool


def _watch_parent() -> None:
    """End this process once its parent is gone; killed, the parent cannot tell it to."""
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)
