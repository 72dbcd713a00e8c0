"""`edulake safety detect` from file to file."""

from __future__ import annotations

import io
import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from jobs import settings as site_settings
from jobs.cli.safety import app
from jobs.publish import publication
from jobs.publish.published_models import Model
from jobs.run import summary
from jobs.screen import Screen
from jobs.settings import UserError

GOLDEN = Path(__file__).parents[1] / "decide" / "safety" / "golden"
COLUMNS = ["unit", "date", "count", "expected", "upper_bound", "p_value", "score", "alarm"]


def detect(*options: object) -> None:
    result = CliRunner().invoke(app, ["detect", *map(str, options)], catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.fixture
def weekly(tmp_path: Path) -> Path:
    table = pd.read_csv(GOLDEN / "series.csv")
    path = tmp_path / "series.csv"
    table[table["case"] == "weekly_dated"][["unit", "date", "count"]].to_csv(path, index=False)
    return path


def test_weekly_dates_give_the_bounds_of_r(weekly: Path, tmp_path: Path) -> None:
    out = tmp_path / "alarms.csv"
    detect("--input", weekly, "--method", "farrington_flexible", "--freq", "weekly", "--output", out)
    found = pd.read_csv(out)
    assert list(found.columns) == COLUMNS
    wanted = pd.read_csv(GOLDEN / "answers.csv").query(
        "case == 'weekly_dated' and method == 'farrington_flexible'"
    )
    found["t"] = found.groupby("unit").cumcount() + 1
    both = wanted.merge(found, on=["unit", "t"], suffixes=("_r", ""))
    assert len(both) == len(wanted)
    np.testing.assert_allclose(both["upper_bound"], both["upper_bound_r"], rtol=1e-6)
    assert found["upper_bound"][found["t"] < 264].isna().all(), "blank before five years and three weeks"


def test_a_unit_that_a_spreadsheet_would_run_is_guarded(tmp_path: Path) -> None:
    source, out = tmp_path / "t.csv", tmp_path / "alarms.csv"
    source.write_text(
        "unit,t,count\n" + "".join(f"＝cmd,{t},{t % 3}\n-1+2,{t},1\n" for t in range(1, 9)), "utf-8"
    )
    detect("--input", source, "--method", "ears_c1", "--output", out)
    found = pd.read_csv(out)
    assert set(found["unit"]) == {"'＝cmd", "'-1+2"}
    assert set(found["count"]) == {0, 1, 2}


@pytest.mark.parametrize("is_synthetic", [True, False])
def test_a_plan_of_visits_says_in_its_file_and_beside_it_whether_its_city_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_synthetic: bool
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    sites = tmp_path / "sites"
    sites.mkdir()
    beijing = (site_settings.SITES / "beijing.yaml").read_text("utf-8")
    lines = [line for line in beijing.splitlines() if not re.match("(districts|senders|calendar|map):", line)]
    text = "\n".join(lines).replace("synthetic: true", f"synthetic: {str(is_synthetic).lower()}")
    (sites / "own.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("EDULAKE_SITES", str(sites))
    build = tmp_path / "build.duckdb"
    with duckdb.connect(str(build)) as con:
        con.execute("""
            create table fct_safety_inspection_plan as
            select 1 as visit_rank, '2111000001' as school_code, '=1+1' as school_name,
                '110101' as district_code, 1 as visit_number, 0.5 as incident_rate, 1 as open_hazard_count,
                0 as overdue_hazard_count, 0.5 as risk_before, 0.1 as risk_lowered
        """)
    models = {"fct_safety_inspection_plan": Model("fct_safety_inspection_plan", "district_code")}
    publication.publish(
        site_settings.load("own"), "r.1", build, models, {},
        as_of_date="2025-11-20", known_at="2025-11-20", code_version="0",
    )  # fmt: skip
    out = tmp_path / "plan.csv"
    result = CliRunner().invoke(app, ["plan", "--visits", "5", "--site", "own", "--output", str(out)])
    assert result.exit_code == 0, result.output
    plan = pd.read_csv(out)
    assert plan["school_name"].tolist() == ["'=1+1"]
    assert ("合成数据" in result.stderr) == is_synthetic
    assert (plan.columns[-1] == "is_synthetic") == is_synthetic
    assert plan.iloc[0, -1] in ((True,) if is_synthetic else (0.1,))
    told = Screen(file=io.StringIO())
    summary.status(site_settings.load("own"), told)
    assert ("合成数据" in told.file.getvalue()) == is_synthetic  # type: ignore[attr-defined]


def test_t_in_gives_t_out_and_rs_names_are_options(tmp_path: Path) -> None:
    table = pd.read_csv(GOLDEN / "series.csv")
    source, out = tmp_path / "t.csv", tmp_path / "alarms.csv"
    table[table["case"] == "weekly_t"][["unit", "t", "count"]].to_csv(source, index=False)
    options = ("--b", 3, "--w", 2, "--limit54", 3, 2, "--powertrans", "1/2", "--no-trend", "--no-periods", 4)
    detect(
        *("--input", source, "--method", "farrington_classic", "--freq", "weekly", "--frequency", 52),
        *("--from", 266, "--alpha", 0.01, "--output", out, *options),
    )
    found = pd.read_csv(out)
    assert list(found.columns) == ["unit", "t", *COLUMNS[2:]]
    wanted = pd.read_csv(GOLDEN / "answers.csv").query("case == 'weekly_t' and method == 'classic_other'")
    both = wanted.merge(found, on=["unit", "t"], suffixes=("_r", ""))
    np.testing.assert_allclose(both["upper_bound"], both["upper_bound_r"], rtol=1e-6)
    assert (both["alarm"] == both["alarm_r"]).all()


def test_the_default_is_the_school_method_with_a_calendar(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    days = pd.date_range("2025-09-01", periods=200)
    rows = pd.DataFrame(
        [(f"s{k:02d}", day.date(), rng.poisson(2.0)) for k in range(25) for day in days],
        columns=["unit", "date", "count"],
    )
    burst = (rows["unit"] == "s03") & (rows["date"] == days[171].date())
    rows.loc[burst, "count"] = 14
    source, calendar, out = tmp_path / "s.csv", tmp_path / "c.csv", tmp_path / "a.csv"
    rows.sample(frac=1, random_state=1).to_csv(source, index=False)
    pd.DataFrame({"date": days.date, "is_open": (days.dayofweek < 5).astype(int)}).to_csv(
        calendar, index=False
    )
    detect("--input", source, "--calendar", calendar, "--output", out)
    found = pd.read_csv(out, parse_dates=["date"])
    assert len(found) == len(rows)
    assert found["alarm"][found["date"].dt.dayofweek >= 5].isna().all(), "a closed day has no alarm"
    assert found["alarm"][(found["unit"] == "s03") & (found["date"] == days[171])].item() == 1
    judged = found.dropna(subset=["alarm"])
    assert ((judged["count"] > judged["upper_bound"]) == (judged["alarm"] == 1)).all()
    assert (
        found.groupby("unit")["alarm"]
        .count()
        .eq(found["date"].drop_duplicates().dt.dayofweek.lt(5).sum() - 40)
        .all()
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("unit,date,count\na,2026-09-01,1\na,2026-9-x,1\n", "line 3, column date: not a date"),
        ("unit,date,count\na,2026-09-01,1.5\n", "line 2, column count: not a count"),
        ("unit,date,count\na,2026-09-01,1e30\n", "line 2, column count: not a count"),
        (
            "unit,date,count\na,2026-09-01,1\n\na,2026-09-01,2\n",
            "line 4, column date: this unit has the step",
        ),
        ("unit,day,count\na,2026-09-01,1\n", "line 1: the columns are unit,day,count"),
        ("unit,date,count\na,2026-09-01\n", "line 2: the line breaks off"),
        ("", "line 1: the columns are none"),
    ],
)
def test_a_bad_file_is_named_with_line_and_column_and_nothing_is_written(
    tmp_path: Path, text: str, says: str
) -> None:
    source, out = tmp_path / "bad.csv", tmp_path / "alarms.csv"
    source.write_text(text, encoding="utf-8")
    out.write_text("old", encoding="utf-8")
    with pytest.raises(UserError, match=says):
        detect("--input", source, "--output", out)
    assert out.read_text(encoding="utf-8") == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["alarms.csv", "bad.csv"]


def test_an_option_of_another_method_is_refused(weekly: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--w is not for ears_c2"):
        detect("--input", weekly, "--method", "ears_c2", "--w", 3, "--output", tmp_path / "a.csv")


@pytest.mark.parametrize(
    "options", [("--alpha", "2"), ("--fdr", "0"), ("--frequency", "0"), ("--method", "ears"), ("--b", "0")]
)
def test_a_value_out_of_range_is_refused(options: tuple[str, str], weekly: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["detect", "--input", str(weekly), "--output", str(tmp_path / "a.csv"), *options]
    )
    assert result.exit_code == 2
    assert options[0] in result.output


def test_help_tells_the_levels(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["detect", "--help"])
    assert result.exit_code == 0
    assert "--past-weeks-not-included" in result.output.replace("\n", "") or "past-weeks" in result.output


def test_a_flat_baseline_has_a_score_for_a_flat_day(tmp_path: Path) -> None:
    source, out = tmp_path / "s.csv", tmp_path / "a.csv"
    counts = [0] * 12 + [1]
    rows = [f"a,{t},{n}" for t, n in enumerate(counts, 1)]
    source.write_text("unit,t,count\n" + "\n".join(rows) + "\n", encoding="utf-8")
    detect("--input", source, "--method", "ears_c1", "--frequency", 365, "--output", out)
    found = pd.read_csv(out)
    assert found["score"][:7].isna().all()
    assert (found["score"][7:12] == 0).all(), "as usual as can be"
    assert (found["score"][12], found["alarm"][12]) == (37, 1)


def test_nb_plugin_and_delta_are_short_for_the_threshold_method(tmp_path: Path, weekly: Path) -> None:
    answers = {}
    for name, options in {
        "delta": ("--delta",),
        "long": ("--threshold-method", "delta"),
        "default": ("--nb-plugin",),
        "late": ("--baseline", 280),
    }.items():
        out = tmp_path / f"{name}.csv"
        detect(
            *("--input", weekly, "--method", "farrington_flexible", "--freq", "weekly"),
            *("--output", out, *options),
        )
        answers[name] = pd.read_csv(out)
    assert answers["delta"].equals(answers["long"])
    assert not answers["delta"].equals(answers["default"])
    step = answers["late"].groupby("unit").cumcount() + 1
    assert answers["late"]["alarm"][step <= 280].isna().all()
    assert answers["late"][step > 280].equals(answers["default"][step > 280])
    with pytest.raises(UserError, match="asked for too"):
        detect(
            *("--input", weekly, "--method", "farrington_flexible", "--freq", "weekly", "--output", out),
            *("--threshold-method", "muan", "--delta"),
        )
