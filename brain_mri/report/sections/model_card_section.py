"""What the recommended model is, and what it is not for."""

from brain_mri.report.contents import weakest
from brain_mri.report.reading import Reports


def content(reports: Reports) -> dict:
    """Give the class that the recommended model finds least of."""
    return {"own_weakest": weakest(reports.comparison, [reports.recommended])}
