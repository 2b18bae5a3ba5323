"""What exists: schemas, users, relations with integer ids, what depends on what, and the names
over them.

Everything is bound by id; a name is only a label. SWAP and RENAME move labels and rewrite the
stored texts of dependents the way the server's rewriter does. All changes happen between two
awaits, so no session sees half of one. `generation` grows with every change and tells caches
that they are old.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlglot import exp

from . import errors
from .lexer import RESERVED, quote_name
from .privileges import Acl, DefaultPrivilege
from .queries import rewrite_references
from .statements import INDEX, MATVIEW, TABLE, VIEW, Definition, Name
from .values import SERIAL, TIMESTAMPTZ
from .wire import Column

if TYPE_CHECKING:
    from .sql_functions import Function
    from .versions import Version

DATABASE = "dev"
DEFAULT_GROUP = "default"
ROW_ID = "_row_id"
SYSTEM_SCHEMAS = ("pg_catalog", "rw_catalog", "information_schema")


@dataclass
class Schema:
    id: int
    name: str
    owner: int
    acl: Acl = field(default_factory=Acl)


@dataclass
class User:
    id: int
    name: str
    is_super: bool = False
    create_db: bool = False
    create_user: bool = False
    can_login: bool = True
    is_admin: bool = False


@dataclass
class IndexParts:
    """What an index is made of, besides its visible columns: those begin with the keys."""

    table: int
    orders: list[str]  # one for each key
    expressions: list[bool]  # which of the keys are no plain columns
    distributed: int  # so many of the keys tell where a row is
    hidden: list[Column]  # the key of the table, as far as no visible column holds it


@dataclass
class JobSettings:
    """What ALTER … SET changes of a streaming job."""

    parallelism: str = "adaptive"
    resource_group: str = DEFAULT_GROUP
    config: dict[str, str] = field(default_factory=dict)


@dataclass
class Relation:
    id: int
    name: str
    kind: str
    schema: int
    owner: int
    definition: Definition
    columns: list[Column] = field(default_factory=list)
    primary_key: list[str] = field(default_factory=list)
    reads: set[int] = field(default_factory=set)
    creating: bool = False
    background: bool = False
    announced: bool = True  # frontends know of it; of indexes in the foreground only when built
    append_only: bool = False
    acl: Acl = field(default_factory=Acl)
    comments: dict[str | None, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    job: JobSettings = field(default_factory=JobSettings)
    index: IndexParts | None = None
    hidden_key: bool = False
    initialized_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    created_at: datetime | None = None
    finished_as: int = 0  # the catalog's clock when the build ended, for READ ONLY snapshots
    stale_text: str | None = None  # what is still shown of an index whose table got another name

    def copy(self) -> Relation:
        # Definitions and columns are replaced when they change, never altered.
        return replace(
            self, acl=self.acl.copy(), comments=dict(self.comments), job=replace(self.job)
        )

    @property
    def stored_as(self) -> str:
        """The name of the object in duckdb that holds the rows."""
        return f"o{self.id}"

    @property
    def definition_text(self) -> str:
        return self.stale_text or self.definition.text()


class Catalog:
    def __init__(self, version: Version) -> None:
        self.version = version
        self.watcher: Callable[[], None] | None = None
        self.generation = 0
        self.next_id = 6
        self.schemas: dict[int, Schema] = {}
        self.users: dict[int, User] = {}
        self.relations: dict[int, Relation] = {}
        self.functions: dict[int, Function] = {}
        self.defaults: list[DefaultPrivilege] = []
        for i, name in enumerate(("root", "postgres", "rwadmin"), 1):
            self.users[i] = User(i, name, True, True, True, True, name == "rwadmin")
        for i, name in enumerate(("public", *SYSTEM_SCHEMAS), 2):
            self.schemas[i] = Schema(i, name, 1)

    def copy(self) -> Catalog:
        """What exists now, for readers only: later changes of this catalog do not reach it."""
        other = copy.copy(self)
        other.watcher = None
        other.users = dict(self.users)
        other.functions = dict(self.functions)
        other.schemas = {i: replace(one, acl=one.acl.copy()) for i, one in self.schemas.items()}
        other.relations = {i: one.copy() for i, one in self.relations.items()}
        return other

    # -- look-up

    def take_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def changed(self) -> int:
        self.generation += 1
        if self.watcher is not None:
            self.watcher()
        return self.generation

    def schema(self, name: str) -> Schema:
        for schema in self.schemas.values():
            if schema.name == name:
                return schema
        raise errors.not_found("schema", name)

    def has_schema(self, name: str) -> bool:
        return any(schema.name == name for schema in self.schemas.values())

    def has(self, object_id: int) -> bool:
        """Whether something that is read is still there: a relation or a function."""
        return object_id in self.relations or object_id in self.functions

    def user(self, name: str) -> User:
        for user in self.users.values():
            if user.name == name:
                return user
        raise errors.not_found("user", name)

    def named(self, schema: int, name: str) -> Relation | None:
        return next(
            (r for r in self.relations.values() if r.schema == schema and r.name == name), None
        )

    def find(
        self, name: Name, path: list[str], kinds: tuple[str, ...] = (), creating: bool = False
    ) -> Relation | None:
        """The first relation of that name on the path (or in its schema) that is of one of the
        kinds.
        """
        for schema in self._schemas_for(name, path):
            found = self.named(schema.id, name.base)
            if found and (not kinds or found.kind in kinds) and (creating or not found.creating):
                if found.announced:
                    return found
        return None

    def _schemas_for(self, name: Name, path: list[str]) -> list[Schema]:
        check_parts(name)
        if len(name.parts) > 1:
            return [self.schema(name.parts[-2])]
        return [self.schema(entry) for entry in path if self.has_schema(entry)]

    def schema_to_create_in(self, name: Name, path: list[str]) -> Schema:
        check_parts(name)
        if len(name.parts) > 1:
            return self.schema(name.parts[-2])
        if not path:
            raise errors.catalog_error(
                "first valid schema not found: no schema has been selected to create in"
            )
        return self.schema(path[0])

    def full_name(self, relation: Relation, quoted: bool = False) -> str:
        parts = (self.schemas[relation.schema].name, relation.name)
        return ".".join(quote_name(part) if quoted else part for part in parts)

    # -- dependencies

    def dependents(self, relation: Relation) -> list[Relation]:
        """What reads it, itself or through plain views; indexes are not counted as readers."""
        return [r for r in self.relations.values() if relation.id in r.reads and r.kind != INDEX]

    def indexes(self, relation: Relation) -> list[Relation]:
        return [r for r in self.relations.values() if r.index and r.index.table == relation.id]

    def created_indexes(self, relation: Relation) -> list[Relation]:
        return [index for index in self.indexes(relation) if not index.creating]

    def closure(self, relation: Relation) -> list[Relation]:
        """Everything downstream, leaves first, the relation itself last."""
        ordered: list[Relation] = []

        def visit(node: Relation) -> None:
            for dependent in [*self.dependents(node), *self.indexes(node)]:
                if dependent not in ordered:
                    visit(dependent)
            if node not in ordered:
                ordered.append(node)

        visit(relation)
        return ordered

    def through_views(self, ids: set[int]) -> set[int]:
        """The ids with everything that plain views among them read."""
        out = set(ids)
        for one in ids:
            if one in self.relations and self.relations[one].kind == VIEW:
                out |= self.relations[one].reads
        return out

    def dependency_pairs(self) -> Iterator[tuple[int, int]]:
        for relation in self.relations.values():
            if not relation.creating:
                for referenced in sorted(relation.reads):
                    yield relation.id, referenced

    # -- changes

    def add(self, relation: Relation) -> None:
        self.relations[relation.id] = relation
        if not relation.creating:
            self.finish(relation)
        self.changed()

    def finish(self, relation: Relation) -> None:
        """A job is done: the relation becomes readable and the default privileges reach it."""
        relation.creating = False
        relation.background = False
        relation.announced = True
        relation.created_at = datetime.now(UTC)
        relation.finished_as = self.changed()
        for rule in self.defaults:
            if rule.applies_to(relation.kind, relation.schema, relation.owner):
                relation.acl.grant(rule.grantee, rule.grantor, "r", rule.grant_option)

    def remove(self, relations: list[Relation]) -> None:
        for relation in relations:
            self.relations.pop(relation.id, None)
        self.changed()

    def printed_name(self, name: str) -> str:
        # Before 2.5 the server wrote new names without quotes, whatever they were; only since
        # 2.8 it quotes keywords, too.
        if not self.version.at_least(2, 5):
            return name
        if self.version.at_least(2, 8) and name in RESERVED:
            return f'"{name}"'
        return quote_name(name)

    def rename(self, relation: Relation, name: str) -> None:
        old = relation.name
        self._label(relation, name)
        self._rewrite_dependents(relation, old)
        self.changed()

    def swap(self, first: Relation, second: Relation) -> None:
        """Exchanges the names. Each rename rewrites the texts of its own dependents, one after the
        other, as on the server.
        """
        names = first.name, second.name
        self._label(first, names[1])
        self._label(second, names[0])
        self._rewrite_dependents(first, names[0])
        self._rewrite_dependents(second, names[1])
        self.changed()

    def _label(self, relation: Relation, name: str) -> None:
        relation.name = name
        relation.stale_text = None
        written = _renamed(relation.definition.name, name, self.printed_name(name))
        relation.definition = replace(relation.definition, name=written)

    def _rewrite_dependents(self, relation: Relation, old: str) -> None:
        """References to `old` in the texts of dependents get the relation's present name.

        The text of an index goes on being shown with the old name until the index itself is
        renamed.
        """
        for dependent in self.parsed_by_rename(relation)[1:]:
            definition = dependent.definition
            if dependent.kind == INDEX:
                dependent.stale_text = dependent.definition_text
            if definition.query is not None:
                query = definition.query.copy()
                rewrite_references(query, old, *map(self._printed_identifier, (relation.name, old)))
                dependent.definition = replace(definition, query=query)
            elif definition.source is not None and definition.source.base == old:
                name = self.printed_name(relation.name)
                source = _renamed(definition.source, relation.name, name)
                dependent.definition = replace(definition, source=source)

    def _printed_identifier(self, name: str) -> exp.Identifier:
        return exp.Identifier(this=name, quoted=self.printed_name(name) != name)

    def parsed_by_rename(self, relation: Relation) -> list[Relation]:
        """Those whose stored texts meta parses when the relation gets another name."""
        return [relation, *self.dependents(relation), *self.indexes(relation)]

    # -- rows that belong to a relation but are no columns of the user

    def hidden_columns(self, relation: Relation) -> list[Column]:
        if relation.kind not in (TABLE, MATVIEW, INDEX):
            return []
        key = [Column(ROW_ID, SERIAL)] if relation.hidden_key else []
        if relation.index is not None:
            key = relation.index.hidden
        return [*key, Column("_rw_timestamp", TIMESTAMPTZ)]

    def key(self, relation: Relation) -> list[str]:
        """The names of its key columns, hidden ones too."""
        if relation.index is not None:
            keys = [column.name for column in relation.columns[: len(relation.index.orders)]]
            table = self.relations[relation.index.table]
            included = [column.name for column in relation.columns[len(keys) :]]
            keys += [name for name in self.key(table) if name in included]
            return keys + [column.name for column in relation.index.hidden]
        return relation.primary_key or ([ROW_ID] if relation.hidden_key else [])

    def distribution(self, relation: Relation) -> list[str]:
        keys = self.key(relation)
        return keys[: relation.index.distributed] if relation.index is not None else keys


def check_parts(name: Name) -> None:
    if len(name.parts) > 3:
        raise errors.invalid_input("improper qualified name (too many dotted names)")
    if len(name.parts) == 3 and name.parts[0] != DATABASE:
        raise errors.cross_database(str(name))


def _renamed(name: Name, base: str, printed: str) -> Name:
    return Name([*name.parts[:-1], base], [*name.written[:-1], printed])
