"""What the ladder reads from the lake: signals by district, actions on record, and its own last rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from jobs import declare
from jobs.decide.evaluation.ladder import signals, told
from jobs.decide.evaluation.ladder.climb import Action, Standing
from jobs.decide.evaluation.ladder.signals import Signal
from jobs.decide.safety import hazards
from jobs.lake.window import Window

TABLE = "decision_evaluation__ladder"
DATASETS = (
    *("supervision_action", "hazard_register", "school_register", "grade_return", "indicator_value"),
    "control_total",
)
# Returns that every district owes, and the columns of who owes them and of the period.
_OWED = {
    "grade_return": ("parent_unit_code", "school_year_start"),
    "indicator_value": ("district_code", "indicator_year"),
}


def memory(lake: Window) -> tuple[list[Action], list[Standing]]:
    """Actions on record, and where each district's metric stood last."""
    actions = lake.arrow(
        "select district_code, supervised_metric_code, supervision_step_code, supervision_action_kind_code,"
        " action_date, supervision_document_number, action_reason"
        f" from {lake.of('newest_by_scope', 'supervision_action')}"
    )
    last = lake.arrow(f"select * from {lake.of('newest_by_scope', TABLE)}")
    known = [row for row in actions.to_pylist() if row["supervision_step_code"]]
    return [told.action_of(row) for row in known], [told.standing_of(row) for row in last.to_pylist()]


def signals_of_the_lake(lake: Window, day: date) -> list[Signal]:
    """Signals of hazards, returns, places and published totals."""
    register = lake.frame(
        "select school_code, district_code, place_count, closed_date"
        f" from {lake.of('chosen', 'school_register')}"
    )
    counts = lake.frame(
        "select unit_code as school_code, parent_unit_code, school_year_start, grade_key, pupil_count"
        f" from {lake.of('chosen', 'grade_return')}"
    )
    stage_of = {row["code"]: row["stage_code"] for row in declare.code_list("grade").rows}
    counts = counts.assign(stage_code=counts["grade_key"].map(stage_of).astype(object))
    districts = sorted({*register["district_code"].dropna()})
    return [
        *signals.of_hazards(_hazards(lake, register, day), day),
        *signals.of_returns(_sent(lake), districts, day),
        *signals.of_places(_places(register, counts, day), day),
        *signals.of_totals(_totals(lake, counts)),
    ]


def _hazards(lake: Window, register: pd.DataFrame, day: date) -> list[dict[str, Any]]:
    names = "school_code, hazard_status_code, hazard_due_date, hazard_done_date"
    rows = lake.frame(f"select {names} from {lake.of('newest_by_scope', 'hazard_register')}")
    for name in ("hazard_due_date", "hazard_done_date"):
        rows[name] = pd.to_datetime(rows[name])
    late = hazards.overdue(rows, pd.Timestamp(day))
    late = late.merge(register[["school_code", "district_code"]].dropna(), on="school_code")
    late["days_after_due"] = (pd.Timestamp(day) - late["hazard_due_date"]).dt.days
    return records(late)


def _sent(lake: Window) -> dict[str, list[tuple[str, str, date]]]:
    found = {}
    for dataset, (district, period) in _OWED.items():
        rows = lake.arrow(
            f"select {district} as district, {period} as period, min(stated_on) as stated"
            f" from {lake.of('every_statement', dataset)} where {district} is not null"
            f" group by {district}, {period}"
        ).to_pylist()
        found[dataset] = [(row["district"], str(row["period"]), row["stated"]) for row in rows]
    return found


def _places(register: pd.DataFrame, counts: pd.DataFrame, day: date) -> list[dict[str, Any]]:
    """Pupils and places by district and stage in the newest school year; a school's places are divided by the
    pupils of its stages, and a school that states none has its pupils left out too."""
    by = ["school_code", "stage_code"]
    newest = counts[counts["school_year_start"] == counts["school_year_start"].max()]
    pupils = newest.groupby([*by, "school_year_start"])["pupil_count"].sum().reset_index()
    is_open = register["closed_date"].isna() | (register["closed_date"] > day)
    found = pupils.merge(register[is_open & register["district_code"].notna()], on="school_code")
    whole = found.groupby("school_code")["pupil_count"].transform("sum")
    found["places"] = found["place_count"].astype(float) * found["pupil_count"] / whole.where(whole > 0)
    found["pupils"] = found["pupil_count"].where(found["places"].notna()).astype(float)
    by = ["district_code", "stage_code", "school_year_start"]
    return records(found.groupby(by)[["pupils", "places"]].sum().reset_index())


def _totals(lake: Window, counts: pd.DataFrame) -> list[dict[str, Any]]:
    published = lake.frame(
        "select unit_code as district_code, school_year_start, sum(published_pupil_count) as theirs"
        f" from {lake.of('newest_by_scope', 'control_total')} where unit_code <> 'city'"
        " group by unit_code, school_year_start"
    )
    own = counts.rename(columns={"parent_unit_code": "district_code", "pupil_count": "ours"})
    ours = own.groupby(["district_code", "school_year_start"])["ours"].sum().reset_index()
    found = published.merge(ours, on=["district_code", "school_year_start"], how="left")
    # Before a district's first return nothing can be compared.
    first = found["district_code"].map(ours.groupby("district_code")["school_year_start"].min())
    found = found[found["school_year_start"] >= first]
    return records(found.assign(theirs=found["theirs"].astype(float)))


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows by the names of their columns, null as None."""
    plain = rows.astype(object).where(rows.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
