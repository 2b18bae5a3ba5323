"""Binding: a query's names become ids, and the query becomes one that duckdb can run.

Tables and materialized views turn into their stored objects with exactly the columns they have
now; plain views are bound anew at every use, under the reader's search path; system relations
turn into snapshots. What duckdb says against the result is put in the server's words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import duckdb
from sqlglot import exp

from . import errors
from .catalog import Relation
from .engine import Engine, quoted
from .functions import Reader, folded, function_name
from .parameters import cast_parameter, infer_types
from .queries import (
    cte_names_in_scope,
    fold,
    is_relation_name,
    output_name,
    reads_all_before,
    root_expression,
    table_parts,
    to_duckdb,
    to_text,
)
from .sql_functions import expand
from .statements import MATVIEW, TABLE, VIEW, Name
from .system_relations import SystemRelations
from .typing_help import add_sum_casts
from .values import INT4, TIMESTAMPTZ, PgType, from_duckdb
from .wire import Column

UNNAMED = "?column?"


@dataclass
class Plan:
    """A bound query: what to run, what comes out, what it reads."""

    sql: str
    columns: list[Column]
    source: str = ""  # the same query as a part of others, where every value keeps its type
    reads: set[int] = field(
        default_factory=set
    )  # relations named in the text, plain views included
    stored: set[int] = field(default_factory=set)  # objects whose rows are read
    system: set[str] = field(default_factory=set)
    parameters: list[PgType] = field(default_factory=list)
    sleep: float = 0.0
    sleeps_after_reading: bool = False  # above an aggregation or a sort
    rows_written_by: str | None = None
    functions: set[int] = field(default_factory=set)  # called ones that users wrote
    missing_alias: int | None = None  # position of the first output column without a name


class Binder:
    """Binds one query for one reader."""

    def __init__(self, reader: Reader, engine: Engine, system: SystemRelations) -> None:
        self.reader = reader
        self.engine = engine
        self.system = system
        self.plan = Plan("", [])

    # -- entry points

    def bind_query(self, query: exp.Expression, declared: list[int] | None = None) -> Plan:
        tree = self._wrap_values(query.copy())
        names = [output_name(item) for item in _outputs(tree)]
        self.plan.missing_alias = next((i for i, name in enumerate(names, 1) if name is None), None)
        self._resolve(tree)
        self._describe(tree, query, declared or [])
        return self.plan

    def bind_dml(
        self, query: exp.Expression, target: Relation, tag: str, declared: list[int] | None = None
    ) -> Plan:
        tree = query.copy()
        self._point_at(tree, target)
        self._resolve(tree)
        self.plan.parameters = infer_types(tree, declared or [], self.engine, target)
        self.plan.sql = to_duckdb(cast_parameter(tree, self.plan.parameters))
        self.plan.rows_written_by = tag
        self.plan.stored.add(target.id)
        probe = to_duckdb(cast_parameter(tree, self.plan.parameters, as_null=True))
        self._ask_duckdb(f"EXPLAIN {probe}", query)
        return self.plan

    # -- steps

    def _wrap_values(self, tree: exp.Expression) -> exp.Expression:
        """A bare VALUES list gets the column names that the server gives it."""
        if not isinstance(tree, exp.Values):
            return tree
        width = len(tree.expressions[0].expressions)
        names = [exp.Identifier(this=f"*VALUES*_0.column_{i}", quoted=True) for i in range(width)]
        tree.set("alias", exp.TableAlias(this=exp.to_identifier("t"), columns=names))
        return exp.Select(expressions=[exp.Star()], from_=exp.From(this=tree))

    def _resolve(self, tree: exp.Expression) -> None:
        """Everything but the description of the result, in place."""
        for name in tree.find_all(exp.Identifier):
            name.set("this", fold(name))
        for select in list(tree.find_all(exp.Select)):
            _name_outputs(select)
        self.plan.functions |= expand(self.reader, tree)
        self._fold_functions(tree)
        for minus in tree.find_all(exp.Neg):
            if isinstance(minus.this, exp.Neg) and isinstance(minus.this.this, exp.Literal):
                number = f"--{minus.this.this.name}"
                raise errors.bind_failure(number, f"Bind error: Number {number} overflows")
        for division in list(tree.find_all(exp.Div)):
            if not (
                isinstance(division.expression, exp.Literal)
                and division.expression.name.strip("0.")
            ):
                division.replace(
                    exp.Anonymous(
                        this="general_div", expressions=[division.this, division.expression]
                    )
                )
        for column in tree.find_all(exp.Column):
            column.set("db", None)
            column.set("catalog", None)
        for table in list(tree.find_all(exp.Table)):
            self._resolve_table(table)

    def _fold_functions(self, tree: exp.Expression) -> None:
        for node in list(tree.walk()):
            if function_name(node) == "pg_sleep" and isinstance(node, exp.Anonymous):
                seconds = node.expressions[0]
                self.plan.sleeps_after_reading = reads_all_before(node)
                self.plan.sleep += float(seconds.name) if isinstance(seconds, exp.Literal) else 0.0
                node.replace(exp.Cast(this=exp.Null(), to=exp.DataType.build("INT")))
                continue
            if function_name(node) == "generate_series" and not isinstance(
                node.parent, (exp.Table, exp.Lateral)
            ):
                # A set in a select list makes rows; duckdb's function makes a list.
                node.replace(exp.Anonymous(this="unnest", expressions=[node.copy()]))
                continue
            try:
                value = folded(self.reader, node)
            except errors.ServerError as error:
                raise errors.ServerError(
                    f"Failed to bind expression: {to_text(node)}", *error.chain, code=error.code
                ) from None
            if value is not None:
                node.replace(value)

    def _resolve_table(self, table: exp.Table) -> None:
        if not is_relation_name(table):
            self._resolve_table_function(table)
            return
        parts = table_parts(table)
        if parts[0] == "store" and len(parts) == 2 and table.meta.get("bound"):
            return
        if len(parts) == 1 and parts[0] in cte_names_in_scope(table):
            return
        name = Name(parts, [part.sql() for part in table.parts])
        source = self._system_source(name) or self._source(self._relation(name))
        table.replace(_aliased(source, table, parts[-1]))

    def _system_source(self, name: Name) -> exp.Expression | None:
        found = self.system.find(name)
        if found is None:
            return None
        self.plan.system.add(found)
        return exp.Table(this=exp.Identifier(this=found, quoted=True), db=exp.to_identifier("temp"))

    def _relation(self, name: Name) -> Relation:
        found = self.reader.catalog.find(name, self.reader.path, (TABLE, MATVIEW, VIEW))
        if found is None:
            raise errors.not_found("table or source", name.base)
        if not self.reader.may(found.acl, found.owner, "r"):
            what = "view" if found.kind == VIEW else "table or materialized view"
            raise errors.denied(f'permission denied for {what} "{found.name}": "SELECT"')
        self.plan.reads.add(found.id)
        return found

    def _source(self, relation: Relation) -> exp.Expression:
        if relation.kind == VIEW:
            return self._view_source(relation)
        self.plan.stored.add(relation.id)
        columns = ", ".join(quoted(column.name) for column in relation.columns)
        return _raw(f"(SELECT {columns} FROM store.{relation.stored_as})")

    def _view_source(self, view: Relation) -> exp.Expression:
        """The view's text, bound now."""
        assert view.definition.query is not None
        sql = to_text(view.definition.query)
        inner = Binder(
            Reader(self.reader.catalog, self.reader.catalog.users[1], self.reader.path),
            self.engine,
            self.system,
        )
        try:
            plan = inner.bind_query(view.definition.query)
        except errors.ServerError as error:
            raise errors.bind_error(
                f"failed to bind view {view.name}, sql: {sql}\nerror: {': '.join(error.chain)}"
            ) from None
        if [c.type.oid for c in plan.columns] != [c.type.oid for c in view.columns]:
            bound = ", ".join(f"{c.name}:{c.type.debug}" for c in plan.columns)
            known = ", ".join(f"{c.name}:{c.type.debug}" for c in view.columns)
            raise errors.bind_error(
                f"failed to bind view {view.name}. The SQL's schema is different from catalog's "
                f"schema sql: {sql}, "
                f"bound schema: Schema {{ fields: [{bound}] }}, catalog schema: [{known}]"
            )
        self.plan.stored |= plan.stored
        self.plan.system |= plan.system
        names = ", ".join(quoted(column.name) for column in view.columns)
        return _raw(f"(SELECT * FROM ({plan.source}) AS v({names}))")

    def _resolve_table_function(self, table: exp.Table) -> None:
        """TUMBLE and HOP read the relation that is their first argument; other functions are
        duckdb's.
        """
        call = table.this
        if not isinstance(call, exp.Anonymous) or str(call.this).upper() not in ("TUMBLE", "HOP"):
            return
        first, time_column, *lengths = call.expressions
        parts = [fold(part) for part in first.parts]
        source = self._source(self._relation(Name(parts, parts)))
        size, slide = lengths[-1], lengths[0]
        bucket = f"time_bucket({slide.sql('duckdb')}, {to_duckdb(time_column)})"
        count = f"ceil(epoch({size.sql('duckdb')}) / epoch({slide.sql('duckdb')}))"
        steps = f"range(CAST({count} AS BIGINT))"
        begin = f"{bucket} - {slide.sql('duckdb')} * k"
        inner = (
            f"(SELECT s.*, {begin} AS window_start, {begin} + {size.sql('duckdb')} AS window_end "
            f"FROM {source.sql('duckdb')} AS s, (SELECT unnest({steps}) AS k) AS w)"
        )
        table.replace(_aliased(_raw(inner), table, parts[-1]))

    def _point_at(self, tree: exp.Expression, target: Relation) -> None:
        """The written table of a DML statement becomes its stored object."""
        table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        stored = exp.Table(this=exp.to_identifier(target.stored_as), db=exp.to_identifier("store"))
        stored.meta["bound"] = True
        if isinstance(tree, exp.Insert):
            if target.primary_key:
                # An insert of an existing key overwrites the row.
                tree.set("alternative", "REPLACE")
        else:
            stored.set(
                "alias",
                exp.TableAlias(this=exp.to_identifier(table.alias or target.name, quoted=True)),
            )
        table.replace(stored)

    def _describe(self, tree: exp.Expression, query: exp.Expression, declared: list[int]) -> None:
        add_sum_casts(tree, self.engine)
        self.plan.parameters = infer_types(tree, declared, self.engine, None)
        rows = self._ask_duckdb(
            f"DESCRIBE {to_duckdb(cast_parameter(tree, self.plan.parameters, as_null=True))}", query
        )
        self.plan.columns = [Column(row[0], from_duckdb(row[1])) for row in rows]
        sql = self.plan.source = to_duckdb(cast_parameter(tree, self.plan.parameters))
        if any(column.type is TIMESTAMPTZ for column in self.plan.columns):
            # duckdb's Python client would want a time zone library for these values,
            # so they travel as text.
            marks = [f"c{i}" for i in range(len(self.plan.columns))]
            items = [
                f"CAST({m} AS VARCHAR) AS {m}" if c.type is TIMESTAMPTZ else m
                for m, c in zip(marks, self.plan.columns, strict=True)
            ]
            sql = f"SELECT {', '.join(items)} FROM ({sql}) AS q({', '.join(marks)})"
        self.plan.sql = sql

    def _ask_duckdb(self, sql: str, query: exp.Expression) -> list[tuple]:
        self.engine.structure.store_system(self.system.empty(self.plan.system))
        try:
            return self.engine.structure.execute(sql)
        except duckdb.Error as error:
            raise in_server_words(error, query, self.engine) from None


