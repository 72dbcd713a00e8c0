"""Series as offices keep them, each given to `safety detect`; `commands.yaml` says what is right."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from jobs.cli.safety import app
from jobs.settings import UserError

from .test_forecast_files import CASES, HERE, changed

SERIES = {name: case for name, case in CASES.items() if case.get("of", name).startswith("21-")}


def detect(case: dict[str, Any], name: str, folder: Path) -> tuple[Result, Path]:
    """The command on a case's file, and the file that it was to write."""
    source = changed(case.get("of", name), case.get("replace", []), "utf-8", folder / "s.csv")
    words = ["detect", "--input", str(source), "--output", str(folder / "out.csv")]
    if "calendar" in case:
        words += ["--calendar", str(HERE / "files" / case["calendar"])]
    return CliRunner().invoke(app, [*words, *case.get("words", "").split()]), folder / "out.csv"


@cache
def of_file(name: str, folder: Path) -> pd.DataFrame:
    result, out = detect(SERIES[name], name, folder)
    assert result.exit_code == 0, result.output
    return pd.read_csv(out)


@pytest.mark.parametrize("name", SERIES)
def test_each_series_is_judged_or_refused_rightly(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    case = SERIES[name]
    result, out = detect(case, name, tmp_path)
    told = " ".join(result.output.split())
    if isinstance(result.exception, UserError):
        told += f" {result.exception.message} {result.exception.way_out}"
    assert result.exit_code == case.get("exit", 0), told
    assert [words for words in case.get("says", ()) if words not in told] == [], told
    assert not case.get("silent") or "note:" not in told
    if result.exit_code:
        return
    made = pd.read_csv(out)
    if "judged" in case:
        assert [int(made["alarm"].notna().sum()), len(made)] == case["judged"]
    if "alarms" in case:
        assert made["alarm"].sum() == case["alarms"]
    if "last" in case:
        assert made["alarm"].iloc[-1] == case["last"]
    if other := case.get("same_as"):
        pd.testing.assert_frame_equal(made, of_file(other, tmp_path_factory.mktemp("other")))
