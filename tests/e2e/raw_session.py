"""A raw client session that keeps what it is told, knows its cancel key and can be killed."""

import socket
import struct

import play
from middleman import CANCEL_CODE


class RawSession:
    def __init__(self, port: int, **more: str):
        self.port = port
        self.conn = play.Conn("127.0.0.1", port, {"user": "root", "database": "dev", **more})
        self.conn.startup()
        self.heard: list[tuple] = []
        self.error: dict | None = None
        self.until_ready()

    def send(self, sql: str) -> None:
        self.heard, self.error = [], None
        self.conn.send("Q", sql.encode() + b"\0")

    def until_ready(self, seconds: float = 60) -> None:
        """Up to ReadyForQuery or the end of the connection."""
        while True:
            got = self.conn.recv(seconds)
            if got is None or got[0] == "Closed":
                return
            self.heard.append(got)
            if got[0] == "ErrorResponse":
                self.error = got[1]
            if got[0] == "ReadyForQuery":
                return

    def query(self, sql: str) -> list[list]:
        self.send(sql)
        self.until_ready()
        assert self.error is None, self.error
        return [value for name, value in self.heard if name == "DataRow"]

    def told(self) -> list[str]:
        """The texts of notices and errors."""
        return ["\n".join(value.get(field, "") for field in "MDH") for name, value in self.heard
                if name in ("NoticeResponse", "ErrorResponse")]

    def cancel(self) -> socket.socket:
        """A cancel request is sent; the socket tells when the other side has closed it."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        sock.sendall(struct.pack(">ii", 16, CANCEL_CODE) + self.conn.key)
        return sock

    def close(self) -> None:
        self.conn.sock.close()


def reset_connection(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
