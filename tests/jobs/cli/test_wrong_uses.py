"""Commands used wrongly: each says what is wrong and what to do, writes nothing, and shows no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jobs.cli.main import app
from jobs.settings import ROOT, Settings, UserError

CASES = ROOT / "tests" / "cases" / "files"
BASE, DAILY = str(CASES / "20-forecast" / "base.csv"), str(CASES / "21-detect" / "daily.csv")
CONTENT = {
    "empty.csv": b"",
    "blank.csv": b"\n\n  \n",
    "binary.csv": bytes(range(256)) * 20,
    "nulls.csv": b"a\x00,b\x00\n1,2\n",
    "others.csv": b"a,b\n1,2\n",
    "latin.csv": "unit,grade_code\né,1\n".encode("latin-1"),
    "quote.csv": b'unit,date,count\n"S1,2024-01-01,1\n',
    "book.xlsx": b"PK\x03\x04" + bytes(100),
}
FILES = ("none.csv", "folder", *CONTENT)
READING = [
    "fitness score --output {out} --input {file}",
    "places forecast --output {out} --enrollment {file}",
    f"places forecast --output {{out}} --enrollment {BASE} --births {{file}}",
    f"places forecast --output {{out}} --enrollment {BASE} --events {{file}}",
    "places backtest --output {out} --origins 2020 --enrollment {file}",
    "safety detect --output {out} --input {file}",
    "evaluation balance --output {out} --input {file}",
    "evaluation takes --output {out} --input {file}",
    f"safety detect --output {{out}} --input {DAILY} --calendar {{file}}",
]
WRITING = [
    f"places forecast --enrollment {BASE} --output {{out}}",
    f"places backtest --origins 2020 --enrollment {BASE} --output {{out}}",
    f"safety detect --input {DAILY} --output {{out}}",
    "safety plan --visits 3 --output {out}",
    "places report --output {out}",
    "places scenario --output {out}",
    "feed template birth --output {out}",
    "feed contract birth --output {out}",
]
# Words of the command -> what the person reads.
WORDS = {
    "feed template birht": "did you mean `birth`",
    "feed contract nothing": "there is no dataset `nothing`",
    "feed report 00zz": "there is no receipt '00zz'",
    "feed report --all-of nobody": "'nobody' has no receipt",
    "feed retry 00zz": "there is no receipt '00zz'",
    "feed receipts --outcome accept": "did you mean `accepted`",
    "feed receipts --sender 11010": "did you mean `1101",
    "identity link a b --reason x": "no pupil has the key a",
    "identity unlink a b --reason x": "no pupil has the key a",
    "identity rotate --new-key none": "makes its own keys",
    "places scenario --stage primry": "there is no stage_code primry",
    "places scenario --district 999999": "there is no district_code 999999",
    "places scenario --year 1999": "there is no school_year_start 1999",
    "places scenario --lever nonsense": "there is no lever 'nonsense'",
    "places report --district 999 --output x.html": "999 has no forecast",
    "safety plan --visits 3 --district 999999": "no visit",
    "safety plan --visits 3 --district x": "--district is x",
    "sql --release 99 select": "99",
    "sql selec": "syntax error",
    "delivery withdraw x/y/z --reason a": "there is no delivery 'x/y/z'",
    "release name 99 x": "99",
    "status --site beijng": "did you mean `beijing`",
    "asof 2025-13-01 select": "2025-13-01",
    "land none.csv --feed enrolment --sender 110105": "enrolment",
    "land none.csv --feed enrollment --sender 110105": "there is no file none.csv",
    "safety detect --input x --output y.csv --method scool": "scool",
    "safety detect --input x --output y.csv --missing none": "none",
    "places forecast --enrollment x --output y.csv --horizon 0": "greater than or equal to 1",
    "safety plan --visits 0": "greater than or equal to 1",
    "fitness score --input x": "--output",
    "[bold]x": "No such command '[bold]x'",
    "status --site [/]": "there is no site '[/]'",
}


@pytest.fixture
def folder(tmp_path: Path, lake: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of every wrong kind, which is the caller's own; commands see the shared lake."""
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDULAKE_HOME", str(lake.home.parent))
    return tmp_path


def told(result: Result) -> str:
    """What the person reads of a call that ends with an error, in one line."""
    error = result.exception
    assert isinstance(error, UserError | SystemExit), repr(error)
    assert result.exit_code in (1, 2), result.output
    if isinstance(error, UserError):
        assert error.way_out
        return f"{error.message} {error.way_out}"
    return " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", READING, ids=lambda text: text.replace(str(CASES), ""))
def test_a_file_that_cannot_be_read_is_named(command: str, name: str, folder: Path) -> None:
    words = command.format(out="out.csv", file=name).split()
    assert name in told(CliRunner().invoke(app, words))
    assert not (folder / "out.csv").exists()


@pytest.mark.parametrize("target", ["folder", "others.csv/below.csv", "folder/none/out.csv"])
@pytest.mark.parametrize("command", WRITING, ids=lambda text: text.replace(str(CASES), ""))
def test_a_place_that_cannot_be_written_is_named(command: str, target: str, folder: Path) -> None:
    result = CliRunner().invoke(app, command.format(out=target).split())
    if target.endswith("out.csv") and result.exit_code == 0:
        assert (folder / target).is_file(), "the command makes the folders"
        return
    assert target.split("/")[0] in told(result)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES[1:])


@pytest.mark.parametrize("words", WORDS)
def test_a_slip_of_the_hand_is_named(words: str, folder: Path) -> None:
    assert WORDS[words] in told(CliRunner().invoke(app, words.split()))
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES[1:])


@pytest.mark.parametrize("name", FILES)
def test_settings_of_the_scores_that_cannot_be_read_are_named(name: str, folder: Path) -> None:
    if name in ("empty.csv", "blank.csv"):
        return
    words = f"fitness score --input {BASE} --output out.csv --settings {name}"
    assert name in told(CliRunner().invoke(app, words.split()))
