"""Column lineage: from a column of a mart to the headings in senders' files, and back.

    compiled SQL of all models, contracts, `expectations/decided_from.yaml` -> Lineage

Each arrow is one step: mart <- intermediate <- staging <- decision table <- clean table <- heading. It ends
at a heading of a dataset, a code list, a dated standard, the delivery, a book of the lake (`ops__`), a date
of the run, or what a model writes out itself. What Python computes is known by table: `decided_from.yaml`
says which modules compute a decision table and what they read, and the columns are found in their text.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fnmatch import fnmatch
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from jobs import declare
from jobs.declare import EXPECTATIONS, Contract
from jobs.files import parse_yaml, replacing
from jobs.publish import lineage_sql, marts, views
from jobs.publish.lineage_sql import ROWS, Edges, Point, after, merged
from jobs.settings import ROOT, Settings

DECIDED_FROM = EXPECTATIONS / "decided_from.yaml"
DECIDE = ROOT / "jobs" / "decide"
STANDARDS = "standards."
# Where arrows end beside headings, code lists, standards and the lake's books.
DELIVERY, RUN, WRITTEN = "delivery", "run", "written"

# Dates that nobody would write into a model: where they stand in compiled SQL, a date of the run stands.
AS_OF, KNOWN_AT = date(2001, 2, 3), datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
_DATES = {AS_OF.isoformat(): "as_of_date", KNOWN_AT.isoformat(): "known_at"}
# Columns of every statement, and what of the delivery they tell.
_OF_DELIVERY = {
    **dict.fromkeys(
        ("valid_from", "valid_to", "stated_on", "recorded_at", "school_year_start", "term"), "day"
    ),
    **dict.fromkeys(("scope_key", "sender_code", "school_code"), "sender"),
    **dict.fromkeys(("_file_sha256", "_table", "_line_number"), "file"),
    **dict.fromkeys(("delivery_no", "_delivery_id", "_batch_id"), "delivery"),
}


@dataclass(frozen=True)
class Lineage:
    """All arrows: of each column to what it is made of, and of each relation to what chooses its rows."""

    columns: Mapping[Point, Edges]
    rows: Mapping[str, Edges]
    # Models in the order of dbt's layers: staging, intermediate, marts.
    layers: Mapping[str, str] = field(default_factory=dict)

    def reads(self, point: Point) -> Edges:
        """One step up; nothing at an end."""
        return self.columns.get(point, {})

    def sources(self, point: Point) -> Edges:
        """The ends of all arrows from a point, each by its most direct way."""
        return {end: kind for end, kind in self._all(point, self.columns).items() if end not in self.columns}

    def made_of(self, point: Point) -> Edges:
        """Every point above, ends and steps."""
        return self._all(point, self.columns)

    def read_by(self, point: Point) -> Edges:
        """Every column below that has this one in its value, or (`filtered`) in the choice of its value."""
        return self._all(point, self._back)

    def rows_by(self, point: Point) -> list[str]:
        """The models whose rows this point, or a column made of it, chooses."""
        below = {point, *self.read_by(point)}
        return sorted(model for model, edges in self.rows.items() if not below.isdisjoint(edges))

    def step_down(self, point: Point) -> Edges:
        """One step down."""
        return self._back.get(point, {})

    @property
    def points(self) -> Iterator[Point]:
        """Everything that has a name: columns, and the ends of arrows."""
        yield from dict.fromkeys([*self.columns, *self._back])

    @cached_property
    def _back(self) -> Mapping[Point, Edges]:
        back: dict[Point, Edges] = defaultdict(dict)
        for point, edges in self.columns.items():
            for source, kind in edges.items():
                back[source][point] = kind
        return dict(back)

    def _all(self, start: Point, arrows: Mapping[Point, Edges]) -> Edges:
        found: Edges = {}
        waiting = [(start, "copied")]
        while waiting:
            point, kind = waiting.pop()
            for other, step in after(kind, arrows.get(point, {})).items():
                if other not in found or lineage_sql.is_nearer(step, found[other]):
                    found[other] = step
                    waiting.append((other, step))
        return found


def of_site(settings: Settings) -> Lineage:
    """The lineage of today's models and declarations, from the site's cache or made anew in seconds."""
    file = _cache(settings)
    if file.is_file() and (kept := json.loads(file.read_text("utf-8")))["key"] == _key():
        return _unpacked(kept)
    with tempfile.TemporaryDirectory(dir=settings.prepare().run) as folder:
        made = of_models(compiled(settings, Path(folder)))
    keep(settings, made)
    return made


def keep(settings: Settings, made: Lineage) -> None:
    """Keep a lineage of today's models and declarations for the site's next question."""
    with replacing(_cache(settings)) as fresh:
        fresh.write_text(json.dumps({"key": _key(), **_packed(made)}), encoding="utf-8")


def compiled(settings: Settings, folder: Path) -> dict[str, Any]:
    """dbt's manifest with every model's compiled SQL. Nothing is built; no table of the lake is read."""
    marts.run_dbt(settings, AS_OF, KNOWN_AT, {}, folder / "empty.duckdb", folder / "dbt", "compile")
    found: dict[str, Any] = json.loads((folder / "dbt" / "manifest.json").read_text("utf-8"))
    return found


def of_models(manifest: Mapping[str, Any], dates: Mapping[str, str] = _DATES) -> Lineage:
    """The lineage of a manifest with compiled SQL; `dates`: a literal in it -> which date of the run it is.

    Raises LineageError naming a model that cannot be read.
    """
    models = {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}
    schema = lineage_sql.schema_of(_columns(models))
    columns, rows = _lake()
    for name, node in models.items():
        found = lineage_sql.reads(name, node["compiled_code"], schema, dates)
        columns[Point(name, ROWS)] = merged(found.counted, found.rows)
        rows[name] = found.rows
        for column in node["columns"]:
            edges = found.columns.get(column, {})
            columns[Point(name, column)] = edges or {Point(WRITTEN, name): "copied"}
    return Lineage(columns, rows, {name: node["fqn"][1] for name, node in models.items()})


def _columns(models: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, dict[str, str]]]:
    """Schema -> relation -> column -> type, of all that models read."""
    found: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for name, node in models.items():
        found[node["schema"]][name] = {c: told["data_type"] for c, told in node["columns"].items()}
    with duckdb.connect() as connection:
        asked = {"as_of_date": AS_OF.isoformat(), "known_at": KNOWN_AT.isoformat(), "tables": {}}
        views.create_views(connection, asked)
        for schema, table, column, kind in connection.execute(
            "select schema_name, table_name, column_name, data_type from duckdb_columns()"
            " where not internal order by all"
        ).fetchall():
            found[schema][table][column] = kind
    return found


# The lake's own layers: declared, not written in SQL


def _lake() -> tuple[dict[Point, Edges], dict[str, Edges]]:
    """Arrows of clean tables to headings, and of decision tables to clean ones."""
    columns: dict[Point, Edges] = {}
    for contract in declare.load().values():
        for table in contract.tables:
            columns[Point(table, ROWS)] = {Point(contract.dataset, ROWS): "counted"}
            for column in declare.table_columns(table):
                columns[Point(table, column)] = _of_clean(contract, column)
    for table, entry in decided_from().items():
        read = {table_of(name): read_columns(entry, name) for name in entry["reads"]}
        if table in declare.STATEMENTS_OF:
            (scored,) = read
            own = declare.table_columns(table)
            read[scored] = [c for c in declare.table_columns(scored) if c in own or c in read[scored]]
        columns[Point(table, ROWS)] = {Point(name, ROWS): "computed" for name in read}
        for column, kind in declare.table_columns(table).items():
            exact = next((of for name, of in entry.get("columns", {}).items() if fnmatch(column, name)), None)
            columns[Point(table, column)] = _of_decision(table, column, kind, read, exact)
    return columns, {}


def _of_clean(contract: Contract, column: str) -> Edges:
    """A clean column's headings: the first is the template's; the sender's spellings of it mean the same."""
    named = {c.name: c for c in contract.columns}
    if column in named:
        own = named[column]
        edges: Edges = {Point(contract.dataset, own.headings[0]): "computed" if own.codes else "copied"}
        return edges | ({Point(STANDARDS + own.codes, "code"): "computed"} if own.codes else {})
    by = {
        contract.person_key: contract.identity,
        "pupil_number_kind": contract.identity,
        "document_key": contract.identity_document,
        "valid_from": contract.valid_from,
        "stated_on": contract.stated_on,
    }.get(column)
    if by in named:
        return {Point(contract.dataset, named[str(by)].headings[0]): "computed"}
    if column in ("flags", "is_withdrawn"):
        return {Point(contract.dataset, ROWS): "computed"}
    return {Point(DELIVERY, _OF_DELIVERY[column]): "computed"}


