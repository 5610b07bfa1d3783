"""A patients' table is read however it was saved, refused in a sentence, and joins slices."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_mri.data.patients import groups, read_patients, with_patients
from brain_mri.errors import InputError

FILES = ["Training/a/1.jpg", "Training/a/é, 2.jpg", "Testing/b/3.jpg"]
ROWS = [("Training/a/1.jpg", "p1", "x"), ("Training/a/é, 2.jpg", "p é", "")]


def text(rows=ROWS, header=("path", "patient", "origin"), **how):
    out = io.StringIO()
    csv.writer(out, **how).writerows([header, *rows])
    return out.getvalue()


def refusal(tmp_path, content, files=FILES):
    path = tmp_path / "patients.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        read_patients(path, files)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-mark", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_table_is_read_in_any_coding_line_ends_and_quotes(tmp_path, coding, line_end, quoting):
    content = text(lineterminator=line_end, quoting=quoting)
    if coding == "utf-16-le-mark":
        content, coding = "\ufeff" + content, "utf-16-le"
    (tmp_path / "t.csv").write_bytes(content.encode(coding))
    table = read_patients(tmp_path / "t.csv", FILES)
    assert table.values.tolist() == [list(row) for row in ROWS]
    assert list(table.columns) == ["path", "patient", "origin"]


def test_a_name_with_an_accent_is_the_files_in_either_form_of_unicode(tmp_path):
    decomposed = 'path,patient\n"Training/a/e\u0301, 2.jpg",p\n'
    (tmp_path / "t.csv").write_text(decomposed, encoding="utf-8")
    assert read_patients(tmp_path / "t.csv", FILES)["path"].tolist() == ["Training/a/é, 2.jpg"]


def test_ids_that_look_like_numbers_or_nothing_stay_text(tmp_path):
    (tmp_path / "t.csv").write_text("path,patient\nTraining/a/1.jpg,007\nTesting/b/3.jpg,NA\n")
    table = read_patients(tmp_path / "t.csv", FILES)
    assert dict(table.values) == {"Training/a/1.jpg": "007", "Testing/b/3.jpg": "NA"}


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    with pytest.raises(InputError, match=r"patients is '.*none.csv', but there is no such file"):
        read_patients(tmp_path / "none.csv", FILES)
    with pytest.raises(InputError, match="that is a folder"):
        read_patients(tmp_path, FILES)


def test_missing_columns_are_named_with_those_there_are(tmp_path):
    assert "lacks the column patient; it has 'path', 'who'" in refusal(tmp_path, "path,who\na,b\n")
    assert "lacks the column path and patient" in refusal(tmp_path, "a;b\n1;2\n")


def test_paths_that_are_not_in_the_set_are_told_the_first_three_by_name(tmp_path):
    rows = "".join(f"Training/a/{n}.png,p\n" for n in range(5))
    said = refusal(tmp_path, f"path,patient\n{rows}")
    assert "5 of its paths are not in the data set: " in said
    assert "'Training/a/0.png', 'Training/a/1.png', 'Training/a/2.png', ...; it takes" in said


def test_a_path_with_two_patients_is_refused_and_one_twice_with_the_same_is_not(tmp_path):
    row = "Training/a/1.jpg"
    said = refusal(tmp_path, f"path,patient\n{row},p1\n{row},p2\n")
    assert f"it gives '{row}' two patients, 'p1' and 'p2'" in said
    (tmp_path / "t.csv").write_text(f"path,patient\n{row},p1\n{row}, p1\n")
    assert len(read_patients(tmp_path / "t.csv", FILES)) == 1


@pytest.mark.parametrize("empty", ["", "  ", '""'])
def test_an_empty_id_is_refused(tmp_path, empty):
    said = refusal(tmp_path, f"path,patient\nTraining/a/1.jpg,{empty}\n")
    assert "the patient of 'Training/a/1.jpg' is empty" in said


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b'path,patient\n"a', b"\xff\xfea"])
def test_what_is_no_table_ends_in_a_sentence(tmp_path, content):
    assert refusal(tmp_path, content)


images = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["", *"abcdefg"])), min_size=1, max_size=60
)


@given(images)
def test_a_group_holds_all_that_twins_and_patients_join_and_nothing_else(images):
    clusters, patients = map(np.array, zip(*images, strict=True))
    found = groups(clusters, patients)
    joined = np.equal.outer(clusters, clusters)
    joined |= np.equal.outer(patients, patients) & (patients != "")
    for _ in range(len(images)):  # until nothing more is reached
        joined = joined @ joined
    assert np.array_equal(joined, np.equal.outer(found, found))


def test_an_image_without_a_patient_is_one_of_its_own_with_its_twins():
    assert groups(np.array([0, 0, 1, 2, 3]), np.array(["", "p", "p", "", ""])).tolist() == [
        *(0, 0, 0, 1, 2)
    ]


def test_refused_files_are_in_no_group():
    manifest = pd.DataFrame(
        {"path": ["a", "b", "c"], "cluster": [0, None, 1], "accepted": [True, False, True]}
    )
    table = pd.DataFrame({"path": ["a", "c"], "patient": ["p", "p"]})
    found = with_patients(manifest, table)
    assert found["group"].isna().tolist() == [False, True, False]
    assert found["patient"].tolist() == ["p", "", "p"]
    assert list(found.columns) == ["path", "cluster", "patient", "group", "accepted"]
