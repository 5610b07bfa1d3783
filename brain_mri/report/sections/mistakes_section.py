"""The wrong answers that the recommended model was surest of."""

from brain_mri.report.pictures import read_gallery
from brain_mri.report.reading import Reports


def content(reports: Reports) -> dict:
    """Give their pictures, with what each was called."""
    folder = reports.folder / "pictures/mistakes" / reports.recommended
    gallery = read_gallery(folder, ["path", "actual", "predicted"], numbers=["confidence"])
    return {"mistakes": gallery.to_dict("records")}
