"""How each school fills in the fitness workbook: container, headings, notations, the same every year."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from synthetic.city.eyesight import NO_EYESIGHT_SHARE, REFRACTION_SHARE
from synthetic.city.fitness import Floats
from synthetic.city.numbers import Stream, stream
from synthetic.city.workbook import Cell

# Assumptions; no rates are published (reference: distributions.md, 5).
XLSX_SHARE, GB18030_SHARE = 0.65, 0.20
OLD_SHARE = 0.12  # of the workbooks: .xls, as old office programs write it
SEX_BY_CODE_SHARE = 0.75
_HEADINGS = {
    "height": ("身高", "cm"),
    "weight": ("体重", "kg"),
    "vital_capacity": ("肺活量", "ml"),
    "run_50m": ("50米跑", "秒"),
    "sit_and_reach": ("坐位体前屈", "cm"),
    "rope_skip_1min": ("一分钟跳绳", "个"),
    "sit_up_1min": ("一分钟仰卧起坐", "个"),
    "shuttle_run_50x8": ("50米×8往返跑", "分·秒"),
    "standing_long_jump": ("立定跳远", "cm"),
    "run_800m": ("800米跑", "分·秒"),
    "run_1000m": ("1000米跑", "分·秒"),
    "pull_up": ("引体向上", "次"),
}
_OTHER_HEADINGS = {
    "run_50m": "50米",
    "sit_up_1min": "仰卧起坐",
    "shuttle_run_50x8": "50米*8往返跑",
    "rope_skip_1min": "1分钟跳绳",
}
_TIMES = ("shuttle_run_50x8", "run_800m", "run_1000m")
_DECIMALS = {"height": 1, "weight": 1, "run_50m": 1, "sit_and_reach": 1}
NOTATIONS: tuple[Callable[[int], str], ...] = (
    lambda s: f"{s // 60}'{s % 60:02d}",
    lambda s: f"{s // 60}′{s % 60:02d}″",
    lambda s: f"{s // 60}.{s % 60:02d}",
    lambda s: f"{s // 60}:{s % 60:02d}",
    lambda s: f"{s // 60}分{s % 60:02d}秒",
    lambda s: f"{s}",
)


@dataclass(frozen=True)
class Habit:
    """How one school fills in the workbook, every year the same way."""

    container: str  # xlsx | xls | gb18030 | utf-8-sig
    notation: int
    has_units: bool
    full_width: bool
    other_headings: bool
    sex_in_words: bool
    slashed_dates: bool
    has_test_date: bool
    has_title: bool
    has_eyesight: bool
    has_refraction: bool


def habit(seed: int, school: int, has_title: bool) -> Habit:
    """How a school fills in the workbook, drawn once for all years."""
    rng = stream(seed, Stream.FITNESS_FILE, school)
    draw = rng.random(11)
    eyes = {"has_eyesight": draw[8] > NO_EYESIGHT_SHARE, "has_refraction": draw[9] < REFRACTION_SHARE}
    if has_title:
        return Habit(
            "xlsx", int(draw[1] * 6), True, True, False, draw[5] < 0.3, True, draw[7] < 0.85, True, **eyes
        )
    container = "xlsx" if draw[0] < XLSX_SHARE else "gb18030"
    if draw[0] > XLSX_SHARE + GB18030_SHARE:
        container = "utf-8-sig"
    if container == "xlsx" and draw[10] < OLD_SHARE:
        container = "xls"
    return Habit(
        container=container,
        notation=int(draw[1] * len(NOTATIONS)),
        has_units=draw[2] < 0.4,
        full_width=draw[3] < 0.5,
        other_headings=draw[4] < 0.3,
        sex_in_words=draw[5] > SEX_BY_CODE_SHARE,
        slashed_dates=draw[6] < 0.7,
        # The second sheet has the days too; a text file has no second sheet.
        has_test_date=container not in ("xlsx", "xls") or draw[7] < 0.85,
        has_title=False,
        **eyes,
    )


def heading(code: str, own: Habit) -> str:
    """An item's heading as this school's template has it."""
    text, unit = _HEADINGS[code]
    if own.other_headings:
        text = _OTHER_HEADINGS.get(code, text)
    if own.has_units:
        text += f"（{unit}）" if own.full_width else f"({unit})"
    return text


def written(code: str, values: Floats, own: Habit) -> list[Cell]:
    """Numbers as the school writes them; in a workbook they are numbers, but times are text."""
    if code in _TIMES:
        write = NOTATIONS[own.notation]
        return [None if v != v else write(int(v)) for v in values.tolist()]
    if code in _DECIMALS:
        return [None if v != v else round(v, 1) for v in values.tolist()]
    return [None if v != v else int(v) for v in values.tolist()]


def written_day(day: date, own: Habit) -> str:
    """A day as this school writes it."""
    return f"{day.year}/{day.month}/{day.day}" if own.slashed_dates else day.isoformat()
