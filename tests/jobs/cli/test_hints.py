"""Every command that we print as a hint can be pasted: the command line knows it, and the lake answers it."""

from __future__ import annotations

import ast
import io
import re
import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.lake import deliveries, tables
from jobs.publish import questions
from jobs.replies import report
from jobs.run import summary
from jobs.screen import Screen
from jobs.settings import ROOT, Settings, UserError

PACKAGES = ("jobs", "portal", "synthetic")
# What may stand for a word that is known only when the hint is printed.
FILLED_IN = ("2025-11-20", "8091")
UsageError: Any = typer.BadParameter.__base__
PRINTED = re.compile(r"\./edulake [^\n`]+")


def understood(words: list[str]) -> None:
    """Raises UsageError for words that the command line does not take; nothing is run."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("edulake", list(words), resilient_parsing=not words)
    while isinstance(command, TyperGroup):
        left = [*context._protected_args, *context.args]
        if command.invoke_without_command and not left:
            return
        name, command, words = command.resolve_command(context, left)
        try:
            context = command.make_context(name, list(words), parent=context)
        except typer.Exit:  # --help
            return


def built(tree: ast.AST, known_later: str) -> Iterator[list[str]]:
    """The words of each `settings.command(…)` and `command_line(…)`, those known only later filled in."""
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        name = getattr(called, "attr", getattr(called, "id", ""))
        if isinstance(node, ast.Call) and name in {"command", "command_line"} and node.args:
            if isinstance(called, ast.Attribute) and getattr(called.value, "id", "").endswith("app"):
                continue
            words = [a.value if isinstance(a, ast.Constant) else known_later for a in node.args]
            yield [*map(str, words), *(["--site", "beijing"] if name == "command" else [])]


def written(tree: ast.AST) -> Iterator[str]:
    """Commands in texts, but not in docstrings: those are of the reference, which has its own test."""
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield from PRINTED.findall(node.value)


def sources() -> list[tuple[Path, ast.AST]]:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return [(file, ast.parse(file.read_text("utf-8"))) for file in files if "node_modules" not in file.parts]


def test_every_hint_of_the_code_is_a_command_that_is_understood() -> None:
    found = 0
    for file, tree in sources():
        for ways in zip(*(built(tree, word) for word in FILLED_IN), strict=True):
            if ways[0][0] in FILLED_IN:
                continue  # the function itself, and words that the summary takes from its own list
            found += 1
            problems = [problem for words in ways if (problem := misunderstood(words))]
            assert len(problems) < len(ways), f"{file.relative_to(ROOT)}: {shlex.join(ways[0])}: {problems}"
    assert found > 25


def misunderstood(words: list[str]) -> str | None:
    try:
        understood(words)
    except UsageError as error:
        return str(error.format_message())
    return None


def test_a_command_in_plain_text_is_understood_and_has_no_words_of_one_site() -> None:
    """A command with words of one site, day or file is made by `settings.command`, which quotes them."""
    plain = {
        command
        for file, tree in sources()
        if file.name not in {"reference.py", "dictionary.py", "screen.py"}  # pages, and a pattern
        for command in written(tree)
    }
    assert len(plain) > 2
    for command in plain:
        understood(command.split()[1:])
        assert " --" not in command.removesuffix(" --help")


def test_an_unknown_command_option_or_kind_of_value_is_found() -> None:
    for words in (
        ["nothing"],
        ["feed", "nothing"],
        ["run", "--size", "1"],
        ["land"],
        ["sql", "--release"],
        ["asof", "DAY", "x"],
        ["serve", "--port", "x"],
        ["feed", "retry"],
    ):
        with pytest.raises(UsageError):
            understood(words)
    understood(["land", "--help"])


def answered(line: str) -> str:
    """What a printed command prints; it must end well."""
    words = shlex.split(line, comments=True)
    assert words[0] == "./edulake"
    understood(words[1:])
    done = CliRunner().invoke(app, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, f"{line}\n{done.output}"
    return done.output


@pytest.fixture
def here(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The finished lake, a city of another scale than the default one, as that of this process."""
    monkeypatch.setenv("EDULAKE_HOME", str(lake.home.parent))
    return lake


def test_the_last_words_of_a_run_can_be_pasted_here(here: Settings) -> None:
    out = io.StringIO()
    summary.next_steps(here, Screen(file=out, width=40))
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert all(line.startswith("./edulake ") for line in lines), "a hint is broken into two lines"
    by_word = {line.split()[1]: line for line in lines}
    assert list(by_word) == ["sql", "status", "airflow", "clean", "serve"]
    assert re.search(r"[1-9]\d{3}", answered(by_word["sql"]))
    assert "release: 1" in answered(by_word["status"])
    for word in ("airflow", "clean", "serve"):
        understood(shlex.split(by_word[word], comments=True)[1:])


def test_the_next_run_takes_the_city_that_is_there_whatever_its_scale(here: Settings) -> None:
    """Every hint to run again names no scale."""
    assert "Nothing new" in answered(here.command("run"))
    assert "./edulake clean --site beijing" in str(
        CliRunner().invoke(app, ["run", "--scale", "0.003"]).exception
    )


def test_the_hints_of_errors_are_answered_by_this_lake(here: Settings, tmp_path: Path) -> None:
    refused: list[str] = []
    for asked in (
        lambda: questions.on_release(here, "from nothing"),
        lambda: questions.on_release(here, "select 1", 99),
        lambda: questions.on_lake(here, "from nothing"),
    ):
        with pytest.raises(UserError) as told, asked():
            pass
        refused += PRINTED.findall(told.value.way_out)
    for words in (
        ["feed", "report", "zz"],
        ["feed", "report"],
        ["feed", "report", "--all-of", "nobody"],
        ["places", "scenario", "--stage", "nothing"],
        ["places", "scenario", "--lever", "delay 1 project=nothing"],
        ["places", "report", "--district", "nothing", "--output", str(tmp_path / "page.html")],
        ["asof", "2025-10-01", "from nothing"],
    ):
        error = CliRunner().invoke(app, words).exception
        assert isinstance(error, UserError), f"{words}: {error!r}"
        found = PRINTED.findall(error.way_out)
        assert found, error.way_out
        refused += found
    assert len(refused) >= 9
    for line in {*refused}:
        assert len(answered(line)) > 20


def test_what_became_of_a_file_names_a_receipt_of_this_lake(here: Settings) -> None:
    outcomes = {row["receipt_id"]: row["outcome"] for row in tables.rows(here, "ops__receipt")}
    files = {outcomes[f.receipt_id]: f for f in deliveries.scan(here) if f.receipt_id in outcomes}
    assert {"accepted", "repeated", "refused"} <= set(files)
    for outcome, file in files.items():
        text = report.became_of(here, file)
        lines = PRINTED.findall(text)
        assert len(lines) == (2 if outcome in {"refused", "failed"} else 1)
        for line in lines:
            words = shlex.split(line)[1:]
            understood(words)
            assert outcomes[words[2]] == outcome
        answered(lines[0])
    waiting = next(iter(files.values()))
    unknown = waiting.__class__(**{**vars(waiting), "received": date(2020, 1, 1)})
    assert PRINTED.findall(report.became_of(here, unknown)) == [here.command("run")]
