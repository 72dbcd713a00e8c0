"""The reference as files: the searchable page of all layers, and dbt's own documentation.

`build` writes `index.html` and `dbt.html` into a folder. Both open from the disk. Row counts are those of the
current release and of the lake's tables; without a release there are none.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from jobs.files import replacing
from jobs.lake import tables
from jobs.publish import lineage, marts, reference_entries, reference_page, release
from jobs.settings import Settings

PAGE, DBT = "index.html", "dbt.html"


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
        fresh.write_text(reference_page.page(entries, counts, _about(settings, current)), encoding="utf-8")
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


def _dbt(settings: Settings, folder: Path) -> Path:
    """dbt's documentation as one file. Nothing is built; types come from the models' YAML."""
    day, known_at = lineage.AS_OF, lineage.KNOWN_AT
    marts.run_dbt(settings, day, known_at, {}, folder / "empty.duckdb", folder / "dbt", "docs")
    return folder / "dbt" / "static_index.html"
