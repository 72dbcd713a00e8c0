"""A point's lineage as data, with the words of every point."""

from __future__ import annotations

from typing import Any

from jobs.publish import lineage as graph
from jobs.publish import meanings
from jobs.publish.lineage import Lineage
from jobs.publish.lineage_sql import KINDS, Edges, Point


def told(found: Lineage, point: Point, is_up: bool) -> dict[str, Any]:
    """What a point is made of, or what is made of it: its steps, and the ends of all ways."""
    zh, en = meanings.words(point)
    near, whole = (found.reads, found.made_of) if is_up else (found.step_down, found.read_by)
    said: dict[str, Any] = {"name": str(point), "zh": zh, "en": en, "direction": "up" if is_up else "down"}
    if point.relation in graph.decided_from():
        said["computed_by"] = [f"jobs/decide/{f}" for f in graph.decided_from()[point.relation]["made_by"]]
    said["steps"] = _listed(near(point))
    if is_up:
        said["sources"] = _listed(found.sources(point))
        said["rows_chosen_by"] = _listed(found.rows.get(point.relation, {}))
    else:
        said["columns"] = _listed(whole(point))
        said["rows_of"] = found.rows_by(point)
    return said


def _listed(edges: Edges) -> list[dict[str, str]]:
    """Nearest first: by kind, then by name."""
    ordered = sorted(edges.items(), key=lambda edge: (KINDS.index(edge[1]), edge[0]))
    found = []
    for point, kind in ordered:
        zh, en = meanings.words(point)
        found.append(
            {"name": str(point), "kind": kind, "kind_zh": meanings.KINDS_ZH[kind], "zh": zh, "en": en}
        )
    return found
