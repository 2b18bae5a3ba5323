"""Types and values on the wire: duckdb's types as the server's, values as text and binary,
parameters as text.

The server knows one string type (varchar) and prints booleans as t and f, arrays in braces.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class PgType:
    oid: int
    size: int
    name: str  # as in rw_columns.data_type
    debug: str  # as in binder messages
    duck: str  # the cast target in duckdb
    array: int


BOOL = PgType(16, 1, "boolean", "Boolean", "BOOLEAN", 1000)
BYTEA = PgType(17, -1, "bytea", "Bytea", "BLOB", 1001)
INT8 = PgType(20, 8, "bigint", "Int64", "BIGINT", 1016)
INT2 = PgType(21, 2, "smallint", "Int16", "SMALLINT", 1005)
INT4 = PgType(23, 4, "integer", "Int32", "INTEGER", 1007)
FLOAT4 = PgType(700, 4, "real", "Float32", "FLOAT", 1021)
FLOAT8 = PgType(701, 8, "double precision", "Float64", "DOUBLE", 1022)
VARCHAR = PgType(1043, -1, "character varying", "Varchar", "VARCHAR", 1015)
DATE = PgType(1082, 4, "date", "Date", "DATE", 1182)
TIME = PgType(1083, 8, "time without time zone", "Time", "TIME", 1183)
TIMESTAMP = PgType(1114, 8, "timestamp without time zone", "Timestamp", "TIMESTAMP", 1115)
TIMESTAMPTZ = PgType(1184, 8, "timestamp with time zone", "Timestamptz", "TIMESTAMPTZ", 1185)
INTERVAL = PgType(1186, 16, "interval", "Interval", "INTERVAL", 1187)
NUMERIC = PgType(1700, -1, "numeric", "Decimal", "DECIMAL(38,10)", 1231)
SERIAL = PgType(20, 8, "serial", "Serial", "BIGINT", 1016)
JSONB = PgType(3802, -1, "jsonb", "Jsonb", "JSON", 3807)

_SCALARS = (
    BOOL,
    BYTEA,
    INT8,
    INT2,
    INT4,
    FLOAT4,
    FLOAT8,
    VARCHAR,
    DATE,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    INTERVAL,
    NUMERIC,
    JSONB,
)
_BY_DUCK = {
    **{t.duck: t for t in _SCALARS},
    "TINYINT": INT2,
    "UTINYINT": INT2,
    "USMALLINT": INT4,
    "UINTEGER": INT8,
    "UBIGINT": NUMERIC,
    "HUGEINT": NUMERIC,
    "TIMESTAMP WITH TIME ZONE": TIMESTAMPTZ,
}


def array_of(element: PgType) -> PgType:
    return PgType(
        element.array, -1, element.name + "[]", f"List({element.debug})", element.duck + "[]", 0
    )


_BY_OID = (
    {t.oid: t for t in _SCALARS}
    | {t.array: array_of(t) for t in _SCALARS}
    | {25: VARCHAR, 705: VARCHAR}
)


def from_duckdb(name: str) -> PgType:
    """The server's type for a duckdb type name."""
    if name.endswith("[]"):
        return array_of(from_duckdb(name[:-2]))
    if name.startswith("DECIMAL"):
        return NUMERIC
    return _BY_DUCK.get(name, VARCHAR)


def by_oid(oid: int) -> PgType:
    return _BY_OID.get(oid, VARCHAR)


def is_array(kind: PgType) -> bool:
    return kind.array == 0


def element_of(kind: PgType) -> PgType:
    return next(t for t in _SCALARS if t.array == kind.oid)


def text(value: Any, kind: PgType) -> bytes:
    """A value that is not null, in text format."""
    if isinstance(value, str):
        # Timestamps with time zone arrive as duckdb's text, which shortens the offset.
        if kind is TIMESTAMPTZ:
            value = re.sub(r"([+-]\d\d)\Z", r"\1:00", value)
        return value.encode()
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return str(value).encode()
    if isinstance(value, Decimal):
        return _decimal(value).encode()
    if isinstance(value, (list, tuple)):
        return _array_text(value, kind).encode()
    return _other_text(value).encode()


