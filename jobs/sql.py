"""Python's words written into a query of DuckDB, where no parameter can stand: paths, patterns, lists."""

from __future__ import annotations

from pathlib import Path


def literals(*values: str | Path) -> str:
    """Literals, one after the other with commas: `literals("a", "b's")` is `'a', 'b''s'`."""
    return ", ".join("'" + str(value).replace("'", "''") + "'" for value in values)


def identifier(name: str) -> str:
    """A name of a table or column, quoted: `identifier("a b")` is `"a b"`."""
    return '"' + name.replace('"', '""') + '"'
