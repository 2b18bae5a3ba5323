"""The rows of the system catalogs, made from what exists. One function per relation, in the
order of its columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .catalog import DATABASE, Catalog, Relation, User
from .jobs import Jobs
from .statements import INDEX, MATVIEW, SINK, SUBSCRIPTION, TABLE, VIEW
from .values import is_array

Row = tuple[Any, ...]
_STREAMING = (TABLE, MATVIEW, INDEX, SINK)


@dataclass
class View:
    """What one user sees: most of it is the frontend's own catalog, some is asked from meta."""

    catalog: Catalog
    meta: Catalog
    jobs: Jobs
    user: User

    @property
    def stamp(self) -> object:
        """Equal for two snapshots with the same rows."""
        return self.catalog.generation, self.meta.generation, self.user.id

    def seen(self, *kinds: str) -> Iterator[Relation]:
        for relation in self.catalog.relations.values():
            if (not kinds or relation.kind in kinds) and relation.announced:
                if self._visible(relation):
                    yield relation

    def streaming_jobs(self) -> Iterator[Relation]:
        """Meta tells of the jobs of everybody."""
        for relation in self.meta.relations.values():
            if relation.kind in _STREAMING:
                yield relation

    def _visible(self, relation: Relation) -> bool:
        if (
            self.user.is_super
            or relation.owner == self.user.id
            or not self.catalog.version.at_least(2, 6)
        ):
            return True
        if relation.index is not None:
            # Who may read a table sees its indexes.
            relation = self.meta.relations.get(relation.index.table, relation)
        return relation.acl.allows(self.user.id, "r")

    def acl(self, relation: Relation) -> list[str]:
        if relation.kind in (INDEX, SUBSCRIPTION):
            return []
        return self.acl_items(relation.acl, "arwd")

    def acl_items(self, acl: Any, letters: str) -> list[str]:
        names = {user.id: user.name for user in self.catalog.users.values()}
        return acl.items(
            names, [user.name for user in self.catalog.users.values() if user.is_super], letters
        )

    def times(self, relation: Relation) -> Row:
        release = self.catalog.version.text
        created = relation.created_at
        return (
            _time(relation.initialized_at),
            _time(created) if created else None,
            release,
            release if created else None,
        )


def _time(moment: datetime) -> str:
    return moment.isoformat(" ")


def nothing(view: View) -> Iterator[Row]:
    return iter(())


def materialized_views(view: View) -> Iterator[Row]:
    for r in view.seen(MATVIEW):
        status = "Creating" if r.creating else "Created"
        schema = view.catalog.schemas[r.schema].name
        yield (
            r.id,
            r.name,
            r.schema,
            schema,
            r.owner,
            r.definition_text,
            r.append_only,
            view.acl(r),
            *view.times(r),
            r.background,
            status,
        )


def table_stats(view: View) -> Iterator[Row]:
    """Made up: there is no storage here that could be measured."""
    for r in view.streaming_jobs():
        yield (r.id, 1, 8, 1000 * r.id)


def views(view: View) -> Iterator[Row]:
    for r in view.seen(VIEW):
        yield (r.id, r.name, r.schema, r.owner, r.definition_text, view.acl(r))


def tables(view: View) -> Iterator[Row]:
    for r in view.seen(TABLE):
        yield (
            r.id,
            r.name,
            r.schema,
            r.owner,
            r.definition_text,
            r.append_only,
            view.acl(r),
            *view.times(r),
        )


def relations(view: View) -> Iterator[Row]:
    for r in view.seen():
        yield (r.id, r.name, r.kind, r.schema, r.owner, r.definition_text, view.acl(r))


def indexes(view: View) -> Iterator[Row]:
    for r in view.seen(INDEX):
        assert r.index is not None
        names = [column.name for column in view.catalog.relations[r.index.table].columns]
        count = len(r.index.orders)
        keys = [
            0 if is_expression else names.index(column.name) + 1
            for column, is_expression in zip(r.columns, r.index.expressions, strict=False)
        ]
        held = [column.name for column in r.columns[count:]]
        held += [column.name.rpartition(".")[2] for column in r.index.hidden]
        # A key that is not the user's comes behind the columns of the table.
        included = [names.index(n) + 1 if n in names else len(names) + 1 for n in held]
        yield (
            r.id,
            r.name,
            r.index.table,
            keys,
            included,
            r.schema,
            r.owner,
            r.definition_text,
            [],
            *view.times(r),
            r.background,
        )


def depend(view: View) -> Iterator[Row]:
    # Kept by the frontend since 3.0, asked from meta before.
    catalog = view.catalog if view.catalog.version.at_least(3, 0) else view.meta
    return catalog.dependency_pairs()


def schemas(view: View) -> Iterator[Row]:
    for schema in view.catalog.schemas.values():
        yield (schema.id, schema.name, schema.owner, view.acl_items(schema.acl, "UC"))


