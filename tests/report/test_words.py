"""Every word of the report is in words/, in both languages, and none is left over."""

import re
from html.parser import HTMLParser
from string import Formatter

import pytest
import yaml
from jinja2 import Environment
from made_up import ROOT

from brain_mri.report.language import MISSING, Language

REPORTING = ROOT / "brain_mri/report"
TEMPLATES = sorted((REPORTING / "templates").glob("*.j2"))
LANGUAGES = ("en", "fr")
MINUS = "\N{MINUS SIGN}"
VISIBLE = {"alt", "aria-label", "title", "placeholder"}  # attributes that a reader meets


def texts(words: dict, prefix: str = "") -> dict[str, str]:
    """Give every text by its dotted key, a singular and a plural apart."""
    found = {}
    for key, value in words.items():
        if isinstance(value, dict):
            found |= texts(value, f"{prefix}{key}.")
        else:
            found[prefix + str(key)] = value
    return found


WORDS = {
    code: texts(yaml.safe_load((REPORTING / f"words/{code}.yaml").read_text("utf-8")))
    for code in LANGUAGES
}


def placeholders(text: str) -> set[str]:
    """Name what a text is filled in with."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def tags(text: str) -> list[str]:
    """List a text's HTML tags with their attributes."""
    return sorted(re.findall(r"<[^<>]+>", text))


def test_both_languages_have_the_same_texts_and_none_is_empty():
    assert list(WORDS["en"]) == list(WORDS["fr"])
    for words in WORDS.values():
        assert all(isinstance(text, str) and text.strip(" ") for text in words.values())


def test_no_key_is_written_twice():
    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node, deep=False):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), keys
            return super().construct_mapping(node, deep)

    for code in LANGUAGES:
        yaml.load((REPORTING / f"words/{code}.yaml").read_text("utf-8"), Strict)


def test_texts_are_filled_in_and_marked_up_alike_in_both_languages():
    for key, english in WORDS["en"].items():
        french = WORDS["fr"][key]
        assert placeholders(english) == placeholders(french), key
        assert tags(english) == tags(french), key


def test_singular_and_plural_are_filled_in_alike():
    for key, one in WORDS["en"].items():
        if key.endswith(".one"):
            other = WORDS["en"][key.removesuffix("one") + "other"]
            assert placeholders(one) | {"n"} == placeholders(other) | {"n"}, key


def test_a_sentence_is_not_the_same_in_both_languages():
    long = {
        key: text for key, text in WORDS["en"].items() if len(re.findall(r"\b[a-z]{2,}", text)) > 5
    }
    assert len(long) > 100
    assert [key for key, text in long.items() if text == WORDS["fr"][key]] == []


def test_every_text_is_used():
    paths = [*TEMPLATES, *REPORTING.rglob("*.py"), ROOT / "stages/report.py"]
    literals = set(re.findall(r'"([^"\n]*)"', "\n".join(path.read_text("utf-8") for path in paths)))
    # A key may be put together: "sections." ~ name, or f"flow_{name}".
    heads = {text.partition("{")[0] for text in literals if re.search(r"[._]$|\{", text)} - {""}
    unused = []
    for key in WORDS["en"]:
        key = key.removesuffix(".one").removesuffix(".other").removeprefix("figures.")
        if key.startswith("reasons."):
            continue  # looked up by what another stage wrote
        if key not in literals and not any(key.startswith(head) for head in heads):
            unused.append(key)
    assert unused == []


def test_every_reason_of_the_audit_is_translated():
    code = (ROOT / "brain_mri/data/decoding.py").read_text("utf-8")
    code += (ROOT / "brain_mri/data/inspection.py").read_text("utf-8")
    written = re.findall(r'Refused\(f?"([^"]+)"\)', code)
    reasons = {re.sub(r"\{[^}]*\}", "{}", text) for text in written}
    assert len(reasons) > 5
    assert reasons <= set(Language("fr").words["reasons"])
    assert Language("fr").reason("more than 50 pixels") == "plus de 50 pixels"
    assert Language("fr").reason("unreadable: moon phase") == "unreadable: moon phase"


