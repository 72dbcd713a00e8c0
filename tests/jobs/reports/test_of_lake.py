"""Reports of the release that a run made: every section has its tables, and nothing declared is unused."""

from __future__ import annotations

import pytest

from jobs.publish import release as releases
from jobs.reports import book, district, group, html_page, school
from jobs.reports.model import Report
from jobs.settings import Settings

from . import reading


@pytest.fixture(scope="module")
def reports(lake: Settings) -> list[Report]:
    """Of each district the two newest years' reports and a profile; profiles of some schools and groups."""
    release = releases.current(lake)
    assert release is not None
    city = district.Source(release)
    codes = [row["district_code"] for row in city.rows("select district_code from dim_district order by all")]
    made = []
    for code in codes:
        source = district.open_source(release, f"district-{code}")
        made += [district.report(release, code, year) for year in district.years(source, code)[-2:]]
        made.append(district.profile(release, code))
    schools = city.rows("select school_code from dim_school order by all limit 20")
    made += [school.profile(release, row["school_code"]) for row in schools]
    groups = city.rows("select school_group_code from dim_school_group order by all limit 3")
    return made + [group.profile(release, row["school_group_code"]) for row in groups]


def test_each_section_has_its_tables(reports: list[Report]) -> None:
    assert len(reports) > 40
    for report in reports:
        assert "从缺" not in html_page.page(report), report.slug


def test_each_declared_figure_is_printed_somewhere(lake: Settings, reports: list[Report]) -> None:
    release = releases.current(lake)
    assert release is not None
    rows = {
        table: count for table, count in release.manifest["files"]["city.duckdb"]["tables"].items() if count
    }
    assert len(rows) > 40
    used = {(one.label, one.source) for report in reports for one in report.definitions}
    unused = [
        key
        for key, one in book.declared().items()
        if (one.zh, one.source) not in used and key.partition(".")[0] in rows
    ]
    assert unused == []


def test_no_figure_is_a_number_that_is_none(reports: list[Report]) -> None:
    for report in reports:
        for value, text in reading.html(html_page.page(report))[1]:
            assert not {"nan", "inf", "none"} & {value.lower(), text.lower()}, report.slug
