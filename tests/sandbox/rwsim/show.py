"""SHOW and DESCRIBE: lists of what is there, as the server prints them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import errors, processes
from . import statements as st
from .answers import Answer, texts
from .catalog import Relation
from .jobs import Job
from .values import INT8
from .versions import Version
from .wire import Column

if TYPE_CHECKING:
    from .session import Session

_LISTED = {
    "MATERIALIZED VIEWS": st.MATVIEW,
    "TABLES": st.TABLE,
    "VIEWS": st.VIEW,
    "SINKS": st.SINK,
    "SUBSCRIPTIONS": st.SUBSCRIPTION,
    "SOURCES": "source",
}


def columns_of(statement: st.Statement, version: Version) -> list[Column] | None:
    """The result columns of a statement that is no query; None for those without rows."""
    if isinstance(statement, st.ShowVariable):
        return texts("Name")
    if isinstance(statement, st.Describe):
        return texts("Name", "Type", "Is Hidden", "Description")
    if isinstance(statement, st.Explain):
        return texts("QUERY PLAN")
    if not isinstance(statement, st.Show):
        return None
    if statement.what.startswith("CREATE"):
        return texts("Name", "Create Sql")
    return {
        "JOBS": [Column("Id", INT8), *texts(*_job_columns(version))],
        "PROCESSLIST": texts(*processes.columns(version)),
        "INDEXES": texts("Name", "On", "Key", "Include", "Distributed By"),
        "COLUMNS": texts("Name", "Type", "Is Hidden", "Description"),
        "ALL": texts("Name", "Setting", "Description"),
    }.get(statement.what, texts("Name"))


def _job_columns(version: Version) -> tuple[str, ...]:
    if version.at_least(2, 6):
        return "Statement", "Create Type", "Progress"
    return "Statement", "Progress"


def show(session: Session, statement: st.Show) -> Answer:
    columns = columns_of(statement, session.server.version)
    return Answer("SHOW_COMMAND", columns, _rows(session, statement))


def _rows(session: Session, statement: st.Show) -> list[tuple[Any, ...]]:
    server = session.server
    what = statement.what
    if what in _LISTED:
        return _list(session, statement, _LISTED[what])
    if what == "SCHEMAS":
        return sorted((schema.name,) for schema in session.catalog.schemas.values())
    if what == "JOBS":
        return [
            (job.relation.id, job.statement, *_job_values(server.version, job))
            for job in server.jobs.running.values()
        ]
    if what == "PROCESSLIST":
        return processes.rows(session)
    if what == "ALL":
        return [(name, value, "") for name, value in session.settings.all()]
    assert statement.name is not None
    if what.startswith("CREATE "):
        return [_create_text(session, what.removeprefix("CREATE ").lower(), statement.name)]
    relation = _readable(session, statement.name)
    if what == "INDEXES":
        return [
            _index_row(relation, index) for index in session.catalog.created_indexes(relation)
        ]
    return _column_rows(session, relation)


def _job_values(version: Version, job: Job) -> tuple[str, ...]:
    return (job.create_type, job.progress) if version.at_least(2, 6) else (job.progress,)


def _list(session: Session, statement: st.Show, kind: str) -> list[tuple[str]]:
    """Finished relations of a schema, or of all schemas of the search path."""
    catalog = session.catalog
    schemas = (
        [catalog.schema(statement.schema)]
        if statement.schema
        else [catalog.schema(name) for name in session.path()]
    )
    found = [
        r
        for schema in schemas
        for r in catalog.relations.values()
        if r.schema == schema.id and r.kind == kind and not r.creating
    ]
    if statement.like is not None:
        pattern = re.compile(
            re.escape(statement.like).replace("%", ".*").replace("_", "."), re.DOTALL
        )
        found = [r for r in found if pattern.fullmatch(r.name)]
    return sorted((catalog.full_name(r, quoted=True),) for r in found)


def _create_text(session: Session, kind: str, name: st.Name) -> tuple[str, str]:
    catalog = session.catalog
    relation = catalog.find(name, session.path(), (kind,))
    if relation is None:
        raise errors.not_found(kind, name.base)
    return catalog.full_name(relation), relation.definition_text


def _readable(session: Session, name: st.Name) -> Relation:
    found = session.catalog.find(name, session.path())
    if found is None:
        raise errors.not_found("table, source, sink or view", name.base)
    return found


def _index_row(table: Relation, index: Relation) -> tuple[str, ...]:
    """Visible columns only: keys, completed by the key of the table, and all others."""
    assert index.index is not None
    parts = index.index
    names = [column.name for column in index.columns]
    own, others = names[: len(parts.orders)], names[len(parts.orders) :]
    keys = [f"{name} {order}" for name, order in zip(own, parts.orders, strict=True)]
    keys += [f"{name} ASC" for name in table.primary_key if name in others]
    rest = [name for name in others if name not in table.primary_key]
    distributed = ", ".join(own[: parts.distributed])
    return index.name, table.name, ", ".join(keys), ", ".join(rest), distributed


def _column_rows(session: Session, relation: Relation) -> list[tuple[str | None, ...]]:
    rows = [(c.name, c.type.name, "false", relation.comments.get(c.name)) for c in relation.columns]
    hidden = session.catalog.hidden_columns(relation)
    return rows + [(c.name, c.type.name, "true", None) for c in hidden]


def describe(session: Session, statement: st.Describe) -> Answer:
    catalog = session.catalog
    relation = _readable(session, statement.name)
    rows = _column_rows(session, relation)
    if relation.kind in (st.TABLE, st.MATVIEW, st.INDEX):
        for what, names in (
            ("primary key", catalog.key(relation)),
            ("distribution key", catalog.distribution(relation)),
        ):
            if names:
                rows.append((what, ", ".join(names), None, None))
        for index in catalog.created_indexes(relation):
            _, _, keys, rest, distributed = _index_row(relation, index)
            included = f" include({rest})" if rest else ""
            rows.append(
                (index.name, f"index({keys}){included} distributed by({distributed})", None, None)
            )
    rows.append(("table description", relation.name, None, relation.comments.get(None)))
    return Answer("DESCRIBE", columns_of(statement, session.server.version), rows)
