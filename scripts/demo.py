"""The demonstration itself: a reader polls a view all the time while psql replaces it through mvswap.

Run by scripts/demo, which builds and installs what this needs.
"""

import collections
import pathlib
import subprocess
import sys
import threading
import time

import psycopg

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from processes import Proxy, Sandbox  # noqa: E402  (found through the line above)

REPLACE = """CREATE OR REPLACE MATERIALIZED VIEW revenue AS
SELECT country, sum(amount) AS total, count(*) AS orders FROM orders GROUP BY country"""


class Reader(threading.Thread):
    """Reads the view without a pause and remembers every answer and every error."""

    def __init__(self, port: int):
        super().__init__()
        self.port, self.stop, self.answers, self.errors = port, threading.Event(), [], []

    def run(self) -> None:
        with psycopg.connect(host="127.0.0.1", port=self.port, user="root", dbname="dev",
                             autocommit=True, prepare_threshold=None) as conn:
            while not self.stop.wait(0.001):
                try:
                    cursor = conn.execute("SELECT * FROM revenue ORDER BY 1")
                    columns = tuple(c.name for c in cursor.description)
                    self.answers.append((columns, len(cursor.fetchall())))
                except psycopg.Error as error:
                    self.errors.append(str(error))


def psql(port: int, *statements: str) -> None:
    for statement in statements:
        print("\n" + "\n".join(("dev=> " if n == 0 else "dev-> ") + line
                               for n, line in enumerate((statement + ";").splitlines())))
        subprocess.run(["psql", "-X", "-h", "127.0.0.1", "-p", str(port), "-U", "root", "-d", "dev",
                        "-c", statement], check=True, stderr=subprocess.STDOUT)


def main() -> int:
    with Sandbox("--build-time", "2") as server, Proxy(server.port) as proxy:
        print(f"A RisingWave look-alike (the sandbox) on port {server.port}, mvswap on port "
              f"{proxy.port}.")
        psql(proxy.port, "CREATE TABLE orders (id INT PRIMARY KEY, country VARCHAR, amount INT)",
             "INSERT INTO orders VALUES (1, 'DE', 10), (2, 'FR', 20), (3, 'DE', 5)", "FLUSH",
             "CREATE MATERIALIZED VIEW revenue AS SELECT country, sum(amount) AS total FROM orders "
             "GROUP BY country",
             "SELECT * FROM revenue ORDER BY 1")
        print("\nA reader now polls the view every millisecond. The server needs two seconds to build.")
        reader = Reader(proxy.port)
        reader.start()
        time.sleep(0.5)
        psql(proxy.port, REPLACE)
        time.sleep(0.5)
        reader.stop.set()
        reader.join()
        psql(proxy.port, "SELECT * FROM revenue ORDER BY 1", "SHOW MATERIALIZED VIEWS")
    seen = collections.Counter(reader.answers)
    switches = sum(a != b for a, b in zip(reader.answers, reader.answers[1:]))
    print(f"\nThe reader asked {len(reader.answers)} times:")
    for (columns, rows), times in seen.items():
        print(f"  {times:6} answers with columns {', '.join(columns)} and {rows} rows")
    print(f"  {len(reader.errors):6} errors, {switches} switch from the old view to the new one")
    for error in reader.errors[:3]:
        print("         " + error)
    return 0 if not reader.errors and switches == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
