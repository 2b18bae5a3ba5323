/*
 * Tests of what the new view gets of the old one before anybody reads it: grants in every
 * combination, owner, comments, job, indexes.
 */
#include "scenarios.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct script s;

static struct catalog_object *mv(void)
{
    return catalog_by_id(&s.catalog, s.catalog.target_id);
}

static struct catalog_object *live(void)
{
    return catalog_find(&s.catalog, "public", "mv");
}

static void expect_success(const char *what)
{
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s: %s", what, s.problem);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s: %s%s", what, s.error, s.raw);
    cr_expect(live()->ours, "%s", what);
}

static size_t num_sent(const char *beginning)
{
    size_t num = 0;
    for (size_t i = 0; i < s.num_requests; i++) {
        num += strncmp(s.sql[i], beginning, strlen(beginning)) == 0;
    }
    return num;
}

/* What one user has: grants by root and by another user. */
enum has { HAS_NONE, HAS_SELECT, HAS_OPTION, HAS_BOTH_LATE, HAS_BOTH_EARLY, NUM_HAS };

static void give(struct catalog_object *o, const char *user, enum has has)
{
    switch (has) {
    case HAS_SELECT:
        catalog_grant(o, user, "root", false);
        break;
    case HAS_OPTION:
        catalog_grant(o, user, "root", true);
        break;
    case HAS_BOTH_LATE: /* two grantors, the second with option */
        catalog_grant(o, user, "root", false);
        catalog_grant(o, user, "carol", true);
        break;
    case HAS_BOTH_EARLY:
        catalog_grant(o, user, "carol", true);
        catalog_grant(o, user, "root", false);
        break;
    case HAS_NONE:
    case NUM_HAS:
        break;
    }
}

/* All pairs of what the old view has and what default privileges give the new one. */
Test(replace_carry, grants)
{
    static const char *const users[] = {"al", "Bob B", "it's", "a,b{c}", "a\\b"};
    for (size_t user = 0; user < sizeof(users) / sizeof(users[0]); user++) {
        for (int old = HAS_NONE; old < NUM_HAS; old++) {
            for (int by_default = 0; by_default < 2; by_default++) {
                script_init(&s, 2, 7);
                give(mv(), users[user], (enum has)old);
                s.catalog.default_grantees[0] = by_default ? users[user] : NULL;
                expect_success(users[user]);
                bool revokes = by_default && old == HAS_NONE;
                bool grants = old >= HAS_OPTION || (old == HAS_SELECT && !by_default);
                cr_expect(eq(sz, num_sent("REVOKE "), (size_t)revokes));
                cr_expect(eq(sz, num_sent("GRANT "), (size_t)grants));
            }
        }
    }
}

Test(replace_carry, more_by_default_than_it_had)
{
    script_init(&s, 2, 7);
    catalog_grant(mv(), "al", "root", false);
    s.catalog.build_acl = "{root=arwd/root,al=r*/root}";
    script_run(&s);
    /* The catalog goes on printing the same ACL: it is looked at again, and then refused. */
    cr_expect(script_kept_promise(&s), "%s", s.problem);
    cr_expect(eq(str, s.sqlstate, (char *)"0A000"), "%s", s.error);
    cr_expect(eq(sz, num_sent("REVOKE SELECT ON MATERIALIZED VIEW "), 2));
    cr_expect(eq(sz, num_sent("GRANT SELECT ON MATERIALIZED VIEW "), 2));
    cr_expect(script_says(&s, "{root=arwd/root,al=r*/root}"));
    cr_expect(script_unchanged(&s));
}

Test(replace_carry, no_acl)
{
    script_init(&s, 2, 7);
    (void)snprintf(mv()->acl, CATALOG_TEXT, "NULL");
    s.catalog.build_acl = "NULL";
    expect_success("no ACL");
    cr_expect(eq(sz, num_sent("GRANT "), 0));
    script_init(&s, 2, 7);
    (void)snprintf(mv()->acl, CATALOG_TEXT, "{}");
    expect_success("an empty ACL");
}

