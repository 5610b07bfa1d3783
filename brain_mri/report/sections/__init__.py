"""The sections of the page: one module each, which gives what its template fills in.

A section has a template of its name, its heading is the text `sections.<name>`. Where what its
template needs is in :func:`brain_mri.report.contents.shared`, it has no module.
"""

from importlib import import_module
from pkgutil import iter_modules

from brain_mri.report import contents
from brain_mri.report.reading import Reports

# The order on the page. A module that is named in neither comes between the two.
FIRST = ("summary", "data", "models", "results", "answers", "learning", "comparison")
FIRST += ("calibration", "threshold", "signals", "mistakes", "grad_cam", "model_card", "data_card")
LAST = ("glossary", "reproduce")


def gather(reports: Reports) -> dict:
    """Give what the templates fill in: what all share, and what each section has of its own.

    Returns
    -------
    dict
        ``sections``, the names of those to show, in order. A section is left out whose
        ``content(reports)`` is None.

    Raises
    ------
    TypeError
        If two sections give the same name, or a section one that all share.
    """
    modules = {module.name for module in iter_modules(__path__)}
    results, shown = contents.shared(reports), []
    for name in (*FIRST, *sorted(modules - {*FIRST, *LAST}), *LAST):
        own = {}
        if name in modules:
            own = import_module(f"{__name__}.{name}").content(reports)
        if own is not None:
            shown.append(name)
            results = dict(**results, **own)  # unlike |, refuses what is there already
    return dict(**results, sections=shown)
