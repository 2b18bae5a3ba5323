"""The program: listens on 127.0.0.1, one port per frontend, says so, and ends quietly at SIGTERM
or SIGINT.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio import StreamReader, StreamWriter

from .frontend import Frontend
from .server import Server
from .startup import serve
from .switches import Switches, read_switches


async def _listen(server: Server, frontend: Frontend, port: int) -> int:
    """Opens the door of one frontend; returns its port."""

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await serve(server, frontend, reader, writer)

    listener = await asyncio.start_server(
        connected, "127.0.0.1", port, limit=1 << 20, backlog=512
    )
    return listener.sockets[0].getsockname()[1]


async def _run(switches: Switches) -> None:
    server = Server(switches)
    ports = []
    for i, frontend in enumerate(server.frontends):
        ports.append(await _listen(server, frontend, switches.port and switches.port + i))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    for port in ports:
        print(f"listening on 127.0.0.1:{port}", flush=True)
    await stop.wait()
    # Threads may still be inside duckdb; nothing here is worth waiting for.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_run(read_switches(sys.argv[1:])))
