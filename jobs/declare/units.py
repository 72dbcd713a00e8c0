"""Units as senders write them in a heading or behind a value, and their factors to a column's own unit.

The heading's unit decides: in a column kept in centimeters, numbers below `身高（m）` are multiplied by 100.
A unit of another kind (a height in kilograms) is not the same as no unit.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Kind -> unit -> its size in the base unit of the kind. Full-width forms are made narrow before the look-up.
_KINDS: dict[str, dict[str, float]] = {
    "length": {
        "mm": 0.001, "毫米": 0.001, "cm": 0.01, "厘米": 0.01, "公分": 0.01, "dm": 0.1, "分米": 0.1,
        "m": 1, "米": 1, "km": 1000, "公里": 1000, "千米": 1000, "里": 500, "华里": 500,
    },
    "mass": {
        "g": 0.001, "克": 0.001, "斤": 0.5, "市斤": 0.5, "kg": 1, "公斤": 1, "千克": 1, "t": 1000, "吨": 1000,
    },
    "volume": {"ml": 0.001, "毫升": 0.001, "cc": 0.001, "l": 1, "升": 1},
    "time": {
        "ms": 0.001, "毫秒": 0.001, "s": 1, "秒": 1, "sec": 1, "秒钟": 1, "min": 60, "分": 60, "分钟": 60,
        "h": 3600, "时": 3600, "小时": 3600, "学时": 3600, "d": 86400, "天": 86400, "日": 86400,
    },
    "area": {
        "m2": 1, "㎡": 1, "m²": 1, "平方米": 1, "平米": 1, "平方": 1, "亩": 2000 / 3,
        "公顷": 10_000, "hm2": 10_000, "km2": 1_000_000, "平方公里": 1_000_000, "平方千米": 1_000_000,
    },
    "money": {
        "yuan": 1, "元": 1, "千元": 1000, "万元": 10_000, "百万元": 1_000_000, "千万元": 10_000_000,
        "亿元": 100_000_000,
    },
    "count": dict.fromkeys(
        (
            "count", "pupils", "persons", "places", "classes", "births", "rooms", "computers",
            "volumes", "uses", "人", "名", "个", "次", "间", "台",
            "册", "本", "班", "人次", "户", "所", "套", "座", "处",
            "学位",
        ),
        1.0,
    ) | {
        "百人": 100, "千人": 1000, "万人": 10_000, "千册": 1000, "万册": 10_000, "千次": 1000, "万次": 10_000,
        "万人次": 10_000, "百台": 100,
    },
    "share": {"%": 1, "百分比": 1, "‰": 0.1, "share": 100},
}  # fmt: skip
_UNITS = {unit: (kind, size) for kind, units in _KINDS.items() for unit, size in units.items()}

_INSIDE = re.compile(r"[(\[【〔<《{]([^()\[\]【】〔〕<>《》{}]*)[)\]】〕>》}]?")
_BEHIND = re.compile(r"[/:,_|]([^/:,_|]+)$")
# These name a notation of minutes and seconds, not a unit: the value itself shows its notation.
_NOTATIONS = {"分秒", "分.秒", "分·秒", "分'秒", "分:秒", "分'秒\"", "m:s", "mm:ss"}


def narrow(text: str) -> str:
    """The text in half width and lower case, without blanks around it."""
    return unicodedata.normalize("NFKC", str(text)).strip().lower()


def heading_unit(heading: str) -> str | None:
    """The unit that a heading names, in brackets or after a stroke (`面积（㎡）`, `身高/cm`); else None."""
    text = narrow(heading)
    words = [part for inside in _INSIDE.findall(text) for part in re.split(r"[,、;，；。\s]", inside)]
    behind = _BEHIND.search(text)
    words += [behind[1]] if behind else []
    for word in words:
        word = re.sub(r"^(计量)?单位[::]?", "", word).strip()
        if word in _UNITS and word not in _NOTATIONS:
            return word
    return None


def without_unit(heading: str) -> str:
    """The heading without a unit after a stroke; other endings stay (`国籍/地区`)."""
    behind = _BEHIND.search(heading)
    return heading[: behind.start()] if behind and behind[1].strip() in _UNITS else heading


def factor(written: str, unit: str) -> float | None:
    """The factor from `written` to `unit`; None if they are of different kinds."""
    if written not in _UNITS or unit not in _UNITS:
        return None
    (kind, size), (own_kind, own_size) = _UNITS[written], _UNITS[unit]
    return round(size / own_size, 9) if kind == own_kind else None


@cache
def siblings(unit: str | None) -> dict[str, float]:
    """Each unit of the same kind -> its factor to `unit`; empty for an unknown unit."""
    if unit is None or unit not in _UNITS:
        return {}
    kind = _KINDS[_UNITS[unit][0]]
    return {other: round(size / kind[unit], 9) for other, size in kind.items()}