def _raw(sql: str) -> exp.Subquery:
    """A parenthesised query that is already in duckdb's words."""
    select = exp.Select(expressions=[exp.Star()], from_=exp.From(this=exp.Var(this=sql)))
    return exp.Subquery(this=select)


def _aliased(source: exp.Expression, table: exp.Table, base: str) -> exp.Expression:
    given = table.args.get("alias")
    alias = (
        given.copy()
        if given and given.this
        else exp.TableAlias(this=exp.Identifier(this=base, quoted=True))
    )
    source.set("alias", alias)
    if table.args.get("joins"):
        source.set("joins", table.args["joins"])
    return source


def _outputs(tree: exp.Expression) -> list[exp.Expression]:
    while isinstance(tree, (exp.SetOperation, exp.Subquery)):
        tree = tree.this
    return (
        [item for item in tree.expressions if not _is_star(item)]
        if isinstance(tree, exp.Select)
        else []
    )


def _is_star(item: exp.Expression) -> bool:
    return isinstance(item, exp.Star) or (
        isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
    )


def _name_outputs(select: exp.Select) -> None:
    """duckdb would name unaliased columns by their text, the server by function or column."""
    named = []
    for item in select.expressions:
        if isinstance(item, (exp.Alias, exp.Column, exp.Star)):
            # A column has its name already; repeating it as an alias would hide that
            # it does not exist.
            named.append(item)
        else:
            name = output_name(item) or UNNAMED
            named.append(exp.alias_(item, exp.Identifier(this=name, quoted=True)))
    select.set("expressions", named)


