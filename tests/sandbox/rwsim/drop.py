"""DROP and CANCEL JOBS: what takes objects away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import errors
from . import statements as st
from .answers import Answer, texts
from .catalog import Relation
from .sql_functions import drop_function
from .targets import TABLE_LIKE, check_may_change, in_meta, tag_of

if TYPE_CHECKING:
    from .session import Session

_ARTICLES = {st.TABLE: "a table", st.MATVIEW: "a materialized view", st.INDEX: "an index"}


async def drop(session: Session, statement: st.Drop) -> Answer:
    tag = tag_of("DROP", statement.kind)
    if statement.kind == "schema":
        return _drop_schema(session, statement)
    if statement.kind == "user":
        return _drop_user(session, statement)
    if statement.kind == "function":
        return drop_function(session, statement)
    try:
        relation = _droppable(session, statement)
    except errors.ServerError as error:
        if statement.if_exists and error.code == "42704":
            return Answer(
                tag, notices=[f'{statement.kind} "{statement.name.base}" does not exist, skipping']
            )
        raise
    _check_may_drop(session, relation)
    _remove(session, in_meta(session, relation, _call(relation)), statement.cascade)
    return Answer(tag)


def _droppable(session: Session, statement: st.Drop) -> Relation:
    kinds = TABLE_LIKE if statement.kind in TABLE_LIKE else (statement.kind,)
    found = session.catalog.find(statement.name, session.path(), kinds, creating=True)
    if found is None or (found.kind != statement.kind and statement.kind == st.INDEX):
        raise errors.not_found(statement.kind, statement.name.base)
    if found.kind != statement.kind:
        raise errors.invalid_input(
            f"Use `DROP {found.kind.upper()}` to drop {_ARTICLES[found.kind]}."
        )
    return found


def _check_may_drop(session: Session, relation: Relation) -> None:
    """An index is its owner's alone, before 2.6 not even a superuser's."""
    if relation.kind != st.INDEX:
        check_may_change(session, relation)
    elif not session.catalog.version.at_least(2, 6):
        if relation.owner != session.user.id:
            raise errors.denied("Do not have the privilege")
    elif not (session.user.is_super or relation.owner == session.user.id):
        raise errors.denied(f'must be owner of index "{relation.name}"')


def _remove(session: Session, relation: Relation, cascade: bool) -> None:
    server = session.server
    catalog = server.catalog
    cancels_since = (2, 6) if relation.kind == st.INDEX else (2, 7)
    if relation.creating and not catalog.version.at_least(*cancels_since):
        raise errors.creating_job_blocks(1)
    dependents = catalog.dependents(relation)
    if dependents and not cascade:
        kind = "table" if relation.kind in TABLE_LIKE else relation.kind
        raise errors.still_used(
            kind, [f"{d.kind} {catalog.full_name(d)} depends on it" for d in dependents]
        )
    gone = catalog.closure(relation)
    blocking = [one for one in gone if one.creating and one is not relation]
    if blocking:
        raise errors.creating_job_blocks(len(blocking))
    if server.jobs.abort(relation.id) is None:
        server.remove(gone)


def _call(relation: Relation) -> str:
    """The name of the call to meta, which its errors quote."""
    return "Drop" + relation.kind.title().replace(" ", "")


def _drop_schema(session: Session, statement: st.Drop) -> Answer:
    catalog = session.server.catalog
    name = statement.name.base
    if statement.if_exists and not catalog.has_schema(name):
        return Answer("DROP_SCHEMA", notices=[f'schema "{name}" does not exist, skipping'])
    schema = catalog.schema(name)
    if not (session.user.is_super or schema.owner == session.user.id):
        raise errors.denied("Only the schema owner and superuser can drop or alter a schema.")
    held = [r for r in catalog.relations.values() if r.schema == schema.id]
    if held and not statement.cascade:
        raise errors.still_used(
            "schema", [f"{r.kind} {catalog.full_name(r)} depends on it" for r in held]
        )
    for relation in held:
        if relation.id in catalog.relations:
            _remove(session, relation, True)
    del catalog.schemas[schema.id]
    catalog.changed()
    return Answer("DROP_SCHEMA")


def _drop_user(session: Session, statement: st.Drop) -> Answer:
    catalog = session.server.catalog
    name = statement.name.base
    if statement.if_exists and all(user.name != name for user in catalog.users.values()):
        return Answer("DROP_USER", notices=[f'user "{name}" does not exist, skipping'])
    user = catalog.user(name)
    owned = [r for r in catalog.relations.values() if r.owner == user.id]
    if owned:
        raise errors.still_used(
            "user", [f"{r.kind} {catalog.full_name(r)} depends on it" for r in owned]
        )
    del catalog.users[user.id]
    for holder in [*catalog.relations.values(), *catalog.schemas.values()]:
        holder.acl.forget(user.id)
    catalog.changed()
    return Answer("DROP_USER")


async def cancel_jobs(session: Session, statement: st.CancelJobs) -> Answer:
    server = session.server
    cancelled = []
    for job_id in statement.ids:
        if server.jobs.abort(job_id) is None:
            raise errors.job_not_found(job_id)
        cancelled.append((str(job_id),))
    return Answer("CANCEL_COMMAND", texts("Id"), cancelled)
