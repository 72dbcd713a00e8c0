"""The damped trend: what it expects, how sure it is, and where it says nothing."""

from __future__ import annotations

import pytest

from jobs.decide.evaluation.forecast import Aim, Forecaster, Point

AIM = Aim(2025, 90.0, "ge")


def line(
    start: float, step: float, years: range = range(2020, 2024), cases: float | None = 1000
) -> dict[int, Point]:
    return {y: Point(start + step * (y - 2020), cases) for y in years}


def wavy(start: float, step: float, wave: float, cases: float | None = 1000) -> dict[int, Point]:
    return {y: Point(start + step * (y - 2020) + wave * (-1) ** y, cases) for y in range(2020, 2024)}


def forecaster(*series: dict[int, Point], share: bool = True) -> Forecaster:
    units = {str(n): s for n, s in enumerate(series)}
    return Forecaster(units, units, share=share)


def test_a_straight_line_goes_on_a_little_slower() -> None:
    found = forecaster(*(line(80, 1.5) for _ in range(4))).forecast("0", 2023, AIM)
    assert found is not None
    assert 87.0 < found.value < 87.5


def test_noise_widens_the_interval_and_so_does_a_longer_lead() -> None:
    calm, rough = (forecaster(*(wavy(80, 1, wave) for _ in range(4))) for wave in (0.2, 1.0))
    widths = []
    for of, year in ((calm, 2024), (rough, 2024), (rough, 2026)):
        found = of.forecast("0", 2023, Aim(year, 90, "ge"))
        assert found is not None
        widths.append(found.high - found.low)
    assert widths == sorted(widths)
    assert widths[0] < widths[1] / 2


def test_nothing_is_said_where_too_little_is_known() -> None:
    few = forecaster(line(80, 1), line(81, 1))
    assert few.forecast("0", 2021, AIM) is None, "two values of its own"
    assert few.forecast("0", 2022, AIM) is None, "two errors in all"
    assert few.forecast("0", 2024, AIM) is None, "no value of the year that it begins at"
    many = forecaster(*(line(80, 1) for _ in range(5)))
    assert many.forecast("0", 2022, AIM) is not None


@pytest.mark.parametrize("top", [99.0, 100.0])
def test_a_share_stays_within_0_and_100(top: float) -> None:
    rising = forecaster(*(wavy(top - 6.5, 2, 0.5, cases=200) for _ in range(4)))
    found = rising.forecast("0", 2023, Aim(2026, 100, "eq"))
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 100
    years = forecaster(*(wavy(99, 2, 0.5) for _ in range(4)), share=False).forecast("0", 2023, AIM)
    assert years is not None
    assert years.value > 100, "years of schooling are no share"


def test_all_of_few_schools_can_be_reached_and_more_than_a_share_needs_one_more() -> None:
    steady = [line(100, 0, cases=20), *(wavy(98, 0, 1.5, cases=20) for _ in range(4))]
    of = forecaster(*steady)
    certain = of.forecast("0", 2023, Aim(2025, 100, "eq"))
    hardly = of.forecast("1", 2023, Aim(2025, 100, "eq"))
    assert certain is not None
    assert hardly is not None
    assert certain.probability > 0.5 > hardly.probability
    above, at = (of.forecast("1", 2023, Aim(2025, 95, operator)) for operator in ("gt", "ge"))
    assert above is not None
    assert at is not None
    assert above.probability < at.probability


def test_a_year_without_a_value_is_a_wider_step() -> None:
    gap = {y: p for y, p in line(80, 1.5).items() if y != 2021}
    whole = [line(80, 1.5) for _ in range(4)]
    found = forecaster(gap, *whole).forecast("0", 2023, AIM)
    assert found is not None
    assert 87.0 < found.value < 87.6