def users(view: View) -> Iterator[Row]:
    for u in view.catalog.users.values():
        yield (u.id, u.name, u.is_super, u.create_db, u.create_user, u.can_login, u.is_admin)


def databases(view: View) -> Iterator[Row]:
    yield (1, DATABASE, 1, [])


def sinks(view: View) -> Iterator[Row]:
    for r in view.seen(SINK):
        options = {key: value.strip("'") for key, value in r.options.items()}
        kind = options.get("type", "append-only").upper().replace("-", "_")
        yield (
            r.id,
            r.name,
            r.schema,
            r.owner,
            options.get("connector", "").upper(),
            kind,
            None,
            r.definition_text,
            view.acl(r),
            *view.times(r),
            json.dumps(options),
            "{}",
        )


def subscriptions(view: View) -> Iterator[Row]:
    for r in view.seen(SUBSCRIPTION):
        yield (r.id, r.name, r.schema, r.owner, r.definition_text, view.acl(r), *view.times(r))


def columns(view: View) -> Iterator[Row]:
    # A view's columns are nullable since 3.0 only.
    views_too = view.catalog.version.at_least(3, 0)
    for r in view.seen(TABLE, MATVIEW, VIEW, INDEX):
        keys = view.catalog.key(r)
        distribution = view.catalog.distribution(r)
        for position, column in enumerate([*r.columns, *view.catalog.hidden_columns(r)], 1):
            is_key = column.name in keys
            kind = column.type
            shown = "ARRAY" if is_array(kind) and not kind.name else kind.name
            yield (
                r.id,
                column.name,
                position,
                position > len(r.columns),
                is_key,
                column.name in distribution,
                False,
                not is_key and (r.kind != VIEW or views_too),
                None,
                shown,
                kind.oid,
                kind.size,
                kind.name.split()[0],
            )


def ddl_progress(view: View) -> Iterator[Row]:
    for job in view.jobs.running.values():
        yield (
            job.relation.id,
            job.statement,
            job.create_type,
            job.progress,
            _time(job.initialized_at),
            False,
            "NORMAL",
        )


def description(view: View) -> Iterator[Row]:
    # Only comments of tables are listed; those of materialized views are shown by DESCRIBE alone.
    for r in view.seen(TABLE):
        names = [column.name for column in r.columns]
        for column, text in r.comments.items():
            yield (r.id, 0, names.index(column) + 1 if column in names else 0, text)


def streaming_jobs(view: View) -> Iterator[Row]:
    for r in view.streaming_jobs():
        yield (
            r.id,
            r.name,
            1,
            "CREATING" if r.creating else "CREATED",
            parallelism_of(view, r),
            256,
            r.job.resource_group,
        )


def streaming_job_config(view: View) -> Iterator[Row]:
    for r in view.streaming_jobs():
        for key, value in sorted(r.job.config.items()):
            yield (r.id, r.name, 1, key, value)


def parallelism_of(view: View, relation: Relation) -> str:
    """Since 3.0 as in SHOW, in capitals before, with a word for numbers."""
    kept = relation.job.parallelism
    if view.catalog.version.at_least(3, 0):
        return kept
    return f"FIXED({kept})" if kept.isdigit() else kept.upper()


def parallelism(view: View) -> Iterator[Row]:
    for r in view.seen(*_STREAMING):
        yield (r.id, r.name, r.kind, parallelism_of(view, r), 256)


def table_fragments(view: View) -> Iterator[Row]:
    for r in view.streaming_jobs():
        yield (r.id, "CREATING" if r.creating else "CREATED", parallelism_of(view, r), 256)


def pg_indexes(view: View) -> Iterator[Row]:
    for r in view.seen(TABLE):
        if r.primary_key:
            yield (view.catalog.schemas[r.schema].name, r.name, f"{r.name}_pkey", None, "")
    for r in view.seen(INDEX):
        assert r.index is not None
        table = view.catalog.relations[r.index.table]
        yield (view.catalog.schemas[r.schema].name, table.name, r.name, None, r.definition_text)


def pg_matviews(view: View) -> Iterator[Row]:
    for r in view.seen(MATVIEW):
        yield (
            view.catalog.schemas[r.schema].name,
            r.name,
            r.owner,
            None,
            False,
            True,
            r.definition_text,
        )


def information_columns(view: View) -> Iterator[Row]:
    for r in view.seen(TABLE, MATVIEW, VIEW):
        for position, column in enumerate(r.columns, 1):
            yield (
                DATABASE,
                view.catalog.schemas[r.schema].name,
                r.name,
                column.name,
                position,
                column.type.name,
            )


def information_tables(view: View) -> Iterator[Row]:
    kinds = {TABLE: "BASE TABLE", MATVIEW: "MATERIALIZED VIEW", VIEW: "VIEW"}
    for r in view.seen(*kinds):
        yield (DATABASE, view.catalog.schemas[r.schema].name, r.name, kinds[r.kind])
