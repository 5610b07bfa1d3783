"""The report in a browser: nothing broken or fetched, and readable on any screen and on paper."""

from pathlib import Path
from typing import get_args

import pytest
from made_up import make_project

from brain_mri import params
from stages import report
from tests.conftest import run_here

ROOT = Path(__file__).parents[2]
ARGUMENTS = ["--reports", "reports"]
LANGUAGES = get_args(params.Parameters.model_fields["language"].annotation)
PHONE, DESKTOP, PAPER = 390, 1280, 794  # px; A4 is 210 mm, at 96 px an inch
LARGEST_PAGE = 5e6  # bytes
CONTRAST = 4.5  # of text and what is behind it, WCAG 2.2 level AA


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Give a report in each language."""
    folder = tmp_path_factory.mktemp("pages")
    for language in LANGUAGES:
        run_here(make_project(folder / language, language=language), report, *ARGUMENTS)
    return {language: folder / language / "reports/index.html" for language in LANGUAGES}


class View:
    """A page opened in a window of its own."""

    def __init__(self, browser, path, width=DESKTOP, **options):
        self.context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        self.page = self.context.new_page()
        self.said, self.requests = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def unfolded(self):
        """Open what a reader can open; give the page."""
        self.page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
        return self.page


def says_nothing_to_the_console(browser, path):
    with View(browser, path) as view:
        view.page.wait_for_load_state("networkidle")
        return view.said


def asks_for_no_other_file(browser, path):
    with View(browser, path) as view:
        view.page.wait_for_load_state("networkidle")
        return [url for url in view.requests[1:] if not url.startswith("data:")]


def shows_every_picture(browser, path):
    """A picture in a figure has no size to ask for: it is loaded once more, on its own."""
    with View(browser, path) as view:
        return view.page.evaluate("""async () => {
          const figures = [...document.querySelectorAll("svg image")].map(picture => {
            const copy = new Image();
            copy.src = picture.href.baseVal;
            return copy;
          });
          const broken = [];
          for (const picture of [...document.images, ...figures]) {
            picture.loading = "eager";
            await picture.decode().catch(() => null);
            if (!picture.naturalWidth) broken.push(picture.alt || picture.src.slice(0, 60));
          }
          return broken;
        }""")


TOO_WIDE = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  return [...document.body.querySelectorAll("*")]
    .filter(e => e.getBoundingClientRect().right > root.clientWidth)
    .map(e => `${e.tagName} ${e.id} ${e.className}`);
}"""


def fits_a_phone(browser, path):
    """On a phone a page without `viewport` is laid out as wide as on a desktop."""
    with View(browser, path, PHONE, is_mobile=True) as view:
        width = view.page.evaluate("document.documentElement.clientWidth")
        laid_out = [] if width == PHONE else [f"laid out {width} px wide"]
        return laid_out + view.unfolded().evaluate(TOO_WIDE)


def fits_a_desktop(browser, path):
    with View(browser, path) as view:
        return view.unfolded().evaluate(TOO_WIDE)


def fits_paper(browser, path):
    """What scrolls on a screen is cut off on paper."""
    with View(browser, path, PAPER) as view:
        view.page.emulate_media(media="print")
        return view.unfolded().evaluate(TOO_WIDE) + view.page.evaluate("""() =>
          [...document.body.querySelectorAll("*")]
            .filter(e => getComputedStyle(e).overflowX !== "visible")
            .filter(e => e.clientWidth > 1)  // smaller is for the ear alone
            .filter(e => e.scrollWidth > e.clientWidth + 1)
            .map(e => `cut off: ${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 60)}`)
        """)


def leads_every_anchor_to_one_place(browser, path):
    with View(browser, path) as view:
        return view.page.evaluate("""() => {
          const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
          const twice = ids.filter((id, place) => ids.indexOf(id) !== place);
          const links = [...document.querySelectorAll("[href], use")]
            .map(e => e.getAttribute("href") ?? e.getAttribute("xlink:href"))
            .filter(href => href.startsWith("#"));
          const lost = links.filter(href => !ids.includes(decodeURIComponent(href.slice(1))));
          return [...twice.map(id => `twice: ${id}`), ...lost, ...links.length ? [] : ["no links"]];
        }""")


def names_every_picture(browser, path):
    """The names are those that Chromium hands to a screen reader."""
    with View(browser, path) as view:
        silent = view.page.evaluate(
            "[...document.images].filter(i => !i.alt.trim()).map(i => i.outerHTML.slice(0, 80))"
        )
        tree = view.context.new_cdp_session(view.page).send("Accessibility.getFullAXTree")
        for node in tree["nodes"]:
            role = node.get("role", {}).get("value")
            if node["ignored"] or role not in ("image", "img", "SvgRoot", "Canvas"):
                continue
            if role == "SvgRoot" or not node.get("name", {}).get("value", "").strip():
                silent.append(f"{role} {node.get('name', {}).get('value', '')}")
        return silent


