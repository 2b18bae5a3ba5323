"""The columns of an index: its keys, what it includes, and the key of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from . import errors
from . import statements as st
from .binder import Binder
from .catalog import IndexParts, Relation
from .functions import function_name
from .queries import fold, to_text
from .wire import Column

if TYPE_CHECKING:
    from .session import Session

_OPERATORS = {
    exp.Add: "ADD",
    exp.Sub: "SUBTRACT",
    exp.Mul: "MULTIPLY",
    exp.Div: "DIVIDE",
    exp.Mod: "MODULUS",
    exp.Neg: "NEG",
    exp.DPipe: "CONCAT_OP",
}


def index_parts(
    session: Session, statement: st.CreateIndex, table: Relation
) -> tuple[list[Column], IndexParts]:
    """The visible columns, and the rest."""
    _check_distribution(statement)
    columns = _key_columns(session, statement)
    by_name = {column.name: column for column in table.columns}
    held = {key.column for key in statement.keys}
    for name in statement.include or by_name:
        if name not in by_name:
            raise errors.invalid_column(name, name)
        if name not in held:
            held.add(name)
            columns.append(by_name[name])
    catalog = session.catalog
    all_of_table = {**by_name, **{one.name: one for one in catalog.hidden_columns(table)}}
    hidden = [
        Column(f"{table.name}.{name}", all_of_table[name].type)
        for name in catalog.key(table)
        if name not in held
    ]
    return columns, IndexParts(
        table.id,
        [key.order for key in statement.keys],
        [key.column is None for key in statement.keys],
        len(statement.distributed) or 1,
        hidden,
    )


def _check_distribution(statement: st.CreateIndex) -> None:
    keys = [to_text(key.expression) for key in statement.keys]
    chosen = [to_text(expression) for expression in statement.distributed]
    if keys[: len(chosen)] != chosen:
        raise errors.invalid_input("Distributed by columns should be a prefix of index columns")


def _key_columns(session: Session, statement: st.CreateIndex) -> list[Column]:
    """The keys, bound as a query over the table; an expression is called by its function."""
    names: list[str] = []
    for key in statement.keys:
        name = key.column or _name_of(key.expression)
        again = names.count(name)
        names.append(name if key.column or not again else f"{name}{again}")
    source = exp.Table(
        this=exp.Identifier(this=statement.table.parts[-1], quoted=True),
        db=_schema(statement.table),
    )
    keys = [_bindable(key.expression) for key in statement.keys]
    query = exp.Select(expressions=keys, from_=exp.From(this=source))
    server = session.server
    plan = Binder(session.reader(), server.engine, server.system).bind_query(query)
    return [Column(name, column.type) for name, column in zip(names, plan.columns, strict=True)]


def _bindable(expression: exp.Expression) -> exp.Expression:
    """Without a column there is nothing to bind, so that a text may come in that reads as a
    comment (`--1`).
    """
    return expression.copy() if expression.find(exp.Column) else exp.Literal.number(1)


def _schema(name: st.Name) -> exp.Identifier | None:
    return exp.Identifier(this=name.parts[-2], quoted=True) if len(name.parts) > 1 else None


def _name_of(expression: exp.Expression) -> str:
    while isinstance(expression, exp.Paren):
        expression = expression.this
    if isinstance(expression, exp.Column):
        return fold(expression.this)
    called = function_name(expression)
    if called is not None:
        return called.upper()
    if type(expression) in _OPERATORS:
        return _OPERATORS[type(expression)]
    return expression.sql_name() if isinstance(expression, exp.Func) else expression.key.upper()
