"""Arms of a study, each run with several seeds: their figures, and what differs between them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from brain_mri.assessment.intervals import CONFIDENCE, group_bootstrap, percentile_interval
from brain_mri.assessment.pairs import SIGNIFICANT, bootstrap_p, holm, verdict
from brain_mri.assessment.weighted import averages, class_scores, share

TROUBLES = ("collapse", "saturation")
FEW_SEEDS = 5  # with fewer, how runs vary by seed is hardly known

Run = tuple[str, int]  # arm and seed


def measure_runs(
    predictions: Mapping[Run, pd.DataFrame],
    classes: list[str],
    healthy_class: str | None,
    resamples: int,
    seed: int,
) -> tuple[dict[tuple[str, str, int], float], dict[tuple[str, str, int], np.ndarray]]:
    """Measure every run on the same test images, and on resamples of their groups.

    Parameters
    ----------
    predictions : mapping of (arm, seed) to DataFrame
        As of :func:`brain_mri.assessment.predictions.read_predictions`, of the same images.
    classes : list of str
    healthy_class : str or None
        With it, ``sensitivity`` to a tumour is measured too.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    values : dict of (measure, arm, seed) to float
    draws : dict of (measure, arm, seed) to ndarray (resamples,)
    """
    number_of = pd.Index(classes).get_indexer
    truth = next(iter(predictions.values()))
    actual = number_of(truth["actual"])
    predicted = {run: number_of(table["predicted"]) for run, table in predictions.items()}

    def figures(weights):
        found = {}
        for (arm, number), answers in predicted.items():
            every = np.ones(len(actual), bool)
            found["accuracy", arm, number] = share(answers == actual, every, weights)
            scores = class_scores(actual, answers, len(classes), weights)
            found["macro_f1", arm, number] = averages(scores)["macro_f1"]
            if healthy_class is not None and (actual != classes.index(healthy_class)).any():
                healthy = classes.index(healthy_class)
                called_ill = answers != healthy
                found["sensitivity", arm, number] = share(called_ill, actual != healthy, weights)
        return found

    return group_bootstrap(figures, truth["group"].to_numpy(), resamples, seed)


@dataclass(frozen=True)
class Arms:
    """What a study found of its arms, by measure.

    Attributes
    ----------
    arms : dict of str to DataFrame
        As of :func:`arm_table`.
    differences : dict of str to DataFrame
        As of :func:`contrast_table`.
    """

    arms: dict[str, pd.DataFrame]
    differences: dict[str, pd.DataFrame]

    def summary(self, reference: str) -> dict:
        """Give what the report prints of each measure: reference, other arms, factors."""
        found: dict = {"references": {}, "arms": {}, "factors": {}}
        for measure, table in self.arms.items():
            tested = self.differences[measure]
            merged = table.merge(tested, left_on="arm", right_on="contrast")
            found["references"][measure] = table[table["arm"] == reference].to_dict("records")[0]
            found["arms"][measure] = merged.to_dict("records")
            rest = tested[~tested["contrast"].isin(table["arm"])]
            found["factors"][measure] = rest.to_dict("records")
        return found | {"few_seeds": FEW_SEEDS, "alpha": SIGNIFICANT}

    def figures(self) -> dict[str, dict]:
        """Give the mean and spread of each arm by measure, for DVC to show and compare."""
        found: dict[str, dict] = {}
        for measure, table in self.arms.items():
            for row in table.to_dict("records"):
                figures = {"mean": row["mean"], "spread": row["spread"]}
                found.setdefault(row["arm"], {})[measure] = figures
        return found

    def contrasts(self) -> pd.DataFrame:
        """Give the differences in one table, with their ``measure``."""
        return pd.concat(self.differences, names=["measure"]).reset_index("measure")


def compare_arms(
    values: Mapping[tuple[str, str, int], float],
    draws: Mapping[tuple[str, str, int], np.ndarray],
    reference: str,
    factors: Mapping[str, list[str]],
    seed: int,
) -> Arms:
    """Put every measure of every arm in figures, and test what differs between them.

    Parameters
    ----------
    values, draws : mapping of (measure, arm, seed)
        As of :func:`measure_runs`.
    reference : str
    factors : mapping of str to list of str
        See :func:`contrasts` for these.
    seed : int
        Of the resamples of seeds.
    """
    measures = list(dict.fromkeys(measure for measure, _, _ in values))
    wanted = contrasts(list(dict.fromkeys(arm for _, arm, _ in values)), reference, factors)
    return Arms(
        {measure: arm_table(values, measure) for measure in measures},
        {measure: contrast_table(values, draws, measure, wanted, seed) for measure in measures},
    )


def runs_table(
    values: Mapping[tuple[str, str, int], float], ended: Mapping[Run, dict]
) -> pd.DataFrame:
    """Give one row per run: ``arm``, ``seed``, each measure, and how training ``ended``."""
    measures = list(dict.fromkeys(measure for measure, _, _ in values))
    return pd.DataFrame(
        {
            "arm": arm,
            "seed": seed,
            **{measure: values[measure, arm, seed] for measure in measures},
            "ended": found["verdict"],
        }
        for (arm, seed), found in ended.items()
    )


def arm_table(values: Mapping[tuple[str, str, int], float], measure: str) -> pd.DataFrame:
    """Give each arm's runs in figures.

    Returns
    -------
    DataFrame
        ``arm``, ``runs``, ``mean``, ``spread`` (standard deviation over seeds, n - 1), ``lowest``,
        ``highest``.
    """
    rows = [
        {"arm": arm, "value": value} for (name, arm, _), value in values.items() if name == measure
    ]
    grouped = pd.DataFrame(rows).groupby("arm", sort=False)["value"]
    return grouped.agg(
        runs="size", mean="mean", spread="std", lowest="min", highest="max"
    ).reset_index()


def contrasts(
    arms: list[str], reference: str, factors: Mapping[str, list[str]]
) -> dict[str, dict[str, float]]:
    """List what is compared: each arm with the reference, and each factor on with it off.

    Two factors make a 2x2 of four arms: the reference, where both are off, and those named. A
    factor's effect is the mean of the arms where it is on less the mean of those where it is off;
    their interaction is how much more one does where the other is on.

    Returns
    -------
    dict of str to dict
        By name, the weight of each arm in the difference.
    """
    found = {arm: {arm: 1.0, reference: -1.0} for arm in arms if arm != reference}
    design = dict.fromkeys([reference, *(arm for on in factors.values() for arm in on)])
    signs = {name: {arm: 1 if arm in on else -1 for arm in design} for name, on in factors.items()}
    for name, sign in signs.items():
        found[f"factor: {name}"] = {arm: sign[arm] * 2 / len(design) for arm in design}
    if len(signs) == 2:
        a, b = signs.values()
        found[f"interaction: {' x '.join(signs)}"] = {arm: a[arm] * b[arm] for arm in design}
    return found


def contrast_table(
    values: Mapping[tuple[str, str, int], float],
    draws: Mapping[tuple[str, str, int], np.ndarray],
    measure: str,
    wanted: Mapping[str, Mapping[str, float]],
    seed: int,
) -> pd.DataFrame:
    """Test contrasts between arms over both test images and seeds.

    Runs of one seed are compared with each other on the same test images. The interval draws twin
    groups and, independently, seeds anew (the pigeonhole bootstrap of Owen 2007, Annals of
    Applied Statistics 1:386): it is of the difference on other images of this kind and with other
    seeds. Drawing n seeds anew makes their part too small by (n - 1) / n, and knows no tails beyond
    them. So the interval also covers Student's of the differences by seed, and p is the larger.

    Returns
    -------
    DataFrame
        ``contrast``, ``difference``, ``low``, ``high``, ``p``, ``p_holm`` (over all contrasts
        here), ``verdict``, see :func:`brain_mri.assessment.pairs.verdict`.
    """
    seeds = sorted({number for _, _, number in values})
    resamples = len(next(iter(draws.values())))
    drawn = np.random.default_rng(seed).integers(len(seeds), size=(resamples, len(seeds)))
    rows = []
    for name, weights in wanted.items():
        by_seed, drawn_values = np.zeros(len(seeds)), np.zeros(resamples)
        for arm, weight in weights.items():
            own = np.stack([draws[measure, arm, number] for number in seeds], axis=1)
            by_seed += weight * np.array([values[measure, arm, number] for number in seeds])
            drawn_values += weight * np.take_along_axis(own, drawn, axis=1).mean(axis=1)
        interval = percentile_interval(by_seed.mean(), drawn_values)
        low, high, p = student(by_seed)
        most = sum(weight for weight in weights.values() if weight > 0)  # each figure is 0 to 1
        rows.append(
            {
                "contrast": name,
                "difference": interval["value"],
                "low": max(min(interval["low"], low), -most),
                "high": min(max(interval["high"], high), most),
                "p": max(bootstrap_p(drawn_values, resamples), p),
            }
        )
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"].tolist())
    return table.assign(verdict=list(map(verdict, table["difference"], table["p_holm"])))


def student(values: np.ndarray) -> tuple[float, float, float]:
    """Give Student's interval of a mean over seeds, and the two-sided p of its being zero.

    Parameters
    ----------
    values : ndarray (seeds,), float
        Two or more. Where all are the same, the interval is that point, and p tells nothing: 0.

    Returns
    -------
    low, high, p : float
    """
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0]), 0.0
    test = ttest_1samp(values, 0.0)
    bounds = test.confidence_interval(CONFIDENCE)
    return float(bounds.low), float(bounds.high), float(test.pvalue)


def endings(diagnoses: Mapping[Run, dict], activations: Mapping[str, str]) -> dict:
    """Tell how training ended in each arm, by :func:`brain_mri.assessment.diagnosis.diagnose`.

    Parameters
    ----------
    diagnoses : mapping of (arm, seed) to dict
    activations : mapping of str to str
        Of each arm.

    Returns
    -------
    dict
        ``ended``: by arm, how many runs have each verdict. ``failed``: of each arm with runs that
        did not learn, their number and verdicts, and where ``collapse`` and ``saturation`` were
        first seen in one of them. ``claim``: whether the sigmoid runs that did not learn confirm
        the origin study's explanation, saturation (confirmed, refuted or mixed; ``saturated`` of
        ``failed``); None without such runs.
    """
    ended = {
        arm: dict(Counter(found["verdict"] for found in _runs_of(arm, diagnoses)))
        for arm in activations
    }
    failed = []
    for arm in activations:
        runs = [found for found in _runs_of(arm, diagnoses) if found["verdict"] != "learns"]
        if runs:
            first = {name: _earliest(found[name] for found in runs) for name in TROUBLES}
            verdicts = {name: n for name, n in ended[arm].items() if name != "learns"}
            failed.append({"arm": arm, "failed": len(runs), "verdicts": verdicts, **first})
    sigmoid = [row for row in failed if activations[row["arm"]] == "sigmoid"]
    claim = None
    if sigmoid:
        saturated = sum(row["verdicts"].get("saturation", 0) for row in sigmoid)
        of = sum(row["failed"] for row in sigmoid)
        answer = "confirmed" if saturated == of else "mixed" if saturated else "refuted"
        claim = {"answer": answer, "saturated": saturated, "failed": of}
    return {"ended": ended, "failed": failed, "claim": claim}


def _runs_of(arm: str, diagnoses: Mapping[Run, dict]) -> list[dict]:
    return [found for (name, _), found in diagnoses.items() if name == arm]


def _earliest(sightings: Iterable[dict | None]) -> dict | None:
    known = [seen for seen in sightings if seen]
    return min(known, key=lambda seen: seen["step"], default=None)
