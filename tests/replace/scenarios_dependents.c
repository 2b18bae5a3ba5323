/*
 * scenarios_dependents: replacements of a view that others read. See scenarios.h. The file is
 * long because it is one list of scenarios, each a few lines.
 */
#include "scenarios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usual_path[] = "\"$user\", public";

static struct catalog_object *add_view(struct script *s, const char *name, const char *query)
{
    struct catalog_object *o = catalog_add_view(&s->catalog, usual_path, "public", name, query);
    if (o == NULL) {
        abort();
    }
    return o;
}

/* A relation of another kind that reads `read`; its text names that. */
static struct catalog_object *add_reader(struct script *s, const char *name, const char *kind,
                                         const char *read)
{
    struct catalog_object *from = catalog_find(&s->catalog, "public", read);
    struct catalog_object *o = catalog_add(&s->catalog, "public", name, kind, from->id);
    /* A materialized view is listed with what it reads through views, too. */
    bool listed = strcmp(kind, "materialized view") == 0 && strcmp(from->kind, "view") == 0;
    for (size_t i = 0; listed && i + 1 < CATALOG_READS; i++) {
        o->reads[i + 1] = from->reads[i];
    }
    (void)snprintf(o->definition, CATALOG_TEXT,
                   strcmp(kind, "materialized view") == 0
                       ? "CREATE MATERIALIZED VIEW %.100s AS SELECT a FROM %.100s"
                       : "CREATE SINK %.100s FROM %.100s WITH (connector = 'blackhole')",
                   name, read);
    return o;
}

static void begin(struct script *s)
{
    script_init(s, 2, 7);
    /* What others may swap with. */
    (void)add_view(s, "their_view", "SELECT a FROM t");
}

static void one_view(struct script *s)
{
    begin(s);
    (void)add_view(s, "v", "SELECT a FROM mv");
}

static void one_view_22(struct script *s)
{
    script_init(s, 2, 2);
    (void)add_view(s, "their_view", "SELECT a FROM t");
    (void)add_view(s, "v", "SELECT a FROM mv");
}

static void chain(struct script *s)
{
    begin(s);
    (void)add_view(s, "v3", "SELECT a AS z FROM mv");
    (void)add_view(s, "v2", "SELECT z AS y, 1 AS one FROM v3");
    (void)add_view(s, "v1", "SELECT y FROM v2");
}

static void diamond(struct script *s)
{
    begin(s);
    (void)add_view(s, "l", "SELECT a FROM mv");
    (void)add_view(s, "r", "SELECT q.a FROM public.mv AS q JOIN t ON t.a = q.a");
    (void)add_view(s, "top", "SELECT l.a AS x, r.a AS y FROM l, r, mv");
}

static void grants_and_owner(struct script *s)
{
    begin(s);
    struct catalog_object *v = add_view(s, "v", "SELECT a FROM mv");
    (void)snprintf(v->owner, CATALOG_WORD, "alice");
    catalog_grant(v, "bob", "root", false);
    catalog_grant(v, "carol", "alice", true);
    catalog_grant(v, "bob", "carol", true);
    s->catalog.default_grantees[0] = "al";
    s->catalog.default_grantees[1] = "bob";
    catalog_grant(catalog_by_id(&s->catalog, s->catalog.target_id), "bob", "root", false);
}

/* `u` is another table under the path of who created the view. */
static void other_path(struct script *s)
{
    begin(s);
    (void)catalog_add(&s->catalog, "public", "u", "table", 0);
    (void)catalog_add(&s->catalog, "S 2", "u", "table", 0);
    (void)catalog_add_view(&s->catalog, "\"S 2\", public", "S 2", "v",
                           "SELECT mv.a FROM mv JOIN u ON u.a = mv.a");
    (void)snprintf(s->catalog.search_path, CATALOG_NAME, "\"$user\", it's, public");
}