class Visible(HTMLParser):
    """What a reader sees of a template once everything filled in is taken out."""

    def __init__(self, html: str):
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        """Keep the attributes that a reader meets."""
        self.found += [text for name, text in attributes if name in VISIBLE and text]

    def handle_data(self, data):
        """Keep the text."""
        self.found.append(data)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_its_own(path):
    source = path.read_text("utf-8")
    literal = "".join(
        value if kind == "data" else "0" if kind == "variable_begin" else ""
        for _, kind, value in Environment().lex(source)
    )
    if path.name.endswith(".md.j2"):
        literal = re.sub(r"(?<=\])\([\w.]+\)|\[[\w]+\.[\w]+\]", "", literal)  # links to files
    seen = re.sub(
        r"reports/0|models/0\.keras|data/audit/manifest\.csv",
        "",
        "".join(Visible(literal).found),
    )
    seen = seen.replace("dvc exp run", "").replace("-S leakage=", "")
    assert re.findall(r"[^\W\d_]{2,}", seen) == []  # p is a symbol


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_what_a_template_fills_in_holds_no_phrase(path):
    tokens = Environment().lex(path.read_text("utf-8"))
    strings = [value[1:-1] for _, kind, value in tokens if kind == "string"]
    allowed = re.compile(r"[a-z0-9_./]*| ")  # keys, parts of them, file names
    assert [text for text in strings if not allowed.fullmatch(text)] == []


def test_french_keeps_punctuation_with_its_word():
    french = Language("fr")
    spaces = re.compile(r" [;:?!%»]|« ")
    assert [text for text in texts(french.words).values() if spaces.search(text)] == []
    said = french.say("summary.the_question", dataset="a", classes="b")
    assert "la réponse\N{NARROW NO-BREAK SPACE}?" in said


def test_singular_and_plural_follow_the_language():
    said = {
        code: [str(Language(code).say("counts.images", n=n)) for n in (0, 1, 2, 1234)]
        for code in LANGUAGES
    }
    assert said["en"] == ["0 images", "1 image", "2 images", "1,234 images"]
    assert said["fr"] == ["0 image", "1 image", "2 images", "1\N{NARROW NO-BREAK SPACE}234 images"]


def test_what_is_filled_in_is_escaped():
    said = Language("en").say("models.drawing", model="<i>&")
    assert said == "Layers of &lt;i&gt;&amp;, from the input down."


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (None, MISSING, MISSING),
        (float("nan"), MISSING, MISSING),
        (0.6701, "0.670", "0,670"),
        (-0.6701, MINUS + "0.670", MINUS + "0,670"),
        (-0.0001, "0.000", "0,000"),
        (1, "1", "1"),
        (1384512, "1,384,512", "1\N{NARROW NO-BREAK SPACE}384\N{NARROW NO-BREAK SPACE}512"),
    ],
)
def test_numbers_are_written_the_languages_way(value, english, french):
    assert [Language(code).number(value) for code in LANGUAGES] == [english, french]


def test_signs_shares_p_values_and_durations():
    english, french = (Language(code) for code in LANGUAGES)
    assert [english.signed(value) for value in (0.05, -0.05, 0.0001, None)] == [
        "+0.050",
        MINUS + "0.050",
        "0.000",
        MISSING,
    ]
    assert english.percent(0.9344) == "93.4%"
    assert french.percent(0.9344) == "93,4\N{NO-BREAK SPACE}%"
    assert english.p_value(0.0004) == "<\N{NARROW NO-BREAK SPACE}0.001"
    assert french.p_value(0.012) == "0,012"
    assert english.p_value(0.015, at_most=True) == "≤\N{NARROW NO-BREAK SPACE}0.015"
    assert english.p_value(0.0004, at_most=True) == english.p_value(0.0004)
    assert english.seconds(61.7) == "1 min 2 s"
    assert french.seconds(30.46) == "30,5 s"
    assert english.interval({"low": None, "high": None}) == ""
    assert french.interval({"low": 0.1, "high": 0.2}).split() == ["[0,100", ";", "0,200]"]
