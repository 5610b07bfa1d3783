"""Put what other people's models answered through what our own models go through, on Testing."""

import argparse
from pathlib import Path

from brain_mri import params, storage
from brain_mri.assessment import baselines, judging, suspects
from brain_mri.assessment.answers import Answers, Images
from brain_mri.assessment.references import LOOK_UP
from brain_mri.console import stage
from brain_mri.data.dataset import read_manifest
from brain_mri.report.judge_report import judge_texts


def main() -> None:
    """Read answers, ours and theirs; write figures, tables, a page and a report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", required=True, type=Path, help="folder of their answers")
    parser.add_argument("--study", required=True, type=Path, help="parameters of the study")
    for name in ("training", "testing"):
        parser.add_argument(f"--{name}", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--manifest", required=True, type=Path, help="of the audit")
    parser.add_argument("--patients", required=True, type=Path, help="table of the audit")
    parser.add_argument("--reports", required=True, type=Path, help="folder of our answers")
    parser.add_argument("--output", required=True, type=Path, help="folder to write to")
    arguments = parser.parse_args()

    with stage("judge") as done:
        parameters, reports, output = params.load(), arguments.reports, arguments.output
        classes, models, seed = parameters.classes, list(parameters.models), parameters.seed
        names = params.load_judge(arguments.study, classes).names
        baselines.require_other_names(models)
        folders = arguments.training, arguments.testing
        sets = [storage.read_images(folder, classes) for folder in folders]
        patients = storage.read_table(arguments.patients, ["path"])
        index = suspects.with_origins(sets[1].index, patients)
        manifest = read_manifest(arguments.manifest)
        judged = judging.read_all(arguments.answers, models, classes, names, index, manifest)
        files = {name: reports / f"predictions/{name}.csv" for name in models}
        ours = {name: Answers.read(path, classes, index) for name, path in files.items()}
        best = storage.read_json(reports / "comparison.json", ["recommended"])["recommended"]
        features = [baselines.features_of(part, manifest) for part in sets]
        others = baselines.answers_of(*sets, *features, classes, seed)
        others[LOOK_UP] = judging.remembered(others[LOOK_UP], index, manifest, classes)
        images = Images.of(index, classes, parameters.healthy_class)
        drawn = parameters.compare.model_dump(include={"bins", "resamples"}) | {"seed": seed}
        found, tables = judging.judge_all(images, index, judged, ours, others, best, **drawn)
        storage.write_json(output / "figures.json", found)
        storage.write_json(output / "results.json", judging.headline(found))
        for name, table in tables.items():
            storage.write_table(output / f"{name}.csv", table)
        for name, text in judge_texts(found, tables, parameters).items():
            storage.write_text(output / name, text)
        done(f"{len(index)} images, judged: {', '.join(judged)}")


if __name__ == "__main__":
    main()
