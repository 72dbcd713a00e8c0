"""Safety: schools watched day by day, rules applied, alerts raised once for ever, visits planned.

All thresholds are dated data of `expectations/standards/safety`; the methods are in `jobs.decide.safety`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd

from jobs.decide.frames import Spark, append_frame, known_to
from jobs.decide.rounding import hundredths
from jobs.decide.safety import (
    absence,
    campus,
    classes,
    hazards,
    hotline,
    neighbors,
    outbreaks,
    read,
    risk,
    rules,
)
from jobs.decide.safety.alerts import ALERT_COLUMNS, DAYS, frame, statements
from jobs.decide.safety.choices import Method
from jobs.decide.safety.spark import detect
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.settings import Settings

INPUTS = read.TABLES
# Deadlines pass without a new row: a new day is judged anew.
EACH_DAY = True
METHOD: Method = "school"
# Days of illness reports whose detection a run keeps and raises alerts for; older ones stand in earlier runs.
DETECTION_DAYS = 92
_DECIMALS = {2: "{:.2f}", 4: "{:.4f}"}


def decide(settings: Settings, spark: Spark, run: Run) -> dict[str, int]:
    """Append this run's watch, criteria, risks and plan, and the alerts that nobody has raised yet."""
    as_of = pd.Timestamp(run.as_of_date)
    calendar = read.calendar(settings)
    with known_to(settings, run, read.DATASETS, spark) as lake:
        illness = read.illness(lake)
        sizes = read.class_sizes(lake) if not illness.empty else {}
        facts = campus.Facts(
            schools=read.schools(lake, run.as_of_date),
            guard_checks=read.rows(lake, "guard_check"),
            drills=read.rows(lake, "drill"),
            hazards=read.rows(lake, "hazard_register"),
            incidents=read.incidents(lake),
            calendar=calendar,
        )
        cases = hotline.judged(read.rows(lake, "hotline_case"), as_of)
    escalated = hazards.escalated(facts.hazards, as_of)
    judged = campus.judge(facts, as_of)
    watched, found = _watch(spark, run, illness, facts.schools, calendar)
    counts = {
        "decision_safety__daily": _append(settings, run, "decision_safety__daily", watched),
        "decision_safety__hazard": _append(settings, run, "decision_safety__hazard", _hazard_rows(escalated)),
        "decision_safety__criterion": _append(
            settings, run, "decision_safety__criterion", _criterion_rows(judged)
        ),
        "decision_safety__hotline": _append(settings, run, "decision_safety__hotline", _case_rows(cases)),
        **_plan(settings, run, facts, as_of),
    }
    alerts = [
        *_outbreaks(found, illness, _statutory(settings, illness, facts, sizes), facts.schools, run),
        hazards.alerts_of_hazards(escalated, as_of),
        campus.alerts_of_criteria(judged, facts, as_of),
        hotline.alerts_of_cases(cases, as_of),
    ]
    counts["decision_safety__alert"] = _raise(settings, run, alerts)
    return counts