def _decimal(value: Decimal) -> str:
    # The scale in duckdb is fixed; the server's is not, so trailing zeros carry no meaning.
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _other_text(value: Any) -> str:
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        days = (
            f"{value.days} days "
            if abs(value.days) > 1
            else f"{value.days} day "
            if value.days
            else ""
        )
        hours, rest = divmod(value.seconds, 3600)
        return f"{days}{hours:02}:{rest // 60:02}:{rest % 60:02}"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, dict):
        return json.dumps(value, default=str)
    return str(value)


def _array_text(value: list | tuple, kind: PgType) -> str:
    element = element_of(kind) if is_array(kind) and kind.oid else VARCHAR
    parts = []
    for item in value:
        word = "NULL" if item is None else text(item, element).decode()
        quoted = item is not None and (
            not word or word.upper() == "NULL" or re.search(r'[\s{},"\\]', word)
        )
        parts.append('"' + re.sub(r'(["\\])', r"\\\1", word) + '"' if quoted else word)
    return "{" + ",".join(parts) + "}"


_PACKED = {INT2: ">h", INT4: ">i", INT8: ">q", FLOAT4: ">f", FLOAT8: ">d"}
_EPOCH = datetime(2000, 1, 1)


def binary(value: Any, kind: PgType) -> bytes:
    """A value that is not null, in binary format."""
    if kind in _PACKED:
        return struct.pack(_PACKED[kind], value)
    if kind is BOOL:
        return b"\1" if value else b"\0"
    if kind in (TIMESTAMP, TIMESTAMPTZ):
        moment = (
            datetime.fromisoformat(value).replace(tzinfo=None) if isinstance(value, str) else value
        )
        return struct.pack(">q", round((moment - _EPOCH) / timedelta(microseconds=1)))
    if kind is DATE:
        return struct.pack(">i", (value - _EPOCH.date()).days)
    if kind is NUMERIC:
        return _binary_numeric(Decimal(value))
    if kind is BYTEA:
        return bytes(value)
    if kind is JSONB:
        return b"\1" + text(value, kind)
    if is_array(kind):
        return _binary_array(value, element_of(kind))
    return text(value, kind)


def _binary_numeric(value: Decimal) -> bytes:
    plain = _decimal(abs(value))
    whole, _, fraction = plain.partition(".")
    whole = whole.lstrip("0")
    whole = whole.zfill(-(-len(whole) // 4) * 4)
    padded = fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    digits = [int((whole + padded)[i : i + 4]) for i in range(0, len(whole + padded), 4)]
    sign = 0x4000 if value < 0 else 0
    return struct.pack(
        f">hhHh{len(digits)}h", len(digits), len(whole) // 4 - 1, sign, len(fraction), *digits
    )


def _binary_array(items: list, element: PgType) -> bytes:
    out = struct.pack(">iii", 1 if items else 0, int(None in items), element.oid)
    if items:
        out += struct.pack(">ii", len(items), 1)
    for item in items:
        encoded = None if item is None else binary(item, element)
        out += (
            struct.pack(">i", -1) if encoded is None else struct.pack(">i", len(encoded)) + encoded
        )
    return out


def parameter_text(raw: bytes, kind: PgType, is_binary: bool) -> str:
    """A parameter as text that duckdb can cast to its type."""
    if not is_binary:
        word = raw.decode()
        if is_array(kind) and word.startswith("{"):
            return "[" + word[1:-1] + "]"
        return word
    if kind in _PACKED:
        return str(struct.unpack(_PACKED[kind], raw)[0])
    if kind is BOOL:
        return "true" if raw[0] else "false"
    if kind in (TIMESTAMP, TIMESTAMPTZ):
        return str(_EPOCH + timedelta(microseconds=struct.unpack(">q", raw)[0]))
    if kind is DATE:
        return str(_EPOCH.date() + timedelta(days=struct.unpack(">i", raw)[0]))
    if kind is NUMERIC:
        return _numeric_parameter(raw)
    return raw[1:].decode() if kind is JSONB else raw.decode()


def _numeric_parameter(raw: bytes) -> str:
    count, weight, sign, scale = struct.unpack(">hhHh", raw[:8])
    digits = struct.unpack(f">{count}h", raw[8:])
    total = sum(
        (Decimal(d) * Decimal(10000) ** (weight - i) for i, d in enumerate(digits)), Decimal(0)
    )
    return format(-total if sign == 0x4000 else total, f".{scale}f")
