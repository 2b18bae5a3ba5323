"""The extended protocol, message by message, as no driver sends it.

The oracle: what the client gets is what a server that knew the statement would send. So each
conversation is held twice: through the proxy, and directly with a stand-in for the replacement that
the server knows (FLUSH, or with parameters INSERT): one CommandComplete, no rows. All bytes must be
the same but for the command tag, NOTICEs aside. Then the catalog must show what was replaced.
"""

import random
import struct
import time
from dataclasses import dataclass

import pytest

from one_view import AS_MADE, NEW, TAG, World, numbered, numbered_view, one_world, replacing
from processes import eventually
from test_differential import (FLUSH, SYNC, TERMINATE, Line, bind, close, describe, execute,
                               message, parse, query)

SELECT = "SELECT b FROM t WHERE a = 1"
SERIES = "SELECT * FROM generate_series(1, 10)"
DIVIDES = "SELECT a / 0 AS z FROM t"
MANY = 64


class Words:
    """The statements that are replacements on one side and stand-ins on the other."""

    above = replacing("SELECT a, b FROM t WHERE a > $1")
    two = replacing("SELECT a, b FROM t WHERE a > $1 AND b < $2")
    fresh = replacing("SELECT b FROM t", "fresh")
    fresh_above = replacing("SELECT a, b FROM t WHERE a > $1", "fresh")

    def __call__(self, number: int) -> str:
        return numbered(number)


class StandIns(Words):
    above = "INSERT INTO sink SELECT a, b FROM t WHERE a > $1"
    two = "INSERT INTO sink SELECT a, b FROM t WHERE a > $1 AND b < $2"
    fresh = "FLUSH"
    fresh_above = above

    def __call__(self, number: int) -> str:
        return self.fresh


def one(sql: str, name: str = "", portal: str = "") -> list[bytes]:
    """Parse, Bind, Execute."""
    return [parse(sql, name), bind(portal=portal, name=name), execute(portal)]


def bind_as(formats: tuple, *params) -> bytes:
    """An unnamed Bind with these parameter formats: none, one for all, or one for each."""
    body = b"\0\0" + struct.pack(f">h{len(formats)}h", len(formats), *formats)
    body += struct.pack(">h", len(params))
    for param in params:
        body += struct.pack(">i", -1) if param is None else struct.pack(">i", len(param)) + param
    return message("B", body + struct.pack(">h", 0))


# The conversations. Each names what it shows: the view at the end, and how many times it was
# replaced (a first creation is no replacement).

CONVERSATIONS = {}


def conversation(view=AS_MADE, times: int = 0):
    """`view`: the number of a replacement, or what World.view says."""
    def keep(function):
        expected = numbered_view(view) if isinstance(view, int) else view
        CONVERSATIONS[function.__name__] = (function, expected, times)
        return function
    return keep


# Statements and portals

@conversation(1, 1)
def unnamed(w):
    return [parse(w(1)), describe("S"), bind(), describe("P"), execute(), SYNC]


@conversation(1, 2)
def named(w):
    return [parse(w(1), "s"), describe("S", "s"), bind(portal="p", name="s"), describe("P", "p"),
            execute("p"), SYNC, bind(name="s"), describe("P"), execute(), SYNC]


@conversation(1, 1)
def a_sync_behind_each(w):
    return [SYNC, SYNC, parse(w(1), "s"), SYNC, bind(portal="p", name="s"), SYNC,
            describe("P", "p"), SYNC, execute("p"), SYNC, close("P", "p"), SYNC]


@conversation(1, 4)
def one_portal_executed_again_and_again(w):
    return [parse(w(1)), bind(), execute(), execute(), describe("P"), SYNC, execute(), SYNC,
            *one(SELECT, "s", "p"), SYNC, execute(), execute("p"), SYNC]


@conversation(1, 1)
def the_old_portal_of_an_overwritten_statement(w):
    return [parse(w(1)), bind(portal="p"), parse(SELECT), bind(), execute("p"), execute(), SYNC]


@conversation(2, 1)
def a_select_overwritten_by_a_candidate(w):
    return [parse(SELECT), bind(portal="p"), parse(w(2)), bind(), execute("p"), execute(),
            execute("p"), SYNC]


