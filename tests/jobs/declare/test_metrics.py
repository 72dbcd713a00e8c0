"""Metrics as declared: what the files say, and that a wrong one is refused by file and name."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs import declare
from jobs.decide.evaluation import indicators
from jobs.declare import metrics, standards
from jobs.declare.model import ContractError

METRIC: dict[str, Any] = {
    "name": {"zh": "某率", "en": "some share"},
    "definition": {"zh": "甲占乙的百分比", "en": "A of B"},
    "numerator": {"zh": "甲", "en": "A"},
    "denominator": {"zh": "乙", "en": "B"},
    "unit": {"zh": "%", "en": "%"},
    "per": 100,
    "direction": "up",
    "decimals": 1,
    "source_tables": ["clean_a"],
    "values": [
        {
            "basis": "counted",
            "model": "fct_a",
            "levels": ["school"],
            "period": {"kind": "school_year", "column": "school_year_start"},
            "numerator": "a_count",
            "denominator": "b_count",
        }
    ],
}


def a_file(folder: Path, **changed: Any) -> Path:
    """A file with one metric, some of its keys changed; None takes a key away."""
    own = {key: value for key, value in {**METRIC, **changed}.items() if value is not None}
    path = folder / "some.yaml"
    path.write_text(yaml.safe_dump({"service": "places", "metrics": {"some_share": own}}), "utf-8")
    return path


def of_source(**changed: Any) -> list[dict[str, Any]]:
    return [{key: told for key, told in {**METRIC["values"][0], **changed}.items() if told is not None}]


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    (metric,) = metrics.read(a_file(tmp_path))
    assert (metric.code, metric.service, metric.levels) == ("some_share", "places", ("school",))


def test_one_declaration_makes_a_metric_of_each_combination(tmp_path: Path) -> None:
    each = {"stage": {"primary": {"zh": "小学"}, "junior": {"zh": "初中"}}, "rule": {"k1": {"code": "K1"}}}
    own = {
        **METRIC,
        "each": each,
        "name": {"zh": "{stage.zh}某率", "en": "share of {stage}"},
        "values": of_source(where="stage_code = '{stage}' and rule_code = '{rule.code}'"),
    }
    path = tmp_path / "some.yaml"
    told = {"service": "places", "metrics": {"share_{rule}_{stage}": own}}
    path.write_text(yaml.safe_dump(told, sort_keys=False), "utf-8")
    assert [(m.code, m.name.zh, m.values[0].where) for m in metrics.read(path)] == [
        ("share_k1_primary", "小学某率", "stage_code = 'primary' and rule_code = 'K1'"),
        ("share_k1_junior", "初中某率", "stage_code = 'junior' and rule_code = 'K1'"),
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"fancy": 1}, "fancy: unknown key"),
        ({"unit": None}, "unit: Field required"),
        ({"direction": "sideways"}, "direction"),
        ({"numerator": None}, "numerator and denominator are told together"),
        ({"numerator": None, "denominator": None}, "does not say in words what they are"),
        ({"values": of_source(denominator=None)}, "numerator and denominator stand together"),
        ({"values": of_source(numerator=None, denominator=None)}, "or a value"),
        ({"values": of_source(sum_to=["zone"])}, "zone cannot be summed from school"),
        ({"values": of_source(period={"kind": "date", "column": "day"})}, "date has no column"),
        ({"values": of_source(numerator="a / b")}, "values.0.numerator"),
        ({"each": {"stage": ["primary"]}}, "axis -> key -> words is a mapping"),
        ({"values": of_source() * 2}, "of one basis and level: counted school"),
    ],
)
def test_a_wrong_metric_is_refused_by_file_and_name(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ContractError, match=r"^some\.yaml: some_share: ") as refused:
        list(metrics.read(a_file(tmp_path, **changed)))
    assert said in str(refused.value)


def test_an_unknown_key_of_a_file_is_refused(tmp_path: Path) -> None:
    path = a_file(tmp_path)
    path.write_text("services: places\n" + path.read_text("utf-8"), "utf-8")
    with pytest.raises(ContractError, match=r"some\.yaml: unknown keys services"):
        list(metrics.read(path))


def test_every_metric_is_of_tables_that_exist_and_of_a_service() -> None:
    found = metrics.load()
    assert len(found) >= 70
    for metric in found.values():
        assert set(metric.source_tables) <= set(declare.all_tables()), metric.code


def test_the_plans_indicators_are_metrics_of_the_same_names() -> None:
    """What senders may write is a code list; it says the names that the metrics have."""
    listed = {row["code"]: row for row in declare.code_list("plan_indicator").rows}
    of_plan = {code: m for code, m in metrics.load().items() if code in listed}
    assert of_plan.keys() == listed.keys()
    assert {code: m.name.zh for code, m in of_plan.items()} == {c: r["meaning_zh"] for c, r in listed.items()}
    assert {code: m.name.en for code, m in of_plan.items()} == {c: r["meaning_en"] for c, r in listed.items()}
    for row in standards.rows(metrics.TARGETS):
        metric = of_plan[row["indicator_code"]]
        assert (metric.name.zh, metric.unit.zh) == (row["name_zh"], row["unit"])


@pytest.fixture
def next_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The targets with a fifteenth plan as more rows: the fourteenth ends on the day on which it begins."""
    rows = standards.rows(metrics.TARGETS)
    later = [
        {
            **row,
            "plan_code": "beijing_15",
            "base_year": "2025",
            "base_value": row["target_value"],
            "target_year": "2030",
            "target_value": str(Decimal(row["target_value"]) + 1),
            "valid_from": "2026-01-01",
        }
        for row in rows
    ]
    path = tmp_path / "plan_indicators.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows([{**row, "valid_to": "2026-01-01"} for row in rows] + later)
    declared = standards.file
    monkeypatch.setattr(standards, "file", lambda name: path if name == metrics.TARGETS else declared(name))
    return path


def test_the_next_plan_is_rows_and_a_year_faces_the_plan_that_it_belongs_to(next_plan: Path) -> None:
    metrics._check_targets(metrics.load())
    values = [
        {
            "district_code": "110101",
            "indicator_code": "smart_campus_coverage",
            "indicator_year": year,
            "indicator_value": Decimal(88),
            "numerator": Decimal(88),
            "denominator": Decimal(100),
        }
        for year in (2025, 2026)
    ]
    faced = {
        day: {row["indicator_year"]: row["target_value"] for row in indicators.evaluate(values, day)}
        for day in (date(2025, 12, 31), date(2026, 1, 1))
    }
    assert faced[date(2025, 12, 31)] == {2025: 85}
    assert faced[date(2026, 1, 1)] == {2025: 85, 2026: 86}, "2025 is the target year of the plan before"


def test_two_plans_in_force_on_one_day_are_refused(next_plan: Path) -> None:
    text = next_plan.read_text("utf-8").replace(",2021-01-01,2026-01-01,", ",2021-01-01,,")
    next_plan.write_text(text, "utf-8")
    standards._all_rows.cache_clear()
    with pytest.raises(
        ContractError, match="has two targets from 2026-01-01 on, of beijing_14 and beijing_15"
    ):
        metrics._check_targets(metrics.load())
