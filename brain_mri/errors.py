"""The one kind of error that a stage shows as a sentence instead of a traceback."""

NO_MEMORY = "there is not enough memory; end other programs that use it"


class InputError(ValueError):
    """Something the user can fix: the message is one sentence that says what and how."""


def one_line(error: Exception | str) -> str:
    """Give what another library said of an error, for use within a sentence."""
    return " ".join(str(error).split())[:200]
