"""The lineage of today's models: every column of a mart has a source, and known ones have the right one."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import declare
from jobs.cli.main import app
from jobs.publish import lineage, meanings
from jobs.publish.lineage import Lineage
from jobs.publish.lineage_sql import ROWS, Point
from jobs.settings import Settings, UserError

VALUES = ("copied", "renamed", "computed", "counted")


def sources(found: Lineage, name: str, kinds: tuple[str, ...] = VALUES) -> dict[str, str]:
    relation, _, column = name.partition(".")
    return {str(end): kind for end, kind in found.sources(Point(relation, column)).items() if kind in kinds}


def test_every_column_of_a_mart_ends_at_a_known_source(found: Lineage) -> None:
    columns = [p for p in found.columns if found.layers.get(p.relation) == "marts" and p.column != ROWS]
    assert len(columns) > 1000
    assert [str(p) for p in columns if not found.sources(p)] == []
    ends = {end for p in columns for end in found.sources(p)}
    assert [str(end) for end in ends if not any(meanings.words(end))] == [], "an end that nobody can explain"
    unknown = [end for end in ends if not _is_an_end(end)]
    assert unknown == [], "neither heading, code list, standard, delivery, book, run nor written out"


def _is_an_end(point: Point) -> bool:
    relation, column = point
    contract = declare.load().get(relation)
    if contract:
        return column == ROWS or any(column == c.headings[0] for c in contract.columns)
    if relation.startswith(lineage.STANDARDS):
        return True
    if relation == lineage.WRITTEN:
        return True
    return relation in (lineage.DELIVERY, lineage.RUN) or relation.startswith(
        ("ops__", "clean_enrollment__person")
    )


def test_known_columns_have_these_sources_and_no_others(found: Lineage) -> None:
    exact = {
        "fct_enrollment_grade.pupil_count": {"grade_return.在校生数": "copied"},
        "fct_fitness_result.run_50m_s": {"test_result.50米跑": "copied"},
        "fct_fitness_rate.target_share": {"standards.plan_indicator_target.target_value": "computed"},
        "fct_capacity_project.place_count": {"capacity_project.学位数": "copied"},
        "fct_capacity_project.is_late": {
            "capacity_project.计划启用日期": "computed",
            "capacity_project.项目状态": "computed",
            "standards.project_status.code": "computed",
            "run.as_of_date": "computed",
        },
        "dim_school.ownership_zh": {"standards.ownership.meaning_zh": "renamed"},
        "fct_safety_incident_month.incident_count": {"incident.*": "counted"},
        "fct_feed_quality.accepted_row_count": {"ops__receipt.accepted_count": "computed"},
        "fct_metric_value.metric_code": {"written.fct_metric_value": "copied"},
        "pub_enrollment_district_year.pupil_count": {"grade_return.在校生数": "computed"},
    }
    assert {name: sources(found, name) for name in exact} == exact


def test_a_rate_over_scores_comes_from_what_is_scored_and_from_nothing_else(found: Lineage) -> None:
    good = sources(found, "fct_fitness_rate.good_or_excellent_share")
    for heading in ("50米跑", "身高", "体重", "性别", "年级编号", ROWS):
        assert good[f"test_result.{heading}"] == "counted"
    assert good["standards.fitness_level.is_good_or_excellent"] == "counted"
    assert not {"test_result.左眼裸眼视力", "test_result.出生日期", "test_result.学籍号"} & good.keys()
    assert not [
        name for name in good if name.split(".")[0] not in ("test_result", "recheck_sample", "standards")
    ]
    poor = sources(found, "fct_fitness_eyesight.poor_vision_share")
    assert {"test_result.左眼裸眼视力", "test_result.右眼裸眼视力"} <= poor.keys()
    assert "test_result.身高" not in poor
    age = sources(found, "stg_fitness__score.age_months")
    assert age == {"test_result.出生日期": "computed", "test_result.测试日期": "computed"}


def test_from_a_heading_down_to_the_marts_and_the_rows_that_it_chooses(found: Lineage) -> None:
    made = {
        str(p) for p, kind in found.read_by(Point("capacity_project", "学位数")).items() if kind != "filtered"
    }
    assert {"clean_places__capacity_project.place_count", "fct_capacity_project.place_count"} <= made
    assert not {name for name in made if name.startswith(("fct_fitness", "fct_safety"))}
    assert "fct_fitness_rate" in found.rows_by(Point("test_result", "性别"))


def test_what_decisions_are_said_to_read_is_what_their_jobs_read() -> None:
    made = {t for t in declare.made_tables() if t.startswith("decision_")}
    assert lineage.decided_from().keys() == made
    for table, entry in lineage.decided_from().items():
        service = table.removeprefix("decision_").partition("__")[0]
        inputs = importlib.import_module(f"jobs.decide.{service}.job").INPUTS
        assert {lineage.table_of(name) for name in entry["reads"]} <= {*inputs, *made}, table
        assert [f for f in entry["made_by"] if not (lineage.DECIDE / f).is_file()] == [], table
        columns = {c for name in entry["reads"] for c in declare.table_columns(lineage.table_of(name))}
        named = {c for of in entry.get("columns", {}).values() for c in of}
        assert named <= columns, f"{table}: a source that no table read has"


def test_a_kept_lineage_is_the_same_and_lasts_until_a_declaration_changes(
    found: Lineage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage.keep(settings.prepare(), found)
    monkeypatch.setattr(lineage, "compiled", lambda *_: pytest.fail("made anew"))
    kept = lineage.of_site(settings)
    assert (kept.columns, kept.rows, kept.layers) == (found.columns, found.rows, found.layers)
    monkeypatch.setattr(lineage, "_key", lambda: "another")
    with pytest.raises(pytest.fail.Exception):
        lineage.of_site(settings)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    from jobs import settings as site

    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path))
    return site.load("beijing")


def test_the_command_shows_a_tree_data_and_the_nearest_names(found: Lineage, settings: Settings) -> None:
    lineage.keep(settings.prepare(), found)

    def ask(*words: str) -> str:
        done = CliRunner().invoke(app, ["lineage", *words, "--site", "beijing"], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    tree = ask("fct_enrollment_grade.pupil_count")
    assert "└─ 原样 copied  grade_return.在校生数" in tree
    assert "来源 Sources: 1" in tree
    told = json.loads(ask("fct_fitness_rate.good_or_excellent_share", "--format", "json"))
    assert {"name": "test_result.身高", "kind": "counted"}.items() <= next(
        one for one in told["sources"] if one["name"] == "test_result.身高"
    ).items()
    down = ask("capacity_project.学位数", "--down")
    assert "fct_capacity_project.place_count" in down
    # a heading as another sender writes it, and a decision, which says who computes it
    assert "test_result.身高" in ask("身高(cm)")
    assert "jobs/decide/fitness/" in ask("fct_fitness_result.total_score")
    with pytest.raises(UserError) as refused:
        CliRunner().invoke(
            app, ["lineage", "fct_fitness_rat.pass_share", "--site", "beijing"], catch_exceptions=False
        )
    assert "fct_fitness_rate.pass_share" in refused.value.way_out
