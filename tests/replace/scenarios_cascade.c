/*
 * scenarios_cascade: replacements of a view behind which the materialized views that read it are
 * rebuilt. See scenarios.h.
 */
#include "scenarios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usual_path[] = "\"$user\", public";

static struct catalog_object *find(struct script *s, const char *name)
{
    return catalog_find(&s->catalog, "public", name);
}

static struct catalog_object *add_view(struct script *s, const char *name, const char *query)
{
    struct catalog_object *o = catalog_add_view(&s->catalog, usual_path, "public", name, query);
    if (o == NULL) {
        abort();
    }
    return o;
}

/* A materialized view, with what its query reads under the path. */
static struct catalog_object *add_under(struct script *s, const char *path, const char *schema,
                                        const char *name, const char *query)
{
    struct catalog_object *o = catalog_add_view(&s->catalog, path, schema, name, query);
    if (o == NULL) {
        abort();
    }
    (void)snprintf(o->kind, sizeof(o->kind), "materialized view");
    (void)snprintf(o->definition, CATALOG_TEXT, "CREATE MATERIALIZED VIEW %.100s AS %.700s", name,
                   query);
    return o;
}

static struct catalog_object *add(struct script *s, const char *name, const char *query)
{
    return add_under(s, usual_path, "public", name, query);
}

static void begin(struct script *s)
{
    script_init(s, 2, 7);
    s->settings.values[SETTING_DEPENDENTS] = REPLACE_DEPENDENTS_CASCADE;
    (void)add_view(s, "their_view", "SELECT a FROM t");
}

static void one(struct script *s)
{
    begin(s);
    (void)add(s, "m", "SELECT a FROM mv");
}

static void one_22(struct script *s)
{
    one(s);
    s->catalog.minor = 2;
    s->catalog.listing = LISTING_BARE;
}

static void chain(struct script *s)
{
    one(s);
    (void)add(s, "n", "SELECT a FROM m");
    (void)add_view(s, "over", "SELECT a FROM n");
}

static void diamond(struct script *s)
{
    begin(s);
    (void)add(s, "l", "SELECT a FROM mv");
    (void)add(s, "r", "SELECT q.a FROM public.mv AS q JOIN t ON t.a = q.a");
    (void)add(s, "top", "SELECT l.a AS x, r.a AS y FROM l, r, mv");
}

/* A plain view is moved for each of the two, the second time as what it is by then. */
static void view_of_two(struct script *s)
{
    begin(s);
    (void)add(s, "l", "SELECT a FROM mv");
    (void)add(s, "r", "SELECT a FROM mv");
    (void)add_view(s, "v", "SELECT l.a AS x, r.a AS y FROM l, r");
}

static void views_between(struct script *s)
{
    begin(s);
    (void)add_view(s, "v", "SELECT a FROM mv");
    (void)add(s, "m", "SELECT a FROM v");
    (void)add_view(s, "w", "SELECT a, 1 AS one FROM m");
    (void)add(s, "n", "SELECT a FROM w");
}

static void rich(struct script *s)
{
    one(s);
    struct catalog_object *m = find(s, "m");
    (void)snprintf(m->owner, CATALOG_WORD, "alice");
    (void)snprintf(m->comment, CATALOG_WORD, "it's m");
    (void)snprintf(m->parallelism, CATALOG_WORD, "FIXED(4)");
    catalog_grant(m, "bob", "root", true);
    struct catalog_object *index = catalog_add_index(&s->catalog, "m_i");
    index->reads[0] = m->id;
    (void)snprintf(index->definition, CATALOG_TEXT, "CREATE INDEX m_i ON m(a)");
    (void)snprintf(index->comment, CATALOG_WORD, "an index");
}

/* Under the session's path its names mean something else. */
static void other_path(struct script *s)
{
    begin(s);
    (void)catalog_add(&s->catalog, "public", "u", "table", 0);
    (void)catalog_add(&s->catalog, "S 2", "u", "table", 0);
    (void)add_under(s, "\"S 2\", public", "S 2", "m", "SELECT mv.a FROM mv JOIN u ON u.a = mv.a");
}

static void no_path(struct script *s)
{
    begin(s);
    (void)catalog_add(&s->catalog, "public", "u", "table", 0);
    uint64_t u = catalog_add(&s->catalog, "gone", "u", "table", 0)->id;
    add(s, "m", "SELECT mv.a FROM mv JOIN u ON u.a = mv.a")->reads[1] = u;
    (void)add(s, "n", "SELECT a FROM m");
}

/* What the new view has lost. */
static void lost_column(struct script *s)
{
    begin(s);
    (void)add(s, "l", "SELECT a FROM mv");
    catalog_set_column(&s->catalog.build_columns[1], "b", "integer", "");
    struct catalog_object *mv = catalog_by_id(&s->catalog, s->catalog.target_id);
    catalog_set_column(&mv->columns[1], "c", "integer", "");
    (void)add(s, "m", "SELECT c FROM mv");
    (void)add(s, "n", "SELECT c FROM m");
}

