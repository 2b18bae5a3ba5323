/*
 * Tests of everything that the engine refuses. Each leaves the catalog as it was, nothing behind,
 * the session's background_ddl as it was, and is one error with a SQLSTATE and a reason.
 */
#include "refusal.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static struct catalog_object *mv(void)
{
    return catalog_by_id(&s.catalog, s.catalog.target_id);
}

Test(replace_refusals, name_is_something_else)
{
    static const char *const kinds[] = {"table", "source",       "view",         "sink",
                                        "index", "subscription", "system table", "connection"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        script_init(&s, 2, 7);
        (void)snprintf(mv()->kind, sizeof(mv()->kind), "%s", kinds[i]);
        expect_refusal(&s, kinds[i], "42809", kinds[i]);
        cr_expect(not(was_built(&s)));
    }
}

Test(replace_refusals, a_kind_nobody_knows)
{
    script_init(&s, 2, 7);
    s.faults[0] = (struct script_fault){.at = 2, .fault = FAULT_NULLS};
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(script_unchanged(&s));
    cr_expect(eq(str, s.sqlstate, (char *)"42809"));
}

Test(replace_refusals, not_the_owner)
{
    script_init(&s, 2, 7);
    s.catalog.user = "bob";
    expect_refusal(&s, "another owner", "42501", "must be owner of materialized view public.mv");
    cr_expect(not(was_built(&s)));

    script_init(&s, 2, 7);
    mv()->owner[0] = 0;
    expect_refusal(&s, "an owner who cannot be seen", "42501", "owner");
}

Test(replace_refusals, version_without_swap)
{
    script_init(&s, 2, 0);
    expect_refusal(&s, "2.0", "0A000", "SWAP");
    cr_expect(eq(sz, s.num_requests, 1));
    script_init(&s, 1, 10);
    expect_refusal(&s, "1.10", "0A000", "SWAP");
}

