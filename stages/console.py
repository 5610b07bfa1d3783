"""What a stage shows: one line of what it did, or one sentence of what stopped it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from stages.errors import InputError


@contextmanager
def stage(name: str) -> Iterator[Callable[[str], None]]:
    """Run a stage's body, then print one line of what it did and how long it took.

    An error that a user can mend ends the process with its sentence and status 1, Ctrl-C quietly
    with status 130; any other error is ours, and keeps its traceback.

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
    start = perf_counter()
    try:
        yield summary.append
    except InputError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:  # disk full, permission denied, a file that vanished
        sys.exit(f"{name}: {error.strerror or error}: {error.filename or 'no file named'}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(f"{name}: {'; '.join(summary)} ({perf_counter() - start:.1f} s)", flush=True)
