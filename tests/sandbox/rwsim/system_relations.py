"""The system catalogs: their columns by version, and snapshots of their rows for duckdb.

`_RELATIONS` is the one list; a relation is a name, its columns, and a function that makes its
rows from the catalog. Rows are limited to what the user may see. They are reachable with and
without their schema's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from . import system_rows as rows
from .catalog import SYSTEM_SCHEMAS, Catalog, User
from .engine import SystemTable
from .jobs import Jobs
from .statements import Name
from .values import BOOL, INT2, INT4, INT8, JSONB, TIMESTAMPTZ, VARCHAR, PgType, array_of

_TYPES: dict[str, PgType] = {
    "int": INT4,
    "bigint": INT8,
    "smallint": INT2,
    "bool": BOOL,
    "text": VARCHAR,
    "time": TIMESTAMPTZ,
    "jsonb": JSONB,
    "text[]": array_of(VARCHAR),
    "smallint[]": array_of(INT2),
    "int[]": array_of(INT4),
}
_TIMES = (
    "initialized_at time, created_at time, initialized_at_cluster_version text, "
    "created_at_cluster_version text"
)
# A column or relation "@2.8" exists from that version on.
_RELATIONS: dict[str, tuple[str, Callable[[rows.View], Iterable[tuple[Any, ...]]]]] = {
    "rw_catalog.rw_materialized_views": (
        "id int, name text, schema_id int, schema_name text @3.0, owner int, definition text, "
        f"append_only bool, acl text[], {_TIMES}, "
        "background_ddl bool, status text @2.8",
        rows.materialized_views,
    ),
    "rw_catalog.rw_views": (
        "id int, name text, schema_id int, owner int, definition text, acl text[]",
        rows.views,
    ),
    "rw_catalog.rw_tables": (
        "id int, name text, schema_id int, owner int, definition text, append_only bool, "
        f"acl text[], {_TIMES}",
        rows.tables,
    ),
    "rw_catalog.rw_relations": (
        "id int, name text, relation_type text, schema_id int, owner int, definition text, "
        "acl text[]",
        rows.relations,
    ),
    "rw_catalog.rw_indexes": (
        "id int, name text, primary_table_id int, key_columns smallint[], "
        "include_columns smallint[], schema_id int, owner int, "
        f"definition text, acl text[], {_TIMES}, background_ddl bool @2.8",
        rows.indexes,
    ),
    "rw_catalog.rw_depend": ("objid int, refobjid int", rows.depend),
    "rw_catalog.rw_schemas": ("id int, name text, owner int, acl text[]", rows.schemas),
    "rw_catalog.rw_users": (
        "id int, name text, is_super bool, create_db bool, create_user bool, can_login bool, "
        "is_admin bool @2.6",
        rows.users,
    ),
    "rw_catalog.rw_sinks": (
        "id int, name text, schema_id int, owner int, connector text, sink_type text, "
        "connection_id int, definition text, "
        f"acl text[], {_TIMES}, connector_props jsonb, format_encode_options jsonb",
        rows.sinks,
    ),
    "rw_catalog.rw_subscriptions": (
        f"id int, name text, schema_id int, owner int, definition text, acl text[], {_TIMES}",
        rows.subscriptions,
    ),
    "rw_catalog.rw_columns": (
        "relation_id int, name text, position int, is_hidden bool, is_primary_key bool, "
        "is_distribution_key bool, is_generated bool, "
        "is_nullable bool @2.6, generation_expression text, data_type text, type_oid int, "
        "type_len smallint, udt_type text",
        rows.columns,
    ),
    "rw_catalog.rw_ddl_progress": (
        "ddl_id bigint, ddl_statement text, create_type text @2.6, progress text, "
        "initialized_at time, "
        "is_serverless_backfill bool @3.0, backfill_type text @3.0",
        rows.ddl_progress,
    ),
    "rw_catalog.rw_description": (
        "objoid int, classoid int, objsubid int, description text",
        rows.description,
    ),
    "rw_catalog.rw_fragment_parallelism": (
        "id int, name text, relation_type text, fragment_id int, distribution_type text, "
        "state_table_ids int[], "
        "upstream_fragment_ids int[], flags text[], parallelism int, max_parallelism int, "
        "parallelism_policy text",
        rows.nothing,
    ),
    "rw_catalog.rw_streaming_parallelism": (
        "id int, name text, relation_type text, parallelism text, max_parallelism int",
        rows.parallelism,
    ),
    "rw_catalog.rw_table_fragments": (
        "table_id int, status text, parallelism text, max_parallelism int",
        rows.table_fragments,
    ),
    "rw_catalog.rw_streaming_jobs @2.6": (
        "id int, name text, database_id int, status text, parallelism text, max_parallelism int, "
        "resource_group text",
        rows.streaming_jobs,
    ),
    "rw_catalog.rw_streaming_job_config @2.8": (
        "id int, name text, database_id int, key text, value text",
        rows.streaming_job_config,
    ),
    "rw_catalog.rw_table_stats": (
        "id int, total_key_count bigint, total_key_size bigint, total_value_size bigint",
        rows.table_stats,
    ),
    "rw_catalog.rw_databases": ("id int, name text, owner int, acl text[]", rows.databases),
    "pg_catalog.pg_indexes": (
        "schemaname text, tablename text, indexname text, tablespace text, indexdef text",
        rows.pg_indexes,
    ),
    "pg_catalog.pg_matviews": (
        "schemaname text, matviewname text, matviewowner int, tablespace text, hasindexes bool, "
        "ispopulated bool, definition text",
        rows.pg_matviews,
    ),
    "pg_catalog.pg_namespace": ("oid int, nspname text, nspowner int, nspacl text[]", rows.schemas),
    "pg_catalog.pg_description": (
        "objoid int, classoid int, objsubid int, description text",
        rows.description,
    ),
    "information_schema.columns": (
        "table_catalog text, table_schema text, table_name text, column_name text, "
        "ordinal_position int, data_type text",
        rows.information_columns,
    ),
    "information_schema.tables": (
        "table_catalog text, table_schema text, table_name text, table_type text",
        rows.information_tables,
    ),
}
# Their rows change while nothing in the catalog does.
_LIVE = {"rw_ddl_progress", "rw_streaming_jobs"}


@dataclass
class _Relation:
    schema: str
    name: str
    columns: list[tuple[str, PgType]]
    kept: list[int]  # which of the made values this version shows
    make: Callable[[rows.View], Iterable[tuple[Any, ...]]]

    @property
    def stored_name(self) -> str:
        return f"sys_{self.schema}_{self.name}"


class SystemRelations:
    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self.catalog = catalog
        self.jobs = jobs
        self._by_stored_name: dict[str, _Relation] = {}
        for name, (columns, make) in _RELATIONS.items():
            plain, since = _since(name)
            if since is None or catalog.version.key >= since:
                relation = self._relation(plain, columns, make)
                self._by_stored_name[relation.stored_name] = relation

    def _relation(self, name: str, columns: str, make: Callable) -> _Relation:
        schema, base = name.split(".")
        shown, kept = [], []
        for i, item in enumerate(columns.split(", ")):
            plain, since = _since(item)
            if since is None or self.catalog.version.key >= since:
                column, kind = plain.split()
                shown.append((column, _TYPES[kind]))
                kept.append(i)
        return _Relation(schema, base, shown, kept, make)

    def find(self, name: Name) -> str | None:
        """The stored name of a system relation, named with its schema or without (not those of
        information_schema).
        """
        schemas = [name.parts[-2]] if len(name.parts) > 1 else SYSTEM_SCHEMAS[:2]
        stored = (f"sys_{schema}_{name.base}" for schema in schemas)
        return next((one for one in stored if one in self._by_stored_name), None)

    def empty(self, stored_names: set[str]) -> list[SystemTable]:
        """Tables without rows: enough to ask for types."""
        return [
            SystemTable(name, self._by_stored_name[name].columns, [], "empty")
            for name in stored_names
        ]

    def snapshots(
        self, stored_names: set[str], catalog: Catalog, user: User
    ) -> list[SystemTable]:
        """What a user sees on a frontend that knows this catalog."""
        view = rows.View(catalog, self.catalog, self.jobs, user)
        return [self._snapshot(self._by_stored_name[name], view) for name in stored_names]

    def _snapshot(self, relation: _Relation, view: rows.View) -> SystemTable:
        made = [tuple(row[i] for i in relation.kept) for row in relation.make(view)]
        stamp = object() if relation.name in _LIVE else view.stamp
        return SystemTable(relation.stored_name, relation.columns, made, stamp)


def _since(text: str) -> tuple[str, tuple[int, int] | None]:
    match = re.fullmatch(r"(.*?) @(\d)\.(\d)", text)
    return (match[1], (int(match[2]), int(match[3]))) if match else (text, None)
