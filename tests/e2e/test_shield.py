"""Malformed messages end their session with 08P01 and never reach the server, which dies of them.

The sandbox dies of what a RisingWave process was seen to die of (status 70), so one that lives on
has not seen it. Of the messages that it survives, the shield refuses those whose parts do not add
up.
"""

import contextlib
import random
import struct

import pytest

import play
from conftest import REPLACE, Catalog, connect, make_view, rows, serving
from processes import Sandbox, eventually
from test_differential import (FLUSH, MIB, SYNC, Line, bind, close, describe, execute, message,
                               parse, query, start, text)

PASSWORD = "open sesame"
USER = "rwadmin"  # logs in with the password; root needs none
DIED_OF_A_MESSAGE = 70
REFUSED = "08P01"


def short(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}H", *numbers)


def length(number: int) -> bytes:
    return struct.pack(">I", number & 0xFFFFFFFF)


def bind_body(*parts: bytes) -> bytes:
    return message("B", b"\0\0" + b"".join(parts))


# What a RisingWave process was seen to die of, or reads in a way that must end so.
DEADLY = {
    "length 3": b"Q" + length(3),
    "length 0": b"S" + length(0),
    "length -1": b"B" + length(-1),
    "length 0x80000000": b"P" + length(0x80000000),
    "Parse without body": message("P"),
    "Parse without NUL": message("P", b"abc"),
    "Parse with one NUL": message("P", b"abc\0SELECT 1"),
    "Parse without a count": message("P", b"\0SELECT 1\0"),
    "Parse with half a count": message("P", b"\0SELECT 1\0\0"),
    "Parse with fewer types": message("P", b"\0SELECT 1\0" + short(2) + length(23)),
    "Parse with half a type": message("P", b"\0SELECT 1\0" + short(1) + b"\0\0"),
    "Parse with 32768 types": message("P", b"\0SELECT 1\0" + short(32768)),
    "Parse with 65535 types": message("P", b"\0SELECT 1\0" + short(65535)),
    "Bind without body": message("B"),
    "Bind without NUL": message("B", b"abc"),
    "Bind with one NUL": message("B", b"abc\0def"),
    "Bind without formats": bind_body(),
    "Bind without parameters": bind_body(short(0)),
    "Bind without result formats": bind_body(short(0, 0)),
    "Bind with fewer formats": bind_body(short(2, 0)),
    "Bind with half a length": bind_body(short(0, 1), b"\0\0"),
    "Bind past its end": bind_body(short(0, 1), length(9), b"x"),
    "Bind past its end by its result formats": bind_body(short(0, 1), length(3), short(0)),
    "Bind with fewer parameters": bind_body(short(0, 2), length(-1)),
    "Bind with fewer result formats": bind_body(short(0, 0, 2, 1)),
    "Bind with length -2": bind_body(short(0, 1), length(-2), short(0)),
    "Bind with length 0x80000000": bind_body(short(0, 1), length(0x80000000), short(0)),
    "Bind with 32768 formats": bind_body(short(32768)),
    "Bind with 65535 formats": bind_body(short(65535), b"\0\0" * 8, short(0, 0)),
    "Bind with 32768 parameters": bind_body(short(0, 32768)),
    "Bind with 65535 parameters": bind_body(short(0, 65535), length(-1), short(0)),
    "Bind with 32768 result formats": bind_body(short(0, 0, 32768)),
    "Bind with 65535 result formats": bind_body(short(0, 0, 65535), b"\0\1" * 8),
    "Execute without body": message("E"),
    "Execute without NUL": message("E", b"abc"),
    "Execute without row limit": message("E", b"\0"),
    "Execute with half a row limit": message("E", b"\0\0\0"),
    "Describe without body": message("D"),
    "Describe without NUL": message("D", b"Sabc"),
    "Describe without name": message("D", b"P"),
    "Close without body": message("C"),
    "Close without NUL": message("C", b"Pabc"),
}
# What it survives, with an error, in silence, or by reading less than there is.
ODD = {
    "Parse with bytes behind": message("P", b"\0SELECT 'odd'\0" + short(0) + b"x"),
    "Parse with a type too much": message("P", b"\0SELECT 'odd'\0" + short(1) + length(23) * 2),
    "Bind with bytes behind": bind_body(short(0, 0, 0), b"x"),
    "Bind with a format too much": bind_body(short(0, 0, 1, 0, 0)),
    "Execute with bytes behind": message("E", b"\0" + length(0) + b"\0"),
    "Describe with bytes behind": message("D", b"S\0\0"),
    "Describe of kind Q": message("D", b"Q\0"),
    "Describe of kind NUL": message("D", b"\0\0"),
    "Close with bytes behind": message("C", b"Pabc\0x"),
    "Close of kind s": message("C", b"s\0"),
    "Query without body": message("Q"),
    "Query without NUL": message("Q", b"SELECT 'odd'"),
    "Query with an inner NUL": message("Q", b"SELECT 'odd'\0x\0"),
    "Query with two NULs": message("Q", b"SELECT 'odd'\0\0"),
    "Sync with a body": message("S", b"\0"),
    "Flush with a body": message("H", b"body"),
    "Terminate with a body": message("X", b"body"),
}
MALFORMED = DEADLY | ODD