Test(replace_carry, many_users)
{
    script_init(&s, 2, 7);
    static const char *const users[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++) {
        catalog_grant(mv(), users[i], i == 2 ? "b" : "root", i == 1);
    }
    catalog_grant(mv(), "root", "root", false);
    s.catalog.default_grantees[0] = "b";
    s.catalog.default_grantees[1] = "e";
    expect_success("many");
    cr_expect(script_says(&s, "Carried over: 0 indexes, 4 grants, 0 comments."), "%s",
              s.notices[s.num_notices - 1]);
}

/* The owner who is no superuser replaces his own view. */
Test(replace_carry, by_the_owner)
{
    script_init(&s, 2, 7);
    s.catalog.user = "alice";
    (void)snprintf(mv()->owner, CATALOG_WORD, "alice");
    catalog_grant(mv(), "bob", "root", false);
    expect_success("owner");
    cr_expect(eq(str, live()->owner, (char *)"alice"));
    cr_expect(eq(sz, num_sent("ALTER MATERIALIZED VIEW "), 1));
}

Test(replace_carry, comments)
{
    script_init(&s, 2, 7);
    (void)snprintf(mv()->comment, CATALOG_WORD, "a 'b' \\ \"c\" %%I $1 --");
    catalog_set_column(&mv()->columns[0], "Odd Name", "integer", "odd");
    catalog_set_column(&mv()->columns[1], "gone", "integer", "with it");
    catalog_set_column(&mv()->columns[2], "table description", "integer", "a column");
    catalog_set_column(&s.catalog.build_columns[0], "table description", "integer", "");
    catalog_set_column(&s.catalog.build_columns[1], "Odd Name", "integer", "");
    expect_success("comments");
    cr_expect(script_says(&s, "The comment on column \"gone\" is gone with the column."));
    cr_expect(eq(str, live()->columns[1].comment, (char *)"odd"));
    cr_expect(eq(str, live()->columns[0].comment, (char *)"a column"));
}

/* Parallelism as 3.0 prints it. */
Test(replace_carry, parallelism_of_3_0)
{
    static const struct {
        const char *old;
        const char *sent; /* NULL: nothing */
    } rows[] = {
        {"bounded(64)", "= 'bounded(64)'"},
        {"default(it's)", "= 'default(it''s)'"},
        {"4", "= 4"},
        {"FIXED(5)", "= 5"},
        {"adaptive", "= ADAPTIVE"},
        {"ADAPTIVE", NULL},
    };
    char expected[SCRIPT_TEXT];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_init(&s, 3, 0);
        (void)snprintf(mv()->parallelism, CATALOG_WORD, "%s", rows[i].old);
        script_run(&s);
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s: %s%s", rows[i].old, s.error, s.raw);
        cr_expect(eq(str, s.catalog.violation, (char *)""));
        (void)snprintf(expected, sizeof(expected),
                       "ALTER MATERIALIZED VIEW \"public\".\"mv_tmp_%s\" SET PARALLELISM %s",
                       s.stamp, rows[i].sent != NULL ? rows[i].sent : "");
        cr_expect(eq(int, script_sent(&s, expected), rows[i].sent != NULL), "%s", rows[i].old);
    }
    /* Before, nothing but a number or ADAPTIVE can be set. */
    script_init(&s, 2, 8);
    (void)snprintf(mv()->parallelism, CATALOG_WORD, "bounded(64)");
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(eq(sz, num_sent("ALTER MATERIALIZED VIEW"), 1), "more than the swap");
}

