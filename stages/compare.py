"""Compare the models with each other and with what needs no model, on Testing."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.assessment import baselines
from brain_mri.assessment.answers import Answers, Images, recommend, settle
from brain_mri.assessment.comparison import compare, said
from brain_mri.assessment.tables import headline, tables
from brain_mri.console import stage
from brain_mri.data.dataset import read_manifest
from brain_mri.storage import read_images, require_same_size, write_json, write_table


def main() -> None:
    """Read what the models answered; write every figure, pair, interval and reliability bin."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("training", "validation", "testing"):
        parser.add_argument(f"--{name}", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--manifest", required=True, type=Path, help="of the audit")
    parser.add_argument("--reports", required=True, type=Path, help="folder to read and write")
    arguments = parser.parse_args()

    with stage("compare") as done:
        parameters, reports = params.load(), arguments.reports
        classes, settings, seed = parameters.classes, parameters.compare, parameters.seed
        baselines.require_other_names(parameters.models)
        folders = arguments.training, arguments.validation, arguments.testing
        training, validation, testing = sets = [read_images(path, classes) for path in folders]
        require_same_size(sets)
        manifest, healthy = read_manifest(arguments.manifest), parameters.healthy_class
        features = [baselines.features_of(part, manifest) for part in sets]
        known, images = (Images.of(part.index, classes, healthy) for part in sets[1:])
        how = settings.model_dump(include={"temperature_scaling", "target_sensitivity"})
        seen, models = {}, {}
        for name in parameters.models:
            answers = Answers.read(reports / f"validation/{name}.csv", classes, validation.index)
            seen[name] = settle(known, answers, **how)
            answers = Answers.read(reports / f"predictions/{name}.csv", classes, testing.index)
            models[name] = answers.as_settled(seen[name])
        others = baselines.answers_of(training, testing, features[0], features[2], classes, seed)
        drawn = settings.model_dump(exclude={"temperature_scaling"}) | {"seed": seed}
        found = {"recommended": recommend(known, seen)}
        found |= compare(images, models, others, **drawn)
        found["header_tells_tumour"], shift = baselines.shortcuts_in(
            *(sets, features, classes, healthy, settings.resamples, seed)
        )
        write_json(reports / "comparison/figures.json", found)
        write_table(reports / "comparison/shift.csv", shift)
        for name, table in tables(found, images, models, settings.bins).items():
            write_table(reports / f"comparison/{name}.csv", table)
        write_json(reports / "comparison.json", headline(found))
        done(said(found))


if __name__ == "__main__":
    main()
