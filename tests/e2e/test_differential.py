"""The same conversation, direct and through the proxy, gets the same bytes from the server.

The server is PostgreSQL, whose protocol goes further than RisingWave's. Masked is only what differs
between two direct conversations: cancel keys, process ids, salts and nonces of a login.
"""

import base64
import hashlib
import hmac
import os
import random
import re
import socket
import struct
import subprocess
import threading

import psycopg
import pytest

from postgres import BIN, PASSWORD, USERS, running_postgres
from processes import Proxy, eventually

REPLACE = "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a, b FROM t"
ROOT = {"user": "root", "database": "dev"}
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def postgres():
    with running_postgres() as server:
        with server.connect() as conn:
            conn.execute("CREATE TABLE t (a INT, b TEXT)")
            conn.execute("INSERT INTO t SELECT n, 'row ' || n FROM generate_series(1, 10) n")
            conn.execute("CREATE TABLE sink (a INT, b TEXT)")
        yield server


@pytest.fixture(scope="module")
def proxy(postgres):
    with Proxy(postgres.port) as running:
        yield running
        assert running.end(60) == 0, running.output()
        assert "level=error" not in running.output()


# Messages of the client.

def packet(body: bytes) -> bytes:
    return struct.pack(">i", len(body) + 4) + body


def message(tag: str, body: bytes = b"") -> bytes:
    return tag.encode() + packet(body)


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def start(params: dict, version: int = 0x30000) -> bytes:
    pairs = b"".join(text(key) + text(value) for key, value in params.items())
    return packet(struct.pack(">i", version) + pairs + b"\0")


def query(sql: str) -> bytes:
    return message("Q", text(sql))


def parse(sql: str, name: str = "", types: tuple = ()) -> bytes:
    numbers = struct.pack(f">h{len(types)}I", len(types), *types)
    return message("P", text(name) + text(sql) + numbers)


def bind(*params, portal: str = "", name: str = "", binary: bool = False) -> bytes:
    """Parameters are bytes or None; `binary` is the format of parameters and results alike."""
    formats = struct.pack(">hh", 1, int(binary))
    body = text(portal) + text(name) + formats + struct.pack(">h", len(params))
    for param in params:
        body += struct.pack(">i", -1) if param is None else struct.pack(">i", len(param)) + param
    return message("B", body + formats)


def execute(portal: str = "", most: int = 0) -> bytes:
    return message("E", text(portal) + struct.pack(">i", most))


def describe(kind: str, name: str = "") -> bytes:
    return message("D", kind.encode() + text(name))


def close(kind: str, name: str = "") -> bytes:
    return message("C", kind.encode() + text(name))


def call(function: int, *params: bytes) -> bytes:
    """A FunctionCall, parameters and result in binary."""
    body = struct.pack(">ihhh", function, 1, 1, len(params))
    return message("F", body + b"".join(struct.pack(">i", len(p)) + p for p in params) + b"\0\1")


def row(*values: str) -> bytes:
    return message("d", "\t".join(values).encode() + b"\n")


SSL_REQUEST, GSSENC_REQUEST = (packet(struct.pack(">i", code)) for code in (80877103, 80877104))
SYNC, FLUSH, TERMINATE, COPY_DONE = (message(tag) for tag in "SHXc")


