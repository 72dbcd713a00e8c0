"""Texts in files that we hand out: none is run by a spreadsheet, and numbers stay numbers."""

from __future__ import annotations

import ast
import csv
import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from jobs import cells
from jobs.settings import ROOT

# Case 24, and its kinds: signs of every width, with a digit or not, at the begin or after what nobody sees.
RUN = [
    "=1+1",
    "+1",
    "-1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    "-",
    "-5.2",
    "＝HYPERLINK(1)",
    "＋1",
    "－1",
    "＠SUM(1)",
    "﹦1",
    "−1",
    "\t=1",
    "\tx",
    "\rx",
    "\nx",
    "\r\n=1",
    " =1",
    " \tx",
    "　＝1",
    "\u00a0=1",
    "\u200b=1",
    "\u2060\u061c=1",
    "\u3164=1",
    "\ufe0f=1",
    "\U000e0020=1",
    "\ufeff=1",
    "\x00=1",
    "\x1b=1",
    " \n =1",
    "\u2028=1",
]
NOT_RUN = ["", "北京市第一小学", "a=1", "5-2", "1", " 一", "'=1", "——", "（一）", " ", "é=1"]


@pytest.mark.parametrize("text", RUN)
def test_a_text_that_could_be_run_gets_an_apostrophe(text: str) -> None:
    assert cells.guarded(text) == "'" + text


@pytest.mark.parametrize("text", NOT_RUN)
def test_any_other_text_is_as_it_was(text: str) -> None:
    assert cells.guarded(text) == text


def test_numbers_dates_and_blanks_are_no_texts() -> None:
    values = [-5, -5.2, Decimal("-5.20"), date(2025, 9, 1), None, True, np.int64(-5), np.float64(-5.2)]
    assert cells.row(values) == values


def test_what_is_written_as_a_text_is_one() -> None:
    assert cells.row([timedelta(days=-1)]) == ["'-1 day, 0:00:00"]


@pytest.mark.parametrize("text", ["-5.2", "+5", "-.5", "-1e3", "5.", "12"])
def test_a_number_that_is_copied_from_a_file_stays_one(text: str) -> None:
    assert cells.copied(text) == text
    assert cells.copied(text + "+1").startswith("'") == (text[0] in "+-")


def test_a_file_has_guarded_columns_and_rows_that_read_back() -> None:
    out = io.StringIO()
    cells.write(out, ["=a", "b"], [["\n=1", -5.2], ['x"y,z', None]])
    assert list(csv.reader(io.StringIO(out.getvalue()))) == [["'=a", "b"], ["'\n=1", "-5.2"], ['x"y,z', ""]]


def test_frames_and_tables_are_guarded_alike(tmp_path: Path) -> None:
    texts = [*RUN, *NOT_RUN, None]
    columns = {"@t": texts, "n": [-5.5] * len(texts), "b": [True] * len(texts)}
    cells.write_frame(pd.DataFrame(columns), tmp_path / "frame.csv")
    with (tmp_path / "table.csv").open("wb") as out:
        cells.write_table(pa.table(columns), out)
    for name in ("frame", "table"):
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        assert head == ["'@t", "n", "b"]
        assert [row[0] for row in rows] == [*("'" + text for text in RUN), *NOT_RUN, ""]
        assert {row[1] for row in rows} == {"-5.5"}


def test_a_lone_carriage_return_begins_no_line(tmp_path: Path) -> None:
    """Python's own writer leaves it without quotes where lines end otherwise."""
    text = "a\r=1+1"
    out = io.StringIO()
    cells.write(out, ["t"], [[text]])
    cells.write_frame(pd.DataFrame({"t": [text]}), tmp_path / "f.csv")
    with (tmp_path / "t.csv").open("wb") as table:
        cells.write_table(pa.table({"t": [text]}), table)
    packed = tmp_path / "f.csv.gz"
    cells.write_frame(pd.DataFrame({"t": [text]}), packed, is_packed=True)
    made = [out.getvalue().encode(), *((tmp_path / name).read_bytes() for name in ("f.csv", "t.csv"))]
    assert [*made, gzip.decompress(packed.read_bytes())] == [b't\n"a\r=1+1"\n'] * 4


def test_categories_and_mixed_columns_of_a_frame_are_guarded(tmp_path: Path) -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["=1", "a"]), "m": ["+1", -1]})
    cells.write_frame(frame, tmp_path / "f.csv")
    assert (tmp_path / "f.csv").read_text().splitlines() == ["c,m", "'=1,'+1", "a,-1"]
    assert list(frame["c"]) == ["=1", "a"], "the frame itself is as it was"


def test_a_workbook_has_texts_and_no_formula() -> None:
    out = io.BytesIO()
    with cells.workbook(out, in_memory=True) as book:
        sheet = book.add_worksheet()
        for number, text in enumerate([*RUN, "{=1+1}", "http://x.example", "external:c:\\x.xlsx", "007"]):
            sheet.write(number, 0, text)
        sheet.write(0, 1, -5.2)
    with zipfile.ZipFile(out) as packed:
        written = packed.read("xl/worksheets/sheet1.xml").decode()
        assert not any("hyperlink" in packed.read(name).decode() for name in packed.namelist())
    assert not re.search("<f[ >]", written)
    assert written.count('t="s"') == len(RUN) + 4
    assert '<c r="B1"><v>-5.2</v></c>' in written


# Files that may write CSV or workbooks without `jobs.cells`, each with its reason.
ELSEWHERE = {
    "jobs/ingest/landed.py": "landing holds what was sent, and is read back by us alone",
    "jobs/publish/postgres/load.py": "the form in which PostgreSQL takes rows; no file is made",
    "synthetic/city/calendar.py": "a site's own table, made of our own words",
    "synthetic/city/truth.py": "the hidden truth of the city, which only its own tests read",
    "synthetic/city/writers.py": "files as senders write them, also those that a spreadsheet would run",
}
_WRITERS = {
    "writer",
    "DictWriter",
    "to_csv",
    "to_excel",
    "write_csv",
    "write_excel",
    "Workbook",
    "to_clipboard",
}


_COPY = re.compile(r"\s*copy\s*\(.*\bcsv\b", re.IGNORECASE | re.DOTALL)


def doors() -> Iterator[tuple[str, int, str]]:
    """Every call in the product that makes CSV or a workbook: file, line, and what is called."""
    for package in ("jobs", "portal", "synthetic", "dags", "infra", "dbt"):
        for path in sorted((ROOT / package).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            if "node_modules" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    called = (
                        node.func.attr
                        if isinstance(node.func, ast.Attribute)
                        else getattr(node.func, "id", "")
                    )
                    if called in _WRITERS:
                        yield place, node.lineno, called
                if isinstance(node, ast.Constant) and _COPY.match(str(node.value)):
                    yield place, node.lineno, "copy"


def test_every_file_that_is_handed_out_is_written_by_cells() -> None:
    found = list(doors())
    ours = {called for place, _, called in found if place == "jobs/cells.py"}
    assert ours == {"writer", "to_csv", "write_csv", "Workbook"}, "the sweep sees them"
    others = {place for place, _, _ in found} - {"jobs/cells.py"}
    assert others == set(ELSEWHERE), [
        entry for entry in found if entry[0] not in ("jobs/cells.py", *ELSEWHERE)
    ]
