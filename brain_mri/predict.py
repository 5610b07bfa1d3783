"""Answer slices with the recommended model: `python -m brain_mri.predict models/best.keras FILE`.

A file that is no slice has its row with the reason, and the exit status is then 3.
"""

import argparse
import os
import sys
from pathlib import Path

from brain_mri.console import ends_in_a_sentence
from brain_mri.errors import InputError
from brain_mri.storage import write_table
from brain_mri.use import classifier
from brain_mri.use.asking import answer_files, list_slices

SOME_REFUSED = 3  # exit status


def main() -> None:
    """Read a model and files; write a table of answers, one row per file."""
    parser = argparse.ArgumentParser(prog="python -m brain_mri.predict", description=__doc__)
    parser.add_argument("model", type=Path, help="models/best.keras")
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE_OR_FOLDER", help="slices, JPEG or PNG"
    )
    parser.add_argument("--output", type=Path, help="CSV file to write; shown unless given")
    arguments = parser.parse_args()

    with ends_in_a_sentence("predict"):
        listed = list_slices(arguments.files)
        if not listed:
            raise InputError(f"{arguments.files[0]} holds no file")
        answers = answer_files(classifier.read(arguments.model), listed)
        answers = answers.drop(columns="similar", errors="ignore")
        if arguments.output:
            write_table(arguments.output, answers)
        else:
            _show(answers.to_csv(index=False, lineterminator="\n"))
        counts = answers["outcome"].value_counts()
        told = [f"{counts.get(name, 0)} {name}" for name in ("answered", "abstained", "refused")]
        seen = int((answers["seen"].fillna("") != "").sum()) if "seen" in answers else 0
        if seen:
            told.append(f"{seen} seen in training: there the answer is memory")
        print(f"predict: {len(answers)} files, {', '.join(told)}", file=sys.stderr)
        sys.exit(SOME_REFUSED if "refused" in counts else 0)


def _show(text: str) -> None:
    """Print, also where the reader, such as `head`, has had enough before the end."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