class Line:
    """A raw connection that keeps every message of the server as (tag, body), masked."""

    def __init__(self, port: int, cuts: random.Random | None = None):
        self.port, self.cuts = port, cuts
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.heard: list[tuple[str, bytes]] = []
        self.last = b""  # body of the newest message, as it came
        self.rest = bytearray()

    def other(self) -> "Line":
        """A second connection to the same place."""
        return Line(self.port, self.cuts)

    def send(self, *messages: bytes) -> None:
        """In one piece, or with cuts the first bytes in pieces of one to seven."""
        out = b"".join(messages)
        while self.cuts and out and len(out) < 400:
            size = self.cuts.randint(1, 7)
            self.sock.sendall(out[:size])
            out = out[size:]
        self.sock.sendall(out)

    def receive(self) -> bool:
        try:
            piece = self.sock.recv(256 * 1024)
        except ConnectionResetError:
            piece = b""
        self.rest += piece
        return piece != b""

    def byte(self) -> None:
        """One byte that is no message: the answer to a request for encryption."""
        self.heard.append(("byte", self.sock.recv(1)))

    def next(self) -> str:
        """The tag of the next message; `end` when the server has closed."""
        while len(self.rest) < 5 or len(self.rest) < 1 + int.from_bytes(self.rest[1:5], "big"):
            if not self.receive():
                self.heard.append(("end", bytes(self.rest)))
                return "end"
        size = 1 + int.from_bytes(self.rest[1:5], "big")
        tag, self.last = chr(self.rest[0]), bytes(self.rest[5:size])
        del self.rest[:size]
        self.heard.append((tag, masked(tag, self.last)))
        return tag

    def until(self, tag: str) -> None:
        while (got := self.next()) != tag:
            assert got != "end", self.heard[-5:]

    def ask(self, *messages: bytes) -> None:
        """Sends, then reads up to ReadyForQuery."""
        self.send(*messages)
        self.until("Z")

    def login(self, **more) -> None:
        self.ask(start({**ROOT, **more}))

    def finish(self) -> None:
        """Reads what still comes until the server closes."""
        while not self.heard or self.heard[-1][0] != "end":
            self.next()
        self.sock.close()


def masked(tag: str, body: bytes) -> bytes:
    if tag == "K":
        return b"*" * len(body)
    if tag == "A":
        return b"****" + body[4:]
    if tag == "R" and body[3] in (5, 11, 12):
        return body[:4] + b"*" * (len(body) - 4)
    return body


# Conversations. Each begins on a fresh connection; all but those that end by themselves are ended
# by Terminate.

def simple(line: Line) -> None:
    line.login()
    for sql in ["SELECT 1", "", ";", " -- nothing", "SELECT 1; SELECT 'two', NULL; SELECT",
                "SELEC 1", "SELECT 1; SELECT 1/0; SELECT 3", "SELECT * FROM t ORDER BY a",
                "DO $$ BEGIN RAISE NOTICE 'heard %', 1; RAISE WARNING 'twice'; END $$",
                "SET application_name = 'me'; SHOW application_name", "SELECT * FROM absent",
                "DECLARE c CURSOR FOR SELECT 1", "SELECT E'\\x41', U&'\\0041', $$;$$, 'é'"]:
        line.ask(query(sql))


def transactions(line: Line) -> None:
    line.login()
    for sql in ["BEGIN", "INSERT INTO sink VALUES (1, 'x')", "SAVEPOINT s", "SELECT nope",
                "SELECT 1", "ROLLBACK TO s", "SELECT count(*) FROM sink", "SELECT nope", "COMMIT",
                "BEGIN READ ONLY; INSERT INTO sink VALUES (1, 'x')", "ROLLBACK", "ROLLBACK",
                "BEGIN; DECLARE c BINARY CURSOR FOR SELECT a, b FROM t ORDER BY a; FETCH 2 FROM c",
                "FETCH ALL FROM c; CLOSE c; COMMIT"]:
        line.ask(query(sql))


def extended(line: Line) -> None:
    line.login()
    line.ask(parse("SELECT a, b FROM t WHERE a > $1 ORDER BY a", "s"), describe("S", "s"), SYNC)
    for value in (b"7", b"100", None, b"wrong"):
        line.ask(bind(value, name="s"), describe("P"), execute(), SYNC)
    line.send(parse("SELECT $1::int + 1", types=(23,)), FLUSH)
    line.until("1")
    line.send(describe("S"), bind(b"41"), describe("P"), FLUSH)
    line.until("2")
    line.send(execute(), FLUSH)
    line.until("C")
    line.ask(close("S", "s"), close("S", "never was"), close("P"), SYNC)
    line.ask(bind(b"1", name="s"), SYNC)
    line.ask(parse(""), bind(), describe("P"), execute(), SYNC)
    line.ask(parse("INSERT INTO sink VALUES ($1, $2)"), bind(b"1", b"x"), describe("P"), execute(),
             parse("DELETE FROM sink"), bind(), execute(), SYNC)
    line.ask(SYNC)
    line.ask(FLUSH, FLUSH, SYNC)


