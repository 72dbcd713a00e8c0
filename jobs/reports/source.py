"""Read a release for a report: rows, what the release says of its columns, and the units that it knows."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from jobs.publish import release as releases
from jobs.publish.published_models import PUPILS
from jobs.publish.release import CITY, Release
from jobs.reports.model import clean
from jobs.settings import UserError

Row = dict[str, Any]
_NAMED = 5
# Kind of unit -> the table that lists it, the columns of its code and name, and its word.
_UNITS = {
    "school": ("dim_school", "school_code", "school_name", "学校 school"),
    "group": ("dim_school_group", "school_group_code", "school_group_name", "教育集团 school group"),
    "district": ("dim_district", "district_code", "district_name_zh", "区 district"),
}


class Source:
    """One file of a release, read-only. Texts come without control characters."""

    def __init__(self, release: Release, audience: str = CITY) -> None:
        self.release, self.audience = release, audience
        self._connection = releases.open_release(release, audience)
        about = self._connection.execute("select table_name, column_name, description from _column")
        self.meanings = {(table, column): meaning or "" for table, column, meaning in about.fetchall()}
        self.tables = {table for table, _ in self.meanings}

    @property
    def as_of(self) -> str:
        """The day that the release shows."""
        return str(self.release.manifest["as_of_date"])

    def has(self, *names: str) -> bool:
        """Whether the release has all these tables."""
        return self.tables.issuperset(names)

    def rows(self, query: str, *given: object) -> list[Row]:
        """Rows of a query, each a dict."""
        found = self._connection.execute(query, list(given))
        names = [column[0] for column in found.description or []]
        return [
            {
                name: clean(value) if isinstance(value, str) else value
                for name, value in zip(names, row, strict=True)
            }
            for row in found.fetchall()
        ]

    def unit(self, kind: str, code: str) -> Row:
        """The row of a school, group or district. Raises UserError with near ones for an unknown code."""
        table, key, name, word = _UNITS[kind]
        wanted = code.strip()
        if not self.has(table):
            raise UserError(f"this release has no {table}.", "Make a newer one: `./edulake run`.")
        known = self.rows(f"select {key} as code, {name} as name, * from {table} order by all")
        found = [row for row in known if wanted in (row["code"], row["name"])]
        if len(found) == 1:
            return found[0]
        near = found or _near(wanted, known)
        told = "；".join(f"{row['code']} {row['name']}" for row in near[:_NAMED])
        raise UserError(
            f"{word}: {'more than one is' if found else 'none is'} called {wanted!r} in release"
            f" {self.release.number}.",
            f"Near it: {told}" if told else "This release lists none: its registers have not been handed in.",
        )


def _near(wanted: str, known: Sequence[Row]) -> list[Row]:
    """Units that hold the text or nearly its code or name, those that hold it first; else the first ones."""
    holding = [row for row in known if wanted and (wanted in row["name"] or wanted in row["code"])]
    words = [text for row in known for text in (row["code"], row["name"])]
    alike = set(difflib.get_close_matches(wanted, words, _NAMED, cutoff=0.6))
    return holding + [
        row for row in known if alike & {row["code"], row["name"]} and row not in holding
    ] or list(known)


def open_source(release: Release, audience: str = CITY) -> Source:
    """The file of an audience. Raises UserError where the release has none for it."""
    try:
        return Source(release, audience)
    except KeyError as error:
        districts = sorted(
            name.removeprefix("district-").removesuffix(".duckdb")
            for name in release.manifest["files"]
            if name.startswith("district-") and not name.endswith(f"{PUPILS}.duckdb")
        )
        raise UserError(
            f"release {release.number} has no file for {audience}: nothing of it was handed in.",
            f"Districts with data: {', '.join(districts) or 'none'}.",
        ) from error
