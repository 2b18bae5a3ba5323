"""Parameters $1, $2, …: their types, told from their places, and the casts that give them to
duckdb.
"""

from __future__ import annotations

from sqlglot import exp

from .catalog import Relation
from .engine import Engine
from .queries import fold
from .typing_help import type_of
from .values import INT8, VARCHAR, PgType, by_oid, from_duckdb


def number_of(parameter: exp.Parameter) -> int:
    return int(parameter.this.name)


def infer_types(
    tree: exp.Expression, declared: list[int], engine: Engine, target: Relation | None
) -> list[PgType]:
    """A type per parameter: the client's when it named one, else that of the place of its first
    use.
    """
    found: dict[int, PgType] = {i: by_oid(oid) for i, oid in enumerate(declared, 1) if oid}
    for parameter in tree.find_all(exp.Parameter):
        number = number_of(parameter)
        if number not in found:
            found[number] = _type_at(parameter, engine, target)
    return [found.get(i, VARCHAR) for i in range(1, max(found, default=0) + 1)]


def _type_at(parameter: exp.Parameter, engine: Engine, target: Relation | None) -> PgType:
    node: exp.Expression = parameter
    while isinstance(node.parent, (exp.Paren, exp.Neg)):
        node = node.parent
    parent = node.parent
    if isinstance(parent, exp.Cast):
        return _cast_target(parent, engine)
    if isinstance(parent, (exp.Limit, exp.Offset, exp.Fetch)):
        return INT8
    if target is not None and (column := _written_column(node, target)):
        return column
    siblings: list[exp.Expression] = []
    if isinstance(parent, (exp.Binary, exp.Between, exp.In)):
        siblings = [
            child
            for child in (parent.this, parent.args.get("expression"), parent.args.get("low"))
            if child
        ]
    elif isinstance(parent, exp.Anonymous):
        siblings = list(parent.expressions)
    for sibling in siblings:
        if (
            sibling is not node
            and (name := type_of(sibling, engine))
            and name not in ("NULL", '"NULL"')
        ):
            return from_duckdb(name)
    return VARCHAR


def _cast_target(cast: exp.Cast, engine: Engine) -> PgType:
    name = engine.duckdb_types(f"SELECT CAST(NULL AS {cast.args['to'].sql('duckdb')})")[0]
    return from_duckdb(name)


def _written_column(node: exp.Expression, target: Relation) -> PgType | None:
    """The type of the column that a parameter is written to: its place in VALUES or in a SET
    list.
    """
    types = {column.name: column.type for column in target.columns}
    parent = node.parent
    if isinstance(parent, exp.EQ) and isinstance(parent.this, exp.Column):
        return types.get(fold(parent.this.this))
    if isinstance(parent, exp.Tuple) or (
        isinstance(parent, exp.Select) and isinstance(parent.parent, exp.Insert)
    ):
        insert = parent.find_ancestor(exp.Insert)
        position = parent.expressions.index(node)
        if insert is None:
            return None
        names = (
            [fold(item) for item in insert.this.expressions]
            if isinstance(insert.this, exp.Schema)
            else list(types)
        )
        return types.get(names[position]) if position < len(names) else None
    return None


def cast_parameter(
    tree: exp.Expression, types: list[PgType], as_null: bool = False
) -> exp.Expression:
    """A copy in which every parameter is cast to its type; as NULLs when only types are asked
    for.
    """
    if not types:
        return tree
    out = tree.copy()
    for parameter in list(out.find_all(exp.Parameter)):
        kind = types[number_of(parameter) - 1]
        inner = exp.Null() if as_null else parameter.copy()
        parameter.replace(exp.Cast(this=inner, to=exp.DataType.build(kind.duck, dialect="duckdb")))
    return out


def with_values(
    tree: exp.Expression, types: list[PgType], values: list[str | None]
) -> exp.Expression:
    """A copy in which every parameter is a literal."""
    out = tree.copy()
    for parameter in list(out.find_all(exp.Parameter)):
        at = number_of(parameter) - 1
        value = exp.Null() if values[at] is None else exp.Literal.string(values[at])
        parameter.replace(
            exp.Cast(this=value, to=exp.DataType.build(types[at].duck, dialect="duckdb"))
        )
    return out
