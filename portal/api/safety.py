"""Campus safety: alerts and their states, risk, hazards, incidents, campus criteria, the hotline."""

from __future__ import annotations

from portal.resources import Resource, inner, router_of

RESOURCES = (
    inner("/safety/alerts", "fct_safety_alert", "安全预警", "Alerts, with their states", sort="-raised_date"),
    inner(
        "/safety/alerts/districts",
        "fct_safety_alert_district",
        "预警办结",
        "Alerts and what became of them, by district",
    ),
    inner("/safety/risk", "fct_safety_risk", "学校安全风险", "Risk by school", sort="risk_rank"),
    inner("/safety/hazards", "fct_safety_hazard", "隐患台账", "Hazards"),
    Resource(
        "/safety/incidents",
        "fct_safety_incident_month",
        "校园安全事件",
        "Incidents",
        public="pub_safety_district_year",
    ),
    inner("/safety/campuses", "fct_safety_campus_status", "平安校园达标", "Safe campus, by school"),
    inner(
        "/safety/campuses/criteria",
        "fct_safety_campus_criterion",
        "平安校园逐项核查",
        "Safe campus, criterion by criterion",
    ),
    inner("/safety/schools", "rpt_services__school_safety", "学校安全一览", "Safety at a glance, by school"),
    inner("/safety/hotline/clocks", "fct_hotline_clock", "接诉即办时限", "Deadlines of the hotline"),
    inner("/safety/hotline/topics", "fct_hotline_topic", "接诉即办主题与满意度", "Topics of the hotline"),
)
router = router_of(RESOURCES)
