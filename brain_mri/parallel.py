"""Work on many files at once: on every core of this machine, or on a cluster."""

import asyncio
import logging
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, chdir, contextmanager, nullcontext
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from tqdm import tqdm

from brain_mri.console import LOCKS
from brain_mri.errors import InputError, one_line

IN_FLIGHT = 1024  # results held at once, so that memory does not grow with the data
CONNECT = 10  # seconds that a scheduler has to answer, and to have a worker
LOST = 60  # seconds after which a cluster whose workers have all gone is given up
# What results could depend on, beside the code.
PACKAGES = ("numpy", "pillow", "threadpoolctl")


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
        Of one item; it and the items can be pickled. On a cluster it may run twice for an item,
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


def workers(compute: str, title: str) -> AbstractContextManager[Workers]:
    """Start what works for :func:`map_in_order`, whose parameters these are, and end it."""
    return _processes() if compute == "local" else _cluster(compute, title)


def _apply(function: Callable, items: Sequence) -> list:
    return [function(item) for item in items]


@contextmanager
def _processes() -> Iterator[Workers]:
    """Start one process per core; they inherit that Ctrl-C is ignored, and leave it to this one."""
    count = os.cpu_count() or 1
    try:
        # Spawned, since forking a process that has threads can hang.
        with ProcessPoolExecutor(count, get_context("spawn"), _set_up) as pool:
            handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
            for _ in range(count):  # as long as none is idle, a task starts one more
                pool.submit(int)
            signal.signal(signal.SIGINT, handler)
            yield Workers(lambda *task: pool.submit(_apply, *task), Future.result, count)
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
    # glibc keeps what is freed, up to twice the largest block that it saw freed; before that,
    # the kernel hands out the pages of every array anew, which was a seventh of the audit.
    bytearray(32_000_000)


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)


class _Run(NamedTuple):
    """What a worker of a cluster has to have in common with the process that it works for."""

    folder: str  # where paths start
    token: str  # the file that holds `key`, which tells this folder from another of its name
    key: str
    versions: tuple[tuple[str, str], ...]


@contextmanager
def _cluster(address: str, title: str) -> Iterator[Workers]:
    """Connect to a Dask scheduler; see docs/scaling.md for what its workers need."""
    try:  # no one else has it installed
        import cloudpickle
        from distributed import CancelledError, Client, KilledWorker, Security
        from distributed.comm import connect
    except ModuleNotFoundError:
        raise InputError(
            f"compute is '{address}', which needs Dask; `make cluster` installs it"
        ) from None
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a sentence says it, below

    async def greet() -> None:
        """Bound the wait for an answer, which Client does not where something else listens."""
        security = Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, timeout=CONNECT, **security), CONNECT)
        await comm.close()

    try:
        asyncio.run(greet())
        client = Client(address, timeout=CONNECT)
    except Exception as error:  # OSError, and whatever TLS without its settings raises
        reason = one_line(error) or f"silent for {CONNECT} seconds"
        raise InputError(
            f"compute is '{address}', but no Dask scheduler answers there ({reason})"
        ) from None
    token = LOCKS / f"{title}.cluster"

    def submit(function: Callable, items: Sequence):
        # Pickled here, so that a worker compares versions before it opens what it was sent; and by
        # a function that travels whole, since Dask hangs over one that a worker cannot import.
        def work(sent: bytes, run: bytes) -> list:
            from brain_mri.parallel import _work

            return _work(sent, run)

        return client.submit(work, cloudpickle.dumps((function, items)), run, pure=False)

    def result(future) -> list:
        while True:
            try:
                return future.result(timeout=LOST)
            except TimeoutError:
                if future.status == "error":  # the function's own
                    raise
                _require_workers(client, address)

    with client:
        try:
            _require_workers(client, address)
            run = pickle.dumps(_Run(os.getcwd(), os.fspath(token), client.id, _versions()))
            LOCKS.mkdir(exist_ok=True)
            token.write_text(client.id, encoding="utf-8")
            yield Workers(submit, result, sum(client.nthreads().values()))
        except CancelledError:
            raise InputError(
                f"the Dask scheduler at {address} is gone, and its work with it; run it again"
            ) from None
        except ImportError as error:
            raise InputError(
                f"a Dask worker of {address} cannot import {error.name}; start the workers in this "
                "project's folder and environment, as docs/scaling.md says"
            ) from None
        except KilledWorker as error:
            raise InputError(
                f"{error.allowed_failures + 1} workers of {address} were killed at the same "
                "images, as the system does where memory is short; run it again"
            ) from None
        finally:
            token.unlink(missing_ok=True)


def _require_workers(client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError:
        raise InputError(
            f"the Dask scheduler at {address} has no workers; start some, as docs/scaling.md says"
        ) from None


def _work(sent: bytes, run: bytes) -> list:
    """Apply a function to items, both pickled, in a worker of a cluster."""
    with chdir(_folder(run)):
        return _apply(*pickle.loads(sent))


@cache  # once a run
def _folder(run: bytes) -> str:
    """Give the folder where a run's paths start; InputError unless this worker is fit for it."""
    from distributed import get_worker

    run, worker = pickle.loads(run), get_worker()
    if worker.state.nthreads != 1:  # chdir and the threads of linear algebra are of a process
        raise InputError(
            f"the Dask worker {worker.address} has {worker.state.nthreads} threads; start it with "
            "--nthreads 1, and as many as there are cores"
        )
    for (name, wanted), (_, here) in zip(run.versions, _versions(), strict=True):
        if here != wanted:
            raise InputError(
                f"the Dask worker {worker.address} has {name} {here}, but it needs {wanted}; "
                "start it anew, in this project's folder and environment"
            )
    try:
        alike = Path(run.folder, run.token).read_text(encoding="utf-8") == run.key
    except OSError:
        alike = False
    if not alike:
        raise InputError(
            f"the Dask worker {worker.address} does not see the folder {run.folder}; all machines "
            "of a cluster share it, at the same path"
        )
    return run.folder


@cache  # of what this process has loaded, whatever becomes of the files
def _versions() -> tuple[tuple[str, str], ...]:
    code = sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        code.update(path.read_bytes())
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = [(name, version(name)) for name in PACKAGES]
    return ("the code brain_mri/", code.hexdigest()[:8]), ("Python", python), *packages
