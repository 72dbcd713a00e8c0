"""What is printed: literal, whole, readable on a screen of 80 cells; each command that prints a table."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.lake import deliveries, receipt_text, tables
from jobs.publish import questions
from jobs.run import summary
from jobs.screen import Screen, breaks
from jobs.settings import ROOT, Settings


def printed(
    columns: Iterable[str], rows: Iterable[Iterable[object]], width: int | None = 80, **more: object
) -> str:
    file = io.StringIO()
    screen = Screen(file=file) if width is None else Screen(file=file, width=width)
    screen.table(tuple(columns), [tuple(row) for row in rows], **more)  # type: ignore[arg-type]
    return file.getvalue()


def test_columns_stand_below_their_headings_in_chinese_too() -> None:
    shown = printed(("school", "pupils"), [("北京市第一小学", 12), ("P.S. 1", 1234)]).splitlines()
    assert shown == [
        "school          pupils",
        "--------------  ------",
        "北京市第一小学      12",
        "P.S. 1            1234",
    ]


def test_a_command_stays_on_one_line_so_that_it_can_be_pasted() -> None:
    command = "./edulake sql 'select count(*) from fct_fitness_result' --site beijing"
    file = io.StringIO()
    screen = Screen(file=file, width=40)
    screen.say(f"Words that go on before it (`{command}`), and words that go on behind it, as far as that.")
    screen.say(f"next: {command}   # and what it does")
    lines = file.getvalue().splitlines()
    assert [line for line in lines if f"`{command}`" in line]
    assert [line for line in lines if line.startswith(command) or line.startswith(f"next: {command}")]
    assert max(len(line) for line in lines if command not in line) <= 40
    file = io.StringIO()
    Screen(file=file, width=40).say(f"  {command}   # what it does")
    assert file.getvalue() == f"  {command}   # what it does\n"


@pytest.mark.parametrize(
    "typed", ["a/[/x].zip", "[bold]x[/bold]", ":x: :smile:", "[link=http://a]b[/link]", "\\[x]", "[/]"]
)
def test_what_others_typed_is_printed_as_it_stands(typed: str) -> None:
    assert typed in printed(("file",), [(typed,)])
    file = io.StringIO()
    Screen(file=file, width=80).say("named ", (typed, "bold"), f": {typed}")
    assert file.getvalue() == f"named {typed}: {typed}\n"


def test_a_terminal_obeys_nothing_that_others_typed() -> None:
    shown = printed(("name",), [("\x1b]0;x\x07\x1b[31mred\r\t\u202eabc\udcff",)])
    assert r"\x1b]0;x\x07\x1b[31mred\r\t\u202eabc\udcff" in shown
    assert not set(shown) & set("\x1b\x07\r\t\u202e\udcff")


def test_a_pipe_gets_a_row_on_a_line_whatever_its_length() -> None:
    shown = printed(("a", "b"), [("x" * 300, "y" * 300)], width=None)
    assert f"{'x' * 300}  {'y' * 300}\n" in shown
    file = io.StringIO()
    Screen(file=file).say("word " * 100)
    assert file.getvalue().count("\n") == 1


def test_the_environment_gives_a_pipe_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(cell_len, printed(("a", "b"), [("x" * 30, "y" * 30)], width=None).splitlines())) <= 40


def test_a_row_that_is_too_wide_becomes_a_block_and_stays_whole() -> None:
    row = ("2111905001", "北京市朝阳区梅庭小学" * 2, "z" * 70, None)
    shown = printed(("code", "name", "path", "note"), [row], width=80).splitlines()
    assert shown[0].startswith("-- 1 ---")
    assert shown[1:] == [f"code  {row[0]}", f"name  {row[1]}", f"path  {row[2]}", "note"]
    below = printed(("code", "path"), [("1", "z" * 76)], width=80).splitlines()
    assert below[2:] == ["path", "z" * 76], "a cell that fits the screen is not broken beside its name"
    cut = printed(("code", "path"), [("1", "z" * 200)], width=80).splitlines()
    assert [len(line) for line in cut[3:]] == [80, 80, 40]


def test_a_column_that_may_be_broken_gives_room_to_the_others() -> None:
    shown = printed(("code", "words"), [("x" * 50, "one two three four five six")], breakable=("words",))
    assert "x" * 50 in shown
    assert "-- 1" not in shown
    assert max(map(cell_len, shown.splitlines())) <= 80
    whole = printed(("code", "words"), [("x" * 50, "p/" * 20)], breakable=("words",))
    assert "p/" * 20 in whole, "a word is not cut for the sake of a narrow column"


def test_headings_are_broken_before_rows_become_blocks() -> None:
    names = [f"a_rather_long_heading_{n}" for n in range(5)]
    shown = printed(names, [range(5)])
    assert "-- 1" not in shown
    assert max(map(cell_len, shown.splitlines())) <= 80


def test_a_heading_of_two_lines_stands_in_two_lines_and_in_a_block_in_one() -> None:
    assert printed(("版本\nrelease", "b"), [(1, 2)]).splitlines() == [
        "   版本  b",
        "release",
        "-------  -",
        "      1  2",
    ]
    assert "版本 release  1" in printed(("版本\nrelease", "b"), [(1, "x" * 80)])


def test_columns_left_out_for_want_of_room_are_named() -> None:
    columns, row = ("code", "more"), ("x" * 60, "y" * 60)
    shown = printed(columns, [row], spare=("more",))
    assert "no room for: more" in shown
    assert "y" not in shown.replace("y" * 60, "")
    assert "y" * 60 in printed(columns, [row], width=None, spare=("more",))


@pytest.mark.parametrize("width", [1, 2, 7, 80])
def test_no_character_is_lost_between_lines(width: int) -> None:
    line = "读取 程序被系统中断（signal 9）, see /a/very/long/path; 再试一次。"
    offsets = breaks(line, width, is_cut=True)
    parts = [line[begin:end] for begin, end in zip([0, *offsets], [*offsets, len(line)], strict=True)]
    assert "".join(parts) == line
    assert all(cell_len(part.rstrip()) <= max(width, 2) for part in parts)


# Commands that print tables -> what identifies their rows in the lake.
TABLES = {
    "status": lambda lake: lake.feeds,
    "doctor": lambda _: ["Delta's jars", str(ROOT / "infra" / "sites" / "beijing.yaml")],
    "feed list": lambda _: ["school_age_registration", "国家学生体质健康标准抽查复核"],
    "feed receipts --limit 2000": lambda lake: [
        row[name]
        for row in receipt_text.receipts(lake)
        for name in ("receipt_id", "delivery_id", "file_name")
    ],
    "delivery list --limit 2000": lambda lake: [row["delivery_id"] for row in receipt_text.receipts(lake)],
    "release list": lambda _: ["2025-11-20"],
    "identity links": lambda lake: [
        row[name]
        for row in tables.rows(lake, "person_link")
        for name in ("person_token", "linked_person_token")
    ],
    "safety plan --visits 200": lambda lake: asked(
        lake, "select school_code, school_name from fct_safety_inspection_plan"
    ),
    "sql --limit 500|from dim_school": lambda lake: asked(
        lake, "select school_code, school_name, area_name from dim_school"
    ),
    "sql --lake|select receipt_id, delivery_id, * from ops__receipt limit 20": lambda _: ["delivery_id"],
    "asof|2025-11-20|select pupil_key, school_code, * from clean_enrollment__pupil_roll__general limit 3": (
        lambda _: ["pupil_key"]
    ),
    "places scenario --stage primary": lambda _: ["2026"],
    "city faults": lambda _: ["roll_bad_check_digit", "fabricated_copied_columns"],
}


def asked(lake: Settings, query: str) -> list[str]:
    with questions.on_release(lake, query) as answer:
        return [str(cell) for row in answer.rows() for cell in row if cell is not None]


@pytest.mark.parametrize("words", TABLES)
def test_every_table_is_whole_at_80_columns(
    words: str, lake: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, *arguments = words.split("|")
    monkeypatch.setenv("EDULAKE_HOME", str(lake.home.parent))
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, [*command.split(), *arguments])
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    # A path that is wider than the screen is left to the terminal, which lets it be copied.
    assert [line for line in lines if cell_len(line) > 80 and " " in line.strip()] == []
    missing = [name for name in TABLES[words](lake) if not any(name in line for line in lines)]
    assert missing == []


def test_a_file_that_is_landed_again_is_told_its_outcome_and_release(
    lake: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(lake.home.parent))
    file = next(file for file in deliveries.scan(lake) if file.name.isprintable())
    words = ("land", str(file.path), "--feed", file.feed, "--sender", file.sender)
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert f"landed already, as {file.delivery_id}/{file.name}" in shown.output
    assert f"by receipt {file.receipt_id} of run 2025-11-20.1, whose release is 1" in shown.output


def test_the_summary_of_a_run_is_whole_at_80_columns(lake: Settings) -> None:
    file = io.StringIO()
    summary.finished(lake, {"ingest_physical_fitness": 12.3, "all": 40.0}, Screen(file=file, width=80))
    lines = file.getvalue().splitlines()
    assert [line for line in lines if cell_len(line) > 80 and " " in line.strip()] == []
    assert {line.split()[0] for line in lines if line} >= {
        *lake.feeds,
        "dim_school",
        "ingest_physical_fitness",
    }


def test_every_module_that_prints_a_table_is_tried() -> None:
    tried = {
        *("run/summary", "run/doctor", "cli/delivery", "cli/feed", "cli/identity", "cli/safety"),
        *("cli/release", "cli/scenario", "cli/screen"),
        # Own tests: they need files, or would remove a pupil.
        *("cli/places", "cli/forget", "cli/check", "cli/damage", "screen"),
        *("cli/balance", "cli/takes", "cli/evaluation_collected", "cli/calendar"),
        *("cli/release_compare", "cli/shell", "cli/access", "cli/audit", "cli/webhook"),
    }
    files = (ROOT / "jobs").rglob("*.py")
    found = {path for path in files if "console.table(" in path.read_text("utf-8")}
    names = {str(path.relative_to(ROOT / "jobs").with_suffix("")) for path in found}
    assert names <= tried
