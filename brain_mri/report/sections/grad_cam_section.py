"""Where in a slice the evidence for an answer lies."""

from brain_mri.report.pictures import read_gallery
from brain_mri.report.reading import Reports
from brain_mri.storage import damaged


def content(reports: Reports) -> dict:
    """Give each model's maps."""
    return {"grad_cam": {name: _maps(reports, name) for name in reports.models}}


def _maps(reports: Reports, name: str) -> dict:
    """Give the right and the wrong example of each class, None where there is none."""
    folder, sides = reports.folder / "pictures/grad_cam" / name, ["height", "width"]
    table = read_gallery(folder, ["path", "actual", "predicted", "correct"], [*sides, "confidence"])
    if not table["actual"].isin(reports.classes).all():
        raise damaged(folder / "index.csv")
    examples = {label: {"right": None, "wrong": None} for label in reports.classes}
    for row in table.to_dict("records"):
        examples[row["actual"]]["right" if row["correct"] else "wrong"] = row
    return {"examples": examples, "maps": table[sides].head(1).to_dict("records")}
