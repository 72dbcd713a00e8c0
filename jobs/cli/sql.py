"""`./edulake sql`: questions about a release or the lake, printed, as a file, or in a dialog."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Csv, Limit, Site, output_file
from jobs.cli.screen import print_tables
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from jobs.cli.answers import Format
    from jobs.publish.confined import Opening


# Long because each option is declared here.
def sql(
    query: Annotated[
        str | None,
        typer.Argument(
            help="One or several SELECTs; with --list, a word. Without it, standard input or a dialog."
        ),
    ] = None,
    site: Site = None,
    release: Annotated[str | None, typer.Option(help="Number or name of an older release.")] = None,
    audience: Annotated[
        str, typer.Option(help="Whose file of the release: full, city, public or district-<code>.")
    ] = "full",
    lake: Annotated[
        bool,
        typer.Option(
            "--lake", help="Query the lake's Delta tables instead: what is in force on the newest run's day."
        ),
    ] = False,
    every_statement: Annotated[
        bool, typer.Option("--every-statement", help="With --lake: all statements, superseded ones too.")
    ] = False,
    zh: Annotated[
        bool, typer.Option("--zh", help="Views with Chinese names, of tables and columns, beside the tables.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="List the tables; with a word, those that mean it, best first.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Read the SELECTs from this file.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help="table, csv, json or parquet. Default: by the name of --output, else table."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write, whole or not at all.", callback=output_file)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --output.")] = False,
    vertical: Annotated[
        bool, typer.Option("--vertical", help="A line for each value, even where a row fits on one.")
    ] = False,
    csv: Csv = False,
    limit: Limit = 50,
) -> None:
    """Query the published release (or the lake) with SQL. Nothing can be written.

    用 SQL 查询已发布的数据，只读。

    Example: `./edulake sql "from dim_school limit 5"`, `./edulake sql --list 学位`, `./edulake sql`
    """
    from jobs.cli import answers

    settings = site_settings.load(site)
    if lake and (release is not None or audience != "full"):
        raise UserError("--lake asks no release and no file of it.", "Leave --lake out, or the other one.")
    if every_statement and not lake:
        raise UserError("--every-statement is about the lake's tables.", "Give --lake, too.")
    kind = answers.format_of(_format(format), output, csv=csv)
    if output is not None and output.exists() and not force:
        raise UserError(f"{output} is there already.", "Give another --output, or --force to replace it.")
    opening, way_out = _opening(settings, release, audience, lake, every_statement, zh)
    text = _text(query, file, listed)
    if listed:
        _print_tables(settings, opening, way_out, text or "")
    elif text is None:
        from jobs.cli import shell

        shell.talk(settings, opening, way_out, limit=limit, vertical=vertical)
    else:
        _answer(settings, opening, way_out, text, kind, output, limit=limit, vertical=vertical)


def _format(given: str | None) -> Format | None:
    from jobs.cli.answers import Format

    try:
        return Format(given.lower()) if given else None
    except ValueError:
        raise UserError(f"there is no format {given!r}.", "Give table, csv, json or parquet.") from None


def _opening(
    settings: Settings, release: str | None, audience: str, lake: bool, every_statement: bool, zh: bool
) -> tuple[Opening, str]:
    from jobs.publish import kept, questions

    if lake:
        return questions.of_lake(settings, every_statement=every_statement, in_chinese=zh)
    number = None if release is None else kept.numbered(settings, release)
    return questions.of_release(settings, number, audience, in_chinese=zh)


def _text(query: str | None, file: Path | None, listed: bool) -> str | None:
    """What is asked; None for a dialog."""
    if query is not None and file is not None:
        raise UserError("a query and --file are two questions.", "Leave one of them out.")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise UserError(f"{file} is no text in UTF-8.", "Save it as UTF-8.") from None
    if query is not None or listed or sys.stdin.isatty():
        return query
    return sys.stdin.read()


def _answer(
    settings: Settings,
    opening: Opening,
    way_out: str,
    text: str,
    kind: Format,
    output: Path | None,
    *,
    limit: int,
    vertical: bool,
) -> None:
    from jobs.cli import answers
    from jobs.publish import confined

    statements = confined.selects(settings, text, way_out)
    with confined.session(settings, opening, way_out) as session:
        answers.write(session, statements, kind, output, limit=limit, vertical=vertical)


def _print_tables(settings: Settings, opening: Opening, way_out: str, word: str) -> None:
    from jobs.publish import confined

    with confined.session(settings, opening, way_out) as session:
        print_tables(session.tables, word)
