"""The campus safety feed of one district and year: illness, incidents, hazards, drills, guard checks."""

from __future__ import annotations

from synthetic.city.checks import write_drills, write_guard_checks
from synthetic.city.hazards import make_hazards, write_hazards
from synthetic.city.illness import write_illness
from synthetic.city.incidents import write_incidents
from synthetic.city.part import Part

OUTBREAK_TRUTH = (
    "district_code",
    "school_code",
    "class_names",
    "symptom",
    "first_day",
    "last_day",
    "extra_absent",
)


def write_safety(part: Part) -> None:
    """Illness, incidents, hazards, drills and checks of one district and year."""
    outbreaks = write_illness(part)
    part.truth.write(
        "outbreaks",
        OUTBREAK_TRUTH,
        [
            (
                o.district_code,
                o.school_code,
                "|".join(o.class_names),
                o.symptom,
                o.first_day,
                o.last_day,
                o.extra_absent,
            )
            for o in outbreaks
        ],
    )
    part.count("outbreaks", len(outbreaks))
    hazards = make_hazards(part.schools, part.seed, part.number, part.year, part.newest)
    part.count("incidents", write_incidents(part, outbreaks, hazards))
    part.count("hazards", len(hazards))
    write_hazards(part, hazards)
    write_drills(part)
    write_guard_checks(part)
