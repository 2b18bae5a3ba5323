"""Functions that users wrote in SQL: they are put in place of their calls when a query is bound.

A materialized view depends on the functions that it calls, a plain view does not. Who may execute
them is not checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from . import errors
from . import statements as st
from .answers import Answer
from .queries import fold
from .targets import schema_to_create_in

if TYPE_CHECKING:
    from .functions import Reader
    from .session import Session

_DEEPEST = 16  # calls within bodies


@dataclass(frozen=True)
class Function:
    id: int
    name: str
    schema: int
    owner: int
    arguments: list[str]
    body: exp.Expression


def expand(reader: Reader, tree: exp.Expression) -> set[int]:
    """Replaces the calls in a query; the ids of the functions that were called."""
    called: set[int] = set()
    for _ in range(_DEEPEST if reader.catalog.functions else 0):
        calls = [(node, _find(reader, node)) for node in tree.find_all(exp.Anonymous)]
        found = next(((node, one) for node, one in calls if one is not None), None)
        if found is None:
            break
        node, function = found
        called.add(function.id)
        node.replace(_body(function, node.expressions))
    return called


def _find(reader: Reader, call: exp.Anonymous) -> Function | None:
    name = str(call.this).lower()
    schemas = [s.id for s in reader.catalog.schemas.values() if s.name in reader.path]
    return next(
        (
            one
            for one in reader.catalog.functions.values()
            if (one.name, len(one.arguments)) == (name, len(call.expressions))
            and one.schema in schemas
        ),
        None,
    )


def _body(function: Function, values: list[exp.Expression]) -> exp.Expression:
    body = exp.Paren(this=function.body.copy())
    for parameter in list(body.find_all(exp.Parameter)):
        number = int(parameter.name)
        if not 1 <= number <= len(values):
            raise errors.bind_error(f"function {function.name} has no parameter ${number}")
        parameter.replace(exp.Paren(this=values[number - 1].copy()))
    for column in list(body.find_all(exp.Column)):
        name = fold(column.this)
        if not column.table and name and name in function.arguments:
            value = values[function.arguments.index(name)]
            column.replace(exp.Paren(this=value.copy()))
    return body


async def create_function(session: Session, statement: st.CreateFunction) -> Answer:
    catalog = session.server.catalog
    schema = schema_to_create_in(session, statement.name)
    name = statement.name.base
    for one in catalog.functions.values():
        if (one.name, one.schema, len(one.arguments)) == (
            name,
            schema.id,
            len(statement.arguments),
        ):
            raise errors.already_exists("function", name)
    function = Function(
        catalog.take_id(), name, schema.id, session.user.id, statement.arguments, statement.body
    )
    catalog.functions[function.id] = function
    catalog.changed()
    return Answer("CREATE_FUNCTION")


def drop_function(session: Session, statement: st.Drop) -> Answer:
    catalog = session.server.catalog
    schema = catalog.schema_to_create_in(statement.name, session.path())
    found = [
        one
        for one in catalog.functions.values()
        if (one.name, one.schema) == (statement.name.base, schema.id)
    ]
    if not found:
        if statement.if_exists:
            return Answer("DROP_FUNCTION")
        raise errors.not_found("function", statement.name.base)
    users = [r for r in catalog.relations.values() if found[0].id in r.reads]
    if users and not statement.cascade:
        raise errors.still_used(
            "function", [f"{r.kind} {catalog.full_name(r)} depends on it" for r in users]
        )
    for relation in users:
        session.server.remove(catalog.closure(relation))
    del catalog.functions[found[0].id]
    catalog.changed()
    return Answer("DROP_FUNCTION")