Test(replace_refusals, unreadable_grants)
{
    static const struct {
        const char *acl;
        const char *says;
    } rows[] = {
        {"{root=arwd/root,alice=w/root}", "\"alice\""},
        {"{root=arwd/root,alice=rw/root}", "\"alice\""},
        {"{root=arwd/root,\"a b=arwd/root\"}", "\"a b\""},
        {"{\"a=b=r/root\"}", "a=b=r/root"},
        {"{alice=r/b/c}", "alice=r/b/c"},
        {"{\"a\\\"b=x/root\"}", "a\"b"},
        {"{=r/root}", "=r/root"},
        {"alice=r/root", "cannot be read"},
        {"{root=arwd/root", "cannot be read"},
        {"{root=arwd/root}x", "cannot be read"},
        {"{alice=r/root,bob}", "\"bob\""},
        {"{alice=r/root,bob=r}", "\"bob=r\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_init(&s, 2, 7);
        (void)snprintf(mv()->acl, sizeof(mv()->acl), "%s", rows[i].acl);
        expect_refusal(&s, rows[i].acl, "0A000", rows[i].says);
        cr_expect(not(was_built(&s)));
        cr_expect(not(script_sent(&s, "CREATE ")));
    }
}

Test(replace_refusals, unreadable_grants_of_the_new_view)
{
    script_init(&s, 2, 7);
    s.catalog.build_acl = "{root=arwd/root,al=w/root}";
    expect_refusal(&s, "default privileges", "0A000", "\"al\"");
    cr_expect(was_built(&s));
}

/* Default privileges that somebody else's REVOKE cannot take back: not a superuser's. */
Test(replace_refusals, grants_that_cannot_be_taken_back)
{
    script_init(&s, 2, 7);
    s.catalog.user = "alice";
    (void)snprintf(mv()->owner, CATALOG_WORD, "alice");
    s.catalog.default_grantees[0] = "al";
    expect_refusal(&s, "default privileges by root", "0A000",
                   "cannot be given to the new one exactly");
    cr_expect(was_built(&s));
    cr_expect(not(script_sent(&s, "ALTER ")));
}

static const char *const reader_kinds[] = {"materialized view", "view",   "sink",
                                           "subscription",      "source", "table"};

/* By mvswap.dependents; and a view that is dropped first would take them along. */
Test(replace_refusals, dependents)
{
    for (size_t i = 0; i < 2 * sizeof(reader_kinds) / sizeof(reader_kinds[0]); i++) {
        const char *kind = reader_kinds[i / 2];
        char says[64];
        (void)snprintf(says, sizeof(says), "%s \"public.reader\" reads it.", kind);
        script_init(&s, 2, 7);
        (void)catalog_add(&s.catalog, "public", "reader", kind, s.catalog.target_id);
        if (i % 2 == 0) {
            s.settings.values[SETTING_DEPENDENTS] = REPLACE_DEPENDENTS_REFUSED;
        } else {
            s.settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
        }
        expect_refusal(&s, kind, "2BP01", says);
        cr_expect(not(was_built(&s)));
    }
    script_init(&s, 2, 7);
    s.settings.values[SETTING_DEPENDENTS] = REPLACE_DEPENDENTS_REFUSED;
    catalog_add(&s.catalog, "public", "reader", "view", s.catalog.target_id)->hidden = true;
    expect_refusal(&s, "an invisible dependent", "2BP01",
                   "an object that this user cannot see reads it.");
}

Test(replace_refusals, creating_jobs)
{
    static const struct {
        const char *job;
        const char *sqlstate; /* "": it stays on the old view */
        const char *says;
    } rows[] = {
        {"CREATE MATERIALIZED VIEW x AS SELECT a FROM mv", "", NULL},
        {"CREATE MATERIALIZED VIEW x AS SELECT a FROM public.\"mv\"", "", NULL},
        {"CREATE SINK k FROM mv WITH (connector = 'blackhole')", "", NULL},
        {"CREATE INDEX i ON MV(a)", "55006", "an index is being created"},
        {"CREATE SINK z FROM \"unterminated", "55000", "A job that is being created"},
        {"CREATE MATERIALIZED VIEW x AS WITH mv AS (SELECT 1) SELECT * FROM mv", "55000",
         "A job that is being created has a WITH query of the name \"mv\""},
        {"CREATE MATERIALIZED VIEW x AS SELECT 1 FROM mv, other.mv", "55000", "another schema"},
        {"NULL", "55000", "cannot read back"},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        bool refuses = i % 2 == 1;
        const char *sqlstate = refuses ? "2BP01" : rows[i / 2].sqlstate;
        script_init(&s, 2, 7);
        s.catalog.jobs[0] = "CREATE MATERIALIZED VIEW harmless AS SELECT 'mv' AS mv2 FROM t";
        s.catalog.jobs[1] = rows[i / 2].job;
        s.settings.values[SETTING_DEPENDENTS] =
            refuses ? REPLACE_DEPENDENTS_REFUSED : REPLACE_DEPENDENTS_FOLLOW;
        if (sqlstate[0] != 0) {
            expect_refusal(&s, rows[i / 2].job, sqlstate, refuses ? "job" : rows[i / 2].says);
            cr_expect(not(was_built(&s)));
            continue;
        }
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s: %s", rows[i / 2].job, s.problem);
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s: %s", rows[i / 2].job, s.error);
    }
}

Test(replace_refusals, unsafe_definitions)
{
    script_init(&s, 2, 7);
    (void)snprintf(mv()->definition, CATALOG_TEXT,
                   "CREATE MATERIALIZED VIEW mv AS SELECT --1 AS c");
    expect_refusal(&s, "-- in the old definition", "55000", "stop the server");
    cr_expect(not(was_built(&s)));

    script_init(&s, 2, 7);
    mv()->definition[0] = 0;
    expect_refusal(&s, "no old definition", "55000", "stop the server");

    script_init(&s, 2, 7);
    s.catalog.build_definition = "CREATE MATERIALIZED VIEW x AS SELECT 1 --1 AS c";
    expect_refusal(&s, "-- in the new definition", "55000", "stop the server");
    cr_expect(was_built(&s));

    script_init(&s, 2, 7);
    s.catalog.build_definition = "CREATE MATERIALIZED VIEW x AS SELECT 'open";
    expect_refusal(&s, "an unreadable new definition", "55000", "stop the server");
}

Test(replace_refusals, quoted_names_before_2_5)
{
    static const char *const names[] = {"Mv", "a b", "1a", "caf\xc3\xa9"};
    char text[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        script_init(&s, 2, 4);
        (void)snprintf(mv()->name, CATALOG_NAME, "%s", names[i]);
        (void)snprintf(s.catalog.target_name, CATALOG_NAME, "%s", names[i]);
        (void)snprintf(text, sizeof(text),
                       "CREATE OR REPLACE MATERIALIZED VIEW \"%s\" AS SELECT a FROM t", names[i]);
        s.text = text;
        expect_refusal(&s, names[i], "55000", "stop the server");
        cr_expect(not(was_built(&s)));
    }
}

Test(replace_refusals, still_creating)
{
    for (unsigned minor = 2; minor <= 8; minor += 3) {
        script_init(&s, 2, minor);
        mv()->finished_ms = 1000000;
        expect_refusal(&s, "still being created", "55006", "still being created");
        cr_expect(not(was_built(&s)));
    }
    /* Others, whose names hold its own, are listed. */
    static const char *const others[] = {"public_mv", "public mv", "mv2", "m", "public.mv2"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        script_init(&s, 2, 2);
        mv()->finished_ms = 1000000;
        (void)catalog_add(&s.catalog, "public", others[i], "materialized view", 0);
        expect_refusal(&s, others[i], "55006", "still being created");
    }
    /* Listed, but its job is not done: after a restart of the frontend. */
    script_init(&s, 2, 7);
    s.faults[0] =
        (struct script_fault){.at = script_find_run(&s, "inspect job", 0), .fault = FAULT_NO_ROWS};
    script_run(&s);
    cr_expect(eq(str, s.sqlstate, (char *)"55006"));
    cr_expect(script_unchanged(&s));
}

Test(replace_refusals, reads_itself)
{
    script_init(&s, 2, 7);
    s.catalog.build_reads[1] = s.catalog.target_id;
    expect_refusal(&s, "reads itself", "42P17", "reads the view that it replaces");
    cr_expect(not(was_built(&s)));
    /* What the probe could not tell is seen on the new view. */
    script_again(&s);
    s.catalog.probe_refusal = "no";
    expect_refusal(&s, "reads itself, the probe is refused", "42P17",
                   "reads the view that it replaces");
    cr_expect(was_built(&s));
}

Test(replace_refusals, build_vanishes)
{
    static const unsigned versions[][2] = {{2, 2}, {2, 6}, {2, 7}, {3, 0}};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        script_init(&s, versions[i][0], versions[i][1]);
        s.catalog.fails_after_ms = 300;
        s.catalog.build_ms = 100000;
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(script_unchanged(&s));
        cr_expect(eq(str, s.sqlstate, (char *)"57014"), "%s", s.error);

        script_init(&s, versions[i][0], versions[i][1]);
        s.catalog.never_seen = true;
        script_run(&s);
        cr_expect(script_unchanged(&s));
        cr_expect(eq(str, s.sqlstate, (char *)"57014"), "%s", s.error);
        cr_expect(ge(u64, s.catalog.now_ms, 10000));
        cr_expect(lt(u64, s.catalog.now_ms, 12000));
    }
}

