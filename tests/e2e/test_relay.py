"""The relay under volume, slow and dead peers, and clients that leave in every way there is.

PostgreSQL is behind the proxy where volume matters, the sandbox where RisingWave matters. Memory is
bounded with the reasons of limits.h: what is not one of its buffers may not grow with the volume.
"""

import concurrent.futures
import contextlib
import hashlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from conftest import Catalog, connect, rows, serving
from postgres import PASSWORD, running_postgres
from processes import Proxy, eventually
from test_differential import (COPY_DONE, FLUSH, ROOT, SSL_REQUEST, SYNC, Line, bind, describe,
                               execute, message, packet, parse, query, row, start, text)

MIB = 1024 * 1024
VOLUME = 64 * MIB
# A session that relays owes at most what one turn of the loop reads in each direction, a chunk of
# 64 KiB (LIMIT_CHUNK), and its copy while it is written. A statement is collected up to
# LIMIT_STATEMENT, but those here are small or longer than that. The rest is for the allocator.
SESSION_GROWTH = MIB
# A server session ends at the latest when the proxy gives up closing (LIMIT_CLOSING_MS, 2 s); the
# rest is for a machine that does other things.
LEAVE_SECONDS = 60


@pytest.fixture(scope="module")
def postgres():
    with running_postgres() as server:
        with server.connect() as conn:
            conn.execute("CREATE TABLE t AS SELECT n AS a, 'row ' || n AS b "
                         "FROM generate_series(1, 100) n")
            conn.execute("CREATE TABLE sink (a INT, b TEXT)")
            conn.execute("CREATE TABLE wide (b TEXT)")
        yield server


@pytest.fixture
def proxy(postgres):
    """A fresh proxy, so that its memory is known. It must end cleanly, with no error in its log."""
    with Proxy(postgres.port) as running:
        running.server = postgres
        yield running
        assert running.end(60) == 0, running.output()
        assert "level=error" not in running.output()


# What the kernel tells about the proxy.