/* No search_path makes its names mean what they meant. */
static void no_path(struct script *s)
{
    begin(s);
    (void)catalog_add(&s->catalog, "public", "u", "table", 0);
    uint64_t u = catalog_add(&s->catalog, "gone", "u", "table", 0)->id;
    struct catalog_object *v = add_view(s, "v", "SELECT mv.a FROM mv JOIN u ON u.a = mv.a");
    v->reads[1] = u;
}

/* Created anew it would read the same, and more. */
static void reads_more(struct script *s)
{
    begin(s);
    uint64_t u = catalog_add(&s->catalog, "public", "u", "table", 0)->id;
    struct catalog_object *v = add_view(s, "v", "SELECT mv.a FROM mv JOIN u ON u.a = mv.a");
    for (size_t i = 0; i < CATALOG_READS; i++) {
        v->reads[i] = v->reads[i] == u ? 0 : v->reads[i];
    }
}

static void lost_column(struct script *s)
{
    begin(s);
    (void)add_view(s, "v", "SELECT a FROM mv");
    (void)add_view(s, "w", "SELECT a FROM v");
    (void)add_view(s, "other", "SELECT 1 AS one FROM mv");
    catalog_set_column(&s->catalog.build_columns[0], "b", "integer", "");
}

static void star(struct script *s)
{
    begin(s);
    (void)add_view(s, "v", "SELECT * FROM mv");
    catalog_set_column(&s->catalog.build_columns[1], "b", "integer", "");
}

static void star_without_its_column(struct script *s)
{
    begin(s);
    (void)add_view(s, "v", "SELECT * FROM mv");
    catalog_set_column(&s->catalog.build_columns[0], "b", "integer", "");
    catalog_set_column(&s->catalog.build_columns[1], "c", "integer", "");
}

static void materialized_views(struct script *s)
{
    begin(s);
    (void)add_view(s, "v", "SELECT a FROM mv");
    (void)add_reader(s, "d", "materialized view", "mv");
    (void)add_reader(s, "e", "materialized view", "v");
    (void)add_reader(s, "apart", "materialized view", "d");
    (void)add_view(s, "over", "SELECT a FROM e");
}

static void sinks(struct script *s)
{
    begin(s);
    (void)add_view(s, "v", "SELECT a FROM mv");
    (void)add_reader(s, "k", "sink", "mv");
    (void)add_reader(s, "sub", "subscription", "mv");
}

static void sink_on_a_view(struct script *s)
{
    chain(s);
    (void)add_reader(s, "k", "sink", "v2");
}

static void unseen(struct script *s)
{
    begin(s);
    s->catalog.user = "alice";
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        (void)snprintf(s->catalog.objects[i].owner, CATALOG_WORD, "alice");
    }
    struct catalog_object *v = add_view(s, "v", "SELECT a FROM mv");
    (void)snprintf(v->owner, CATALOG_WORD, "alice");
    add_reader(s, "d", "materialized view", "mv")->hidden = true;
}

static void owned_by_somebody_else(struct script *s)
{
    unseen(s);
    catalog_find(&s->catalog, "public", "d")->id = 0;
    (void)add_view(s, "theirs_too", "SELECT a FROM mv");
    (void)snprintf(add_view(s, "over", "SELECT a FROM theirs_too")->owner, CATALOG_WORD, "alice");
}

/* Default privileges that this user cannot take back. */
static void open_to_others(struct script *s)
{
    unseen(s);
    catalog_find(&s->catalog, "public", "d")->id = 0;
    s->catalog.follower_grantee = "al";
}

static void keep(struct script *s)
{
    diamond(s);
    s->settings.values[SETTING_DEPENDENTS] = REPLACE_DEPENDENTS_KEPT;
}

static void refuse(struct script *s)
{
    diamond(s);
    s->settings.values[SETTING_DEPENDENTS] = REPLACE_DEPENDENTS_REFUSED;
}

static void off(struct script *s)
{
    one_view(s);
    s->settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
}