def _of_decision(
    table: str, column: str, kind: str, read: Mapping[str, list[str]], exact: list[str] | None
) -> Edges:
    """A decision's column: what is declared, or what it repeats under the same name, else everything that its
    modules read.
    """
    if column in ("run_id", "recorded_at"):
        return {Point(RUN, "known_at" if column == "recorded_at" else column): "copied"}
    if exact is not None:
        told = {
            Point(name, one): "computed" for name, columns in read.items() for one in exact if one in columns
        }
        return told or {Point(WRITTEN, table): "copied"}
    same = {Point(name, column): "copied" for name, columns in read.items() if column in columns}
    repeats = kind in ("string", "date") or table in declare.STATEMENTS_OF
    if same and repeats:
        return same
    pairs = [Point(name, one) for name, columns in read.items() for one in columns]
    return {point: "computed" for point in pairs if point.column not in declare.STATEMENT_COLUMNS}


@cache
def decided_from() -> dict[str, dict[str, Any]]:
    """Decision table -> `made_by`, `reads` and perhaps `columns`, as declared."""
    found: dict[str, dict[str, Any]] = parse_yaml(DECIDED_FROM.read_text("utf-8"))
    return found


def table_of(name: str) -> str:
    """The table of a dataset or of a decision table's own name."""
    contract = declare.load().get(name)
    return contract.table if contract else name


