"""The dialog of `./edulake sql`: history, completion, several lines, and commands that begin with a dot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import duckdb
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from jobs.cli import answers
from jobs.cli.screen import print_tables
from jobs.publish import catalog, confined
from jobs.screen import console, remarks
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from jobs.publish.confined import Opening, Session

_HELP = """\
以分号结束一条查询，可分多行输入。 A question ends with a semicolon and may take several lines.
.tables [词 word]   数据表；给出词时按含义查找。 The tables, or those that mean a word, best first
.columns 表 table   字段及其含义。 The columns of a table, with their meanings
.vertical           切换：每个值占一行。 Switch: a line for each value
.help               本说明。 This text
.quit               退出（或 Ctrl-D）。 Leave, as Ctrl-D does
Tab 补全，上下键翻阅历史，Ctrl-C 中止。 Tab completes, up and down show history, Ctrl-C stops a question."""
_COMMANDS = (".tables", ".columns", ".vertical", ".help", ".quit")
_LEAVE = {".quit", ".exit", ".q"}


def talk(settings: Settings, opening: Opening, way_out: str, *, limit: int, vertical: bool) -> None:
    """Answer questions until the reader leaves. What is refused ends its question, not the dialog."""
    with confined.session(settings, opening, way_out) as session:
        prompt: PromptSession[str] = PromptSession(
            history=history(settings),
            completer=Names(session.tables, keywords()),
            complete_while_typing=False,
            multiline=Condition(lambda: not is_whole(get_app().current_buffer.text)),
            prompt_continuation="    ...> ",
        )
        console.say(f"{len(session.tables)} tables of {settings.site}; .help, .quit")
        while True:
            try:
                typed = prompt.prompt("edulake> ").strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if typed.lower().rstrip(";") in _LEAVE:
                return
            if typed.lower() == ".vertical":
                vertical = not vertical
                console.say("vertical" if vertical else "horizontal")
                continue
            try:
                _obey(session, settings, way_out, typed, limit=limit, vertical=vertical)
            except UserError as error:
                remarks.say(f"{error.message}\n{error.way_out}")
            except KeyboardInterrupt:
                remarks.say("已中止。 Stopped.")


def _obey(
    session: Session, settings: Settings, way_out: str, typed: str, *, limit: int, vertical: bool
) -> None:
    command, _, word = typed.rstrip(";").partition(" ")
    if not typed.startswith("."):
        if typed.strip("; "):
            statements = confined.selects(settings, typed, way_out)
            answers.write(session, statements, answers.Format.TABLE, None, limit=limit, vertical=vertical)
    elif command == ".tables":
        print_tables(session.tables, word.strip())
    elif command == ".columns":
        _print_columns(session.tables, word.strip())
    elif command == ".help":
        console.say(_HELP)
    else:
        raise UserError(f"there is no command {command}.", f"There are: {', '.join(_COMMANDS)}.")


def _print_columns(tables: Iterable[catalog.Table], word: str) -> None:
    found = next((table for table in tables if word and word in {table.name, table.name_zh}), None)
    if found is None:
        raise UserError(f"there is no table {word!r}.", "`.tables` lists them.")
    console.say(f"{found.name} {found.title}")
    console.say(found.meaning)
    console.table(["column", "字段", "meaning"], found.columns, breakable=["字段", "meaning"])


def history(settings: Settings) -> History:
    """What was typed for this site before, in its owner's folder; of this dialog alone where none can be
    kept.
    """
    file = settings.run / "sql-history"
    try:
        file.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))


def is_whole(typed: str) -> bool:
    """Whether Enter ends what is typed: nothing, a command, or a question with its semicolon."""
    text = typed.strip()
    if not text or text.startswith("."):
        return True
    # A semicolon within a text or a comment ends nothing.
    bare = re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    return "'" not in bare and bare.rstrip().endswith(";")


def keywords() -> list[str]:
    """The words of SQL."""
    found = duckdb.execute("select keyword_name from duckdb_keywords() where keyword_category = 'reserved'")
    return sorted(word for (word,) in found.fetchall())


class Names(Completer):
    """Completes tables, columns (first those of tables that are named already), words of SQL and commands."""

    def __init__(self, tables: Iterable[catalog.Table], words: Iterable[str]) -> None:
        self._tables = list(tables)
        self._words = [*words]

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        before = document.text_before_cursor
        if re.fullmatch(r"\s*\.\w*", before):
            begun = before.strip()
            yield from (Completion(name, -len(begun)) for name in _COMMANDS if name.startswith(begun))
            return
        begun = document.get_word_before_cursor(pattern=re.compile(r"\w+"))
        if begun:
            seen: set[str] = set()
            for name, meaning in self._known(document.text):
                if name.lower().startswith(begun.lower()) and name not in seen:
                    seen.add(name)
                    yield Completion(name, -len(begun), display_meta=meaning)

    def _known(self, text: str) -> Iterator[tuple[str, str]]:
        used = {*re.findall(r"\w+", text.lower())}
        named = [one for one in self._tables if {one.name.lower(), one.name_zh.lower()} & used]
        for table in named:
            yield from _columns(table)
        for table in self._tables:
            yield table.name, table.title
            if table.name_zh:
                yield table.name_zh, table.name
        yield from ((word, "") for word in self._words)
        if not named:
            for table in self._tables:
                yield from _columns(table)


def _columns(table: catalog.Table) -> Iterator[tuple[str, str]]:
    for name, zh, _ in table.columns:
        yield name, zh