static void refused(struct script *s)
{
    diamond(s);
    (void)add(s, "n", "SELECT a FROM r");
    s->catalog.rebuild_refused = "l";
}

static void sink_below(struct script *s)
{
    one(s);
    struct catalog_object *k = catalog_add(&s->catalog, "public", "k", "sink", find(s, "m")->id);
    (void)snprintf(k->definition, CATALOG_TEXT,
                   "CREATE SINK k FROM m WITH (connector = 'blackhole')");
}

static void own_all(struct script *s, const char *user)
{
    s->catalog.user = user;
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        (void)snprintf(s->catalog.objects[i].owner, CATALOG_WORD, "%s", user);
    }
}

static void owned_by_somebody_else(struct script *s)
{
    begin(s);
    (void)add(s, "l", "SELECT a FROM mv");
    (void)add(s, "m", "SELECT a FROM mv");
    (void)add(s, "n", "SELECT a FROM l");
    own_all(s, "alice");
    (void)snprintf(find(s, "l")->owner, CATALOG_WORD, "bob");
}

static void keep_old(struct script *s)
{
    chain(s);
    s->settings.values[SETTING_KEEP_OLD] = 3600000;
}

static void of_a_view(struct script *s)
{
    begin(s);
    struct catalog_object *x = catalog_by_id(&s->catalog, s->catalog.target_id);
    (void)snprintf(x->kind, sizeof(x->kind), "view");
    (void)snprintf(x->definition, CATALOG_TEXT, "CREATE VIEW mv AS SELECT 1 AS a FROM t");
    (void)add(s, "m", "SELECT a FROM mv");
    s->text = "CREATE OR REPLACE VIEW mv AS SELECT a FROM t";
}

/* A statement that reads an old self, until long after. */
static void reader(struct script *s)
{
    chain(s);
    s->settings.values[SETTING_DRAIN] = 2000;
    s->catalog.processes[0] = (struct catalog_process){
        .info = "SELECT * FROM m", .began_ms = 0, .ends_ms = 1000000, .reads = find(s, "m")->id};
}

/* Somebody drops it just before its turn. */
static void drop_n(struct script *s)
{
    struct catalog_object *n = find(s, "n");
    if (s->catalog.swapped && n != NULL && !catalog_is_temporary(n->name, TEMP_BUILD)) {
        catalog_by_id(&s->before, n->id)->touched = true;
        catalog_remove(&s->catalog, n);
    }
}

static void dropped_meanwhile(struct script *s)
{
    one(s);
    (void)add(s, "n", "SELECT a FROM mv");
    s->meanwhile = drop_n;
}

static void rollback(struct script *s)
{
    chain(s);
    uint64_t t = find(s, "t")->id;
    struct catalog_object *kept = catalog_add(&s->catalog, "public", "x", "materialized view", t);
    /* Older than what is live. */
    uint64_t id = kept->id;
    kept->id = 5;
    (void)snprintf(kept->name, CATALOG_NAME, "mv_tmp_20250101_000000_000001");
    s->catalog.next_id = id;
    s->catalog.predecessor_id = kept->id;
    s->rollback = true;
    script_remember(s, kept, 0);
}

static void plan(struct script *s)
{
    sink_below(s);
    (void)add(s, "n", "SELECT a FROM m");
    s->mode = REPLACE_PLAN;
}

static void plan_of_rollback(struct script *s)
{
    rollback(s);
    s->mode = REPLACE_PLAN;
}

#define SCENARIO(name_, prepare_) SCENARIO_OF("cascade: ", name_, prepare_)

const struct scenario cascade_scenarios[] = {
    SCENARIO("one", one),
    SCENARIO("one, 2.2", one_22),
    SCENARIO("a chain", chain),
    SCENARIO("a diamond", diamond),
    SCENARIO("a view of two", view_of_two),
    SCENARIO("views between", views_between),
    SCENARIO("rich", rich),
    SCENARIO("another search_path", other_path),
    SCENARIO("no search_path", no_path),
    SCENARIO("a lost column", lost_column),
    SCENARIO("one is refused", refused),
    SCENARIO("a sink below", sink_below),
    SCENARIO("owned by somebody else", owned_by_somebody_else),
    SCENARIO("keep_old", keep_old),
    SCENARIO("of a view", of_a_view),
    SCENARIO("a reader", reader),
    SCENARIO("dropped meanwhile", dropped_meanwhile),
    SCENARIO("rollback", rollback),
    SCENARIO("plan", plan),
    SCENARIO("plan of a rollback", plan_of_rollback),
};
const size_t num_cascade_scenarios = sizeof(cascade_scenarios) / sizeof(cascade_scenarios[0]);
