"""The proxy as a program: start, limits, shutdown, dead servers, and what passes unchanged."""

import contextlib
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import play
import psycopg
import pytest

from conftest import REPLACE, Catalog, connect, make_view, rows, serving
from middleman import read_packet
from processes import BINARY, Proxy, Sandbox, eventually
from raw_session import reset_connection

STARTUP = b"\x00\x03\x00\x00user\0root\0database\0dev\0\0"


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60)


def raw(port: int, *parts: bytes) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    for part in parts:
        sock.sendall(part)
    return sock


def read_all(sock: socket.socket) -> bytes:
    """Everything until the peer closes, be it politely or not."""
    got = b""
    try:
        while piece := sock.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    return got


def wait_until_ready(sock: socket.socket) -> None:
    """Reads the server's start-up messages up to ReadyForQuery."""
    got = b""
    while not got.endswith(b"Z\0\0\0\5I"):
        piece = sock.recv(4096)
        assert piece, got
        got += piece


def packet(body: bytes) -> bytes:
    return struct.pack(">i", len(body) + 4) + body


def message(tag: bytes, body: bytes = b"") -> bytes:
    return tag + packet(body)


def test_help_and_version():
    assert run("--version").stdout.startswith("mvswap ")
    assert "proxy" in run("--help").stdout
    assert "--listen HOST:PORT" in run("proxy", "--help").stdout


