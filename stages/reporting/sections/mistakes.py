"""The wrong answers that the recommended model was surest of."""

from stages.reporting.pictures import read_gallery
from stages.reporting.reading import Reports


def content(reports: Reports) -> dict:
    """Give their pictures, with what each was called."""
    folder = reports.folder / "pictures/mistakes" / reports.recommended
    gallery = read_gallery(folder, ["path", "actual", "predicted"], numbers=["confidence"])
    return {"mistakes": gallery.to_dict("records")}
