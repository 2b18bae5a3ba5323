/*
 * fuzz_replace: the engine against a hostile server. The input decides the client's statement, the
 * settings, the version, what the process remembers, and what each request meets: the true answer
 * of a small catalog, rows of any shape, an error, a lost connection, a cancel. Whatever comes: the
 * conversation ends, nothing is ever CASCADE, what is dropped, swapped or changed has the temporary
 * name of this very run or is remembered, and EXPLAIN changes nothing that lasts. It is long
 * because the check of each statement has to know its form.
 */
#include "catalog.h"
#include "input.h"
#include "replace.h"
#include "temp_name.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MORE_REQUESTS = 400, WORST_CELL = 40 };

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
    "index",
    "view",
    "mv_i",
    "integer",
    "12.50% (100/800)",
    "FIXED(2)",
    "279ms",
    "SELECT * FROM mv",
    "CREATE INDEX mv_i ON mv(a)",
    "CREATE VIEW x AS SELECT a FROM t",
    "CREATE MATERIALIZED VIEW mv AS SELECT a FROM t",
    "failed to wait streaming job finish: adhoc recovery",
    "The cluster is recovering",
    "gRPC request to meta service (call `x`) failed: transport error",
    "mv_tmp_20250101_000000_000001",
    "streaming.developer.chunk_size",
    "\"it's\"",
    "x; DROP TABLE t",
    "bounded(64)",
    "t",
    "SELECT 1...(truncated,5000)",
};

/* What the process remembers. */
static const struct {
    const char *schema;
    const char *name;
    const char *id;
} remembered[] = {{"public", "mv_tmp_20250101_000000_000001", "12"},
                  {"o'ther", "My.Mv_tmp_20250101_000000_000002", "13"}};

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

/* Does the name that ends at `end` belong to this run: quoted, with that word and the stamp? */
static bool ends_with_stamp(const struct replace *r, const char *sql, const char *end,
                            const char *word)
{
    char wanted[64] = "";
    (void)strncat(wanted, word, 8);
    (void)strncat(wanted, replace_id(r), TEMP_STAMP_LEN);
    wanted[strlen(wanted)] = '"'; /* the array is zeroed and longer */
    size_t len = strlen(wanted);
    return end != NULL && (size_t)(end - sql) > len && strncmp(end - len, wanted, len) == 0;
}

/* "schema"."name", and nothing behind it. */
static bool is_remembered(const char *at)
{
    bool found = false;
    for (size_t i = 0; i < sizeof(remembered) / sizeof(remembered[0]); i++) {
        const char *name =
            behind_text(behind_text(behind_text(at, "\""), remembered[i].schema), "\".\"");
        const char *end = behind_text(behind_text(name, remembered[i].name), "\"");
        found = found || (end != NULL && *end == 0);
    }
    return found;
}

/* zero_downtime = off: the view's own name and those of its indexes are dropped and made anew. */
static bool gap_allowed;

/* What stands behind "schema"."name", which must be a name of this run. */
static const char *behind_own_name(const struct replace *r, const char *sql, const char *at,
                                   const char *word)
{
    const char *end = behind_name(behind_text(behind_name(at), "."));
    require(end != NULL && (gap_allowed || ends_with_stamp(r, sql, end, word)));
    return end;
}

static void check_drop(const struct replace *r, const char *sql)
{
    const char *view = behind_text(sql, "DROP VIEW ");
    const char *index = behind_text(sql, "DROP INDEX ");
    if (view != NULL) {
        const char *name = behind_text(view, "IF EXISTS ");
        require(*behind_own_name(r, sql, name != NULL ? name : view, "_probe_") == 0);
    } else if (index != NULL) {
        require(*behind_own_name(r, sql, index, "_tmp_") == 0);
    } else {
        const char *name = behind_text(sql, "DROP MATERIALIZED VIEW ");
        require(is_remembered(name) || *behind_own_name(r, sql, name, "_tmp_") == 0);
    }
}

