"""Types inside a query, asked from duckdb: what an expression would be among the tables of its
SELECT.
"""

from __future__ import annotations

import duckdb
from sqlglot import exp

from .engine import Engine
from .queries import to_duckdb

_SMALL_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER"}


def type_of(node: exp.Expression, engine: Engine) -> str | None:
    """duckdb's type name of an expression at its place, or None when it cannot be told apart from
    its surroundings.
    """
    select = node.find_ancestor(exp.Select)
    probe = exp.Select(expressions=[node.copy()])
    if select is not None:
        for part in ("from_", "joins", "laterals"):
            value = select.args.get(part)
            if value:
                probe.set(
                    part,
                    [item.copy() for item in value] if isinstance(value, list) else value.copy(),
                )
        outer: exp.Expression | None = select
        while outer is not None:
            if outer.args.get("with_"):
                probe.set("with_", outer.args["with_"].copy())
                break
            outer = outer.parent
    for parameter in list(probe.find_all(exp.Parameter)):
        parameter.replace(exp.Null())
    try:
        return engine.duckdb_types(to_duckdb(probe))[0]
    except duckdb.Error:
        return None


def add_sum_casts(tree: exp.Expression, engine: Engine) -> None:
    """sum() of small integers is a bigint in the server; duckdb makes a hugeint of it."""
    for call in list(tree.find_all(exp.Anonymous)):
        if str(call.this).lower() != "sum" or len(call.expressions) != 1:
            continue
        argument = call.expressions[0]
        value = argument.expressions[0] if isinstance(argument, exp.Distinct) else argument
        if type_of(value, engine) not in _SMALL_INTEGERS:
            continue
        whole: exp.Expression = call
        while isinstance(whole.parent, (exp.Filter, exp.Window)) and whole.arg_key == "this":
            whole = whole.parent
        whole.replace(exp.Cast(this=whole.copy(), to=exp.DataType.build("BIGINT")))