static void namesake(struct script *s)
{
    begin(s);
    (void)catalog_add(&s->catalog, "other", "mv", "materialized view", 0);
    (void)add_view(s, "v", "SELECT mv.a AS x FROM mv, other.mv AS q");
}

/* The name alone, which means another one under the path of who created the view. */
static void namesake_by_path(struct script *s)
{
    begin(s);
    (void)catalog_add(&s->catalog, "S 2", "mv", "materialized view", 0);
    (void)catalog_add_view(&s->catalog, "\"S 2\"", "S 2", "v",
                           "SELECT q.a FROM mv AS r, public.mv AS q");
}

static void namesake_of_a_view(struct script *s)
{
    one_view(s);
    uint64_t other = catalog_add(&s->catalog, "other", "v", "table", 0)->id;
    (void)add_reader(s, "d", "materialized view", "v");
    struct catalog_object *d = catalog_find(&s->catalog, "public", "d");
    d->reads[2] = other;
    (void)snprintf(d->definition, CATALOG_TEXT,
                   "CREATE MATERIALIZED VIEW d AS SELECT v.a FROM v, other.v AS q");
}

static void with_query(struct script *s)
{
    begin(s);
    struct catalog_object *v = add_view(s, "v", "SELECT a FROM public.mv");
    (void)snprintf(v->definition, CATALOG_TEXT,
                   "CREATE VIEW v AS WITH mv AS (SELECT 1 AS a) SELECT q.a FROM mv, public.mv q");
}

static void unsafe_text(struct script *s)
{
    begin(s);
    struct catalog_object *d = add_reader(s, "d", "materialized view", "mv");
    (void)snprintf(d->definition, CATALOG_TEXT,
                   "CREATE MATERIALIZED VIEW d AS SELECT --1 AS c FROM mv");
}

static struct catalog_object *built(struct script *s)
{
    return s->catalog.swapped ? NULL : catalog_by_id(&s->catalog, s->catalog.seen_id);
}

/* Somebody reads what is being built together with the view. */
static void read_both(struct script *s)
{
    struct catalog_object *o = built(s);
    if (o != NULL && catalog_find(&s->catalog, "public", "both") == NULL) {
        struct catalog_object *both =
            catalog_add(&s->catalog, "public", "both", "view", s->catalog.target_id);
        both->reads[1] = o->id;
        both->touched = true;
        (void)snprintf(both->definition, CATALOG_TEXT,
                       "CREATE VIEW both AS SELECT mv.a FROM mv, %.300s AS q", o->name);
    }
}

static void reads_both(struct script *s)
{
    one_view(s);
    s->meanwhile = read_both;
}

static void create_late(struct script *s)
{
    if (built(s) != NULL && catalog_find(&s->catalog, "public", "late") == NULL) {
        (void)catalog_add_view(&s->catalog, usual_path, "public", "late", "SELECT a FROM v");
    }
}

static void created_meanwhile(struct script *s)
{
    one_view(s);
    s->meanwhile = create_late;
}

static void replace_v(struct script *s)
{
    struct catalog_object *v = catalog_find(&s->catalog, "public", "v");
    if (built(s) != NULL && v != NULL && v->id < s->catalog.seen_id) {
        catalog_by_id(&s->before, v->id)->touched = true;
        catalog_remove(&s->catalog, v);
        (void)catalog_add_view(&s->catalog, usual_path, "public", "v",
                               "SELECT a, 2 AS two FROM mv");
    }
}

static void replaced_meanwhile(struct script *s)
{
    one_view(s);
    s->meanwhile = replace_v;
}

static void creating_job(struct script *s)
{
    one_view(s);
    s->catalog.jobs[0] = "CREATE MATERIALIZED VIEW j AS SELECT a FROM mv";
}

static void keep_old(struct script *s)
{
    chain(s);
    s->settings.values[SETTING_KEEP_OLD] = 3600000;
}

