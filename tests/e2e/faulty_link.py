"""The line between the proxy and the server, which strikes at one statement of a replacement.

Sessions are passed on message by message. From the message that holds `marks` on, the statements of
that session are numbered from 0, and the one with the number of the fault is struck:

    cut before     both sides are closed; the server never sees the statement
    cut after      the server executes it, the answer is not passed on, both sides are closed
    fail           the server never sees it, an error is answered
    hold before    `on_strike` is called, then the statement is passed on
    hold after     the server executes it, `on_strike` is called, then the answer is passed on

Beside the fault there may be a watch, a fault that is a hold: it strikes where the fault does not.
"""

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from middleman import CANCEL_CODE, read_packet, read_to_end

FAILURE = b"SERROR\0VERROR\0CXX000\0Minjected failure\0\0"


@dataclass
class Fault:
    kind: str  # cut, fail, hold
    at: int
    after: bool = False
    on_strike: Callable[[], None] = lambda: None

    def strikes(self, number: int, text: str) -> bool:
        """May strike more than one statement when it is a hold."""
        return number == self.at


def message(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack(">i", len(body) + 4) + body


class Session:
    """One connection of the proxy: two threads, one lock."""

    def __init__(self, link: "FaultyLink", client: socket.socket, server: socket.socket):
        self.link, self.client, self.server = link, client, server
        self.lock = threading.Lock()
        self.marked = False
        # What is to be done with the answers to come: None passes on, a failure needs none.
        self.pending: deque[Fault | None] = deque()

    def close(self) -> None:
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def from_client(self) -> None:
        try:
            for tag, body in messages(self.client):
                if not self.take(tag, body):
                    return
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                self.server.shutdown(socket.SHUT_WR)

    def take(self, tag: bytes, body: bytes) -> bool:
        """False when the session has been cut."""
        fault = self.strike(tag, body)
        todo = None
        if fault is not None:
            if fault.kind == "cut" and not fault.after:
                self.close()
                return False
            if fault.kind == "hold" and not fault.after:
                fault.on_strike()
            elif fault.kind != "fail":
                todo = fault
        if tag in (b"Q", b"S"):
            with self.lock:
                failing = fault is not None and fault.kind == "fail"
                self.pending.append(fault if failing else todo)
                self.answer_failing()
                if failing:
                    return True
        self.server.sendall(message(tag, body))
        return True

    def answer_failing(self) -> None:
        while self.pending and self.pending[0] is not None and self.pending[0].kind == "fail":
            self.pending.popleft()
            self.client.sendall(message(b"E", FAILURE) + message(b"Z", b"I"))

    def strike(self, tag: bytes, body: bytes) -> Fault | None:
        link = self.link
        if tag != b"Q":
            return None
        text = body.rstrip(b"\0").decode()
        if link.marks in text:
            self.marked = True
        if not self.marked:
            return None
        number = len(link.statements)
        link.statements.append(text)
        if link.fault is not None and link.fault.strikes(number, text):
            link.struck.set()
            return link.fault
        if link.watch is not None and link.watch.strikes(number, text):
            return link.watch
        return None

    def from_server(self) -> None:
        held = b""
        try:
            for tag, body in messages(self.server):
                whole = message(tag, body)
                with self.lock:
                    todo = self.pending[0] if self.pending else None
                if todo is None:
                    self.client.sendall(whole)
                else:
                    held += whole
                if tag != b"Z":
                    continue
                if todo is not None and todo.kind == "cut":
                    self.close()
                    return
                if todo is not None:
                    todo.on_strike()
                    self.client.sendall(held)
                    held = b""
                with self.lock:
                    if self.pending:  # not so behind the login
                        self.pending.popleft()
                    self.answer_failing()
        except OSError:
            pass
        finally:
            self.close()


def messages(sock: socket.socket):
    buffer = b""
    while piece := sock.recv(65536):
        buffer += piece
        while len(buffer) >= 5:
            length = struct.unpack(">i", buffer[1:5])[0] + 1
            if len(buffer) < length:
                break
            yield buffer[:1], buffer[5:length]
            buffer = buffer[length:]


class FaultyLink:
    def __init__(self, server_port: int, marks: str):
        self.server_port, self.marks = server_port, marks
        self.fault: Fault | None = None
        self.watch: Fault | None = None
        self.struck = threading.Event()
        self.statements: list[str] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, fault: Fault | None, watch: Fault | None = None) -> None:
        """For the next replacement."""
        self.fault, self.watch, self.statements = fault, watch, []
        self.struck.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            packet = read_packet(client)
            server = socket.create_connection(("127.0.0.1", self.server_port))
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client, server:
                self._sockets += [client, server]
                server.sendall(packet)
                if packet[4:8] == struct.pack(">i", CANCEL_CODE):
                    read_to_end(server)
                    return
                session = Session(self, client, server)
                answers = threading.Thread(target=session.from_server, daemon=True)
                answers.start()
                session.from_client()
                answers.join()
