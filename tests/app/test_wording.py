"""Every word of the page is in words/, in both languages, and none is left over."""

import re
from pathlib import Path
from string import Formatter

import yaml
from jinja2 import Environment

from brain_mri.app.wording import Words

APP = Path(__file__).parents[2] / "brain_mri/app"
TEMPLATE = (APP / "templates/view.html.j2").read_text("utf-8")


def texts(words, prefix=""):
    """Give every text by its dotted key, a singular and a plural apart."""
    found = {}
    for key, value in words.items():
        below = isinstance(value, dict)
        found |= texts(value, f"{prefix}{key}.") if below else {f"{prefix}{key}": value}
    return found


ENGLISH, FRENCH = (
    texts(yaml.safe_load((APP / f"words/{code}.yaml").read_text("utf-8"))) for code in ("en", "fr")
)


def placeholders(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_languages_have_the_same_texts_filled_in_alike():
    assert list(ENGLISH) == list(FRENCH)
    for key, text in ENGLISH.items():
        assert placeholders(text) == placeholders(FRENCH[key]), key


def test_a_sentence_is_not_the_same_in_both_languages():
    same = [text for key, text in ENGLISH.items() if text == FRENCH[key]]
    assert [text for text in same if len(text.split()) > 2] == []


def test_french_keeps_punctuation_with_its_word():
    assert [text for text in FRENCH.values() if re.search(r" [;:?!%»]|« ", text)] == []


def test_every_text_is_used_and_every_problem_has_one():
    literals = set(re.findall(r'"([^"\n]*)"', TEMPLATE))
    heads = tuple(text for text in literals if text.endswith((".", "_")))  # a key put together
    keys = {key.removesuffix(".one").removesuffix(".other") for key in ENGLISH}
    left = {key for key in keys if key not in literals and not key.startswith(heads)}
    assert {key for key in left if not key.startswith("reasons.")} == set()
    problems = {key.partition(".")[2] for key in keys if key.startswith("problems.")}
    served = re.findall(r'"(\w+)": \d{3},', (APP / "serving.py").read_text("utf-8"))
    assert problems == {*served, "back"}


def test_the_template_has_no_words_of_its_own():
    literal = "".join(value for _, kind, value in Environment().lex(TEMPLATE) if kind == "data")
    assert (
        re.findall(r"[^\W\d_]{2,}", re.sub(r"<[^>]*>", "", literal.partition("</head>")[2])) == []
    )


def test_reasons_are_those_of_the_audit_and_the_pages_own():
    french = Words("fr")
    assert french.reason("more than 20 MB") == "plus de 20 Mo"
    assert french.reason("truncated or damaged") == "tronqué ou abîmé"
