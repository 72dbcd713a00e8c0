"""The ladder: one step at a time, never down without a cause on record, and the same when run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest

from jobs.decide.evaluation.ladder import told
from jobs.decide.evaluation.ladder.climb import (
    CORRECTION,
    EASED,
    ENDED,
    HOLDS,
    UNKNOWN,
    Action,
    Standing,
    climbed,
)
from jobs.decide.evaluation.ladder.rules import STEPS, Rule, rules
from jobs.decide.evaluation.ladder.signals import PLAN, Period, Signal

ON = date(2025, 11, 20)
D, METRIC = "110101", "smart_campus_coverage"
# Behind by 2 for two years, 2 for three years, 5 for three years; 60 and 180 days between.
RULES = {
    PLAN: [Rule("A", 1, 2.0, 2, 0), Rule("B", 2, 2.0, 3, 60), Rule("C", 3, 5.0, 3, 180)],
    "overdue_hazards": [Rule("H", 1, 15.0, 1, 0), Rule("I", 2, 60.0, 1, 15)],
}


def signal(**extents: float | None) -> Signal:
    """Years as `y2024=3.0`."""
    facts = {"value": "90.00", "due": "96.00"}
    return Signal(D, METRIC, tuple(Period(name[1:], extent, facts) for name, extent in extents.items()))


def act(kind: str, day: date, step: int = 1, document: str = "1号") -> Action:
    return Action(D, METRIC, step, kind, day, document, "核查属实" if kind != "issued" else None)


def run(
    of: Signal | None, day: date = ON, before: Standing | None = None, actions: Sequence[Action] = ()
) -> Standing | None:
    found = climbed([of] if of else [], actions, [before] if before else [], RULES, day)
    assert len(found) <= 1
    return found[0] if found else None


def stand(
    of: Signal, day: date = ON, before: Standing | None = None, actions: Sequence[Action] = ()
) -> Standing:
    found = run(of, day, before, actions)
    assert found is not None
    return found


BEHIND = signal(y2023=6.0, y2024=6.0, y2025=6.0)
THERE = signal(y2023=6.0, y2024=6.0, y2025=6.0, y2026=0.0)
FIRST = stand(BEHIND)


def test_the_first_step_is_a_warning_however_far_it_is_off() -> None:
    assert (FIRST.step, FIRST.since, FIRST.rule_code, FIRST.cause) == (1, ON, "A", "rule")
    assert (FIRST.next_rule, FIRST.next_day) == (RULES[PLAN][1], ON + timedelta(days=60))


def test_nothing_off_long_enough_stands_nowhere() -> None:
    assert run(signal(y2024=0.0, y2025=9.0)) is None
    assert run(signal(y2024=9.0, y2025=None)) is None
    assert run(signal(y2023=9.0, y2024=0.0, y2025=9.0)) is None, "years must be in a row"


def test_steps_rise_one_at_a_time_after_their_wait() -> None:
    early = stand(BEHIND, ON + timedelta(days=59), FIRST)
    assert (early.step, early.since) == (1, ON)
    second = stand(BEHIND, ON + timedelta(days=60), early)
    assert (second.step, second.since, second.rule_code, second.last_step) == (
        2,
        ON + timedelta(days=60),
        "B",
        1,
    )
    waits = stand(BEHIND, ON + timedelta(days=200), second)
    assert (waits.step, waits.next_day) == (2, second.since + timedelta(days=180))
    third = stand(BEHIND, ON + timedelta(days=240), waits)
    assert (third.step, third.last_step, third.next_rule) == (3, 2, None)


def test_a_condition_that_ended_without_a_record_keeps_its_step() -> None:
    stays = stand(THERE, ON + timedelta(days=400), FIRST)
    assert (stays.step, stays.since, stays.condition_state) == (1, ON, ENDED)
    again = stand(THERE, ON + timedelta(days=4000), stays)
    assert (again.step, again.condition_state) == (1, ENDED)


def test_a_record_alone_or_the_end_alone_lifts_nothing_both_together_do() -> None:
    rectified = act("rectified", ON + timedelta(days=10))
    only_record = stand(BEHIND, ON + timedelta(days=30), FIRST, [rectified])
    assert (only_record.step, only_record.condition_state) == (1, HOLDS)
    down = stand(THERE, ON + timedelta(days=400), only_record, [rectified])
    assert (down.step, down.cause, down.action, down.last_step) == (0, "rectified", rectified, 1)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (act("rectified", ON - timedelta(days=1)), "it is older than the step"),
        (act("rectified", ON + timedelta(days=500)), "its day has not come"),
        (act("issued", ON + timedelta(days=1)), "issuing a step lifts none"),
    ],
)
def test_a_record_that_is_no_cause_lifts_nothing(record: Action, why: str) -> None:
    assert stand(THERE, ON + timedelta(days=400), FIRST, [record]).step == 1, why


def test_what_lifts_a_lower_step_does_not_lift_a_higher_one() -> None:
    second = replace(FIRST, step=2)
    low = act("lifted", ON + timedelta(days=1), step=1)
    high = act("lifted", ON + timedelta(days=1), step=2)
    assert stand(THERE, ON + timedelta(days=400), second, [low]).step == 2
    assert run(THERE, ON + timedelta(days=400), second, [high]).step == 0  # type: ignore[union-attr]


def test_a_step_eases_to_what_the_rules_still_call_for_with_a_cause() -> None:
    third = replace(FIRST, step=3)
    eased = signal(y2023=6.0, y2024=6.0, y2025=6.0, y2026=2.5)
    stays = stand(eased, ON + timedelta(days=400), third)
    assert (stays.step, stays.condition_state) == (3, EASED)
    record = act("rectified", ON + timedelta(days=390), step=3)
    down = stand(eased, ON + timedelta(days=400), third, [record])
    assert (down.step, down.condition_state, down.cause) == (2, HOLDS, "rectified")


def test_no_value_is_no_ground_to_go_down() -> None:
    unknown = signal(y2023=6.0, y2024=6.0, y2025=6.0, y2026=None)
    record = act("lifted", ON + timedelta(days=10))
    stays = stand(unknown, ON + timedelta(days=400), FIRST, [record])
    assert (stays.step, stays.condition_state) == (1, UNKNOWN)
    found = run(None, ON + timedelta(days=400), FIRST, [record])
    assert found is not None
    assert (found.step, found.condition_state) == (1, UNKNOWN), "nor is no row at all"


def test_values_corrected_by_their_sender_lift_with_that_cause() -> None:
    corrected = signal(y2023=6.0, y2024=0.5, y2025=0.0)
    down = stand(corrected, ON + timedelta(days=30), FIRST)
    assert (down.step, down.cause, down.last_step) == (0, CORRECTION, 1)
    # One of the years was wrong, and it takes two in a row.
    one_year = stand(signal(y2023=6.0, y2024=6.0, y2025=0.0), ON + timedelta(days=30), FIRST)
    assert one_year.cause == CORRECTION
    # Corrected, and still behind: it stays as it is.
    assert stand(signal(y2023=6.0, y2024=7.0, y2025=8.0), ON + timedelta(days=30), FIRST).step == 1
    # A new year is no correction of the old ones.
    assert stand(THERE, ON + timedelta(days=400), FIRST).step == 1


def test_an_overdue_hazard_that_is_gone_needs_a_record_too() -> None:
    late = Signal(D, "overdue_hazards", (Period("2025-11-20", 80.0, {"count": 1}),), is_dated=False)
    first = climbed([late], [], [], RULES, ON)[0]
    (gone,) = climbed([], [], [first], RULES, ON + timedelta(days=5))
    assert (gone.step, gone.condition_state) == (1, ENDED)
    record = Action(D, "overdue_hazards", 1, "rectified", ON + timedelta(days=4), "2号", "已销号")
    (down,) = climbed([], [record], [gone], RULES, ON + timedelta(days=6))
    assert (down.step, down.cause) == (0, "rectified")
    assert climbed([], [record], [down], RULES, ON + timedelta(days=7)) == [], "it is told once"


def test_documents_raise_a_step_at_once_and_count_its_wait_from_their_day() -> None:
    issued = act("issued", ON - timedelta(days=100), step=2)
    stands = stand(signal(y2023=3.0, y2024=3.0, y2025=3.0), ON, None, [issued])
    assert (stands.step, stands.since, stands.cause) == (2, issued.day, "issued")
    longer = act("issued", ON - timedelta(days=200), step=2)
    rises = stand(BEHIND, ON, None, [longer])
    assert (rises.step, rises.since, rises.last_step) == (3, ON, 2)


def test_what_was_lifted_before_the_ladder_began_begins_anew() -> None:
    past = [act("issued", ON - timedelta(days=500), step=3), act("lifted", ON - timedelta(days=300), step=3)]
    assert (stand(BEHIND, ON, None, past).step, stand(BEHIND, ON, None, past).since) == (1, ON)
    over = stand(THERE, ON, None, past)
    assert (over.step, over.cause, over.last_step) == (0, "lifted", 3)


def test_a_new_fall_behind_after_a_lift_is_a_new_warning() -> None:
    issued = act("issued", ON - timedelta(days=100))
    down = stand(THERE, ON, FIRST, [issued, act("lifted", ON)])
    assert down.step == 0
    later = ON + timedelta(days=800)
    again = stand(signal(y2026=0.0, y2027=3.0, y2028=3.0), later, down, [issued, act("lifted", ON)])
    assert (again.step, again.since, again.last_step) == (1, later, 0)


def test_run_again_on_the_same_day_it_says_the_same_through_its_own_rows() -> None:
    cases: list[tuple[Signal, list[Action], Standing | None]] = [
        (BEHIND, [], None),
        (BEHIND, [act("issued", ON - timedelta(days=200), step=2)], None),
        (THERE, [act("issued", ON - timedelta(days=200), step=2)], None),
        (THERE, [], FIRST),
        (BEHIND, [], replace(FIRST, since=ON - timedelta(days=90))),
    ]
    for of, actions, before in cases:
        once = stand(of, ON, before, actions)
        kept = told.standing_of(told.row_of(once))
        twice = stand(of, ON, kept, list(reversed(actions)))
        assert told.row_of(twice) == told.row_of(once)


def test_over_many_runs_no_step_falls_without_a_cause_and_none_rises_by_two() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        state: Standing | None = None
        years: dict[str, float | None] = {}
        actions: list[Action] = []
        steps: list[tuple[int, str]] = [(0, "")]
        for month in range(60):
            day = date(2020, 1, 20) + timedelta(days=30 * month)
            if month % 12 == 0:
                years[f"y{2019 + month // 12}"] = float(rng.choice([0.0, 3.0, 6.0]))
            if rng.random() < 0.05:
                actions.append(act("lifted", day, step=3))
            state = run(signal(**years), day, state, actions) or state
            if state is not None:
                steps.append((state.step, state.cause))
        for (last, _), (step, cause) in pairwise(steps):
            assert step - last <= 1
            assert step >= last or cause in ("lifted", CORRECTION)


def test_the_declared_rules_wait_on_each_step_but_the_first_and_never_ease() -> None:
    declared = rules(ON)
    assert {
        PLAN,
        "overdue_hazards",
        "late_returns",
        "place_shortage",
        "control_total",
        "quality_balance",
    } == {*declared}
    for kind, own in declared.items():
        assert [r.step for r in own] == list(range(1, len(own) + 1)), kind
        assert len(own) <= len(STEPS)
        for low, high in pairwise(own):
            assert high.least_days_on_last_step >= 1, "run twice a day, it would rise twice"
            assert (high.least_extent, high.least_periods) >= (low.least_extent, low.least_periods)
    assert rules(date(2020, 12, 31)) == {}


def test_sentences_are_whole_in_both_languages() -> None:
    row = told.row_of(FIRST)
    assert row["reason_zh"] == "智慧校园覆盖率连续3个年度落后于应达值，2025年为90.00，应达96.00，落后6%。"
    assert row["reason_en"].startswith(
        "smart campus coverage: behind the way to the target for 3 years in a row"
    )
    assert row["next_step_zh"] == "条件持续，2026-01-19起可升为“提醒”。"
    ended = told.row_of(stand(THERE, ON, None, [act("issued", ON - timedelta(days=9), document="")]))
    assert ended["reason_zh"] == "已下达（2025-11-11，无文号）。" + told.text("ended", "zh")
