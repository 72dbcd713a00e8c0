"""Pupils' fitness: rates, items, percentiles, change, eyesight, classes for review."""

from __future__ import annotations

from portal.resources import Resource, inner, router_of

RESOURCES = (
    Resource(
        "/fitness/rates",
        "fct_fitness_rate",
        "体质健康优良率",
        "Rates by unit, grade and sex",
        public="pub_fitness_district_year",
    ),
    inner("/fitness/items", "fct_fitness_item", "体质健康单项", "Items by unit, grade and sex"),
    inner(
        "/fitness/percentiles",
        "fct_fitness_percentile",
        "体质健康百分位曲线",
        "Percentiles by item, sex and age",
    ),
    inner("/fitness/change", "fct_fitness_change", "同一学生体质变化", "Change of the same pupils"),
    inner("/fitness/eyesight", "fct_fitness_eyesight", "视力不良与近视", "Poor eyesight and myopia"),
    inner(
        "/fitness/review",
        "fct_fitness_review",
        "体质健康成绩待复核",
        "Schools and classes to review",
        sort="-suspicion_score",
    ),
    inner("/fitness/schools", "fct_fitness_school_year", "学校体质健康", "Fitness by school and school year"),
)
router = router_of(RESOURCES)