def skipping_to_sync(line: Line) -> None:
    """Behind an error everything up to the Sync is dropped, simple queries too."""
    line.login()
    line.ask(parse("SELEC"), bind(), describe("P"), execute(), query("SELECT 'dropped'"),
             query(REPLACE), parse("SELECT 1"), FLUSH, SYNC)
    line.ask(parse("SELECT 1/$1", types=(23,)), bind(b"0"), execute(), execute(), SYNC)
    line.ask(parse("SELECT 1", "twice"), parse("SELECT 2", "twice"), execute(), SYNC)
    line.ask(execute("absent"), SYNC)
    line.ask(describe("P", "absent"), query("SELECT 1"), SYNC)
    line.send(parse("SELECT 1"), bind(), execute(), query("SELECT 2"))
    line.until("Z")
    line.ask(SYNC)
    line.ask(query("SELECT 'back'"))


def portals(line: Line) -> None:
    line.login()
    line.ask(query("BEGIN"))
    line.ask(parse("SELECT a, b FROM t ORDER BY a", "s"), bind(portal="one", name="s"),
             bind(portal="two", name="s", binary=True), describe("P", "two"), execute("one", 3),
             execute("two", 1), execute("one", 3), SYNC)
    line.ask(execute("one", 100), execute("two", 0), execute("one", 1), SYNC)
    line.ask(bind(portal="one", name="s"), SYNC)
    line.ask(query("ROLLBACK"))
    line.ask(parse("SELECT generate_series(1, 5)"), bind(), execute("", 2), execute("", 2),
             close("P"), execute(), SYNC)


def binary(line: Line) -> None:
    line.login()
    line.ask(parse("SELECT $1::int8, $2::float8, $3::bytea, $4::text, $5::bool, '1.5'::numeric"),
             describe("S"),
             bind(struct.pack(">q", -2), struct.pack(">d", 0.5), bytes(range(256)), b"\xc3\xa9",
                  b"\1", binary=True), describe("P"), execute(), SYNC)
    line.ask(parse("SELECT $1::int8"), bind(b"short", binary=True), execute(), SYNC)
    line.ask(parse("SELECT $1::text"), bind(b"Z\0\0\0\5I", binary=True), execute(), SYNC)
    line.ask(parse("SELECT $1::text"), bind(b"Z\x01\x02\x03\x05I", binary=True), execute(), SYNC)


def pipeline(line: Line) -> None:
    """Three hundred statements in one piece, every seventh failing."""
    line.login()
    out = []
    for n in range(300):
        sql = "SELECT nope" if n % 7 == 0 else f"SELECT {n}, repeat('x', {n})"
        out += [parse(sql), bind(), describe("P"), execute(), SYNC]
        out += [query(f"SELECT {n}; SELECT 'second'")] if n % 5 == 0 else []
    line.send(*out)
    for _ in range(360):
        line.until("Z")


BINARY_ROWS = (b"PGCOPY\n\xff\r\n\0" + bytes(8) +
               struct.pack(">hiiii", 2, 4, 7, 1, 0)[:-4] + b"x" +
               struct.pack(">hiii", 2, 4, 8, -1) + struct.pack(">h", -1))


def copy_in(line: Line) -> None:
    line.login()
    line.send(query("COPY sink FROM STDIN; SELECT a, b FROM sink ORDER BY a; DELETE FROM sink"))
    line.until("G")
    line.send(row("1", "one"), FLUSH, message("d", b"2\ttw"), SYNC, message("d", b"o\n3\t\\N\n"))
    line.ask(COPY_DONE)
    line.send(query("COPY sink FROM STDIN (FORMAT binary); SELECT a, b FROM sink ORDER BY a; "
                    "DELETE FROM sink"))
    line.until("G")
    line.ask(message("d", BINARY_ROWS), COPY_DONE)
    # Nothing waits for CopyInResponse, and stray messages of a copy are ignored.
    line.ask(query("COPY sink FROM STDIN"), row("1", "x"), COPY_DONE)
    line.ask(row("9", "stray"), COPY_DONE, message("f", b"stray\0"), query("DELETE FROM sink"))


