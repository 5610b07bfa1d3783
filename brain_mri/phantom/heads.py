"""Which image of the embedded data set shows which slice of which head, and which is a copy."""

import numpy as np
import pandas as pd

from brain_mri.errors import InputError

# Images of each class in the real set; a phantom of any size keeps these proportions.
REAL_COUNTS = {
    "Training": {
        "glioma_tumor": 826,
        "meningioma_tumor": 822,
        "no_tumor": 395,
        "pituitary_tumor": 827,
    },
    "Testing": {
        "glioma_tumor": 100,
        "meningioma_tumor": 115,
        "no_tumor": 105,
        "pituitary_tumor": 74,
    },
}
CLASSES = tuple(REAL_COUNTS["Training"])
MOST_SLICES = 12  # of a head
OWN_SPLIT = 8  # of them in the split that a head is made for; the others may be in Testing
# What a copy may be turned to, as Pillow numbers its Transpose; it rotates anticlockwise.
ORIENTATIONS = (
    "mirrored",
    "flipped",
    "rotated 90",
    "rotated 180",
    "rotated 270",
    "transposed",
    "transversed",
)


def plan(
    seed: int,
    *,
    training: int,
    testing: int,
    shared_patients: float,
    wrong_labels: int,
    mislabelled: int,
    **copies: int,
) -> pd.DataFrame:
    """Decide what every image of a data set shows.

    Parameters
    ----------
    seed, training, testing, shared_patients, wrong_labels, mislabelled
        As in :func:`brain_mri.phantom.slices.draw_dataset`.
    **copies : int
        Testing images that are a copy of a Training image of their class, by how it is changed.

    Returns
    -------
    DataFrame
        One row per image: ``path``, ``split``, ``class`` (of its folder), ``true_class``,
        ``patient``, ``head`` (what the head is drawn from: the path of the image that was to be its
        first), ``slice`` (counted from the middle of the tumour), ``source``, ``change`` and
        ``orientation``.
    """
    rng = np.random.default_rng(seed)
    truth = pd.concat(
        [_originals(seed, split, n) for split, n in (("Training", training), ("Testing", testing))],
        ignore_index=True,
    )
    in_testing = np.repeat(list(copies), list(copies.values())).tolist()
    in_training = ["mislabelled"] * (mislabelled // 2)
    in_testing += ["mislabelled"] * (mislabelled - mislabelled // 2)
    _plant(rng, truth, in_testing, in_training)
    _mislabel(rng, truth, wrong_labels)
    _share(rng, truth, shared_patients)

    copy, source = _copies_and_sources(truth)
    for column in ("true_class", "head", "slice"):
        truth.loc[copy, column] = truth.loc[source, column].to_numpy()
    turned = truth.index[truth["change"] == "turned"]
    truth.loc[turned, "orientation"] = np.resize(ORIENTATIONS, len(turned))
    number = pd.factorize(truth["head"])[0] + 1
    truth["patient"] = [f"p{n:0{max(3, len(str(number.max())))}}" for n in number]
    # A head's slices are dealt from the middle: 0, 1, -1, 2, -2 ...
    truth["slice"] = [(n + 1) // 2 * (1 if n % 2 else -1) for n in truth["slice"]]
    return truth


def _originals(seed: int, split: str, total: int) -> pd.DataFrame:
    """Plan a split of originals, every class in heads of its own, oftener of few slices."""
    real = REAL_COUNTS[split]
    ends = np.rint(np.cumsum(list(real.values())) * total / sum(real.values())).astype(int)
    rows = []
    for label, count in zip(real, np.diff(ends, prepend=0), strict=True):
        # Heads are dealt one after another, so that a larger set begins with the same.
        rng = np.random.default_rng([seed, *f"{split}/{label}".encode()])
        paths = [f"{split}/{label}/{number:04}.jpg" for number in range(1, count + 1)]
        often = 1 / np.arange(1, OWN_SPLIT + 1)
        first = 0
        while first < count:
            shown = paths[first : first + 1 + rng.choice(OWN_SPLIT, p=often / often.sum())]
            rows += [(path, label, shown[0], number) for number, path in enumerate(shown)]
            first += len(shown)
    truth = pd.DataFrame(rows, columns=["path", "class", "head", "slice"])
    truth.insert(1, "split", split)
    truth.insert(3, "true_class", truth["class"])
    return truth.assign(patient="", source="", change="", orientation="upright")


def _plant(rng, truth: pd.DataFrame, in_testing: list[str], in_training: list[str]) -> None:
    """Turn images into copies of Training images, one copy an image; change `truth` in place.

    The sources are of few heads, since all of a head that Testing shows may be dropped later.
    """
    free = {
        (split, label): list(rng.permutation(rows.index))
        for (split, label), rows in truth.groupby(["split", "class"])
    }
    for label in CLASSES:
        rows = truth.loc[sorted(free["Training", label])]
        number, heads = pd.factorize(rows["head"])
        order = np.argsort(rng.permutation(len(heads))[number], kind="stable")
        free["Training", label] = list(rows.index[order])
    twins = [("Testing", change) for change in in_testing]
    twins += [("Training", change) for change in in_training]
    for split, change in twins:
        left = [min(len(free[split, label]), len(free["Training", label])) for label in CLASSES]
        try:
            label = rng.choice(np.repeat(CLASSES, left))
            copy = free[split, label].pop()
            if change == "mislabelled":
                others = [other for other in CLASSES if other != label and free["Training", other]]
                label = rng.choice(others)
            source = free["Training", label].pop()
        except (ValueError, IndexError):  # chosen from nothing, popped from nothing
            raise InputError(
                f"phantom plants {len(twins)} twins, more than there are Training images of their "
                "class to copy; plant fewer or raise phantom.training"
            ) from None
        truth.loc[copy, ["source", "change"]] = truth.at[source, "path"], change


def _copies_and_sources(truth: pd.DataFrame) -> tuple[pd.Index, pd.Index]:
    """Give the rows of the copies, and of what each is a copy of."""
    copies = truth.index[truth["source"] != ""]
    return copies, pd.Index(truth["path"]).get_indexer(truth.loc[copies, "source"])


def _mislabel(rng, truth: pd.DataFrame, count: int) -> None:
    """Let originals show a head of another class than their folder's; change `truth` in place."""
    copies, sources = _copies_and_sources(truth)
    free = truth.index.difference(copies).difference(sources)
    if count > len(free):
        raise InputError(
            f"phantom.wrong_labels is {count}, but only {len(free)} images are neither a copy nor "
            "copied; lower it or raise phantom.training"
        )
    for row in rng.choice(free, count, replace=False):
        path, label = truth.loc[row, ["path", "class"]]
        shown = str(rng.choice([other for other in CLASSES if other != label]))
        truth.loc[row, ["true_class", "head", "slice"]] = shown, f"{path} {shown}", 0


def _share(rng, truth: pd.DataFrame, share: float) -> None:
    """Let a share of Testing's originals show Training's heads; change `truth` in place."""
    own = truth[(truth["change"] == "") & (truth["class"] == truth["true_class"])]
    for label in CLASSES:
        training, testing = (
            own[(own["split"] == split) & (own["class"] == label)] for split in REAL_COUNTS
        )
        wanted = round(share * len(testing))
        slices = training.groupby("head", sort=False)["slice"].max() + 1
        left = [
            (head, number)
            for head in rng.permutation(slices.index)
            for number in range(slices[head], MOST_SLICES)
        ]
        # First no more of a head than Training shows.
        left.sort(key=lambda slice_: slice_[1] >= 2 * slices[slice_[0]])
        if wanted > len(left):
            raise InputError(
                f"phantom.shared_patients is {share}, but the heads of {label} in Training have "
                f"only {len(left)} slices left for Testing's {len(testing)} images; lower it or "
                "raise phantom.training"
            )
        rows = testing.index[len(testing) - wanted :]
        truth.loc[rows, "head"] = [head for head, _ in left[:wanted]]
        truth.loc[rows, "slice"] = [number for _, number in left[:wanted]]
