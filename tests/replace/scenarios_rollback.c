/*
 * scenarios_rollback: the way back to what earlier replacements have kept. See scenarios.h. The
 * file is long because it is one list of scenarios, each a few lines.
 */
#include "scenarios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600000 };

static const char usual_path[] = "\"$user\", public";
/* Of replacements, each later than the one before. */
static const char *const stamps[] = {"20250101_000000_000001", "20250202_000000_000002",
                                     "20250303_000000_000003"};

static struct catalog_object *mv(struct script *s)
{
    return catalog_by_id(&s->catalog, s->catalog.target_id);
}

/* What is to be gone back to. */
static struct catalog_object *kept(struct script *s)
{
    return catalog_by_id(&s->catalog, s->catalog.predecessor_id);
}

/* The num-th that was kept, from 0. */
static struct catalog_object *kept_at(struct script *s, size_t num)
{
    char name[CATALOG_NAME];
    (void)snprintf(name, sizeof(name), "mv_tmp_%s", stamps[num]);
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

/* So many were live before, each younger than the one before it: ids grow. The last one is what
 * has to be gone back to. */
static void begin(struct script *s, unsigned minor, size_t num)
{
    script_init(s, 2, minor);
    s->rollback = true;
    (void)add_view(s, "their_view", "SELECT a FROM t");
    uint64_t t = catalog_find(&s->catalog, "public", "t")->id;
    for (size_t i = 0; i < num; i++) {
        (void)snprintf(mv(s)->name, CATALOG_NAME, "mv_tmp_%s", stamps[i]);
        s->catalog.predecessor_id = s->catalog.target_id;
        s->catalog.target_id = catalog_add(&s->catalog, "public", "mv", "materialized view", t)->id;
    }
}

/* The process remembers it as kept on purpose. */
static void one(struct script *s)
{
    begin(s, 7, 1);
    script_remember(s, kept(s), script_now_us(s) + (uint64_t)HOUR_MS * 1000);
}

static void one_22(struct script *s)
{
    begin(s, 2, 1);
    script_remember(s, kept(s), 0);
}

/* The process has been started since. */
static void not_remembered(struct script *s)
{
    begin(s, 7, 1);
}

static void several(struct script *s)
{
    begin(s, 7, 3);
    script_remember(s, kept_at(s, 0), 0);
    script_remember(s, kept_at(s, 1), script_now_us(s) + (uint64_t)HOUR_MS * 1000);
    script_remember(s, kept_at(s, 2), script_now_us(s) + (uint64_t)HOUR_MS * 1000);
}

/* The newest that is remembered, not the newest: that may be a build that was broken off. */
static void one_of_several_remembered(struct script *s)
{
    begin(s, 7, 3);
    s->catalog.predecessor_id = kept_at(s, 1)->id;
    script_remember(s, kept_at(s, 0), 0);
    script_remember(s, kept_at(s, 1), 0);
}

static void several_not_remembered(struct script *s)
{
    begin(s, 7, 2);
}

/* A build, between the one before the last and the last, which was never live: younger than what
 * the last one has replaced, but its stamp is older. */
static void broken_off(struct script *s)
{
    begin(s, 7, 2);
    struct catalog_object *built = kept_at(s, 0);
    struct catalog_object *last = kept_at(s, 1);
    uint64_t id = built->id;
    built->id = last->id;
    last->id = id;
    s->catalog.predecessor_id = last->id;
}

static void by_stamp(struct script *s)
{
    several(s);
    s->rollback_to = stamps[0];
    s->catalog.predecessor_id = kept_at(s, 0)->id;
}

/* Built since, and gone back from: the way forward. */
static struct catalog_object *add_younger(struct script *s)
{
    char name[CATALOG_NAME];
    uint64_t t = catalog_find(&s->catalog, "public", "t")->id;
    (void)snprintf(name, sizeof(name), "mv_tmp_%s", stamps[2]);
    return catalog_add(&s->catalog, "public", name, "materialized view", t);
}

static void younger_by_stamp(struct script *s)
{
    begin(s, 7, 1);
    struct catalog_object *younger = add_younger(s);
    script_remember(s, younger, 0);
    s->rollback_to = stamps[2];
    s->catalog.predecessor_id = younger->id;
}

static void only_younger(struct script *s)
{
    begin(s, 7, 0);
    script_remember(s, add_younger(s), 0);
}

static void none(struct script *s)
{
    begin(s, 7, 0);
}

static void none_of_that_stamp(struct script *s)
{
    begin(s, 7, 2);
    s->rollback_to = stamps[2];
    s->catalog.predecessor_id = 0;
}

static void no_view(struct script *s)
{
    begin(s, 7, 1);
    *mv(s) = (struct catalog_object){0};
    s->catalog.target_id = 0;
    s->catalog.predecessor_id = 0;
}

static void being_created(struct script *s)
{
    begin(s, 7, 1);
    kept(s)->finished_ms = 1000000;
}

/* Names that look like one: other kinds, another view's, a probe's, an old index's, another
 * schema's. */
static void others(struct script *s)
{
    begin(s, 7, 0);
    (void)catalog_add(&s->catalog, "public", "mv_tmp_20250101_000000_000001", "table", 0);
    (void)add_view(s, "mv_tmp_20250101_000000_000002", "SELECT a FROM t");
    (void)add_view(s, "mv_probe_20250101_000000_000003", "SELECT a FROM t");
    (void)catalog_add(&s->catalog, "public", "m_tmp_20250101_000000_000004", "materialized view",
                      0);
    (void)catalog_add(&s->catalog, "public", "mv_old_20250101_000000_000005", "materialized view",
                      0);
    (void)catalog_add(&s->catalog, "public", "mv_tmp_2025", "materialized view", 0);
    (void)catalog_add(&s->catalog, "S 2", "mv_tmp_20250101_000000_000006", "materialized view", 0);
}

static void belongs_to(struct script *s, const char *user)
{
    for (size_t i = 0; i < CATALOG_OBJECTS; i++) {
        (void)snprintf(s->catalog.objects[i].owner, CATALOG_WORD, "%s", user);
    }
}

/* The user owns the view, and somebody else what is kept. */
static void owned_by_somebody_else(struct script *s)
{
    one(s);
    belongs_to(s, "alice");
    s->catalog.user = "alice";
    (void)snprintf(kept(s)->owner, CATALOG_WORD, "bob");
}

static void not_the_owner(struct script *s)
{
    one(s);
    s->catalog.user = "alice";
}

static void plain_view(struct script *s)
{
    begin(s, 7, 1);
    (void)snprintf(kept(s)->kind, sizeof(kept(s)->kind), "view");
    (void)snprintf(kept(s)->definition, CATALOG_TEXT, "CREATE VIEW %.200s AS SELECT a FROM t",
                   kept(s)->name);
    (void)snprintf(mv(s)->kind, sizeof(mv(s)->kind), "view");
    (void)snprintf(mv(s)->definition, CATALOG_TEXT, "CREATE VIEW mv AS SELECT 1 AS a FROM t");
    (void)add_view(s, "v", "SELECT a FROM mv");
    catalog_grant(mv(s), "bob", "root", true);
    script_remember(s, kept(s), 0);
}

/* The view was of another kind before. */
static void was_a_plain_view(struct script *s)
{
    begin(s, 7, 1);
    (void)snprintf(kept(s)->kind, sizeof(kept(s)->kind), "view");
    script_remember(s, kept(s), 0);
    s->catalog.predecessor_id = 0;
}

/* Since then the view was given to another owner, with other grants and comments. */
static void rich(struct script *s)
{
    one(s);
    catalog_grant(kept(s), "dave", "root", false);
    (void)snprintf(kept(s)->parallelism, CATALOG_WORD, "FIXED(4)");
    scenario_enrich(s);
    (void)snprintf(mv(s)->owner, CATALOG_WORD, "alice");
    /* What a replacement leaves of the names of indexes. */
    uint64_t live = s->catalog.target_id;
    s->catalog.target_id = s->catalog.predecessor_id;
    (void)snprintf(catalog_add_index(&s->catalog, "mv_i_old_20250202_000000_000002")->definition,
                   CATALOG_TEXT, "CREATE INDEX mv_i ON mv(a DESC)");
    (void)snprintf(
        catalog_add_index(&s->catalog, "My Index_old_20250202_000000_000002")->definition,
        CATALOG_TEXT, "CREATE INDEX \"My Index\" ON mv(a) INCLUDE(a)");
    s->catalog.target_id = live;
    struct catalog_object *old =
        catalog_find(&s->catalog, "public", "mv_i_old_20250202_000000_000002");
    (void)snprintf(old->comment, CATALOG_WORD, "an index");
    old = catalog_find(&s->catalog, "public", "My Index_old_20250202_000000_000002");
    catalog_set_column(&old->columns[0], "a", "integer", "of an index");
}

/* It was created since. */
static void missing_index(struct script *s)
{
    rich(s);
    (void)catalog_add_index(&s->catalog, "mv_since");
}

static void keep_old(struct script *s)
{
    several(s);
    s->settings.values[SETTING_KEEP_OLD] = HOUR_MS;
}

static void views(struct script *s)
{
    one(s);
    (void)add_view(s, "v2", "SELECT a AS y, 1 AS one FROM mv");
    (void)add_view(s, "v1", "SELECT y FROM v2");
}

/* A view of a column that came since. */
static void lost_column(struct script *s)
{
    one(s);
    catalog_set_column(&mv(s)->columns[1], "b", "integer", "");
    (void)add_view(s, "v", "SELECT a FROM mv");
    (void)add_view(s, "w", "SELECT b FROM mv");
}

/* What could not follow then. */
static void read_by_a_sink(struct script *s)
{
    one(s);
    (void)add_view(s, "v", "SELECT a FROM mv");
    struct catalog_object *k = catalog_add(&s->catalog, "public", "k", "sink", kept(s)->id);
    (void)snprintf(k->definition, CATALOG_TEXT,
                   "CREATE SINK k FROM %.100s AS mv WITH (connector = 'blackhole')", kept(s)->name);
}

static void reads_both(struct script *s)
{
    char query[CATALOG_TEXT];
    one(s);
    (void)snprintf(query, sizeof(query), "SELECT mv.a FROM mv, %.100s AS q", kept(s)->name);
    (void)add_view(s, "both", query);
}

static void namesake(struct script *s)
{
    one(s);
    (void)catalog_add(&s->catalog, "other", "mv", "materialized view", 0);
    (void)add_view(s, "v", "SELECT mv.a AS x FROM mv, other.mv AS q");
}

/* What is live was made on top of it. */
static void live_reads_it(struct script *s)
{
    one(s);
    mv(s)->reads[0] = kept(s)->id;
    (void)snprintf(mv(s)->definition, CATALOG_TEXT,
                   "CREATE MATERIALIZED VIEW mv AS SELECT a FROM %.100s", kept(s)->name);
}

static void it_reads_live(struct script *s)
{
    one(s);
    kept(s)->reads[1] = s->catalog.target_id;
}

static void unsafe_text(struct script *s)
{
    one(s);
    (void)snprintf(kept(s)->definition, CATALOG_TEXT,
                   "CREATE MATERIALIZED VIEW x AS SELECT --1 AS a");
}

/* Nothing is dropped, so nobody is waited for. */
static void readers(struct script *s)
{
    one(s);
    scenario_add_reader(s, 0, 1000000);
}

static void late_swap(struct script *s)
{
    views(s);
    s->catalog.swap_is_late = true;
    s->catalog.swap_late_ms = 1200;
}

static void hooks(struct script *s)
{
    static char check[] = "SELECT ok FROM {new}, {old}";
    static char after_swap[] = "NOTIFY x";
    one(s);
    s->settings.sql[0] = check;
    s->settings.sql[2] = after_swap;
    s->catalog.hooks[0] = (struct catalog_hook){.begins = "SELECT ok", .num_rows = 1, .cell = "t"};
    s->catalog.hooks[1] = (struct catalog_hook){.begins = after_swap};
}

static void plan(struct script *s)
{
    rich(s);
    (void)add_view(s, "v", "SELECT a FROM mv");
    s->mode = REPLACE_PLAN;
}

static void plan_keep_old(struct script *s)
{
    keep_old(s);
    s->mode = REPLACE_PLAN;
}

static void plan_of_a_view(struct script *s)
{
    plain_view(s);
    s->mode = REPLACE_PLAN;
}

static void plan_none(struct script *s)
{
    none(s);
    s->mode = REPLACE_PLAN;
}

#define SCENARIO(name_, prepare_) SCENARIO_OF("rollback: ", name_, prepare_)

const struct scenario rollback_scenarios[] = {
    SCENARIO("one", one),
    SCENARIO("one, 2.2", one_22),
    SCENARIO("not remembered", not_remembered),
    SCENARIO("several", several),
    SCENARIO("one of several remembered", one_of_several_remembered),
    SCENARIO("several not remembered", several_not_remembered),
    SCENARIO("broken off meanwhile", broken_off),
    SCENARIO("by stamp", by_stamp),
    SCENARIO("a younger one by stamp", younger_by_stamp),
    SCENARIO("only a younger one", only_younger),
    SCENARIO("none", none),
    SCENARIO("none of that stamp", none_of_that_stamp),
    SCENARIO("no view", no_view),
    SCENARIO("being created", being_created),
    SCENARIO("others of such names", others),
    SCENARIO("owned by somebody else", owned_by_somebody_else),
    SCENARIO("not the owner", not_the_owner),
    SCENARIO("a plain view", plain_view),
    SCENARIO("was a plain view", was_a_plain_view),
    SCENARIO("rich", rich),
    SCENARIO("an index is missing", missing_index),
    SCENARIO("keep_old", keep_old),
    SCENARIO("views", views),
    SCENARIO("a lost column", lost_column),
    SCENARIO("read by a sink", read_by_a_sink),
    SCENARIO("reads both", reads_both),
    SCENARIO("namesake", namesake),
    SCENARIO("what is live reads it", live_reads_it),
    SCENARIO("it reads what is live", it_reads_live),
    SCENARIO("unsafe text", unsafe_text),
    SCENARIO("readers", readers),
    SCENARIO("a late swap", late_swap),
    SCENARIO("hooks", hooks),
    SCENARIO("plan", plan),
    SCENARIO("plan of keep_old", plan_keep_old),
    SCENARIO("plan of a view", plan_of_a_view),
    SCENARIO("plan of none", plan_none),
};
const size_t num_rollback_scenarios = sizeof(rollback_scenarios) / sizeof(rollback_scenarios[0]);
