"""The objects that DDL is about: found by name on the session's frontend, then by id in meta,
which may know better by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import errors
from . import statements as st
from .catalog import Relation, Schema

if TYPE_CHECKING:
    from .session import Session

TABLE_LIKE = (st.TABLE, st.MATVIEW, st.INDEX)


def tag_of(verb: str, kind: str) -> str:
    return f"{verb}_{kind.upper().replace(' ', '_')}"


def check_may_change(session: Session, relation: Relation) -> None:
    schema = session.catalog.schemas[relation.schema]
    if not (session.user.is_super or session.user.id in (relation.owner, schema.owner)):
        raise errors.denied(
            "Only the relation owner, the schema owner, and superuser can drop or alter a relation."
        )


def alterable(
    session: Session, kind: str, name: st.Name, creating: bool = False
) -> Relation:
    kinds = (st.TABLE, st.MATVIEW) if kind in (st.TABLE, st.MATVIEW) else (kind,)
    found = session.catalog.find(name, session.path(), kinds, creating)
    if found is None:
        raise errors.not_found("table" if kind in (st.TABLE, st.MATVIEW) else kind, name.base)
    if found.kind != kind:
        raise errors.not_found(kind, name.base)
    return found


def in_meta(session: Session, found: Relation, call: str) -> Relation:
    """Meta's own entry for what the frontend found."""
    relation = session.server.catalog.relations.get(found.id)
    if relation is None:
        what = "table" if found.kind in TABLE_LIKE else found.kind
        raise errors.gone_in_meta(call, what, found.id)
    return relation


def schema_to_create_in(session: Session, name: st.Name) -> Schema:
    schema = session.catalog.schema_to_create_in(name, session.path())
    check_may_create_in(session, schema)
    return schema


def check_may_create_in(session: Session, schema: Schema) -> None:
    if not (
        session.user.is_super
        or schema.owner == session.user.id
        or schema.acl.allows(session.user.id, "C")
    ):
        raise errors.denied(f'permission denied for schema "{schema.name}": "CREATE"')
