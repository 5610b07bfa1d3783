"""The words of the report in one language, and how numbers are written in it."""

import math
import re
from collections.abc import Callable
from importlib.resources import files

from markupsafe import Markup
from ruamel.yaml import YAML

MISSING = "\N{EN DASH}"
MOST_FOLDERS = 8  # that a sentence lists
SINGULAR = {"en": (1,), "fr": (0, 1)}
NARROW, WIDE = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"


class Language:
    """Says every sentence of the report in one language.

    Parameters
    ----------
    code : {"en", "fr"}
        There is a file of words for each.

    Attributes
    ----------
    code : str
    words : dict
        Texts by key, nested; one with a singular and a plural is a mapping of ``one`` and
        ``other``. A text may hold placeholders in braces, and HTML.
    """

    def __init__(self, code: str):
        text = files("brain_mri.report").joinpath("words", f"{code}.yaml").read_text("utf-8")
        self.code, self.words = code, YAML(typ="safe").load(text)
        if code == "fr":
            self.words = _french_spaces(self.words)

    def say(self, key: str, **values) -> Markup:
        """Give the text at a dotted key, filled in.

        Parameters
        ----------
        key : str
        **values
            For the placeholders; escaped unless they are markup, numbers written as the language
            does. ``n`` also decides between singular and plural.

        Returns
        -------
        markupsafe.Markup
        """
        text = self.words
        for part in key.split("."):
            text = text[part]
        if isinstance(text, dict):
            text = text["one" if abs(values["n"]) in SINGULAR[self.code] else "other"]
        written = {
            name: value if isinstance(value, str) else self.number(value)
            for name, value in values.items()
        }
        return Markup(text).format(**written)

    def number(self, value: float | None, digits: int = 3) -> str:
        """Write a number with its decimals, a whole one with its thousands apart, none as a dash.

        A minus is the typographical one.
        """
        if value is None or not math.isfinite(value):
            return MISSING
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"
        if not text.strip("-0.,"):
            text = text.lstrip("-")  # no minus zero
        figures = self.words["figures"]
        marks = {
            ",": figures["thousands_mark"],
            ".": figures["decimal_mark"],
            "-": "\N{MINUS SIGN}",
        }
        return text.translate(str.maketrans(marks))

    def signed(self, value: float | None, digits: int = 3) -> str:
        """Write a difference, with a plus where it is above zero."""
        text = self.number(value, digits)
        return f"+{text}" if value is not None and float(f"{value:.{digits}f}") > 0 else text

    def percent(self, share: float | None, digits: int = 1) -> str:
        """Write a share in percent."""
        if share is None:
            return MISSING
        return self.words["figures"]["percent"].format(self.number(100.0 * share, digits))

    def p_value(self, p: float | None, at_most: bool = False) -> str:
        """Write a p-value, or a bound that it is at most.

        Below a thousandth its size tells nothing more.
        """
        if p is not None and p < 0.001:
            return f"<{NARROW}{self.number(0.001)}"
        return f"≤{NARROW}{self.number(p)}" if at_most else self.number(p)

    def interval(self, estimate: dict | None, write: Callable | None = None) -> str:
        """Write the bounds of an estimate, in brackets; nothing where there are none.

        Parameters
        ----------
        estimate : dict, optional
            ``low`` and ``high``.
        write : callable, optional
            How to write a bound; as a number if not given.
        """
        if estimate is None or estimate["low"] is None:
            return ""
        low, high = ((write or self.number)(estimate[side]) for side in ("low", "high"))
        return str(self.say("interval", low=low, high=high)).replace(" ", WIDE)

    def signed_interval(self, estimate: dict | None) -> str:
        """Write the bounds of a difference."""
        return self.interval(estimate, self.signed)

    def percent_interval(self, estimate: dict | None) -> str:
        """Write the bounds of a share in percent."""
        return self.interval(estimate, self.percent)

    def seconds(self, seconds: float | None) -> str:
        """Write a duration."""
        if seconds is None:
            return MISSING
        if seconds < 60:
            return str(self.say("time.seconds", value=self.number(seconds, 1)))
        minutes, rest = divmod(round(seconds), 60)
        return str(self.say("time.minutes", minutes=minutes, seconds=rest))

    def class_counts(self, counts: dict[str, int]) -> str:
        """Write how many images there are of each class."""
        items = [
            self.say("counts.class_images", n=n, **{"class": name}) for name, n in counts.items()
        ]
        return self.say("list.next").join(items) or self.say("counts.nothing")

    def folders(self, counts: dict[str, int]) -> str:
        """Name the first of some folders, with how many files each has."""
        items = [
            self.say("counts.folder_files", n=n, folder=name)
            for name, n in list(counts.items())[:MOST_FOLDERS]
        ]
        more = [self.say("counts.more", n=len(counts) - len(items))] * (len(counts) > len(items))
        return self.say("list.next").join(items + more)

    def reason(self, text: str) -> str:
        """Translate a reason of the audit, which writes English; an unknown one stays as it is."""
        numbers = re.findall(r"\d+", text)
        reasons = self.words["reasons"]
        known = reasons.get(text) or reasons.get(re.sub(r"\d+", "{}", text))
        return known.format(*numbers) if known else text


def _french_spaces(words):
    """Keep French punctuation with its word, so that no line starts with it."""
    if isinstance(words, dict):
        return {key: _french_spaces(text) for key, text in words.items()}
    words = re.sub(r" (?=[;?!])", NARROW, words)
    return re.sub(r" (?=[:%»])|(?<=«) ", WIDE, words)
