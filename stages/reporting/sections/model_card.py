"""What the recommended model is, and what it is not for."""

from stages.reporting.contents import weakest
from stages.reporting.reading import Reports


def content(reports: Reports) -> dict:
    """Give the class that the recommended model finds least of."""
    return {"own_weakest": weakest(reports.comparison, [reports.recommended])}
