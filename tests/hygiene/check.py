#!/usr/bin/env python3
"""Rules of the source tree that neither the compiler nor the include paths can keep.

    check.py <rule> --source DIR [--archive NAME=FILE ...] [--nm NM] [--cc CC] [--self-test]

Rules: symbols, headers, banned, includes, files, words. Each prints one line per violation and
exits 1 when there is any. With --self-test it plants violations in a copy of the tree and exits 1
when one of them goes unnoticed: a rule that catches nothing looks like a clean tree.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CODE = ("base", "parser", "proxy")
PURE = ("base", "parser", "proxy/core", "proxy/replace")
SKIPPED = {".git", ".venv", ".cache", "__pycache__", "node_modules"}

# What each library may call besides itself, outermost last.
DEPENDENCIES = {
    "base": (),
    "parser": ("base",),
    "replace": ("base", "parser"),
    "core": ("base", "parser", "replace"),
}
ALLOCATION = {"malloc", "calloc", "realloc", "free"}
ALLOWED = set(
    """bcmp memchr memcmp memcpy memmem memmove memrchr memset
    strchr strcmp strcspn strlen strncmp strnlen strpbrk strrchr strspn strstr
    strcasecmp strncasecmp strncpy strtoul strtoull snprintf vsnprintf qsort bsearch
    _GLOBAL_OFFSET_TABLE_""".split()
)
# Called by the compiler's own instrumentation.
RUNTIME = re.compile(
    r"__(asan|ubsan|sanitizer|sancov|gcov|llvm|stack_chk|start___sancov|stop___sancov)_?"
)
FORTIFIED = re.compile(r"__(\w+)_chk$")

BANNED = "strcpy strcat sprintf strtok atoi sscanf gets alloca".split()
ALLOCATORS = "malloc calloc realloc free strdup".split()

# Directories whose headers the headers of a directory may include.
HEADER_PATHS = {
    "base": ("base",),
    "parser": ("base", "parser"),
    "proxy/replace": ("base", "parser", "proxy/replace"),
    "proxy/core": ("base", "parser", "proxy/replace", "proxy/core"),
    "proxy/shell": ("base", "parser", "proxy/replace", "proxy/core", "proxy/shell"),
    "proxy/direct": ("base", "parser", "proxy/replace", "proxy/direct"),
    "proxy/cli": ("base", "parser", "proxy/replace", "proxy/core", "proxy/shell", "proxy/direct", "proxy/cli"),
}

# Debian has libpq's headers in a directory of their own.
LIBPQ_USERS = ("proxy/direct",)

# (header, where it may be included)
FOREIGN = (
    (re.compile(r"pg_query(\.h|/)"), ("parser/sql_scan.c",)),
    (re.compile(r"uv(\.h|/)"), ("proxy/shell/", "proxy/direct/", "proxy/cli/direct_run", "tests/shell/")),
    (re.compile(r"libpq-fe\.h|libpq/"), ("proxy/direct/", "tests/drivers/")),
    (re.compile(r"jansson"), ("proxy/cli/console", "proxy/cli/json_text", "proxy/cli/sweep_view")),
    (re.compile(r"openssl/"), ("proxy/shell/tls.c",)),
)
IMPURE = re.compile(
    r"(sys/|netinet/|arpa/|(unistd|time|pthread|threads|signal|fcntl|poll|netdb|setjmp)\.h$)"
)

MAX_LINES = 450


class Tree:
    """The source tree, the built archives, and the tools to look at them."""

    def __init__(self, source, archives, nm, cc):
        self.source = pathlib.Path(source).resolve()
        self.archives = archives
        self.nm = nm
        self.cc = cc

    def files(self, folders, suffixes):
        for folder in folders:
            for path in sorted((self.source / folder).rglob("*")):
                if path.suffix in suffixes and path.is_file() and not SKIPPED & set(path.parts):
                    yield path.relative_to(self.source).as_posix(), path

    def code(self, suffixes=(".c", ".h"), folders=CODE):
        for name, path in self.files(folders, suffixes):
            yield name, path.read_text(encoding="utf-8")


def blank_out(text):
    """The C text with comments and literals replaced by blanks, line numbers kept."""
    pattern = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""", re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def read_symbols(tree, archive):
    """(object, symbol, type) for every symbol of an archive."""
    output = subprocess.run(
        [tree.nm, "-A", "-P", archive], check=True, capture_output=True, text=True
    ).stdout
    for line in output.splitlines():
        match = re.search(r"\[([^\]]+)\]: (\S+) (\S)", line)
        if match:
            yield match.groups()


def symbol_is_allowed(library, member, symbol):
    fortified = FORTIFIED.match(symbol)
    if RUNTIME.match(symbol):
        return True
    plain = fortified.group(1) if fortified else symbol
    if plain in ALLOCATION:
        return library == "base" and member.startswith("mem.")
    if symbol.startswith("pg_query_"):
        return library == "parser" and member.startswith("sql_scan.")
    return plain in ALLOWED


