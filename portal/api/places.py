"""Places: forecast and its parts, gap, supply, outlook for entry, projects, homes and catchments."""

from __future__ import annotations

from portal.resources import Resource, inner, router_of

RESOURCES = (
    Resource(
        "/places/forecast",
        "fct_places_forecast",
        "学位需求预测",
        "Pupils forecast",
        public="pub_places_forecast_city",
    ),
    inner("/places/forecast-parts", "fct_places_forecast_part", "预测构成", "What each forecast is made of"),
    inner(
        "/places/forecast-errors",
        "fct_places_forecast_error",
        "预测历史误差",
        "Past errors of the same method",
    ),
    inner(
        "/places/registrations",
        "fct_places_registration",
        "登记修正",
        "Registrations of spring beside the forecast",
    ),
    inner("/places/gap", "fct_places_gap", "学位余缺", "Places less pupils, with chances and warnings"),
    inner("/places/supply", "fct_places_supply", "学位供给", "Places by school and grade"),
    inner("/places/school-outlook", "fct_school_outlook", "学校学位展望", "Outlook for places by school"),
    Resource(
        "/places/entry-outlook",
        "fct_entry_outlook",
        "入学学位展望",
        "Outlook for entry",
        public="pub_entry_notice",
    ),
    inner("/places/projects", "fct_capacity_project", "学校建设项目", "Building projects"),
    inner(
        "/places/project-chances",
        "fct_places_coming",
        "项目建成概率",
        "Chance of each project to be open, by school year",
    ),
    inner(
        "/places/plan-progress",
        "fct_places_plan_progress",
        "规划学位进度",
        "Places of the plan that have opened",
    ),
    inner("/places/housing", "fct_housing_delivery", "住房交付", "Homes to be handed over"),
    inner("/places/catchments", "fct_catchment", "学校服务片区", "Catchments"),
    inner("/places/kindergartens", "fct_kindergarten_level", "幼儿园级类", "Kindergartens by level"),
    inner("/places/saved-scenarios", "fct_saved_scenario", "已存情景", "Scenarios that were saved"),
)
router = router_of(RESOURCES)
