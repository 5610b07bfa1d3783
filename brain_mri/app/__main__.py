"""Show the page: `python -m brain_mri.app models/best.keras`, then open the address it prints."""

import argparse
import socket
from pathlib import Path

from brain_mri import params
from brain_mri.console import ends_in_a_sentence
from brain_mri.errors import InputError
from brain_mri.use import classifier

HOST, PORT = "127.0.0.1", 8501


def main() -> None:
    """Read a model and serve the page until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m brain_mri.app", description=__doc__)
    parser.add_argument("model", type=Path, help="models/best.keras")
    parser.add_argument(
        "--host", default=HOST, help=f"to listen on; {HOST} unless given, 0.0.0.0 is every network"
    )
    parser.add_argument("--port", type=int, default=PORT, help="0 takes one that is free")
    arguments = parser.parse_args()

    with ends_in_a_sentence("app"):
        try:  # imported here, since predict does without
            from brain_mri.app.serving import make_app, serve
        except ModuleNotFoundError as error:
            raise InputError(f"{error.name} is not installed; `make app` installs it") from None
        language = params.load().language
        with _listening(arguments.host, arguments.port) as listening:
            app = make_app(classifier.read(arguments.model), language, arguments.host)
            host, port = listening.getsockname()[:2]
            print(f"app: http://{host}:{port} until Ctrl-C. Not a medical device.", flush=True)
            serve(app, listening)


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(
            f"{host}:{port} cannot be listened on ({said}); --port 0 takes any that is free"
        ) from None


if __name__ == "__main__":
    main()
