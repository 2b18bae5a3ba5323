"""What the parser makes of a text: one small class per kind of statement, without any
behaviour.

`text` is the statement's own text; `Definition` is what the catalog keeps and prints as the
stored definition.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from .queries import to_text

TABLE, MATVIEW, VIEW, INDEX, SINK, SUBSCRIPTION = (
    "table",
    "materialized view",
    "view",
    "index",
    "sink",
    "subscription",
)


@dataclass
class Name:
    """A dotted name: what it denotes, and how it was written."""

    parts: list[str]
    written: list[str]

    @property
    def base(self) -> str:
        return self.parts[-1]

    def __str__(self) -> str:
        return ".".join(self.written)


@dataclass
class Definition:
    """A stored definition, kept in pieces so that renaming is replacing a piece."""

    head: str
    name: Name
    before: str = ""
    query: exp.Expression | None = None
    source: Name | None = None
    after: str = ""
    joint: str = "FROM"  # the word before `source`

    def text(self) -> str:
        middle = ""
        if self.query is not None:
            middle = f" AS {to_text(self.query)}"
        elif self.source is not None:
            middle = f" {self.joint} {self.source}"
        return f"{self.head} {self.name}{self.before}{middle}{self.after}"


@dataclass
class Statement:
    text: str = field(default="", kw_only=True)

    def normal_text(self) -> str:
        """As the server prints it; statements without names and values are kept as written."""
        return self.text


@dataclass
class Query(Statement):
    query: exp.Expression

    def normal_text(self) -> str:
        return to_text(self.query)


@dataclass
class Dml(Statement):
    query: exp.Expression
    tag: str

    def normal_text(self) -> str:
        return to_text(self.query)


@dataclass
class ColumnSpec:
    name: str
    type_text: str
    default: str | None = None


@dataclass
class CreateTable(Statement):
    name: Name
    columns: list[ColumnSpec]
    primary_key: list[str]
    definition: Definition
    query: exp.Expression | None
    if_not_exists: bool
    or_replace: bool
    append_only: bool


@dataclass
class CreateView(Statement):
    materialized: bool
    name: Name
    columns: list[str]
    options: dict[str, str]
    query: exp.Expression
    definition: Definition
    emit_on_close: bool
    if_not_exists: bool
    or_replace: bool

    @property
    def kind(self) -> str:
        return MATVIEW if self.materialized else VIEW

    def normal_text(self) -> str:
        text = self.definition.text()
        return text.replace("CREATE ", "CREATE OR REPLACE ", 1) if self.or_replace else text


@dataclass
class IndexKey:
    """`order` is printed by SHOW INDEXES: NULLS only where they are not as usual."""

    text: str
    column: str | None
    order: str
    expression: exp.Expression


@dataclass
class CreateIndex(Statement):
    name: Name
    table: Name
    keys: list[IndexKey]
    include: list[str]
    distributed: list[exp.Expression]
    definition: Definition
    unique: bool
    if_not_exists: bool

    def normal_text(self) -> str:
        return self.definition.text()


@dataclass
class CreateStream(Statement):
    """CREATE SINK and CREATE SUBSCRIPTION: catalog entries that read one relation or a query."""

    kind: str
    name: Name
    definition: Definition
    options: dict[str, str]
    if_not_exists: bool
    into: Name | None = None  # the table that a sink writes to


@dataclass
class CreateFunction(Statement):
    """CREATE FUNCTION … LANGUAGE SQL: `body` is the expression behind SELECT."""

    name: Name
    arguments: list[str]  # their names; "" for those that are only $1, $2, …
    body: exp.Expression


@dataclass
class CreateSchema(Statement):
    name: Name
    if_not_exists: bool


@dataclass
class CreateUser(Statement):
    name: Name
    options: list[str]
    password: str | None


@dataclass
class Drop(Statement):
    kind: str
    name: Name
    if_exists: bool
    cascade: bool


@dataclass
class Alter(Statement):
    """`action` is SWAP, RENAME, OWNER, SCHEMA, ADD COLUMN, AS, PARALLELISM, RESOURCE_GROUP, CONFIG
    or SET for all that changes nothing here; `argument` is the other name, the value (None for the
    default), the values by key, or the rest of the text.
    """

    kind: str
    name: Name
    action: str
    argument: Name | str | ColumnSpec | dict[str, str | None] | None
    deferred: bool = False


@dataclass
class AlterDefaults(Statement):
    revoke: bool
    kind: str
    schemas: list[str]
    owners: list[str]
    users: list[str]
    grant_option: bool
    option_only: bool


@dataclass
class Comment(Statement):
    on_column: bool
    name: Name
    comment: str | None


@dataclass
class Grant(Statement):
    revoke: bool
    privileges: list[str]
    kind: str
    names: list[Name]
    users: list[str]
    grant_option: bool
    option_only: bool
    granted_by: str | None
    cascade: bool


@dataclass
class Show(Statement):
    """`what` is the upper-case object of SHOW, such as JOBS or CREATE VIEW."""

    what: str
    name: Name | None = None
    schema: str | None = None
    like: str | None = None


@dataclass
class ShowVariable(Statement):
    name: str


@dataclass
class SetVariable(Statement):
    name: str
    value: str | None


@dataclass
class Describe(Statement):
    name: Name


@dataclass
class Explain(Statement):
    inner: Statement


@dataclass
class Transaction(Statement):
    tag: str
    read_only: bool = False
    isolation: bool = False


@dataclass
class Simple(Statement):
    """A statement with nothing but a tag and perhaps a notice: FLUSH, DISCARD, PREPARE,
    DEALLOCATE.
    """

    tag: str
    notice: str | None = None


@dataclass
class Wait(Statement):
    kind: str | None = None
    name: Name | None = None


@dataclass
class CancelJobs(Statement):
    ids: list[int]


@dataclass
class Kill(Statement):
    process: str


@dataclass
class Recover(Statement):
    """RECOVER: makes the cluster recover now."""
