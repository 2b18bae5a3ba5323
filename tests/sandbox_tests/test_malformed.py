"""Messages that kill the whole process, and odd ones that do not; before and after the login."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from conftest import Sandbox, play

# root logs in without a password, rwadmin with one.
PASSWORD = ("--password", "rwadmin=secret")


def framed(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack(">i", len(body) + 4) + body


MALFORMED = {
    "length 3": b"Q" + struct.pack(">i", 3),
    "length 0": b"S" + struct.pack(">i", 0),
    "length -1": b"S" + struct.pack(">i", -1),
    "Parse without NUL": framed(b"P", b"abc"),
    "Parse with one NUL": framed(b"P", b"abc\0def"),
    "Parse with fewer types": framed(b"P", b"\0SELECT 1\0" + struct.pack(">hi", 2, 23)),
    "Bind too short": framed(b"B", b"\0\0" + struct.pack(">h", 0)),
    "Bind past its end": framed(b"B", b"\0\0" + struct.pack(">hhi", 0, 1, 9) + b"x"),
    "Bind length below -1": framed(b"B", b"\0\0" + struct.pack(">hhih", 0, 1, -2, 0)),
    "Bind count 32768": framed(b"B", b"\0\0" + struct.pack(">hh", 0, -32768)),
    "Execute without row limit": framed(b"E", b"\0"),
    "Describe without body": framed(b"D", b""),
    "Describe without NUL": framed(b"D", b"Sabc"),
    "Close without body": framed(b"C", b""),
    "Close without NUL": framed(b"C", b"Sabc"),
}
SILENT_QUERIES = {
    "empty": b"",
    "without NUL": b"SELECT 1",
    "not UTF-8": b"SELECT '\xff'\0",
    "inner NUL": b"SELECT 1\0x\0",
}


@pytest.fixture(scope="module")
def sturdy() -> Iterator[Sandbox]:
    """One sandbox for all that must not kill it."""
    sandbox = Sandbox(*PASSWORD)
    yield sandbox
    assert sandbox.stop() == (0, "")


def connect(sandbox: Sandbox, logged_in: bool):
    """A connection that is ready, or one that was asked for its password."""
    conn = sandbox.connection("root" if logged_in else "rwadmin")
    conn.startup()
    last = "ReadyForQuery" if logged_in else "Authentication"
    while conn.recv(5)[0] != last:
        pass
    return conn


def answers_to_query(conn) -> list[str]:
    conn.sock.sendall(framed(b"Q", b"SELECT 1\0"))
    return [conn.recv(5)[0] for _ in range(4)]


SERVED = ["RowDescription", "DataRow", "CommandComplete", "ReadyForQuery"]


@pytest.mark.parametrize("logged_in", [False, True])
@pytest.mark.parametrize("what", MALFORMED)
def test_dies_of_a_malformed_message(start, what, logged_in):
    sandbox = start(*PASSWORD)
    connect(sandbox, logged_in).sock.sendall(MALFORMED[what])
    code, complaints = sandbox.died()
    assert code == 70
    assert complaints.startswith("died of a malformed message: ")


def test_dies_while_skipping_to_sync(start):
    sandbox = start()
    conn = connect(sandbox, True)
    conn.sock.sendall(framed(b"P", b"\0SELEC\0\0\0") + MALFORMED["Bind too short"])
    assert sandbox.died()[0] == 70


def test_dies_of_a_short_cancel_request(start):
    sandbox = start()
    play.Conn("127.0.0.1", sandbox.port, {}).sock.sendall(struct.pack(">iii", 12, 80877102, 0))
    assert sandbox.died()[0] == 70


@pytest.mark.parametrize("logged_in", [False, True])
@pytest.mark.parametrize("what", SILENT_QUERIES)
def test_odd_query_gets_no_answer_at_all(sturdy, what, logged_in):
    conn = connect(sturdy, logged_in)
    conn.sock.sendall(framed(b"Q", SILENT_QUERIES[what]))
    assert conn.recv(0.15) is None
    assert answers_to_query(conn) == SERVED


@pytest.mark.parametrize("logged_in", [False, True])
def test_describe_of_an_unknown_kind_answers_and_closes(sturdy, logged_in):
    conn = connect(sturdy, logged_in)
    conn.sock.sendall(framed(b"D", b"Q\0"))
    assert [conn.recv(5)[0] for _ in range(2)] == ["ErrorResponse", "Closed"]


@pytest.mark.parametrize("logged_in", [False, True])
def test_sync_with_a_body_is_a_sync(sturdy, logged_in):
    conn = connect(sturdy, logged_in)
    conn.sock.sendall(framed(b"S", b"more"))
    assert conn.recv(5) == ("ReadyForQuery", "I")
    assert answers_to_query(conn) == SERVED


@pytest.mark.parametrize("logged_in", [False, True])
def test_a_huge_length_waits(sturdy, logged_in):
    conn = connect(sturdy, logged_in)
    conn.sock.sendall(b"Q" + struct.pack(">i", 0x7FFFFFFF) + b"SELECT 1\0")
    assert conn.recv(0.15) is None
    assert answers_to_query(connect(sturdy, True)) == SERVED


@pytest.mark.parametrize("logged_in", [False, True])
@pytest.mark.parametrize("message", [framed(b"d", b""), framed(b"F", b"x"), framed(b"X", b"")])
def test_other_messages_close_without_a_word(sturdy, message, logged_in):
    conn = connect(sturdy, logged_in)
    conn.sock.sendall(message)
    assert conn.recv(5) == ("Closed", None)


@pytest.mark.parametrize("size", [-1, 0, 3, 7, 10_001, 0x7FFFFFFF])
def test_an_odd_length_at_the_start_closes(sturdy, size):
    conn = sturdy.connection()
    conn.sock.sendall(struct.pack(">ii", size, 196608))
    assert conn.recv(5) == ("Closed", None)


def test_a_query_is_served_before_the_password(sturdy):
    conn = connect(sturdy, False)
    assert answers_to_query(conn) == SERVED
    conn.sock.sendall(framed(b"p", b"secret\0"))
    assert conn.recv(5) == ("Authentication", 0)
