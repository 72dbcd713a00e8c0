"""What each column of one SELECT is made of: the columns of the relations that it reads, and how.

    compiled SQL of a model, and the columns of all relations -> Reads

A value is `copied`, `renamed`, `computed` or `counted` from another; which rows there are is decided by the
columns that a model filters, joins or groups by (`filtered`). Of several ways the most direct one is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, ScopeType, build_scope
from sqlglot.schema import MappingSchema

# From the most direct way to the least; of two steps one after the other the later in this list holds.
KINDS = ("copied", "renamed", "computed", "counted", "filtered")
# In place of a column: the rows of a relation, which are counted.
ROWS = "*"
DIALECT = "duckdb"


class Point(NamedTuple):
    """A column of a relation, or its rows."""

    relation: str
    column: str

    def __str__(self) -> str:
        return f"{self.relation}.{self.column}"


Edges = dict[Point, str]


class LineageError(ValueError):
    """A model's SQL names a column that nobody declares, or is written in words that are not understood."""


@dataclass(frozen=True)
class Reads:
    """What one model reads: for each column its sources, for its rows the relations and what chooses them."""

    columns: Mapping[str, Edges]
    counted: Edges = field(default_factory=dict)
    rows: Edges = field(default_factory=dict)


def schema_of(columns: Mapping[str, Mapping[str, Mapping[str, str]]]) -> MappingSchema:
    """The columns that models read, from database schema -> relation -> column -> type."""
    return MappingSchema({name: dict(relations) for name, relations in columns.items()}, dialect=DIALECT)


def reads(model: str, compiled: str, schema: MappingSchema, dates: Mapping[str, str]) -> Reads:
    """Sources of every column of a compiled model; `dates`: a literal in it -> what of the run it is.

    Raises LineageError naming the model.
    """
    try:
        tree = sqlglot.parse_one(compiled, dialect=DIALECT)
        for table in tree.find_all(exp.Table):
            table.set("catalog", None)
        tree = qualify(_flat(tree), dialect=DIALECT, schema=schema, validate_qualify_columns=False)
    except SqlglotError as error:
        raise LineageError(f"{model}: {error}") from error
    root = build_scope(tree)
    if root is None:
        raise LineageError(f"{model}: is no SELECT")
    tracer = _Tracer(root, dates)
    return Reads(tracer.outputs(root), tracer.counted(root), tracer.rows(root))


def merged(*found: Edges) -> Edges:
    """All edges; of two to one point the more direct."""
    best: Edges = {}
    for edges in found:
        for point, kind in edges.items():
            if point not in best or is_nearer(kind, best[point]):
                best[point] = kind
    return best


def is_nearer(kind: str, other: str) -> bool:
    """Whether one way is more direct than another."""
    return KINDS.index(kind) < KINDS.index(other)


def after(kind: str, edges: Edges) -> Edges:
    """The same points, one step of this kind further."""
    return {point: max(kind, own, key=KINDS.index) for point, own in edges.items()}


def _flat(tree: exp.Expr) -> exp.Expr:
    """`unnest([{a: x}, {a: y}], recursive := true)` as `unnest([x, y]) as a`: a column for each field."""
    for select in list(tree.find_all(exp.Select)):
        projections: list[exp.Expr] = []
        for one in select.expressions:
            projections += _fields(one) or [one]
        select.set("expressions", projections)
    return tree


def _fields(projection: exp.Expr) -> list[exp.Expr]:
    inner = projection.unalias()
    arguments = list(inner.iter_expressions()) if isinstance(inner, exp.Explode | exp.Unnest) else []
    structs = [s for a in arguments if isinstance(a, exp.Array) for s in a.expressions]
    if not structs or not all(isinstance(s, exp.Struct) for s in structs):
        return []
    values: dict[str, list[exp.Expr]] = {}
    for struct in structs:
        for pair in struct.expressions:
            values.setdefault(pair.this.name, []).append(pair.expression.copy())
    return [
        exp.alias_(exp.Explode(this=exp.Array(expressions=own)), name, quoted=True)
        for name, own in values.items()
    ]


