"""What another model answered, as a person hands it in, and what can be told of that model."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri.assessment import suspects
from brain_mri.assessment.answers import Answers, Images
from brain_mri.assessment.comparison import compare, measure
from brain_mri.assessment.intervals import (
    FEW,
    UNKNOWN,
    Interval,
    group_bootstrap,
    percentile_interval,
    proportion_interval,
)
from brain_mri.assessment.pairs import verdict
from brain_mri.assessment.references import LOOK_UP, REFERENCES
from brain_mri.assessment.tables import intervals_table, pairs_table, reliability_table
from brain_mri.assessment.weighted import share
from brain_mri.errors import InputError, one_line

MOST_NAMES = 8  # that a sentence lists
SHOWN = ("accuracy", "macro_f1", "with_twin_accuracy", "without_twin_accuracy")
ROUNDING = 0.005  # by which probabilities may miss a sum of 1, as rounded ones do


@dataclass(frozen=True)
class Judged:
    """What a model that is not ours answered on Testing.

    Attributes
    ----------
    answers : Answers
        On the images that it answered, in the order of the image set.
    answered : ndarray (n,), bool
        Which of the set's images these are.
    refused : int
        Answers on files that the audit refused, which are left out.
    """

    answers: Answers
    answered: np.ndarray
    refused: int


def read_all(
    folder: str | Path,
    taken: Iterable[str],
    classes: list[str],
    names: dict[str, str],
    index: pd.DataFrame,
    manifest: pd.DataFrame,
) -> dict[str, Judged]:
    """Read all files of answers in a folder, by the name of the model.

    Parameters
    ----------
    folder : str or Path
        Of ``<name>.csv``, see :func:`read_answers`.
    taken : iterable of str
        Names of our models.
    classes, names, index
        As of :func:`read_answers`.
    manifest : DataFrame
        Of the audit.

    Raises
    ------
    InputError
        If there is no file, or one has a name that is taken, or is wrong.
    """
    if not index["source"].str.startswith("Testing/").all():
        raise InputError(
            "split is folds, but other people's models are judged on Testing, which they may have "
            "been kept from; set split to testing and run `dvc repro`"
        )
    files = _list(folder, {*taken, *REFERENCES})
    refused = set(manifest.loc[(manifest["split"] == "Testing") & ~manifest["accepted"], "path"])
    return {
        name: read_answers(path, classes, names, index, refused) for name, path in files.items()
    }


def _list(folder: str | Path, taken: set[str]) -> dict[str, Path]:
    found = {path.stem: path for path in sorted(Path(folder).glob("*.csv"))}
    if not found:
        raise InputError(
            f"{folder} has no file of answers; put one there for each model, NAME.csv with path "
            "and a probability of each class, see docs/judge.md"
        )
    for name, path in found.items():
        if name in taken:
            raise InputError(f"{path} needs another name: {name} is among what it is compared with")
        if not name.replace("-", "_").isidentifier():
            raise InputError(
                f"'{path}' needs another name: a word of letters, digits, _ and -, not starting "
                "with a digit"
            )
    return found


def read_answers(
    path: str | Path,
    classes: list[str],
    names: dict[str, str],
    index: pd.DataFrame,
    refused: set[str],
) -> Judged:
    """Read and check what a model answered.

    Parameters
    ----------
    path : str or Path
        CSV with the column ``path`` (of an image, below the data set) and the probability of each
        class, in any order; other columns are left out. Images may be missing.
    classes : list of str
    names : dict of str to str
        The class that each column means, where its name is not that of the class.
    index : DataFrame
        Of the image set.
    refused : set of str
        Paths of Testing that the audit refused, and an answer may be on nevertheless.

    Raises
    ------
    InputError
        If the file is no such table: the sentence says of which row.
    """
    table = _table(path).rename(columns=names)
    if twice := sorted(set(table.columns[table.columns.duplicated()])):
        raise InputError(
            f"{path} has two columns for {twice[0]}, counting what params.yaml's names maps to it"
        )
    if missing := [name for name in ("path", *classes) if name not in table]:
        raise InputError(
            f"{path} lacks {', '.join(missing[:MOST_NAMES])}; it has "
            f"{', '.join(map(repr, table.columns[:MOST_NAMES]))}. If a class is called otherwise "
            "there, say so under names in the study's params.yaml"
        )
    paths = table["path"]
    if (unknown := ~paths.isin(index["source"]) & ~paths.isin(refused)).any():
        raise InputError(
            f"{path} is of other images: {int(unknown.sum())} of its {len(table)} paths are not in "
            f"Testing, first {paths[unknown].iloc[0]!r}; it takes such as "
            f"{index['source'].iloc[0]!r}"
        )
    if (twice := paths.duplicated()).any():
        raise InputError(f"{path} answers {paths[twice].iloc[0]!r} twice")
    probabilities = _probabilities(path, table, classes)
    own = pd.Index(paths).get_indexer(index["source"])
    answered = own >= 0
    if not answered.any():
        raise InputError(f"{path} answers no image of Testing that the audit accepted")
    chosen = probabilities[own[answered]]
    answers = Answers(chosen.argmax(axis=1), chosen)
    return Judged(answers, answered, int(paths.isin(refused).sum()))


def _table(path: str | Path) -> pd.DataFrame:
    """Read a CSV as text, with the columns as they are named there."""
    try:
        rows = pd.read_csv(
            path, dtype=str, keep_default_na=False, header=None, encoding="utf-8-sig"
        )
    except (ValueError, OverflowError) as error:  # of pandas' parser, and of UTF-8
        raise InputError(f"{path} is no table in CSV ({one_line(error)})") from None
    # With a header, pandas would give the second of two columns of one name another one.
    table = rows.iloc[1:].set_axis(rows.iloc[0].str.strip(), axis=1).reset_index(drop=True)
    if table.empty:
        raise InputError(f"{path} holds no answer")
    return table


def _probabilities(path: str | Path, table: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Give the probabilities, (n, classes); rounded ones are brought to a sum of 1."""
    numbers = table[classes].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    sums = numbers.sum(axis=1)
    for wrong, what in (
        (~np.isfinite(numbers).all(axis=1), "what is no number"),
        ((numbers < 0).any(axis=1), "a negative probability"),
        (np.abs(sums - 1) > ROUNDING, "probabilities that do not add up to 1"),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            given = ", ".join(table.loc[row, classes])[:120]
            raise InputError(
                f"{path} has {what} in {int(wrong.sum())} of {len(table)} rows, first for "
                f"{table.loc[row, 'path']!r}: {given}"
            )
    return numbers / sums[:, None]


def judge_all(
    images: Images,
    index: pd.DataFrame,
    judged: dict[str, Judged],
    ours: dict[str, Answers],
    others: dict[str, Answers],
    recommended: str,
    **drawn: int,
) -> tuple[dict, dict[str, pd.DataFrame]]:
    """Judge several models, each on the images that it answered; see :func:`judge`.

    Returns
    -------
    found : dict
        ``images`` and ``with_twin``, numbers of Testing; ``classes``, of those ``with`` a twin and
        ``without``; ``recommended``; ``models``, by name.
    tables : dict of str to DataFrame
        ``intervals``, ``differences``, ``reliability``, ``suspects``; ``judged`` tells of which
        model a row is.
    """
    if recommended not in ours:
        raise InputError(
            f"reports/comparison.json recommends {recommended}, which is not among params.yaml's "
            "models; run `dvc repro` to compare these"
        )
    models, parts = {}, {}
    for name, given in judged.items():
        found, suspect = judge(images, index, given, name, ours, others, recommended, **drawn)
        own = images.only(given.answered)
        models[name], parts[name] = (
            found,
            {
                "intervals": intervals_table(found["classifiers"]),
                "differences": pairs_table(found["pairs"]),
                "reliability": reliability_table(own, {name: given.answers}, drawn["bins"]),
                "suspects": suspect,
            },
        )
    kinds = {"with": images.twin, "without": ~images.twin}
    content = {
        "images": len(index),
        "with_twin": int(images.twin.sum()),
        "classes": {kind: _by_class(images, chosen) for kind, chosen in kinds.items()},
        "recommended": recommended,
        "models": models,
    }
    tables = {
        kind: pd.concat(
            [part[kind].assign(judged=name) for name, part in parts.items()], ignore_index=True
        )
        for kind in next(iter(parts.values()))
    }
    return content, tables


def _by_class(images: Images, chosen: np.ndarray) -> dict[str, int]:
    counts = np.bincount(images.actual[chosen], minlength=len(images.classes))
    return {name: int(count) for name, count in zip(images.classes, counts, strict=True) if count}


def headline(found: dict) -> dict[str, dict]:
    """Give the few figures of each model that a person compares, of :func:`judge_all`."""
    return {
        name: {
            measure: own["classifiers"][name].get(measure, UNKNOWN)["value"] for measure in SHOWN
        }
        for name, own in found["models"].items()
    }


def judge(
    images: Images,
    index: pd.DataFrame,
    judged: Judged,
    name: str,
    ours: dict[str, Answers],
    others: dict[str, Answers],
    recommended: str,
    *,
    bins: int,
    resamples: int,
    seed: int,
) -> tuple[dict, pd.DataFrame]:
    """Put a model through what our own go through, on the images that it answered.

    Parameters
    ----------
    images : Images
        Of Testing.
    index : DataFrame
        The same, as of :func:`brain_mri.assessment.suspects.rank`.
    judged : Judged
    name : str
        Of the model.
    ours, others : dict of str to Answers
        Of our models, and of what needs none; look-up as of :func:`remembered`.
    recommended : str
        Which of ours validation recommends.
    bins, resamples, seed : int
        As of :func:`brain_mri.assessment.comparison.compare`.

    Returns
    -------
    found : dict
        What :func:`~brain_mri.assessment.comparison.compare` gives, with this model against each
        other classifier, and ``missing`` and ``refused``, numbers of images; ``with_twin``, of
        those answered; ``mean_confidence``; ``gaps``, see :func:`twin_gaps`; ``recalls``, of it and
        of the recommended of ours, see :func:`recalls`; ``verdicts``, against look-up and the
        recommended of ours; ``suspects``, how many labels its answers contradict, and
        ``contradicted``, see :func:`brain_mri.assessment.suspects.contradicted`.
    suspects : DataFrame
        As of :func:`brain_mri.assessment.suspects.rank`.
    """
    chosen = judged.answered
    own, answers = images.only(chosen), {name: judged.answers}
    beside = {other: given.only(chosen) for other, given in (ours | others).items()}
    drawn = {"resamples": resamples, "seed": seed}
    found = compare(own, answers, beside, bins=bins, **drawn)
    ranked = suspects.rank(own, judged.answers, index[chosen])
    against = {"look_up": LOOK_UP, "ours": recommended}
    tests = {what: found["pairs"][f"{name} - {other}"] for what, other in against.items()}
    found |= {
        "missing": int((~chosen).sum()),
        "refused": judged.refused,
        "with_twin": int(own.twin.sum()),
        "mean_confidence": float(judged.answers.probabilities.max(axis=1).mean()),
        "gaps": twin_gaps(own, answers | beside, name, recommended, **drawn),
        "recalls": recalls(
            own, answers | {recommended: beside[recommended]}, resamples=resamples, seed=seed
        ),
        "verdicts": {
            what: verdict(test["accuracy"]["value"], test["accuracy"]["p_holm"])
            for what, test in tests.items()
        },
        "suspects": int(ranked["suspect"].sum()),
        "contradicted": suspects.contradicted(ranked),
    }
    return found, ranked


def remembered(
    look_up: Answers, index: pd.DataFrame, manifest: pd.DataFrame, classes: list[str]
) -> Answers:
    """Give what a look-up answers that has every twin of the public Training folder.

    Ours is denied those that `leakage` drops, but a model of somebody else may have learned from
    them.

    Parameters
    ----------
    look_up : Answers
        The label of the most similar image of our training set.
    index : DataFrame
        Of Testing.
    manifest : DataFrame
        Of the audit.
    classes : list of str
    """
    accepted = manifest[manifest["accepted"]]
    clusters = accepted.set_index("path")["cluster"].loc[index["source"]]
    own = accepted[accepted["split"] == "Training"].drop_duplicates("cluster")
    labels = clusters.map(own.set_index("cluster")["class"])
    twins = pd.Index(classes).get_indexer(labels)
    return Answers(np.where(twins >= 0, twins, look_up.predicted))


def twin_gaps(
    images: Images,
    classifiers: dict[str, Answers],
    name: str,
    recommended: str,
    *,
    resamples: int,
    seed: int,
) -> dict:
    """Tell how much better classifiers do on images with a twin in Training than on the others.

    Images with a twin differ from the others in more than that, so a gap alone shows no memory. One
    of ours, which is known to have seen the twins or not to, has a gap to compare with.

    Returns
    -------
    dict
        ``classifiers``, the gap of each with its interval; ``verdict`` on the gap of `name`:
        higher, lower or undecided; ``beyond``, how much larger it is than that of the
        `recommended`, with interval, and the verdict on that as ``beyond_verdict``. Unknown where
        fewer than :data:`~brain_mri.assessment.intervals.FEW` groups are of either kind.
    """
    kinds = images.twin, ~images.twin
    if min(map(images.groups, kinds)) < FEW:
        unknown = dict.fromkeys(classifiers, UNKNOWN)
        return {"classifiers": unknown, "verdict": "undecided"} | {
            "beyond": UNKNOWN,
            "beyond_verdict": "undecided",
        }
    measured = measure(images, classifiers, bins=1, resamples=resamples, seed=seed)
    both = {}
    for each, found in measured.items():
        with_twin, without = map(found.known, ("with_twin_accuracy", "without_twin_accuracy"))
        both[each] = with_twin[0] - without[0], with_twin[1] - without[1]
    gaps = {each: percentile_interval(*found) for each, found in both.items()}
    pair = zip(both[name], both[recommended], strict=True)
    beyond = percentile_interval(*(own - other for own, other in pair))
    return {
        "classifiers": gaps,
        "verdict": direction(gaps[name]),
        "beyond": beyond,
        "beyond_verdict": direction(beyond),
    }


def recalls(
    images: Images, classifiers: dict[str, Answers], *, resamples: int, seed: int
) -> dict[str, dict[str, dict[str, dict]]]:
    """Give the recall of each class on images with a twin in Training, and on those without.

    Returns
    -------
    dict of str to dict
        By classifier, class, and kind, ``with`` or ``without``: an interval and ``images``, their
        number. A kind of which a class has no image is left out.
    """
    kinds = {"with": images.twin, "without": ~images.twin}
    wholes = {
        (label, kind): chosen & (images.actual == place)
        for place, label in enumerate(images.classes)
        for kind, chosen in kinds.items()
    }
    wholes = {key: whole for key, whole in wholes.items() if whole.any()}

    def shares(weights: np.ndarray) -> dict:
        return {
            (name, *key): share(answers.predicted == images.actual, whole, weights)
            for name, answers in classifiers.items()
            for key, whole in wholes.items()
        }

    values, draws = group_bootstrap(shares, images.group, resamples, seed)
    found: dict = {name: {label: {} for label in images.classes} for name in classifiers}
    for key, value in values.items():
        name, label, kind = key
        whole = wholes[label, kind]
        estimate = proportion_interval(value, draws[key], images.groups(whole))
        found[name][label][kind] = estimate | {"images": int(whole.sum())}
    return found


def direction(difference: Interval) -> str:
    """Tell on which side of zero an interval lies: higher, lower, or undecided if on both."""
    if difference["low"] is None or difference["low"] <= 0 <= difference["high"]:
        return "undecided"
    return "higher" if difference["low"] > 0 else "lower"
