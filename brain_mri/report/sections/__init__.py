"""The sections of the page: one module each, which gives what its template fills in.

A section has the template ``<name>.html.j2``, the module ``<name>_section.py`` and, as its heading,
the text ``sections.<name>``. It has no module where :func:`brain_mri.report.contents.shared` gives
all that its template needs.
"""

from importlib import import_module
from pkgutil import iter_modules

from brain_mri.report import contents
from brain_mri.report.reading import Reports

SUFFIX = "_section"  # of a module's name, since other modules are named after the same things
# The order on the page. A section that is named in neither comes between the two.
FIRST = ("summary", "data", "models", "results", "answers", "learning", "comparison")
FIRST += ("shortcuts", "calibration", "threshold", "signals", "mistakes", "grad_cam")
FIRST += ("model_card", "data_card")
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
    modules = {module.name.removesuffix(SUFFIX) for module in iter_modules(__path__)}
    results, shown = contents.shared(reports), []
    for name in (*FIRST, *sorted(modules - {*FIRST, *LAST}), *LAST):
        own = {}
        if name in modules:
            own = import_module(f"{__name__}.{name}{SUFFIX}").content(reports)
        if own is not None:
            shown.append(name)
            results = dict(**results, **own)  # unlike |, refuses what is there already
    return dict(**results, sections=shown)
