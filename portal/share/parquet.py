"""A table of a release as Delta Sharing has it: its schema in Spark's words, its rows as Parquet files."""

from __future__ import annotations

import re
from typing import IO, Any

from jobs import origin
from jobs.sql import identifier
from portal.selection import Selection

PART_ROWS = 500_000
_BATCH_ROWS = 50_000
# DuckDB's type -> the one that Spark can read, where it has none like it.
_CAST = {"UTINYINT": "SMALLINT", "USMALLINT": "INTEGER", "UINTEGER": "BIGINT", "UBIGINT": "DECIMAL(20, 0)"}
_CAST |= {"HUGEINT": "DECIMAL(38, 0)", "UHUGEINT": "DECIMAL(38, 0)"}
_AS_IT_IS = re.compile(r"BOOLEAN|(TINY|SMALL|BIG)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|VARCHAR|DATE|BLOB")
_SPARK = {
    "bool": "boolean",
    "int8": "byte",
    "int16": "short",
    "int32": "integer",
    "int64": "long",
    "float": "float",
    "double": "double",
    "date32[day]": "date",
    "binary": "binary",
}


def _cells(selection: Selection) -> list[str]:
    cells = [_cell(column["name"], column["type"]) for column in selection.told_columns]
    return [*cells, f"true as {origin.COLUMN}"] if selection.snapshot.is_synthetic else cells


def _cell(name: str, kind: str) -> str:
    column = identifier(name)
    if kind.startswith("TIMESTAMP"):
        # Instants of the lake are in UTC; Spark's `timestamp` is one with a zone.
        instant = column if kind.endswith("TIME ZONE") else f"timezone('UTC', {column}::timestamp)"
        return f"{instant} as {column}"
    if _AS_IT_IS.fullmatch(kind):
        return column
    return f"{column}::{_CAST.get(kind, 'VARCHAR')} as {column}"


def schema(selection: Selection) -> Any:
    """The schema of the files, in Arrow."""
    with selection.snapshot.asked() as cursor:
        query = f"select {', '.join(_cells(selection))} from {identifier(selection.table)} limit 0"
        return cursor.sql(query).to_arrow_reader().schema


def in_spark(selection: Selection, told: Any) -> dict[str, Any]:
    """The same in Spark's words, with the meaning of each column."""
    meanings = {column["name"]: column for column in selection.told_columns}
    fields = []
    for field in told:
        kind = str(field.type)
        if kind.startswith("decimal128"):
            kind = kind.replace("decimal128", "decimal").replace(" ", "")
        elif kind.startswith("timestamp"):
            kind = "timestamp"
        else:
            kind = _SPARK.get(kind, "string")
        column = meanings.get(field.name, {})
        comment = " ".join(filter(None, (column.get("title_zh"), column.get("description"))))
        metadata = {"comment": comment} if comment else {}
        fields.append({"name": field.name, "type": kind, "nullable": True, "metadata": metadata})
    return {"type": "struct", "fields": fields}


def write(selection: Selection, first: int, last: int, out: IO[bytes]) -> None:
    """Rows `first` to before `last` of the file that the scope may see."""
    from pyarrow import parquet

    told = schema(selection)
    where, values = selection.where("rowid >= ? and rowid < ?")
    query = f"select {', '.join(_cells(selection))} from {identifier(selection.table)}{where} order by rowid"
    with (
        selection.snapshot.asked() as cursor,
        parquet.ParquetWriter(out, told, compression="snappy") as writer,
    ):
        for at in range(first, last, _BATCH_ROWS):
            bound = [*values, at, min(at + _BATCH_ROWS, last)]
            for batch in cursor.sql(query, params=bound).to_arrow_reader():
                writer.write_batch(batch.cast(told))
