"""Work on a Dask cluster; docs/scaling.md says what its workers need."""

import asyncio
import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import cloudpickle
from distributed import CancelledError, Client, KilledWorker, Security, comm, get_worker

from brain_mri.console import LOCKS
from brain_mri.errors import InputError, one_line

CONNECT = 10  # seconds that a scheduler has to answer, and to have a worker
LOST = 60  # seconds after which a cluster whose workers have all gone is given up
# What results could depend on, besides the code.
PACKAGES = ("numpy", "pillow", "threadpoolctl")


class _Run(NamedTuple):
    """What a worker of a cluster has to have in common with the process that it works for."""

    folder: str  # where paths start
    token: str  # the file that holds `key`, which tells this folder from another of its name
    key: str
    versions: tuple[tuple[str, str], ...]


@contextmanager
def connect(address: str, title: str) -> Iterator[tuple[Callable, Callable, int]]:
    """Connect to a Dask scheduler and its workers.

    Parameters
    ----------
    address : str
        Of the scheduler.
    title : str
        Of the work; no other that runs in the same folder at the same time has it.

    Yields
    ------
    tuple
        What hands a function and some items to a worker, what waits for its results, and the
        number of workers' cores: the fields of :class:`brain_mri.parallel.Workers`.

    Raises
    ------
    InputError
        If no scheduler answers, or its workers cannot do the work: the sentence says why.
    """
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a sentence says it, below

    async def greet() -> None:
        """Bound the wait for an answer, which Client does not where something else listens."""
        security = Security().get_connection_args("client")
        dialled = comm.connect(address, timeout=CONNECT, **security)
        await (await asyncio.wait_for(dialled, CONNECT)).close()

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
        def task(sent: bytes, run: bytes) -> list:
            from brain_mri.cluster import work

            return work(sent, run)

        return client.submit(task, cloudpickle.dumps((function, items)), run, pure=False)

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
            yield submit, result, sum(client.nthreads().values())
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


def work(sent: bytes, run: bytes) -> list:
    """Apply a function to items, both pickled, in a worker of a cluster."""
    with chdir(_folder(run)):
        function, items = pickle.loads(sent)
        return [function(item) for item in items]


@cache  # once per run
def _folder(run: bytes) -> str:
    """Give the folder where a run's paths start; InputError unless this worker is fit for it."""
    run, worker = pickle.loads(run), get_worker()
    if worker.state.nthreads != 1:  # chdir, and threads of linear algebra, hold for a process
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
