"""Enrollment files as analysts find them, given to `places forecast`; `commands.yaml` says what is right."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner, Result

from jobs.cli.places import app

HERE = Path(__file__).parent
CASES: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "commands.yaml").read_text("utf-8"))
FORECASTS = {name: case for name, case in CASES.items() if case.get("of", name).startswith("20-")}
NUMBERS = ["year", "lead", "forecast", "lower_80", "upper_80", "lower_90", "upper_90"]


def changed(file: str, changes: list[list[str]], encoding: str, target: Path) -> Path:
    text = (HERE / "files" / file).read_text("utf-8")
    for pattern, new in changes:
        text, count = re.subn(pattern, new, text)
        assert count, f"{pattern} is nowhere in {file}"
    target.write_bytes(text.encode(encoding))
    return target


def forecast(case: dict[str, Any], name: str, folder: Path) -> tuple[Result, Path]:
    """The command on a case's files, and the file that it was to write."""
    source = changed(
        case.get("of", name), case.get("replace", []), case.get("encoding", "utf-8"), folder / "e.csv"
    )
    words = ["forecast", "--enrollment", str(source), "--horizon", "3", "--output", str(folder / "out.csv")]
    if "births" in case:
        born = changed(case["births"], case.get("replace_births", []), "utf-8", folder / "b.csv")
        words += ["--births", str(born)]
    return CliRunner().invoke(app, words), folder / "out.csv"


@cache
def of_file(name: str, folder: Path) -> pd.DataFrame:
    result, out = forecast({}, name, folder)
    assert result.exit_code == 0, result.output
    return pd.read_csv(out)


@pytest.mark.parametrize("name", FORECASTS)
def test_each_file_is_forecast_or_refused_rightly(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    case = FORECASTS[name]
    result, out = forecast(case, name, tmp_path)
    told = " ".join(result.output.split())
    assert result.exit_code == case.get("exit", 0), told
    assert [words for words in case.get("says", ()) if words not in told] == [], told
    if result.exit_code:
        assert "What to do" in told
        assert not out.exists()
        return
    made = pd.read_csv(out, dtype={"unit": str, "grade": str})
    assert made["forecast"].notna().all()
    total = made[(made["level"] == "total") & (made["grade"] == "all")].set_index("year")["forecast"]
    for year, (least, most) in case.get("total", {}).items():
        assert least <= total[year] <= most, total
    for unit in case.get("none", ()):
        assert not made.loc[made["unit"] == unit, "forecast"].any()
    if other := case.get("same_as"):
        right = of_file(other, tmp_path_factory.mktemp("other"))
        pd.testing.assert_frame_equal(made[NUMBERS], right[NUMBERS])


def test_a_sum_that_is_named_like_a_school_is_known_by_its_counts(tmp_path: Path) -> None:
    rows = pd.read_csv(HERE / "files" / "20-forecast" / "base.csv", dtype={"grade": str})
    by_unit = rows.groupby(["year", "grade"], as_index=False)["enrollment"].sum()
    by_grade = rows.groupby(["unit", "year"], as_index=False)["enrollment"].sum()
    for sums, told in (
        (by_unit.assign(unit="D", parent_unit="City"), "D is the sum of the units whose parent"),
        (
            by_unit.assign(unit="110105", parent_unit="D"),
            "the sum of the other units of its parent",
        ),
        (
            by_unit.assign(unit="110105", parent_unit="E"),
            "110105 is the sum of all other units",
        ),
        (
            by_grade.assign(grade="PK-5", parent_unit="D"),
            "PK-5 is the sum of the other grades",
        ),
    ):
        source = tmp_path / "e.csv"
        pd.concat([rows, sums]).to_csv(source, index=False)
        result = CliRunner().invoke(
            app, ["forecast", "--enrollment", str(source), "--output", str(tmp_path / "out.csv")]
        )
        assert result.exit_code == 2, result.output
        assert told in " ".join(result.output.split())
        assert "line 158" in result.output
