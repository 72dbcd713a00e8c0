"""Schools, their history, groups, areas and districts, pupils and staff."""

from __future__ import annotations

from portal.resources import Resource, inner, router_of

RESOURCES = (
    inner(
        "/schools/history", "dim_school_history", "学校历史", "What each school was called, and where it was"
    ),
    inner(
        "/schools/as-then-and-now",
        "brg_school_as",
        "学校当时与现行口径",
        "Each school as it was and as it is",
    ),
    inner("/schools/profiles", "rpt_services__school_profile", "学校概况", "Schools at a glance"),
    inner("/districts", "dim_district", "区", "Districts"),
    inner("/areas", "dim_area", "学区", "Areas of districts"),
    inner("/groups", "dim_school_group", "教育集团", "Groups of schools"),
    inner("/groups/members", "brg_school_group_member", "集团成员校", "Members of groups"),
    inner("/grades", "dim_grade", "年级", "Grades", sort="ladder_number"),
    inner("/school-years", "dim_school_year", "学年", "School years"),
    inner("/dates", "dim_date", "日期（校历）", "Days, with those of school"),
    Resource(
        "/enrollment",
        "fct_enrollment_grade",
        "在校生",
        "Pupils by school and grade",
        public="pub_enrollment_district_year",
    ),
    inner(
        "/enrollment/background", "fct_pupil_background", "随迁子女与寄宿生", "Migrant children and boarders"
    ),
    inner("/enrollment/moves", "fct_pupil_move", "学生去留与转学", "Who stayed, left and came"),
    inner("/enrollment/roll-changes", "fct_roll_change", "学籍异动登记", "Changes of the roll"),
    inner("/staff", "fct_staff", "教职工", "Staff"),
)
router = router_of(RESOURCES)
