/*
 * Tests of replacements that succeed, or that pass: which SQL is sent, in which order, for which
 * version and build; how names are resolved and quoted; what is there afterwards.
 */
#include "script.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

/* When a line of the expected conversation is there. */
enum {
    ALWAYS = 0,
    BACKGROUND = 1,
    FOREGROUND = 2,
    JOBS = 4,
    NO_JOBS = 8,
    SETS = 16,
    OWNER = 32,
    CONFIG = 64
};

#define RELATION(id_)                                                                              \
    "SELECT r.definition, r.acl, o.name FROM rw_catalog.rw_relations r"                            \
    " LEFT JOIN rw_catalog.rw_users o ON o.id = r.owner WHERE r.id = " id_
#define INDEXES                                                                                    \
    "SELECT i.id, i.name, i.definition FROM rw_catalog.rw_indexes i"                               \
    " WHERE i.primary_table_id = 10 ORDER BY i.id"
#define JOB(id_)                                                                                   \
    "SELECT j.parallelism, j.resource_group FROM rw_catalog.rw_streaming_jobs j WHERE j.id = " id_
#define COLUMNS(id_)                                                                               \
    "SELECT c.name, c.data_type FROM rw_catalog.rw_columns c WHERE c.relation_id = " id_           \
    " AND NOT c.is_hidden ORDER BY c.position"
#define DEPENDENTS                                                                                 \
    "SELECT x.objid, x.refobjid, s.name, d.name, d.relation_type, o.name, d.definition, d.acl"     \
    " FROM rw_catalog.rw_depend x"                                                                 \
    " LEFT JOIN rw_catalog.rw_relations d ON d.id = x.objid"                                       \
    " LEFT JOIN rw_catalog.rw_schemas s ON s.id = d.schema_id"                                     \
    " LEFT JOIN rw_catalog.rw_users o ON o.id = d.owner WHERE x.refobjid IN (10)"
#define READS                                                                                      \
    "SELECT x.refobjid, s.name, d.name FROM rw_catalog.rw_depend x"                                \
    " LEFT JOIN rw_catalog.rw_relations d ON d.id = x.refobjid"                                    \
    " LEFT JOIN rw_catalog.rw_schemas s ON s.id = d.schema_id"                                     \
    " WHERE x.objid = 14 ORDER BY x.refobjid"
#define IDS                                                                                        \
    "SELECT r.name, r.id, r.relation_type FROM rw_catalog.rw_relations r"                          \
    " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"                                          \
    " WHERE s.name = 'public' AND r.name IN ('mv', 'mv_tmp_{}')"

