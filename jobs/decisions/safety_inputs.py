"""What the safety service reads: statements in force as small tables of the driver."""

from __future__ import annotations

from datetime import date

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import contracts
from jobs.decisions.frames import in_force_rows
from jobs.lake.runs import Run
from jobs.safety import rules
from jobs.settings import ROOT, Settings

_THINGS = (
    *("illness_report", "incident", "hazard_register", "drill", "guard_check", "alert_state", "hotline_case"),
    *("school_register", "grade_return", "pupil_roll"),
)
TABLES = tuple(contracts.load()[thing].table for thing in _THINGS)
SYNDROMES = rules.STANDARDS / "syndromes.csv"
OTHER_SYNDROME = "other"
# Incidents of these kinds are cases of food poisoning, by the number of persons who came to harm.
_POISONING = ("food_borne", "poisoning")


def in_force(settings: Settings, spark: SparkSession, run: Run, thing: str) -> pd.DataFrame:
    """Own columns of a thing in force at the run's dates; dates as timestamps."""
    contract = contracts.load()[thing]
    own = [name for name in contract.clean_columns() if name not in contracts.STATEMENT_COLUMNS]
    return _collected(in_force_rows(settings, spark, run, thing).select(*own))


def _collected(rows: DataFrame) -> pd.DataFrame:
    found = rows.toPandas()
    for field in rows.schema.fields:
        if field.dataType.typeName() == "date":
            found[field.name] = pd.to_datetime(found[field.name])
    return found


def calendar(settings: Settings) -> pd.DataFrame:
    """The site's school calendar as `date, is_open`."""
    file = ROOT / "expectations" / "standards" / "calendar" / f"{settings.site}.csv"
    days = pd.read_csv(file, parse_dates=["date"])
    is_open = days["is_school_day"].astype(str).isin(["1", "True", "true"])
    return pd.DataFrame({"date": days["date"], "is_open": is_open})


def schools(settings: Settings, spark: SparkSession, run: Run) -> pd.DataFrame:
    """Open schools of the registers: `school_code, school_type_code, district_code, area_name, opened_date,
    pupil_count` (of the newest returns; null where they do not count it)."""
    order = ["stated_on", "delivery_no", "_file_sha256", "_line_number"]
    names = ["school_code", "school_type_code", "district_code", "area_name", "opened_date", "closed_date"]
    register = _collected(in_force_rows(settings, spark, run, "school_register").select(*names, *order))
    register = register.sort_values(order).drop_duplicates("school_code", keep="last")
    is_open = register["closed_date"].isna() | (register["closed_date"] > pd.Timestamp(run.as_of_date))
    returns = in_force_rows(settings, spark, run, "grade_return").select(
        "unit_code", "school_year_start", "grade_key", "pupil_count", *order
    )
    counted = _collected(returns).sort_values(order)
    counted = counted.drop_duplicates(["unit_code", "school_year_start", "grade_key"], keep="last")
    by_year = counted.groupby(["unit_code", "school_year_start"])["pupil_count"].sum().reset_index()
    newest = by_year.sort_values("school_year_start").drop_duplicates("unit_code", keep="last")
    # A school that the newest returns leave out has no pupils now.
    newest = newest[newest["school_year_start"] == by_year["school_year_start"].max()]
    pupils = newest.set_index("unit_code")["pupil_count"].astype(float)
    found = register[is_open].drop(columns=[*order, "closed_date"])
    found = found.assign(pupil_count=found["school_code"].map(pupils))
    return found.sort_values("school_code", ignore_index=True)


def incidents(settings: Settings, spark: SparkSession, run: Run) -> pd.DataFrame:
    """One row per incident: what its newest report says."""
    order = ["reported_date", "delivery_no", "_file_sha256", "_line_number"]
    names = ["school_code", "incident_code", "occurred_date", "incident_type_code", "incident_level_code"]
    reports = in_force_rows(settings, spark, run, "incident").select(*names, "injured_count", *order)
    newest = _collected(reports).sort_values(order)
    newest = newest.drop_duplicates(["school_code", "incident_code"], keep="last")
    return newest[[*names, "injured_count"]].reset_index(drop=True)


def illness(settings: Settings, spark: SparkSession, run: Run) -> pd.DataFrame:
    """Reports of absence: `school_code, class_name, date, condition_code, absent_count, case_count,
    sender_code`. Cases are new ones where the report tells them, else the absent."""
    rows = in_force_rows(settings, spark, run, "illness_report").select(
        "school_code",
        "class_name",
        F.col("reported_date").alias("date"),
        F.col("symptom_code").alias("condition_code"),
        "absent_count",
        F.coalesce("new_case_count", "absent_count").alias("case_count"),
        "sender_code",
    )
    return _collected(rows)


