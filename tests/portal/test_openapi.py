"""The description of the API is committed and is what the code says; what breaks a reader is named."""

from __future__ import annotations

import copy
import difflib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs import settings as site_settings
from portal import openapi
from portal.app import create_app


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> str:
    return openapi.text(create_app(site_settings.load("beijing", tmp_path_factory.mktemp("home"))))


@pytest.fixture(scope="module")
def whole(described: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(described)
    return told


def test_the_committed_description_is_what_the_code_says(described: str) -> None:
    committed = openapi.FILE.read_text("utf-8")
    changes = [
        *difflib.unified_diff(committed.splitlines(), described.splitlines(), "committed", "code", n=1)
    ]
    broken = openapi.breaking(json.loads(committed), json.loads(described))
    words = "\n".join(["run `./edulake dictionary`", *(f"BREAKS: {one}" for one in broken), *changes[:60]])
    assert not changes, words


def test_every_operation_tells_its_rule_words_and_failures(whole: dict[str, Any]) -> None:
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            name = f"{method} {path}"
            # The summary is for those who read Chinese, the description for those who read English.
            assert re.search(r"[一-鿿]", operation["summary"]), name
            assert re.match(r"[A-Z`]", operation["description"]), name
            assert "x-roles" in operation, name
            for one in operation.get("parameters", ()):
                told = "$ref" in one or one.get("description") or one["schema"].get("title")
                assert told or one["in"] == "path", (name, one)
    ids = [o["operationId"] for methods in whole["paths"].values() for o in methods.values()]
    assert len(ids) == len({*ids})


def dropped_path(told: dict[str, Any]) -> None:
    del told["paths"]["/api/v1/cards"]


def dropped_parameter(told: dict[str, Any]) -> None:
    told["paths"]["/api/v1/tables/{name}"]["get"]["parameters"].remove(
        {"$ref": "#/components/parameters/sort"}
    )


def changed_parameter(told: dict[str, Any]) -> None:
    told["components"]["parameters"]["limit"]["schema"] = {"type": "string"}


def needed_parameter(told: dict[str, Any]) -> None:
    told["paths"]["/api/v1/cards"]["get"]["parameters"].append(
        {"name": "year", "in": "query", "required": True, "schema": {"type": "integer"}}
    )


def dropped_field(told: dict[str, Any]) -> None:
    del told["components"]["schemas"]["Table"]["properties"]["rows"]


def changed_field(told: dict[str, Any]) -> None:
    told["components"]["schemas"]["Table"]["properties"]["row_count"] = {"type": "string"}


def dropped_format(told: dict[str, Any]) -> None:
    del told["paths"]["/api/v1/tables/{name}"]["get"]["responses"]["200"]["content"]["text/csv"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dropped_path, "GET /api/v1/cards is gone"),
        (dropped_parameter, "GET /api/v1/tables/{name}: parameter sort is gone"),
        (changed_parameter, "GET /api/v1/tables/{name}: limit was integer, is string"),
        (needed_parameter, "GET /api/v1/cards: year must be given now"),
        (dropped_field, "Table.rows is gone"),
        (changed_field, "Table.row_count was integer, is string"),
        (dropped_format, "GET /api/v1/tables/{name}: no longer answers as text/csv"),
    ],
)
def test_a_change_that_breaks_a_reader_is_named(
    whole: dict[str, Any], change: Callable[[dict[str, Any]], None], said: str
) -> None:
    after = copy.deepcopy(whole)
    change(after)
    assert said in openapi.breaking(whole, after)
    assert openapi.breaking(whole, whole) == []


def test_what_only_comes_breaks_nobody(whole: dict[str, Any]) -> None:
    after = copy.deepcopy(whole)
    after["paths"]["/api/v1/new"] = copy.deepcopy(after["paths"]["/api/v1/cards"])
    after["components"]["schemas"]["Table"]["properties"]["more"] = {"type": "string"}
    after["paths"]["/api/v1/cards"]["get"]["parameters"].append(
        {"name": "year", "in": "query", "required": False, "schema": {"type": "integer"}}
    )
    assert openapi.breaking(whole, after) == []


def test_columns_are_those_of_the_marts() -> None:
    columns = {name: kind for name, kind, _, _ in openapi.columns_of("dim_school")}
    assert (columns["school_code"], columns["place_count"]) == ("VARCHAR", "INTEGER")
    assert openapi.columns_of("no_such_table") == []
    assert Path(openapi.FILE).is_file()
