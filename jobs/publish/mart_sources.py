"""What dbt's models are called, and which tables of the lake they read: told by their SQL, without dbt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from jobs import declare
from jobs.settings import ROOT

MODELS = ROOT / "dbt" / "models"

# What a model reads: another model, or (view of the window, table).
_REF = re.compile(r"""ref\(\s*['"](\w+)['"]\s*\)""")
SOURCE = re.compile(r"""source\(\s*['"](\w+)['"]\s*,\s*['"](\w+)['"]\s*\)""")


def names() -> list[str]:
    """The names of all marts, longest first: one may begin with another."""
    found = (path.stem for path in (MODELS / "marts").rglob("*.sql"))
    return sorted(found, key=lambda name: (-len(name), name))


def texts() -> dict[str, str]:
    """The SQL of every model, as written."""
    return {path.stem: path.read_text("utf-8") for path in MODELS.rglob("*.sql")}


def tables_behind(models: Iterable[str], sql: Mapping[str, str] | None = None) -> set[str]:
    """The lake's tables that some models read, themselves or through others; `sql` is `texts` read before."""
    sql = sql or texts()
    reached: set[str] = set()
    waiting = set(models)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= set(_REF.findall(sql[name])) - reached
    read = {table for name in reached for _, table in SOURCE.findall(sql[name])}
    return read & set(declare.all_tables())
