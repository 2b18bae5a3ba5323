/*
 * fuzz_sweep: the cleaning against a hostile server. The input decides the options, and what each
 * request meets: the true answer of a small database, rows of any shape, an error, a lost
 * connection, a stop. Whatever comes: the conversation ends, nothing is sent but SELECT, SHOW and
 * DROP, nothing is ever CASCADE; what is dropped has a temporary name of exactly the form, is in
 * the schema that was asked for, and its family was locked and its id looked at right before.
 */
#include "input.h"
#include "sweep_server.h"
#include "temp_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_REQUESTS = 2000, MOST_COLUMNS = 8, MOST_ROWS = 5, NAME_ROOM = 128 };
#define NOW 1767312000
#define NOW_US (NOW * UINT64_C(1000000))
#define DAY "_tmp_20260101_000000_000000"

static const char *const cells[] = {
    NULL,
    "",
    "0",
    "1",
    "11",
    "12",
    "13",
    "-1",
    "99999999999999999999",
    "m",
    "m" DAY,
    "v" DAY,
    "m_probe_20260101_000000_000001",
    "m_old_20260101_000000_000002",
    "m_tmp_20260101-000000_000000",
    "x_dbt_zero_down_tmp_20260101T101112_123456+0000",
    "public",
    "s",
    "A \"b\"" DAY,
    "index",
    "view",
    "materialized view",
    "table",
    "root",
    "1767312000",
    "1767225600",
    "279ms",
    "90000000ms",
    "SELECT * FROM m" DAY,
    "SELECT * FROM m",
    "FETCH NEXT FROM c",
    "SELECT 1...(truncated,5000)",
    "CREATING",
    "12.5%",
    "PostgreSQL 13.14.0-RisingWave-2.2.0 (abc)",
    "-RisingWave-",
    "\xff\xfe",
    "CASCADE",
    ";",
    "m_i" DAY,
};

static const struct sweep_server database = {
    .objects = {
        {1, "materialized view", "m", .created = NOW - 90000},
        {11, "materialized view", "m" DAY, .created = 0},
        {12, "view", "v" DAY, .reads = {11}},
        {13, "index", "m_i" DAY, .table_id = 11},
        {14, "materialized view", "b" DAY, .building = true},
        {15, "materialized view", "x_dbt_zero_down_tmp_20260101T101112_123456+0000", .created = 0},
        {16, "materialized view", "m" DAY, .schema = "s"},
        {17, "view", "their_view", .reads = {16}}}};