@conversation(2, 2)
def candidates_overwrite_one_another(w):
    return [parse(w(1)), bind(portal="p"), parse(w(2)), bind(), execute("p"), execute(), SYNC]


@conversation()
def an_overwritten_portal(w):
    return [parse(w(1)), bind(), *one(SELECT, "s"), execute(), SYNC]


@conversation(1, 1)
def a_failed_parse_of_the_unnamed_statement(w):
    return [parse(w(1)), bind(portal="p"), parse("SELEC"), SYNC, execute("p"), SYNC,
            bind(portal="q"), SYNC]


@conversation(1, 1)
def a_duplicate_statement(w):
    return [parse(w(1), "s"), SYNC, parse(w(2), "s"), bind(name="s"), execute(), SYNC,
            bind(name="s"), execute(), SYNC]


@conversation()
def a_duplicate_of_a_select(w):
    return [parse(SELECT, "s"), parse(w(1), "s"), SYNC, bind(name="s"), execute(), SYNC]


@conversation(1, 1)
def a_select_as_duplicate(w):
    return [parse(w(1), "s"), parse(SELECT, "s"), SYNC, bind(name="s"), execute(), SYNC]


@conversation(1, 1)
def a_duplicate_portal(w):
    return [parse(w(1), "s"), parse(SELECT, "q"), bind(portal="p", name="s"),
            bind(portal="p", name="q"), execute("p"), SYNC, execute("p"), SYNC]


@conversation()
def a_candidate_as_duplicate_portal(w):
    return [parse(w(1), "s"), parse(SELECT, "q"), bind(portal="p", name="q"),
            bind(portal="p", name="s"), execute("p"), SYNC, execute("p"), SYNC]


@conversation()
def closing_a_statement_closes_its_portals(w):
    return [parse(w(1), "s"), bind(portal="p", name="s"), bind(portal="q", name="s"),
            close("S", "s"), execute("p"), SYNC, execute("q"), SYNC, bind(name="s"), SYNC]


@conversation(2, 1)
def closing_a_statement_leaves_the_named_portals_of_others(w):
    return [parse(w(1), "s"), parse(w(2), "o"), bind(portal="p", name="o"), close("S", "s"),
            execute("p"), SYNC]


@conversation(1, 1)
def closing_a_statement_leaves_the_unnamed_portal_of_another(w):
    return [parse(w(1), "s"), parse(SELECT, "o"), bind(name="s"), close("S", "o"), execute(), SYNC]


@conversation(1, 1)
def closing_a_candidate_leaves_the_unnamed_portal_of_another(w):
    return [parse(w(1), "s"), parse(w(2), "o"), bind(name="s"), close("S", "o"), execute(), SYNC]


@conversation()
def closing_a_statement_closes_a_name_that_was_bound_from_it(w):
    """Whatever the portal holds by now."""
    return [parse(w(1), "s"), parse(SELECT, "o"), parse(w(2), "c"),
            bind(name="o"), bind(name="s"), close("S", "o"), execute(), SYNC,
            bind(portal="p", name="c"), close("P", "p"), bind(portal="p", name="s"),
            close("S", "c"), execute("p"), SYNC]


@conversation(1, 1)
def closing_a_statement_leaves_portals_of_the_one_it_replaced(w):
    return [parse(w(1)), bind(portal="p"), parse(w(2)), close("S"), execute("p"), SYNC]


@conversation(2, 1)
def a_closed_name_used_again(w):
    return [parse(w(1), "s"), close("S", "s"), *one(SELECT, "s"), SYNC,
            close("S", "s"), *one(w(2), "s"), SYNC, close("S", "s"), *one(SELECT, "s"), SYNC]


@conversation(1, 1)
def a_closed_portal(w):
    return [parse(w(1), "s"), bind(portal="p", name="s"), close("P", "p"), execute("p"), SYNC,
            bind(portal="p", name="s"), execute("p"), close("P", "p"), SYNC]


@conversation(1, 1)
def closing_what_never_was(w):
    return [close("S", "never"), close("P", "never"), *one(w(1)), close("P", "never"), SYNC]


@conversation(1, 2)
def row_limits(w):
    return [parse(w(1), "s"), bind(portal="p", name="s"), execute("p", 1),
            execute("p", 2 ** 31 - 1), SYNC]


