"""`docs/how-to/ten-questions.md`: each query runs as it stands, and says what the raw files say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import duckdb
import pytest

from jobs.settings import ROOT, Settings

from .pages import blocks
from .raw_counts import Answer, Counts
from .raw_files import Landing

PAGE = ROOT / "docs" / "how-to" / "ten-questions.md"
STANDARDS = ROOT / "expectations" / "standards"
MOST_LINES = 10
Ask = Callable[[str], Answer]


def questions() -> dict[int, str]:
    """The query below each numbered heading."""
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. ", PAGE.read_text("utf-8"), re.MULTILINE)]
    return dict(zip(numbers, blocks(PAGE, "sql"), strict=True))


@pytest.fixture(scope="module")
def ask(lake: Settings) -> Ask:
    """The rows that a query finds in the release of the shared lake."""
    newest = max((f for f in lake.releases.iterdir() if f.name.isdigit()), key=lambda f: int(f.name))

    def rows(query: str) -> Answer:
        with duckdb.connect(str(newest / "full.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    return rows


@pytest.fixture(scope="module")
def counts(lake: Settings) -> Counts:
    """The raw files of the shared lake."""
    landing = Landing(lake.landing, lake.landing.parent / "truth")
    return Counts(landing, ROOT / "infra" / "sites" / "beijing" / "districts.csv", date(2025, 11, 20))


def same(found: Answer, counted: Answer) -> None:
    """Both hold the same rows, none twice."""
    assert found, "the query finds nothing: nothing is compared"
    plain = sorted(
        tuple(int(v) if isinstance(v, Decimal) and v == int(v) else v for v in row) for row in found
    )
    assert plain == sorted(counted)


def without_share(found: Answer) -> Answer:
    """Rows whose last value is the quotient of the two before it, without it; the quotient is right."""
    for *_, part, whole, share in found:
        assert float(share) == pytest.approx(int(part) / int(whole), abs=0.00006)
    return [row[:-1] for row in found]


def test_each_question_has_a_query_of_at_most_ten_lines() -> None:
    found = questions()
    assert list(found) == list(range(1, 11))
    assert {n: len(q.splitlines()) for n, q in found.items() if len(q.splitlines()) > MOST_LINES} == {}
    heads = re.findall(r"^## \d+\. (.*)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert all(re.search(r"[\u4e00-\u9fff].*[？] [A-Z]", head) for head in heads), (
        "Chinese first, then English"
    )


def test_the_other_queries_run(ask: Ask) -> None:
    more = re.findall(r"^```sql more\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(more) == 4
    assert all(ask(query) for query in more)


def test_pupils_who_changed_school(ask: Ask, counts: Counts) -> None:
    same(ask(questions()[1]), counts.changed_school(2025))
    assert sum(row[1] for row in ask(questions()[1])) == sum(row[2] for row in ask(questions()[1])) > 3


def test_migrant_children(ask: Ask, counts: Counts) -> None:
    same(without_share(ask(questions()[2])), counts.migrants(2025))


def test_degrees_of_staff(ask: Ask, counts: Counts) -> None:
    same(without_share(ask(questions()[3])), counts.degrees())


def test_digital_use_per_pupil(ask: Ask, counts: Counts) -> None:
    same(without_share(ask(questions()[4])), counts.digital_use(2024))


def test_hotline_topics(ask: Ask, counts: Counts) -> None:
    same(ask(questions()[5]), counts.topics())


# Fifteen workdays after 1 September; in 2024 the 14th was worked, the 16th and 17th were holidays.
ROLLS_DUE = {"2024-2025-1": date(2024, 9, 23), "2025-2026-1": date(2025, 9, 22)}


def test_late_senders(ask: Ask, counts: Counts) -> None:
    """Every roll that is due came in the end, so the marks behind the answer are compared too."""
    query = questions()[6]
    assert [row for row in ask(query) if row[1] == "在籍学生名册"] == []
    came_late = "dataset = 'pupil_roll' and period like '%-1' and is_expected and not is_on_time"
    told = ask(query.replace("is_late_now", came_late))
    same([(row[0], row[2], row[3], row[4]) for row in told], counts.late_rolls(ROLLS_DUE))


def test_largest_gaps(ask: Ask, counts: Counts) -> None:
    """Nothing raw tells a forecast: the order is told again from all schools, places from the registers."""
    found = ask(questions()[7])
    gaps = ask(
        "select unit_code, stage_code, supply_count, forecast_count, existing_place_count,"
        " expected_place_count"
        " from fct_places_gap where unit_level = 'school' and school_year_start = 2027"
    )
    names = dict(ask("select school_code, school_name from dim_school"))
    # a school that is only planned has its project's number
    ranked = sorted(
        (supply - pupils, unit, stage) for unit, stage, supply, pupils, *_ in gaps if unit in names
    )
    assert [(row[-1], row[2]) for row in found] == [(gap, stage) for gap, _, stage in ranked[:10]]
    stages = Counter(school for school, *_ in gaps)
    plain = {
        names[school]: existing
        for school, _, _, _, existing, expected in gaps
        if school in names and stages[school] == 1 and expected == 0
    }
    stated = {name: count for name, count in counts.places().items() if name in plain}
    assert len(stated) > 20
    assert {name: plain[name] for name in stated} == stated


def test_girls_800m(ask: Ask, counts: Counts) -> None:
    counted = counts.girls_800m((2024, 2025), STANDARDS / "fitness" / "2014" / "scoring.csv")
    same([row[:-1] for row in ask(questions()[8])], [row[:-1] for row in counted])
    shares = {row[:2]: row[3] / row[2] for row in counted}
    assert {row[:2]: float(row[3]) for row in ask(questions()[8])} == pytest.approx(shares, abs=0.00006)


def test_overdue_hazards(ask: Ask, counts: Counts) -> None:
    """The smallest city may mend all in time, so the days of what is open are compared too."""
    query = questions()[9]
    told = [
        (row[0], row[1], row[2], row[4]) for row in ask(query.replace("is_hazard_overdue", "is_hazard_open"))
    ]
    same(told, counts.open_hazards())
    late = [row for row in counts.open_hazards() if row[-1] > 0]
    assert sorted((row[0], row[1], row[2], row[4]) for row in ask(query)) == sorted(late)


def test_indicator_9(ask: Ask, counts: Counts) -> None:
    counted = counts.indicator("9", STANDARDS / "evaluation" / "plan_indicators.csv")
    ((_, year, value, target, _, gap, _),) = ask(questions()[10])
    assert (year, float(value), float(target)) == (
        counted[0][0],
        pytest.approx(counted[0][1], abs=0.00006),
        counted[0][2],
    )
    assert float(gap) == pytest.approx(counted[0][1] - counted[0][2], abs=0.0002)