/* Lines of SQL with {} for the stamp; "": a wait. */
static const struct line {
    unsigned when; /* all of these */
    const char *sql;
} conversation[] = {
    {ALWAYS, "SELECT version(), current_user, current_schema(), current_database()"},
    {ALWAYS, "\"dev\".\"public\".\"mv\""},
    {ALWAYS, "SELECT r.id, r.relation_type, o.name, r.definition"
             " FROM rw_catalog.rw_relations r"
             " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
             " LEFT JOIN rw_catalog.rw_users o ON o.id = r.owner"
             " WHERE s.name = 'public' AND r.name = 'mv'"},
    {ALWAYS, "SELECT u.name FROM rw_catalog.rw_users u WHERE u.is_super"},
    {ALWAYS, "SHOW MATERIALIZED VIEWS FROM \"public\""},
    {JOBS, "SELECT j.status FROM rw_catalog.rw_streaming_jobs j WHERE j.id = 10"},
    {ALWAYS, INDEXES},
    {ALWAYS, "DESCRIBE \"public\".\"mv\""},
    {ALWAYS, RELATION("10")},
    {JOBS, JOB("10")},
    {ALWAYS, COLUMNS("10")},
    {ALWAYS, DEPENDENTS},
    {ALWAYS, "SELECT p.ddl_statement FROM rw_catalog.rw_ddl_progress p"},
    {ALWAYS, "CREATE VIEW \"public\".\"mv_probe_{}\"  AS SELECT a FROM t"},
    {ALWAYS, "SELECT r.id, r.relation_type, r.definition FROM rw_catalog.rw_relations r"
             " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
             " WHERE s.name = 'public' AND r.name = 'mv_probe_{}'"},
    {ALWAYS, COLUMNS("13")},
    {ALWAYS, "SELECT x.objid, x.refobjid, s.name, d.name, d.relation_type"
             " FROM rw_catalog.rw_depend x"
             " LEFT JOIN rw_catalog.rw_relations d ON d.id = x.refobjid"
             " LEFT JOIN rw_catalog.rw_schemas s ON s.id = d.schema_id"
             " WHERE x.objid IN (10, 13)"},
    {ALWAYS, "DROP VIEW \"public\".\"mv_probe_{}\""},
    {ALWAYS, "(slot)"},
    {ALWAYS, "SHOW background_ddl"},
    {BACKGROUND | SETS, "SET background_ddl = true"},
    {FOREGROUND | SETS, "SET background_ddl = false"},
    {ALWAYS, "CREATE MATERIALIZED VIEW mv_tmp_{} AS SELECT a FROM t"},
    {BACKGROUND | SETS, "SET background_ddl = false"},
    {FOREGROUND | SETS, "SET background_ddl = true"},
    {JOBS, "SELECT m.id, j.status FROM rw_catalog.rw_materialized_views m"
           " JOIN rw_catalog.rw_schemas s ON s.id = m.schema_id"
           " LEFT JOIN rw_catalog.rw_streaming_jobs j ON j.id = m.id"
           " WHERE s.name = 'public' AND m.name = 'mv_tmp_{}'"},
    {NO_JOBS, "SELECT m.id FROM rw_catalog.rw_materialized_views m"
              " JOIN rw_catalog.rw_schemas s ON s.id = m.schema_id"
              " WHERE s.name = 'public' AND m.name = 'mv_tmp_{}'"},
    {ALWAYS, "SHOW MATERIALIZED VIEWS FROM \"public\""},
    {ALWAYS, RELATION("14")},
    {ALWAYS, COLUMNS("14")},
    {ALWAYS, READS},
    {ALWAYS, INDEXES},
    {ALWAYS, "(end of slot)"},
    {ALWAYS, "(readers)"},
    {ALWAYS, "DESCRIBE \"public\".\"mv\""},
    {ALWAYS, RELATION("10")},
    {JOBS, JOB("10")},
    {JOBS, JOB("14")},
    {CONFIG, "SELECT c.key, c.value FROM rw_catalog.rw_streaming_job_config c WHERE c.id = 10"
             " ORDER BY c.key"},
    {OWNER, "ALTER MATERIALIZED VIEW \"public\".\"mv_tmp_{}\" OWNER TO \"alice\""},
    {ALWAYS, RELATION("14")},
    {ALWAYS, DEPENDENTS},
    {ALWAYS, "SELECT p.ddl_statement FROM rw_catalog.rw_ddl_progress p"},
    {ALWAYS, READS},
    {ALWAYS, IDS},
    {ALWAYS, "ALTER MATERIALIZED VIEW \"public\".\"mv_tmp_{}\" SWAP WITH \"public\".\"mv\""},
    {ALWAYS, IDS},
    {ALWAYS, ""},
    {ALWAYS, "SHOW PROCESSLIST"},
    {ALWAYS, ""},
    {ALWAYS, "SHOW PROCESSLIST"},
    {ALWAYS, "(readers)"},
    {ALWAYS, IDS},
    {ALWAYS, "DROP MATERIALIZED VIEW \"public\".\"mv_tmp_{}\""},
};

/* Writes `line` with the stamp of the run in place of {}. */
static const char *expected_text(const char *line)
{
    static char text[SCRIPT_TEXT];
    const char *mark = strstr(line, "{}");
    if (mark == NULL) {
        return line;
    }
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - line), line, s.stamp, mark + 2);
    return text;
}

