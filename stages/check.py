"""Check the parameters, the data set and whose slices they are, before any work."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.console import stage
from brain_mri.data.dataset import list_files, require_dataset, require_trackable
from brain_mri.data.patients import read_patients
from brain_mri.storage import write_json


def main() -> None:
    """Read params.yaml; write which data set is in use, and which strategies of balancing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="file to write")
    parser.add_argument("--strategies", required=True, type=Path, help="file to write")
    arguments = parser.parse_args()

    with stage("check") as done:
        parameters = params.load()
        require_dataset(parameters.dataset, parameters.classes)
        require_trackable(parameters.dataset)
        if parameters.patients is not None:
            read_patients(parameters.patients, list_files(parameters.dataset)["path"])
        write_json(arguments.output, {"dataset": parameters.dataset, "classes": parameters.classes})
        strategies = sorted({model.data for model in parameters.models.values()})
        write_json(arguments.strategies, {"strategies": strategies})
        done(f"{parameters.dataset}, {len(parameters.classes)} classes")


if __name__ == "__main__":
    main()
