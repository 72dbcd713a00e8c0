"""The reference as files: the searchable page of all layers, and dbt's own documentation.

`build` writes `index.html` and `dbt.html` into a folder. Both open from the disk. Row counts and last changes
are those of the kept releases and of the lake's tables; without a release there are none.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from deltalake import DeltaTable

from jobs import declare
from jobs.declare.words import Text
from jobs.files import replacing
from jobs.lake import tables
from jobs.publish import lineage, marts, reference_entries, reference_page, release
from jobs.publish.contract import Change
from jobs.publish.reference_entries import NOTHING, Words
from jobs.settings import Settings

PAGE, DBT = "index.html", "dbt.html"
# Changes of a mart that are told; `release changes` tells all.
_TOLD = 3
_TIDYING = ("OPTIMIZE", "VACUUM START", "VACUUM END")


def build(settings: Settings, folder: Path) -> list[Path]:
    """Write both pages; returns their paths. Files of that name are replaced whole."""
    folder.mkdir(parents=True, exist_ok=True)
    settings.prepare()
    current = release.current(settings)
    counts = {name: int(told["rows"]) for name, told in current.manifest["tables"].items()} if current else {}
    entries = reference_entries.entries(lineage.of_site(settings))
    for entry in entries:
        if entry.layer in ("clean", "decision", "book") and (
            found := tables.open_table(settings, entry.name)
        ):
            counts[entry.name] = found.count()
    with replacing(folder / PAGE) as fresh:
        page = reference_page.page(
            entries, counts, last_changes(settings, current), _about(settings, current)
        )
        fresh.write_text(page, encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=settings.run) as made, replacing(folder / DBT) as fresh:
        shutil.copyfile(_dbt(settings, Path(made)), fresh)
    return [folder / PAGE, folder / DBT]


def _about(settings: Settings, current: release.Release | None) -> tuple[str, str]:
    if current is None:
        return (f"站点 {settings.site}，尚无发布版本", f"site {settings.site}, no release yet")
    day = current.manifest["as_of_date"]
    return (
        f"站点 {settings.site}，行数取自发布版本 {current.number}（{day}）",
        f"site {settings.site}, rows of release {current.number} ({day})",
    )


def last_changes(settings: Settings, current: release.Release | None) -> dict[str, Words]:
    """When a dataset was last delivered, a table of the lake last written, a mart last changed; by name."""
    opened = {name: tables.open_table(settings, name) for name in declare.all_tables()}
    written = {name: _written(settings, table) for name, table in opened.items() if table}
    return written | _delivered(settings) | _released(settings, current)


def _delivered(settings: Settings) -> dict[str, Words]:
    """Dataset -> the day of its newest delivery."""
    newest: dict[str, str] = {}
    for row in tables.rows(settings, "ops__receipt", ["dataset", "received_date"]):
        if row["dataset"]:
            newest[row["dataset"]] = max(newest.get(row["dataset"], ""), row["received_date"].isoformat())
    return {dataset: (f"{day} 报送", f"delivered {day}") for dataset, day in newest.items()}


def _released(settings: Settings, current: release.Release | None) -> dict[str, Words]:
    """Mart -> its version, and the newest kept release in which it differed from the one before."""
    if current is None:
        return {}
    until = [number for number in release.numbers(settings.releases) if number <= current.number]
    kept = [one for number in until if (one := release.find(settings, number))]
    newest: dict[str, tuple[release.Release, list[Text]]] = {}
    for one in kept:
        words = defaultdict(list)
        for change in one.manifest.get("changes", []):
            words[change["table"]].append(Change(**change).words())
        newest = {mart: (one, told) for mart, told in words.items()} | newest
    found = {}
    for mart, version in current.manifest.get("versions", {}).items():
        one, told = newest.get(mart, (kept[-1], []))
        day = one.manifest["as_of_date"]
        zh, en = f"发布 {one.number}（{day}）", f"release {one.number} ({day})"
        if told:
            zh += f"：{'；'.join(text.zh for text in told[:_TOLD])}"
            en += f": {'; '.join(text.en for text in told[:_TOLD])}"
        else:
            zh, en = f"自{zh}起未变", f"unchanged since {en}"
        found[mart] = (f"版本 {version}，{zh}", f"version {version}, {en}")
    return found


def _written(settings: Settings, table: DeltaTable) -> Words:
    """When a table of the lake was last written to, and by which run; tidying its files changes nothing."""
    last = next(one for one in table.history() if one["operation"] not in _TIDYING)
    moment = datetime.fromtimestamp(last["timestamp"] / 1000, ZoneInfo(settings.timezone))
    written = f"{moment:%Y-%m-%d %H:%M}"
    run = str(last.get("run_id", ""))
    # Some tables are written beside the runs, and say by what.
    by = (f"，运行 {run}", f", run {run}") if run[:1].isdigit() else NOTHING
    return (f"{written} 写入{by[0]}", f"written {written}{by[1]}")


def _dbt(settings: Settings, folder: Path) -> Path:
    """dbt's documentation as one file. Nothing is built; types come from the models' YAML."""
    day, known_at = lineage.AS_OF, lineage.KNOWN_AT
    marts.run_dbt(settings, day, known_at, {}, folder / "empty.duckdb", folder / "dbt", "docs")
    return folder / "dbt" / "static_index.html"
