"""The first packets: protocol versions and options that the server does not know, and cancel keys.

RisingWave knows protocol 3.0 only and closes at anything else without a word. What it is sent is
seen by a server that keeps the packet; that logins work, with the sandbox and with PostgreSQL.
"""

import contextlib
import socket
import struct
import threading

import psycopg
import pytest

import play
from conftest import connect, rows, serving
from postgres import running_postgres
from processes import Proxy, eventually
from test_differential import (GSSENC_REQUEST, ROOT, SSL_REQUEST, Line, message, packet, query,
                               start, text)

PASSWORD = "open sesame"
USER = "rwadmin"
GREASE = "_pq_.test_protocol_negotiation"
V3_0, V3_1, V3_2, V3_9999 = 0x30000, 0x30001, 0x30002, 0x30000 + 9999


@pytest.fixture(scope="module")
def proxy():
    with serving("--password", f"{USER}={PASSWORD}") as running:
        yield running


class Recorder:
    """A server that keeps the first packet of each connection and then closes it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.packets: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                with sock:
                    sock.settimeout(60)
                    self.packets.append(self._packet(sock))

    @staticmethod
    def _packet(sock: socket.socket) -> bytes:
        got = b""
        while len(got) < 4 or len(got) < int.from_bytes(got[:4], "big"):
            piece = sock.recv(65536)
            if not piece:
                break
            got += piece
        return got


@pytest.fixture(scope="module")
def recorder():
    server = Recorder()
    with Proxy(server.port) as running:
        server.proxy = running
        yield server
        assert running.end(60) == 0, running.output()
    server.listener.close()


def negotiation(*names: str) -> tuple:
    return "v", struct.pack(">ii", V3_0, len(names)) + b"".join(text(name) for name in names)


def log_in(line: Line, user: str, greeting: bytes) -> list[tuple]:
    """Sends the packet, and the password when it is asked for; returns all answers to `Z`."""
    line.send(greeting)
    if user == USER:
        line.until("R")
        assert line.last == struct.pack(">i", 3)
        line.send(message("p", text(PASSWORD)))
    line.until("Z")
    return line.heard


def works(line: Line) -> bool:
    line.heard.clear()
    line.ask(query("SELECT 1"))
    return [tag for tag, _ in line.heard] == ["T", "D", "C", "Z"]


def plain_login(port: int, user: str, **more: str) -> list[tuple]:
    """What a client of protocol 3.0 hears, and nothing before it."""
    line = Line(port)
    heard = log_in(line, user, start({"user": user, "database": "dev", **more}))
    line.sock.close()
    return heard


@pytest.mark.parametrize("user", ["root", USER])
@pytest.mark.parametrize("version, names", [
    (V3_2, []), (V3_1, []), (V3_9999, [GREASE]), (V3_0, ["_pq_.x"]), (V3_2, ["_pq_.b", "_pq_.a"]),
    (V3_0, ["_pq_."]), (V3_0, [f"_pq_.{n}" for n in range(200)])])
def test_what_the_server_does_not_know_is_negotiated_once_before_the_login(
        proxy, user, version, names):
    """Before the first Authentication message, and all that follows is as it is without."""
    line = Line(proxy.port)
    params = {"user": user, "database": "dev", **{name: "on" for name in names}}
    heard = log_in(line, user, start(params, version))
    assert heard == [negotiation(*names), *plain_login(proxy.port, user)]
    assert works(line)
    line.sock.close()


@pytest.mark.parametrize("user", ["root", USER])
def test_what_the_server_knows_is_not_negotiated(proxy, user):
    heard = plain_login(proxy.port, user)
    assert heard[0][0] == "R" and "v" not in dict(heard)


def test_an_option_asked_for_among_others_is_named_where_it_stood(proxy):
    """Only names count: values, other parameters and other cases of letters are none."""
    line = Line(proxy.port)
    params = {"_pq_.one": "_pq_.value", "user": "root", "_PQ_.two": "x", "application_name":
              "_pq_.app", "x_pq_.three": "x", "_pq_.four": "", "database": "dev", "_pq": "x"}
    heard = log_in(line, "root", start(params))
    assert heard[0] == negotiation("_pq_.one", "_pq_.four")
    assert ("S", b"application_name\0_pq_.app\0") in heard
    assert works(line)
    line.sock.close()


def test_the_newest_libpq_logs_in(proxy):
    for version in ("3.0", "3.2", "latest"):
        with connect(proxy.port, max_protocol_version=version) as conn:
            assert rows(conn, "SELECT 1") == [(1,)]
        with connect(proxy.port, max_protocol_version=version, user=USER,
                     password=PASSWORD) as conn:
            assert rows(conn, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("greeting", [
    start(ROOT, V3_2), start({**ROOT, GREASE: ""}, V3_9999), start({"_pq_.x": "y", **ROOT}),
    start(ROOT)])
def test_the_packet_may_be_cut_anywhere(proxy, greeting):
    whole = Line(proxy.port)
    whole.ask(greeting)
    for cut in range(1, len(greeting)):
        line = Line(proxy.port)
        line.send(greeting[:cut])
        whole.ask(message("S"))  # the proxy has read the first piece
        line.ask(greeting[cut:])
        assert line.heard == whole.heard[:len(line.heard)], cut
        line.sock.close()
    whole.sock.close()


def test_the_packet_may_come_byte_by_byte(proxy):
    line = Line(proxy.port)
    for byte in start({**ROOT, "_pq_.x": "y"}, V3_2):
        line.send(bytes([byte]))
    line.until("Z")
    assert line.heard[0] == negotiation("_pq_.x") and works(line)
    line.sock.close()


@pytest.mark.parametrize("requests", [
    [SSL_REQUEST], [GSSENC_REQUEST], [SSL_REQUEST, GSSENC_REQUEST], [GSSENC_REQUEST, SSL_REQUEST]])
def test_behind_requests_for_encryption(proxy, requests):
    line = Line(proxy.port)
    for request in requests:
        line.send(request)
        line.byte()
    heard = log_in(line, "root", start({**ROOT, GREASE: ""}, V3_9999))
    assert heard[:len(requests) + 1] == [("byte", b"N")] * len(requests) + [negotiation(GREASE)]
    assert [tag for tag, _ in heard].count("v") == 1 and works(line)
    line.sock.close()


# What reaches the server.

PARAMETERS = {
    "user": "root", "database": "dev", "application_name": "odd \\ ' \" \t\n\x01é_pq_.",
    "options": "-c a=b\\ c --x-y=z", "client_encoding": "UTF8", "DateStyle": "", "x": "\x7f",
    "replication": "", "a-name.of_ours": "=", " ": " "}


def sent_for(recorder, greeting: bytes) -> bytes:
    before = len(recorder.packets)
    line = Line(recorder.proxy.port)
    line.send(greeting)
    line.finish()
    assert eventually(lambda: len(recorder.packets) == before + 1)
    return recorder.packets[-1]


@pytest.mark.parametrize("greeting", [
    start(PARAMETERS), start({}), start({"user": "root"}), packet(struct.pack(">i", V3_0)),
    packet(struct.pack(">i", V3_0) + b"user\0root\0"),
    packet(struct.pack(">i", V3_0) + b"user\0ro"),
    packet(struct.pack(">i", V3_0) + b"\0behind the terminator\0"),
    start(ROOT, 0x20000), start(ROOT, 0x40000), start(ROOT, 0), start(ROOT, 0x2FFFF),
    start({**ROOT, "_pq_.x": "y"}, 0x40000), start({**ROOT, "x": "y" * 9000})])
def test_a_packet_without_need_goes_on_byte_for_byte(recorder, greeting):
    assert sent_for(recorder, greeting) == greeting


@pytest.mark.parametrize("version", [V3_0, V3_1, V3_2, V3_9999, 0x3FFFF])
@pytest.mark.parametrize("at", [0, 1, 5, len(PARAMETERS)])
def test_of_a_rewritten_packet_all_else_goes_on_byte_for_byte(recorder, version, at):
    """Wherever the options stand, first, last or in between."""
    pairs = list(PARAMETERS.items())
    asked = dict(pairs[:at] + [("_pq_.a", "1"), ("_pq_.b", "")] + pairs[at:])
    assert sent_for(recorder, start(asked, version)) == start(PARAMETERS)


def test_the_longest_packet_can_be_rewritten(recorder):
    empty = start({**ROOT, "x": "", "_pq_.y": ""}, V3_2)
    for value in ("x", "_pq_.y"):
        params = {**ROOT, "x": "", "_pq_.y": "", value: "z" * (10_004 - len(empty))}
        rest = {name: params[name] for name in params if name != "_pq_.y"}
        assert sent_for(recorder, start(params, V3_2)) == start(rest)


MALFORMED = {
    "no terminator": packet(struct.pack(">i", V3_2) + b"user\0root\0"),
    "no parameters and no terminator": packet(struct.pack(">i", V3_2)),
    "a value without its NUL": packet(struct.pack(">i", V3_2) + b"user\0root"),
    "a name without its NUL": packet(struct.pack(">i", V3_2) + b"user"),
    "a name without a value": packet(struct.pack(">i", V3_9999) + b"user\0"),
    "an option without terminator": packet(struct.pack(">i", V3_9999) + b"_pq_.x\0y\0"),
    "bytes behind the terminator": packet(struct.pack(">i", V3_2) + b"user\0root\0\0x"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_packet_that_needs_rewriting_is_refused(proxy, recorder, what):
    before = len(recorder.packets)
    for port in (proxy.port, recorder.proxy.port):
        line = Line(port)
        line.send(MALFORMED[what])
        line.finish()
        assert [tag for tag, _ in line.heard] == ["E", "end"], line.heard
        fields = play.decode("E", line.heard[0][1])[1]
        assert (fields["S"], fields["C"]) == ("FATAL", "08P01")
    assert len(recorder.packets) == before


@pytest.mark.parametrize("major", [1, 2, 4, 5, 0x7FFF])
def test_other_major_versions_are_the_servers_business(proxy, postgres, major):
    """The sandbox closes without a word, PostgreSQL has an error; neither is ours."""
    for server, through in ((proxy.server.port, proxy.port), (postgres.port, postgres.proxy.port)):
        heard = []
        for port in (server, through):
            line = Line(port)
            line.send(start(ROOT, major << 16))
            line.finish()
            heard.append(line.heard)
        assert heard[0] == heard[1]
    assert b"unsupported frontend protocol" in b"".join(body for _, body in heard[0])


# Through to a server that knows more parameters than the sandbox.

@pytest.fixture(scope="module")
def postgres():
    with running_postgres() as server, Proxy(server.port) as running:
        server.proxy = running
        yield server
        assert running.end(60) == 0, running.output()


@pytest.mark.parametrize("version, option", [
    (V3_0, {}), (V3_2, {}), (V3_9999, {GREASE: ""}), (V3_0, {"_pq_.x": "_pq_.y"})])
def test_parameters_take_effect_on_the_server(postgres, version, option):
    """PostgreSQL negotiates by itself: an option that reached it would be answered twice."""
    params = {**ROOT, **option, "application_name": "it's \\ \"odd\"",
              "options": "-c my.own=a\\ b --work_mem=1234kB", "DateStyle": "SQL, DMY"}
    line = Line(postgres.proxy.port)
    heard = log_in(line, "root", start(params, version))
    assert [tag for tag, _ in heard].count("v") == int(version != V3_0 or option != {})
    assert ("S", b"application_name\0it's \\ \"odd\"\0") in heard
    assert ("S", b"DateStyle\0SQL, DMY\0") in heard
    line.ask(query("SELECT current_setting('my.own'), current_setting('work_mem')"))
    assert play.decode("D", dict(line.heard)["D"])[1] == ["a b", "1234kB"]
    line.sock.close()


# Cancel keys.

def key_of(port: int, user: str) -> tuple[int, int]:
    """Of a login; exactly one, behind AuthenticationOk."""
    conn = play.Conn("127.0.0.1", port, {"user": user, "database": "dev"})
    conn.startup()
    tags, keys = [], []
    while not tags or tags[-1] != "ReadyForQuery":
        name, value = conn.recv(20)
        tags.append(name)
        keys += [conn.key] if name == "BackendKeyData" else []
        if (name, value) == ("Authentication", 3):
            conn.send("p", text(PASSWORD))
    conn.sock.close()
    assert len(keys) == 1 and len(keys[0]) == 8, tags
    assert "Authentication" not in tags[tags.index("BackendKeyData"):]
    return struct.unpack(">II", keys[0])


@pytest.mark.parametrize("user", ["root", USER])
def test_each_login_gets_one_key_of_our_own(proxy, user):
    """The server's are the session's number, twice, or none at all after a password."""
    keys = [key_of(proxy.port, user) for _ in range(50)]
    assert len(set(keys)) == 50
    assert len({process for process, _ in keys}) > 1 and len({secret for _, secret in keys}) == 50
    for process, secret in keys:
        assert process != secret and not {process, secret} & set(range(2000)), keys


def test_a_key_stands_where_the_servers_stood(proxy):
    """In its place, or before the first ReadyForQuery when the server has none."""
    direct, through = plain_login(proxy.server.port, "root"), plain_login(proxy.port, "root")
    assert through == direct  # keys are masked
    direct, through = plain_login(proxy.server.port, USER), plain_login(proxy.port, USER)
    assert "K" not in dict(direct)
    assert through == [*direct[:-1], ("K", b"*" * 8), direct[-1]]


def test_the_servers_own_key_is_nowhere(postgres):
    with connect(postgres.proxy.port) as conn:
        ((process,),) = rows(conn, "SELECT pg_backend_pid()")
        assert conn.info.backend_pid != process


def test_a_login_that_fails_gets_no_key(proxy):
    for params, password in (({"user": USER, "database": "dev"}, "wrong"), ({"user": "nobody"}, ""),
                             ({"user": "root", "database": "absent"}, "")):
        line = Line(proxy.port)
        line.send(start(params))
        if password:
            line.until("R")
            line.send(message("p", text(password)))
        line.finish()
        assert {"K", "Z"} & set(dict(line.heard)) == set(), line.heard


def test_later_ready_messages_bring_no_key(proxy):
    for user in ("root", USER):
        line = Line(proxy.port)
        log_in(line, user, start({"user": user, "database": "dev"}))
        line.heard.clear()
        for _ in range(3):
            line.ask(query("SELECT 1"))
            line.ask(message("S"))
        assert "K" not in dict(line.heard)
        line.sock.close()


def test_drivers_see_the_key(proxy):
    with connect(proxy.port) as one, connect(proxy.port, user=USER, password=PASSWORD) as other:
        assert one.info.backend_pid != other.info.backend_pid
        assert isinstance(one.pgconn.get_cancel(), psycopg.pq.PGcancel)
        assert isinstance(other.pgconn.get_cancel(), psycopg.pq.PGcancel)