@conversation(MANY - 1, MANY)
def many_candidates(w):
    numbers = range(MANY)
    return [*[parse(w(n), f"s{n}") for n in numbers], SYNC,
            *[bind(portal=f"p{n}", name=f"s{n}") for n in numbers], parse(SELECT), bind(), SYNC,
            *[execute(f"p{n}") for n in numbers], execute(), SYNC]


# Series

@conversation(9, 10)
def each_position_of_ten(w):
    sent = []
    for position in range(10):
        for n in range(10):
            sent += one(w(position)) if n == position else one(SELECT)
        sent.append(SYNC)
    return sent


@conversation(2, 1)
def a_long_wait_for_sync(w):
    return [*one(SELECT), FLUSH, parse(w(2)), FLUSH, FLUSH, bind(), FLUSH, describe("P"), execute(),
            FLUSH, *one(SELECT), FLUSH]


@conversation(1, 1)
def a_query_in_an_unsynced_series(w):
    return [parse(w(1)), bind(), query(SELECT), execute(), query(SELECT), SYNC, query(SELECT)]


@conversation(3, 3)
def a_candidate_in_a_query_in_an_unsynced_series(w):
    return [*one(SELECT, "s", "p"), query(w(1)), execute("p"), parse(w(2)), bind(),
            query(f"SELECT 5; {w(1)}; SELECT 6"), execute("p"), SYNC, query(w(3))]


@conversation(2, 3)
def portals_survive_queries_and_candidates(w):
    return [parse(w(2), "c"), bind(portal="p", name="c"), parse(SELECT), bind(), query(w(1)),
            execute(), execute("p"), query("SELEC"), execute(), execute("p"), SYNC]


@conversation()
def a_query_while_skipping(w):
    return [bind(name="missing"), query(w(1)), *one(w(1)), query(SELECT), FLUSH, SYNC]


@conversation((["b"], [(10,), (20,)]))
def a_first_creation(w):
    return [*one(SELECT), *one(w.fresh), *one(SELECT), SYNC]


@conversation((["a", "b"], [(2, 20)]))
def a_first_creation_with_parameters(w):
    return [parse(w.fresh_above), bind(b"\0\0\0\1", binary=True), execute(), SYNC]


@conversation(1, 1)
def an_empty_statement(w):
    return [*one(""), *one(w(1)), *one(""), describe("S"), SYNC]


# Errors

@conversation(2, 1)
def an_error_in_front(w):
    return [bind(name="missing"), *one(w(1)), describe("S"), close("S", "s"), SYNC,
            *one(w(2)), SYNC]


@conversation(1, 1)
def an_error_behind(w):
    return [*one(w(1)), *one("SELEC"), *one(w(2)), SYNC, *one(SELECT), SYNC]


@conversation(1, 1)
def an_error_between_parse_and_execute(w):
    return [parse(w(1), "s"), bind(portal="p", name="s"), *one(DIVIDES), execute("p"), SYNC,
            execute("p"), SYNC]


@conversation(2, 1)
def portals_and_statements_that_are_missing(w):
    return [parse(w(1), "s"), execute("missing"), bind(name="s"), execute(), SYNC, execute(), SYNC,
            describe("P", "s"), SYNC, describe("S", "p"), SYNC, bind(name="S"), SYNC, *one(w(2)),
            SYNC]


@conversation(1, 1)
def an_error_of_a_write_brings_two_readies(w):
    return [*one("INSERT INTO sink SELECT a / 0, b FROM t"), *one(w(1)), SYNC, *one(w(1)), SYNC]


@conversation()
def statements_that_do_not_parse_or_bind(w):
    texts = [replacing("SELEC a FROM t"), replacing("SELECT a FROM nowhere"),
             replacing("SELECT nope FROM t"), f"{numbered(1)}; SELECT 1",
             f"SELECT 1; {numbered(1)}", numbered(1) + " WHERE"]
    return [part for sql in texts for part in (*one(sql), SYNC, *one(sql, "s"), describe("S", "s"),
                                               SYNC, bind(name="s"), execute(), SYNC)]


@conversation()
def statements_that_are_refused_alike(w):
    texts = ["CREATE OR REPLACE VIEW IF NOT EXISTS v AS SELECT 1 AS x",
             "CREATE OR REPLACE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT a FROM t",
             replacing("SELECT a FROM t", "other.public.m")]
    return [part for sql in texts for part in (*one(sql), *one(SELECT), SYNC, execute(), SYNC)]


