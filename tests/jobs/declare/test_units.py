"""Units in headings, as senders write them."""

from __future__ import annotations

import pytest

from jobs.declare import units


@pytest.mark.parametrize(
    ("heading", "unit"),
    [
        ("身高(cm)", "cm"),
        ("身高（m）", "m"),
        ("身高/米", "米"),
        ("校舍面积（㎡）", "m2"),
        ("设备值（单位：万元）", "万元"),
        ("1000米跑(秒)", "秒"),
        ("1000米跑（分.秒）", None),
        ("国籍/地区", None),
        ("街道(学区)", None),
        ("50米跑", None),
    ],
)
def test_a_headings_unit(heading: str, unit: str | None) -> None:
    assert units.heading_unit(heading) == unit