def _watch(
    spark: Spark,
    run: Run,
    illness: pd.DataFrame,
    schools: pd.DataFrame,
    calendar: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the daily watch, and every answer of the detection by `level, unit, date`.

    A school is watched as a whole (`school`), for the eye, and by syndrome, for alerts: a class with a rash
    stands out among rashes, not among all who stay at home. Areas (学区) and districts are watched as sums.
    """
    series = absence.on_school_days(illness, calendar, run.as_of_date)
    if series.empty:
        return pd.DataFrame(), pd.DataFrame(columns=["level", "unit", "date", "count", "expected", "p_value"])
    parts = [series.assign(level="school")]
    for level, group in _groups_of(schools, pd.Timestamp(run.as_of_date)).items():
        own = series.assign(unit=series["unit"].map(group))
        own = own.groupby(["unit", "date"])["count"].sum(min_count=1).reset_index()
        parts.append(own.assign(level=level))
    syndromes = absence.by_syndrome(illness, series, pd.Timestamp(run.as_of_date))
    parts.append(syndromes.rename(columns={"syndrome_code": "level"}))
    found = detect_levels(spark, pd.concat(parts, ignore_index=True), calendar, run.as_of_date)
    since = pd.Timestamp(run.as_of_date - timedelta(days=DETECTION_DAYS - 1))
    whole = found[(found["level"] == "school") & (found["date"] >= since) & found["upper_bound"].notna()]
    return _daily_rows(whole), found


def _groups_of(schools: pd.DataFrame, as_of: pd.Timestamp) -> dict[str, pd.Series]:
    """For areas (or neighborhoods) and for districts: school → the one it belongs to."""
    area = neighbors.groups(schools, as_of)
    return {"area": area, "district": schools.set_index("school_code")["district_code"].dropna()}


def _outbreaks(
    found: pd.DataFrame, illness: pd.DataFrame, statutory: pd.DataFrame, schools: pd.DataFrame, run: Run
) -> list[pd.DataFrame]:
    """Alerts of outbreaks: of schools, then of areas and districts whose rise these do not explain."""
    as_of = pd.Timestamp(run.as_of_date)
    since = as_of - pd.Timedelta(days=DETECTION_DAYS - 1)
    of_schools = findings_of_schools(found, illness, as_of)
    alerts = [outbreaks.outbreaks(outbreaks.together([*of_schools, statutory]), as_of, since)]
    groups = _groups_of(schools, as_of)
    district_of_area = {area: area.split("|")[0] for area in groups["area"]}
    for level, rule_zh in (("area", "学区（或周边学校）因病缺勤异常"), ("district", "全区因病缺勤异常")):
        days = found[found["level"] == level]
        own = outbreaks.of_detection(days, f"ILLNESS_{level.upper()}", rule_zh, unit_level=level, on=as_of)
        inside = {**groups[level], **(district_of_area if level == "district" else {})}
        own = outbreaks.unexplained(own, pd.concat(alerts), inside)
        alerts.append(outbreaks.outbreaks(own, as_of, since))
    return alerts


def findings_of_schools(
    found: pd.DataFrame, illness: pd.DataFrame, as_of: pd.Timestamp
) -> list[pd.DataFrame]:
    """What detection finds in schools and in classes, by syndrome."""
    alpha, least = outbreaks.alarm_level(as_of)
    named = absence.syndrome_names(as_of)
    answers = {"school": found[found["level"].isin(named)]}
    answers["class"] = classes.judged(illness, answers["school"], alpha, least)
    return [
        outbreaks.of_detection(
            days[days["level"] == code],
            f"ILLNESS_{unit_level.upper()}",
            f"{words}因病缺勤异常（{name}）",
            unit_level=unit_level,
            syndrome_code=code,
            on=as_of,
        )
        for code, name in named.items()
        for words, (unit_level, days) in zip(("学校", "班级"), answers.items(), strict=True)
    ]


def detect_levels(spark: Spark, series: pd.DataFrame, calendar: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The detection job over `level, unit, date, count`; each level is judged by itself."""
    sent = spark().createDataFrame(series.astype({"count": "float64"}))
    found = detect(
        sent, METHOD, by="level", calendar=calendar, alpha=outbreaks.alarm_level(pd.Timestamp(as_of))[0]
    )
    answers = found.toPandas()
    # The plan's metrics hang on it, and every step over it would copy them.
    answers.attrs.clear()
    return answers


def _statutory(
    settings: Settings,
    illness: pd.DataFrame,
    facts: campus.Facts,
    sizes: Mapping[int, Mapping[tuple[str, str], int]],
) -> pd.DataFrame:
    """Findings of the statutory rules, school year by school year, for classes change their pupils."""
    dated, holding = rules.load_rules(), ("national", *settings.jurisdictions)
    young = facts.schools["school_code"][facts.schools["school_type_code"] == campus.KINDERGARTEN_TYPE]
    reports = absence.rule_reports(illness, facts.incidents)
    hits = [
        rules.rule_hits(
            own,
            dated,
            facts.calendar,
            jurisdictions=holding,
            class_sizes=sizes.get(int(str(year)), {}),
            kindergartens=frozenset(young),
        )
        for year, own in reports.groupby("school_year")
    ]
    events = facts.incidents.rename(columns={"occurred_date": "date"})
    reported = rules.event_hits(events, dated, jurisdictions=holding)
    findings = [outbreaks.of_rules(one) for one in hits]
    return outbreaks.together([*findings, outbreaks.of_incidents(reported, facts.incidents)])


def _plan(settings: Settings, run: Run, facts: campus.Facts, as_of: pd.Timestamp) -> dict[str, int]:
    """Risk of each school that has pupils, and the visits in order of what they lower."""
    model = risk.InspectionModel.of(as_of)
    past = facts.incidents[facts.incidents["incident_type_code"] != "infectious_cluster"]
    since = as_of - pd.Timedelta(days=model.look_back_days)
    past = past[(past["occurred_date"] > since) & (past["occurred_date"] <= as_of)]
    schools = facts.schools[facts.schools["pupil_count"] > 0].reset_index(drop=True)
    if schools.empty:
        return {"decision_safety__risk": 0, "decision_safety__inspection": 0}
    opened = schools["opened_date"].fillna(since)
    years = (as_of - opened.where(opened > since, since)).dt.days.clip(lower=0) / 365
    counted = past.groupby("school_code").size()
    rates = risk.rates(
        schools.assign(
            kind=schools["school_type_code"].fillna("?"),
            incident_count=schools["school_code"].map(counted).fillna(0).astype(int),
            pupil_years=schools["pupil_count"] * years,
        ),
        model.interval,
    )
    expected = risk.expected_incidents(rates, facts.hazards, model, as_of)
    rows = pd.DataFrame(
        {
            "school_code": expected["school_code"],
            "risk_incident_count": expected["incident_count"],
            "pupil_years": _decimal(expected["pupil_years"], 2),
            "raw_incident_rate": _decimal(expected["raw_rate"], 4),
            "incident_rate": _decimal(expected["rate"], 4),
            "incident_rate_lower": _decimal(expected["lower"], 4),
            "incident_rate_upper": _decimal(expected["upper"], 4),
            "shrinkage_share": _decimal(expected["shrinkage"], 4),
            "open_hazard_count": expected["open_hazard_count"],
            "overdue_hazard_count": expected["overdue_hazard_count"],
            "expected_incidents": _decimal(expected["base"] + expected["from_hazards"], 4),
        }
    )
    visits = risk.plan(expected, model)
    for name in ("risk_before", "risk_lowered", "risk_lowered_total"):
        visits[name] = _decimal(visits[name], 4)
    return {
        table: _append(settings, run, table, own)
        for table, own in (("decision_safety__risk", rows), ("decision_safety__inspection", visits))
    }


def _raise(settings: Settings, run: Run, alerts: list[pd.DataFrame]) -> int:
    """Append what is new and what grew; the table only grows, and the newest row of an alert stands."""
    raised = pd.DataFrame(
        tables.rows(settings, "decision_safety__alert"), columns=["run_id", "recorded_at", *ALERT_COLUMNS]
    )
    raised["_number"] = raised["run_id"].str.rsplit(".", n=1).str[-1].astype(int)
    raised = raised.sort_values(["recorded_at", "_number"], kind="stable")
    raised = raised.drop_duplicates("alert_id", keep="last")[ALERT_COLUMNS]
    numbers = ["observed", "expected", "upper_bound", "p_value"]
    raised[numbers] = raised[numbers].astype(float)
    for name in DAYS:
        raised[name] = pd.to_datetime(raised[name])
    every = pd.concat([one for one in alerts if not one.empty] or [frame([])], ignore_index=True)
    said = statements(every, raised, outbreaks.over_after(pd.Timestamp(run.as_of_date)))
    said["raised_by_run_id"] = said["raised_by_run_id"].fillna(run.run_id)
    for name in DAYS:
        said[name] = said[name].dt.date
    for name in ("observed", "expected", "upper_bound"):
        said[name] = _decimal(said[name], 2)
    said["p_value"] = said["p_value"].astype(float)
    return _append(settings, run, "decision_safety__alert", said)


def _append(settings: Settings, run: Run, table: str, rows: pd.DataFrame) -> int:
    append_frame(settings, run, table, rows)
    return len(rows)


def _decimal(values: pd.Series, digits: int) -> pd.Series:
    form = _DECIMALS[digits]
    numbers = [None if pd.isna(v) else hundredths(v, form) for v in values]
    return pd.Series(numbers, index=values.index, dtype=object)


def _daily_rows(found: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "school_code": found["unit"],
            "report_date": found["date"].dt.date,
            "absent_count": found["count"].astype(int),
            "expected": _decimal(found["expected"], 2),
            "upper_bound": _decimal(found["upper_bound"], 2),
            "p_value": found["p_value"],
            "is_alarm": found["alarm"] == 1,
            "method": METHOD,
        }
    )