def copy_in_fails(line: Line) -> None:
    line.login()
    many = [row(str(n), "x" * 50) for n in range(2000)]
    # A bad row in the middle, the client goes on sending.
    line.ask(query("COPY sink FROM STDIN"), *many[:1000], row("bad", "x"), *many[1000:], COPY_DONE)
    line.ask(query("SELECT count(*) FROM sink"))
    # The client gives up.
    line.ask(query("COPY sink FROM STDIN"), *many[:10], message("f", text("changed my mind")))
    line.ask(query("SELECT count(*) FROM sink"))


def query_in_a_copy(line: Line) -> None:
    """The server cannot tell any more what is a message, and says so twice."""
    line.login()
    line.send(query("COPY sink FROM STDIN"), row("1", "x"), query("SELECT 1"))
    line.finish()


def copy_extended(line: Line) -> None:
    """A Sync in copy mode is ignored, one behind an error is answered."""
    line.login()
    begin = [parse("COPY sink FROM STDIN"), bind(), describe("P"), execute()]
    line.ask(*begin, SYNC, row("1", "x"), COPY_DONE, SYNC)
    line.ask(*begin, row("bad", "x"), SYNC, row("2", "x"), COPY_DONE)
    line.ask(SYNC)
    line.ask(*begin, row("bad", "x"), SYNC)
    line.ask(COPY_DONE, SYNC)
    line.ask(*begin, message("f", text("no")), query("SELECT 'dropped'"), SYNC)
    line.ask(parse("COPY absent FROM STDIN"), bind(), execute(), SYNC)
    line.ask(query("DELETE FROM sink"))


def copy_out(line: Line) -> None:
    line.login()
    for options in ("", " (FORMAT binary)", " (FORMAT csv, HEADER)"):
        line.ask(query(f"COPY (SELECT a, b FROM t ORDER BY a) TO STDOUT{options}; SELECT 1"))
    line.ask(query("COPY (SELECT 10 / (5 - n) FROM generate_series(1, 9) n) TO STDOUT"))
    line.ask(parse("COPY t TO STDOUT"), bind(), execute(), SYNC)


def notifications(line: Line) -> None:
    line.login()
    line.ask(query("LISTEN door; NOTIFY door, 'from myself'"))
    other = line.other()
    other.login()
    other.ask(query("NOTIFY door, 'from elsewhere'"))
    line.until("A")
    line.ask(query("BEGIN"))
    other.ask(query("NOTIFY door, 'kept back'"))
    line.ask(query("COMMIT"))
    other.send(TERMINATE)
    other.finish()


def function_calls(line: Line) -> None:
    line.login()
    number = struct.Struct(">i").pack
    line.ask(call(177, number(40), number(2)))  # int4pl
    line.ask(call(154, number(1), number(0)))  # int4div, by zero
    line.ask(call(999999))
    line.ask(call(177, number(1)))


def large_objects(line: Line) -> None:
    line.login()
    number = struct.Struct(">i").pack
    data = random.Random(1).randbytes(700_000)
    line.ask(query("BEGIN"))
    line.ask(call(715, number(424242)))  # lo_create
    line.ask(call(952, number(424242), number(0x60000)))  # lo_open
    line.ask(call(955, number(0), data))  # lowrite
    line.ask(call(956, number(0), number(0), number(0)))  # lo_lseek
    line.ask(call(954, number(0), number(len(data))))  # loread
    line.ask(query("SELECT md5(lo_get(424242)), lo_unlink(424242)"))
    line.ask(query("COMMIT"))


def large_messages(line: Line) -> None:
    line.login()
    line.ask(query("SELECT repeat('Z', 3000000), 'ECTZ'"))
    for size in (64 * 1024, MIB, 2 * MIB):
        for near in (-14, -7, -6, -5, -1, 0, 1):
            line.ask(query(f"SELECT '{'Q' * (size + near)}'"))
    value = random.Random(2).randbytes(2 * MIB)
    line.ask(parse("SELECT $1::bytea"), bind(value, binary=True), execute(), SYNC)
    line.ask(query("COPY sink FROM STDIN"), row("1", "X" * 1_500_000), COPY_DONE)
    line.ask(query("COPY sink TO STDOUT; DELETE FROM sink"))
    line.ask(query(f"/* {'x' * 1_200_000} */ {REPLACE}"))


