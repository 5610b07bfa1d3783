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


# While they are imported, Keras takes settings from keras.json in the user's home, which it writes
# where there is none, and both from the environment. No result is to depend on these; on what
# runtime.SWITCHES lists it may, since that is recorded.
KERAS_HOME = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
for name in list(os.environ):
    if name.startswith("KERAS_") or name in (
        "TF_USE_LEGACY_KERAS",
        "TF_FUNCTION_JIT_COMPILE_DEFAULT",  # has XLA compile what it cannot
        "TF_NUM_INTRAOP_THREADS",  # train.threads says how many
    ):
        del os.environ[name]
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["KERAS_HOME"] = os.path.join(os.devnull, "keras")  # where no folder can be
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow takes oneDNN's kernels only where there is AVX512-VNNI or AMX. With AVX2 alone they are
# faster too, though not for every model: docs/performance.md.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
with _start_up_notes_hidden():
    import keras  # noqa: F401
    import tensorflow  # noqa: F401
    from keras.src.backend import config
os.environ["KERAS_HOME"] = config._KERAS_DIR = KERAS_HOME  # for the weights that Keras downloads
