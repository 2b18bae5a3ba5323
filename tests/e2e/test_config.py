"""Configuration: file, environment and flags, check-config, SIGHUP; what settings do."""

import os
import signal
import subprocess

import psycopg
import pytest

from conftest import NEW, REPLACE, Catalog, connect, make_view, serving
from processes import BINARY, Proxy, Sandbox, eventually


def mvswap(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment})


@pytest.fixture
def server():
    with Sandbox("--build-time", "0.6") as sandbox:
        make_view(sandbox.port)
        yield sandbox


def configured(tmp_path, server, text: str = "") -> str:
    path = tmp_path / "mvswap.conf"
    path.write_text(f"[proxy]\nserver = 127.0.0.1:{server.port}\n{text}", encoding="utf-8")
    return str(path)


def replace(port: int) -> list[str]:
    """The NOTICEs of one replacement."""
    told: list[str] = []
    with connect(port) as conn:
        conn.add_notice_handler(lambda diagnostic: told.append(diagnostic.message_primary))
        conn.execute(REPLACE)
    return told


def lines(proxy: Proxy, event: str) -> list[str]:
    return [line for line in proxy.lines if f"event={event} " in line]


def test_a_file_is_enough(tmp_path, server):
    path = configured(tmp_path, server, "[replace]\nnotices = off\n")
    with Proxy(server.port, "--config", path) as proxy:
        assert replace(proxy.port) == []
        assert Catalog(server.port).definition("m").endswith(NEW)
        assert proxy.end() == 0


def test_flags_are_stronger_than_variables_and_these_than_the_file(tmp_path, server):
    path = configured(tmp_path, server, "[replace]\nbuild = foreground\n[log]\nlog_level = error\n")
    # The wrong value of the variable would stop it: it is read, and the flag does not hide that.
    assert mvswap("proxy", "--config", path, MVSWAP_LISTEN="nonsense").returncode == 2
    with Proxy(server.port, "--config", path, "--log-level", "info", "--build", "background") as proxy:
        replace(proxy.port)
        assert any("background" in statement for statement in server.statements())
        assert proxy.end() == 0


def test_check_config_names_file_line_and_nearest_key(tmp_path, server):
    path = configured(tmp_path, server, "max_conections = 10\n[replace]\nbuild = later\n")
    checked = mvswap("check-config", path)
    assert checked.returncode == 1
    assert checked.stdout.splitlines() == [
        f'{path}:3: unknown key: "max_conections". Perhaps you meant max_connections.',
        f'{path}:5: invalid value for setting "mvswap.build": "later". '
        "Available values: background, foreground.",
    ]
    started = mvswap("proxy", "--listen", "127.0.0.1:0", "--config", path)
    assert started.returncode == 2 and started.stderr.count(path) == 2
    good = configured(tmp_path, server)
    assert mvswap("check-config", good).stdout == f"{good}: good\n"
    assert mvswap("check-config").returncode == 2


def test_a_hangup_reads_it_again_and_says_what_changed(tmp_path, server):
    path = configured(tmp_path, server)
    with Proxy(server.port, "--config", path) as proxy:
        assert len(replace(proxy.port)) == 2
        configured(tmp_path, server, "max_connections = 7\n[replace]\nnotices = off\n")
        proxy.signal(signal.SIGHUP)
        assert eventually(lambda: len(lines(proxy, "reload")) == 2)
        assert "key=max_connections was=1000 is=7" in lines(proxy, "reload")[0]
        assert "next start" in lines(proxy, "reload")[0]
        assert "key=notices was=progress is=off" in lines(proxy, "reload")[1]
        assert replace(proxy.port) == []
        proxy.signal(signal.SIGHUP)
        assert eventually(lambda: len(lines(proxy, "reload")) == 3)
        assert "nothing has changed" in lines(proxy, "reload")[2]
        assert proxy.end() == 0


def test_sql_is_not_logged(tmp_path, server):
    path = configured(tmp_path, server)
    with Proxy(server.port, "--config", path, "--log-level", "debug") as proxy:
        for text in ("check = SELECT 'secret' = {new}", "check = SELECT 'secret $$"):
            configured(tmp_path, server, f"[replace]\n{text}\n")
            proxy.signal(signal.SIGHUP)
            assert eventually(lambda: lines(proxy, "reload"))
            with connect(proxy.port) as conn:
                conn.execute("SET mvswap.after_swap = 'SELECT secret'")
                assert conn.execute("SHOW mvswap.check").fetchone() == ("SELECT 'secret' = {new}",)
        assert eventually(lambda: lines(proxy, "config"))
        assert lines(proxy, "reload")[0].rstrip().endswith("event=reload key=check")
        assert "it cannot be read as SQL" in lines(proxy, "config")[0]
        assert not any("secret" in line or "SELECT" in line for line in proxy.lines)
        assert proxy.end() == 0


