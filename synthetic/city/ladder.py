"""The fifteen grades K1–S3 as array positions, and how each feed spells them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from jobs.declare import code_list

STAGES = ("kindergarten", "primary", "junior", "senior")
STAGE_ZH = {"kindergarten": "幼儿园", "primary": "小学", "junior": "初中", "senior": "高中"}
K1, K3, P1, P6, J1, J3, S1, S3 = 0, 2, 3, 8, 9, 11, 12, 14
GRADES = 15
STAGE_OF = (0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3)
ENTRY_OF = (0, 0, 0, 3, 3, 3, 3, 3, 3, 9, 9, 9, 12, 12, 12)  # the first grade of the same stage
GRADES_OF = {stage: tuple(g for g in range(GRADES) if STAGE_OF[g] == n) for n, stage in enumerate(STAGES)}


@dataclass(frozen=True)
class Grade:
    """One row of the code list: our key, Chinese meaning, the codes of two other systems (blank in K), and
    what stands before a class's number: `一年级2班`, `初一2班`, unique within a school over all grades.
    """

    key: str
    meaning_zh: str
    jyt_code: str
    fitness_code: str
    class_zh: str


@cache
def grades() -> tuple[Grade, ...]:
    """The grades from K1 to S3, youngest first."""
    rows = code_list("grade").rows
    return tuple(
        Grade(r["code"], r["meaning_zh"], r["jyt_code"], r["fitness_code"], r["class_zh"]) for r in rows
    )


def class_name(grade: int, number: int) -> str:
    """`number` counts from 1."""
    return f"{grades()[grade].class_zh}{number}班"