def encryption_request(line: Line) -> None:
    line.send(SSL_REQUEST)
    line.byte()
    line.login()


def start_parameters(line: Line) -> None:
    line.login(options=r'-c work_mem=2MB --search_path="a\ b" -cgeqo=off  ',
               application_name="me and more", DateStyle="German", client_encoding="LATIN1")
    line.ask(query("SELECT current_setting(n) FROM unnest('{work_mem,search_path,geqo,datestyle,"
                   "client_encoding,application_name}'::text[]) n"))
    line.ask(message("Q", b"SELECT '\xe9', '\xff'\0"))


def newer_protocol(line: Line) -> None:
    line.ask(start({**ROOT, "_pq_.hello": "1"}, 0x30002))
    line.ask(query("SELECT 1"))


def large_start(line: Line) -> None:
    line.login(application_name="n" * 5000)
    line.ask(query("SHOW application_name"))


def encodings(line: Line) -> None:
    r"""In SJIS the second byte of a character may be a backslash or a quote."""
    line.login(client_encoding="SJIS")
    line.ask(message("Q", b"SELECT '\x83\x5c', '\x95\x5c'\0"))
    line.ask(query("SET client_encoding = 'GBK'; SET standard_conforming_strings = off"))
    line.ask(message("Q", b"SELECT '\x95\x5c'; " + REPLACE.encode() + b"\0"))
    line.ask(query("SET client_encoding = 'UTF8'"))
    line.ask(message("Q", b"SELECT '\xff'\0"))


def replaced_views(line: Line) -> None:
    """Not RisingWave: its own syntax error, wherever the statement stands."""
    line.login()
    for sql in [REPLACE, f"SELECT 1; {REPLACE}; SELECT 2", f"BEGIN; {REPLACE}", f"{REPLACE};;",
                f"SELECT '{REPLACE}'", f"SELECT 1 /* {REPLACE} */", f"EXPLAIN {REPLACE}",
                f"BEGIN; SELECT 1/0; {REPLACE}", "ROLLBACK", REPLACE, "SELECT 1"]:
        line.ask(query(sql))
    line.ask(parse(REPLACE), bind(), execute(), SYNC)
    line.ask(query("CREATE OR REPLACE VIEW w AS SELECT 1 AS x; DROP VIEW w"))


def no_terminate(line: Line) -> None:
    line.login()
    line.ask(query("SELECT 1"))
    line.sock.shutdown(socket.SHUT_WR)
    line.finish()


def half_close_behind_the_start(line: Line) -> None:
    """As a monitoring script does that pipes a file into the port."""
    line.send(start(ROOT))
    line.sock.shutdown(socket.SHUT_WR)
    line.finish()


def half_close(line: Line) -> None:
    line.login()
    line.send(query("SELECT repeat('x', 100000) FROM generate_series(1, 50)"), query("SELECT 2"))
    line.sock.shutdown(socket.SHUT_WR)
    line.finish()


def half_close_in_copy(line: Line) -> None:
    line.login()
    line.send(query("COPY sink FROM STDIN"), row("1", "x"))
    line.sock.shutdown(socket.SHUT_WR)
    line.finish()


def end_inside_a_message(line: Line) -> None:
    line.login()
    line.send(query("SELECT 1"), query("SELECT 'half of it'")[:-9])
    line.sock.shutdown(socket.SHUT_WR)
    line.finish()


def end_inside_a_header(line: Line) -> None:
    line.login()
    line.send(query("SELECT 1"), query("SELECT 2")[:3])
    line.sock.shutdown(socket.SHUT_WR)
    line.finish()


def unknown_message(line: Line) -> None:
    line.login()
    line.send(query("SELECT 1"), message("y", b"what"), query("SELECT 2"))
    line.finish()


def ended_by_the_server(line: Line) -> None:
    line.login()
    line.send(query("SELECT pg_terminate_backend(pg_backend_pid())"), query("SELECT 2"))
    line.finish()