@conversation(2, 1)
def too_few_parameters(w):
    return [parse(w.above), bind(), execute(), SYNC, *one(w(2)), SYNC]


# Parameters

@conversation((["a", "b"], [(2, 20)]), 4)
def parameters_as_text(w):
    return [parse(w.above, "s"), describe("S", "s"), SYNC,
            bind(b"0", name="s"), execute(), bind(None, name="s"), describe("P"), execute(), SYNC,
            bind(b"5", name="s"), execute(), SYNC, bind(b"1", portal="p", name="s"), execute("p"),
            SYNC]


@conversation((["a", "b"], [(2, 20)]), 3)
def parameters_in_binary(w):
    return [parse(w.above, "s"), bind(b"\0\0\0\0", name="s", binary=True), execute(),
            bind(None, name="s", binary=True), describe("P"), execute(), SYNC,
            bind(b"\0\0\0\1", name="s", binary=True), execute(), SYNC]


@conversation((["a", "b"], [(1, 10)]), 5)
def formats_one_by_one(w):
    return [parse(w.two),
            bind_as((), b"0", b"100"), execute(), bind_as((0,), b"0", b"1"), execute(),
            bind_as((1,), b"\0\0\0\1", b"\0\0\0\1"), execute(),
            bind_as((1, 0), b"\0\0\0\0", None), execute(),
            bind_as((0, 1), b"0", b"\0\0\0\x0b"), execute(), SYNC]


@conversation((["a", "b"], [(2, 20)]), 5)
def declared_types(w):
    values = {0: b"\0\0\0\1", 20: b"\0" * 7 + b"\1", 21: b"\0\1", 23: b"\0\0\0\1"}
    sent = [part for oid, value in values.items() for part in (
        parse(w.above, types=(oid,)), describe("S"), bind(value, binary=True), execute(), SYNC)]
    return [*sent, parse(w.above, types=(23,)), bind(b"1"), execute(), SYNC]


@conversation((["a", "b"], [(2, 20)]), 3)
def one_portal_with_its_own_parameters(w):
    """Portals of one statement keep the values that each was bound with."""
    return [parse(w.above, "s"), bind(b"0", portal="all", name="s"),
            bind(b"1", portal="some", name="s"), bind(b"9", name="s"),
            execute("some"), execute(), execute("some"), SYNC]


# Suspended portals

@conversation(1, 1)
def a_suspended_portal_across_a_replacement(w):
    return [parse(SERIES, "g"), bind(portal="p", name="g"), execute("p", 3), SYNC, *one(w(1)), SYNC,
            execute("p", 3), SYNC, execute("p"), SYNC]


@conversation(3, 3)
def a_suspended_portal_within_one_series(w):
    return [parse(SERIES, "g"), bind(portal="p", name="g", binary=True), describe("P", "p"),
            execute("p", 1), *one(w(1)), execute("p", 1), query(w(2)), execute("p", 1),
            *one(w(3), "s", "q"), execute("p"), SYNC]


# Holding them

@pytest.fixture(scope="module")
def shared():
    with one_world() as world:
        world.catalog.conn.execute("CREATE TABLE sink (a INT, b INT)")
        yield world


@dataclass
class Sent:
    """How the client cuts what it sends."""

    how: str

    def to(self, line: Line, messages: list[bytes]) -> None:
        if self.how == "at once":
            line.sock.sendall(b"".join(messages))
        elif self.how == "message by message":
            for part in messages:
                line.sock.sendall(part)
                time.sleep(0.002)
        else:
            line.cuts = random.Random(len(messages))
            for part in messages:
                line.send(part)


def held(port: int, messages: list[bytes], sent: Sent) -> list[tuple[str, bytes]]:
    """All that the server sent, to its last byte, but for what depends on the statement's name."""
    line = Line(port)
    line.login()
    del line.heard[:]
    sent.to(line, [*messages, SYNC, query("SELECT 'over'")])
    while line.next() != "D" or not line.last.endswith(b"over"):
        assert line.heard[-1][0] != "end", line.heard[-5:]
    line.until("Z")
    line.send(TERMINATE)
    line.finish()
    return [(tag, tagged(body) if tag == "C" else body) for tag, body in line.heard if tag != "N"]


