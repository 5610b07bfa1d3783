"""The runs of a study, as train and evaluate wrote them: one per arm and seed."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from brain_mri.assessment.diagnosis import diagnose
from brain_mri.assessment.predictions import read_predictions
from brain_mri.assessment.replicates import Run
from brain_mri.errors import InputError
from brain_mri.storage import read_json, read_table


def read_runs(
    folder: Path, arms: Iterable[str], seeds: Iterable[int], classes: list[str]
) -> dict[Run, pd.DataFrame]:
    """Read what every run answered on Testing, see :func:`read_predictions`, by arm and seed.

    Raises
    ------
    InputError
        If a file is missing or damaged, or the runs were tested on different images.
    """
    runs = [(arm, seed) for arm in arms for seed in seeds]
    tables = {run: read_predictions(_file(folder, "predictions", run), classes) for run in runs}
    truth = tables[runs[0]]
    for run, table in tables.items():
        if not table["path"].equals(truth["path"]):
            raise InputError(
                f"{_file(folder, 'predictions', run)} is of other images than the rest; "
                f"run `dvc --cd {folder.parent} repro`"
            )
    return tables


def diagnoses(folder: Path, runs: Iterable[Run]) -> dict[Run, dict]:
    """Tell how the training of each run ended, see :func:`diagnose`."""
    found = {}
    for run in runs:
        counts = _record(folder, run)["class_counts"]
        signals = ["step", "layer", "activation", "spread_images"]
        found[run] = diagnose(
            read_table(_file(folder, "signals", run), signals),
            read_table(_file(folder, "history", run), ["loss"]),
            counts.values(),
        )
    return found


def updates(folder: Path, run: Run) -> int:
    """Give the number of updates that a run took."""
    return _record(folder, run)["updates"]


def _record(folder: Path, run: Run) -> dict:
    return read_json(_file(folder, "training", run))[run[0]]


def _file(folder: Path, kind: str, run: Run) -> Path:
    """Give the file of a kind that a run wrote."""
    arm, seed = run
    return folder / kind / f"{arm}-{seed}.{'json' if kind == 'training' else 'csv'}"
