"""Which tumours are missed where a tumour is suspected sooner."""

from brain_mri.report.reading import Reports


def content(reports: Reports) -> dict | None:
    """Give the threshold of each model; without a healthy class there is none."""
    if reports.parameters.healthy_class is None:
        return None
    return {"threshold": reports.comparison["threshold"]}
