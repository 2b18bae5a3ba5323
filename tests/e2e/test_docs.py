"""What the documentation shows is true: its SQL runs through the proxy, its options and codes exist."""

import pathlib
import re
import subprocess

import pytest

from conftest import connect, serving
from processes import BINARY, ROOT

PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "CONTRIBUTING.md"])


def blocks(page: pathlib.Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.S)


def statements(page: pathlib.Path) -> list[str]:
    return [s.strip() for block in blocks(page, "sql") for s in block.split(";\n") if s.strip()]


def test_there_are_examples():
    assert len(statements(ROOT / "README.md")) == 3


@pytest.mark.parametrize("page", [p for p in PAGES if statements(p)], ids=lambda p: p.name)
def test_the_sql_of_a_page_runs_through_the_proxy(page):
    with serving() as proxy, connect(proxy.port) as conn:
        for statement in statements(page):
            conn.execute(statement)


def test_the_settings_page_lists_the_options_of_the_program():
    shown = subprocess.run([BINARY, "proxy", "--help"], capture_output=True, text=True, check=True)
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    settings = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    in_help = set(re.findall(r"^  (--[a-z-]+)", shown.stdout, re.M)) - {"--help", "--config"}
    in_page = {f"--{key.replace('_', '-')}" for key in re.findall(r"^\| `([a-z_]+)`", settings, re.M)}
    assert in_help and in_help == in_page
    assert set(re.findall(r"^    mvswap proxy .*?(--[a-z-]+)", guide, re.M)) <= in_help | {"--config"}


def test_the_settings_page_comes_from_the_program():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    tables = subprocess.run([BINARY, "settings", "--markdown"], capture_output=True, text=True,
                            check=True).stdout
    assert page.endswith(tables), "put the output of mvswap settings --markdown at its end"


def test_the_codes_of_the_guide_are_those_of_the_code():
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| ([0-9A-Z]{5}) \|", guide, re.M))
    code = "".join(p.read_text(encoding="utf-8") for folder in ("core", "replace")
                   for p in (ROOT / "proxy" / folder).glob("*.c"))
    used = set(re.findall(r'"([0-9][0-9A-Z]{4})"', code)) - {"00000", "01000"}
    assert listed - used == set()
    # No memory, start-up during a shutdown; and one that is only read.
    assert used - listed == {"53200", "57P03", "42710"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
            if anchor:
                assert anchor in anchors(page.parent / target if target else page), (target, anchor)


def anchors(page: pathlib.Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_commands_of_the_readme_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    scripts = re.findall(r"^    (scripts/\w+)", readme, re.M)
    assert scripts == ["scripts/demo", "scripts/test"]
    assert all((ROOT / script).stat().st_mode & 0o111 for script in scripts)