def ended_while_idle(line: Line) -> None:
    line.login()
    line.ask(query("BEGIN; SET idle_in_transaction_session_timeout = 50"))
    line.finish()


def ended_in_a_result(line: Line) -> None:
    """Rows, then FATAL in place of the rest."""
    line.login()
    line.send(query("SELECT CASE WHEN n = 30000 THEN pg_terminate_backend(pg_backend_pid()) END "
                    "FROM generate_series(1, 60000) n"))
    line.finish()


def terminate_behind_queries(line: Line) -> None:
    line.login()
    line.send(query("SELECT 1"), parse("SELECT 2"), bind(), execute(), TERMINATE)
    line.finish()


def wrong_database(line: Line) -> None:
    line.send(start({"user": "root", "database": "absent"}))
    line.finish()


def wrong_user(line: Line) -> None:
    line.send(start({"user": "nobody", "database": "dev"}))
    line.finish()


def wrong_start_parameter(line: Line) -> None:
    line.send(start({**ROOT, "no_such_setting": "1"}))
    line.finish()


def wrong_options(line: Line) -> None:
    line.send(start({**ROOT, "options": "-c no_such_setting=1"}))
    line.finish()


def no_user(line: Line) -> None:
    line.send(start({}))
    line.finish()


def old_protocol(line: Line) -> None:
    line.send(start(ROOT, 0x20000))
    line.finish()


def future_protocol(line: Line) -> None:
    line.send(start(ROOT, 0x40000))
    line.finish()


def start_without_its_end(line: Line) -> None:
    line.send(packet(b"\0\3\0\0user\0root\0database\0dev\0"))
    line.finish()


def long_database_name(line: Line) -> None:
    line.send(start({"user": "root", "database": "d" * 9000}))
    line.finish()


CONVERSATIONS = [
    simple, transactions, extended, skipping_to_sync, portals, binary, pipeline, copy_in,
    copy_in_fails, query_in_a_copy, copy_extended, copy_out, notifications, function_calls,
    large_objects, large_messages, encryption_request, start_parameters, newer_protocol,
    large_start, encodings, replaced_views, no_terminate, half_close, half_close_in_copy,
    end_inside_a_message, end_inside_a_header, unknown_message, ended_by_the_server,
    ended_while_idle, ended_in_a_result, terminate_behind_queries, wrong_database, wrong_user,
    wrong_start_parameter, wrong_options, no_user, old_protocol, future_protocol,
    start_without_its_end, long_database_name,
    half_close_behind_the_start,
]


def heard(conversation, port: int, cuts: random.Random | None = None) -> list[tuple[str, bytes]]:
    line = Line(port, cuts)
    conversation(line)
    if line.heard[-1][0] != "end":
        line.send(TERMINATE)
        line.finish()
    return line.heard


def assert_same(conversation, postgres, proxy) -> None:
    direct = heard(conversation, postgres.port)
    for cuts in (None, random.Random(conversation.__name__)):
        relayed = heard(conversation, proxy.port, cuts)
        first = next((n for n, pair in enumerate(zip(direct, relayed)) if pair[0] != pair[1]),
                     min(len(direct), len(relayed)))
        # Not the lists themselves: they may hold megabytes.
        assert shown(relayed[first:]) == shown(direct[first:])
        assert relayed == direct


def shown(messages: list[tuple[str, bytes]]) -> list[tuple[str, bytes, int]]:
    return [(tag, body[:300], len(body)) for tag, body in messages[:3]]


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda c: c.__name__)
def test_same_bytes(postgres, proxy, conversation):
    """Direct, through the proxy, and through the proxy with what is sent cut into small pieces."""
    assert_same(conversation, postgres, proxy)
    assert eventually(lambda: postgres.sessions() == []), postgres.sessions()


def test_both_encryption_requests_before_a_login(postgres, proxy):
    """Debian's PostgreSQL would begin GSSAPI; the proxy says no to both, then all is the same."""
    line = Line(proxy.port)
    for request in (GSSENC_REQUEST, SSL_REQUEST):
        line.send(request)
        line.byte()
    no = [("byte", b"N")]
    simple(line)
    line.send(TERMINATE)
    line.finish()
    assert line.heard == no + no + heard(simple, postgres.port)


