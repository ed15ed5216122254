"""Errors that a user can cause, and can mend."""


class HandsightError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that says what came, what was expected and what to do. The command line prints it
    without a traceback and exits with status 2; from Python it is raised as it is.
    """


class Interrupted(Exception):
    """The user asked to stop a long job (Ctrl-C or SIGTERM), and it stopped tidily.

    The message says where it stands and that the same command goes on; the command line exits with 130.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
