"""The one kind of error that a stage shows as a sentence instead of a traceback."""


class InputError(ValueError):
    """Something the user can mend: the message is one sentence that says what and how."""
