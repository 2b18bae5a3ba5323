/* pipeline: see pipeline.h. Few names, so that they are often taken, overwritten and gone. */
#include "pipeline.h"

#include "wire.h"

#include <stdio.h>
#include <string.h>

static const char *const statement_names[] = {"", "a", "b", "none"};
static const char *const portal_names[] = {"", "p", "q", "none"};
enum { NUM_NAMES = 3 };

/* What is needed while one is made. */
struct maker {
    struct pipeline *p;
    uint64_t random;
    unsigned number;                    /* makes each view another one */
    unsigned num_parameters[NUM_NAMES]; /* of the statement that was parsed last under a name */
    /* Names that are perhaps taken: else most of a conversation would be errors. */
    bool statements[NUM_NAMES + 1];
    bool portals[NUM_NAMES + 1];
    bool has_candidate;
    bool in_series; /* its Sync has not come */
};

unsigned pipeline_random(uint64_t *random, unsigned most)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*random >> 33) % most;
}

static unsigned below(struct maker *m, unsigned most)
{
    return pipeline_random(&m->random, most);
}

static bool chance(struct maker *m, unsigned percent)
{
    return below(m, 100) < percent;
}

static unsigned any_name(struct maker *m)
{
    return chance(m, 2) ? NUM_NAMES : chance(m, 50) ? 0 : below(m, NUM_NAMES);
}

static unsigned taken_name(struct maker *m, const bool *taken)
{
    unsigned first = below(m, NUM_NAMES);
    for (unsigned i = 0; i < NUM_NAMES; i++) {
        unsigned name = (first + i) % NUM_NAMES;
        if (taken[name] && !chance(m, 5)) {
            return name;
        }
    }
    return any_name(m);
}

static void pause(struct maker *m)
{
    struct pipeline *p = m->p;
    if (p->num_pauses == 0 || p->pauses[p->num_pauses - 1] != buf_len(&p->bytes)) {
        p->pauses[p->num_pauses++] = buf_len(&p->bytes);
    }
}

static void maybe_pause(struct maker *m, unsigned percent)
{
    /* Two are kept for the end. */
    if (m->p->num_pauses < PIPELINE_MOST_PAUSES - 2 && chance(m, percent)) {
        pause(m);
    }
}

/* ---- texts ---- */

/* Longer than what a session looks at of most messages of a client, and of a server's errors. */
static void add_long_comment(struct buf *out)
{
    enum { LEN = 70000 };
    buf_add_text(out, " /*");
    for (size_t i = 0; i < LEN; i++) {
        buf_add_byte(out, 'x');
    }
    buf_add_text(out, "*/");
}

static void add_candidate(struct maker *m, struct buf *out, unsigned num_parameters)
{
    static const char *const comments[] = {"", "", "", "/* by a tool */ ", "\n "};
    static const char *const selects[] = {"", ", $1", ", $1, $2"};
    m->has_candidate = true;
    m->number++;
    buf_add_text(out, comments[below(m, 5)]);
    /* Some are what the view is already. */
    buf_add_format(out, "CREATE OR REPLACE %s AS SELECT %u%s",
                   chance(m, 20) ? "VIEW w" : "MATERIALIZED VIEW v", chance(m, 30) ? 1 : m->number,
                   selects[num_parameters]);
    if (chance(m, 20)) {
        buf_add_text(out, ", fails_to_build");
    } else if (chance(m, 8)) {
        buf_add_text(out, ", fails_to_bind");
    }
    buf_add_text(out, chance(m, 50) ? " FROM t" : "");
    if (below(m, 400) == 0) {
        add_long_comment(out);
    }
}

static void add_explained(struct maker *m, struct buf *out, unsigned num_parameters)
{
    m->has_candidate = true;
    buf_add_text(out, chance(m, 20) ? "/* by a tool */ " : "");
    buf_add_format(out, "EXPLAIN CREATE OR REPLACE %s AS SELECT 1%s",
                   chance(m, 30) ? "VIEW w" : "MATERIALIZED VIEW v",
                   num_parameters != 0 ? ", $1" : "");
}

/* Refused by the server like a candidate, and never ours. */
static void add_refused_alike(struct maker *m, struct buf *out)
{
    static const char *const texts[] = {
        "CREATE OR REPLACE VIEW IF NOT EXISTS w AS SELECT 1",
        "CREATE OR REPLACE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1",
        "EXPLAIN CREATE VIEW w AS SELECT 1",
    };
    buf_add_text(out, texts[below(m, 3)]);
}

static void add_other(struct maker *m, struct buf *out)
{
    static const char *const others[] = {
        "SELECT 1",
        "SELECT 1",
        "SELECT rows",
        "SELECT rows",
        "SELECT fails",
        "SELECT breaks",
        "INSERT 1",
        "INSERT fails",
        "BEGIN",
        "SELECT noticed",
        "SET application_name = 'x'",
        "BEGIN READ ONLY",
        "COMMIT",
        "COMMIT",
    };
    const char *other = others[below(m, sizeof(others) / sizeof(others[0]))];
    m->p->has_failing_dml = m->p->has_failing_dml || strcmp(other, "INSERT fails") == 0;
    buf_add_text(out, other);
}

