"""state_file: what the process remembers of views that were left, across restarts."""

import os
import pathlib
import stat
import subprocess

import pytest

from processes import BINARY, Proxy, Sandbox, eventually

EMPTY = "mvswap state 2\n%end 0\n"
ONE = 'mvswap state 2\n"dev"."public"."m" 7 0 public m_tmp_20260101_000000_000000\n%end 1\n'


@pytest.fixture(scope="module")
def server():
    with Sandbox() as sandbox:
        yield sandbox


def test_a_missing_file_is_made(server, tmp_path):
    path = tmp_path / "state"
    with Proxy(server.port, "--state-file", str(path)) as proxy:
        assert eventually(path.exists)
        assert proxy.end() == 0
    assert path.read_text() == EMPTY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["state"]


def test_a_file_is_read_and_kept(server, tmp_path):
    path = tmp_path / "state"
    path.write_text(ONE)
    with Proxy(server.port, "--state-file", str(path)) as proxy:
        assert eventually(lambda: stat.S_IMODE(path.stat().st_mode) == 0o600)
        assert proxy.end() == 0
    assert path.read_text() == ONE


@pytest.mark.parametrize("text, line", [(ONE[:-1], 3), (ONE.replace(" 7 ", " seven "), 2), ("", 1),
                                        (ONE.replace("end 1", "end 2"), 3),
                                        (ONE.replace("state 2", "state 1"), 1)])
def test_a_damaged_file_stops_the_start_and_stays(server, tmp_path, text, line):
    path = tmp_path / "state"
    path.write_text(text)
    started = subprocess.run([BINARY, "proxy", "--listen", "127.0.0.1:0", "--server",
                              f"127.0.0.1:{server.port}", "--state-file", str(path)],
                             capture_output=True, text=True, timeout=60)
    assert started.returncode == 1
    assert started.stderr.startswith(f"mvswap: {path}:{line}: ")
    assert len(started.stderr.splitlines()) == 1
    assert path.read_text() == text


def test_a_place_that_cannot_be_written_is_told_at_once(server, tmp_path):
    path = pathlib.Path(tmp_path, "missing", "state")
    with Proxy(server.port, "--state-file", str(path)) as proxy:
        assert eventually(lambda: any("event=state_file" in line for line in proxy.lines))
        told = next(line for line in proxy.lines if "event=state_file" in line)
        assert "level=warning" in told and str(path) in told
        assert 'error="No such file or directory"' in told
        assert proxy.end() == 0
