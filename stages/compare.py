"""Compare the models with each other and with what needs no model, on Testing."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.assessment.answers import Answers, Images, recommend, settle
from brain_mri.assessment.baselines import baselines, require_other_names
from brain_mri.assessment.comparison import compare
from brain_mri.assessment.pairs import is_shown, smallest_p
from brain_mri.assessment.tables import headline, tables
from brain_mri.console import stage
from brain_mri.storage import read_images, require_same_size, write_json, write_table


def main() -> None:
    """Read what the models answered; write every figure, pair, interval and reliability bin."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("training", "validation", "testing"):
        parser.add_argument(f"--{name}", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--reports", required=True, type=Path, help="folder to read and write")
    arguments = parser.parse_args()

    with stage("compare") as done:
        parameters, reports = params.load(), arguments.reports
        classes, settings = parameters.classes, parameters.compare
        require_other_names(parameters.models)
        training, validation, testing = sets = [
            read_images(folder, classes)
            for folder in (arguments.training, arguments.validation, arguments.testing)
        ]
        require_same_size(sets)
        healthy = parameters.healthy_class
        known, images = (Images.of(part.index, classes, healthy) for part in sets[1:])
        how = settings.model_dump(include={"temperature_scaling", "target_sensitivity"})
        seen, models = {}, {}
        for name in parameters.models:
            answers = Answers.read(reports / f"validation/{name}.csv", classes, validation.index)
            seen[name] = settle(known, answers, **how)
            answers = Answers.read(reports / f"predictions/{name}.csv", classes, testing.index)
            models[name] = answers.as_settled(seen[name])
        found = {"recommended": recommend(known, seen)} | compare(
            images,
            models,
            baselines(training, testing, classes),
            **settings.model_dump(exclude={"temperature_scaling"}),
            seed=parameters.seed,
        )
        write_json(reports / "comparison/figures.json", found)
        for name, table in tables(found, images, models, settings.bins).items():
            write_table(reports / f"comparison/{name}.csv", table)
        write_json(reports / "comparison.json", headline(found))
        pairs, resamples = len(found["pairs"]), settings.resamples
        few = f"; for {pairs} pairs, {resamples} resamples are too few to find a difference"
        enough = is_shown(smallest_p(resamples) * pairs)
        done(f"{pairs} pairs, {found['recommended']['model']} recommended{'' if enough else few}")


if __name__ == "__main__":
    main()