class _Tracer:
    """Follows columns through the scopes (CTEs, subqueries, set operations) of one query."""

    def __init__(self, root: Scope, dates: Mapping[str, str]) -> None:
        self._scopes = {id(scope.expression): scope for scope in root.traverse()}
        self._dates = dates
        self._outputs: dict[int, dict[str, Edges]] = {}
        self._rows: dict[int, Edges] = {}

    def outputs(self, scope: Scope) -> dict[str, Edges]:
        """Column -> its sources, for what a scope gives."""
        key = id(scope)
        if key not in self._outputs:
            self._outputs[key] = {}  # a recursive query reads what it has so far
            self._outputs[key] = self._output(scope)
        return self._outputs[key]

    def _output(self, scope: Scope) -> dict[str, Edges]:
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            sides = [self.outputs(side) for side in _sides(scope)]
            if query.args.get("by_name"):
                names = dict.fromkeys(name for side in sides for name in side)
                return {name: merged(*(side.get(name, {}) for side in sides)) for name in names}
            # by place: the first side names the columns
            placed = [list(side.items()) for side in sides]
            return {
                name: merged(*(_named(name, *side[at]) for side in placed if at < len(side)))
                for at, name in enumerate(sides[0])
            }
        if isinstance(query, exp.Select):
            return {one.alias_or_name: self._projected(one, scope) for one in query.selects}
        return {}

    def _projected(self, projection: exp.Expr, scope: Scope) -> Edges:
        edges = self._trace(projection, scope)
        inner = _bare(projection)
        if isinstance(inner, exp.Column) and inner.name != projection.alias_or_name:
            return after("renamed", edges)
        return edges

    def rows(self, scope: Scope) -> Edges:
        """The columns that choose a scope's rows, `filtered`."""
        key = id(scope)
        if key not in self._rows:
            self._rows[key] = {}
            self._rows[key] = after("filtered", self._chosen(scope))
        return self._rows[key]

    def _chosen(self, scope: Scope) -> Edges:
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            return merged(*(self.rows(side) for side in _sides(scope)))
        sources = [source for _, source in scope.selected_sources.values() if isinstance(source, Scope)]
        inner = [self._scopes.get(id(_query(s)), s) if s.scope_type == ScopeType.UDTF else s for s in sources]
        below = [self.rows(source) for source in inner]
        parts: list[exp.Expr] = [query.args[key] for key in _CHOOSING if query.args.get(key)]
        parts += [join.args["on"] for join in query.args.get("joins") or () if join.args.get("on")]
        return merged(*below, *(self._trace(part, scope) for part in parts))

    def counted(self, scope: Scope) -> Edges:
        """The relations whose rows become a scope's rows; what is joined from the left only adds to a row."""
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            return merged(*(self.counted(side) for side in _sides(scope)))
        beside = {
            join.this.alias_or_name
            for join in query.args.get("joins") or ()
            if join.side == "LEFT" or join.kind in ("SEMI", "ANTI")
        }
        found: list[Edges] = []
        for name, (_, source) in scope.selected_sources.items():
            if name in beside:
                continue
            if isinstance(source, Scope):
                found.append(self.counted(source) if source is not scope else {})
            elif _relation(source):
                found.append({Point(_relation(source), ROWS): "counted"})
        return merged(*found)

    def _trace(self, node: exp.Expr, scope: Scope) -> Edges:
        """The sources of an expression in a scope."""
        if id(node) in self._scopes and self._scopes[id(node)] is not scope:
            return self._nested(self._scopes[id(node)])
        if isinstance(node, exp.Column):
            return self._column(node, scope)
        if isinstance(node, exp.Literal):
            return {Point("run", self._dates[node.this]): "copied"} if node.this in self._dates else {}
        if isinstance(node, exp.Window):
            return self._window(node, scope)
        if isinstance(node, exp.Case | exp.If):
            return self._either(node, scope)
        if isinstance(node, exp.Filter):
            by = "counted" if isinstance(node.this, exp.Count) else "filtered"
            return merged(self._trace(node.this, scope), after(by, self._trace(node.expression, scope)))
        below = self._traced(node.iter_expressions(), scope)
        if isinstance(node, exp.AggFunc):
            return after(
                "counted" if isinstance(node, exp.Count) else "computed", below or self.counted(scope)
            )
        return below if isinstance(node, _TRANSPARENT) else after("computed", below)

    def _traced(self, nodes: Iterable[exp.Expr], scope: Scope) -> Edges:
        return merged(*(self._trace(node, scope) for node in nodes))

    def _nested(self, scope: Scope) -> Edges:
        """A query within an expression: what it gives, and by what it chose."""
        given = merged(*self.outputs(scope).values()) or self.counted(scope)
        return merged(after("computed", given), self.rows(scope))

    def _either(self, node: exp.Case | exp.If, scope: Scope) -> Edges:
        """One of several values: what decides which one is its source only where all are written out."""
        ifs = node.args.get("ifs") or [node]
        values = [one.args["true"] for one in ifs]
        values += [node.args[key] for key in ("default", "false") if node.args.get(key)]
        deciding = [one.this for one in ifs if one is not node.this]
        deciding += [node.this] if isinstance(node, exp.Case) and node.this else []
        value = self._traced(values, scope)
        decided = self._traced(deciding, scope)
        return merged(after("computed", value), after("filtered" if value else "computed", decided))

    def _window(self, node: exp.Window, scope: Scope) -> Edges:
        """A function over a window; where it has no argument (`row_number()`), its order is its value."""
        value = self._trace(node.this, scope)
        around = self._traced((e for e in node.iter_expressions() if e is not node.this), scope)
        return merged(after("computed", value), after("filtered" if value else "computed", around))

    def _column(self, column: exp.Column, scope: Scope) -> Edges:
        source = _source(column.table or self._holder(column.name, scope), scope)
        if isinstance(source, Scope):
            if source.scope_type == ScopeType.UDTF:
                return self._function(column.name, source, scope)
            return self.outputs(source).get(column.name, {})
        if source is None:
            return {}
        if relation := _relation(source):
            return {Point(relation, column.name): "copied"}
        return after("computed", self._traced(source.this.iter_expressions(), scope))

    def _holder(self, column: str, scope: Scope) -> str:
        """The one source of a scope that has a column which names none, as where a query looks aside."""
        held = [n for n, s in scope.sources.items() if isinstance(s, Scope) and column in self.outputs(s)]
        return held[0] if len(held) == 1 else ""

    def _function(self, column: str, source: Scope, scope: Scope) -> Edges:
        """A column of `lateral (select …)`, or of a function over columns beside it, such as `unnest(a)`."""
        inner = self._scopes.get(id(_query(source)))
        if inner is not None and inner is not source:
            return self.outputs(inner).get(column, {})
        outer = source.parent or scope
        return after("computed", self._traced(source.expression.iter_expressions(), outer))


