/*
 * fuzz_replace: the engine against a hostile server. The input decides the client's statement, the
 * version, and what each request meets: the true answer of a small catalog, rows of any shape, an
 * error, a lost connection, a cancel. Whatever comes: the conversation ends, nothing is ever
 * CASCADE, and what is dropped or swapped is the temporary name of this very run.
 */
#include "catalog.h"
#include "replace.h"
#include "temp_name.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MORE_REQUESTS = 400, WORST_CELL = 40 };

struct input {
    const uint8_t *at;
    size_t left;
};

static const char *const statements[] = {
    "CREATE OR REPLACE MATERIALIZED VIEW mv AS SELECT a FROM t",
    "create or replace materialized view public.\"mv\" (a) with (x = 1) as select a from t;",
    "CREATE OR REPLACE MATERIALIZED VIEW dev.public.mv AS SELECT a FROM t EMIT ON WINDOW CLOSE",
    "CREATE OR REPLACE MATERIALIZED VIEW \"a 'b\".\"My.Mv\" AS SELECT 'x' AS a",
};

static const char *const cells[] = {
    NULL,
    "",
    "0",
    "10",
    "13",
    "-1",
    "99999999999999999999",
    "mv",
    "theirs",
    "materialized view",
    "table",
    "root",
    "alice",
    "public",
    "true",
    "false",
    "CREATED",
    "CREATING",
    "{root=arwd/root}",
    "{",
    "{\"a\\",
    "{a=r/root,b=r*/root}",
    "CREATE MATERIALIZED VIEW mv AS SELECT --1 AS c",
    "CREATE MATERIALIZED VIEW mv AS SELECT 1 AS c",
    "SELECT a FROM mv",
    "\xff\xfe",
    "a\"b'c",
    "PostgreSQL 13.14.0-RisingWave-2.7.0 (unknown)",
    "PostgreSQL 13.14.0-RisingWave-2.2.1 (x)",
    "-RisingWave-",
    "\"public\".\"mv\"",
    "with name mv exists",
    "materialized view not found",
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static uint8_t take(struct input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}

static struct moment moment_of(const struct catalog *c)
{
    return (struct moment){.mono_ms = c->now_ms, .unix_us = 1767225600000000 + c->now_ms * 1000};
}

/* Steps over one quoted name, a quote inside it doubled; NULL when there is none. */
static const char *behind_name(const char *at)
{
    if (at == NULL || *at != '"') {
        return NULL;
    }
    for (at++; *at != 0; at++) {
        if (*at == '"' && at[1] != '"') {
            return at + 1;
        }
        at += *at == '"';
    }
    return NULL;
}

static const char *behind_text(const char *at, const char *text)
{
    size_t len = strlen(text);
    return at != NULL && strncmp(at, text, len) == 0 ? at + len : NULL;
}

/* Names and literals may hold any word: the server chose the schema's. */
static bool has_word_outside_quotes(const char *sql, const char *word)
{
    char quote = 0;
    for (const char *at = sql; *at != 0; at++) {
        if (quote != 0) {
            quote = *at == quote ? 0 : quote;
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (behind_text(at, word) != NULL) {
            return true;
        }
    }
    return false;
}

/* The first is the temporary name of this run, in quotes: what is dropped, or swapped. */
static void check_statement(const struct replace *r, const char *sql)
{
    bool drops = strncmp(sql, "DROP ", 5) == 0;
    bool alters = strncmp(sql, "ALTER ", 6) == 0;
    require(!has_word_outside_quotes(sql, "CASCADE"));
    if (!drops && !alters) {
        return;
    }
    char wanted[64] = "_tmp_";
    (void)strncat(wanted, replace_id(r), TEMP_STAMP_LEN);
    wanted[strlen(wanted)] = '"'; /* the array is zeroed and longer */
    const char *name =
        behind_text(sql, drops ? "DROP MATERIALIZED VIEW " : "ALTER MATERIALIZED VIEW ");
    const char *end = behind_name(behind_text(behind_name(name), "."));
    require(end != NULL && (size_t)(end - sql) > strlen(wanted));
    require(strncmp(end - strlen(wanted), wanted, strlen(wanted)) == 0);
    if (alters) {
        const char *swapped = behind_name(behind_text(end, " SWAP WITH "));
        const char *owner = behind_name(behind_text(end, " OWNER TO "));
        end = swapped != NULL ? behind_name(behind_text(swapped, ".")) : owner;
    }
    require(end != NULL && *end == 0);
}

/* Rows of any shape: cells from the list above, or bytes of the input. */
static void invent_rows(struct input *in, struct answer *a)
{
    size_t num_rows = take(in) % 4;
    size_t num_columns = 1 + take(in) % 5;
    for (size_t row = 0; row < num_rows; row++) {
        const char *texts[5] = {NULL};
        char raw[5][WORST_CELL];
        for (size_t i = 0; i < num_columns; i++) {
            uint8_t which = take(in);
            size_t len = 0;
            if (which < sizeof(cells) / sizeof(cells[0])) {
                texts[i] = cells[which];
                continue;
            }
            for (size_t max = which % WORST_CELL; len < max && in->left != 0; len++) {
                raw[i][len] = (char)take(in);
            }
            raw[i][len] = '\0';
            texts[i] = raw[i];
        }
        answer_row(a, num_columns, texts);
    }
}

/* What the statement meets. Returns false when the connection is lost. */
static bool answer(struct input *in, struct catalog *c, const char *sql, struct answer *a)
{
    uint8_t choice = take(in);
    *a = (struct answer){.result = {.kind = REPLACE_OK, .tag = ""}};
    c->now_ms += choice;
    if (choice < 160) {
        catalog_run(c, sql, a);
    } else if (choice < 210) {
        invent_rows(in, a);
    } else if (choice < 245) {
        const char *text = cells[take(in) % (sizeof(cells) / sizeof(cells[0]))];
        answer_error(a, "XX000", text != NULL ? text : "");
    } else {
        a->result.kind = REPLACE_LOST;
        return false;
    }
    return true;
}

static void prepare(struct input *in, struct catalog *c)
{
    static const unsigned versions[][2] = {{2, 7}, {2, 2}, {3, 0}, {2, 0}};
    uint8_t shape = take(in);
    catalog_init(c, versions[shape & 3][0], versions[shape & 3][1]);
    c->background_ddl = (shape & 4) != 0;
    c->seen_after_ms = (shape & 8) != 0 ? 300 : 0;
    c->build_definition = (shape & 16) != 0 ? "SELECT --1 AS c" : NULL;
    c->build_reads[0] = (shape & 32) != 0 ? c->target_id : 0;
    c->names_taken = (shape & 64) != 0 ? 2 : 0;
    if ((shape & 128) != 0) {
        (void)catalog_add(c, "a 'b", "My.Mv", "materialized view", 0);
    }
}

static void converse(struct input *in, struct replace *r, struct catalog *c)
{
    size_t most = in->left + MORE_REQUESTS;
    struct replace_request request;
    bool lost = false;
    bool asked = false; /* by a cancel, which ended a wait */
    for (size_t num = 0; num < most; num++) {
        struct answer a;
        if (!asked && take(in) > 240) {
            replace_cancel(r, take(in) % 3, moment_of(c));
        }
        require(asked || replace_next(r, &request));
        asked = false;
        if (request.kind == REPLACE_DONE) {
            return;
        }
        require(!lost);
        if (request.kind != REPLACE_RUN) {
            if (take(in) > 240) {
                replace_cancel(r, take(in) % 3, moment_of(c));
                asked = replace_next(r, &request);
            }
            if (asked) {
                continue;
            }
            c->now_ms = request.kind == REPLACE_WAIT && request.until_ms > c->now_ms
                            ? request.until_ms
                            : c->now_ms;
            enum replace_result_kind kind =
                request.kind == REPLACE_WAIT ? REPLACE_WAITED : REPLACE_LOCKED;
            replace_result(r, &(struct replace_result){.kind = kind}, moment_of(c));
            continue;
        }
        check_statement(r, request.sql);
        lost = !answer(in, c, request.sql, &a);
        if (take(in) > 240) {
            replace_cancel(r, take(in) % 3, moment_of(c));
        }
        replace_result(r, &a.result, moment_of(c));
        answer_cleanup(&a);
    }
    abort();
}

static void check_outcome(struct replace *r)
{
    const struct replace_outcome *outcome = replace_outcome(r);
    struct replace_notice n;
    require(outcome->kind != REPLACE_PENDING);
    if (outcome->kind == REPLACE_FAILED) {
        require(strlen(outcome->error.sqlstate) == 5 && outcome->error.message[0] != '\0');
    }
    require(outcome->kind != REPLACE_SUCCEEDED || outcome->tag != NULL);
    while (replace_next_notice(r, &n)) {
        require(n.message != NULL && n.message[0] != '\0' && strlen(n.sqlstate) == 5);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static struct catalog c;
    struct replace_settings settings = {.values[SETTING_DRAIN_MIN] = 500};
    const char *text = statements[take(&in) % (sizeof(statements) / sizeof(statements[0]))];
    settings.values[SETTING_BUILD] =
        take(&in) % 2 == 0 ? REPLACE_BUILD_BACKGROUND : REPLACE_BUILD_FOREGROUND;
    prepare(&in, &c);
    struct replace *r =
        replace_new(text, strlen(text), &settings, REPLACE_CARRY_OUT, moment_of(&c));
    require(r != NULL);
    converse(&in, r, &c);
    check_outcome(r);
    replace_free(r);
    return 0;
}