class Witness:
    """Another session of the same proxy that goes on working. One question of it also shows that
    the proxy, one loop for all, has read what was sent to it before."""

    def __init__(self, port: int):
        self.line = Line(port)
        self.line.login()

    def ask(self) -> None:
        self.line.heard.clear()
        self.line.ask(SYNC)
        assert self.line.heard == [("Z", b"I")]

    def select(self) -> None:
        self.line.heard.clear()
        self.line.ask(query("SELECT 1"))
        assert [tag for tag, _ in self.line.heard] == ["T", "D", "C", "Z"]


@pytest.fixture(scope="module")
def running():
    """Starts a sandbox and a proxy, and again when the server has died, so that one hole in the
    shield is one failure."""
    with contextlib.ExitStack() as stack:
        pairs = []

        def current():
            if not pairs or pairs[-1].server.child.poll() is not None:
                pairs.append(stack.enter_context(serving("--password", f"{USER}={PASSWORD}")))
                pairs[-1].witness = Witness(pairs[-1].port)
            return pairs[-1]

        yield current


@pytest.fixture
def pair(running):
    """After each test the server lives, the witness is served, and nothing odd was executed."""
    proxy = running()
    yield proxy
    assert proxy.server.child.poll() is None, proxy.server.output()
    proxy.witness.select()
    assert not [s for s in proxy.server.statements() if "odd" in s]


# The phases in which a message may come.

def asked_for_a_password(port: int) -> Line:
    line = Line(port)
    line.send(start({"user": USER, "database": "dev"}))
    line.until("R")
    assert line.last == struct.pack(">i", 3)
    line.heard.clear()
    return line


def nothing_heard_yet(port: int) -> Line:
    """The start-up packet is on its way; whatever follows comes before any AuthenticationOk."""
    line = Line(port)
    line.send(start({"user": USER, "database": "dev"}))
    return line


def logged_in(port: int) -> Line:
    line = Line(port)
    line.login()
    line.heard.clear()
    return line


def logged_in_with_a_password(port: int) -> Line:
    line = asked_for_a_password(port)
    line.ask(message("p", text(PASSWORD)))
    line.heard.clear()
    return line


PHASES = [asked_for_a_password, nothing_heard_yet, logged_in, logged_in_with_a_password]


def send_cut(line: Line, witness: Witness, whole: bytes, cut: int) -> None:
    """In two pieces, of which the proxy reads the first one alone. It may answer that already."""
    line.send(whole[:cut])
    witness.ask()
    with contextlib.suppress(ConnectionError):
        line.send(whole[cut:])


def error_fields(body: bytes) -> dict:
    return play.decode("E", body)[1]


def assert_refused(line: Line) -> list[tuple]:
    """The last words are the error and the end; returns what came before."""
    line.finish()
    assert [tag for tag, _ in line.heard[-2:]] == ["E", "end"], line.heard
    (_, body), end = line.heard[-2:]
    assert end == ("end", b"")  # not a byte of a further message
    fields = error_fields(body)
    assert (fields["S"], fields["V"], fields["C"]) == ("FATAL", "FATAL", REFUSED), fields
    return line.heard[:-2]


@pytest.mark.parametrize("what", DEADLY)
def test_met_directly_it_is_deadly(what):
    with Sandbox() as server:
        line = logged_in(server.port)
        line.send(DEADLY[what])
        assert server.wait(60) == DIED_OF_A_MESSAGE
        line.sock.close()


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("what", MALFORMED)
def test_it_is_refused_whole_and_at_every_cut(pair, what, phase):
    for cut in range(len(MALFORMED[what])):
        line = phase(pair.port)
        send_cut(line, pair.witness, MALFORMED[what], cut)
        before = assert_refused(line)
        assert all(tag == "R" for tag, _ in before), (cut, before)
    assert eventually(lambda: others(pair) == 0)


