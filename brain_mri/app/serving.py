"""The page's server: what may be sent to it, and what goes with every answer."""

import socket
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from threading import Lock

import uvicorn
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from brain_mri.app.showing import answered
from brain_mri.app.wording import Words
from brain_mri.data.dataset import shown
from brain_mri.report.page import breakable
from brain_mri.use.classifier import Classifier

MB = 1_000_000  # bytes
LARGEST_FILE, LARGEST_FORM = 20 * MB, 200 * MB
MOST_FILES = 50
LONGEST_NAME = 200  # characters that are shown
LOCAL = ("127.0.0.1", "localhost")

STATUS = {  # of a view that tells of a problem
    "no_file": 400,
    "unreadable": 400,
    "no_page": 404,
    "too_many": 413,
    "too_large": 413,
    "fault": 500,
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def make_app(classifier: Classifier, language: str, host: str) -> Starlette:
    """Make the page of a classifier.

    Parameters
    ----------
    classifier : Classifier
    language : {"en", "fr"}
    host : str
        What it is served on. On this machine alone, the page answers to this machine's names
        alone, so that no other site can pass itself off as it.

    Returns
    -------
    Starlette
    """
    page = _Page(classifier, Words(language))
    style = files("brain_mri.app").joinpath("page.css").read_text("utf-8")

    async def css(_: Request) -> Response:
        return Response(style, media_type="text/css", headers=HEADERS)

    return Starlette(
        routes=[
            Route("/", page.ask, methods=["GET"]),
            Route("/", page.answer, methods=["POST"]),
            Route("/page.css", css),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL if host in LOCAL else ["*"])
        ],
        exception_handlers={HTTPException: page.sorry, Exception: page.sorry},
    )


def serve(app: Starlette, listening: socket.socket) -> None:
    """Serve a page on a socket until the process is interrupted."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


class _Page:
    """The views of the page, in one language."""

    def __init__(self, classifier: Classifier, words: Words):
        self.classifier = classifier
        self.alone = Lock()  # one request is answered at a time, which bounds the memory
        made = Environment(
            loader=PackageLoader("brain_mri.app"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters |= {
            name: getattr(words, name)
            for name in ("number", "percent", "reason", "interval", "percent_interval")
        }
        made.filters["breakable"] = breakable
        made.globals |= {
            "say": words.say,
            "language": words.code,
            "card": classifier.card,
            "limits": {
                "files": MOST_FILES,
                "file": LARGEST_FILE // MB,
                "form": LARGEST_FORM // MB,
                "pixels": classifier.card.max_pixels,
            },
        }
        self.template = made.get_template("view.html.j2")

    async def ask(self, _: Request) -> Response:
        return self._view()

    async def answer(self, request: Request) -> Response:
        problem = _refused(request)
        if problem:
            return await self._refuse(request, problem)
        try:
            async with request.form() as form:
                sent = [
                    one
                    for one in form.getlist("slices")
                    if isinstance(one, UploadFile) and (one.filename or one.size)
                ]
                if not sent:
                    return self._view("no_file")
                if len(sent) > MOST_FILES:
                    return self._view("too_many")
                return await run_in_threadpool(self._answer, sent)
        except ClientDisconnect:  # nobody waits for an answer
            return Response()
        except HTTPException:  # what Starlette says of a form that it cannot read
            return await self._refuse(request, "unreadable")

    def _answer(self, sent: list[UploadFile]) -> Response:
        with self.alone, TemporaryDirectory(prefix="brain_mri-") as folder:
            listed = [_written(Path(folder) / str(place), one) for place, one in enumerate(sent)]
            results = answered(self.classifier, listed)
        for one, result in zip(sent, results, strict=True):
            result["name"] = shown((one.filename or "")[:LONGEST_NAME])
        return self._view(results=results)

    async def _refuse(self, request: Request, problem: str) -> Response:
        """Take in the rest first, and forget it: a browser reads no answer while it sends."""
        with suppress(RuntimeError, ClientDisconnect):  # all is read already, or nobody is there
            async for _ in request.stream():
                pass
        return self._view(problem)

    async def sorry(self, _: Request, error: Exception) -> Response:
        return self._view("no_page" if isinstance(error, HTTPException) else "fault")

    def _view(self, problem: str = "", results: list[dict] | tuple = ()) -> Response:
        text = self.template.render(problem=problem, results=results)
        return HTMLResponse(text, STATUS.get(problem, 200), HEADERS)


def _refused(request: Request) -> str:
    """Tell what is wrong with the length of a form, before any of it is read."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or "transfer-encoding" in request.headers:
        return "unreadable"
    return "too_large" if int(length) > LARGEST_FORM else ""


def _written(path: Path, sent: UploadFile) -> tuple[Path, str | None]:
    """Write what was sent under a name of ours, unless it is too large."""
    if sent.size > LARGEST_FILE:
        return path, f"more than {LARGEST_FILE // MB} MB"
    with path.open("wb") as file:
        copyfileobj(sent.file, file)
    return path, None
