"""Labels that may be wrong: where answers of models that never saw the patient contradict them."""

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from brain_mri.assessment.answers import Answers, Images


def rank(images: Images, answers: Answers, index: pd.DataFrame) -> pd.DataFrame:
    """Rank all images by how far out-of-fold probabilities contradict their label.

    By confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70:1373), as cleanlab has it.

    Parameters
    ----------
    images : Images
    answers : Answers
        Of a model that never saw the image or its patient; with probabilities.
    index : DataFrame
        One row per image: ``source``, ``label``, ``patient``, and ``origin_label`` where the
        patients' table has it.

    Returns
    -------
    DataFrame
        ``rank`` (from 1, the most suspect), ``path``, ``label``, ``predicted``, ``quality`` (the
        probability of the label), ``suspect`` (whether cleanlab takes the label for wrong),
        ``patient``, ``patient_labels`` (all that the slices of this patient carry) and
        ``origin_label`` (empty where not known).
    """
    probabilities, labels = answers.probabilities, images.actual
    quality = get_label_quality_scores(labels, probabilities)
    wrong = np.zeros(len(labels), bool)
    wrong[find_label_issues(labels, probabilities, n_jobs=1, return_indices_ranked_by=None)] = True
    by_patient = index.groupby("patient")["label"].agg(lambda own: ", ".join(sorted(set(own))))
    by_patient[""] = ""  # images whose patient is not known are not of one
    table = pd.DataFrame(
        {
            "path": index["source"],
            "label": index["label"],
            "predicted": np.array(images.classes)[answers.predicted],
            "quality": quality,
            "suspect": wrong,
            "patient": index["patient"],
            "patient_labels": index["patient"].map(by_patient),
            "origin_label": index.get("origin_label", ""),
        }
    )
    table = table.sort_values(["suspect", "quality", "path"], ascending=[False, True, True])
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.reset_index(drop=True)


def with_origins(index: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Add to an index of an image set what the patients' table says of origins, where it does."""
    if "origin_label" not in patients:
        return index
    labels = index["source"].map(patients.set_index("path")["origin_label"])
    return index.assign(origin_label=labels.fillna(""))


def others(table: pd.DataFrame, index: pd.DataFrame) -> np.ndarray:
    """Tell which images of an index are no suspects, (n,) bool."""
    return ~index["source"].isin(table.loc[table["suspect"], "path"]).to_numpy()


def contradicted(table: pd.DataFrame) -> dict | None:
    """Tell where the images stand whose label their origin contradicts.

    Parameters
    ----------
    table : DataFrame
        As of :func:`rank`.

    Returns
    -------
    dict or None
        ``known``, images with an origin label; ``images``, those of another label; ``suspect``,
        of these; ``first``, how many stand among as many first; ``median_rank``. None where no
        label is contradicted.
    """
    known = table[table["origin_label"] != ""]
    other = known[known["origin_label"] != known["label"]]
    if other.empty:
        return None
    return {
        "known": len(known),
        "images": len(other),
        "suspect": int(other["suspect"].sum()),
        "first": int((other["rank"] <= len(other)).sum()),
        "median_rank": float(other["rank"].median()),
        "of": len(table),
    }
