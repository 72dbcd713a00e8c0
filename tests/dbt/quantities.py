"""What a column of a dbt model is made of, read off the compiled SQL: which quantity, which quotient of two.

A quantity is a set of names: each model's column that it passes through unchanged
(`fct_fitness_rate.pass_count`) and, where it is counted, the expression with its columns resolved. A cast, a
sum over units, a factor, a default or a condition leaves it the same quantity. Two expressions are one
quantity where they share a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from sqlglot import exp, parse_one
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

# What the macros metric_share, metric_bound and is_void leave in compiled SQL (dbt/macros/metrics.sql).
_BY_MACRO = re.compile(r"/\*(metric|bound|void)\s*(\w*)\*/.*?/\*end\*/", re.DOTALL)
_SAME = (exp.Cast, exp.TryCast, exp.Paren, exp.Alias, exp.Sum, exp.Max, exp.Min, exp.AnyValue, exp.Round)
_HELD = (exp.Nullif, exp.Coalesce, exp.Greatest, exp.Window, exp.Filter)
METRIC = "metric:"

Names = frozenset[str]


def _selected(scope: Scope) -> list[exp.Expr]:
    """The columns of a query."""
    return list(scope.expression.selects) if isinstance(scope.expression, exp.Query) else []


class Models:
    """The models of one build: name -> compiled SQL, and name -> its columns."""

    def __init__(self, compiled: Mapping[str, str], columns: Mapping[str, list[str]]) -> None:
        self._compiled, self._columns = compiled, columns
        self._scopes: dict[str, Scope | None] = {}
        self._traced: dict[tuple[str, str], Names] = {}
        self._open: set[tuple[int, str]] = set()

    @cached_property
    def _schema(self) -> dict[str, object]:
        return {name: dict.fromkeys(columns, "text") for name, columns in self._columns.items()}

    def scope(self, model: str) -> Scope | None:
        """The outermost query of a model with every column qualified."""
        if model not in self._scopes:
            told = _BY_MACRO.sub(
                lambda found: f" by_macro('{found[1]}', '{found[2]}') ", self._compiled[model]
            )
            query = parse_one(told, dialect="duckdb")
            for table in query.find_all(exp.Table):
                table.set("db", None)
                table.set("catalog", None)
            qualified = qualify(
                query,
                dialect="duckdb",
                schema=self._schema,
                validate_qualify_columns=False,
                quote_identifiers=False,
                identify=False,
            )
            self._scopes[model] = build_scope(qualified)
        return self._scopes[model]

    def column(self, model: str, column: str) -> Names:
        """The quantity of a model's column."""
        key = (model, column)
        if key not in self._traced:
            self._traced[key] = frozenset()
            scope = self.scope(model) if model in self._compiled else None
            deeper = self._projected(scope, column) if scope else frozenset()
            self._traced[key] = deeper | {f"{model}.{column}"}
        return self._traced[key]

    def _projected(self, scope: Scope, column: str) -> Names:
        key = (id(scope), column)
        if key in self._open:
            return frozenset()  # a recursive query reads itself
        self._open.add(key)
        try:
            if isinstance(scope.expression, exp.SetOperation):
                return self._of_sides(scope, column)
            for projected in _selected(scope):
                if projected.alias_or_name == column:
                    return self.quantity(projected, scope)
            return frozenset()
        finally:
            self._open.discard(key)

    def _of_sides(self, scope: Scope, column: str) -> Names:
        """A column of a union, by name where it says so, else by its place in the first query."""
        first, second = scope.set_operation_scopes
        names = [projected.alias_or_name for projected in _selected(first)]
        found = self._projected(first, column)
        if scope.expression.args.get("by_name") or column not in names:
            return found | self._projected(second, column)
        others = [projected.alias_or_name for projected in _selected(second)]
        return found | self._projected(second, others[names.index(column)])

    def quantity(self, node: exp.Expr, scope: Scope) -> Names:
        """The quantity of an expression of a query; empty for what has no name, as a bare count(*)."""
        if isinstance(node, exp.Column):
            source = scope.sources.get(node.table)
            if isinstance(source, Scope):
                return self._projected(source, node.name)
            return self.column(source.name, node.name) if source is not None else frozenset()
        if isinstance(node, exp.Anonymous) and node.name.lower() == "by_macro":
            kind, metric = (argument.name for argument in node.expressions)
            return frozenset({f"{METRIC}{metric}"} if kind == "metric" else ())
        if isinstance(node, exp.Filter) or (isinstance(node, exp.Count) and node.find(exp.Column)):
            return self._counted(node, scope)
        if isinstance(node, (*_SAME, *_HELD)):
            return self.quantity(node.this, scope)
        if isinstance(node, exp.Mul):
            sides = [side for side in (node.left, node.right) if not isinstance(side.unnest(), exp.Literal)]
            return self.quantity(sides[0], scope) if len(sides) == 1 else frozenset()
        if isinstance(node, exp.Case):
            kept = [branch.args["true"] for branch in node.args["ifs"]] + [node.args.get("default")]
            values = [value for value in kept if value is not None and not isinstance(value, exp.Null)]
            return self.quantity(values[0], scope) if len(values) == 1 else frozenset()
        return frozenset()

    def _counted(self, node: exp.Expr, scope: Scope) -> Names:
        """A count of rows that a condition picks: the same wherever the condition and its columns are."""
        if isinstance(node, exp.Filter) and not isinstance(node.this, exp.Count):
            return self.quantity(node.this, scope)
        written = node.copy()
        for column in list(written.find_all(exp.Column)):
            origins = sorted(self.quantity(column, scope))
            column.replace(exp.column(origins[0] if origins else column.name))
        return frozenset({written.sql(dialect="duckdb").replace('"', "").lower()})

    def quotients(self, model: str) -> Iterator[tuple[Names, Names, str]]:
        """Each division of a model: the quantity above, the one below, and the text."""
        scope = self.scope(model)
        for part in scope.traverse() if scope else ():
            for node in part.expression.find_all(exp.Div):
                if node.find_ancestor(exp.Select) is part.expression:
                    yield self.quantity(node.left, part), self.quantity(node.right, part), node.sql("duckdb")