def others(proxy) -> int:
    """Sessions on the server besides the witness's and this one."""
    with connect(proxy.server.port) as conn:
        return len(rows(conn, "SHOW PROCESSLIST")) - 2


@pytest.mark.parametrize("what", MALFORMED)
def test_it_is_refused_in_one_piece_with_the_start_up_packet(pair, what):
    for user in (USER, "root"):
        line = Line(pair.port)
        line.send(start({"user": user, "database": "dev"}) + MALFORMED[what])
        assert_refused(line)


# In the middle of a conversation.

SERIES = [
    parse("SELECT 1", "one"), bind(name="one"), describe("P"), execute(), SYNC, query("SELECT 2"),
    parse("SELEC"), bind(), SYNC, describe("S", "one"), FLUSH]
AFTER = query("SELECT 'odd'") + parse("SELECT 'odd'") + bind() + execute() + SYNC


def answers_to_series(port: int) -> list[tuple]:
    line = logged_in(port)
    line.send(*SERIES)
    while [tag for tag, _ in line.heard[-2:]] != ["t", "T"]:
        line.next()
    line.sock.close()
    return line.heard


@pytest.mark.parametrize("what", MALFORMED)
def test_behind_well_formed_ones_it_is_refused_and_they_are_not(pair, what):
    """In one piece, byte by byte, and cut at each place in the message itself."""
    before, bad = b"".join(SERIES), MALFORMED[what]
    whole = before + bad + AFTER
    answers = answers_to_series(pair.server.port)
    cuts = [len(before) + i for i in range(len(bad))]
    for pieces in [[whole], [whole[i:i + 1] for i in range(len(whole))],
                   *([whole[:cut], whole[cut:]] for cut in cuts)]:
        line = logged_in(pair.port)
        for number, piece in enumerate(pieces):
            with contextlib.suppress(ConnectionError):
                line.send(piece)
            if number == 0 and len(pieces) == 2:
                pair.witness.ask()
        heard = assert_refused(line)
        assert heard == answers[:len(heard)], (len(pieces), heard)


@pytest.mark.parametrize("what", MALFORMED)
def test_while_the_server_skips_to_sync_it_is_refused(pair, what):
    line = logged_in(pair.port)
    line.send(parse("SELEC"), FLUSH)
    line.until("E")
    line.send(MALFORMED[what])
    line.heard.clear()
    assert assert_refused(line) == []


@pytest.mark.parametrize("what", MALFORMED)
def test_a_session_in_the_middle_of_a_message_goes_on_beside_one_that_is_refused(pair, what):
    """Two sessions at once: the one that is refused, and one in the middle of a series."""
    good = logged_in(pair.port)
    good.send(parse("SELECT 1", "one"), bind(name="one")[:7])
    bad = logged_in(pair.port)
    bad.send(MALFORMED[what])
    assert_refused(bad)
    good.ask(bind(name="one")[7:], execute(), SYNC)
    assert [tag for tag, _ in good.heard] == ["1", "2", "D", "C", "Z"]
    good.sock.close()


@pytest.mark.parametrize("what", MALFORMED)
def test_behind_a_replacement_it_is_refused(what, replacing):
    """The replacement runs, to its end or not; either way nothing is left of it."""
    catalog = Catalog(replacing.server.port)
    line = logged_in(replacing.port)
    line.send(query(REPLACE), MALFORMED[what], AFTER)
    assert_refused(line)
    assert replacing.server.child.poll() is None
    assert eventually(lambda: catalog.leftovers() == set())
    assert rows(catalog.conn, "SELECT * FROM m ORDER BY a") in ([(1,), (2,)], [(1, 10), (2, 20)])
    assert not [s for s in replacing.server.statements() if "odd" in s]


@pytest.fixture
def replacing():
    with serving(flags=["--drain-min", "0"]) as proxy:
        make_view(proxy.server.port)
        yield proxy


# What looks odd and is legal.