static void expect_conversation(unsigned flags)
{
    size_t at = 0;
    for (size_t i = 0; i < sizeof(conversation) / sizeof(conversation[0]); i++) {
        if ((conversation[i].when & ~flags) != 0) {
            continue;
        }
        cr_assert(lt(sz, at, s.num_requests));
        cr_expect(eq(str, s.sql[at], (char *)expected_text(conversation[i].sql)));
        cr_expect(eq(int, s.notices_to_client[at], strcmp(s.steps[at], "build") == 0));
        at++;
    }
    cr_expect(eq(sz, at, s.num_requests));
}

static void expect_success(const char *what)
{
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s: %s", what, s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s: %s%s", what, s.error, s.raw);
    cr_expect(eq(str, s.tag, (char *)"CREATE_MATERIALIZED_VIEW"), "%s", what);
    cr_expect(eq(int, s.before.background_ddl, s.catalog.background_ddl), "%s", what);
}

Test(replace_happy, exact_conversation)
{
    static const unsigned versions[][2] = {{2, 1}, {2, 2}, {2, 6}, {2, 7}, {2, 8}, {3, 0}, {10, 0}};
    for (unsigned i = 0; i < 8 * sizeof(versions) / sizeof(versions[0]); i++) {
        unsigned major = versions[i / 8][0];
        unsigned minor = versions[i / 8][1];
        bool foreground = (i & 1) != 0;
        bool was_on = (i & 2) != 0;
        bool owner = (i & 4) != 0;
        script_init(&s, major, minor);
        s.settings.values[SETTING_BUILD] =
            foreground ? REPLACE_BUILD_FOREGROUND : REPLACE_BUILD_BACKGROUND;
        s.catalog.background_ddl = was_on;
        s.catalog.build_ms = 0;
        if (owner) {
            (void)snprintf(s.catalog.objects[0].owner, 64, "alice");
        }
        expect_success("exact");
        bool jobs = major > 2 || minor >= 6;
        expect_conversation((foreground ? FOREGROUND : BACKGROUND) | (jobs ? JOBS : NO_JOBS) |
                            (foreground == was_on ? SETS : 0) | (owner ? OWNER : 0) |
                            (major > 2 || minor >= 8 ? CONFIG : 0));
        struct catalog_object *live = catalog_find(&s.catalog, "public", "mv");
        cr_expect(eq(u64, live->id, 14));
        cr_expect(eq(str, live->owner, (char *)(owner ? "alice" : "root")));
        cr_expect(eq(ptr, catalog_by_id(&s.catalog, 10), NULL));
        cr_assert(eq(sz, s.num_notices, 2));
        cr_expect(ne(ptr, strstr(s.notices[0], "Detected changes to materialized view"), NULL));
        cr_expect(ne(ptr, strstr(s.notices[1], "\"public.mv\""), NULL));
        cr_expect(ne(ptr, strstr(s.notices[1], "the old one was dropped."), NULL));
    }
}

Test(replace_happy, waits_for_the_build)
{
    script_init(&s, 2, 8);
    s.catalog.seen_after_ms = 3000;
    s.catalog.build_ms = 100000;
    expect_success("slow");
    cr_expect(ge(u64, s.catalog.now_ms, 100000 + 500));
    cr_expect(lt(u64, s.catalog.now_ms, 103000));
    cr_expect(lt(sz, s.num_requests, 280));
}

Test(replace_happy, drains_before_the_drop)
{
    script_init(&s, 2, 7);
    expect_success("drain");
    size_t drain = script_find_step(&s, "drain", 0);
    cr_expect(eq(sz, script_find_step(&s, "drop", 0), drain + 6));
    cr_expect(eq(sz, script_find_step(&s, "ids after the swap", 0), drain - 1));
    cr_expect(not(s.left_known && s.num_left != 0));
}

Test(replace_happy, plan_that_cannot_run_in_the_background)
{
    script_init(&s, 2, 7);
    s.catalog.foreground_anyway = true;
    expect_success("VALUES");
}

