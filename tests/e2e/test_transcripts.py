"""What a live server answered, played through the proxy: the same, but for what the proxy implements.

tests/transcripts/through_the_proxy.txt lists every exchange that differs, with what comes instead.
"""

import pathlib

import pytest

import play
from conftest import serving

FOLDER = pathlib.Path(play.__file__).parent
RECORDINGS = sorted(path.name for path in FOLDER.glob("[0-9][0-9]_*.txt"))
# Long enough that what a recording finds unfinished is unfinished.
SWITCHES = ("--build-time", "0.8")


def exchanges(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Each line of a client with the answers that follow it."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("#") or not line.strip():
            continue
        if line[1:3] == "< ":
            found[-1][1].append(line)
        else:
            found.append((line, []))
    return found


def documented() -> dict[str, list[tuple[str, list[str]]]]:
    by_recording: dict[str, list[str]] = {}
    for line in (FOLDER / "through_the_proxy.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            lines = by_recording.setdefault(line[3:], [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return {name: exchanges(lines) for name, lines in by_recording.items()}


def same(want: list[str], got: list[str]) -> bool:
    return len(want) == len(got) and all(map(play.same, want, got))


def differences(name: str, port: int) -> list[tuple[str, list[str]]]:
    text = (FOLDER / name).read_text(encoding="utf-8").rstrip("\n")
    want, got = exchanges(text.splitlines()), exchanges(list(play.play("127.0.0.1", port, text)))
    assert [line for line, _ in want] == [line for line, _ in got]
    return [came for recorded, came in zip(want, got) if not same(recorded[1], came[1])]


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_differs_only_where_it_is_documented(name):
    with serving(*SWITCHES) as proxy:
        came = differences(name, proxy.port)
    wanted = documented().get(name, [])
    assert [line for line, _ in came] == [line for line, _ in wanted]
    for (line, answers), (_, expected) in zip(came, wanted):
        assert same(expected, answers), (line, expected, answers)


def test_all_that_is_documented_is_recorded():
    assert set(documented()) <= set(RECORDINGS)
