"""Resources: digital ones and their use, shared facilities, teachers who rotate."""

from __future__ import annotations

from portal.resources import inner, router_of

RESOURCES = (
    inner("/resources/digital", "dim_digital_resource", "数字教育资源", "Digital resources"),
    inner("/resources/use", "fct_resource_use", "数字教育资源使用", "Use of digital resources"),
    inner("/resources/access", "fct_resource_access", "生均数字资源使用", "Use a pupil, by unit"),
    inner("/resources/coverage", "fct_resource_coverage", "优质资源覆盖", "Pupils whom good resources reach"),
    inner("/resources/facilities", "fct_shared_facility", "共享场馆设施", "Shared facilities"),
    inner("/resources/rotation", "fct_teacher_rotation", "教师交流轮岗", "Teachers who rotate"),
)
router = router_of(RESOURCES)