def class_sizes(settings: Settings, spark: SparkSession, run: Run) -> dict[int, dict[tuple[str, str], int]]:
    """School year → (school, class) → pupils on the roll, of two terms the larger."""
    of_term = (
        in_force_rows(settings, spark, run, "pupil_roll")
        .groupBy("school_year_start", "term", "school_code", "class_name")
        .count()
    )
    sizes = of_term.groupBy("school_year_start", "school_code", "class_name").agg(
        F.max("count").alias("size")
    )
    found: dict[int, dict[tuple[str, str], int]] = {}
    for row in sizes.collect():
        found.setdefault(row["school_year_start"], {})[row["school_code"], row["class_name"]] = row["size"]
    return found


def rule_reports(illness: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """Reports as `rules.rule_hits` wants them, with `school_year`; food poisoning also from incidents."""
    poisoned = incidents[incidents["incident_type_code"].isin(_POISONING) & (incidents["injured_count"] > 0)]
    extra = pd.DataFrame(
        {
            "school_code": poisoned["school_code"],
            "class_name": "",
            "date": poisoned["occurred_date"],
            "condition_code": "food_poisoning",
            "case_count": poisoned["injured_count"],
        }
    )
    names = list(extra.columns)
    reports = pd.concat(
        [one for one in (illness[names], extra) if not one.empty] or [extra], ignore_index=True
    )
    date_ = pd.to_datetime(reports["date"])
    return reports.assign(date=date_, school_year=date_.dt.year - (date_.dt.month < 8))


def on_school_days(illness: pd.DataFrame, calendar: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`unit, date, count`: each reporting school × open day.

    A day without a report counts nobody absent, from the school year of the school's first report on and as
    far as its sender has reported; what lies beyond is missing: a school not open yet was not well.
    """
    if illness.empty:
        return pd.DataFrame(columns=["unit", "date", "count"])
    days = calendar.loc[calendar["is_open"], "date"]
    days = days[(days >= illness["date"].min()) & (days <= pd.Timestamp(as_of))]
    counts = illness.groupby(["school_code", "date"])["absent_count"].sum()
    until = illness.groupby("sender_code")["date"].max()
    sender = illness.drop_duplicates("school_code", keep="last").set_index("school_code")["sender_code"]
    grid = pd.MultiIndex.from_product([sorted(sender.index), days], names=["unit", "date"])
    series = counts.rename_axis(["unit", "date"]).reindex(grid, fill_value=0).rename("count").reset_index()
    began = illness.groupby("school_code")["date"].min()
    since = pd.to_datetime((began.dt.year - (began.dt.month < 9)).astype(str) + "-09-01")
    told = series["date"].between(series["unit"].map(since), series["unit"].map(sender).map(until))
    return series[told].reset_index(drop=True)


def by_syndrome(illness: pd.DataFrame, series: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """`syndrome_code, unit, date, count`: the school days of `on_school_days` once for each syndrome of
    `syndromes.csv`, and for all conditions that none of them names (`other`)."""
    groups = rules.in_force_on(rules.load_dated(SYNDROMES), as_of)
    of = {
        condition: row["syndrome_code"]
        for row in groups.to_dict("records")
        for condition in row["conditions"].split("|")
    }
    own = illness.assign(syndrome_code=illness["condition_code"].map(of).fillna(OTHER_SYNDROME))
    sums = own.groupby(["syndrome_code", "school_code", "date"])["absent_count"].sum()
    counts = sums.rename_axis(["syndrome_code", "unit", "date"]).rename("count").reset_index()
    codes = pd.DataFrame({"syndrome_code": [*groups["syndrome_code"], OTHER_SYNDROME]})
    days = codes.merge(series[["unit", "date"]], how="cross")
    found = days.merge(counts, on=["syndrome_code", "unit", "date"], how="left")
    return found.assign(count=found["count"].fillna(0.0))


def syndrome_names(as_of: pd.Timestamp) -> dict[str, str]:
    """Code → Chinese name, with `other`."""
    groups = rules.in_force_on(rules.load_dated(SYNDROMES), as_of)
    named = dict(zip(groups["syndrome_code"], groups["syndrome_zh"], strict=True))
    return named | {OTHER_SYNDROME: "其他症状"}