# Logins.

def scram(line: Line, password: str) -> None:
    """RFC 5802 as a client without channel binding, up to the proof."""
    bare = b"n=,r=" + base64.b64encode(os.urandom(18))
    line.send(message("p", text("SCRAM-SHA-256") + struct.pack(">i", len(bare) + 3) +
                      b"n,," + bare))
    line.until("R")
    first = line.last[4:]
    nonce, salt, rounds = (part[2:] for part in first.split(b",", 2))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
    key = hmac.digest(salted, b"Client Key", "sha256")
    final = b"c=biws,r=" + nonce
    proof = hmac.digest(hashlib.sha256(key).digest(), b",".join([bare, first, final]), "sha256")
    mixed = base64.b64encode(bytes(a ^ b for a, b in zip(key, proof)))
    line.send(message("p", final + b",p=" + mixed))


def md5(line: Line, user: str, password: str) -> None:
    inner = hashlib.md5((password + user).encode()).hexdigest().encode()
    line.send(message("p", text("md5" + hashlib.md5(inner + line.last[4:8]).hexdigest())))


def login_as(user: str, password: str):
    def conversation(line: Line) -> None:
        line.send(start({"user": user, "database": "dev"}))
        line.until("R")
        if USERS[user] == "scram-sha-256":
            scram(line, password)
        elif USERS[user] == "md5":
            md5(line, user, password)
        else:
            line.send(message("p", text(password)))
        while (tag := line.next()) not in ("Z", "end"):
            assert tag in "RSKE", line.heard
        if tag == "Z":
            line.ask(query("SELECT current_user"))
    return conversation


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("password, outcome", [(PASSWORD, "Z"), ("wrong", "E"), ("", "E")])
def test_same_bytes_at_login(postgres, proxy, user, password, outcome):
    """Every password method, with the right and a wrong password."""
    conversation = login_as(user, password)
    assert outcome in [tag for tag, _ in heard(conversation, proxy.port)]
    assert_same(conversation, postgres, proxy)


@pytest.mark.parametrize("user", USERS)
def test_a_client_that_gives_up_at_the_password(postgres, proxy, user):
    """As psql does to ask for one: what came is the same, and no session of the server stays."""
    def conversation(line: Line) -> None:
        line.send(start({"user": user, "database": "dev"}))
        line.until("R")
        line.sock.shutdown(socket.SHUT_WR)
        line.finish()

    assert_same(conversation, postgres, proxy)
    assert eventually(lambda: postgres.sessions() == [])


# Clients as people use them.

