"""What a live server answered, played through the proxy: the same, but for the statements implemented."""

import pathlib

import pytest

import play
from conftest import serving

FOLDER = pathlib.Path(play.__file__).parent
# Recordings that the proxy must not change at all. 03, 14 and 20 hold statements which it implements.
SAME = ["01", "02", "04", "05", "06", "07", "12", "13", "16", "17", "19", "24"]


def text_of(number: str) -> str:
    (path,) = FOLDER.glob(f"{number}_*.txt")
    return path.read_text(encoding="utf-8")


def differences(number: str, port: int) -> list[tuple]:
    want = text_of(number).rstrip("\n").splitlines()
    got = list(play.play("127.0.0.1", port, "\n".join(want)))
    padded = got + [""] * (len(want) - len(got))
    return [pair for pair in zip(want, padded) if not play.same(*pair)] + got[len(want):]


@pytest.mark.parametrize("number", SAME)
def test_a_recording_passes_unchanged(number):
    with serving() as proxy:
        assert differences(number, proxy.port) == []


def test_the_transactions_differ_only_where_a_replacement_is_refused():
    with serving() as proxy:
        (pair,) = differences("14", proxy.port)
    assert "not yet implemented: CREATE OR REPLACE VIEW" in pair[0] and '"C": "25006"' in pair[1]
