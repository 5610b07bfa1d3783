"""The tables behind `dvc plots`, all models in each."""

import pandas as pd

from brain_mri.report.reading import Reports


def tables(reports: Reports) -> dict[str, pd.DataFrame]:
    """Give each table by the name of its file."""
    return {
        "learning": learning(reports.histories),
        "roc": roc(reports.rocs),
        "confusion": confusion(reports.confusions),
    }


def learning(histories: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Give loss and accuracy by ``model``, ``epoch`` and ``set`` (training or validation)."""
    parts = []
    for model, history in histories.items():
        for name, prefix in (("training", ""), ("validation", "val_")):
            measured = {key: history[prefix + key] for key in ("loss", "accuracy")}
            parts.append(
                pd.DataFrame({"model": model, "epoch": history["epoch"], "set": name, **measured})
            )
    return pd.concat(parts, ignore_index=True)


def roc(curves: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Give the ROC curves of every model by ``class``; a ``point``'s number is its place in one."""
    parts = [
        table.assign(model=name, point=table.groupby("class").cumcount())
        for name, table in curves.items()
    ]
    columns = ["model", "class", "point", "false_positive_rate", "true_positive_rate"]
    return pd.concat(parts, ignore_index=True)[columns]


def confusion(counts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Give how many ``images`` of a class were called what, by ``model``.

    Parameters
    ----------
    counts : dict of str to DataFrame
        By model: actual classes as rows, predicted ones as columns.
    """
    parts = [
        table.rename_axis(index="actual", columns="predicted")
        .stack()
        .rename("images")
        .reset_index()
        .assign(model=name)
        for name, table in counts.items()
    ]
    return pd.concat(parts, ignore_index=True)