def test_a_wrong_file_changes_nothing(tmp_path, server):
    path = configured(tmp_path, server, "[replace]\nnotices = off\n")
    with Proxy(server.port, "--config", path) as proxy:
        configured(tmp_path, server, "[replace]\nnotices = progress\nbuild = never\n")
        proxy.signal(signal.SIGHUP)
        assert eventually(lambda: lines(proxy, "reload"))
        assert "nothing was changed" in lines(proxy, "reload")[0]
        assert f"{path}:5:" in lines(proxy, "config")[0]
        assert replace(proxy.port) == []
        assert proxy.end() == 0


def test_a_hangup_changes_the_number_of_builds(tmp_path, server):
    path = configured(tmp_path, server)
    with Proxy(server.port, "--config", path) as proxy:
        configured(tmp_path, server, "max_builds = 1\n")
        proxy.signal(signal.SIGHUP)
        assert eventually(lambda: lines(proxy, "reload"))
        assert lines(proxy, "reload")[0].rstrip().endswith("key=max_builds was=4 is=1")
        assert proxy.end() == 0


def test_a_session_keeps_what_it_began_with(tmp_path, server):
    path = configured(tmp_path, server)
    with Proxy(server.port, "--config", path) as proxy, connect(proxy.port) as conn:
        told: list[str] = []
        conn.add_notice_handler(lambda diagnostic: told.append(diagnostic.message_primary))
        conn.execute("SELECT 1")
        configured(tmp_path, server, "[replace]\nnotices = off\n")
        proxy.signal(signal.SIGHUP)
        assert eventually(lambda: lines(proxy, "reload"))
        conn.execute(REPLACE)
        assert len(told) == 2


def test_progress_is_told_while_it_builds():
    for build in ("background", "foreground"):
        with serving("--build-time", "3",
                     flags=("--progress-interval", "0.3s", "--build", build)) as proxy:
            make_view(proxy.server.port)
            told = [line for line in replace(proxy.port) if line.startswith("Building")]
        assert len(told) >= 3, told
        assert all("s elapsed" in line and '"public.m"' in line for line in told)
        assert any("%" in line for line in told) == (build == "background"), told


def test_the_summary_alone(server):
    with Proxy(server.port, "--progress-interval", "0.1s", "--notices", "summary") as proxy:
        told = replace(proxy.port)
        assert [line.split()[0] for line in told] == ["Detected", "Replaced"]
        assert proxy.end() == 0


@pytest.mark.parametrize("first", [True, False], ids=["first creation", "replacement"])
@pytest.mark.parametrize("build", ["background", "foreground"])
def test_a_build_that_takes_too_long_is_undone(build, first):
    with serving("--build-hang", "m_tmp|view n", flags=("--build-timeout", "0.5s", "--build", build)) as proxy:
        make_view(proxy.server.port)
        catalog = Catalog(proxy.server.port)
        with connect(proxy.port) as conn:
            with pytest.raises(psycopg.errors.QueryCanceled, match="build timeout"):
                conn.execute(REPLACE.replace("VIEW m", "VIEW n") if first else REPLACE)
            assert conn.execute("SELECT count(*) FROM m").fetchone() == (2,)
        assert catalog.leftovers() == set() and "n" not in catalog.names()
        assert not catalog.definition("m").endswith(NEW)


@pytest.mark.parametrize("leave", ["terminate", "reset"])
def test_a_replacement_can_outlive_its_client(server, leave):
    catalog = Catalog(server.port)
    with Proxy(server.port, "--on-disconnect", "finish") as proxy:
        conn = connect(proxy.port)
        conn.pgconn.send_query(REPLACE.encode())
        assert eventually(lambda: any("VIEW m_tmp" in s for s in server.statements()))
        if leave == "terminate":
            conn.close()
        else:
            os.close(os.dup(conn.fileno()))
            conn.pgconn.finish()
        assert eventually(lambda: catalog.definition("m").endswith(NEW))
        assert eventually(lambda: not catalog.leftovers())
        assert proxy.end() == 0