def check_symbols(tree):
    """The pure libraries call no clock, file, socket, environment, thread or heap function."""
    symbols = {name: list(read_symbols(tree, path)) for name, path in tree.archives.items()}
    for library in tree.archives:
        known = {
            symbol
            for other in (library, *DEPENDENCIES[library])
            for _, symbol, kind in symbols.get(other, ())
            if kind not in "Uw"
        }
        for member, symbol, kind in symbols[library]:
            if kind in "Uw" and symbol not in known:
                if not symbol_is_allowed(library, member, symbol):
                    yield f"{library}: {member} uses {symbol}"


def pkg_config(*arguments):
    told = subprocess.run(["pkg-config", *arguments], capture_output=True, text=True, check=True)
    return told.stdout.split()


def check_headers(tree):
    """Each header compiles alone, with the include paths of its own target only."""
    for name, path in tree.files(CODE, (".h",)):
        folder = next((f for f in HEADER_PATHS if name.startswith(f + "/")), None)
        if folder is None:
            yield f"{name}: no include paths are known for this directory"
            continue
        command = [tree.cc, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        command += ["-fsyntax-only"]
        if folder not in PURE:
            command.append("-D_GNU_SOURCE")
        for include in HEADER_PATHS[folder]:
            command.append(f"-I{tree.source / include}")
        if folder in LIBPQ_USERS:
            command += pkg_config("--cflags-only-I", "libpq")
        command += ["-x", "c", "-"]
        source = f'#include "{path}"\n#include "{path}"\nextern int not_empty;\n'
        result = subprocess.run(command, input=source, capture_output=True, text=True)
        if result.returncode != 0:
            yield f"{name}: does not compile alone\n{result.stderr.rstrip()}"


def check_banned(tree):
    """No unbounded string functions; the heap only through base/mem.h."""
    everywhere = re.compile(r"\b(" + "|".join(BANNED) + r")\s*\(")
    outside_mem = re.compile(r"\b(" + "|".join(ALLOCATORS) + r")\s*\(")
    for name, text in tree.code():
        code = blank_out(text)
        for pattern in (everywhere, outside_mem):
            if pattern is outside_mem and name == "base/mem.c":
                continue
            for match in pattern.finditer(code):
                yield f"{name}:{line_of(code, match.start())}: {match.group(1)} is banned"


def check_includes(tree):
    """Foreign libraries live in one place each; pure code includes nothing of the system's."""
    directive = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]', re.M)
    for name, text in tree.code(folders=(*CODE, "tests")):
        for match in directive.finditer(text):
            header = match.group(1)
            where = f"{name}:{line_of(text, match.start())}"
            for pattern, homes in FOREIGN:
                if pattern.match(header) and not name.startswith(homes):
                    yield f"{where}: {header} belongs to {' '.join(homes)} only"
            if name.startswith(tuple(folder + "/" for folder in PURE)) and IMPURE.match(header):
                yield f"{where}: {header} in code without I/O"


def check_files(tree):
    """Files open with a comment on what they own; a long one says why it is long."""
    for name, text in tree.code(folders=(*CODE, "tests", "bench")):
        opening = re.match(r"/\*.*?\*/", text, re.S)
        num_lines = text.count("\n")
        if opening is None:
            yield f"{name}:1: does not open with a comment"
            continue
        prose = re.sub(r"[\s*]+", " ", opening.group())
        if num_lines > MAX_LINES and "long because" not in prose:
            yield f"{name}: {num_lines} lines and no 'long because' in the opening comment"


def check_words(tree):
    """No paths of the machine on which something was written."""
    # In pieces, or this file would be the first to be found.
    paths = re.compile("/(" + "|".join(("work", "root")) + ")/")
    for path in sorted(tree.source.rglob("*")):
        relative = path.relative_to(tree.source)
        parts = set(relative.parts)
        if not path.is_file() or SKIPPED & parts or relative.parts[0].startswith("build"):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for match in paths.finditer(text):
            yield f"{relative.as_posix()}:{line_of(text, match.start())}: {match.group()}"


CHECKS = {
    "symbols": check_symbols,
    "headers": check_headers,
    "banned": check_banned,
    "includes": check_includes,
    "files": check_files,
    "words": check_words,
}

