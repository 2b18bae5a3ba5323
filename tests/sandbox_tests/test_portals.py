"""Statements and portals by name, where no recording shows it: read in the server's source
(src/utils/pgwire/src/pg_protocol.rs, process_parse_msg to process_close_msg)."""

from __future__ import annotations

import pytest

ONE, TWO = {"sql": "SELECT 1"}, {"sql": "SELECT 2"}


def told(client, *messages: tuple) -> list:
    """What a series is answered: rows and errors by their text, else the names of messages."""
    for message in (*messages, ("Sync",)):
        client.send(*message)
    return [
        value if name == "DataRow" else value["M"] if name == "ErrorResponse" else name
        for name, value in client.read()
        if name != "CommandComplete"
    ][:-1]


def test_a_failed_parse_takes_the_unnamed_statement_away(start):
    client = start().client()
    assert told(client, ("Parse", ONE), ("Bind", {"portal": "p"})) == [
        "ParseComplete",
        "BindComplete",
    ]
    assert "SELEC" in told(client, ("Parse", {"sql": "SELEC"}))[0]
    assert told(client, ("Bind", {})) == ["unnamed prepare statement not found"]
    assert told(client, ("Execute", {"portal": "p"})) == [["1"]]


def test_what_is_missing_is_named(start):
    client = start().client()
    assert told(client, ("Execute", {})) == ["unnamed portal not found"]
    assert told(client, ("Execute", {"portal": "p"})) == ["Portal p not found"]
    assert told(client, ("Describe", ["S", ""])) == ["unnamed prepare statement not found"]
    assert told(client, ("Bind", {"name": "s"})) == ["Prepare statement s not found"]


def test_closing_a_statement_closes_what_was_bound_from_it(start):
    client = start().client()
    told(client, ("Parse", ONE | {"name": "s"}), ("Parse", TWO | {"name": "o"}))
    told(client, ("Bind", {"name": "s"}), ("Bind", {"portal": "p", "name": "s"}))
    told(client, ("Bind", {"portal": "q", "name": "o"}))
    assert told(client, ("Close", ["S", "s"]), ("Execute", {"portal": "q"})) == [
        "CloseComplete",
        ["2"],
    ]
    assert told(client, ("Execute", {"portal": "p"})) == ["Portal p not found"]
    assert told(client, ("Execute", {})) == ["unnamed portal not found"]


@pytest.mark.parametrize("portal", ["", "p"])
def test_it_closes_by_name_what_belongs_to_another_statement_by_now(start, portal):
    client = start().client()
    told(client, ("Parse", ONE | {"name": "s"}), ("Parse", TWO | {"name": "o"}))
    told(client, ("Bind", {"portal": portal, "name": "s"}), ("Close", ["P", portal]))
    told(client, ("Bind", {"portal": portal, "name": "o"}))
    assert told(client, ("Execute", {"portal": portal})) == [["2"]]
    missing = "Portal p not found" if portal else "unnamed portal not found"
    assert told(client, ("Close", ["S", "s"]), ("Execute", {"portal": portal})) == [
        "CloseComplete",
        missing,
    ]


@pytest.mark.parametrize("portal", ["", "p"])
def test_it_leaves_the_portals_of_others_and_of_an_overwritten_statement(start, portal):
    client = start().client()
    told(client, ("Parse", ONE | {"name": "s"}), ("Parse", TWO))
    told(client, ("Bind", {"portal": portal}), ("Close", ["S", "s"]))
    assert told(client, ("Execute", {"portal": portal})) == [["2"]]
    told(client, ("Parse", ONE), ("Close", ["S", ""]))
    assert told(client, ("Execute", {"portal": portal})) == [["2"]]