/* From 2.8 a job has a configuration of its own. */
Test(replace_carry, job_config)
{
    script_init(&s, 2, 8);
    s.catalog.job_config[0][0] = "streaming.developer.chunk_size";
    s.catalog.job_config[0][1] = "512";
    s.catalog.job_config[1][0] = "streaming.developer.mode";
    s.catalog.job_config[1][1] = "\"it's\"";
    s.catalog.job_config[2][0] = "streaming.unsafe";
    s.catalog.job_config[2][1] = "true";
    expect_success("config");
    cr_expect(eq(str, live()->config,
                 (char *)"(streaming.developer.chunk_size = 512)"
                         "(streaming.developer.mode = 'it''s')(streaming.unsafe = true)"));
    /* Earlier versions are not asked. */
    script_init(&s, 2, 7);
    s.catalog.job_config[0][0] = "a";
    s.catalog.job_config[0][1] = "1";
    expect_success("2.7");
    cr_expect(eq(str, live()->config, (char *)""));
}

/* What cannot be written as a statement for certain is told in place of being sent. */
Test(replace_carry, odd_job_config)
{
    static const char *const rows[][2] = {
        {"a b", "1"},      {"A", "1"},  {"", "1"},         {"a) --", "1"},
        {"a", "[1, 2]"},   {"a", ""},   {"a", "'x'"},      {"a", "\"x\\n\""},
        {"a", "1); DROP"}, {"a", NULL}, {"a = 1, b", "1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_init(&s, 3, 0);
        memcpy(s.catalog.job_config[0], rows[i], sizeof(rows[i]));
        expect_success(rows[i][0]);
        cr_expect(script_says(&s, "a configuration of the view's job was not carried over"), "%zu",
                  i);
        cr_expect(eq(str, live()->config, (char *)""));
    }
}

static void set_job(const char *parallelism, const char *group)
{
    (void)snprintf(mv()->parallelism, CATALOG_WORD, "%s", parallelism);
    (void)snprintf(mv()->resource_group, CATALOG_WORD, "%s", group);
}

Test(replace_carry, job)
{
    script_init(&s, 2, 6);
    set_job("FIXED(3)", "Group 'x'");
    expect_success("job");
    cr_expect(script_sent(&s, "ALTER MATERIALIZED VIEW \"public\".\"mv_tmp_"));
    cr_expect(eq(str, live()->parallelism, (char *)"FIXED(3)"));

    /* The session's choice counts for more. */
    script_init(&s, 2, 7);
    set_job("FIXED(3)", "default");
    s.catalog.session_parallelism = "2";
    expect_success("the session's parallelism");
    cr_expect(eq(str, live()->parallelism, (char *)"FIXED(2)"));
    script_init(&s, 2, 7);
    set_job("FIXED(3)", "default");
    s.catalog.session_parallelism_of_views = "adaptive";
    expect_success("the session's parallelism of views");
    cr_expect(eq(str, live()->parallelism, (char *)"ADAPTIVE"));

    /* And the statement's own resource group. */
    script_init(&s, 2, 7);
    set_job("ADAPTIVE", "mine");
    s.text = "CREATE OR REPLACE MATERIALIZED VIEW mv WITH (resource_group = 'theirs') AS SELECT a"
             " FROM t";
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
    cr_expect(eq(str, live()->resource_group, (char *)"default"));

    /* What cannot be asked for is left as it is. */
    static const char *const odd[] = {"CUSTOM", "FIXED()", "FIXED(2", "FIXED(2)x", "FIXED(x)"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        script_init(&s, 2, 7);
        set_job(odd[i], "default");
        script_run(&s);
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s", odd[i]);
        cr_expect(eq(str, live()->parallelism, (char *)"ADAPTIVE"));
    }
}

Test(replace_carry, indexes)
{
    static const unsigned versions[][2] = {{2, 2}, {2, 5}, {2, 6}, {2, 7}, {3, 0}};
    for (size_t i = 0; i < 4 * sizeof(versions) / sizeof(versions[0]); i++) {
        script_init(&s, versions[i / 4][0], versions[i / 4][1]);
        s.settings.values[SETTING_BUILD] = i % 2;
        s.catalog.background_ddl = i / 2 % 2 != 0;
        (void)catalog_add_index(&s.catalog, "mv_i");
        struct catalog_object *index = catalog_add_index(&s.catalog, "other");
        (void)snprintf(index->definition, CATALOG_TEXT,
                       "CREATE INDEX x ON \"Stale (name\"(lower(a) DESC) INCLUDE(a)");
        expect_success("indexes");
        cr_expect(script_says(&s, "Carried over: 2 indexes, 0 grants, 0 comments."));
        cr_expect(eq(int, s.catalog.background_ddl, s.before.background_ddl));
    }
}

/* Is the old index in the way, the new one is tried all the same; what the server says about that
 * is told. Requests 0 to 2: the names, the old index, the new one. */
Test(replace_carry, index_names_stay_told)
{
    static const char *const says[] = {
        "index \"mv_i\" has kept its temporary name \"mv_i_tmp_",
        "ALTER INDEX \"public\".\"mv_i_tmp_",
    };
    for (size_t i = 1; i < 3; i++) {
        script_init(&s, 2, 7);
        (void)catalog_add_index(&s.catalog, "mv_i");
        (void)catalog_add_index(&s.catalog, "mv_j");
        size_t at = script_find_run(&s, "hand over index names", i);
        s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_ERROR};
        script_run(&s);
        cr_expect(script_kept_promise(&s), "%s", s.problem);
        cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED));
        /* A name that is still taken is asked for again. */
        bool mended = i == 1;
        cr_expect(eq(int, script_says(&s, says[0]), !mended));
        cr_expect(eq(int, script_says(&s, says[1]), !mended));
        struct catalog_object *index = catalog_find(&s.catalog, "public", "mv_i");
        cr_expect(eq(int, index != NULL && index->reads[0] == live()->id, mended));
        cr_expect(ne(ptr, catalog_find(&s.catalog, "public", "mv_j"), NULL));
        cr_expect(eq(ptr, catalog_by_id(&s.catalog, 10), NULL), "the old view was dropped");
    }
}

