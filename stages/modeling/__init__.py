"""TensorFlow and Keras: architectures, devices and precision, the epoch loop, model files."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _start_up_notes_hidden() -> Iterator[None]:
    """Hide what TensorFlow's libraries write to stderr while they load, unless loading fails.

    They write before TF_CPP_MIN_LOG_LEVEL is obeyed, and from C++, past sys.stderr.
    """
    try:
        notes = tempfile.TemporaryFile()  # noqa: SIM115
    except OSError as error:  # TensorFlow cannot load without either
        sys.exit(f"{error.strerror}; make room there, or name another folder in TMPDIR")
    sys.stderr.flush()
    stderr = os.dup(2)
    with notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _start_up_notes_hidden():
    import keras  # noqa: F401
    import tensorflow  # noqa: F401