def _hazard_rows(rows: pd.DataFrame) -> pd.DataFrame:
    named = {"alert_level": "escalation_level", "owner_zh": "escalation_owner"}
    return _plain(
        rows.rename(columns=named), ["days_after_due", *named.values(), "school_code", "hazard_code"]
    )


def _criterion_rows(judged: pd.DataFrame) -> pd.DataFrame:
    rows = judged.rename(
        columns={
            "is_met": "is_criterion_met",
            "missing_reason": "criterion_missing_reason",
            "operator": "criterion_operator",
            "unit": "criterion_unit",
            "source": "criterion_source",
        }
    )
    return rows.assign(
        criterion_value=_decimal(judged["value"], 2),
        criterion_threshold=_decimal(judged["threshold"], 2),
        evidence_date=_days(judged["evidence_date"]),
    )


def _case_rows(cases: pd.DataFrame) -> pd.DataFrame:
    cases = cases[cases["hours_allowed"].notna()]
    return pd.DataFrame(
        {
            "hotline_case_code": cases["hotline_case_code"],
            "hours_allowed": _decimal(cases["hours_allowed"], 2),
            "case_due_date": _days(cases["due_date"]),
            "is_case_open": cases["is_open"],
            "is_case_late": cases["is_late"],
        }
    )


def _plain(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return rows[columns].astype(object).where(rows[columns].notna(), None)


def _days(dates: pd.Series) -> Any:
    days = pd.to_datetime(dates)
    return days.dt.date.where(days.notna(), None)
