"""What leaves a task as an error: words of ours, and never a value.

Airflow keeps the message of whatever a task raises, and of all that it came from, in logs outside the
restricted zone. An unexpected error of DuckDB, Spark or Arrow may quote a cell, so its whole text goes to
`restricted/errors/`, and what is raised says its type, its place and that file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from traceback import format_exception
from typing import ParamSpec, TypeVar

from jobs import faults
from jobs import settings as site_settings
from jobs.files import replacing
from jobs.settings import Settings, UserError

P = ParamSpec("P")
R = TypeVar("R")

_UNFIT = re.compile(r"[^\w.=-]")


class UnexpectedError(RuntimeError):
    """An error that nobody foresaw: its type, its place, and the file with its text."""


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """Let a task raise a UserError without what it came from, and every other error as an UnexpectedError.

    A fault of the machine is a UserError: repeating the task cannot help.
    """

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            # Rust's panics are no Exception, and quote what they met.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            words = "-".join(str(value) for value in (*args, *kwargs.values()))
            fit = _shown(error, f"{function.__name__}-{words}")
        # Raised outside the handler: a chain would show the messages of all that it came from.
        raise fit

    return wrapped


def _shown(error: BaseException, task: str) -> BaseException:
    settings = site_settings.load()
    if (explained := faults.explained(settings, error)) is not None:
        return explained
    if isinstance(error, UserError):
        if error.__cause__ or error.__context__:
            _keep(settings, error, task)
            error.__cause__ = error.__context__ = None
        return error
    file = _keep(settings, error, task)
    place = faults.without_values(error).rstrip()
    of_ours = getattr(error, "shown", "")
    what = f"{type(error).__name__}{': ' * bool(of_ours)}{of_ours}"
    return UnexpectedError(f"{what}\n{place}\nits whole text stands in {file}")


def _keep(settings: Settings, error: BaseException, task: str) -> str:
    """Write the whole traceback into the restricted zone; returns the file's path."""
    file = settings.restricted / "errors" / f"{_UNFIT.sub('_', task)}.txt"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as fresh:
            fresh.write_text("".join(format_exception(error)), encoding="utf-8", errors="backslashreplace")
    except OSError as unwritten:
        return f"no file: {unwritten.strerror}"
    return str(file)
