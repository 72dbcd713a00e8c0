"""Options that several commands share, and commands that take their options as dataclasses."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from jobs.settings import UserError

Site = Annotated[
    str | None, typer.Option("--site", help="A site of infra/sites. Default: the site that ran last.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print all rows as CSV.")]
TableOrJson = Annotated[
    Literal["table", "json"], typer.Option("--format", help="A table for people, or JSON for programs.")
]
Limit = Annotated[int, typer.Option(min=1, help="Most rows to show.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")]
ReceivedDay = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help="Day the file arrived. Default: today; in a synthetic city the newest day in landing.",
    ),
]
DecisionDay = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Day of the decision. Default: the newest day received."),
]
Dataset = Annotated[str, typer.Argument(help="A dataset of `./edulake feed list`.")]


def output_file(path: Path | None) -> Path | None:
    """A file that a command may write, looked at before it begins. Raises UserError."""
    if path is None:
        return None
    if path.is_dir():
        raise UserError(f"{path} is a folder.", "Give --output the name of a file.")
    if not path.parent.is_dir():
        raise UserError(f"{path.parent} is not a folder.", "Make it, or give another --output.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UserError(f"{path.parent} cannot be written.", "Give another --output.")
    return path


def output_below(path: Path | None) -> Path | None:
    """The same for a command that makes the folders above its file. Raises UserError."""
    if path is None:
        return None
    there = next((folder for folder in path.parents if folder.exists()), Path())
    return output_file(path if there == path.parent else there / path.name) and path


OutputCsv = Annotated[
    Path,
    typer.Option(help="CSV file to write. It is replaced whole or not at all.", callback=output_file),
]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take dataclasses: Typer sees one option for each of their fields.

    Every parameter becomes a keyword. The fields carry `Annotated[…, typer.Option(…)]` as parameters do.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for one in inspect.signature(command).parameters.values():
        if one.name not in groups:
            parameters.append(one.replace(kind=one.KEYWORD_ONLY, annotation=hints[one.name]))
            continue
        kinds = get_type_hints(groups[one.name], include_extras=True)
        for field in fields(groups[one.name]):
            default = one.empty if field.default is MISSING else field.default
            parameters.append(
                inspect.Parameter(field.name, one.KEYWORD_ONLY, default=default, annotation=kinds[field.name])
            )

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    # Typer reads both, and evaluates annotations that are text in the wrong module.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
