"""ALTER (without SWAP and RENAME), COMMENT, GRANT: what changes objects that exist."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from . import errors
from . import statements as st
from .answers import Answer
from .catalog import DEFAULT_GROUP, SYSTEM_SCHEMAS, Relation, Schema
from .create import parse_type
from .naming import rename, swap
from .privileges import ALLOWED, LETTERS, DefaultPrivilege
from .settings import parallelism
from .targets import (
    TABLE_LIKE,
    alterable,
    check_may_change,
    in_meta,
    schema_to_create_in,
    tag_of,
)
from .wire import Column

if TYPE_CHECKING:
    from .session import Session

# -- ALTER


async def alter(session: Session, statement: st.Alter) -> Answer:
    tag = tag_of("ALTER", statement.kind)
    if statement.action == "AS":
        raise errors.not_implemented("ALTER MATERIALIZED VIEW AS QUERY")
    if statement.action == "SWAP":
        await swap(session, statement)
        return Answer(tag)
    running = session.catalog.version.at_least(2, 8) and statement.action in _OF_RUNNING_JOBS
    found = alterable(session, statement.kind, statement.name, running)
    check_may_change(session, found)
    if statement.action == "RENAME":
        rename(session, found, statement)
        return Answer(tag)
    relation = in_meta(session, found, _CALLS[statement.action])
    _ACTIONS[statement.action](session, relation, statement)
    notices = [_DEFERRED] if statement.deferred else []
    return Answer(tag, notices=notices + ([_NEEDS_RECOVER] if statement.action == "CONFIG" else []))


def _owner(session: Session, relation: Relation, statement: st.Alter) -> None:
    catalog = session.server.catalog
    user = catalog.user(str(statement.argument))
    schema = catalog.schemas[relation.schema]
    if not (session.user.is_super or user.is_super or user.id == schema.owner):
        if not schema.acl.allows(user.id, "C"):
            # The text is assumed.
            raise errors.denied(f"{user.name} has no CREATE privilege on schema {schema.name}")
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


def _nothing(session: Session, relation: Relation, statement: st.Alter) -> None:
    """Rate limits and the like."""


def _parallelism(session: Session, relation: Relation, statement: st.Alter) -> None:
    catalog = session.server.catalog
    kept = parallelism(catalog.version, str(statement.argument or "default"))
    if kept is None:
        forms = "adaptive, bounded(n), or ratio(r)" if catalog.version.at_least(3, 0) else None
        wanted = f"a valid number, {forms}" if forms else "a valid number or adaptive"
        raise errors.invalid_input(f"target parallelism must be {wanted}")
    relation.job.parallelism = "adaptive" if kept in ("default", "0") else kept
    catalog.changed()


def _resource_group(session: Session, relation: Relation, statement: st.Alter) -> None:
    relation.job.resource_group = str(statement.argument or DEFAULT_GROUP)
    session.server.catalog.changed()


def _config(session: Session, relation: Relation, statement: st.Alter) -> None:
    assert isinstance(statement.argument, dict)
    if not all(key.startswith("streaming.") for key in statement.argument):
        raise errors.invalid_input("ALTER CONFIG only accepts options starting with `streaming.`")
    config = dict(relation.job.config)
    for key, value in statement.argument.items():
        config.pop(key, None)
        if value is not None:
            config[key] = value
    relation.job.config = config
    session.server.catalog.changed()


def _add_column(session: Session, relation: Relation, statement: st.Alter) -> None:
    spec = statement.argument
    assert isinstance(spec, st.ColumnSpec)
    kind = parse_type(session, spec.type_text)
    session.server.engine.add_column(relation.stored_as, spec.name, kind.duck)
    relation.columns = [*relation.columns, Column(spec.name, kind)]
    before = relation.definition.before
    if ")" in before:
        before = before.replace(")", f", {spec.name} {spec.type_text})", 1)
    relation.definition = replace(relation.definition, before=before)
    session.server.catalog.changed()


_ACTIONS = {
    "OWNER": _owner,
    "SCHEMA": _move,
    "SET": _nothing,
    "PARALLELISM": _parallelism,
    "RESOURCE_GROUP": _resource_group,
    "CONFIG": _config,
    "ADD COLUMN": _add_column,
}
# Since 2.8 these reach jobs that are still running.
_OF_RUNNING_JOBS = ("PARALLELISM", "RESOURCE_GROUP")
_DEFERRED = (
    "DEFERRED is used, please ensure that automatic parallelism control is enabled on the meta, "
    "otherwise, the alter will not take effect."
)
_NEEDS_RECOVER = "ALTER CONFIG requires a RECOVER on the specified streaming job to take effect."
# The names of the calls to meta, which its errors quote.
_CALLS = {
    "OWNER": "AlterOwner",
    "SCHEMA": "AlterSetSchema",
    "SET": "ApplyThrottle",
    "PARALLELISM": "AlterParallelism",
    "RESOURCE_GROUP": "AlterResourceGroup",
    "CONFIG": "AlterStreamingJobConfig",
    "ADD COLUMN": "ReplaceJobPlan",
}


async def alter_defaults(session: Session, statement: st.AlterDefaults) -> Answer:
    catalog = session.server.catalog
    owners = _users(session, statement.owners) or [session.user.id]
    if not session.user.is_super and owners != [session.user.id]:
        whom = "multiple users" if len(owners) > 1 else "other users"
        raise errors.denied(f"Only superuser can alter default privileges for {whom}")
    named = [catalog.schema(name).id for name in statement.schemas]
    schemas = named or [s.id for s in catalog.schemas.values() if s.name not in SYSTEM_SCHEMAS]
    grantees = _users(session, statement.users)
    for owner, schema, grantee in product(owners, schemas, grantees):
        _alter_default(session, statement, (statement.kind, schema, owner, grantee))
    return Answer("ALTER_DEFAULT_PRIVILEGES")


def _alter_default(
    session: Session, statement: st.AlterDefaults, key: tuple[str, int, int, int]
) -> None:
    catalog = session.server.catalog
    old = next((d for d in catalog.defaults if (d.kind, d.schema, d.owner, d.grantee) == key), None)
    others = [d for d in catalog.defaults if d is not old]
    if old is None and not statement.revoke:
        rule = DefaultPrivilege(*key, session.user.id, statement.grant_option)
        catalog.defaults = [*others, rule]
    elif old is not None and statement.revoke:
        kept = [replace(old, grant_option=False)] if statement.option_only else []
        catalog.defaults = others + kept
    elif old is not None and statement.grant_option:
        catalog.defaults = [*others, replace(old, grant_option=True)]


# -- comments and privileges


async def comment(session: Session, statement: st.Comment) -> Answer:
    catalog = session.server.catalog
    column = statement.name.base if statement.on_column else None
    name = (
        st.Name(statement.name.parts[:-1], statement.name.written[:-1])
        if statement.on_column
        else statement.name
    )
    schema_to_create_in(session, name)
    found = session.catalog.find(name, session.path(), TABLE_LIKE)
    if found is None:
        raise errors.not_found("table", name.base)
    if not (session.user.is_super or found.owner == session.user.id):
        raise errors.denied(f"must be owner of relation {found.name}")
    relation = in_meta(session, found, "CommentOn")
    if column is not None and column not in [c.name for c in relation.columns]:
        raise errors.invalid_column(column, column)
    if not statement.comment:
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


def _users(session: Session, names: list[str]) -> list[int]:
    known = {user.name: user.id for user in session.catalog.users.values()}
    for name in names:
        if name not in known:
            raise errors.no_such_user("User", name, session.catalog.version)
    return [known[name] for name in names]


async def grant(session: Session, statement: st.Grant) -> Answer:
    """GRANTED BY is read and not heeded by GRANT: the grantor is who says it."""
    users = _users(session, statement.users)
    for name in [statement.granted_by] if statement.granted_by else []:
        if all(user.name != name for user in session.catalog.users.values()):
            raise errors.no_such_user("Grantor", name, session.catalog.version)
    letters = _letters(statement)
    for name in statement.names:
        holder = _grant_holder(session, statement.kind, name)
        for user in users:
            if statement.revoke:
                _revoke(session, statement, holder, user, letters)
            elif granted := _grantable_letters(session, holder, letters):
                holder.acl.grant(user, session.user.id, granted, statement.grant_option)
    session.server.catalog.changed()
    return Answer("REVOKE_PRIVILEGE" if statement.revoke else "GRANT_PRIVILEGE")


def _grantable_letters(session: Session, holder: Relation | Schema, letters: str) -> str:
    """What a user may not grant is left out, since 2.6 without a word."""
    user = session.user
    if user.is_super or holder.owner == user.id:
        return letters
    allowed = "".join(letter for letter in letters if holder.acl.may_grant(user.id, letter))
    if allowed != letters and not session.catalog.version.at_least(2, 6):
        raise errors.no_grant_option(user.id)
    return allowed


def _revoke(
    session: Session, statement: st.Grant, holder: Relation | Schema, user: int, letters: str
) -> None:
    """A superuser revokes what anybody granted, others what they granted themselves."""
    by = None if session.user.is_super else session.user.id
    if by is not None and holder.owner != by:
        if not all(holder.acl.may_grant(by, letter) for letter in letters):
            raise errors.no_grant_option(by)
    further = [] if user == holder.owner else holder.acl.granted_on(user, letters)
    if further and not statement.cascade:
        raise errors.granted_on(len(further))
    for one in [*further, user]:
        granted_by = by if one == user else user
        holder.acl.revoke(one, letters, statement.option_only, granted_by)


def _grant_holder(session: Session, kind: str, name: st.Name) -> Relation | Schema:
    if kind == "schema":
        return session.server.catalog.schema(name.base)
    return in_meta(session, _grantable(session, kind, name), "GrantPrivilege")


def _grantable(session: Session, kind: str, name: st.Name) -> Relation:
    kinds = (st.VIEW,) if kind == st.VIEW else (st.TABLE, st.MATVIEW)
    found = session.catalog.find(name, session.path(), kinds)
    if found is None:
        raise errors.not_found("view" if kind == st.VIEW else "table", name.base)
    if found.kind != kind:
        raise errors.invalid_input(f"{name.base} is not a {kind}")
    return found
