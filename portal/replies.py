"""The JSON replies of the API, made from one snapshot of a release.

No business logic: cards and lists are marts (`rpt_portal__…`), and meanings come from the release's manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from jobs.publish import journal
from portal import public_cards
from portal.models import ReleaseInfo
from portal.snapshot import Snapshot

API = "/api/v1"
CARDS = "rpt_portal__service_card"
ITEMS = "rpt_portal__platform_item"
PLATFORMS = {
    "management": ("教育公共管理", "Public management"),
    "services": ("教育公共服务", "Public services"),
    "resources": ("教育公共资源", "Public resources"),
}


def notes(snapshot: Snapshot) -> list[dict[str, str]]:
    """The public notes on the release; one may come at any time."""
    release = snapshot.release
    return [{"at": one.at, "note": one.note} for one in journal.notes(release.folder.parent, release.number)]


def release_info(snapshot: Snapshot, noted: list[dict[str, str]]) -> bytes:
    """Which release is served, what it was made from, and what was noted about it since."""
    manifest = snapshot.release.manifest
    fields = {name: manifest[name] for name in ReleaseInfo.model_fields if name in manifest}
    shown = snapshot.tables
    versions = {name: version for name, version in fields.pop("versions", {}).items() if name in shown}
    told = {"audience": snapshot.audience, "table_count": len(shown), "notes": noted, "versions": versions}
    return written(snapshot, {**fields, **told})


def cards(snapshot: Snapshot, shown: Mapping[str, Mapping[str, Any]]) -> bytes:
    """One card for each decision service: the officials', or what public tables tell."""
    if CARDS not in shown:
        return written(snapshot, {"cards": public_cards.cards(snapshot)})
    rows = _rows(snapshot, CARDS, "sort_order, service")
    for row in rows:
        row["series"] = orjson.loads(row.pop("series_json") or "[]")
    return written(snapshot, {"cards": rows})


def platforms(snapshot: Snapshot, shown: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The three platforms with their lists. Officials see every table of the release, and a link to those of
    their file; others see what is open to them.
    """
    lists: dict[str, list[dict[str, Any]]] = {platform: [] for platform in PLATFORMS}
    rows = _rows(snapshot, ITEMS, "platform, sort_order, table_name") if ITEMS in shown else _items(shown)
    for row in rows:
        row["href"] = f"{API}/tables/{row['table_name']}" if row["table_name"] in shown else None
        lists[row.pop("platform")].append(row)
    entries = [
        {"platform": name, "title_zh": zh, "title_en": en, "items": lists[name]}
        for name, (zh, en) in PLATFORMS.items()
    ]
    return written(snapshot, {"platforms": entries})


def _items(shown: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The list of the platforms from what the manifest says of tables, the rows those that may be seen."""
    named = [(name, told) for name, told in sorted(shown.items()) if told["platform"] in PLATFORMS]
    return [
        {
            "platform": told["platform"],
            "sort_order": place,
            "title_zh": told["title_zh"],
            "title_en": told["title_en"],
            "table_name": name,
            "grain_zh": None,
            "row_count": told["rows"],
            "note_zh": "公开数据" if told.get("public") else None,
        }
        for place, (name, told) in enumerate(named, start=1)
    ]


def tables(snapshot: Snapshot, shown: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The tables that are shown (name -> what the manifest says, with the rows that may be seen)."""
    entries = [
        {
            "name": name,
            **{key: table[key] for key in ("title_zh", "title_en", "description", "platform")},
            "row_count": table["rows"],
            "column_count": len(table["columns"]),
            "href": f"{API}/tables/{name}",
        }
        for name, table in shown.items()
    ]
    return written(snapshot, {"tables": entries})


def _rows(snapshot: Snapshot, table: str, order: str) -> list[dict[str, Any]]:
    """The rows of a mart; none where this audience has no such table."""
    if table not in snapshot.tables:
        return []
    with snapshot.asked() as cursor:
        result = cursor.execute(f"select * from {table} order by {order}")
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def written(snapshot: Snapshot, told: Mapping[str, Any]) -> bytes:
    """An answer as JSON, with the release that it is from."""
    whole = {"release": snapshot.release.number, "synthetic": snapshot.is_synthetic, **told}
    return orjson.dumps(whole, default=_plain, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)


def _plain(value: Any) -> Any:
    # A decimal is written with its own digits, not with those of the nearest double.
    return orjson.Fragment(format(value, "f")) if isinstance(value, Decimal) else str(value)
