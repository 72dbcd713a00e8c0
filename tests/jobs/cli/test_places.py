"""The two commands from file to file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from jobs.cli.places import app, parse_lags, parse_years
from jobs.decide.places.forecast import COLUMNS
from jobs.settings import UserError

RUN = CliRunner()


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    rows = [
        (f"u{u}", f"p{u % 2}", y, g, 60 + 5 * u + (y * (u + 3)) % 7 - 2 * g)
        for u in range(6)
        for y in range(2004, 2015)
        for g in range(1, 7)
        if y != 2006
    ]
    names = ["unit", "parent_unit", "year", "grade", "enrollment"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "e.csv", index=False)
    born = [(f"u{u}", y, 70 + 5 * u) for u in range(6) for y in range(1998, 2015)]
    pd.DataFrame(born, columns=["unit", "year", "births"]).to_csv(tmp_path / "b.csv", index=False)
    return str(tmp_path / "e.csv"), str(tmp_path / "b.csv")


def test_backtest_writes_the_columns_and_prints_accuracy(files: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "new" / "f.csv"
    arguments = ["backtest", "--enrollment", files[0], "--births", files[1], "--entry-lag", "6"]
    result = RUN.invoke(app, [*arguments, "--origins", "2005-2010", "--horizon", "3", "--output", str(out)])
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(out, dtype={"grade": str})
    assert list(frame.columns) == COLUMNS
    assert sorted(frame["origin"].unique()) == [2005, 2007, 2008, 2009, 2010]
    assert set(frame["level"]) == {"unit", "parent", "total"}
    assert set(frame["lead"]) == {1, 2, 3}
    assert "2006: not in the file" in result.output
    assert "error %" in result.output
    assert [p.name for p in out.parent.iterdir()] == ["f.csv"]


@pytest.mark.parametrize("command", [("backtest", "--origins", "2006"), ("forecast", "--origin", "2030")])
def test_without_any_origin_in_the_file_nothing_is_written_and_that_is_an_error(
    files: tuple[str, str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    out = tmp_path / "f.csv"
    result = RUN.invoke(app, [*command, "--enrollment", files[0], "--output", str(out)])
    assert isinstance(result.exception, UserError)
    assert "2004 to 2014" in result.exception.way_out
    assert not out.exists()


def test_forecast_takes_one_origin_or_the_last_year(files: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "f.csv.gz"
    for extra, origin in (([], 2014), (["--origin", "2010"], 2010), (["--origins", "2011"], 2011)):
        result = RUN.invoke(app, ["forecast", "--enrollment", files[0], "--output", str(out), *extra])
        assert result.exit_code == 0, result.output
        assert set(pd.read_csv(out)["origin"]) == {origin}


@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz"])
def test_a_unit_that_a_spreadsheet_would_run_is_guarded(
    files: tuple[str, str], tmp_path: Path, name: str
) -> None:
    source = Path(files[0])
    source.write_text(
        source.read_text().replace("u1,", "-1+cmd|' /C calc'!A0,").replace("p0", "＠p"), "utf-8"
    )
    out = tmp_path / name
    result = CliRunner().invoke(app, ["forecast", "--enrollment", files[0], "--output", str(out)])
    assert result.exit_code == 0, result.output
    units = set(pd.read_csv(out)["unit"])
    assert {"'-1+cmd|' /C calc'!A0", "'＠p", "u0"} <= units
    assert not [unit for unit in units if str(unit)[0] in "=+-@＝＋－＠"]


def test_bad_line_is_named_and_an_old_output_is_left_alone(files: tuple[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text(Path(files[0]).read_text().replace("u0,p0,2004,1,", "u0,p0,2004,1,x", 1))
    out = tmp_path / "f.csv"
    out.write_text("kept")
    result = RUN.invoke(app, ["forecast", "--enrollment", str(broken), "--output", str(out)])
    assert result.exit_code == 2
    assert "line 2, column enrollment" in result.output
    assert out.read_text() == "kept"


@pytest.mark.parametrize(
    ("text", "years"),
    [("2010-2012", [2010, 2011, 2012]), ("2010", [2010]), ("2012, 2010-2011", [2010, 2011, 2012])],
)
def test_years_are_read(text: str, years: list[int]) -> None:
    assert parse_years(text) == years


@pytest.mark.parametrize("text", ["2012-2010", "", "x", "2010-"])
def test_bad_years_are_refused(text: str, files: tuple[str, str], tmp_path: Path) -> None:
    out = str(tmp_path / "f.csv")
    result = RUN.invoke(app, ["backtest", "--enrollment", files[0], "--output", out, "--origins", text])
    assert result.exit_code == 2


def test_lags_of_several_grades_are_read_or_refused(files: tuple[str, str], tmp_path: Path) -> None:
    assert parse_lags(" 6 ") == 6
    assert parse_lags("K1=3, P1=6") == {"K1": 3, "P1": 6}
    for wrong in ("", "21", "-1", "K1", "K1=3,P1", "K1=x"):
        with pytest.raises(typer.BadParameter, match="K1=3,P1=6"):
            parse_lags(wrong)
    arguments = ["forecast", "--enrollment", files[0], "--births", files[1], "--output"]
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    assert RUN.invoke(app, [*arguments, str(one), "--entry-lag", "6"]).exit_code == 0
    assert RUN.invoke(app, [*arguments, str(two), "--entry-lag", "1=6"]).exit_code == 0
    assert one.read_bytes() == two.read_bytes()
    unknown = RUN.invoke(app, [*arguments, str(two), "--entry-lag", "K1=3"])
    assert isinstance(unknown.exception, UserError)
    assert "K1" in str(unknown.exception)