NAME = "n" * 100_000
MANY = 32767
LEGAL = {
    "empty names": [parse("SELECT 1"), bind(), describe("S"), describe("P"), execute(), close("P"),
                    close("S"), SYNC],
    "empty text": [parse(""), bind(), describe("P"), execute(), SYNC, query("")],
    "no parameters at all": [parse("SELECT 1"), bind_body(short(0, 0, 0)), execute(), SYNC],
    "NULL": [parse("SELECT $1::int", types=(23,)), bind(None), execute(), SYNC],
    "NULL as the last of several": [parse("SELECT $1::int, $2::int", types=(23, 23)),
                                    bind(b"1", None), execute(), SYNC],
    "a parameter without length": [parse("SELECT $1::varchar", types=(1043,)), bind(b""), execute(),
                                   SYNC],
    "bytes of all kinds": [parse("SELECT 1"), bind(bytes(range(256)), b"\0", b"Q\0\0\0\3"),
                           execute(), SYNC],
    "row limits": [parse("SELECT 1"), bind(), execute("", -1), execute("", 0x7FFFFFFF), SYNC],
    "names that do not exist": [describe("S", "absent"), SYNC, close("P", "absent"), SYNC],
    "all without a body": [FLUSH, SYNC, FLUSH, FLUSH, SYNC, SYNC],
}
LARGE = {
    "32767 types": [parse("SELECT 1", types=(23,) * MANY), SYNC],
    "32767 parameters": [parse("SELECT 1"), bind(*(None,) * MANY), execute(), SYNC],
    "32767 formats": [parse("SELECT 1"),
                      bind_body(short(MANY), short(0) * MANY, short(0, MANY), short(1) * MANY),
                      execute(), SYNC],
    "long names": [parse("SELECT 1", NAME), bind(portal=NAME, name=NAME), describe("S", NAME),
                   describe("P", NAME), execute(NAME), close("P", NAME), close("S", NAME), SYNC],
    "a long Parse": [parse(f"SELECT 1 /* {'x' * 2 * MIB} */"), bind(), execute(), SYNC],
    "a long Bind": [parse("SELECT length($1::varchar)", types=(1043,)), bind(b"x" * 3 * MIB),
                    execute(), SYNC],
    "a long Query": [query(f"SELECT length('{'x' * 2 * MIB}')")],
}


def converse(port: int, messages: list[bytes], pieces) -> list[tuple]:
    line = logged_in(port)
    for piece in pieces(b"".join(messages)):
        line.send(piece)
    for tag in messages:
        if tag[:1] in b"SQ":
            line.until("Z")
    line.sock.close()
    return line.heard


def whole(out: bytes) -> list[bytes]:
    return [out]


def in_pieces(out: bytes) -> list[bytes]:
    cuts, pieces = random.Random(len(out)), []
    while out:
        size = cuts.choice([1, 2, 3, 5, 4096, 65521, 65536])
        pieces.append(out[:size])
        out = out[size:]
    return pieces


def one_by_one(out: bytes) -> list[bytes]:
    return [out[i:i + 1] for i in range(len(out))]


@pytest.mark.parametrize("what, pieces", [
    *((what, pieces) for pieces in (whole, in_pieces) for what in LEGAL | LARGE),
    *((what, one_by_one) for what in LEGAL)])
def test_odd_and_legal_messages_pass(pair, what, pieces):
    messages = (LEGAL | LARGE)[what]
    got = converse(pair.port, messages, pieces)
    assert got == converse(pair.server.port, messages, whole)
    assert got[-1] == ("Z", b"I")


def test_legal_messages_pass_at_every_cut(pair):
    """The one conversation with all kinds of messages, cut once, at each place."""
    messages = LEGAL["empty names"] + LEGAL["NULL as the last of several"]
    out, expected = b"".join(messages), converse(pair.server.port, messages, whole)
    line = logged_in(pair.port)
    for cut in range(len(out)):
        send_cut(line, pair.witness, out, cut)
        line.until("Z")
        line.until("Z")
        assert line.heard == expected, cut
        line.heard.clear()
    line.sock.close()


@pytest.mark.parametrize("tag", "dcfF?")
def test_other_well_framed_messages_pass_and_the_server_closes(pair, tag):
    line = logged_in(pair.port)
    line.send(message(tag, b"anything \0\xff"))
    line.finish()
    assert line.heard == [("end", b"")]


def test_a_password_is_one_string(pair):
    for body in (b"", b"no NUL", b"two\0strings\0", b"\0\0"):
        line = asked_for_a_password(pair.port)
        line.send(message("p", body))
        assert assert_refused(line) == []
    for size in (3, 0, -1, 0x80000000):
        line = asked_for_a_password(pair.port)
        line.send(b"p" + length(size))
        assert assert_refused(line) == []


def test_nothing_but_the_password_comes_before_login(pair):
    """Well-formed messages too: the server executes a Query before it knows who asks."""
    before = len(pair.server.statements())
    for early in (query("SELECT 'early'"), parse("SELECT 'early'"), SYNC, FLUSH, describe("S"),
                  message("d", b"x")):
        line = asked_for_a_password(pair.port)
        line.send(early)
        assert assert_refused(line) == []
    assert len(pair.server.statements()) == before
