"""The type words of the declarations in Arrow, Spark and DuckDB."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa

from jobs.declare.model import ContractError

# One word of ours in three systems' types.
_ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "date": pa.date32(),
    "bool": pa.bool_(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.string()),
}
_SPARK = {"bool": "boolean"}
_DUCKDB = {
    "string": "varchar",
    "int": "integer",
    "bool": "boolean",
    "timestamp": "timestamptz",
    "array<string>": "varchar[]",
}


def arrow_type(kind: str) -> pa.DataType:
    """Our type word as an Arrow type; `decimal(p,s)` too. Raises ContractError for an unknown word."""
    decimal = re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", kind)
    if decimal:
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if kind not in _ARROW:
        raise ContractError(f"unknown type {kind!r}")
    return _ARROW[kind]


def spark_type(kind: str) -> str:
    """A type word as Spark writes it."""
    return _SPARK.get(kind, kind)


def duckdb_type(kind: str) -> str:
    """A type word as DuckDB writes it."""
    return _DUCKDB.get(kind, kind)


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """An Arrow schema of name -> type word."""
    return pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()])


def spark_ddl(columns: Mapping[str, str]) -> str:
    """The same as a Spark schema string."""
    return ", ".join(f"`{name}` {spark_type(kind)}" for name, kind in columns.items())
