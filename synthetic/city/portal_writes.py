"""What people wrote in the portal: corrections asked for, comments, saved scenarios; an event a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from jobs import declare
from synthetic.city.figures import districts
from synthetic.city.part import Part
from synthetic.city.writers import ndjson_bytes

# Districts whose people write, of the last year; their days before the newest delivery.
_EVERY = 4
_DAYS_BEFORE = 6
_TRUTH = ("dataset", "write_id", "district_code", "written_date")
_TEXTS = {
    "correction_request": (
        {
            "about_table": "fct_enrollment_grade",
            "about_column": "pupil_count",
            "correction_text": "我区有一所学校的一年级在校生数与学籍系统不一致，请核对。",
        },
        {
            "about_page": "places",
            "correction_text": "页面上的计划启用年份与规划公告不同。",
            "contact_text": "请在站内回复",
        },
    ),
    "figure_comment": (
        {
            "about_table": "fct_fitness_rate",
            "about_column": "good_or_excellent_share",
            "comment_text": "本年度抽测学校有调整，与上年比较时请注意。",
        },
    ),
    "saved_scenario": (
        {
            "scenario_name": "小学扩班方案",
            "scenario_levers": json.dumps(["class_size 2 stage=primary"]),
            "scenario_note": "供区教委会商使用",
        },
        {"scenario_name": "出生人口下降情形", "scenario_levers": json.dumps(["births -10%"])},
    ),
}


def write_portal(part: Part) -> None:
    """What the people of some districts wrote lately; truth/portal_writes.csv lists it."""
    if not part.is_last or part.number % _EVERY:
        return
    code, told = districts()[part.number].code, []
    for place, (dataset, texts) in enumerate(_TEXTS.items()):
        day = part.newest - timedelta(days=_DAYS_BEFORE - place)
        text = texts[part.number // _EVERY % len(texts)]
        row = {
            "write_id": hashlib.sha256(f"{part.seed} {dataset} {code}".encode()).hexdigest()[:24],
            "written_date": day.isoformat(),
            "written_time": f"{day.isoformat()}T02:{part.number:02}:00.000Z",
            "writer_key": hashlib.sha256(f"{part.seed} {code}".encode()).hexdigest()[:16],
            "writer_role_code": "district",
            "writer_unit_code": code,
            "district_code": code,
            "about_release": 1,
            **text,
        }
        data = ndjson_bytes([_with_headings(dataset, row)])
        part.landing.put("portal", code, day, f"{dataset}_{row['write_id']}.ndjson", data, 1)
        told.append((dataset, str(row["write_id"]), code, day))
    part.truth.write("portal_writes", _TRUTH, told)


def _with_headings(dataset: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Under the headings that the portal writes, too."""
    columns = {column.name: column for column in declare.load()[dataset].columns}
    return {columns[name].headings[0]: value for name, value in row.items()}