_CHOOSING = ("where", "group", "having", "qualify")
_TRANSPARENT = (exp.Alias, exp.Paren, exp.Cast, exp.TryCast, exp.Where, exp.Group, exp.Having, exp.Qualify)


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, _TRANSPARENT):
        node = node.this
    return node


def _query(scope: Scope) -> exp.Expr:
    """The SELECT of `lateral (select …)`."""
    inner: exp.Expr = scope.expression
    while isinstance(inner, exp.Lateral | exp.Subquery):
        inner = inner.this
    return inner


def _named(name: str, other: str, edges: Edges) -> Edges:
    return edges if name == other else after("renamed", edges)


def _sides(scope: Scope) -> list[Scope]:
    return [side for side in scope.set_operation_scopes or () if isinstance(side, Scope)]


def _source(name: str, scope: Scope | None) -> exp.Table | Scope | None:
    """What a column's table is: a query within a query also sees the tables around it."""
    while scope is not None:
        if name in scope.sources:
            found: exp.Table | Scope = scope.sources[name]
            return found
        scope = scope.parent
    return None


def _relation(table: exp.Table) -> str:
    """The name by which the graph knows a relation; empty for a function such as `range(3)`."""
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return ""
    return f"standards.{table.name}" if table.db == "standards" else str(table.name)
