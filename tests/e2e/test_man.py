"""The manual pages hold what the program has: its commands, flags and settings, and are well formed."""

import pathlib
import re
import subprocess

import pytest

from processes import BINARY, ROOT

PAGES = sorted((ROOT / "man").glob("*.[1-9]"))
BUILD = pathlib.Path(BINARY).parent


def program(*arguments: str) -> str:
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, check=True).stdout


def source(name: str) -> str:
    return (ROOT / "man" / name).read_text(encoding="utf-8")


def rendered(page: pathlib.Path) -> str:
    """As on a terminal of 80 columns, without bold and underlined (letter, backspace, letter)."""
    shown = subprocess.run(["mandoc", "-T", "ascii", page], capture_output=True, text=True, check=True)
    return re.sub(".\b", "", shown.stdout)


def words(text: str) -> str:
    return " ".join(text.split())


def part(text: str, kind: str, title: str) -> str:
    """The section (Sh) or subsection (Ss) of that title."""
    end = r"^\.Sh|\Z" if kind == "Sh" else r"^\.S[sh]|\Z"
    found = re.search(rf"^\.{kind} {title}\n(.*?)(?={end})", text, re.M | re.S)
    assert found, f"there is no .{kind} {title}"
    return found[1]


def flags_of_page(text: str) -> set[str]:
    """What stands in lists: .It Fl f Ar FILE , Fl Fl file Ar FILE"""
    items = [tokens.split() for tokens in re.findall(r"^\.It\n?(?:\.| )(Fl .*)", text, re.M)]
    return {"--" + item[i + 1] if item[i - 1] == "Fl" else "-" + item[i + 1]
            for item in items for i, token in enumerate(item[:-1])
            if token == "Fl" and item[i + 1] != "Fl"}


def flags_of_help(text: str) -> set[str]:
    """What stands in lines of its own, or in `[--this | --that]`."""
    lines = "\n".join(re.findall(r"^  (-.*?)(?:  |$)", text, re.M) + re.findall(r"\[(-.*)\]", text))
    return set(re.findall(r"(?<!\S)--?[a-zA-Z][a-z-]*", lines))


def commands() -> list[str]:
    return re.findall(r"^  ([a-z][a-z-]*) ", program("--help"), re.M)


def test_what_the_tests_read():
    assert len(PAGES) == 3 and {"proxy", "replace"} < set(commands())
    assert flags_of_help("  -f, --file FILE  text -x --no\n  --config FILE\n      text --no\n[--this | --that]\n") \
        == {"-f", "--file", "--config", "--this", "--that"}
    assert flags_of_page(".It Fl f Ar FILE , Fl Fl file Ar FILE\n.It\n.Fl Fl dry-run Ar on\n.Fl Fl no\n") \
        == {"-f", "--file", "--dry-run"}


def test_every_command_has_its_place_and_no_other_has():
    listed = re.findall(r"^\.Ss (.*)", part(source("mvswap.1"), "Sh", "COMMANDS"), re.M)
    assert listed == commands()
    synopsis = part(source("mvswap.1"), "Sh", "SYNOPSIS")
    assert re.findall(r"^\.Cm (.*)", synopsis, re.M) == commands()
    status = part(source("mvswap.1"), "Sh", "EXIT STATUS")
    assert set(re.findall(r"^(?:\.It )?\.?Cm ([a-z-]+)", status, re.M)) == set(commands())


@pytest.mark.parametrize("command", [c for c in commands() if c != "proxy"])
def test_the_page_has_the_flags_of_each_command(command):
    page = source("mvswap.1")
    text = part(page, "Ss", command)
    common = flags_of_page(part(page, "Sh", "COMMON OPTIONS"))
    has_common = ".Sx COMMON OPTIONS" in text
    in_page = flags_of_page(text) | (common if has_common else set())
    assert in_page | {"--help"} == flags_of_help(program(command, "--help")) | {"--help"}
    named = f".Cm {command}" in part(page, "Sh", "COMMON OPTIONS")
    assert named == has_common, "COMMON OPTIONS names the commands that have them"


def test_the_page_has_the_flags_of_the_program():
    assert flags_of_page(part(source("mvswap.1"), "Sh", "DESCRIPTION")) == flags_of_help(program("--help"))


def test_the_page_has_the_flags_of_the_proxy():
    shown = program("proxy", "--help")
    assert flags_of_page(source("mvswap-proxy.8")) == flags_of_help(shown)
    text = rendered(ROOT / "man" / "mvswap-proxy.8")
    for flag, argument in re.findall(r"^  (--[a-z-]+) (.*?)(?: \(default .*\))?$", shown, re.M):
        assert re.search(rf"^ +{flag} {re.escape(argument)}$", text, re.M), (flag, argument)


def test_the_settings_come_from_the_program():
    keys = part(source("mvswap.conf.5"), "Sh", "KEYS")
    assert keys.split("\n", 1)[1] == program("settings", "--mdoc"), \
        "put the output of mvswap settings --mdoc into mvswap.conf.5, in section KEYS"


def test_every_setting_can_be_read_with_its_values_default_and_meaning():
    """By what a reader sees: what the program prints for the page may be wrong mdoc."""
    text = rendered(ROOT / "man" / "mvswap.conf.5")
    settings = re.findall(r"^\[(.*?)\] (\S+) = (.*)\n    (.*)\n    values: (.*)\n", program("settings"), re.M)
    assert len(settings) == program("settings").count("values:")
    shown = re.findall(r"^     (\S+) = (.*)\n((?: {13}.*\n)+)", text[text.index("KEYS"):], re.M)
    assert [(key, head, words(meaning)) for key, head, meaning in shown] == [
        (key, f"{values} (default {default})" if default else values, meaning)
        for _, key, default, meaning, values in settings]
    sections = re.findall(r"^   Section (\S+)$", text, re.M)
    assert sections == list(dict.fromkeys(section for section, *_ in settings))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_page_is_well_formed(page):
    checked = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_page_fits_a_terminal(page):
    assert [line for line in rendered(page).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_pages_refer_to_pages_that_are_there(page):
    referred = re.findall(r"^\.Xr (\S+) (\d)", page.read_text(encoding="utf-8"), re.M)
    assert referred
    assert {f"{name}.{section}" for name, section in referred} - {"psql.1"} <= {p.name for p in PAGES}


def test_they_are_installed_with_the_program(tmp_path):
    subprocess.run(["cmake", "--install", BUILD, "--prefix", tmp_path], capture_output=True, check=True)
    installed = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert installed == {"bin/mvswap", *(f"share/man/man{p.suffix[1]}/{p.name}" for p in PAGES)}
    shown = subprocess.run([tmp_path / "bin" / "mvswap", "--version"], capture_output=True, text=True,
                           check=True)
    assert shown.stdout.startswith("mvswap ")
