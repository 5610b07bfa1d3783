"""The reports that a page is made of, as files of other stages; each is read once."""

from functools import cached_property
from pathlib import Path

import pandas as pd

from brain_mri.assessment.predictions import read_predictions
from brain_mri.params import Parameters
from brain_mri.report.language import Language
from brain_mri.storage import damaged, read_json, read_table

HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
SIGNALS = ("step", "gradient_norm", "update_ratio", "mean", "spread_units", "spread_images")
SIGNALS += ("below_0.05", "above_0.95", "entropy")
ROC = ("false_positive_rate", "true_positive_rate")


class Reports:
    """The folder of reports, and what several sections read of it.

    What is of one model is in a dict by its name, in the order of the parameters. A file that is
    damaged raises InputError when it is first needed.

    Parameters
    ----------
    folder : Path
    parameters : Parameters

    Attributes
    ----------
    folder : Path
    parameters : Parameters
    classes, models : list of str
        Their names.
    language : Language
    words : dict of str
        What figures print, in that language.
    """

    def __init__(self, folder: Path, parameters: Parameters):
        self.folder, self.parameters = folder, parameters
        self.classes, self.models = parameters.classes, list(parameters.models)
        self.language = Language(parameters.language)
        self.words = self.language.words["figures"]

    @cached_property
    def comparison(self) -> dict:
        """Every figure of every classifier with its interval, and every test between two."""
        return read_json(self.folder / "comparison/figures.json", text=("model", "rule"))

    @property
    def recommended(self) -> str:
        """The name of the recommended model."""
        return self.comparison["recommended"]["model"]

    @cached_property
    def audit(self) -> dict:
        """What the audit found."""
        return read_json(self.folder / "audit/findings.json", text=())

    @cached_property
    def conflicts(self) -> pd.DataFrame:
        """The images that the data carries under two labels: one row per file."""
        path = self.folder / "audit/label_conflicts.csv"
        return read_table(path, ["cluster", "path", "split", "class"])

    @cached_property
    def splits(self) -> pd.DataFrame:
        """The ``images`` of each ``set`` and ``class``, and how many have a twin in Training."""
        path = self.folder / "splits.csv"
        table = read_table(path, ["set", "class"], numbers=["images", "with_twin"])
        if not table["class"].isin(self.classes).all():
            raise damaged(path)
        return table

    @cached_property
    def training(self) -> dict[str, dict]:
        """The record of each model's training."""
        return {
            name: read_json(self.folder / f"training/{name}.json")[name] for name in self.models
        }

    @cached_property
    def histories(self) -> dict[str, pd.DataFrame]:
        """Loss and accuracy of each model: one row per epoch, one of them ``kept``."""
        return {name: self._history(self.folder / f"history/{name}.csv") for name in self.models}

    @cached_property
    def signals(self) -> dict[str, pd.DataFrame]:
        """What passes through each model: one row per ``step`` of training and ``layer``."""
        return {name: self._signals(self.folder / f"signals/{name}.csv") for name in self.models}

    @cached_property
    def predictions(self) -> dict[str, pd.DataFrame]:
        """Each model's answers on Testing and their ``confidence``: one row per image."""
        found = {}
        for name in self.models:
            table = read_predictions(self.folder / f"predictions/{name}.csv", self.classes)
            found[name] = table.assign(confidence=table[self.classes].max(axis=1))
        return found

    @cached_property
    def confusions(self) -> dict[str, pd.DataFrame]:
        """Images of Testing by actual class (rows) and predicted class (columns)."""
        return {
            name: pd.crosstab(table["actual"], table["predicted"]).reindex(
                index=self.classes, columns=self.classes, fill_value=0
            )
            for name, table in self.predictions.items()
        }

    @cached_property
    def rocs(self) -> dict[str, pd.DataFrame]:
        """The points of each model's ROC curves, by ``class``."""
        return {
            name: read_table(self.folder / f"roc/{name}.csv", ["class"], numbers=ROC)
            for name in self.models
        }

    def _history(self, path: Path) -> pd.DataFrame:
        table = read_table(path, ["kept"], numbers=HISTORY)
        if not pd.api.types.is_bool_dtype(table["kept"]) or table["kept"].sum() != 1:
            raise damaged(path, "it has not one kept epoch")
        return table

    def _signals(self, path: Path) -> pd.DataFrame:
        table = read_table(path, ["layer", "activation"], numbers=SIGNALS)
        if table[["step", "layer", "activation"]].isna().any(axis=None) or table.empty:
            raise damaged(path)
        if table.duplicated(["step", "layer"]).any():
            raise damaged(path, "it has a step twice")
        return table
