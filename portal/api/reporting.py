"""Reporting: what is owed and when, how good the deliveries are, what waits for somebody."""

from __future__ import annotations

from portal.resources import inner, router_of

RESOURCES = (
    inner(
        "/reporting/calendar",
        "fct_reporting_calendar",
        "报送日历",
        "What each sender owes, and what came of it",
    ),
    inner("/reporting/feed-quality", "fct_feed_quality", "报送质量", "Quality of deliveries"),
    inner("/reporting/corrections", "fct_correction_request", "纠错申请", "Requests for correction"),
    inner("/reporting/comments", "fct_figure_comment", "指标批注", "Comments on figures"),
    inner("/inbox", "fct_inbox", "待办事项", "What waits for somebody"),
)
router = router_of(RESOURCES)