def read_columns(entry: Mapping[str, Any], name: str) -> list[str]:
    """The columns of a table that the text of a decision's modules names; all of one that they take whole."""
    text = "\n".join((DECIDE / file).read_text("utf-8") for file in entry["made_by"])
    words = set(re.findall(r"\w+", text))
    own = [
        c for c in declare.table_columns(table_of(name)) if c not in (*declare.STATEMENT_COLUMNS, "run_id")
    ]
    return [column for column in own if column in words] or own


# The cache


def _cache(settings: Settings) -> Path:
    return settings.run / "lineage.json"


def _key() -> str:
    """A digest of all that the lineage is made of."""
    digest = sha256()
    parts = [marts.PROJECT / "models", marts.PROJECT / "macros", EXPECTATIONS, DECIDE]
    files = [
        f for part in parts for f in part.rglob("*") if f.suffix in (".sql", ".yml", ".yaml", ".csv", ".py")
    ]
    for file in sorted([*files, Path(__file__), Path(lineage_sql.__file__)]):
        digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _packed(lineage: Lineage) -> dict[str, Any]:
    return {
        "columns": [
            [*point, [[*to, kind] for to, kind in edges.items()]] for point, edges in lineage.columns.items()
        ],
        "rows": {model: [[*to, kind] for to, kind in edges.items()] for model, edges in lineage.rows.items()},
        "layers": dict(lineage.layers),
    }


def _unpacked(kept: Mapping[str, Any]) -> Lineage:
    def edges(listed: list[list[str]]) -> Edges:
        return {Point(relation, column): kind for relation, column, kind in listed}

    return Lineage(
        {Point(relation, column): edges(to) for relation, column, to in kept["columns"]},
        {model: edges(to) for model, to in kept["rows"].items()},
        kept["layers"],
    )