Test(replace_carry, indexes_dropped)
{
    script_init(&s, 2, 7);
    scenario_enrich(&s);
    s.settings.values[SETTING_INDEXES] = REPLACE_INDEXES_DROPPED;
    expect_success("dropped");
    cr_expect(not(script_sent(&s, "CREATE INDEX")));
    cr_expect(not(script_sent(&s, "ALTER INDEX")));
    cr_expect(eq(ptr, catalog_find(&s.catalog, "public", "mv_i"), NULL));
}

/* While the view is built: what is carried over is read anew. */
static void change_everything(struct script *script)
{
    struct catalog_object *view = catalog_by_id(&script->catalog, script->catalog.target_id);
    if (!script->catalog.created || view == NULL || view->comment[0] != 0) {
        return;
    }
    (void)snprintf(view->comment, CATALOG_WORD, "later");
    (void)snprintf(view->owner, CATALOG_WORD, "dave");
    (void)snprintf(view->parallelism, CATALOG_WORD, "FIXED(7)");
    catalog_grant(view, "later", "root", true);
    view->grants[0] = (struct catalog_grant){.option = false};
    struct catalog_object *index = catalog_add_index(&script->catalog, "later_i");
    (void)snprintf(index->comment, CATALOG_WORD, "of it");
}

Test(replace_carry, what_changed_during_the_build)
{
    script_init(&s, 2, 7);
    catalog_grant(mv(), "first", "root", false);
    s.meanwhile = change_everything;
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_SUCCEEDED), "%s%s", s.error, s.raw);
    cr_expect(eq(str, live()->comment, (char *)"later"));
    cr_expect(eq(str, live()->owner, (char *)"dave"));
    cr_expect(eq(str, live()->parallelism, (char *)"FIXED(7)"));
    cr_expect(eq(str, live()->grants[0].user, (char *)"later"));
    cr_expect(live()->grants[0].option);
    cr_expect(eq(str, live()->grants[1].user, (char *)""));
    struct catalog_object *index = catalog_find(&s.catalog, "public", "later_i");
    cr_assert(ne(ptr, index, NULL));
    cr_expect(eq(u64, index->reads[0], live()->id));
    cr_expect(eq(str, index->comment, (char *)"of it"));
}