Test(replace_refusals, ids_changed_meanwhile)
{
    static const enum fault faults[] = {FAULT_TARGET_DROPPED, FAULT_TARGET_RENAMED,
                                        FAULT_TARGET_SWAPPED, FAULT_TEMP_DROPPED,
                                        FAULT_TEMP_RENAMED,   FAULT_TEMP_SWAPPED};
    script_init(&s, 2, 7);
    script_run(&s);
    size_t at = script_find_step(&s, "ids before the swap", 0);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        script_init(&s, 2, 7);
        s.faults[0] = (struct script_fault){.at = at, .fault = faults[i]};
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s: %s", fault_names[faults[i]], s.problem);
        cr_expect(eq(int, s.outcome, REPLACE_FAILED));
        cr_expect(eq(str, s.sqlstate, (char *)"40001"), "%s", s.error);
        cr_expect(eq(sz, script_find_step(&s, "swap", 0), SCRIPT_REQUESTS));
    }
}

/* A job is cancelled with what its version has for that, whatever the build. */
Test(replace_refusals, cancelled_while_building)
{
    for (unsigned i = 0; i < 2 * 7; i++) {
        script_init(&s, 2, 2 + i / 2);
        s.catalog.build_ms = 100000;
        s.catalog.seen_after_ms = (i & 1) != 0 ? 900 : 0;
        script_run(&s);
        size_t polls = script_find_step(&s, "poll the build", 0);
        for (size_t at = polls - 1; at < polls + 5; at++) {
            script_init(&s, 2, 2 + i / 2);
            s.catalog.build_ms = 100000;
            s.catalog.seen_after_ms = (i & 1) != 0 ? 900 : 0;
            s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_CANCEL};
            script_run(&s);
            cr_expect(script_kept_promise(&s), "2.%u, request %zu: %s", 2 + i / 2, at, s.problem);
            cr_expect(script_unchanged(&s));
            cr_expect(eq(sz, s.num_notices, 1));
            size_t cancels = script_find_step(&s, "undo: cancel the job", 0);
            cr_expect(eq(int, cancels == SCRIPT_REQUESTS, i / 2 >= 5));
        }
    }
}

Test(replace_refusals, cancelled)
{
    static const struct {
        enum fault fault;
        const char *sqlstate;
    } rows[] = {{FAULT_CANCEL, "57014"},
                {FAULT_CANCEL_HITS, "57014"},
                {FAULT_GONE, "57014"},
                {FAULT_SHUTDOWN, "57P01"}};
    script_init(&s, 2, 7);
    script_run(&s);
    size_t swap = script_find_step(&s, "swap", 0);
    for (size_t i = 0; i < 4 * swap; i++) {
        script_init(&s, 2, 7);
        s.faults[0] = (struct script_fault){.at = i / 4, .fault = rows[i % 4].fault};
        script_run(&s);
        if (!s.faults[0].applied) {
            continue;
        }
        cr_expect(script_unchanged(&s), "request %zu", i / 4);
        cr_expect(eq(str, s.sqlstate, (char *)rows[i % 4].sqlstate), "request %zu", i / 4);
    }
}
