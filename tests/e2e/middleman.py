"""A server between the proxy and the sandbox, to see and hold back what the proxy sends first.

Sessions are passed on. A CancelRequest is noted and goes to `on_cancel`, which by default passes it
on and closes when the sandbox has closed.
"""

import contextlib
import socket
import struct
import threading

CANCEL_CODE = 80877102


def read_packet(sock: socket.socket) -> bytes:
    """The first packet, or what came of it before the end."""
    got = b""
    while len(got) < 4 or len(got) < struct.unpack(">I", got[:4])[0]:
        piece = sock.recv(65536)
        if not piece:
            break
        got += piece
    return got


def read_to_end(sock: socket.socket) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionError):
        while piece := sock.recv(4096):
            got += piece
    return got


class Middleman:
    def __init__(self, server_port: int, on_cancel=None):
        self.server_port = server_port
        self.num_connections = 0
        self.cancels: list[bytes] = []  # CancelRequests, whole
        self._on_cancel = on_cancel or Middleman.pass_cancel
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop_accepting()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def stop_accepting(self) -> None:
        """Further connections are refused."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def pass_cancel(self, packet: bytes) -> None:
        """Returns when the server has closed its connection, having done what was asked."""
        with self.dial() as server:
            server.sendall(packet)
            read_to_end(server)

    def dial(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server_port), timeout=60)

    def _start(self, work, *arguments) -> None:
        threading.Thread(target=self._quietly, args=(work, *arguments), daemon=True).start()

    @staticmethod
    def _quietly(work, *arguments) -> None:
        with contextlib.suppress(OSError):  # a socket that the other side or the end has closed
            work(*arguments)

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            self.num_connections += 1
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        packet = read_packet(sock)
        if packet[4:8] == struct.pack(">i", CANCEL_CODE):
            with sock:
                self.cancels.append(packet)
                self._on_cancel(self, packet)
            return
        server = self.dial()
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets += [sock, server]
        server.sendall(packet)
        self._start(self._copy, server, sock)
        self._copy(sock, server)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        source.settimeout(None)
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
        finally:
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)
