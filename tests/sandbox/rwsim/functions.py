"""Functions whose value the server knows and duckdb does not: version(), current_schema(),
privileges, regclass.

Each is replaced in the tree by a literal, because the server folds them when it binds the
query.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from . import errors
from .catalog import DATABASE, Catalog, User
from .lexer import QUOTED, WORD, tokenize
from .privileges import LETTERS
from .statements import Name


@dataclass
class Reader:
    """Who binds a query: the catalog, the user, the existing schemas of the search path."""

    catalog: Catalog
    user: User
    path: list[str]

    def may(self, relation_acl, owner: int, letter: str) -> bool:
        return (
            self.user.is_super or self.user.id == owner or relation_acl.allows(self.user.id, letter)
        )


def name_from_text(text: str) -> Name:
    tokens = [token for token in tokenize(text) if token.kind in (WORD, QUOTED)]
    return Name([token.name for token in tokens], [token.text for token in tokens])


def _string(value: str | None) -> exp.Expression:
    inner = exp.Null() if value is None else exp.Literal.string(value)
    return exp.Cast(this=inner, to=exp.DataType.build("VARCHAR"))


def _arguments(node: exp.Expression) -> list[str]:
    return [argument.name for argument in node.expressions]


def _current_schema(reader: Reader, node: exp.Expression) -> exp.Expression:
    return _string(reader.path[0] if reader.path else None)


def _current_schemas(reader: Reader, node: exp.Expression) -> exp.Expression:
    implicit = isinstance(node.expressions[0], exp.Boolean) and node.expressions[0].this
    names = (["pg_catalog", "rw_catalog"] if implicit else []) + reader.path
    values = exp.Array(expressions=[exp.Literal.string(name) for name in names])
    return exp.Cast(this=values, to=exp.DataType.build("VARCHAR[]", dialect="duckdb"))


def _subject(reader: Reader, arguments: list[str]) -> tuple[User, str, str]:
    user = reader.catalog.user(arguments[0]) if len(arguments) > 2 else reader.user
    return user, arguments[-2], arguments[-1].split()[0].upper()


def _schema_privilege(reader: Reader, node: exp.Expression) -> exp.Expression:
    user, name, privilege = _subject(reader, _arguments(node))
    schema = reader.catalog.schema(name)
    held = (
        user.is_super or schema.owner == user.id or schema.acl.allows(user.id, LETTERS[privilege])
    )
    return exp.Boolean(this=held or (privilege == "USAGE" and name == "public"))


def _table_privilege(reader: Reader, node: exp.Expression) -> exp.Expression:
    user, name, privilege = _subject(reader, _arguments(node))
    found = reader.catalog.find(name_from_text(name), reader.path)
    if found is None:
        raise errors.not_found("table", name)
    return exp.Boolean(
        this=user.is_super
        or found.owner == user.id
        or found.acl.allows(user.id, LETTERS[privilege])
    )


def regclass(reader: Reader, text: str) -> exp.Expression:
    """'name'::regclass, which also finds what is still being created."""
    if text.isdigit():
        return exp.Literal.number(text)
    found = reader.catalog.find(name_from_text(text), reader.path, creating=True)
    if found is None:
        raise errors.not_found("table or source", text)
    return exp.Literal.number(found.id)


_BY_NAME: dict[str, Callable[[Reader, exp.Expression], exp.Expression]] = {
    "version": lambda reader, node: _string(reader.catalog.version.text),
    "current_user": lambda reader, node: _string(reader.user.name),
    "session_user": lambda reader, node: _string(reader.user.name),
    "user": lambda reader, node: _string(reader.user.name),
    "current_role": lambda reader, node: _string(reader.user.name),
    "current_database": lambda reader, node: _string(DATABASE),
    "current_catalog": lambda reader, node: _string(DATABASE),
    "current_schema": _current_schema,
    "current_schemas": _current_schemas,
    "has_schema_privilege": _schema_privilege,
    "has_table_privilege": _table_privilege,
    "has_any_column_privilege": _table_privilege,
    # Comments of materialized views cannot be read this way on the server either.
    "obj_description": lambda reader, node: _string(""),
    "col_description": lambda reader, node: _string(""),
    "pg_backend_pid": lambda reader, node: exp.Literal.number(0),
    "proctime": lambda reader, node: exp.Anonymous(this="now"),
}


def function_name(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    if isinstance(
        node,
        (exp.CurrentUser, exp.SessionUser, exp.CurrentSchema, exp.CurrentCatalog, exp.CurrentRole),
    ):
        return node.sql_name().lower()
    if isinstance(node, exp.Column) and not node.table and not node.this.args.get("quoted"):
        return (
            node.name.lower()
            if node.name.lower() in ("user", "current_role", "current_catalog")
            else None
        )
    return None


def folded(reader: Reader, node: exp.Expression) -> exp.Expression | None:
    """The literal that replaces a call, or None when the call is duckdb's business."""
    if (
        isinstance(node, exp.Cast)
        and "REGCLASS" in node.args["to"].sql()
        and isinstance(node.this, exp.Literal)
    ):
        return regclass(reader, node.this.name)
    name = function_name(node)
    if name is None or name not in _BY_NAME:
        return None
    return _BY_NAME[name](reader, node)
