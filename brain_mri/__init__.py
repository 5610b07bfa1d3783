"""The rooms that the stages are made of, from reading a file to telling what came out."""

import gc
import os
import signal
import sys

from brain_mri import uncaught  # noqa: F401  # before any package is imported

# isort: split
import psutil


def _below_dvc() -> psutil.Process:
    """Give the process that DVC started for this stage: this one, or the shell above it."""
    process = psutil.Process()
    try:
        while "DVC_STAGE" in process.parent().environ():
            process = process.parent()
    except (psutil.Error, AttributeError):  # not ours to read, or gone
        pass
    return process


# Read before anything slow is imported, since DVC may be gone by then; see brain_mri.console.
BELOW_DVC = _below_dvc() if "DVC_STAGE" in os.environ else None
DVC = BELOW_DVC.ppid() if BELOW_DVC else None


def _end_interrupted(*_) -> None:
    os._exit(130)


def _tell_unraisable(error) -> None:
    """End on a Ctrl-C that came where Python cannot raise it, and would go on after a traceback."""
    if issubclass(error.exc_type, KeyboardInterrupt):
        _end_interrupted()
    sys.__unraisablehook__(error)


# Python says "-m" while it looks for the module to run, so that a stage is starting. Before and
# after brain_mri.console.stage has it in hand, Ctrl-C is not to end in a traceback either.
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end_interrupted)
    sys.unraisablehook = _tell_unraisable
    gc.disable()  # until brain_mri.console.stage, which says why
