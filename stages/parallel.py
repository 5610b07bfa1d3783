"""Work on many files at once, on every core."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from tqdm import tqdm

IN_FLIGHT = 1024  # results held at once, so that memory does not grow with the data


def map_in_order(function: Callable, items: Sequence, title: str) -> Iterator:
    """Apply a function to each item in processes of its own, and give the results in order.

    Parameters
    ----------
    function : callable
        Of one item; it and the items can be pickled.
    items : sequence
    title : str
        Of the progress bar; it is shown on a terminal only.

    Yields
    ------
    object
        What the function returned, item by item.
    """
    with (
        tqdm(total=len(items), desc=title, unit="image", disable=None) as bar,
        _workers() as pool,
    ):
        for start in range(0, len(items), IN_FLIGHT):
            for result in pool.map(function, items[start : start + IN_FLIGHT], chunksize=16):
                bar.update()
                yield result


@contextmanager
def _workers() -> Iterator[ProcessPoolExecutor]:
    """Start processes that leave Ctrl-C to this one: what is ignored here is ignored there."""
    count = os.cpu_count() or 1
    # Spawned, since forking a process that has threads can hang.
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for _ in range(count):  # as long as none is idle, a task starts one more
            pool.submit(int)
        signal.signal(signal.SIGINT, handler)
        yield pool
