"""How a stage runs: alone, until it is stopped; and what it shows, in one line or one sentence."""

import errno
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import perf_counter, sleep
from urllib.parse import quote

import psutil
from filelock import FileLock, Timeout

from brain_mri import BELOW_DVC, DVC
from brain_mri.errors import NO_MEMORY, InputError

LOCKS = Path(".locks")  # of the folder that a stage runs in; two clones are not in each other's way


@contextmanager
def stage(name: str) -> Iterator[Callable[[str], None]]:
    """Run a stage's body, then print one line of what it did and how long it took.

    A second process of the same name waits until the first has ended, however it ends. A stage
    that DVC started ends once DVC has been killed. Errors: see :func:`ends_in_a_sentence`.

    Parameters
    ----------
    name : str
        The stage, with its key: ``train@model_1``.

    Yields
    ------
    callable
        Takes the summary to print, such as ``"720 images"``.
    """
    summary: list[str] = []
    with ends_in_a_sentence(name):
        if DVC is not None:
            Thread(target=_end_with_dvc, daemon=True).start()
        with _alone(name):
            start = perf_counter()
            yield summary.append
            seconds = perf_counter() - start
            print(f"{name}: {'; '.join(summary)} ({seconds:.1f} s)", flush=True)


@contextmanager
def ends_in_a_sentence(name: str) -> Iterator[None]:
    """Run a command's body, and end the process on an error.

    One that a user can fix ends it with its sentence and status 1, Ctrl-C quietly with status 130;
    any other error is ours, and keeps its traceback.
    """
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        if on_interrupt is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        # Modules stay to the end. Looking for garbage in TensorFlow's, while they are imported, now
        # and then, and at the very end, takes two seconds.
        gc.freeze()
        gc.enable()
        yield
    except InputError as error:
        sys.exit(f"{name}: {error}")
    except (OSError, MemoryError) as error:
        sys.exit(f"{name}: {_said_of(error)}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, on_interrupt)


def _said_of(error: OSError | MemoryError) -> str:
    """Say what the system refused: memory, room on the disk, a file that is not ours to read."""
    if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
        return f"{NO_MEMORY}, or lower image_size or compare.resamples"
    said = f"{error.strerror or error}: {error.filename or 'no file named'}"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return said + ("; make room and run it again" if full else "")


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold the stage's lock; the kernel takes it back when the process ends, even killed."""
    LOCKS.mkdir(exist_ok=True)
    path = LOCKS / quote(name, safe="@")
    lock = FileLock(f"{path}.lock")
    holder, unfinished = Path(f"{path}.pid"), Path(f"{path}.unfinished")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        pid = holder.read_text(encoding="utf-8") if holder.exists() else ""
        print(f"{name}: waits for {name} of process {pid or 'unknown'} to end", file=sys.stderr)
        lock.acquire()
    if unfinished.exists():
        print(
            f"{name}: the last {name} here was ended from outside or crashed, as happens where "
            "memory is short",
            file=sys.stderr,
        )
    try:
        holder.write_text(str(os.getpid()), encoding="utf-8")
        unfinished.touch()
        yield
    finally:
        unfinished.unlink(missing_ok=True)
        lock.release()


def _end_with_dvc() -> None:
    """End as if killed once DVC is gone, which leaves its stage running when it is killed."""
    try:
        while BELOW_DVC.ppid() == DVC:
            sleep(0.5)
    except psutil.NoSuchProcess:
        pass
    os._exit(1)