/* What the client's text names, and where that is. */
static const struct named {
    const char *written;
    const char *schema;
    const char *name;
} names[] = {
    {"mv", "public", "mv"},
    {"MV", "public", "mv"},
    {"m$v_1", "public", "m$v_1"},
    {"public.mv", "public", "mv"},
    {"Other.Mv", "other", "mv"},
    {"dev.other.mv", "other", "mv"},
    {"DEV.\"Other One\".\"My View\"", "Other One", "My View"},
    {"\"a.b\".\"c.d\"", "a.b", "c.d"},
    {"\"it's\".\"o'clock\"", "it's", "o'clock"},
    {"\"caf\xc3\xa9\"", "public", "caf\xc3\xa9"},
    {"\"$1\"", "public", "$1"},
    {"\"select\"", "public", "select"},
    {"\"mv_tmp_20200101_000000_000001\"", "public", "mv_tmp_20200101_000000_000001"},
    {"\"percent %I %L %%\"", "public", "percent %I %L %%"},
    {"\"-- no /* comment\"", "public", "-- no /* comment"},
};

static void name_the_view(const struct named *n, char text[SCRIPT_TEXT])
{
    struct catalog_object *mv = &s.catalog.objects[0];
    (void)snprintf(mv->schema, CATALOG_NAME, "%s", n->schema);
    (void)snprintf(mv->name, CATALOG_NAME, "%s", n->name);
    (void)snprintf(s.catalog.target_schema, CATALOG_NAME, "%s", n->schema);
    (void)snprintf(s.catalog.target_name, CATALOG_NAME, "%s", n->name);
    (void)snprintf(text, SCRIPT_TEXT, "/* x */ CREATE OR REPLACE MATERIALIZED VIEW %s AS SELECT 1;",
                   n->written);
    s.text = text;
}

Test(replace_happy, names)
{
    static char text[SCRIPT_TEXT];
    char full[2 * CATALOG_NAME + 2];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (int form = LISTING_QUALIFIED; form <= LISTING_QUOTED_WHERE_DUE; form++) {
            /* Before 2.8 a view called like a keyword is refused (test_replace_regressions.c). */
            script_init(&s, 2, 8);
            name_the_view(&names[i], text);
            s.catalog.listing = (enum listing_form)form;
            expect_success(names[i].written);
            struct catalog_object *live = catalog_find(&s.catalog, names[i].schema, names[i].name);
            cr_assert(ne(ptr, live, NULL));
            cr_expect(live->ours, "%s", names[i].written);
            (void)snprintf(full, sizeof(full), "%s.%s", names[i].schema, names[i].name);
            cr_expect(eq(str, s.view_name, full));
        }
    }
}

Test(replace_happy, name_of_300_bytes)
{
    static char text[SCRIPT_TEXT];
    static char written[CATALOG_NAME];
    const struct named n = {written, "public", written};
    memset(written, 'x', 280);
    script_init(&s, 3, 0);
    name_the_view(&n, text);
    expect_success("long");
}

Test(replace_happy, name_in_the_first_schema_of_the_path)
{
    script_init(&s, 2, 7);
    s.catalog.schema = "My Schema";
    (void)snprintf(s.catalog.objects[0].schema, CATALOG_NAME, "My Schema");
    (void)snprintf(s.catalog.target_schema, CATALOG_NAME, "My Schema");
    (void)catalog_add(&s.catalog, "public", "mv", "table", 0);
    expect_success("path");
    cr_expect(eq(str, s.sql[1], (char *)"\"dev\".\"My Schema\".\"mv\""));
}

Test(replace_happy, keeps_the_clients_text)
{
    script_init(&s, 2, 7);
    s.text =
        "-- first\nCreate  Or /* why */ Replace\tMaterialized View Public . Mv ( a ) With (x = 1)"
        " As\n  SELECT a /* c */ , '--' FROM t -- last";
    s.catalog.build_definition = "CREATE MATERIALIZED VIEW x AS SELECT a, '--' FROM t";
    expect_success("text");
    size_t at = script_find_step(&s, "build", 0);
    char wanted[SCRIPT_TEXT];
    (void)snprintf(wanted, sizeof(wanted),
                   "-- first\nCreate  Materialized View Public . mv_tmp_%s ( a ) With (x = 1)"
                   " As\n  SELECT a /* c */ , '--' FROM t -- last",
                   s.stamp);
    cr_expect(eq(str, s.sql[at], wanted));
}

