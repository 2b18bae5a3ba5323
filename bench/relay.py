"""Compares the relay with its alternatives on one machine, in one run: CPU per transaction and latency.

    bench/relay.py SECONDS ROUNDS

Every round runs pgbench -S through each way once, in turn, so that a noisy neighbour hits all of them.
The CPU is that of the process in the middle (user and system, from /proc), the transactions pgbench's.
Absolute numbers depend on the machine; the ratios within one run are the result.
"""

import contextlib
import os
import pathlib
import pwd
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from postgres import running_postgres
from processes import Proxy

CLIENTS = 8
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


@contextlib.contextmanager
def running(command: list[str], port: int, user: str | None = None):
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             user=user if os.geteuid() == 0 else None)
    try:
        wait_for(port)
        yield child.pid, port
    finally:
        child.terminate()
        child.wait()


def pgbouncer(directory: pathlib.Path, server_port: int, user: str):
    port = free_port()
    config = directory / "pgbouncer.ini"
    config.write_text(f"""[databases]
postgres = host=127.0.0.1 port={server_port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file = /dev/null
pool_mode = session
max_client_conn = 1000
default_pool_size = 100
log_connections = 0
log_disconnections = 0
""")
    return running(["pgbouncer", "-q", str(config)], port, "postgres")


def haproxy(directory: pathlib.Path, server_port: int):
    port = free_port()
    config = directory / "haproxy.cfg"
    config.write_text(f"""global
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen relay
    bind 127.0.0.1:{port}
    server s 127.0.0.1:{server_port}
""")
    return running(["haproxy", "-db", "-q", "-f", str(config)], port)


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_kib(pid: int) -> int:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def pgbench(port: int, user: str, mode: str, seconds: int) -> tuple[int, float]:
    """Transactions done, and their mean latency in ms."""
    done = subprocess.run(
        ["pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", user, "-S", "-n", "-M", mode,
         "-c", str(CLIENTS), "-T", str(seconds), "postgres"],
        capture_output=True, text=True, check=True).stdout
    return (int(re.search(r"transactions actually processed: (\d+)", done).group(1)),
            float(re.search(r"latency average = ([\d.]+) ms", done).group(1)))


def measure(ways: dict, user: str, mode: str, seconds: int, rounds: int) -> dict:
    """For each way its (CPU µs per transaction, latency ms) of every round."""
    results = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (pid, port) in ways.items():
            before = cpu_seconds(pid) if pid else 0.0
            transactions, latency = pgbench(port, user, mode, seconds)
            used = cpu_seconds(pid) - before if pid else 0.0
            results[name].append((used / transactions * 1e6, latency))
    return results


def show(mode: str, results: dict) -> None:
    base = statistics.median(r[0] for r in results["mvswap"])
    direct = statistics.median(r[1] for r in results["direct"])
    print(f"\npgbench -S -M {mode} -c {CLIENTS}: median of {len(results['direct'])} rounds")
    print(f"{'way':<10} {'CPU µs/tx':>10} {'to mvswap':>10} {'latency ms':>11} {'to direct':>10}")
    for name, rounds in results.items():
        cpu = statistics.median(r[0] for r in rounds)
        latency = statistics.median(r[1] for r in rounds)
        ratio = f"{cpu / base:.2f}" if cpu else "-"
        print(f"{name:<10} {cpu:>10.2f} {ratio:>10} {latency:>11.3f} {latency / direct:>10.2f}")


def idle_memory(ways: dict, user: str, sessions: int = 200) -> None:
    """Resident memory that an idle session costs the process in the middle."""
    import psycopg  # the driver is needed for this part only

    print(f"\nresident memory per idle session ({sessions} sessions)")
    for name, (pid, port) in ways.items():
        if not pid:
            continue
        before = resident_kib(pid)
        conns = [psycopg.connect(host="127.0.0.1", port=port, user=user, dbname="postgres")
                 for _ in range(sessions)]
        print(f"{name:<10} {(resident_kib(pid) - before) / sessions:>8.2f} KiB")
        for conn in conns:
            conn.close()


def main() -> None:
    seconds, rounds = int(sys.argv[1]), int(sys.argv[2])
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if os.geteuid() == 0:
            os.chmod(directory, 0o755)
            os.chown(directory, pwd.getpwnam("postgres").pw_uid, -1)
        server = stack.enter_context(running_postgres())
        user = "root"
        subprocess.run(["pgbench", "-h", "127.0.0.1", "-p", str(server.port), "-U", user, "-i",
                        "-q", "postgres"], check=True, capture_output=True)
        proxy = stack.enter_context(Proxy(server.port))
        ways = {"direct": (0, server.port), "mvswap": (proxy.child.pid, proxy.port),
                "haproxy": stack.enter_context(haproxy(directory, server.port)),
                "pgbouncer": stack.enter_context(pgbouncer(directory, server.port, user))}
        for mode in ("simple", "prepared"):
            show(mode, measure(ways, user, mode, seconds, rounds))
        idle_memory(ways, user)


if __name__ == "__main__":
    main()