@pytest.mark.parametrize("arguments, why", [
    ([], "Usage"),
    (["nonsense"], "unknown command"),
    (["proxy"], "required"),
    (["proxy", "--listen", "nowhere", "--server", "h:1"], "expected HOST:PORT"),
    (["proxy", "--listen", "::1:5", "--server", "h:1"], "brackets"),
    (["proxy", "--listen", "h:99999", "--server", "h:1"], "port"),
    (["proxy", "--max-connections", "0"], "from 1 to"),
    (["proxy", "--build", "sideways"], "background, foreground"),
    (["proxy", "--drain-min", "soon"], "for example 30s"),
    (["proxy", "extra"], "not expected"),
])
def test_a_wrong_command_line_is_one_clear_line(arguments, why):
    done = run(*arguments)
    assert done.returncode == 2 and why in done.stderr
    assert arguments == [] or len(done.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("proxy", "--listen", address, "--server", "127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr == f"mvswap: cannot listen on {address}: address already in use\n"


def test_a_host_that_does_not_exist_is_one_clear_line():
    done = run("proxy", "--listen", "no-such-host.invalid:1", "--server", "127.0.0.1:1")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "cannot listen on no-such-host.invalid:1" in done.stderr


def test_a_server_that_is_down_is_a_proper_error():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with Proxy(nobody.getsockname()[1]) as proxy:
            with raw(proxy.port, packet(STARTUP)) as sock:
                got = read_all(sock)
            assert got[:1] == b"E" and b"SFATAL\0" in got and b"C08006\0" in got
            with pytest.raises(psycopg.OperationalError, match="could not connect to the server"):
                connect(proxy.port)
            assert proxy.end() == 0


NO_SERVER = "could not connect to the server"
NO_ANSWER = "the server closed the connection before it answered"


def close_at_once(listener: socket.socket) -> None:
    with listener, listener.accept()[0]:
        pass


def close_behind_the_packet(listener: socket.socket) -> None:
    with listener, listener.accept()[0] as sock:
        read_packet(sock)


def reset_behind_the_packet(listener: socket.socket) -> None:
    with listener:
        sock, _ = listener.accept()
        read_packet(sock)
        reset_connection(sock)


@contextlib.contextmanager
def in_front_of(end):
    """A proxy in front of a server that `end` is, and ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    with Proxy(listener.getsockname()[1]) as proxy:
        server = threading.Thread(target=end, args=(listener,))
        server.start()
        yield proxy
        server.join()
        assert proxy.end(60) == 0, proxy.output()


@pytest.mark.parametrize("end", [close_at_once, close_behind_the_packet, reset_behind_the_packet])
def test_a_server_that_closes_before_it_answers_is_a_proper_error(end):
    with in_front_of(end) as proxy:
        with raw(proxy.port, packet(STARTUP)) as sock:
            got = play.decode("E", read_all(sock)[5:])[1]
        assert (got["S"], got["C"], got["M"]) == ("FATAL", "08006", NO_ANSWER)
    assert NO_ANSWER in proxy.output()
    with in_front_of(end) as proxy, \
            pytest.raises(psycopg.OperationalError, match=NO_ANSWER):
        connect(proxy.port)


def test_a_server_that_dies_with_connections_that_it_has_not_accepted():
    """They are reset: before the proxy has seen that it is connected, or behind it."""
    def close_what_waits(listener: socket.socket) -> None:
        select.select([listener], [], [], 60)
        listener.close()

    with in_front_of(close_what_waits) as proxy, \
            pytest.raises(psycopg.OperationalError, match=f"{NO_SERVER}|{NO_ANSWER}"):
        connect(proxy.port)


@pytest.mark.parametrize("said", [
    message(b"E", b"SFATAL\0C57P03\0Mnot yet\0\0"), message(b"R", struct.pack(">i", 3)), b"E\0\0"])
def test_what_the_server_says_before_it_closes_is_all_that_is_said(said):
    def say(listener: socket.socket) -> None:
        with listener, listener.accept()[0] as sock:
            read_packet(sock)
            sock.sendall(said)

    with in_front_of(say) as proxy, raw(proxy.port, packet(STARTUP)) as sock:
        assert read_all(sock) == said


def test_the_server_is_dialled_by_name_at_every_connect():
    with Sandbox() as first:
        port = first.port
        with Proxy(port, "--server", f"localhost:{port}") as proxy:
            with connect(proxy.port) as conn:
                assert rows(conn, "SELECT 1") == [(1,)]
            first.stop()
            with pytest.raises(psycopg.OperationalError):
                connect(proxy.port)
            with Sandbox(port=port), connect(proxy.port) as conn:
                assert rows(conn, "SELECT 1") == [(1,)]


def test_too_many_connections_are_told_so():
    with serving(flags=["--max-connections", "2"]) as proxy:
        with connect(proxy.port) as one, connect(proxy.port):
            with pytest.raises(psycopg.OperationalError, match="too many clients already"):
                connect(proxy.port)
            with raw(proxy.port, packet(STARTUP)) as sock:
                assert b"C53300\0" in read_all(sock)
            assert rows(one, "SELECT 1") == [(1,)]
        assert eventually(lambda: can_connect(proxy.port))


def can_connect(port: int) -> bool:
    try:
        connect(port).close()
        return True
    except psycopg.OperationalError:
        return False


def test_sigterm_ends_idle_sessions_and_lets_a_replacement_finish():
    with serving("--delay", "^CREATE MATERIALIZED VIEW m_tmp@1=4") as proxy:
        make_view(proxy.server.port)
        # Spoken raw: libpq sometimes reports only the end of the connection behind the message.
        idle = play.Conn("127.0.0.1", proxy.port, {"user": "root", "database": "dev"})
        idle.startup()
        while idle.recv(60)[0] != "ReadyForQuery":
            pass
        done = []

        def replace() -> None:
            with connect(proxy.port) as conn:
                conn.execute(REPLACE)
                done.append(True)

        thread = threading.Thread(target=replace)
        thread.start()
        assert eventually(Catalog(proxy.server.port).builds)
        proxy.signal(signal.SIGTERM)
        name, fields = idle.recv(60)
        assert (name, fields["S"], fields["C"]) == ("ErrorResponse", "FATAL", "57P01")
        assert "administrator command" in fields["M"] and idle.recv(60)[0] == "Closed"
        idle.sock.close()
        with pytest.raises(psycopg.OperationalError, match="the proxy is shutting down"):
            connect(proxy.port)
        thread.join(60)
        assert done == [True] and proxy.wait(60) == 0
        catalog = Catalog(proxy.server.port)
        assert catalog.leftovers() == set()
        assert rows(catalog.conn, "SELECT * FROM m ORDER BY a") == [(1, 10), (2, 20)]


@pytest.mark.parametrize("how", ["second signal", "deadline"])
def test_shutdown_undoes_a_replacement_that_is_not_done(how):
    with serving("--build-hang", "VIEW m_tmp", flags=["--shutdown-timeout", "0.5"]) as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        failed = []

        def replace() -> None:
            try:
                with connect(proxy.port) as conn:
                    conn.execute(REPLACE)
            except psycopg.Error as error:
                failed.append(error.sqlstate)

        thread = threading.Thread(target=replace)
        thread.start()
        assert eventually(catalog.builds)
        proxy.signal(signal.SIGTERM)
        if how == "second signal":
            assert eventually(lambda: "draining" in proxy.output())
            proxy.signal(signal.SIGTERM)
        assert proxy.wait(60) == 0
        thread.join(60)
        assert failed == ["57P01"]
        assert catalog.leftovers() == set()


def test_a_hangup_changes_nothing():
    with serving() as proxy, connect(proxy.port) as conn:
        proxy.signal(signal.SIGHUP)
        time.sleep(0.2)
        assert rows(conn, "SELECT 1") == [(1,)]


def test_encryption_requests_are_answered_no():
    with serving() as proxy:
        ssl, gss = packet(struct.pack(">i", 80877103)), packet(struct.pack(">i", 80877104))
        for order in ([ssl, gss], [gss, ssl]):
            with raw(proxy.port) as sock:
                for request in order:
                    for byte in request:
                        sock.sendall(bytes([byte]))
                    assert sock.recv(1) == b"N"
                sock.sendall(packet(STARTUP))
                wait_until_ready(sock)


@pytest.mark.parametrize("first", [
    message(b"Q", b"SELECT 1\0"), message(b"P", b"\0\0"), message(b"p", b"no nul"), message(b"S"),
    b"Q\0\0\0\3", b"p\xff\xff\xff\xff"])
def test_messages_that_have_no_business_before_login_never_reach_the_server(first):
    with serving("--password", "root=secret") as proxy:
        with raw(proxy.port, packet(STARTUP)) as sock:
            assert sock.recv(9)[:1] == b"R"
            sock.sendall(first)
            assert b"C08P01\0" in read_all(sock)
        with connect(proxy.port, password="secret") as conn:
            assert rows(conn, "SELECT 1") == [(1,)]
        assert proxy.server.child.poll() is None


@pytest.mark.parametrize("bad", [b"Q\0\0\0\3", b"S\0\0\0\0", b"B\xff\xff\xff\xff", b"Q\x80\0\0\0"])
def test_lengths_that_make_no_sense_end_the_session_not_the_server(bad):
    with serving() as proxy:
        with raw(proxy.port, packet(STARTUP)) as sock:
            wait_until_ready(sock)
            sock.sendall(bad)
            assert b"C08P01\0" in read_all(sock)
        assert proxy.server.child.poll() is None
        with connect(proxy.port) as conn:
            assert rows(conn, "SELECT 1") == [(1,)]


def test_a_cancel_request_reaches_the_server():
    with serving("--build-hang", "VIEW slow", flags=["--build", "foreground"]) as proxy:
        with connect(proxy.server.port) as conn:
            conn.execute("CREATE TABLE t (a INT)")
        catalog = Catalog(proxy.server.port)
        with connect(proxy.port) as conn:
            canceller = threading.Thread(
                target=lambda: eventually(lambda: "slow" in catalog.names()) and conn.cancel())
            canceller.start()
            with pytest.raises(psycopg.Error, match="Cancelled: create"):
                conn.execute("CREATE MATERIALIZED VIEW slow AS SELECT a FROM t")
            canceller.join()
            assert rows(conn, "SELECT 1") == [(1,)]
        assert "slow" not in catalog.names()


def test_half_close_passes_and_the_answer_still_comes():
    with serving() as proxy:
        answers = []
        for port in (proxy.server.port, proxy.port):
            with raw(port, packet(STARTUP)) as sock:
                wait_until_ready(sock)
                sock.sendall(message(b"Q", b"SELECT 1\0"))
                sock.shutdown(socket.SHUT_WR)
                answers.append(read_all(sock))
        assert answers[0] == answers[1] and b"SELECT 1\0" in answers[0]


def test_large_statements_and_results_pass():
    with serving() as proxy, connect(proxy.port) as conn:
        text = "x" * 3_000_000
        assert rows(conn, f"SELECT '{text}' AS replace") == [(text,)]


def test_port_scans_open_no_server_connection():
    with serving(flags=["--log-level", "debug"]) as proxy:
        for _ in range(50):
            raw(proxy.port).close()
        with connect(proxy.port) as conn:
            assert rows(conn, "SELECT 1") == [(1,)]
        assert "level=error" not in proxy.output() and "level=warning" not in proxy.output()
