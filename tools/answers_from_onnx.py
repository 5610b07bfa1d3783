"""Ask an ONNX file about every slice of Testing. Such a file holds no code."""

from pathlib import Path

from answering import add_preprocessing, answer, parser  # first: it finds brain_mri

# isort: split
from brain_mri.console import stage
from brain_mri.errors import InputError, one_line


def main() -> None:
    """Open the file and write what its model answers."""
    made = parser(__doc__, "file", "NAME.onnx")
    add_preprocessing(made)
    options = made.parse_args()
    with stage("answers_from_onnx") as done:
        done(answer(options, opened(Path(options.file))))


def opened(path: Path):
    """Give what a model file computes of a batch, by its first output; InputError if it is none."""
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    import onnxruntime

    try:
        # From its bytes, so that it can lead to no other file.
        session = onnxruntime.InferenceSession(
            path.read_bytes(), providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
    except MemoryError:
        raise
    except Exception as error:  # whatever the runtime stumbles over
        raise InputError(
            f"{path} is no ONNX model that can be opened ({one_line(error)})"
        ) from None
    return lambda batch: session.run(None, {name: batch})[0]


if __name__ == "__main__":
    main()