/* One text of several statements, or of one, or of none. */
static void add_batch(struct maker *m, struct buf *out)
{
    static const char *const between[] = {";", " ; ", ";;", ";/* none */; "};
    unsigned num = chance(m, 60) ? 1 : 1 + below(m, 4);
    for (unsigned i = 0; i < num; i++) {
        buf_add_text(out, i == 0 ? "" : between[below(m, 4)]);
        if (chance(m, 40)) {
            add_candidate(m, out, chance(m, 3) ? 1 : 0);
        } else if (chance(m, 10)) {
            add_explained(m, out, chance(m, 3) ? 1 : 0);
        } else if (chance(m, 5)) {
            add_refused_alike(m, out);
        } else if (chance(m, 4)) {
            buf_add_text(out, chance(m, 50) ? "SELEC 1" : "mvswap_0123456789abcdef");
        } else if (!chance(m, 3)) {
            add_other(m, out);
        }
    }
    buf_add_text(out, chance(m, 20) ? ";" : "");
}

/* ---- messages ---- */

static void add_query(struct maker *m)
{
    m->p->has_query_in_series = m->p->has_query_in_series || m->in_series;
    struct buf text = {0};
    add_batch(m, &text);
    wire_add_query(&m->p->bytes, buf_text(&text));
    buf_cleanup(&text);
}

/* For a Parse; returns how many parameters it has. */
static unsigned add_statement_text(struct maker *m, struct buf *out)
{
    unsigned num = 0;
    if (chance(m, 45)) {
        num = below(m, 3);
        add_candidate(m, out, num);
        buf_add_text(out, chance(m, 10) ? ";" : "");
    } else if (chance(m, 15)) {
        num = chance(m, 10) ? 1 : 0;
        add_explained(m, out, num);
    } else if (chance(m, 8)) {
        add_refused_alike(m, out);
    } else if (chance(m, 10)) {
        add_batch(m, out);
    } else if (chance(m, 15)) {
        num = 1;
        buf_add_text(out, "SELECT $1");
    } else {
        add_other(m, out);
    }
    return num;
}

static void add_parse(struct maker *m, unsigned name)
{
    static const uint32_t types[] = {0, 23, 1043};
    struct buf *out = &m->p->bytes;
    struct buf text = {0};
    unsigned num = add_statement_text(m, &text);
    size_t start = wire_begin_message(out, CLIENT_PARSE);
    wire_add_text(out, statement_names[name]);
    wire_add_text(out, buf_text(&text));
    unsigned given = below(m, num + 1);
    buf_add_u16(out, (uint16_t)given);
    for (unsigned i = 0; i < given; i++) {
        buf_add_u32(out, types[below(m, 3)]);
    }
    wire_end_message(out, start);
    buf_cleanup(&text);
    if (name < NUM_NAMES) {
        m->num_parameters[name] = num;
    }
    m->statements[name] = true;
}

static void add_value(struct maker *m, struct buf *out)
{
    /* Rarely so long that a session looks at it only if it has to. */
    unsigned len = below(m, 400) == 0 ? 20000 : below(m, 6);
    if (chance(m, 20)) {
        buf_add_u32(out, UINT32_MAX); /* NULL */
        return;
    }
    buf_add_u32(out, len);
    for (unsigned i = 0; i < len; i++) {
        buf_add_byte(out, (uint8_t)(chance(m, 50) ? '0' + below(m, 10) : below(m, 256)));
    }
}

static void add_bind(struct maker *m, unsigned portal, unsigned statement)
{
    struct buf *out = &m->p->bytes;
    unsigned num = statement < NUM_NAMES ? m->num_parameters[statement] : 0;
    if (chance(m, 3)) {
        num = below(m, 4);
    }
    size_t start = wire_begin_message(out, CLIENT_BIND);
    wire_add_text(out, portal_names[portal]);
    wire_add_text(out, statement_names[statement]);
    unsigned num_formats = chance(m, 50) ? 0 : chance(m, 50) ? 1 : num;
    buf_add_u16(out, (uint16_t)num_formats);
    for (unsigned i = 0; i < num_formats; i++) {
        buf_add_u16(out, (uint16_t)below(m, 2));
    }
    buf_add_u16(out, (uint16_t)num);
    for (unsigned i = 0; i < num; i++) {
        add_value(m, out);
    }
    unsigned num_results = below(m, 2);
    buf_add_u16(out, (uint16_t)num_results);
    for (unsigned i = 0; i < num_results; i++) {
        buf_add_u16(out, (uint16_t)below(m, 2));
    }
    wire_end_message(out, start);
    m->portals[portal] = true;
}