_NO_COLUMN = re.compile(
    r'(?:Referenced column|does not have a column named|Binder Error: Column) "([^"]+)"'
    r"(?! must appear in the GROUP BY)"
)
_NO_FUNCTION = re.compile(r"Function with name (\S+) does not exist")
_NO_OVERLOAD = re.compile(r"No function matches the given name and argument types '(\w+)\((.*?)\)'")
_NO_TABLE = re.compile(r'Referenced table "([^"]+)" not found')


def in_server_words(
    error: duckdb.Error, query: exp.Expression, engine: Engine
) -> errors.ServerError:
    """What duckdb's binder found wrong, as the server would say it."""
    text = str(error)
    if match := _NO_COLUMN.search(text):
        column = match[1]
        root = root_expression(query, column)
        return errors.invalid_column(to_text(root) if root is not None else column, column.lower())
    if match := _NO_FUNCTION.search(text):
        return _unknown_function(match[1], query, engine)
    if match := _NO_OVERLOAD.search(text):
        return _unknown_function(match[1], query, engine)
    if match := _NO_TABLE.search(text):
        return errors.ServerError(
            f'Item not found: missing FROM-clause entry for table "{match[1]}"'
        )
    return errors.bind_error(text.split("\n")[0].split(": ", 1)[-1])


def _unknown_function(name: str, query: exp.Expression, engine: Engine) -> errors.ServerError:
    call = next(
        (
            node
            for node in query.find_all(exp.Anonymous, bfs=False)
            if str(node.this).lower() == name.lower()
        ),
        None,
    )
    if call is None:
        return errors.bind_error(f"function {name} does not exist")
    types = []
    for argument in call.expressions:
        try:
            types.append(engine.describe(f"SELECT {to_duckdb(argument)}")[0].type.name)
        except duckdb.Error:
            types.append(INT4.name)
    root: exp.Expression = call
    while root.parent is not None and not isinstance(
        root.parent, (exp.Query, exp.Where, exp.Having, exp.Alias)
    ):
        root = root.parent
    return errors.bind_failure(
        to_text(root), f"function {name.lower()}({', '.join(types)}) does not exist"
    )
