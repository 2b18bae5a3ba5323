/*
 * Tests of proxy/shell/log.c: a line each, levels, quoting. Standard error is a pipe while a line
 * is written.
 */
#include "log.h"

#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CAPTURED = 4096 };

static char captured[CAPTURED];
static int pipe_ends[2];
static int real_stderr;

static void capture(void)
{
    (void)fflush(stderr);
    cr_assert(eq(int, pipe(pipe_ends), 0));
    real_stderr = dup(STDERR_FILENO);
    cr_assert(ge(int, real_stderr, 0));
    cr_assert(eq(int, dup2(pipe_ends[1], STDERR_FILENO), STDERR_FILENO));
    (void)close(pipe_ends[1]);
}

/* Puts standard error back and reads what went into the pipe, less the time in front. */
static const char *release(void)
{
    size_t len = 0;
    (void)dup2(real_stderr, STDERR_FILENO);
    (void)close(real_stderr);
    for (ssize_t got = 1; got > 0 && len + 1 < CAPTURED; len += got > 0 ? (size_t)got : 0) {
        got = read(pipe_ends[0], captured + len, CAPTURED - 1 - len);
    }
    (void)close(pipe_ends[0]);
    captured[len] = '\0';
    const char *level = strstr(captured, " level=");
    return level != NULL ? level + 1 : captured;
}

Test(log, line)
{
    capture();
    log_line(LOG_INFO, "listening", "address", "127.0.0.1:6432", "n", "5", NULL);
    cr_expect(
        eq(str, (char *)release(), "level=info event=listening address=127.0.0.1:6432 n=5\n"));
}

Test(log, time)
{
    /* Digits stand for digits. */
    static const char form[] = "time=0000-00-00T00:00:00.000Z level=";
    capture();
    log_line(LOG_ERROR, "x", NULL);
    (void)release();
    for (size_t i = 0; form[i] != '\0'; i++) {
        bool digit = captured[i] >= '0' && captured[i] <= '9';
        cr_expect(form[i] == '0' ? digit : captured[i] == form[i], "%zu in %s", i, captured);
    }
}

Test(log, levels)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (int lowest = LOG_DEBUG; lowest <= LOG_ERROR; lowest++) {
        for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
            char expected[64] = "";
            if (level >= lowest) {
                (void)snprintf(expected, sizeof(expected), "level=%s event=e\n", names[level]);
            }
            log_set_level((enum log_level)lowest);
            capture();
            log_line((enum log_level)level, "e", NULL);
            cr_expect(eq(str, (char *)release(), expected));
        }
    }
}

Test(log, info_at_first)
{
    capture();
    log_line(LOG_DEBUG, "e", NULL);
    cr_expect(eq(str, (char *)release(), ""));
}

Test(log, level_names)
{
    cr_expect(eq(int, log_level_named("debug"), LOG_DEBUG));
    cr_expect(eq(int, log_level_named("info"), LOG_INFO));
    cr_expect(eq(int, log_level_named("warning"), LOG_WARNING));
    cr_expect(eq(int, log_level_named("error"), LOG_ERROR));
    cr_expect(eq(int, log_level_named("INFO"), -1));
    cr_expect(eq(int, log_level_named("warn"), -1));
    cr_expect(eq(int, log_level_named(""), -1));
}

Test(log, quoting)
{
    static const struct {
        const char *value;
        const char *written;
    } rows[] = {
        {"plain", " k=plain"},
        {"a/b:c,d;e'f", " k=a/b:c,d;e'f"},
        {"caf\xc3\xa9", " k=caf\xc3\xa9"},
        {"", ""},
        {NULL, ""},
        {"two words", " k=\"two words\""},
        {"a=b", " k=\"a=b\""},
        {"say \"x\"", " k=\"say \\\"x\\\"\""},
        {"back\\slash", " k=\"back\\\\slash\""},
        {"a\nb", " k=\"a\\nb\""},
        {"a\rb", " k=\"a\\x0db\""},
        {"a\tb", " k=\"a\\x09b\""},
        {"\x1b[31m", " k=\"\\x1b[31m\""},
        {"\x01", " k=\"\\x01\""},
        {"a\x7f", " k=\"a\\x7f\""},
        {"\n level=error event=forged", " k=\"\\n level=error event=forged\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[128];
        capture();
        log_line(LOG_INFO, "e", "k", rows[i].value, "last", "1", NULL);
        (void)snprintf(expected, sizeof(expected), "level=info event=e%s last=1\n",
                       rows[i].written);
        cr_expect(eq(str, (char *)release(), expected));
    }
}

Test(log, ends_its_line_without_memory)
{
    static char value[600];
    memset(value, 'v', sizeof(value) - 1);
    for (size_t nth = 1; nth <= 6; nth++) {
        capture();
        mem_fail_at(nth);
        log_line(LOG_INFO, "e", "k", value, NULL);
        mem_fail_at(0);
        (void)release();
        size_t len = strlen(captured);
        cr_assert(gt(sz, len, 0));
        cr_expect(eq(ptr, (void *)strchr(captured, '\n'), (void *)(captured + len - 1)));
    }
}

Test(log, no_byte_breaks_the_line)
{
    for (int byte = 1; byte < 256; byte++) {
        const char value[] = {'a', (char)byte, 'b', '\0'};
        capture();
        log_line(LOG_INFO, "e", "k", value, NULL);
        const char *line = release();
        cr_expect(eq(ptr, (void *)strchr(line, '\n'), (void *)(line + strlen(line) - 1)), "byte %d",
                  byte);
        for (const char *at = line; at[1] != '\0'; at++) {
            cr_expect(ge(int, (unsigned char)*at, ' '), "byte %d", byte);
        }
    }
}

Test(log, a_reader_that_does_not_read_stops_nobody)
{
    static char value[3000];
    memset(value, 'v', sizeof(value) - 1);
    capture();
    for (int i = 0; i < 100; i++) {
        log_line(LOG_INFO, "e", "k", value, NULL); /* five times what a pipe holds */
    }
    char taken[16384];
    while (read(pipe_ends[0], taken, sizeof(taken)) == (ssize_t)sizeof(taken)) {
        /* up to the last piece, which is shorter */
    }
    log_line(LOG_INFO, "next", NULL);
    const char *line = strstr(release(), "event=next");
    cr_assert(line != NULL);
    cr_expect(strstr(line, " lines_dropped_before=") != NULL);
}