def names_its_language_and_title(browser, path):
    with View(browser, path) as view:
        language = view.page.evaluate("document.documentElement.lang")
        faults = [] if language in LANGUAGES else [f"lang is {language!r}"]
        return faults + ([] if view.page.title() else ["no title"])


PALE = """least => {
  const pixel = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = colour => {  // of any notation
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => below.map((c, i) => i < 3 ? top[i] * top[3] + c * (1 - top[3]) : 1);
  const luminance = colour => colour.slice(0, 3)
    .map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const canvas = document.body.appendChild(document.createElement("div"));
  canvas.style.background = "Canvas";
  const paper = rgba(getComputedStyle(canvas).backgroundColor);
  canvas.remove();
  const behind = e => over(rgba(getComputedStyle(e).backgroundColor),
                           e.parentElement ? behind(e.parentElement) : paper);
  const pale = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const words = texts.currentNode.data.trim(), e = texts.currentNode.parentElement;
    if (!words || e.closest("svg, style, script") || !e.checkVisibility()) continue;
    const back = behind(e), style = getComputedStyle(e);
    const [one, other] = [luminance(back), luminance(over(rgba(style.color), back))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < least) pale.push(`${contrast.toFixed(1)}: ${words.slice(0, 40)}`);
  }
  return pale;
}"""


def is_readable_in_light(browser, path):
    with View(browser, path, color_scheme="light") as view:
        return view.unfolded().evaluate(PALE, CONTRAST)


def is_readable_in_dark(browser, path):
    """Text is dark on light in light, and the other way round here: that is checked too."""
    shade = "() => getComputedStyle(document.body).color"
    with View(browser, path, color_scheme="light") as view:
        light = view.page.evaluate(shade)
    with View(browser, path, color_scheme="dark") as view:
        same = ["no dark scheme"] if view.page.evaluate(shade) == light else []
        return same + view.unfolded().evaluate(PALE, CONTRAST)


def needs_no_script(browser, path):
    """Neither to write a text nor to bring it into view."""
    with View(browser, path) as view:
        with_scripts = view.page.inner_text("body")
    with View(browser, path, java_script_enabled=False) as view:
        without = view.page.inner_text("body")
    return [] if with_scripts == without else ["the text differs"]


def is_small(browser, path):
    return [] if path.stat().st_size < LARGEST_PAGE else [f"{path.stat().st_size} bytes"]


# Each check, and what it is to find in a page that is sound but for this.
CHECKS = {
    says_nothing_to_the_console: "<script>console.error('no')</script>",
    asks_for_no_other_file: "<img src='other.png' alt='another file'>",
    shows_every_picture: "<img src='data:image/png;base64,AAAA' alt='a picture'>",
    fits_a_phone: "<div style='width: 500px'>wide</div>",
    fits_a_desktop: "<div style='width: 1400px'>wide</div>",
    fits_paper: "<div style='overflow: auto'><div style='width: 900px'>wide</div></div>",
    leads_every_anchor_to_one_place: "<a href='#nowhere'>lost</a>",
    names_every_picture: "<svg viewBox='0 0 9 9'><circle r='9'/></svg>",
    names_its_language_and_title: "<script>document.documentElement.lang = ''</script>",
    is_readable_in_light: "<p style='color: #999; background: #fff'>pale</p>",
    is_readable_in_dark: "<p style='color: #444'>dark on dark</p>",
    needs_no_script: "<p id='late'></p><script>late.textContent = 'late'</script>",
    is_small: f"<!-- {'x' * 5_000_000} -->",
}
SOUND = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sound</title>
<meta name="viewport" content="width=device-width"><style>
  :root { color-scheme: light dark } @media (prefers-color-scheme: dark) { body { color: #eee } }
</style></head><body><h1 id="top">Sound</h1><a href="#top">up</a>
<svg role="img" aria-label="a dot" viewBox="0 0 9 9" width="9"><circle r="9"/></svg>"""


@pytest.mark.parametrize("which", LANGUAGES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_report(check, which, browser, pages):
    assert check(browser, pages[which]) == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_check_finds_its_fault_in_a_page_that_is_sound_otherwise(check, browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(SOUND, encoding="utf-8")
    assert check(browser, path) == []
    path.write_text(SOUND + CHECKS[check], encoding="utf-8")
    assert check(browser, path) != []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_names_the_language_it_is_in(language, browser, pages):
    with View(browser, pages[language]) as view:
        assert view.page.evaluate("document.documentElement.lang") == language
