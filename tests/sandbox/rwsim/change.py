"""DROP, ALTER, COMMENT, GRANT, CANCEL JOBS: everything that changes what exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import errors
from . import statements as st
from .answers import Answer, texts
from .catalog import Relation
from .create import parse_type
from .privileges import ALLOWED, LETTERS, DefaultPrivilege
from .wire import Column

if TYPE_CHECKING:
    from .session import Session

_TABLE_LIKE = (st.TABLE, st.MATVIEW, st.INDEX)
_ARTICLES = {st.TABLE: "a table", st.MATVIEW: "a materialized view", st.INDEX: "an index"}


def _tag(verb: str, kind: str) -> str:
    return f"{verb}_{kind.upper().replace(' ', '_')}"


def _may_change(session: Session, relation: Relation) -> None:
    schema = session.server.catalog.schemas[relation.schema]
    if not (session.user.is_super or session.user.id in (relation.owner, schema.owner)):
        raise errors.denied(
            "Only the relation owner, the schema owner, and superuser can drop or alter a relation."
        )


# -- DROP


async def drop(session: Session, statement: st.Drop) -> Answer:
    tag = _tag("DROP", statement.kind)
    if statement.kind == "schema":
        return _drop_schema(session, statement)
    if statement.kind == "user":
        return _drop_user(session, statement)
    try:
        relation = _droppable(session, statement)
    except errors.ServerError as error:
        if statement.if_exists and error.code == "42704":
            return Answer(
                tag, notices=[f'{statement.kind} "{statement.name.base}" does not exist, skipping']
            )
        raise
    _may_change(session, relation)
    _remove(session, relation, statement.cascade)
    return Answer(tag)


def _droppable(session: Session, statement: st.Drop) -> Relation:
    kinds = _TABLE_LIKE if statement.kind in _TABLE_LIKE else (statement.kind,)
    found = session.server.catalog.find(statement.name, session.path(), kinds, creating=True)
    if found is None or (found.kind != statement.kind and statement.kind == st.INDEX):
        raise errors.not_found(statement.kind, statement.name.base)
    if found.kind != statement.kind:
        raise errors.invalid_input(
            f"Use `DROP {found.kind.upper()}` to drop {_ARTICLES[found.kind]}."
        )
    return found


def _remove(session: Session, relation: Relation, cascade: bool) -> None:
    server = session.server
    catalog = server.catalog
    if relation.creating and not catalog.version.at_least(2, 7):
        raise errors.creating_job_blocks(1)
    dependents = catalog.dependents(relation)
    if dependents and not cascade:
        kind = "table" if relation.kind in _TABLE_LIKE else relation.kind
        raise errors.still_used(
            kind, [f"{d.kind} {catalog.full_name(d)} depends on it" for d in dependents]
        )
    gone = catalog.closure(relation)
    blocking = [one for one in gone if one.creating and one is not relation]
    if blocking:
        raise errors.creating_job_blocks(len(blocking))
    server.jobs.cancel(relation.id)
    remove_relations(session, gone)


def remove_relations(session: Session, gone: list[Relation]) -> None:
    session.server.catalog.remove(gone)
    for one in gone:
        if one.kind in (st.TABLE, st.MATVIEW):
            session.server.engine.drop(one.stored_as, one.kind == st.TABLE)


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


# -- ALTER


async def alter(session: Session, statement: st.Alter) -> Answer:
    if statement.action == "SWAP":
        _swap(session, statement)
    else:
        relation = _alterable(session, statement.kind, statement.name)
        _may_change(session, relation)
        {
            "RENAME": _rename,
            "OWNER": _owner,
            "SCHEMA": _move,
            "SET": _configure,
            "ADD COLUMN": _add_column,
        }[statement.action](session, relation, statement)
    return Answer(_tag("ALTER", statement.kind))


def _alterable(session: Session, kind: str, name: st.Name) -> Relation:
    kinds = (st.TABLE, st.MATVIEW) if kind in (st.TABLE, st.MATVIEW) else (kind,)
    found = session.server.catalog.find(name, session.path(), kinds)
    if found is None:
        raise errors.not_found("table" if kind in (st.TABLE, st.MATVIEW) else kind, name.base)
    if found.kind != kind:
        raise errors.not_found(kind, name.base)
    return found


def _swap(session: Session, statement: st.Alter) -> None:
    assert isinstance(statement.argument, st.Name)
    catalog, path = session.server.catalog, session.path()
    table_like = statement.kind in _TABLE_LIKE
    found = []
    for name in (statement.name, statement.argument):
        one = catalog.find(name, path, _TABLE_LIKE if table_like else (statement.kind,))
        if one is None:
            raise errors.not_found("table" if table_like else statement.kind, name.base)
        found.append(one)
    first, second = found
    if first.kind != second.kind:
        raise errors.denied(f"cannot swap between {first.name} and {second.name}: type mismatch")
    if first.kind != statement.kind:
        raise errors.not_found(statement.kind, statement.name.base)
    if not (session.user.is_super or first.owner == second.owner == session.user.id):
        raise errors.denied(
            f"{session.user.name} is not super user and not the owner of the objects."
        )
    catalog.swap(first, second)


def _rename(session: Session, relation: Relation, statement: st.Alter) -> None:
    assert isinstance(statement.argument, st.Name)
    if len(statement.argument.parts) != 1:
        what = "table" if statement.kind in (st.TABLE, st.MATVIEW) else statement.kind
        raise errors.ServerError(f"{what} name must contain 1 argument")
    catalog = session.server.catalog
    if catalog.named(relation.schema, statement.argument.base):
        raise errors.rename_exists(statement.argument.base)
    catalog.rename(relation, statement.argument.base)


def _owner(session: Session, relation: Relation, statement: st.Alter) -> None:
    catalog = session.server.catalog
    user = catalog.user(str(statement.argument))
    for one in [relation, *catalog.indexes(relation)]:
        one.owner = user.id
    catalog.changed()


def _move(session: Session, relation: Relation, statement: st.Alter) -> None:
    catalog = session.server.catalog
    schema = catalog.schema(str(statement.argument))
    moved = [relation, *catalog.indexes(relation)]
    for one in moved:
        if catalog.named(schema.id, one.name) not in (None, one):
            raise errors.already_exists(one.kind, one.name)
    for one in moved:
        one.schema = schema.id
    catalog.changed()


def _configure(session: Session, relation: Relation, statement: st.Alter) -> None:
    words = (
        str(statement.argument).replace("=", " ").replace(" TO ", " ").replace(" to ", " ").split()
    )
    if len(words) >= 2:
        relation.options[words[0].lower()] = words[1].lower()
    session.server.catalog.changed()


def _add_column(session: Session, relation: Relation, statement: st.Alter) -> None:
    spec = statement.argument
    assert isinstance(spec, st.ColumnSpec)
    kind = parse_type(session, spec.type_text)
    session.server.engine.add_column(relation.stored_as, spec.name, kind.duck)
    relation.columns.append(Column(spec.name, kind))
    before = relation.definition.before
    relation.definition.before = (
        before.replace(")", f", {spec.name} {spec.type_text})", 1) if ")" in before else before
    )
    session.server.catalog.changed()


async def alter_defaults(session: Session, statement: st.AlterDefaults) -> Answer:
    catalog = session.server.catalog
    schema = catalog.schema(statement.schema).id if statement.schema else None
    owner = catalog.user(statement.for_user).id if statement.for_user else session.user.id
    for name in statement.users:
        rule = DefaultPrivilege(
            statement.kind,
            schema,
            owner,
            catalog.user(name).id,
            session.user.id,
            statement.grant_option,
        )
        same = [
            d
            for d in catalog.defaults
            if (d.kind, d.schema, d.owner, d.grantee)
            == (rule.kind, rule.schema, rule.owner, rule.grantee)
        ]
        catalog.defaults = [d for d in catalog.defaults if d not in same] + (
            [] if statement.revoke else [rule]
        )
    return Answer("ALTER_DEFAULT_PRIVILEGES")


# -- comments and privileges


async def comment(session: Session, statement: st.Comment) -> Answer:
    catalog = session.server.catalog
    column = statement.name.base if statement.on_column else None
    name = (
        st.Name(statement.name.parts[:-1], statement.name.written[:-1])
        if statement.on_column
        else statement.name
    )
    relation = catalog.find(name, session.path(), _TABLE_LIKE)
    if relation is None:
        raise errors.not_found("table", name.base)
    _may_change(session, relation)
    if (
        column is not None
        and relation.kind != st.INDEX
        and column not in [c.name for c in relation.columns]
    ):
        raise errors.invalid_column(column, column)
    if statement.comment is None:
        relation.comments.pop(column, None)
    else:
        relation.comments[column] = statement.comment
    catalog.changed()
    return Answer("COMMENT")


def _letters(statement: st.Grant) -> str:
    allowed = ALLOWED[statement.kind]
    if "ALL" in statement.privileges:
        return allowed
    letters = [LETTERS.get(privilege, "?") for privilege in statement.privileges]
    if any(letter not in allowed for letter in letters):
        raise errors.bind_error("Invalid privilege type for the given object.")
    return "".join(letters)


async def grant(session: Session, statement: st.Grant) -> Answer:
    catalog = session.server.catalog
    users = [catalog.user(name) for name in statement.users]
    letters = _letters(statement)
    for name in statement.names:
        holder = (
            catalog.schema(name.base)
            if statement.kind == "schema"
            else _grantable(session, statement.kind, name)
        )
        if not (
            session.user.is_super
            or holder.owner == session.user.id
            or _may_grant_on(session, holder.acl, letters)
        ):
            raise errors.denied("Do not have the privilege")
        for user in users:
            if statement.revoke:
                holder.acl.revoke(user.id, letters, statement.option_only)
            else:
                holder.acl.grant(user.id, session.user.id, letters, statement.grant_option)
    catalog.changed()
    return Answer("REVOKE_PRIVILEGE" if statement.revoke else "GRANT_PRIVILEGE")


def _may_grant_on(session: Session, acl, letters: str) -> bool:
    held = [entry for (grantee, _), entry in acl.entries.items() if grantee == session.user.id]
    return all(any(entry.get(letter) for entry in held) for letter in letters)


def _grantable(session: Session, kind: str, name: st.Name) -> Relation:
    kinds = (st.VIEW,) if kind == st.VIEW else (st.TABLE, st.MATVIEW)
    found = session.server.catalog.find(name, session.path(), kinds)
    if found is None:
        raise errors.not_found("view" if kind == st.VIEW else "table", name.base)
    if found.kind != kind:
        raise errors.invalid_input(f"{name.base} is not a {kind}")
    return found


async def cancel_jobs(session: Session, statement: st.CancelJobs) -> Answer:
    server = session.server
    cancelled = []
    for job_id in statement.ids:
        job = server.jobs.cancel(job_id)
        if job is None:
            raise errors.job_not_found(job_id)
        remove_relations(session, server.catalog.closure(job.relation))
        cancelled.append((str(job_id),))
    return Answer("CANCEL_COMMAND", texts("Id"), cancelled)
