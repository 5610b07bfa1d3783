"""Answers are read whole or not at all, whichever stage reads them."""

import pandas as pd
import pytest

from brain_mri.assessment.predictions import read_predictions
from brain_mri.errors import InputError

CLASSES = ["01", "NA"]
WHOLE = {
    "path": ["test/a.png", "test/b.png"],
    "group": [0, 1],
    "actual": ["01", "NA"],
    "predicted": ["01", "01"],
    "01": [0.75, 0.5],
    "NA": [0.25, 0.5],
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.csv"


def test_whole_answers_are_read_as_they_are(path):
    table = pd.DataFrame(WHOLE)
    table.to_csv(path, index=False)
    index = table.rename(columns={"path": "source", "actual": "label"})
    for read in (read_predictions(path, CLASSES), read_predictions(path, CLASSES, index)):
        pd.testing.assert_frame_equal(read, table)


@pytest.mark.parametrize(
    "change",
    [
        {"actual": ["01", "cat"]},
        {"predicted": ["01", "cat"]},
        {"predicted": ["NA", "01"]},
        {"01": [0.75, 0.75]},
        {"01": [1.25, 0.5], "NA": [-0.25, 0.5]},
        {"group": ["0", "x"]},
        {column: [] for column in WHOLE},
    ],
    ids=["actual", "predicted", "not the likeliest", "sum", "negative", "group", "no row"],
)
def test_damaged_answers_are_refused_without_an_image_set_too(path, change):
    pd.DataFrame(WHOLE | change).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"model\.csv is damaged"):
        read_predictions(path, CLASSES)