Test(replace_happy, first_creation)
{
    script_init(&s, 2, 7);
    s.catalog.objects[0] = (struct catalog_object){0};
    s.catalog.target_id = 0;
    s.text = "create or replace materialized view mv as select 1";
    expect_success("first");
    cr_assert(eq(sz, s.num_requests, 4));
    cr_expect(eq(str, s.sql[3], (char *)"create materialized view mv as select 1"));
    cr_expect(s.notices_to_client[3]);
    cr_expect(eq(sz, s.num_notices, 0));
}

Test(replace_happy, server_says_no_to_the_first_creation)
{
    script_init(&s, 2, 7);
    catalog_by_id(&s.catalog, s.catalog.target_id)->hidden = true;
    s.catalog.target_id = 0;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
    cr_expect(ne(ptr, strstr(s.raw, "with name mv exists"), NULL));
    cr_expect(script_unchanged(&s));
}

Test(replace_happy, no_schema_to_create_in)
{
    script_init(&s, 2, 7);
    s.catalog.schema = NULL;
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(sz, s.num_requests, 2));
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
    /* A name with its schema needs none. */
    script_init(&s, 2, 7);
    s.catalog.schema = NULL;
    s.text = "CREATE OR REPLACE MATERIALIZED VIEW public.mv AS SELECT 1";
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
}

Test(replace_happy, not_ours)
{
    static const char *const versions[] = {"PostgreSQL 16.2 on x86_64", "RisingWave", "",
                                           "PostgreSQL 13-RisingWave-x.1"};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        script_init(&s, 2, 7);
        s.catalog.version = versions[i];
        script_run(&s);
        cr_expect(eq(int, s.outcome, REPLACE_NOT_OURS));
        cr_expect(eq(sz, s.num_requests, 1));
        cr_expect(script_unchanged(&s));
    }
    script_init(&s, 2, 7);
    s.text = "CREATE OR REPLACE MATERIALIZED VIEW elsewhere.public.mv AS SELECT 1";
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_NOT_OURS));
    cr_expect(eq(sz, s.num_requests, 1));
}

Test(replace_happy, taken_temporary_names)
{
    for (unsigned taken = 1; taken <= 6; taken++) {
        script_init(&s, 2, 5 + taken % 3);
        s.catalog.names_taken = taken;
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%u: %s", taken, s.problem);
        cr_expect(eq(int, s.outcome, taken < 5 ? REPLACE_SUCCEEDED : REPLACE_FAILED_BY_SERVER));
        unsigned tries = taken < 5 ? taken + 1 : 5;
        for (unsigned i = 0; i <= tries; i++) {
            size_t at = script_find_step(&s, "build", i);
            cr_expect(eq(int, at == SCRIPT_REQUESTS, i == tries));
            cr_expect(i == 0 || i == tries || strcmp(s.sql[at], s.sql[at - 1]) != 0);
        }
        cr_expect(eq(int, s.catalog.background_ddl, 0));
    }
}

Test(replace_happy, text_that_is_no_replacement)
{
    static const char *const texts[] = {"",
                                        ";",
                                        "SELECT 1",
                                        "CREATE MATERIALIZED VIEW mv AS SELECT 1",
                                        "CREATE VIEW v AS SELECT 1",
                                        "CREATE OR REPLACE TABLE t (a INT)",
                                        "CREATE OR REPLACE VIEW IF NOT EXISTS v AS SELECT 1",
                                        "CREATE OR REPLACE MATERIALIZED VIEW 'x' AS SELECT 1",
                                        "CREATE OR REPLACE MATERIALIZED VIEW mv AS SELECT 'x"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        script_init(&s, 2, 7);
        s.text = texts[i];
        script_run(&s);
        cr_expect(not(s.made), "%s", texts[i]);
    }
}
