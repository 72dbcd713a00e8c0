"""The dialog of `./edulake sql`, typed into: answers, refusals, commands, history, completion."""

from __future__ import annotations

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from jobs import settings as site_settings
from jobs.cli import shell
from jobs.publish import catalog, publication, questions
from jobs.settings import Settings

from ..publish.conftest import MODELS, build


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("shell")
    made = site_settings.load("beijing", folder / "home").prepare()
    publication.publish(
        made, "2026-09-10.1", build(folder / "build.duckdb"), MODELS, {},
        as_of_date="2026-09-10", known_at="2026-09-10", code_version="0",
    )  # fmt: skip
    return made


def typed(site: Settings, *lines: str) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("".join(f"{line}\r" for line in lines))
        shell.talk(site, *questions.of_release(site), limit=50, vertical=False)


def test_a_dialog_answers_refuses_and_goes_on(site: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    typed(
        site,
        "select 40 + 2",
        "  as answer;",
        "drop table dim_indicator;",
        "select count(*) as n from fct_scool_fitness;",
        ".tables 及格",
        ".columns fct_school_fitness",
        ".columns nothing",
        ".vertical",
        "select 7 as seven; select 8 as eight;",
        ".nonsense",
        ".help",
        "",
        ".quit",
    )
    told = capsys.readouterr()
    assert "42" in told.out.split()
    assert "pass_share 及格率" in told.out
    assert "share of pupils, 0 to 1" in told.out
    assert [line.split() for line in told.out.splitlines() if "seven" in line or "eight" in line] == [
        ["seven", "7"],
        ["eight", "8"],
    ]
    assert "Ctrl-D" in told.out
    said = " ".join(told.err.split())
    for words in ("only SELECT", "fct_school_fitness", "no table 'nothing'", "no command .nonsense"):
        assert words in said
    assert (site.run / "sql-history").stat().st_mode & 0o777 == 0o600
    kept = (site.run / "sql-history").read_text(encoding="utf-8")
    assert "+select 40 + 2" in kept
    assert "+  as answer;" in kept


def test_the_end_of_input_leaves_the_dialog(site: Settings) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("select 1;\r\x04")
        shell.talk(site, *questions.of_release(site), limit=50, vertical=False)


def test_history_that_cannot_be_kept_is_of_this_dialog_alone(site: Settings) -> None:
    assert isinstance(shell.history(site), FileHistory)
    file = site.run / "sql-history"
    file.unlink()
    file.mkdir()
    (file / "x").touch()
    try:
        file.chmod(0o500)
        assert isinstance(shell.history(site), FileHistory | InMemoryHistory)
    finally:
        file.chmod(0o700)


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("", True),
        (".tables", True),
        ("select 1", False),
        ("select 1;", True),
        ("select ';'", False),
        ("select 'a;", False),
        ("select 1 -- done;", False),
        ("select 1; -- done", True),
    ],
)
def test_a_question_ends_with_its_semicolon(text: str, is_whole: bool) -> None:
    assert shell.is_whole(text) is is_whole


TABLES = [
    catalog.Table("fct_places_gap", "学位余缺", "", [("gap_count", "余缺", "")], "学位余缺"),
    catalog.Table("dim_school", "学校", "", [("school_code", "学校代码", ""), ("gate", "校门", "")]),
]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("from fct", ["fct_places_gap"]),
        ("select ga", ["gap_count", "gate"]),
        ("from dim_school where ga", ["gate"]),
        ("from 学", ["学位余缺"]),
        ("sel", ["select"]),
        (".t", [".tables"]),
        ("select ", []),
    ],
)
def test_names_are_completed_nearest_first(text: str, first: list[str]) -> None:
    found = shell.Names(TABLES, ["select", "from"]).get_completions(Document(text), CompleteEvent())
    assert [one.text for one in found] == first