/* An index of the old view gives its name up, or one of this run takes it. */
static void check_rename(const struct replace *r, const char *sql, const char *at)
{
    const char *from = behind_name(behind_text(behind_name(at), "."));
    const char *to = behind_name(behind_text(from, " RENAME TO "));
    require(to != NULL && *to == 0);
    require(ends_with_stamp(r, sql, from, "_tmp_") != ends_with_stamp(r, sql, to, "_old_"));
}

static void check_alter(const struct replace *r, const char *sql)
{
    const char *index = behind_text(sql, "ALTER INDEX ");
    require(!has_word_outside_quotes(sql, ";"));
    if (index != NULL) {
        check_rename(r, sql, index);
        return;
    }
    const char *end =
        behind_own_name(r, sql, behind_text(sql, "ALTER MATERIALIZED VIEW "), "_tmp_");
    const char *swapped = behind_name(behind_text(end, " SWAP WITH "));
    const char *owner = behind_name(behind_text(end, " OWNER TO "));
    end = swapped != NULL ? behind_name(behind_text(swapped, ".")) : owner;
    bool set = strstr(sql, "\" SET ") != NULL;
    require(set || (end != NULL && *end == 0));
}

/* What is granted, revoked or commented on is what was built. */
static void check_carry(const struct replace *r, const char *sql)
{
    static const char *const fronts[] = {"GRANT SELECT ON MATERIALIZED VIEW ",
                                         "REVOKE SELECT ON MATERIALIZED VIEW ", "COMMENT ON TABLE ",
                                         "COMMENT ON COLUMN "};
    for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++) {
        const char *name = behind_text(sql, fronts[i]);
        if (name != NULL) {
            (void)behind_own_name(r, sql, name, "_tmp_");
        }
    }
}

static void check_statement(const struct replace *r, const char *sql, enum replace_mode mode)
{
    require(!has_word_outside_quotes(sql, "CASCADE"));
    if (mode == REPLACE_PLAN) {
        require(behind_text(sql, "SELECT ") != NULL || behind_text(sql, "SHOW ") != NULL ||
                behind_text(sql, "DESCRIBE ") != NULL || behind_text(sql, "CREATE VIEW ") != NULL ||
                behind_text(sql, "DROP VIEW ") != NULL);
    }
    if (behind_text(sql, "DROP ") != NULL) {
        check_drop(r, sql);
    } else if (behind_text(sql, "ALTER ") != NULL) {
        check_alter(r, sql);
    } else {
        check_carry(r, sql);
    }
}

/* Rows of any shape: cells from the list above, or bytes of the input. */
static void invent_rows(struct input *in, struct answer *a)
{
    size_t num_rows = take(in) % 4;
    size_t num_columns = 1 + take(in) % 7;
    for (size_t row = 0; row < num_rows; row++) {
        const char *texts[7] = {NULL};
        char raw[7][WORST_CELL];
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
    shape = take(in);
    struct catalog_object *view = catalog_by_id(c, c->target_id);
    if ((shape & 1) != 0) {
        (void)catalog_add_index(c, "mv_i");
        (void)catalog_add_index(c, "Another \"one");
    }
    if ((shape & 2) != 0) {
        catalog_grant(view, "bob", "root", true);
        catalog_set_column(&view->columns[0], "a", "integer", "it's a");
    }
    c->default_grantees[0] = (shape & 4) != 0 ? "al" : NULL;
    c->recoveries = (shape & 8) != 0 ? 1 : 0;
    if ((shape & 16) != 0) {
        (void)catalog_add(c, "public", remembered[0].name, "materialized view", 0);
    }
    if ((shape & 32) != 0) {
        c->processes[0] = (struct catalog_process){.info = "SELECT * FROM mv", .ends_ms = 3000};
    }
    c->probe_refusal = (shape & 64) != 0 ? "no" : NULL;
}

/* The client's own statements; their texts are borrowed, and never freed. */
static void choose_hooks(struct input *in, struct replace_settings *settings)
{
    static char texts[][24] = {"SELECT {new} {old}", "SET x = 1", "NOTIFY x"};
    uint8_t which = take(in);
    for (size_t i = 0; i < SETTINGS_NUM_SQL; i++) {
        settings->sql[i] = (which >> i & 1) != 0 ? texts[i] : NULL;
    }
}

static void choose_settings(struct input *in, struct replace_settings *settings)
{
    static const struct {
        enum setting setting;
        uint32_t values[3];
    } choices[] = {
        {SETTING_ZERO_DOWNTIME, {0, 0, 1}},
        {SETTING_UNCHANGED, {0, 1, 0}},
        {SETTING_ON_CHANGE, {0, 1, 2}},
        {SETTING_COLUMNS, {0, 1, 2}},
        {SETTING_INDEXES, {0, 0, 1}},
        {SETTING_BUILD, {0, 1, 0}},
        {SETTING_BUILD_TIMEOUT, {0, 1000, 60000}},
        {SETTING_DRAIN_MIN, {500, 0, 10000}},
        {SETTING_DRAIN, {2000, 0, 30000}},
        {SETTING_KEEP_OLD, {0, 0, 3600000}},
        {SETTING_NOTICES, {0, 1, 2}},
        {SETTING_PROGRESS_INTERVAL, {50, 0, 1}},
    };
    settings_init(settings);
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        settings->values[choices[i].setting] = choices[i].values[take(in) % 3];
    }
    choose_hooks(in, settings);
}

