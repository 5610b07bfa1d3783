"""The page in a browser: answers, abstains and refuses; keeps nothing, and asks nobody else."""

import io
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

import pytest
import uvicorn
from PIL import Image

from brain_mri.app import __main__ as command
from brain_mri.app import serving
from brain_mri.app.wording import Words
from brain_mri.use import classifier
from tests.conftest import run_here
from tests.use.made_classifier import write_classifier, write_corner, write_slice

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "fr")
PHONE, DESKTOP = 390, 1280  # px
DEVICE = {language: str(Words(language).say("page.device")) for language in LANGUAGES}
PATIENT = 120_000  # ms that the browser waits, on however busy a machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project with a model, and slices to ask it about."""
    folder = tmp_path_factory.mktemp("app")
    write_classifier(folder)
    shutil.copy(ROOT / "params.yaml", folder)
    write_slice(folder / "new.png", "glioma_tumor", 100)
    write_corner(folder / "unlike.png")
    (folder / "text.jpg").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def addresses(folder):
    """The page in each language, served on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found, servers = classifier.read("best.keras"), []
        for language in LANGUAGES:
            listening = socket.create_server(("127.0.0.1", 0))
            app = serving.make_app(found, language, "127.0.0.1")
            server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
            thread = threading.Thread(target=server.run, args=([listening],))
            thread.start()
            servers.append((server, thread, listening))
        yield {
            language: "http://{}:{}".format(*listening.getsockname())
            for language, (*_, listening) in zip(LANGUAGES, servers, strict=True)
        }
        for server, thread, listening in servers:
            server.should_exit = True
            thread.join()
            listening.close()


@pytest.fixture
def view(browser, addresses):
    """Open the page in a language, in a window of a width; what it asks for is kept."""
    contexts = []

    def opened(language="en", width=DESKTOP):
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENT)
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(addresses[language])
        return page

    yield opened
    for context in contexts:
        context.close()


def send(page, *files):
    page.set_input_files("#slices", files)
    page.click("button")
    page.wait_for_selector("article, [role=alert]")
    return page.locator("article")


def test_a_slice_is_answered_with_all_that_speaks_for_it(view, folder):
    page = view()
    [article] = send(page, folder / "new.png").all()
    text = article.inner_text()
    assert "Answered" in text
    assert "below the threshold of 0.900" in text
    assert "99.0% were wanted" in text
    shares = [float(value) for value in article.locator(".value").all_inner_texts()]
    assert len(shares) == 4
    assert sum(shares) == pytest.approx(1, abs=0.002)
    pictures = article.locator("img")
    assert pictures.count() == 5  # the slice, the heat map, three training slices
    assert pictures.evaluate_all("all => all.every(one => one.naturalWidth > 100 && one.alt)")
    assert len(re.findall("Training/[a-z_]+/[0-9].png", text)) == 3


def test_a_slice_that_the_model_learned_from_is_told_apart(view, folder):
    [article] = send(view(), folder / "data/mine/Training/no_tumor/1.png").all()
    assert "The answer is memory" in article.inner_text()
    assert article.locator(".similar li").first.inner_text().startswith("no_tumor")


def test_what_is_like_no_training_slice_gets_no_class(view, folder):
    [article] = send(view(), folder / "unlike.png").all()
    text = article.inner_text()
    assert "No class is named" in text
    assert "unlike the images that the model was trained on" in text
    assert "threshold" not in text


def test_five_at_once_are_answered_one_by_one_and_in_order(view, folder):
    wrong = folder / "large.png"
    Image.new("L", (1001, 1000)).save(wrong)
    names = ["new.png", "text.jpg", "unlike.png", "large.png", "new.png"]
    page = view("fr")
    articles = send(page, *(folder / name for name in names)).all()
    assert [one.locator("h3").inner_text() for one in articles] == names
    outcomes = [one.locator(".outcome").inner_text() for one in articles]
    assert outcomes == ["Réponse", "Refus", "Abstention", "Refus", "Réponse"]
    assert "pas une image JPEG ou PNG" in articles[1].inner_text()
    assert "plus de 1000000 pixels" in articles[3].inner_text()
    assert page.title().startswith("5 coupes")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phone_shows_it_without_sideways_scrolling(language, view, folder):
    page = view(language, PHONE)
    send(page, folder / "new.png", folder / "unlike.png", folder / "text.jpg")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE
    assert page.evaluate("document.documentElement.lang") == language


def test_the_keyboard_alone_asks_and_reads(view, folder):
    page = view()
    page.on("filechooser", lambda _: None)  # from here on Chromium hands us what it would open
    focused = "document.activeElement.id || document.activeElement.tagName"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "slices"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"  # where the focus is shows
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Enter")
    choosing.value.set_files(folder / "new.png")
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "BUTTON"
    page.keyboard.press("Enter")
    page.wait_for_selector("article")
    assert page.locator("label[for=slices]").count() == 1


def test_nobody_else_is_asked_for_anything(view, folder, addresses):
    page = view()
    send(page, folder / "new.png", folder / "text.jpg")
    page.wait_for_load_state("networkidle")
    asked = {url for url in page.asked if not url.startswith("data:")}
    assert asked == {f"{addresses['en']}/", f"{addresses['en']}/page.css"}
    assert page.said == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_view_says_that_it_is_no_medical_device(language, view, folder, addresses):
    page = view(language)
    assert DEVICE[language] in page.locator(".device").inner_text()
    send(page, folder / "new.png")
    assert DEVICE[language] in page.locator(".device").inner_text()
    page.goto(f"{addresses[language]}/nowhere")
    assert DEVICE[language] in page.locator(".device").inner_text()


def test_a_name_is_shown_and_never_obeyed(view, folder):
    name = "<img src=x onerror=document.title='ours'>&amp;.png"
    content = (folder / "new.png").read_bytes()
    page = view()
    sent = [{"name": name, "mimeType": "image/png", "buffer": content}]
    page.set_input_files("#slices", sent)
    page.click("button")
    page.wait_for_selector("article")
    assert page.locator("h3").inner_text() == name
    assert page.title().startswith("1 slice")


def hostile():
    """Give files that are none of what they say, by what the page says of them."""
    png, jpeg = io.BytesIO(), io.BytesIO()
    Image.effect_noise((64, 64), 50).save(png, "PNG")
    Image.effect_noise((64, 64), 50).save(jpeg, "JPEG")
    bomb = bytearray(png.getvalue())
    bomb[16:24] = struct.pack(">2I", 65_535, 65_535)  # width and height, as its header has them
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    page = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    return {
        "empty.png": (b"", "not a JPEG or PNG image"),
        "half.png": (png.getvalue()[:-200], "truncated or damaged"),
        "half.jpg": (jpeg.getvalue()[:-400], "truncated or damaged"),
        "bomb.png": (bytes(bomb), "more than 1000000 pixels"),
        "page.png": (page, "not a JPEG or PNG image"),
        "large.jpg": (jpeg.getvalue() + bytes(serving.LARGEST_FILE), "more than 20 MB"),
    }


def test_damaged_and_hostile_files_end_in_a_sentence(view, tmp_path):
    files = hostile()
    for name, (content, _) in files.items():
        (tmp_path / name).write_bytes(content)
    articles = send(view(), *(tmp_path / name for name in files)).all()
    assert len(articles) == len(files)
    for article, (_, said) in zip(articles, files.values(), strict=True):
        assert f"was not shown to the model: {said}" in article.inner_text()


def test_more_files_than_are_allowed_end_in_a_sentence(view, folder):
    page = view()
    send(page, *[folder / "text.jpg"] * (serving.MOST_FILES + 1))
    assert "Send at most 50 files at once" in page.locator("[role=alert]").inner_text()
    page.click("[role=alert] a")
    assert page.locator("form").is_visible()


def test_no_file_ends_in_a_sentence(view):
    page = view()
    page.evaluate("document.querySelector('#slices').required = false")
    page.click("button")
    assert "Choose at least one file" in page.locator("[role=alert]").inner_text()


def ask(address, body, **headers):
    """Send what no browser would; give the status and the page."""
    connection = HTTPConnection(address.removeprefix("http://"))
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"nonsense", FORM),
        (b"--x", {"Content-Type": "multipart/form-data"}),
        (b"--x\r\n\r\n\r\n--x--", FORM),
        (iter([b"of no length that it names"]), FORM),
    ],
)
def test_a_form_that_is_none_ends_in_a_sentence(body, headers, addresses):
    status, page = ask(addresses["en"], body, **headers)
    assert status == 400
    assert "could not be read" in page
    assert DEVICE["en"] in page


def test_a_form_that_is_too_large_is_taken_in_and_not_read(addresses):
    chunk = bytes(serving.MB)
    length = serving.LARGEST_FORM + serving.MB
    body = (chunk for _ in range(length // serving.MB))
    status, page = ask(addresses["en"], body, **FORM, **{"Content-Length": str(length)})
    assert status == 413
    assert "at most 200 MB" in page


def test_another_site_cannot_pass_itself_off_as_the_page(addresses):
    assert ask(addresses["en"], b"", Host="example.org")[0] == 400


def test_nothing_that_is_sent_is_kept(folder, addresses, monkeypatch, tmp_path, view):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = {path for path in folder.rglob("*") if path.is_file()}
    send(view(), folder / "new.png", folder / "text.jpg")
    assert list(tmp_path.iterdir()) == []
    assert {path for path in folder.rglob("*") if path.is_file()} == before
    with urlopen(addresses["en"]) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert "script" not in answer.headers["Content-Security-Policy"]


def test_the_command_serves_the_page_on_this_machine_until_it_is_interrupted(folder):
    served = subprocess.Popen(
        [sys.executable, "-m", "brain_mri.app", "best.keras", "--port", "0"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = served.stdout.readline()
    [address] = re.findall(r"http://127\.0\.0\.1:\d+", said)
    with urlopen(address) as answer:
        assert DEVICE["en"] in answer.read().decode()
    served.send_signal(signal.SIGINT)
    _, error = served.communicate()
    assert served.returncode == 130
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("content", "said"), [(None, "is not there"), (b"damaged", "is no model with its card")]
)
def test_a_model_that_cannot_be_read_ends_the_command_in_a_sentence(content, said, tmp_path):
    path = tmp_path / "best.keras"
    if content:
        path.write_bytes(content)
    with pytest.raises(SystemExit, match=said):
        run_here(ROOT, command, path, "--port", "0")


def test_a_port_that_is_taken_ends_the_command_in_a_sentence(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(SystemExit, match="cannot be listened on"):
            run_here(folder, command, "best.keras", "--port", port)
