"""Open every image, refuse what is not a slice, and find the twins within and across the splits."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.console import stage
from brain_mri.data import findings
from brain_mri.data.dataset import beside_splits, list_files, require_dataset
from brain_mri.data.decoding import decode_accepted
from brain_mri.data.inspection import inspect
from brain_mri.data.patients import read_patients, with_patients
from brain_mri.data.resizing import resize
from brain_mri.gallery import SIDE, write_gallery
from brain_mri.parallel import workers
from brain_mri.storage import scratch, write_json, write_table

PAIRS = 6  # of twins, shown as pictures


def main() -> None:
    """Read the data set; write its manifest, one row per file, and what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder of the data set")
    parser.add_argument("--patients", required=True, type=Path, help="file to write")
    parser.add_argument("--manifest", required=True, type=Path, help="file to write")
    parser.add_argument("--reports", required=True, type=Path, help="folder to write to")
    arguments = parser.parse_args()

    with stage("audit") as done:
        parameters = params.load()
        classes, limits, dataset = parameters.classes, parameters.audit, arguments.dataset
        require_dataset(dataset, classes)
        patients = read_patients(parameters.patients, list_files(dataset)["path"])
        with workers(parameters.compute, "audit") as engine, scratch(arguments.manifest) as folder:
            manifest = inspect(
                dataset, classes, limits.max_pixels, limits.max_refused, engine, folder
            )
        manifest = with_patients(manifest, patients)
        found = findings.summarise(manifest, classes) | {"unused": beside_splits(dataset)}
        reports = arguments.reports
        write_table(arguments.manifest, manifest)
        write_table(arguments.patients, patients)
        for name, rows in findings.lists(manifest).items():
            write_table(reports / f"audit/{name}.csv", rows)
        write_json(reports / "audit/findings.json", found)
        write_json(reports / "audit.json", {"data": findings.headline(found)})
        shown = findings.twin_pairs(manifest, PAIRS)
        slices = (decode_accepted(dataset / path, limits.max_pixels) for path in shown["path"])
        squares = (resize(pixels, SIDE) for pixels in slices)
        write_gallery(reports / "pictures/twins", shown, squares)
        done(findings.said(found))


if __name__ == "__main__":
    main()