/* Everything that is no statement. */
static void answer_request(struct input *in, struct replace *r, struct catalog *c,
                           const struct replace_request *request)
{
    struct answer a = {.result = {.kind = REPLACE_LOCKED}};
    switch (request->kind) {
    case REPLACE_WAIT:
        c->now_ms = request->until_ms > c->now_ms ? request->until_ms : c->now_ms;
        a.result.kind = REPLACE_WAITED;
        break;
    case REPLACE_LOCK:
        for (size_t i = 0; i < take(in) % 3u; i++) {
            answer_row(&a, 4,
                       (const char *const[]){remembered[i].schema, remembered[i].name,
                                             remembered[i].id, "0"});
        }
        break;
    case REPLACE_SLOT:
        a.result.kind = take(in) > 250 ? REPLACE_FULL : REPLACE_LOCKED;
        break;
    case REPLACE_END_SLOT:
        a.result.kind = REPLACE_OK;
        break;
    case REPLACE_READERS:
        a.result = (struct replace_result){.kind = REPLACE_OK, .num_rows = take(in) > 200 ? 1 : 0};
        break;
    case REPLACE_RUN:
    case REPLACE_DONE:
        break;
    }
    replace_result(r, &a.result, moment_of(c));
    answer_cleanup(&a);
}

/* A statement that takes long: progress is told, and build_timeout may be over. */
static void let_time_pass(struct input *in, struct replace *r, struct catalog *c)
{
    if (replace_due(r) != MOMENT_NEVER && take(in) > 200) {
        c->now_ms = replace_due(r) > c->now_ms ? replace_due(r) : c->now_ms;
        (void)replace_tick(r, moment_of(c));
    }
}

static void converse(struct input *in, struct replace *r, struct catalog *c, enum replace_mode mode)
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
            answer_request(in, r, c, &request);
            continue;
        }
        check_statement(r, request.sql, mode);
        let_time_pass(in, r, c);
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
    require(outcome->kind != REPLACE_PLANNED || outcome->num_plan != 0);
    for (size_t i = 0; outcome->left_known && i < outcome->num_left; i++) {
        require(outcome->left[i].schema != NULL && outcome->left[i].name != NULL);
    }
    while (replace_next_notice(r, &n)) {
        require(n.message != NULL && n.message[0] != '\0' && strlen(n.sqlstate) == 5);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static struct catalog c;
    struct replace_settings settings;
    const char *text = statements[take(&in) % (sizeof(statements) / sizeof(statements[0]))];
    enum replace_mode mode = take(&in) % 4 == 3 ? REPLACE_PLAN : REPLACE_CARRY_OUT;
    choose_settings(&in, &settings);
    gap_allowed = settings.values[SETTING_ZERO_DOWNTIME] == REPLACE_ZERO_DOWNTIME_OFF;
    prepare(&in, &c);
    struct replace *r = replace_new(text, strlen(text), &settings, mode, moment_of(&c));
    require(r != NULL);
    converse(&in, r, &c, mode);
    check_outcome(r);
    replace_free(r);
    return 0;
}
