"""Python's words written into a query of DuckDB, where no parameter can stand: paths, patterns, lists."""

from __future__ import annotations

import re
from pathlib import Path

# What DuckDB takes for a pattern where it reads files; in brackets each stands for itself.
_PATTERN = re.compile(r"[*?[]")


def literals(*values: str | Path) -> str:
    """Literals, one after the other with commas: `literals("a", "b's")` is `'a', 'b''s'`."""
    return ", ".join("'" + str(value).replace("'", "''") + "'" for value in values)


def file_literals(*paths: str | Path) -> str:
    """The same for files that DuckDB reads: each stands for the file of that name and for no other."""
    return literals(*(_PATTERN.sub(r"[\g<0>]", str(path)) for path in paths))


def parquet(*paths: str | Path) -> str:
    """The rows of these Parquet files, as what a query reads from; null where one has no such column."""
    return f"read_parquet([{file_literals(*paths)}], union_by_name = true)"


def identifier(name: str) -> str:
    """A name of a table or column, quoted: `identifier("a b")` is `"a b"`."""
    return '"' + name.replace('"', '""') + '"'
