"""SWAP and RENAME: looked up on the frontend, done by meta with the ids.

Meta checks little: it unwraps the first object of a swap and parses the stored text of everything
that it rewrites, and dies when one of both fails.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from . import deaths, errors
from . import statements as st
from .catalog import Relation
from .errors import SyntaxFailure
from .grammar import parse_text
from .targets import TABLE_LIKE, in_meta

if TYPE_CHECKING:
    from .session import Session

_SWAP_CALL, _RENAME_CALL = "AlterSwapRename", "AlterName"


async def swap(session: Session, statement: st.Alter) -> None:
    first, second = _swappable(session, statement)
    window = session.server.switches.swap_window
    if window > 0:
        await asyncio.sleep(window)
    meta = session.server.catalog
    # The second one is looked up with an error, the first one without.
    target = in_meta(session, second, _SWAP_CALL)
    source = meta.relations.get(first.id)
    if source is None:
        deaths.of_meta(f"{first.kind} {first.id} ({first.name}) of a swap is gone")
    _check_texts(session, source, target)
    meta.swap(source, target)


def _swappable(session: Session, statement: st.Alter) -> tuple[Relation, Relation]:
    """The two objects as the frontend knows them, after all its checks."""
    assert isinstance(statement.argument, st.Name)
    first = _named(session, statement.kind, statement.name)
    second = _named(session, statement.kind, statement.argument)
    if first.kind != second.kind:
        raise errors.denied(f"cannot swap between {first.name} and {second.name}: type mismatch")
    if first.kind != statement.kind:
        raise errors.not_found(statement.kind, statement.name.base)
    if not (session.user.is_super or first.owner == second.owner == session.user.id):
        raise errors.denied(
            f"{session.user.name} is not super user and not the owner of the objects."
        )
    return first, second


def _named(session: Session, kind: str, name: st.Name) -> Relation:
    table_like = kind in TABLE_LIKE
    found = session.catalog.find(name, session.path(), TABLE_LIKE if table_like else (kind,))
    if found is None:
        raise errors.not_found("table" if table_like else kind, name.base)
    return found


def rename(session: Session, found: Relation, statement: st.Alter) -> None:
    assert isinstance(statement.argument, st.Name)
    if len(statement.argument.parts) != 1:
        what = "table" if statement.kind in (st.TABLE, st.MATVIEW) else statement.kind
        raise errors.ServerError(f"{what} name must contain 1 argument")
    meta = session.server.catalog
    relation = in_meta(session, found, _RENAME_CALL)
    if meta.named(relation.schema, statement.argument.base):
        raise errors.exists_in_meta(_RENAME_CALL, "table", statement.argument.base)
    _check_texts(session, relation)
    meta.rename(relation, statement.argument.base)


def _check_texts(session: Session, *renamed: Relation) -> None:
    meta = session.server.catalog
    for relation in renamed:
        for one in meta.parsed_by_rename(relation):
            text = one.definition.text()
            try:
                parse_text(text, meta.version.key)
            except SyntaxFailure:
                deaths.of_meta(f"cannot parse the definition of {one.kind} {one.name}: {text}")
