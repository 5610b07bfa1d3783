"""Work on many files at once, on every core."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
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
        # Spawned, since forking a process that has threads can hang.
        ProcessPoolExecutor(
            mp_context=get_context("spawn"), initializer=_leave_ctrl_c_to_the_parent
        ) as pool,
    ):
        for start in range(0, len(items), IN_FLIGHT):
            for result in pool.map(function, items[start : start + IN_FLIGHT], chunksize=16):
                bar.update()
                yield result


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
