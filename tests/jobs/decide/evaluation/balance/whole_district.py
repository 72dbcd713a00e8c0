"""One district that meets every rule of all standards; a test spoils one of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from jobs.decide.evaluation.balance.decided import decided
from jobs.decide.evaluation.balance.lake import Known, School

ON, YEAR, D = date(2025, 11, 20), 2025, "110101"
Row = dict[str, Any]

# Of a school of 1,000 pupils: a little more than either stage asks for.
REGISTER = {
    **{"school_type_code": "21", "ownership_code": "public", "class_count": 24, "urban_rural_code": "111"},
    **{"opened_date": date(2017, 9, 1), "teaching_area_m2": Decimal(7000), "sports_area_m2": Decimal(10500)},
    **{"indoor_sports_area_m2": Decimal(1000), "equipment_value_yuan": Decimal(2_600_000)},
    **{"multimedia_classroom_count": 25, "computer_count": 200, "book_count": 40000},
    **{"music_room_count": 2, "music_room_area_m2": Decimal(200), "art_room_count": 2},
    **{"art_room_area_m2": Decimal(190), "is_boarding_school": False, "is_teaching_point": False},
}
STAFF = {
    **{"teachers": 120, "with_education": 120, "qualified": 110, "with_title": 120, "middle_title": 60},
    **{"with_backbone": 120, "backbone": 20, "with_subject": 120, "pe_arts": 12, "pe_arts_beside": 0},
    **{"with_certificate": 120, "certified": 120, "with_training": 120, "trained": 120},
    **{"with_joined": 120, "may_rotate": 50},
}
ROLL = {"classes": 24, "largest_class": 44, "migrants": 100, "with_migrants": 1000}
STATED = {
    **{"PRE_YEARS": 5, "G6": 100, "G7": 8000, "G8": 1.02, "G13b": 96, "G14": 60, "Q1": 98, "Q2": 97, "Q4": 6},
    **{"Q9a": 3, "Q9b": 0.12, "S1": 90, "K1": 90, "K4": 90},
    **dict.fromkeys(["E5", "G1", "G2", "G10", "Q3", "Q5", "Q6", "Q7", "Q8", "V1", "V2", "V3", "V4"], True),
}


def school(code: str, stage: str = "primary", pupils: int = 1000, **changed: object) -> School:
    """A school of one stage with all it needs, but for what is changed in its register."""
    kind = {"primary": "21", "junior": "31"}[stage]
    register = REGISTER | {"school_type_code": kind} | changed
    return School(code, D, register, {stage: pupils}, {stage: dict(STAFF)}, {stage: dict(ROLL)})


def item(rule: str, told: Any, **about: Any) -> Row:
    is_answer = isinstance(told, bool)
    value = None if is_answer or told is None else Decimal(str(told))
    whole = {"district_code": D, "rule_code": rule, "stage_code": "both", "school_code": "DISTRICT"}
    return whole | {"item_value": value, "is_item_met": told if is_answer else None} | about


@dataclass
class City:
    """One district that passes; a test spoils one thing of it."""

    schools: list[School] = field(
        default_factory=lambda: [
            *(school("p1"), school("p2", pupils=800)),
            *(school("j1", "junior"), school("j2", "junior", pupils=800)),
        ]
    )
    items: list[Row] = field(default_factory=lambda: [item(rule, told) for rule, told in STATED.items()])
    known: Known = field(
        default_factory=lambda: Known(
            year=YEAR,
            schools=[],
            districts=[D],
            returned=frozenset({D}),
            rotation={D: {"rotating": 40, "backbone": 10}},
            entry={D: {"primary_known": 300, "primary_near": 300, "primary_untold": 0, "junior_untold": 2}},
            purchased={},
            items=[],
        )
    )

    def tell(self, rule: str, told: Any) -> None:
        self.items = [i for i in self.items if i["rule_code"] != rule] + [item(rule, told)]

    def forget(self, rule: str) -> None:
        self.items = [i for i in self.items if i["rule_code"] != rule]

    def decided(self) -> dict[str, list[Row]]:
        return decided(replace(self.known, schools=self.schools, items=self.items), ON)

    def verdict(self, standard: str = "quality_balance_2017") -> Row:
        return next(row for row in self.decided()["verdict"] if row["standard"] == standard)

    def failed(self) -> tuple[str | None, str | None, str | None]:
        found = self.verdict()
        return found["first_failed_gate"], found["first_failed_rule"], found["first_failed_state"]

    def rule(self, code: str, stage: str | None = None) -> Row:
        mine = [r for r in self.decided()["rule"] if (r["rule_code"], r["stage_code"]) == (code, stage)]
        return mine[0]
