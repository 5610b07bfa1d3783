"""Ask a Keras file about every slice of Testing. No code in the file is run."""

from pathlib import Path

from answering import add_preprocessing, answer, parser  # first: it finds brain_mri

# isort: split
from brain_mri.console import stage
from brain_mri.errors import InputError, one_line


def main() -> None:
    """Open the file in safe mode and write what its model answers."""
    made = parser(__doc__, "file", "NAME.keras, or .h5")
    add_preprocessing(made)
    options = made.parse_args()
    with stage("answers_from_keras") as done:
        done(answer(options, opened(Path(options.file))))


def opened(path: Path):
    """Give what a model file computes of a batch; InputError if it holds code or is none."""
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    import keras  # TensorFlow takes seconds to load

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # whatever Keras, h5py or zipfile stumbles over
        raise InputError(
            f"{path} is no model that can be opened without running code in it ({one_line(error)})"
        ) from None
    return lambda batch: model(batch, training=False)


if __name__ == "__main__":
    main()
