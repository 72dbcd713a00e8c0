"""Where each district's metric stands on the ladder: up by rule or document, down by a cause on record alone.

A step rises by one at a time, and only after the time that its rule asks for on the step before. A document
that issues a higher step lifts it at once. A step falls to what the rules still call for, and only where the
supervision office recorded since the step began that it was rectified or lifted, or where the values that the
step rested on were corrected so that the condition never held. Without such a cause the step stays, and
`condition_state` says that the condition has ended or eased. Run again on the same day, it says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from jobs.decide.evaluation.ladder.rules import STEPS, Rule, Rules, called_for, is_unknown
from jobs.decide.evaluation.ladder.signals import Signal, kind_of

ISSUED, RECTIFIED, LIFTED, CORRECTION, RULE = "issued", "rectified", "lifted", "correction", "rule"
HOLDS, EASED, ENDED, UNKNOWN = "holds", "eased", "ended", "unknown"
Key = tuple[str, str]  # district, metric


@dataclass(frozen=True)
class Action:
    """What the supervision office recorded."""

    district_code: str
    metric_code: str
    step: int
    kind: str
    day: date
    document: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Standing:
    """Where one district's metric stands. `step` 0: on no step; then `cause` says why it came down.

    `since`: the day on which the step began, or ended. `basis`: periods and extents that it rests on.
    `last_step`: the step that this one followed. `next_rule` and `next_day`: what comes next if the condition
    lasts; without a day that rule does not hold yet.
    """

    district_code: str
    metric_code: str
    step: int
    since: date
    condition_state: str = HOLDS
    cause: str = RULE
    rule_code: str | None = None
    basis: Mapping[str, float] = field(default_factory=dict)
    action: Action | None = None
    signal: Signal | None = None
    last_step: int = 0
    next_rule: Rule | None = None
    next_day: date | None = None


def climbed(
    signals: Iterable[Signal], actions: Iterable[Action], before: Iterable[Standing], rules: Rules, day: date
) -> list[Standing]:
    """One row for each district and metric that stands on a step, or that came down from one.

    In: the signals of the day, all actions known, and the newest earlier row of each district and metric.
    """
    of_signal = {(s.district_code, s.metric_code): s for s in signals}
    of_before = {(s.district_code, s.metric_code): s for s in before}
    of_action: dict[Key, list[Action]] = {}
    for action in sorted(actions, key=lambda a: (a.day, a.kind != ISSUED, a.step, a.document or "")):
        if action.day <= day:
            of_action.setdefault((action.district_code, action.metric_code), []).append(action)
    found = []
    for key in sorted({*of_signal, *of_before, *of_action}):
        earlier = of_before.get(key)
        own = rules.get(kind_of(key[1]), ())
        now = _one(key, of_signal.get(key), of_action.get(key, []), earlier, own, day)
        is_news = earlier is None or (now.step, now.since) != (earlier.step, earlier.since)
        if now.step or ((now.action or now.cause == CORRECTION) and is_news):
            found.append(now)
    return found


def _one(
    key: Key,
    signal: Signal | None,
    actions: Sequence[Action],
    before: Standing | None,
    own: Sequence[Rule],
    day: date,
) -> Standing:
    rule = called_for(signal, own)
    start = replace(before or Standing(*key, 0, date.min), signal=signal)
    issued = _issued(start, actions, before, rule)
    due = rule.step if rule else 0
    if rule is not None and due > issued.step:
        now = _risen(issued, rule, own, day)
    elif due < issued.step:
        now = _fallen(issued, due, actions, own, day)
    else:
        now = replace(issued, condition_state=HOLDS)
    if (now.step, now.since) != (start.step, start.since):
        # Of the first run, the step that documents had issued.
        now = replace(now, last_step=start.step or (issued.step if now.since != issued.since else 0))
    return _with_next(now, rule, own)


def _issued(now: Standing, actions: Sequence[Action], before: Standing | None, rule: Rule | None) -> Standing:
    """Steps that documents issued since the standing began. What was lifted before the ladder began and holds
    again begins anew."""
    for action in actions:
        if before is not None and (
            action.day < before.since or (action.day == before.since and not before.step)
        ):
            continue
        if action.kind == ISSUED and action.step > now.step:
            basis = _off(now.signal) if now.signal else {}
            now = replace(
                now,
                step=action.step,
                since=action.day,
                cause=ISSUED,
                action=action,
                rule_code=None,
                basis=basis,
            )
        elif action.kind == LIFTED and before is None and rule is not None:
            now = replace(now, step=0, since=date.min, action=None)
    return now


def _risen(now: Standing, rule: Rule, own: Sequence[Rule], day: date) -> Standing:
    step = next((r for r in own if r.step > now.step), rule)
    if now.step and day < now.since + timedelta(days=step.least_days_on_last_step):
        return replace(now, condition_state=HOLDS)
    assert now.signal is not None
    return replace(
        now,
        step=step.step,
        since=day,
        cause=RULE,
        rule_code=step.code,
        condition_state=HOLDS,
        basis=_off(now.signal),
        action=None,
    )


def _fallen(now: Standing, due: int, actions: Sequence[Action], own: Sequence[Rule], day: date) -> Standing:
    """Down to `due` with a cause on record; else the step stays, marked."""
    if is_unknown(now.metric_code, now.signal):
        return replace(now, condition_state=UNKNOWN)
    ended = [a for a in actions if a.kind != ISSUED and a.day >= now.since and a.step >= now.step]
    if ended:
        state = HOLDS if due else ENDED
        return replace(
            now, step=due, since=day, cause=ended[-1].kind, action=ended[-1], condition_state=state
        )
    corrected = _corrected(now, own)
    if corrected is not None and (step := max(due, corrected)) < now.step:
        state = HOLDS if step else ENDED
        return replace(now, step=step, since=day, cause=CORRECTION, action=None, condition_state=state)
    return replace(now, condition_state=EASED if due else ENDED)


def _corrected(now: Standing, own: Sequence[Rule]) -> int | None:
    """The step that the periods which this one rests on would have called for by their corrected values; None
    where no value of theirs was corrected."""
    if now.signal is None or not now.signal.is_dated or not now.basis:
        return None
    then = tuple(period for period in now.signal.periods if period.label <= max(now.basis))
    extents = {period.label: period.extent for period in then}
    told = {label: extents.get(label) for label in now.basis}
    if None in told.values() or told == dict(now.basis):
        return None
    rule = called_for(replace(now.signal, periods=then), own)
    return rule.step if rule else 0


def _off(signal: Signal) -> dict[str, float]:
    """The newest periods in a row that are off at all."""
    found: dict[str, float] = {}
    for period in reversed(signal.periods):
        if not period.extent:
            break
        found[period.label] = period.extent
    return dict(sorted(found.items()))


def _with_next(now: Standing, rule: Rule | None, own: Sequence[Rule]) -> Standing:
    """What the next step would be, and from which day if its rule, or a higher one's, holds already."""
    step = next((r for r in own if r.step > now.step), None)
    if not now.step or step is None or now.step >= len(STEPS):
        return replace(now, next_rule=None, next_day=None)
    is_met = rule is not None and rule.step > now.step
    day = now.since + timedelta(days=step.least_days_on_last_step) if is_met else None
    return replace(now, next_rule=step, next_day=day)