/* The view that is replaced is a plain one. */
static void replace_view(struct script *s)
{
    begin(s);
    struct catalog_object *x = catalog_by_id(&s->catalog, s->catalog.target_id);
    (void)snprintf(x->kind, sizeof(x->kind), "view");
    (void)snprintf(x->definition, CATALOG_TEXT, "CREATE VIEW mv AS SELECT 1 AS a FROM t");
    catalog_grant(x, "bob", "root", true);
    s->text = "CREATE OR REPLACE VIEW mv AS SELECT a FROM t";
}

static void replace_view_read_by_views(struct script *s)
{
    replace_view(s);
    (void)add_view(s, "v", "SELECT a FROM mv");
    (void)add_view(s, "w", "SELECT a FROM v");
}

static void replace_view_read_by_all(struct script *s)
{
    replace_view_read_by_views(s);
    (void)add_reader(s, "d", "materialized view", "mv");
    (void)add_reader(s, "e", "materialized view", "w");
}

static void replace_view_off(struct script *s)
{
    replace_view(s);
    s->settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
}

static void create_view_first(struct script *s)
{
    begin(s);
    *catalog_by_id(&s->catalog, s->catalog.target_id) = (struct catalog_object){0};
    s->catalog.target_id = 0;
    s->text = "CREATE OR REPLACE VIEW mv AS SELECT a FROM t";
}

/* Its temporary name is somebody else's object already. */
static void taken_name(struct script *s)
{
    one_view(s);
    (void)add_view(s, "v_tmp_20260101_000000_000000", "SELECT a FROM t");
}

static void late_view_swap(struct script *s)
{
    chain(s);
    s->catalog.view_swap_is_late = true;
    s->catalog.swap_late_ms = 300;
}

static void refused_view(struct script *s)
{
    chain(s);
    s->catalog.follower_refusal = "Failed to run the query\n\nCaused by:\n  no such function\n";
}

/* A statement that reads the view through another one, begun long after the view's name was swapped
 * and just before that one's is. */
static void begin_reading(struct script *s)
{
    struct catalog_process *p = &s->catalog.processes[0];
    const struct catalog_object *v =
        catalog_find(&s->catalog, "public", "v1_tmp_20260101_000000_000000");
    if (p->ends_ms == 0 && v != NULL && v->ours) {
        *p = (struct catalog_process){.info = "SELECT * FROM v1",
                                      .began_ms = s->catalog.now_ms,
                                      .ends_ms = s->catalog.now_ms + 4000,
                                      .reads = s->catalog.target_id};
    }
}

static void reader_through_a_view(struct script *s)
{
    chain(s);
    s->meanwhile = begin_reading;
    for (size_t i = 0; i < 8; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "w%zu", i);
        (void)add_view(s, name, "SELECT a FROM mv");
    }
}

/* What earlier replacements left of views, in two schemas; one is read by another. */
static void left_views(struct script *s)
{
    one_view(s);
    struct catalog_object *o = catalog_add_view(&s->catalog, usual_path, "public",
                                                "v_tmp_20250101_000000_000001", "SELECT a FROM t");
    script_remember(s, o, 0);
    o = catalog_add_view(&s->catalog, usual_path, "other", "w_tmp_20250101_000000_000001",
                         "SELECT a FROM v_tmp_20250101_000000_000001");
    script_remember(s, o, 0);
}

/* The old self of a view in another schema stays, since something reads it. */
static void other_schema(struct script *s)
{
    begin(s);
    (void)catalog_add_view(&s->catalog, usual_path, "S 2", "v", "SELECT a FROM mv");
    struct catalog_object *d = catalog_add(&s->catalog, "public", "d", "materialized view",
                                           catalog_find(&s->catalog, "S 2", "v")->id);
    d->reads[1] = s->catalog.target_id;
    (void)snprintf(d->definition, CATALOG_TEXT,
                   "CREATE MATERIALIZED VIEW d AS SELECT a FROM \"S 2\".v");
}

static void plan_of(struct script *s, void (*prepare)(struct script *s))
{
    prepare(s);
    s->mode = REPLACE_PLAN;
}

