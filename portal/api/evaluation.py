"""Evaluation: metrics and their values, the law of balance, similar schools, the ladder, the plan."""

from __future__ import annotations

from portal.resources import Resource, inner, router_of

RESOURCES = (
    inner(
        "/evaluation/metrics",
        "dim_metric",
        "指标目录",
        "Metrics, with definition, unit and clause",
        sort="sort_order",
    ),
    inner("/evaluation/targets", "dim_metric_target", "规划目标", "Targets of the plan"),
    inner("/evaluation/values", "fct_metric_value", "指标数值", "Values of metrics"),
    inner(
        "/evaluation/balance/verdicts",
        "fct_balance_verdict",
        "督导评估结论",
        "Verdict of each standard on each district",
    ),
    Resource(
        "/evaluation/balance/gates", "pub_balance_gate", "督导评估环节", "Gates of each standard, by district"
    ),
    inner(
        "/evaluation/balance/rules",
        "fct_balance_rule",
        "督导评估逐项判定",
        "Each rule of each standard, by district",
    ),
    inner(
        "/evaluation/balance/coefficients",
        "fct_balance_coefficient",
        "校际差异系数",
        "Differences between schools",
    ),
    inner(
        "/evaluation/balance/schools", "fct_balance_school", "均衡督导评估学校结论", "Verdict on each school"
    ),
    inner(
        "/evaluation/balance/school-indicators",
        "fct_balance_school_indicator",
        "均衡督导评估学校指标",
        "Indicators of each school",
    ),
    inner(
        "/evaluation/balance/changes", "fct_balance_change", "达标所需的改变", "What it would take to pass"
    ),
    inner("/evaluation/similar-sets", "fct_similar_set", "同类学校组", "Sets of similar schools"),
    inner(
        "/evaluation/similar-schools",
        "fct_similar_school",
        "同类学校",
        "Similar schools, the nearest first",
        sort="school_code,stage_code,similar_order",
    ),
    inner(
        "/evaluation/school-positions",
        "fct_school_position",
        "同类学校中的位置",
        "Where a school stands among similar ones",
    ),
    inner(
        "/evaluation/district-positions", "fct_district_position", "各区位次", "Where each district stands"
    ),
    inner("/evaluation/ladder", "fct_supervision_ladder", "督导阶梯", "Ladder of supervision"),
    inner(
        "/evaluation/ladder/changes",
        "fct_supervision_ladder_change",
        "督导阶梯变化",
        "Steps taken on the ladder",
    ),
    Resource(
        "/evaluation/plan-indicators",
        "fct_plan_indicator",
        "规划指标",
        "The plan's indicators",
        public="pub_plan_indicator",
    ),
    inner(
        "/evaluation/plan-counts", "fct_plan_count", "规划指标统计", "The plan's indicators as counted here"
    ),
    inner(
        "/evaluation/plan-differences",
        "fct_plan_difference",
        "规划指标差异分解",
        "Why a reported indicator differs from the counted one",
    ),
    Resource(
        "/evaluation/control-totals",
        "fct_control_total",
        "总量核对",
        "Totals beside those published",
        public="pub_control_total",
    ),
)
router = router_of(RESOURCES)
