"""What is said of a question that is refused: in words, with the names that were perhaps meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobs.publish import questions, refusals
from jobs.publish.release import Release
from jobs.settings import Settings, UserError

SAID = [
    ("from fct_shool_fitness", ["没有数据表 fct_shool_fitness", "fct_school_fitness"]),
    ("from school_fitness", ["near: fct_school_fitness"]),
    ("select pas_share from fct_school_fitness", ["没有字段 pas_share", "near: pass_share"]),
    ("select f.tested from fct_school_fitness f", ["no column tested", "tested_count"]),
    ("select mediann(1)", ["没有函数 mediann", "median"]),
    ("selec 1", ["语法有误", "selec"]),
    ("from nothing_of_that_kind", ["no table nothing_of_that_kind."]),
    ("", ["没有要执行的查询"]),
]


def test_a_refusal_names_what_is_wrong_and_what_was_perhaps_meant(
    publish: Callable[..., Release], settings: Settings
) -> None:
    publish("2026-09-10.1")
    for query, says in SAID:
        with pytest.raises(UserError, match="refused") as told, questions.on_release(settings, query):
            pass
        assert [words for words in says if words not in told.value.message] == [], query


def test_near_names_come_nearest_first() -> None:
    names = ["fct_places_gap", "fct_places_supply", "dim_school", "fct_places_gap_old"]
    assert refusals.near("fct_place_gap", names)[0] == "fct_places_gap"
    assert refusals.near("xyz", names) == []
