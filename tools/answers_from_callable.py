"""Ask a Python function about every slice of Testing. It is run: take code that you trust."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from answering import parser, slices, write  # first: it finds brain_mri

# isort: split
from tqdm import tqdm

from brain_mri.console import stage
from brain_mri.errors import InputError, one_line


def main() -> None:
    """Import the function and write what it answers."""
    made = parser(
        __doc__,
        "function",
        "package.module:function, or path/to/file.py:function; from the path of an image to a "
        "mapping of each class to its probability, or None where it has no answer",
    )
    options = made.parse_args()
    with stage("answers_from_callable") as done:
        function, paths = imported(options.function), slices(options.dataset)
        rows, classes = {}, None
        for path in tqdm(paths, desc="answers", unit="image"):
            found = asked(function, options.dataset / path)
            if found is None:
                continue
            classes = classes or list(found)
            if set(found) != set(classes):
                raise InputError(
                    f"{options.function} gives {', '.join(found)} for {path}, and "
                    f"{', '.join(classes)} for the first image"
                )
            rows[path] = [found[name] for name in classes]
        done(write(options.output, rows, classes, len(paths)))


def asked(function: Callable, path: Path) -> dict[str, float] | None:
    """Give what a function says of an image; InputError if it raises, or says something else."""
    try:
        found = function(str(path))
        return None if found is None else {str(name): float(p) for name, p in found.items()}
    except Exception as error:  # whatever is wrong with it
        raise InputError(
            f"the function ends with {type(error).__name__} for {path} ({one_line(error)})"
        ) from None


def imported(name: str) -> Callable:
    """Give the function of a name; InputError if there is none."""
    module, colon, function = name.rpartition(":")
    if not colon:
        raise InputError(
            f"{name!r} names no function; it takes module:function or file.py:function"
        )
    path = Path(module)
    if path.suffix == ".py":
        sys.path.insert(0, str(path.resolve().parent))
        module = path.stem
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{name} cannot be imported ({one_line(error)})") from None


if __name__ == "__main__":
    main()