def tagged(body: bytes) -> bytes:
    return TAG.encode() + b"\0" if body.startswith((b"FLUSH", b"INSERT")) else body


WAYS = ["at once", "message by message", "in pieces"]


@pytest.mark.parametrize("name, sent", [
    (name, way) for name in CONVERSATIONS for way in WAYS
    if way == "at once" or name != "many_candidates"])
def test_as_if_the_server_knew_the_statement(world: World, name, sent):
    function, view, times = CONVERSATIONS[name]
    before = world.swaps()
    expected = held(world.direct, function(StandIns()), Sent("at once"))
    assert held(world.port, function(Words()), Sent(sent)) == expected
    assert world.view("fresh" if "first_creation" in name else "m") == view
    assert world.swaps() == before + times


# What the oracle does not know

class Client(Line):
    """A line that tells messages apart: rows and tags as text, errors by SQLSTATE."""

    def __init__(self, port: int):
        super().__init__(port)
        self.login()

    def told(self, until: str) -> list:
        del self.heard[:]
        self.until(until)
        return [self.words(tag, body) for tag, body in self.heard]

    @staticmethod
    def words(tag: str, body: bytes):
        if tag == "C":
            return body[:-1].decode()
        if tag == "E":
            return next(field[1:].decode() for field in body.split(b"\0") if field[:1] == b"C")
        return tag + body.decode() if tag == "Z" else tag


READY, ROW = "ZI", ["1", "2", "D", "SELECT 1"]


@pytest.mark.parametrize("flush", [[], [FLUSH]])
def test_the_answer_does_not_wait_for_a_sync(world, flush):
    client = Client(world.port)
    client.send(parse(numbered(1)), bind(), execute(), *flush)
    told = client.told("C")
    assert told[:2] == ["1", "2"] and set(told[2:-1]) == {"N"} and told[-1] == TAG
    assert world.view() == numbered_view(1)
    client.send(*one(SELECT), *flush)
    assert client.told("C") == ROW
    client.send(SYNC)
    assert client.told("Z") == [READY]


def test_a_read_only_transaction(world):
    client = Client(world.port)
    client.send(*one("BEGIN READ ONLY"), parse(numbered(1), "s"), bind(portal="p", name="s"),
                describe("P", "p"), execute("p"), *one(SELECT), SYNC)
    assert client.told("Z") == ["1", "2", "BEGIN", "1", "2", "n", "25006", "ZT"]
    client.send(execute("p"), SYNC, *one(SELECT), SYNC, *one("COMMIT"), execute("p"), SYNC)
    assert client.told("Z") == ["25006", "ZT"]
    assert client.told("Z") == [*ROW, "ZT"]
    assert world.view() == AS_MADE
    told = [word for word in client.told("Z") if word != "N"]
    assert told == ["1", "2", "COMMIT", TAG, READY]
    assert world.view() == numbered_view(1)


@pytest.mark.parametrize("prepare, undo, sqlstate", [
    ("CREATE VIEW v AS SELECT CASE WHEN (SELECT max(a) FROM m) > 1 THEN 1 END AS w FROM m",
     "DROP VIEW v", "55000")])
def test_what_would_be_lost_is_refused(world, prepare, undo, sqlstate):
    world.catalog.conn.execute(prepare)
    client = Client(world.port)
    client.send(*one(SELECT), *one(numbered(1)), *one(SELECT), SYNC)
    assert client.told("Z") == [*ROW, "1", "2", sqlstate, READY]
    world.catalog.conn.execute(undo)
    assert world.view() == AS_MADE


def test_settings_of_the_session_are_put_back(world):
    client = Client(world.port)
    client.send(*one(replacing("SELECT a, b FROM t")), *one("SHOW background_ddl"), SYNC)
    client.told("Z")
    assert ("D", b"\0\1\0\0\0\5false") in client.heard and world.view() == NEW


def test_a_client_that_leaves_behind_its_series(world):
    """Terminate behind the Sync: nothing of the series is lost, or all is undone."""
    client = Client(world.port)
    client.send(*one(SELECT), *one(numbered(1)), SYNC, TERMINATE)
    client.finish()
    assert eventually(lambda: not world.catalog.leftovers())
    assert world.view() in (numbered_view(1), AS_MADE)
