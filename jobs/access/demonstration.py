"""The people of a made-up city, one of each role; a real site has none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jobs.access.caller import Caller, Role


@dataclass(frozen=True)
class Place:
    """A district of the release with one of its schools and a pupil there."""

    district_code: str
    district_zh: str
    school_code: str
    school_zh: str
    pupil_key: str = ""


def people(places: Iterable[Place]) -> dict[str, Caller]:
    """Subject -> who may be tried: city, steward, a sender; of each place district, school, family."""
    found = [
        Caller(Role.CITY, "demo-city", "市教委 · 演示", via="session"),
        Caller(Role.STEWARD, "demo-steward", "数据管理员 · 演示", via="session"),
    ]
    for number, place in enumerate(places):
        code, school = place.district_code, place.school_code
        if number == 0:
            name = f"{place.district_zh}报送员 · 演示"
            found.append(Caller(Role.SENDER, f"demo-sender-{code}", name, code, code, via="session"))
        name = f"{place.district_zh}教委 · 演示"
        found.append(Caller(Role.DISTRICT, f"demo-district-{code}", name, code, code, via="session"))
        if school:
            name = f"{place.school_zh} · 演示"
            found.append(Caller(Role.SCHOOL, f"demo-school-{school}", name, school, code, via="session"))
        if place.pupil_key:
            name = f"{place.school_zh}一名学生的家庭 · 演示"
            found.append(
                Caller(Role.FAMILY, f"demo-family-{school}", name, school, code, place.pupil_key, "session")
            )
    return {caller.subject: caller for caller in found}
