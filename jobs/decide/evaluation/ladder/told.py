"""Rows of `decision_evaluation__ladder`, and the sentences in them, from `standards/evaluation/texts.csv`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from jobs import declare
from jobs.decide.evaluation.ladder.climb import CORRECTION, HOLDS, ISSUED, Action, Standing
from jobs.decide.evaluation.ladder.rules import STEPS
from jobs.decide.evaluation.ladder.signals import kind_of
from jobs.declare import standards

LANGUAGES = ("zh", "en")
# Facts that are codes of a list, told by its words.
_CODED = {"stage": "stage", "rule": "supervision_rule"}


def row_of(standing: Standing) -> dict[str, Any]:
    """One decided row, without its run."""
    signal, action, rule = standing.signal, standing.action, standing.next_rule
    newest = signal.periods[-1] if signal and signal.periods else None
    return {
        "district_code": standing.district_code,
        "supervised_metric_code": standing.metric_code,
        "supervision_step_code": step_code(standing.step),
        "last_step_code": step_code(standing.last_step),
        "step_since_date": standing.since,
        "condition_state": standing.condition_state,
        "step_cause": standing.cause,
        "ladder_rule_code": standing.rule_code,
        "action_date": action.day if action else None,
        "supervision_document_number": action.document if action else None,
        "action_reason": action.reason if action else None,
        "off_extent": newest.extent if newest else None,
        "off_period": newest.label if newest else None,
        "off_period_count": _off_count(standing),
        "step_basis": _json(standing.basis),
        "step_evidence": _json(newest.facts if newest else {}),
        **{f"reason_{language}": _reason(standing, language) for language in LANGUAGES},
        "next_step_code": step_code(rule.step) if rule else None,
        "next_step_date": standing.next_day,
        **{f"next_step_{language}": _next(standing, language) for language in LANGUAGES},
    }


def standing_of(row: Mapping[str, Any]) -> Standing:
    """What a decided row says, as far as the next run needs it."""
    step = _step(row["supervision_step_code"])
    action = None
    if row["action_date"] is not None:
        kind = row["step_cause"]
        details = row["action_date"], row["supervision_document_number"], row["action_reason"]
        action = Action(row["district_code"], row["supervised_metric_code"], step, kind, *details)
    return Standing(
        row["district_code"],
        row["supervised_metric_code"],
        step,
        row["step_since_date"],
        row["condition_state"],
        row["step_cause"],
        row["ladder_rule_code"],
        json.loads(row["step_basis"] or "{}"),
        action,
        last_step=_step(row["last_step_code"]),
    )


def action_of(row: Mapping[str, Any]) -> Action:
    """An action of the clean table."""
    return Action(
        row["district_code"],
        row["supervised_metric_code"],
        _step(row["supervision_step_code"]),
        row["supervision_action_kind_code"],
        row["action_date"],
        row["supervision_document_number"],
        row["action_reason"],
    )


def step_code(step: int) -> str | None:
    """The code of a step by its height; None for no step."""
    return STEPS[step - 1] if step else None


def _step(code: str | None) -> int:
    return STEPS.index(code) + 1 if code else 0


def _off_count(standing: Standing) -> int:
    if standing.signal is None:
        return 0
    extents = [period.extent for period in reversed(standing.signal.periods)]
    return next((n for n, extent in enumerate(extents) if not extent), len(extents))


def _reason(standing: Standing, language: str) -> str:
    """Why the step stands where it stands: the condition, then what documents or corrections say."""
    parts = []
    signal = standing.signal
    newest = signal.periods[-1] if signal and signal.periods else None
    if newest is not None and newest.extent:
        facts = {
            "metric": words("supervised_metric", standing.metric_code, language),
            "periods": _off_count(standing),
            "period": newest.label,
            "extent": _number(newest.extent),
            **{name: _fact(name, value, language) for name, value in newest.facts.items()},
        }
        parts.append(text(kind_of(standing.metric_code), language).format_map(facts))
    if standing.cause in (ISSUED, "rectified", "lifted") and standing.action is not None:
        none = {"zh": "无文号", "en": "no number"}[language]
        told = {"date": standing.action.day.isoformat(), "document": standing.action.document or none}
        parts.append(text(standing.cause, language).format(reason=standing.action.reason or "", **told))
    elif standing.cause == CORRECTION:
        parts.append(text(CORRECTION, language).format(periods=", ".join(standing.basis)))
    if standing.step and standing.condition_state != HOLDS:
        parts.append(text(standing.condition_state, language))
    return ("" if language == "zh" else " ").join(parts)


def _next(standing: Standing, language: str) -> str | None:
    rule = standing.next_rule
    if rule is None:
        return None
    step = words("supervision_step", STEPS[rule.step - 1], language)
    if standing.next_day is not None:
        return text("next_due", language).format(date=standing.next_day.isoformat(), step=step)
    extent = _number(rule.least_extent)
    return text("next_rule", language).format(step=step, extent=extent, periods=rule.least_periods)


def _fact(name: str, value: Any, language: str) -> str:
    if name in _CODED and value is not None:
        return words(_CODED[name], value, language)
    if name == "dataset":
        contract = declare.load()[value]
        return contract.zh if language == "zh" else contract.en
    return "" if value is None else str(value)


@cache
def _texts() -> dict[str, dict[str, str]]:
    return {row["text"]: row for row in standards.rows("evaluation/texts")}


def text(name: str, language: str) -> str:
    """A sentence of the evaluation's texts."""
    return _texts()[name][language]


def words(code_list: str, code: str, language: str) -> str:
    """What a code list calls a code; the code itself where it knows none."""
    rows = declare.code_list(code_list).rows
    return next((row[f"meaning_{language}"] for row in rows if row["code"] == code), code)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else float(value)