static void add_execute(struct maker *m, unsigned portal)
{
    /* The server dies of a second Execute of an unnamed portal that was suspended. */
    uint32_t limit = portal == 0 || chance(m, 60) ? 0 : 1 + below(m, 6);
    size_t start = wire_begin_message(&m->p->bytes, CLIENT_EXECUTE);
    wire_add_text(&m->p->bytes, portal_names[portal]);
    buf_add_u32(&m->p->bytes, limit);
    wire_end_message(&m->p->bytes, start);
}

static void add_named(struct maker *m, uint8_t tag, char kind, unsigned name)
{
    size_t start = wire_begin_message(&m->p->bytes, tag);
    buf_add_byte(&m->p->bytes, (uint8_t)kind);
    wire_add_text(&m->p->bytes, kind == 'S' ? statement_names[name] : portal_names[name]);
    wire_end_message(&m->p->bytes, start);
}

static void add_close(struct maker *m, char kind, unsigned name)
{
    add_named(m, CLIENT_CLOSE, kind, name);
    if (kind == 'S') {
        m->statements[name] = false;
    } else {
        m->portals[name] = false;
    }
}

/* ---- what clients do ---- */

static void prepare(struct maker *m, unsigned statement)
{
    if (statement != 0 && m->statements[statement] && chance(m, 80)) {
        add_close(m, 'S', statement);
    }
    add_parse(m, statement);
    if (chance(m, 20)) {
        add_named(m, CLIENT_DESCRIBE, 'S', statement);
    }
}

static void bind(struct maker *m, unsigned portal, unsigned statement)
{
    if (portal != 0 && m->portals[portal] && chance(m, 80)) {
        add_close(m, 'P', portal);
    }
    add_bind(m, portal, statement);
    if (chance(m, 20)) {
        add_named(m, CLIENT_DESCRIBE, 'P', portal);
    }
}

static void close_or_describe(struct maker *m)
{
    char kind = chance(m, 50) ? 'S' : 'P';
    unsigned name = taken_name(m, kind == 'S' ? m->statements : m->portals);
    if (chance(m, 60)) {
        add_close(m, kind, name);
    } else {
        add_named(m, CLIENT_DESCRIBE, kind, name);
    }
}

static void do_one_thing(struct maker *m)
{
    unsigned statement = any_name(m);
    unsigned portal = any_name(m);
    switch (below(m, 14)) {
    case 0:
    case 1:
        prepare(m, statement);
        bind(m, portal, statement);
        break;
    case 2:
    case 3:
        bind(m, portal, taken_name(m, m->statements));
        break;
    case 4:
    case 5:
    case 6:
        add_execute(m, taken_name(m, m->portals));
        break;
    case 7:
    case 8:
        close_or_describe(m);
        break;
    case 9:
        wire_add_message(&m->p->bytes, CLIENT_FLUSH, (const uint8_t *)"", 0);
        break;
    case 10:
        add_query(m); /* in a series that is not synced */
        break;
    default:
        prepare(m, statement);
        bind(m, portal, statement);
        add_execute(m, portal);
        break;
    }
}

static void add_series(struct maker *m)
{
    for (unsigned num = 1 + below(m, 4); num != 0; num--) {
        do_one_thing(m);
        m->in_series = true;
        maybe_pause(m, 5);
    }
    if (chance(m, 85)) {
        wire_add_sync(&m->p->bytes);
        m->in_series = false;
    }
}

static void close_all(struct maker *m)
{
    for (unsigned i = 0; i <= NUM_NAMES; i++) {
        add_close(m, 'S', i);
        add_close(m, 'P', i);
    }
    wire_add_sync(&m->p->bytes);
    m->p->closes_all = true;
}

void pipeline_make(struct pipeline *p, uint64_t seed)
{
    struct maker m = {.p = p, .random = seed * UINT64_C(0x9e3779b97f4a7c15)};
    *p = (struct pipeline){.num_pauses = 0};
    for (unsigned num = 1 + below(&m, 6); num != 0; num--) {
        if (chance(&m, 35)) {
            add_query(&m);
        } else {
            add_series(&m);
        }
        maybe_pause(&m, 25);
    }
    p->refuses_views = chance(&m, 30);
    maybe_pause(&m, 50); /* perhaps in a series whose Sync is missing */
    wire_add_sync(&p->bytes);
    wire_add_query(&p->bytes, "SELECT 1");
    if (chance(&m, 30)) {
        close_all(&m);
    }
    p->terminates = chance(&m, 20);
    if (p->terminates) {
        /* A client that leaves while its statement is with the session has it undone; so only
         * behind its answer. */
        if (m.has_candidate) {
            pause(&m);
        }
        wire_add_message(&p->bytes, CLIENT_TERMINATE, (const uint8_t *)"", 0);
    }
    pause(&m);
}

void pipeline_cleanup(struct pipeline *p)
{
    buf_cleanup(&p->bytes);
}