struct state {
    struct input in;
    struct sweep_server server;
    struct sweep_options options;
    bool locked;
    bool looked; /* by the request before */
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* A quoted name; what stands behind it. */
static const char *read_name(const char *at, char out[NAME_ROOM])
{
    size_t len = 0;
    require(*at == '"');
    for (at++; *at != '"' || at[1] == '"'; at++) {
        at += *at == '"' ? 1 : 0;
        require(*at != 0 && len + 1 < NAME_ROOM);
        out[len++] = *at;
    }
    out[len] = 0;
    return at + 1;
}

static void check_drop(const struct state *s, const char *sql)
{
    static const char view[] = "DROP VIEW ";
    static const char materialized[] = "DROP MATERIALIZED VIEW ";
    char schema[NAME_ROOM];
    char name[NAME_ROOM];
    size_t base_len = 0;
    uint64_t since_us = 0;
    enum temp_kind kind = TEMP_BUILD;
    require(begins(sql, view) || begins(sql, materialized));
    const char *at = sql + (begins(sql, view) ? sizeof(view) : sizeof(materialized)) - 1;
    at = read_name(at, schema);
    require(*at == '.');
    at = read_name(at + 1, name);
    require(*at == 0 && s->options.drops && s->locked && s->looked);
    require(s->options.schema == NULL || strcmp(schema, s->options.schema) == 0);
    require(temp_name_parse(name, &base_len, &kind) ||
            (s->options.with_dbt && temp_name_parse_dbt(name, &base_len, &since_us)));
}

static void check(struct state *s, const struct sweep_request *request)
{
    if (request->kind == SWEEP_LOCK) {
        require(request->schema != NULL && request->family != NULL);
        return;
    }
    require(begins(request->sql, "SELECT ") || begins(request->sql, "SHOW ") ||
            begins(request->sql, "DROP "));
    if (begins(request->sql, "DROP ")) {
        check_drop(s, request->sql);
    }
    s->looked = begins(request->sql, "SELECT ");
}

static void invent(struct state *s, struct replace_result *out)
{
    static const char *invented[MOST_ROWS * MOST_COLUMNS];
    out->num_columns = 1 + take(&s->in) % MOST_COLUMNS;
    out->num_rows = take(&s->in) % (MOST_ROWS + 1);
    for (size_t i = 0; i < out->num_rows * out->num_columns; i++) {
        invented[i] = cells[take(&s->in) % (sizeof(cells) / sizeof(cells[0]))];
    }
    out->cells = invented;
}

static void answer(struct state *s, struct sweep *sweep, const struct sweep_request *request)
{
    struct replace_result result = {.kind = REPLACE_OK};
    uint8_t choice = take(&s->in);
    if (choice >= 250) {
        result.kind = REPLACE_LOST;
    } else if (choice >= 235) {
        result.kind = REPLACE_ERROR;
        result.error = (struct replace_server_error){.sqlstate = "XX000", .message = "no"};
    } else if (choice >= 180 && request->kind != SWEEP_LOCK) {
        invent(s, &result);
    } else if (choice >= 170) {
        sweep_stop(sweep);
        sweep_server_answer(&s->server, request, &result);
    } else {
        sweep_server_answer(&s->server, request, &result);
    }
    if (request->kind == SWEEP_LOCK) {
        s->locked = result.kind == REPLACE_LOCKED;
    }
    sweep_result(sweep, &result, (struct moment){.unix_us = NOW_US});
    (void)sweep_take_ended(sweep);
}

static void check_items(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep_num_items(sweep); i++) {
        const struct sweep_item *item = sweep_item(sweep, i);
        require(item->id != 0 && item->schema != NULL && item->name != NULL &&
                item->family != NULL);
        require(sweep_fate_word(item->fate) != NULL && sweep_kind_word(item->kind) != NULL);
        require(item->fate != SWEEP_REFUSED || item->error != NULL);
        for (size_t nth = 0; sweep_reader(sweep, i, nth) != NULL; nth++) {
            require(nth < MOST_REQUESTS);
        }
    }
    const struct replace_notice *error = sweep_error(sweep);
    require(error == NULL || (error->message != NULL && error->sqlstate != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct state s;
    static const uint64_t limits_ms[] = {0, 3600000, 86400000, UINT64_MAX};
    s = (struct state){.in = {data, size}, .server = database};
    uint8_t shape = take(&s.in);
    struct sweep_known known = {.id = 11,
                                .until_us = (shape & 64) != 0 ? NOW_US + 1 : NOW_US,
                                .schema = "public",
                                .name = "m" DAY};
    s.options = (struct sweep_options){.schema = (shape & 1) != 0 ? "public" : NULL,
                                       .older_than_ms = limits_ms[shape >> 1 & 3],
                                       .with_dbt = (shape & 8) != 0,
                                       .drops = (shape & 16) == 0,
                                       .known = &known,
                                       .num_known = (shape & 32) != 0 ? 1 : 0};
    s.server.old = (shape & 128) != 0;
    struct sweep *sweep = sweep_new(&s.options, (struct moment){.unix_us = NOW_US});
    struct sweep_request request;
    size_t num = 0;
    require(sweep != NULL);
    for (sweep_next(sweep, &request); request.kind != SWEEP_DONE; sweep_next(sweep, &request)) {
        require(num++ < MOST_REQUESTS);
        check(&s, &request);
        answer(&s, sweep, &request);
    }
    sweep_next(sweep, &request);
    require(request.kind == SWEEP_DONE);
    check_items(sweep);
    sweep_free(sweep);
    return 0;
}
