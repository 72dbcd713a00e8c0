"""Exposures against reality: every route, report and command that reads marts has one, and no other."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from jobs import settings as site
from jobs.files import parse_yaml
from jobs.publish import mart_sources, marts
from jobs.settings import ROOT
from portal import app as portal

EXPOSURES: list[dict[str, Any]] = parse_yaml((marts.PROJECT / "models" / "exposures.yml").read_text("utf-8"))[
    "exposures"
]
# Files that name a mart and read none: examples, hints, words of the reference.
NAMES_ONLY = {
    "jobs/cli/lineage.py": "an example of the help",
    "jobs/decide/evaluation/collected/holdings.py": "says where an answer stands",
    "jobs/decide/places/read.py": "a hint to a command",
    "jobs/decide/places/scenario.py": "a hint to a command",
    "jobs/declare/metrics_page.py": "the reference page",
    "jobs/declare/reporting_page.py": "the reference page",
    "jobs/publish/reference_entries.py": "the reference page",
    "jobs/publish/refusals.py": "an example in a refusal",
}

# Beginnings of addresses that name no mart: who asks, what is handed in, how the server does, words.
NO_MARTS = (
    *("/sign-in", "/sign-out", "/api/v1/me"),
    *("/hand-in", "/api/v1/deliveries", "/api/v1/templates"),
    *("/healthz", "/readyz", "/metrics", "/calendar.ics", "/api/v1/delta-sharing"),
    *("/api/v1/releases", "/api/v1/dictionary", "/api/v1/lineage"),
)


def named(file: Path) -> set[str]:
    """The marts that a file names outside its docstrings."""
    known = set(mart_sources.names())
    if file.suffix != ".py":
        return set(re.findall(r"\w+", file.read_text("utf-8"))) & known
    tree = ast.parse(file.read_text("utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]
    return {word for text in texts for word in re.findall(r"\w+", text)} & known


def files(place: str) -> list[Path]:
    there = ROOT / place
    return [there] if there.is_file() else sorted(there.rglob("*.py"))


def readers() -> dict[str, set[str]]:
    """File -> marts that it reads, of all code that is shipped."""
    shipped = [
        *files("jobs"),
        *files("portal"),
        *(ROOT / "infra").rglob("*.json"),
        *(ROOT / "infra").rglob("*.py"),
    ]
    found = {file.relative_to(ROOT).as_posix(): named(file) for file in shipped}
    return {file: read for file, read in found.items() if read and file not in NAMES_ONLY}


def meta(exposure: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = exposure.get("config", {}).get("meta", {})
    return told


def test_every_reader_of_marts_has_an_exposure() -> None:
    claimed = [place for exposure in EXPOSURES for place in meta(exposure).get("readers", ())]
    found = readers()
    assert len(found) > 15
    alone = [file for file in found if not any(file == p or file.startswith(f"{p}/") for p in claimed)]
    assert alone == [], "add them to an exposure of dbt/models/exposures.yml"
    assert [name for name in NAMES_ONLY if not named(ROOT / name)] == []


@pytest.mark.parametrize("exposure", EXPOSURES, ids=lambda exposure: exposure["name"])
def test_an_exposure_names_what_its_readers_read(exposure: dict[str, Any]) -> None:
    told = meta(exposure)
    assert told.get("routes") or told.get("readers"), "nobody reads it"
    depends = {ref[5:-2] for ref in exposure["depends_on"]}
    if "readers" in told:
        found = readers()
        read = {
            mart
            for place in told["readers"]
            for file in found
            if file == place or file.startswith(f"{place}/")
            for mart in found[file]
        }
        assert depends == read


def test_every_route_of_the_portal_has_an_exposure(tmp_path: Path) -> None:
    served = portal.create_app(site.load("beijing", home=tmp_path))
    routes = {route.path for route in served.routes if isinstance(route, APIRoute)}
    # FastAPI keeps a router that is included whole; its description names every address.
    routes |= set(json.loads(json.dumps(served.openapi()))["paths"])
    told = [path for exposure in EXPOSURES for path in meta(exposure).get("routes", ())]
    assert len(routes) >= 8
    assert [one for one in NO_MARTS if not any(route.startswith(one) for route in routes)] == []
    assert sorted(told) == sorted(route for route in routes if not route.startswith(NO_MARTS))