#define PLAN(prepare_)                                                                             \
    static void plan_##prepare_(struct script *s)                                                  \
    {                                                                                              \
        plan_of(s, prepare_);                                                                      \
    }

PLAN(chain)
PLAN(materialized_views)
PLAN(sink_on_a_view)
PLAN(keep)
PLAN(refuse)
PLAN(off)
PLAN(namesake)
PLAN(keep_old)
PLAN(creating_job)
PLAN(unseen)
PLAN(owned_by_somebody_else)
PLAN(replace_view_read_by_all)
PLAN(replace_view_off)
PLAN(create_view_first)

#define SCENARIO(name_, prepare_) SCENARIO_OF("dependents: ", name_, prepare_)

const struct scenario dependent_scenarios[] = {
    SCENARIO("one view", one_view),
    SCENARIO("one view, 2.2", one_view_22),
    SCENARIO("a chain", chain),
    SCENARIO("a diamond", diamond),
    SCENARIO("grants and owner", grants_and_owner),
    SCENARIO("another search_path", other_path),
    SCENARIO("no search_path", no_path),
    SCENARIO("reads more", reads_more),
    SCENARIO("a lost column", lost_column),
    SCENARIO("star", star),
    SCENARIO("star, a lost column", star_without_its_column),
    SCENARIO("materialized views", materialized_views),
    SCENARIO("sink and subscription", sinks),
    SCENARIO("sink on a view", sink_on_a_view),
    SCENARIO("unseen", unseen),
    SCENARIO("owned by somebody else", owned_by_somebody_else),
    SCENARIO("open to others", open_to_others),
    SCENARIO("keep", keep),
    SCENARIO("refuse", refuse),
    SCENARIO("off", off),
    SCENARIO("namesake", namesake),
    SCENARIO("namesake by the search_path", namesake_by_path),
    SCENARIO("namesake of a view", namesake_of_a_view),
    SCENARIO("WITH query", with_query),
    SCENARIO("unsafe text", unsafe_text),
    SCENARIO("reads both", reads_both),
    SCENARIO("created meanwhile", created_meanwhile),
    SCENARIO("replaced meanwhile", replaced_meanwhile),
    SCENARIO("creating job", creating_job),
    SCENARIO("keep_old", keep_old),
    SCENARIO("of a view", replace_view),
    SCENARIO("views of a view", replace_view_read_by_views),
    SCENARIO("all of a view", replace_view_read_by_all),
    SCENARIO("of a view, off", replace_view_off),
    SCENARIO("a view is created", create_view_first),
    SCENARIO("a taken name", taken_name),
    SCENARIO("a late swap of a view", late_view_swap),
    SCENARIO("a view is refused", refused_view),
    SCENARIO("a reader through a view", reader_through_a_view),
    SCENARIO("views were left", left_views),
    SCENARIO("another schema", other_schema),
    SCENARIO("plan of a chain", plan_chain),
    SCENARIO("plan of materialized views", plan_materialized_views),
    SCENARIO("plan of a sink on a view", plan_sink_on_a_view),
    SCENARIO("plan of keep", plan_keep),
    SCENARIO("plan of refuse", plan_refuse),
    SCENARIO("plan of off", plan_off),
    SCENARIO("plan of a hazard", plan_namesake),
    SCENARIO("plan of keep_old", plan_keep_old),
    SCENARIO("plan of a creating job", plan_creating_job),
    SCENARIO("plan of unseen", plan_unseen),
    SCENARIO("plan of owned by somebody else", plan_owned_by_somebody_else),
    SCENARIO("plan of all of a view", plan_replace_view_read_by_all),
    SCENARIO("plan of a view, off", plan_replace_view_off),
    SCENARIO("plan of a view that is created", plan_create_view_first),
};
const size_t num_dependent_scenarios = sizeof(dependent_scenarios) / sizeof(dependent_scenarios[0]);