def memory(proxy: Proxy, field: str = "VmRSS") -> int:
    with open(f"/proc/{proxy.child.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def descriptors(proxy: Proxy) -> int:
    return len(os.listdir(f"/proc/{proxy.child.pid}/fd"))


def cpu_seconds(proxy: Proxy) -> float:
    with open(f"/proc/{proxy.child.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def growth_at_most(proxy: Proxy, most: int):
    """The highest memory in the block over what the proxy had before, other sessions being none."""
    before = memory(proxy)
    yield
    grown = memory(proxy, "VmHWM") - before
    print(f"memory: {before // 1024} KiB, grew by at most {grown // 1024} KiB")
    assert grown < most, f"grew by {grown} bytes"


def nothing_left(proxy: Proxy, num_descriptors: int) -> None:
    """All sessions are gone on both sides, and a new client is served."""
    assert eventually(lambda: descriptors(proxy) == num_descriptors), descriptors(proxy)
    assert eventually(lambda: proxy.server.sessions() == [], LEAVE_SECONDS), proxy.server.sessions()
    with connect(proxy.port) as conn:
        assert rows(conn, "SELECT 1") == [(1,)]
    assert eventually(lambda: descriptors(proxy) == num_descriptors), descriptors(proxy)


class Sender(threading.Thread):
    """Sends without reading, as fast as it may; `sent` shows how far it came."""

    def __init__(self, line: Line, pieces):
        super().__init__(daemon=True)
        self.line, self.pieces, self.sent = line, pieces, 0

    def run(self) -> None:
        for piece in self.pieces:
            left = memoryview(piece)
            while left:
                done = self.line.sock.send(left[:MIB])
                self.sent += done
                left = left[done:]

    def stalls(self) -> bool:
        """Waits until nothing has moved for a while; false when all went through before."""
        def still() -> bool:
            before = self.sent
            time.sleep(0.5)
            return self.sent == before or not self.is_alive()

        assert eventually(still, 60)
        return self.is_alive()


def logged_in(port: int, **more) -> Line:
    line = Line(port)
    line.login(**more)
    return line


def narrow(line: Line) -> None:
    """A small window, so that little more than what the client takes is under way. Not smaller than
    a segment on loopback (64 KiB): then the kernel sends by its timer, five times a second."""
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 192 * 1024)


# Letters that are also tags of messages.
RESULT = query("SELECT repeat(md5(n::text) || 'ECTZXDSQ', 1700) FROM generate_series(1, 1024) n")


def digest_to_ready(line: Line, pause: float = 0) -> tuple[int, str]:
    """Size and hash of all bytes up to the first ReadyForQuery, after each MiB a pause."""
    seen, size, tail, since_pause = hashlib.sha256(), 0, b"", 0
    while not tail.endswith(b"Z\0\0\0\5I"):
        piece = line.sock.recv(64 * 1024)
        assert piece
        seen.update(piece)
        size += len(piece)
        since_pause += len(piece)
        tail = (tail + piece)[-6:]
        if since_pause >= MIB:
            time.sleep(pause)
            since_pause = 0
    return size, seen.hexdigest()


def test_a_large_result_for_a_slow_reader(postgres, proxy):
    """64 MiB arrive byte for byte at a client with a small window and pauses; the proxy holds no
    more than a chunk of them."""
    direct = logged_in(postgres.port)
    direct.send(RESULT)
    expected = digest_to_ready(direct)
    assert expected[0] > VOLUME
    direct.sock.close()
    slow = logged_in(proxy.port)
    narrow(slow)
    with growth_at_most(proxy, SESSION_GROWTH):
        slow.send(RESULT)
        assert digest_to_ready(slow, pause=0.02) == expected
    slow.sock.close()


def test_a_large_query_for_a_server_that_does_not_read(proxy):
    """64 MiB of one statement behind a running one: the client is held back, nothing is kept."""
    line = logged_in(proxy.port)
    value = random.Random(5).randbytes(VOLUME // 2).hex()
    with growth_at_most(proxy, SESSION_GROWTH), connect(proxy.server.port) as blocker:
        blocker.execute("SELECT pg_advisory_lock(1)")
        line.send(query("SELECT pg_advisory_lock(1)::text"))
        sender = Sender(line, [query(f"SELECT md5('{value}')")])
        sender.start()
        assert sender.stalls() and sender.sent < VOLUME
        blocker.execute("SELECT pg_advisory_unlock(1)")
        line.until("Z")
        line.until("D")
        assert line.last[6:].decode() == hashlib.md5(value.encode()).hexdigest()
        line.until("Z")
    sender.join()
    line.sock.close()


def test_a_large_copy_for_a_server_that_does_not_read(proxy):
    """64 MiB of rows into a table that is locked; when the lock is gone all are there."""
    source = random.Random(6)
    values = [source.randbytes(16 * 1024).hex() for _ in range(VOLUME // (32 * 1024))]
    line = logged_in(proxy.port)
    with growth_at_most(proxy, SESSION_GROWTH), connect(proxy.server.port) as blocker:
        blocker.execute("BEGIN; LOCK TABLE wide")
        sender = Sender(line, [query("COPY wide FROM STDIN"), *(row(v) for v in values), COPY_DONE])
        sender.start()
        assert sender.stalls() and sender.sent < VOLUME
        blocker.execute("ROLLBACK")
        line.until("Z")
    sender.join()
    line.ask(query("SELECT md5(string_agg(md5(b), '' ORDER BY ctid)) FROM wide; TRUNCATE wide"))
    hashes = "".join(hashlib.md5(value.encode()).hexdigest() for value in values)
    assert hashlib.md5(hashes.encode()).hexdigest().encode() in dict(line.heard)["D"]
    line.sock.close()


@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_both_directions_full_at_once(proxy, protocol):
    """64 MiB of pipelined queries, sent without reading, whose results are as large: everything
    stands still until the client reads, and then every answer is there, in order."""
    number = 1024
    filler = "x" * (VOLUME // number)
    queries = []
    for n in range(number):
        sql = f"SELECT {n}, repeat('Z', {len(filler)}) /* {filler} */"
        queries.append(query(sql) if protocol == "simple" else
                       parse(sql) + bind() + execute() + SYNC)
    line = logged_in(proxy.port)
    with growth_at_most(proxy, SESSION_GROWTH):
        sender = Sender(line, queries)
        sender.start()
        assert sender.stalls()
        line.heard.clear()
        for n in range(number):
            line.until("D")
            size = len(str(n))
            assert line.last[6:6 + size] == str(n).encode()
            assert line.last[10 + size:] == b"Z" * len(filler)
            line.until("Z")
            line.heard.clear()
    sender.join()
    line.sock.close()


def test_claimed_lengths_cost_nothing(proxy):
    """Forty messages that say they are 200 MiB long and never come."""
    num_descriptors = descriptors(proxy)
    with growth_at_most(proxy, SESSION_GROWTH):
        lines = [logged_in(proxy.port) for _ in range(40)]
        for n, line in enumerate(lines):
            line.send(b"QPBd"[n % 4:n % 4 + 1] + struct.pack(">i", 200 * MIB) + b"SELECT ")
        with connect(proxy.port) as conn:
            assert rows(conn, "SELECT 1") == [(1,)]
        for line in lines:
            line.sock.close()
    nothing_left(proxy, num_descriptors)


@pytest.mark.parametrize("num_signals", [1, 2])
def test_shutdown_in_the_middle_of_a_result(postgres, num_signals):
    """After one signal the result ends, then comes the error. After two the stream ends where it
    is: never with something inside a message, and never with a changed row."""
    with Proxy(postgres.port) as proxy:
        line = logged_in(proxy.port)
        narrow(line)
        line.heard.clear()
        line.send(RESULT)
        line.until("D")
        for _ in range(num_signals):
            proxy.signal(signal.SIGTERM)
            assert eventually(lambda: "draining" in proxy.output())
        line.finish()
        assert proxy.wait(60) == 0
    direct = logged_in(postgres.port)
    direct.heard.clear()
    direct.ask(RESULT)
    direct.sock.close()
    *relayed, last = line.heard
    if relayed[-1][0] == "E":
        assert b"C57P01\0" in relayed.pop()[1] and last == ("end", b"")
    assert relayed == direct.heard[:len(relayed)]
    assert num_signals == 2 or relayed == direct.heard


# Clients that leave.

def leave(sock: socket.socket, how: str) -> None:
    """`reset` sends RST; `close` FIN, or RST when unread bytes are there; `half` stays to read."""
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how == "half":
        with contextlib.suppress(OSError):  # the server may have closed already
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
    sock.close()


STARTUP = start(ROOT)
BIG = query("SELECT repeat('x', 1000) FROM generate_series(1, 3000)")
COPY = query("COPY sink FROM STDIN")


def cut_of(chance: random.Random, what: bytes) -> bytes:
    return what[:chance.randrange(len(what))]


# What a client has done when it leaves: (log in and wait, then send, then read a little).
STAGES = {
    "nothing": lambda c: (False, b"", False),
    "encryption": lambda c: (False, SSL_REQUEST, False),
    "part of the start-up": lambda c: (False, cut_of(c, STARTUP), False),
    "whole start-up": lambda c: (False, STARTUP, False),
    "login": lambda c: (True, b"", False),
    "part of a query": lambda c: (True, cut_of(c, BIG), False),
    "query": lambda c: (True, BIG, False),
    "part of a result": lambda c: (True, BIG, True),
    "part of a series": lambda c: (True, parse("SELECT 1") + bind() + FLUSH, True),
    "copy": lambda c: (True, COPY + row("1", "x"), True),
    "part of a copy": lambda c: (True, COPY + cut_of(c, row("1", "x" * 100)), False),
}


def visit(port: int, seed: int) -> None:
    """One client that comes, does something, and leaves without a word."""
    chance = random.Random(seed)
    stage = chance.choice(list(STAGES.values()))
    does_login, sent, reads = stage(chance)
    if does_login:
        sock = logged_in(port).sock
    else:
        sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    sock.sendall(sent)
    if reads:
        sock.recv(100)
    leave(sock, chance.choice(["reset", "close"]))


def visits(port: int, seeds) -> None:
    """Fifty at a time; an error of one of them is raised here."""
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        for done in pool.map(lambda seed: visit(port, seed), seeds):
            assert done is None


def test_ten_thousand_abrupt_closes(proxy):
    """Descriptors and memory are back, the server's sessions are gone, a client is served.

    The first 500 show what fifty at a time need. From then on a leak of 200 bytes a visit would
    exceed the bound."""
    num_descriptors = descriptors(proxy)
    visits(proxy.port, range(500))
    nothing_left(proxy, num_descriptors)
    before = memory(proxy)
    visits(proxy.port, range(500, 10_000))
    nothing_left(proxy, num_descriptors)
    grown = memory(proxy) - before
    print(f"memory: {before // 1024} KiB, {grown // 1024} KiB more after all")
    assert grown < 2 * MIB


CONVERSATION = b"".join([
    query("SELECT 1"), query("BEGIN; SELECT a, b FROM t"), parse("SELECT $1::text", "s"),
    describe("S", "s"), bind(b"value", portal="p", name="s"), describe("P", "p"), execute("p", 1),
    FLUSH, SYNC, query("COMMIT"), parse("SELECT nope"), bind(), execute(), SYNC,
    query("COPY sink FROM STDIN"), row("1", "x"), row("2", "y" * 40), COPY_DONE,
    query("DELETE FROM sink"), query("CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT 1")])


def test_no_server_session_outlives_its_client(proxy):
    """A conversation cut at random points, every other time after some of the answer was read."""
    chance = random.Random(7)
    num_descriptors = descriptors(proxy)
    for _ in range(15):
        for how in ("reset", "close", "half") * 5:
            sock = logged_in(proxy.port).sock
            sock.sendall(cut_of(chance, CONVERSATION))
            if how != "half" and chance.random() < 0.5:
                sock.settimeout(0.01)
                with contextlib.suppress(TimeoutError):
                    sock.recv(chance.randint(1, 500))
            leave(sock, how)
        assert eventually(lambda: proxy.server.sessions() == [], LEAVE_SECONDS), \
            proxy.server.sessions()
    nothing_left(proxy, num_descriptors)


@pytest.mark.parametrize("how", ["reset", "close", "half"])
def test_the_end_at_every_byte_of_the_first_packets(proxy, how):
    num_descriptors = descriptors(proxy)
    cancel = packet(struct.pack(">iII", 80877102, 1, 2))
    for whole in (SSL_REQUEST + STARTUP, cancel):
        for size in range(len(whole) + 1):
            sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=60)
            sock.sendall(whole[:size])
            leave(sock, how)
    nothing_left(proxy, num_descriptors)


@pytest.mark.parametrize("how", ["reset", "close", "half"])
def test_the_end_at_every_byte_of_a_password_and_a_query(proxy, how):
    num_descriptors = descriptors(proxy)
    password, asked = message("p", text(PASSWORD)), query("SELECT 'a query'")
    for size in range(len(password) + 1):
        line = Line(proxy.port)
        line.send(start({"user": "clear_user", "database": "dev"}))
        line.until("R")
        line.send(password[:size])
        leave(line.sock, how)
    for size in range(len(asked) + 1):
        sock = logged_in(proxy.port).sock
        sock.sendall(asked[:size])
        leave(sock, how)
    nothing_left(proxy, num_descriptors)


# Half-dead peers.

STUCK_CLIENT = """
import psycopg, sys
conn = psycopg.connect(host="127.0.0.1", port=sys.argv[1], user="root", dbname="dev")
print("here", flush=True)
conn.execute("SELECT repeat('x', 1000) FROM generate_series(1, 10000000)")
"""


@contextlib.contextmanager
def stopped_client(proxy: Proxy):
    """A client process that stands still in the middle of a result."""
    child = subprocess.Popen([sys.executable, "-c", STUCK_CLIENT, str(proxy.port)],
                             stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "here\n"
        time.sleep(0.2)
        child.send_signal(signal.SIGSTOP)
        yield
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def endless_results(proxy: Proxy) -> list[Line]:
    """Clients that never read: one that waits, one that half-closed, one that goes on sending, one
    that is served in pieces, one in the middle of a copy, two that do not even log in."""
    endless = query("SELECT repeat('x', 1000) FROM generate_series(1, 10000000)")
    lines = [logged_in(proxy.port) for _ in range(5)]
    for line in lines[:4]:
        line.send(endless)
    lines[1].sock.shutdown(socket.SHUT_WR)
    lines[2].sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            lines[2].sock.send(endless * 1000)
    lines[4].send(COPY, row("1", "x")[:-3])
    lines += [Line(proxy.port), Line(proxy.port)]
    lines[6].send(STARTUP[:9])
    return lines


def serve_for(proxy: Proxy, seconds: float) -> float:
    """The proxy's CPU time while another client is served twenty times a second."""
    before, end = cpu_seconds(proxy), time.monotonic() + seconds
    with connect(proxy.port) as conn:
        while time.monotonic() < end:
            assert rows(conn, "SELECT 1") == [(1,)]
            time.sleep(0.05)
    used = cpu_seconds(proxy) - before
    print(f"cpu: {used:.2f} s of {seconds} s")
    return used


def test_clients_that_do_not_read_cost_no_time(proxy):
    """One is stopped, others never read: the proxy waits, it does not spin. A spin would take a
    good part of the three seconds even on a busy machine, waiting takes a few milliseconds."""
    num_descriptors = descriptors(proxy)
    with growth_at_most(proxy, 3 * SESSION_GROWTH), stopped_client(proxy):
        lines = endless_results(proxy)
        time.sleep(0.5)
        assert serve_for(proxy, 3) < 0.3
    for line in lines:
        leave(line.sock, "reset")
    nothing_left(proxy, num_descriptors)


def test_servers_that_do_not_read_cost_no_time(proxy):
    """The server's processes of three sessions are stopped; one client fills its socket, one
    leaves, one half-closes. Afterwards the proxy holds nothing of those that left."""
    num_descriptors = descriptors(proxy)
    lines = [logged_in(proxy.port) for _ in range(3)]
    backends = [pid for pid, _, _ in proxy.server.sessions()]
    assert len(backends) == 3
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        for line in lines:
            line.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    line.sock.send(b"".join([query("SELECT 1")] * 1000))
        lines[1].sock.shutdown(socket.SHUT_WR)
        leave(lines[2].sock, "reset")
        assert serve_for(proxy, 3) < 0.3
        for line in lines[:2]:
            leave(line.sock, "reset")
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    nothing_left(proxy, num_descriptors)


# Many at once, RisingWave behind.

NUM_SESSIONS, NUM_REPLACING = 200, 20


def replace_twice(port: int, n: int) -> None:
    with connect(port) as conn:
        for sql in ("SELECT a, b FROM t", "SELECT b FROM t"):
            conn.execute(f"CREATE OR REPLACE MATERIALIZED VIEW v{n} AS {sql}")


def poll(port: int, n: int, everyone: threading.Barrier, over: threading.Event) -> int:
    """Reads a view over and over; how many answers came."""
    answers = 0
    with connect(port) as conn:
        everyone.wait(300)
        while answers == 0 or not over.wait(0.2):
            assert len(rows(conn, f"SELECT * FROM v{n % NUM_REPLACING}")) == 2
            answers += 1
    return answers


def test_two_hundred_sessions_at_once():
    """Twenty replace views of their own, the others poll these: no error, nothing is left."""
    with serving(flags=["--drain-min", "0.1"]) as proxy:
        with connect(proxy.server.port) as conn:
            conn.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT)")
            conn.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
            conn.execute("FLUSH")
            for n in range(NUM_REPLACING):
                conn.execute(f"CREATE MATERIALIZED VIEW v{n} AS SELECT a FROM t")
        num_descriptors = descriptors(proxy)
        num_polling = NUM_SESSIONS - NUM_REPLACING
        everyone, over = threading.Barrier(num_polling + 1), threading.Event()
        with concurrent.futures.ThreadPoolExecutor(NUM_SESSIONS) as pool:
            polling = [pool.submit(poll, proxy.port, n, everyone, over) for n in range(num_polling)]
            try:
                everyone.wait(300)
                replacing = [pool.submit(replace_twice, proxy.port, n)
                             for n in range(NUM_REPLACING)]
                for each in replacing:
                    each.result(300)
            finally:
                over.set()
        assert min(each.result() for each in polling) > 0
        catalog = Catalog(proxy.server.port)
        assert catalog.leftovers() == set()
        assert all("SELECT b FROM t" in catalog.definition(f"v{n}") for n in range(NUM_REPLACING))
        assert eventually(lambda: descriptors(proxy) == num_descriptors)