# What the self-tests plant: rule -> (file, content). Every one must be reported by file name.
PLANTS = {
    "headers": (
        ("base/planted.h", "/* p */\nsize_t planted(void);\n"),
        ("base/planted_up.h", '/* p */\n#include "sql_scan.h"\n'),
        ("parser/planted.h", '/* p */\n#include "no_such_file.h"\n'),
    ),
    "banned": (
        ("base/planted.c", "/* p */\nvoid f(char *a, char *b) { strcpy(a, b); }\n"),
        ("parser/planted.c", "/* p */\nvoid *f(void) { return malloc (1); }\n"),
        ("proxy/core/planted.h", "/* p */\nstatic inline int f(char *s) { return atoi(s); }\n"),
    ),
    "includes": (
        ("parser/planted.c", "/* p */\n#include <pg_query.h>\n"),
        ("proxy/core/planted.c", "/* p */\n#  include <uv.h>\n"),
        ("proxy/shell/planted.c", "/* p */\n#include <openssl/ssl.h>\n"),
        ("proxy/replace/planted.h", "/* p */\n#include <libpq-fe.h>\n"),
        ("base/planted.h", "/* p */\n#include <time.h>\n"),
        ("base/planted2.h", "/* p */\n#include <sys/socket.h>\n"),
    ),
    "files": (
        ("base/planted.c", "#include <stddef.h>\n"),
        ("parser/planted.h", "/* Short. */\n" + "\n" * MAX_LINES),
        ("tests/parser/planted.c", "\n/* late */\n"),
    ),
    "words": (
        ("base/planted.c", "/* see " + "/".join(("", "work", "x")) + " */\n"),
        ("planted.md", "in " + "/".join(("", "root", "x")) + "\n"),
    ),
}

# What must not be reported: the same words where they are allowed or mean nothing.
INNOCENT = {
    "headers": (("base/innocent.h", "/* p */\n#include <stddef.h>\nsize_t innocent(void);\n"),),
    "banned": (
        (
            "base/innocent.c",
            '/* strcpy( */\nconst char *s = "malloc(\\"";\nint my_free(int);\n',
        ),
    ),
    "includes": (("proxy/shell/innocent.c", "/* p */\n#include <uv.h>\n#include <time.h>\n"),),
    "files": (
        ("base/innocent.c", "/* This is long\n * because. */\n" + "\n" * MAX_LINES),
        ("base/innocent.h", "/* p */\n"),
    ),
    "words": (("innocent.md", "work/x and framework/y\n"),),
}

# For the rule on symbols: function bodies that must be refused, and some that must not.
GUILTY_CODE = (
    "#include <time.h>\nlong f(void); long f(void) { return time(0); }\n",
    "#include <stdlib.h>\nchar *f(void); char *f(void) { return getenv(\"A\"); }\n",
    "#include <stdlib.h>\nvoid *f(int n); void *f(int n) { return malloc((unsigned)n); }\n",
    "#include <stdio.h>\nvoid f(void); void f(void) { printf(\"%d\", 1); }\n",
    "#include <sys/socket.h>\nint f(void); int f(void) { return socket(1, 1, 0); }\n",
    "void pg_query_scan(void); void f(void); void f(void) { pg_query_scan(); }\n",
    "void session_feed(void); void f(void); void f(void) { session_feed(); }\n",
)
INNOCENT_CODE = (
    "#include <string.h>\nint f(char *s); int f(char *s) { return strlen(s) > 1; }\n",
    "int g(int); int f(int a); int f(int a) { return g(a); } int g(int a) { return a; }\n",
)


def self_test_symbols(tree, folder):
    for number, body in enumerate(GUILTY_CODE + INNOCENT_CODE):
        source = folder / f"planted{number}.c"
        target = folder / f"planted{number}.o"
        archive = folder / f"libplanted{number}.a"
        source.write_text(body, encoding="utf-8")
        subprocess.run([tree.cc, "-O1", "-c", source, "-o", target], check=True)
        subprocess.run(["ar", "rc", archive, target], check=True)
        found = list(check_symbols(Tree(folder, {"base": archive}, tree.nm, tree.cc)))
        if bool(found) != (number < len(GUILTY_CODE)):
            yield f"{'unnoticed' if not found else 'wrongly refused'}: {body}"


def self_test_files(rule, tree, folder):
    for part in (*CODE, "tests"):
        if (tree.source / part).is_dir():
            shutil.copytree(tree.source / part, folder / part)
    for name, content in (*PLANTS[rule], *INNOCENT[rule]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    found = list(CHECKS[rule](Tree(folder, {}, tree.nm, tree.cc)))
    reported = {line.split(":")[0] for line in found}
    for name, _ in PLANTS[rule]:
        if name not in reported:
            yield f"unnoticed: {name}"
    for name, _ in INNOCENT[rule]:
        if name in reported:
            yield f"wrongly refused: {name}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rule", choices=CHECKS)
    parser.add_argument("--source", required=True)
    parser.add_argument("--archive", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    archives = dict(entry.split("=", 1) for entry in args.archive)
    tree = Tree(args.source, archives, args.nm, args.cc)
    if args.rule == "symbols" and not archives and not args.self_test:
        parser.error("symbols needs at least one --archive")
    if args.self_test:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name).resolve()
            if args.rule == "symbols":
                found = list(self_test_symbols(tree, folder))
            else:
                found = list(self_test_files(args.rule, tree, folder))
    else:
        found = list(CHECKS[args.rule](tree))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