def tool(name: str, port: int, *arguments: str, given: str = "", **more) -> tuple[int, str]:
    """Exit status and all output, without the port."""
    environment = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "root",
                   "PGDATABASE": "dev", "PGOPTIONS": "", "PGCONNECT_TIMEOUT": "20", **more}
    done = subprocess.run([str(BIN / name), *arguments], input=given, text=True, timeout=60,
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.replace(str(port), "PORT")


PSQL = r"""
\set VERBOSITY verbose
\conninfo
\d t
SELECT * FROM t ORDER BY a \gx
SELECT nope;
SELECT 1 \; SELECT 2;
\copy t TO '{folder}/out'
\copy sink FROM '{folder}/out'
\copy (SELECT count(*), min(b) FROM sink) TO STDOUT CSV HEADER
COPY sink FROM STDIN;
11	eleven
bad	row
\.
SELECT count(*) FROM sink;
BEGIN;
\lo_import '{folder}/blob'
\lo_export :LASTOID '{folder}/blob_back'
\lo_unlink :LASTOID
COMMIT;
\set FETCH_COUNT 3
SELECT a FROM t ORDER BY a;
\set FETCH_COUNT 0
\encoding LATIN1
\c - scram_user
SELECT current_user;
\c - root
CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT 1;
DELETE FROM sink;
LISTEN door;
NOTIFY door;
\errverbose
"""


def test_psql(postgres, proxy, tmp_path):
    """A script with everything psql sends by itself; the same output, the same files."""
    blob = random.Random(3).randbytes(300_000)
    (tmp_path / "blob").write_bytes(blob)
    script = PSQL.replace("{folder}", str(tmp_path))
    outputs = []
    for port in (postgres.port, proxy.port):
        status, output = tool("psql", port, "-X", "-a", given=script, PGPASSWORD=PASSWORD)
        outputs.append((status, re.sub(r"(lo_\w+|PID) \d+", "N", output)))
        assert (tmp_path / "blob_back").read_bytes() == blob
        (tmp_path / "blob_back").unlink()
    assert outputs[0] == outputs[1]
    assert outputs[0][0] == 0
    assert all(sign in outputs[0][1] for sign in ("scram_user", "CONTEXT:  COPY sink", "42601",
                                                  "Asynchronous notification"))


def test_psql_with_a_wrong_password(postgres, proxy):
    outputs = [tool("psql", port, "-X", "-w", "-c", "SELECT 1", PGUSER=user, PGPASSWORD="wrong")
               for user in USERS for port in (postgres.port, proxy.port)]
    assert outputs[0::2] == outputs[1::2]
    assert all(status == 2 and "authentication failed" in text for status, text in outputs)


@pytest.mark.parametrize("kind", [["-S", "-T", "5"], ["-N", "-t", "200"],
                                  ["-S", "-M", "prepared", "-t", "300"],
                                  ["-S", "-C", "-t", "40"]])
def test_pgbench(proxy, kind):
    """Many clients at once, simple and prepared, over kept and over new connections."""
    status, output = tool("pgbench", proxy.port, "-i", "-q", "-s", "1")
    assert status == 0, output
    status, output = tool("pgbench", proxy.port, "-c", "8", "-j", "1", "-n", *kind)
    assert status == 0 and "number of failed transactions: 0 " in output, output


@pytest.mark.parametrize("user", USERS)
def test_psycopg(proxy, user):
    """Login, prepared statements, pipeline mode, COPY both ways, a server-side cursor."""
    with psycopg.connect(host="127.0.0.1", port=proxy.port, user=user, password=PASSWORD,
                         dbname="dev", autocommit=True) as conn:
        conn.execute("CREATE TEMP TABLE mine (n INT, v BYTEA)")
        values = [(n, bytes([n % 256]) * n) for n in range(300)]
        with conn.cursor() as cursor:
            cursor.executemany("INSERT INTO mine VALUES (%s, %b)", values)
        with conn.pipeline():
            answers = [conn.execute("SELECT v FROM mine WHERE n = %s", (n,), prepare=True)
                       for n in range(300)]
        assert [answer.fetchone()[0] for answer in answers] == [value for _, value in values]
        with conn.cursor().copy("COPY mine FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "bytea"])
            for value in values:
                copy.write_row(value)
        with conn.transaction(), conn.cursor("kept") as cursor:
            cursor.itersize = 50
            assert len(list(cursor.execute("SELECT * FROM mine"))) == 600


def test_a_cancel_ends_the_statement_and_nothing_else(postgres, proxy):
    """The answer is as in a direct session, and the session goes on."""
    answers = []
    for port in (postgres.port, proxy.port):
        with psycopg.connect(host="127.0.0.1", port=port, user="root", dbname="dev",
                             autocommit=True) as conn:
            sleeping = threading.Thread(target=cancel_when_it_sleeps, args=(postgres, conn))
            sleeping.start()
            with pytest.raises(psycopg.errors.QueryCanceled) as raised:
                conn.execute("SELECT pg_sleep(60)")
            sleeping.join()
            answers.append((str(raised.value), conn.execute("SELECT 1").fetchall()))
    assert answers[0] == answers[1]


def cancel_when_it_sleeps(postgres, conn: psycopg.Connection) -> None:
    assert eventually(lambda: any("pg_sleep" in last for _, state, last in postgres.sessions()
                                  if state == "active"))
    conn.cancel_safe(timeout=20)


def test_a_cancel_with_a_key_that_is_not_known(postgres, proxy):
    """No answer, the connection is closed."""
    for port in (postgres.port, proxy.port):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            sock.sendall(packet(struct.pack(">iII", 80877102, 0x80000001, 7)))
            assert sock.recv(100) == b""
