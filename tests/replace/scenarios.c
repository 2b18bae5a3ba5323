/* scenarios: see scenarios.h. */
#include "scenarios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct catalog_object *mv(struct script *s)
{
    return catalog_by_id(&s->catalog, s->catalog.target_id);
}

void scenario_enrich(struct script *s)
{
    struct catalog_object *view = mv(s);
    catalog_set_column(&view->columns[0], "a", "integer", "the a");
    catalog_set_column(&view->columns[1], "_rw_timestamp", "timestamp with time zone", "");
    view->columns[1].hidden = true;
    (void)snprintf(view->comment, CATALOG_WORD, "it's a view");
    catalog_grant(view, "bob", "root", false);
    catalog_grant(view, "carol", "root", true);
    catalog_grant(view, "bob", "carol", true);
    struct catalog_object *index = catalog_add_index(&s->catalog, "mv_i");
    (void)snprintf(index->comment, CATALOG_WORD, "an index");
    /* Before 2.5 an index whose name needs quotes is refused. */
    bool quotes = s->catalog.major > 2 || s->catalog.minor >= 5;
    index = catalog_add_index(&s->catalog, quotes ? "My Index" : "other_index");
    catalog_set_column(&index->columns[0], "a", "integer", "of an index");
    (void)snprintf(index->definition, CATALOG_TEXT,
                   "CREATE INDEX \"My Index\" ON mv_tmp_20250101_000000_000000(a) INCLUDE(a)");
}

void scenario_unchanged(struct script *s)
{
    (void)snprintf(mv(s)->definition, CATALOG_TEXT,
                   "CREATE MATERIALIZED VIEW mv AS SELECT t.a AS a FROM t");
    s->text = "create or replace materialized view mv as select t.a from t";
}

void scenario_add_reader(struct script *s, uint64_t began_ms, uint64_t ends_ms)
{
    for (size_t i = 0; i < CATALOG_PROCESSES; i++) {
        struct catalog_process *p = &s->catalog.processes[i];
        if (p->ends_ms == 0) {
            *p = (struct catalog_process){.info = "SELECT * FROM mv",
                                          .began_ms = began_ms,
                                          .ends_ms = ends_ms,
                                          .reads = s->catalog.target_id};
            return;
        }
    }
    abort();
}

static void background_27(struct script *s)
{
    script_init(s, 2, 7);
}

static void foreground_30(struct script *s)
{
    script_init(s, 3, 0);
    s->settings.values[SETTING_BUILD] = REPLACE_BUILD_FOREGROUND;
    s->catalog.background_ddl = true;
}

static void slow_to_be_seen(struct script *s)
{
    script_init(s, 2, 8);
    s->catalog.seen_after_ms = 300;
    s->catalog.build_ms = 400;
}

static void other_owner_22(struct script *s)
{
    script_init(s, 2, 2);
    (void)snprintf(mv(s)->owner, CATALOG_WORD, "alice");
}

static void first_creation(struct script *s)
{
    script_init(s, 2, 7);
    *mv(s) = (struct catalog_object){0};
    s->catalog.target_id = 0;
}

static void taken_name(struct script *s)
{
    script_init(s, 2, 7);
    s->catalog.names_taken = 1;
}

static void taken_names(struct script *s)
{
    script_init(s, 2, 7);
    s->catalog.names_taken = 9;
}

static void undone_at_the_end(struct script *s)
{
    script_init(s, 2, 7);
    s->catalog.build_definition = "CREATE MATERIALIZED VIEW x AS SELECT --1 AS c";
}

static void builds_for_ever_22(struct script *s)
{
    script_init(s, 2, 2);
    s->catalog.build_ms = 100000;
}

static void unseen_for_long(struct script *s)
{
    script_init(s, 2, 7);
    s->catalog.seen_after_ms = 700;
    s->catalog.build_ms = 100000;
}

static void rich_27(struct script *s)
{
    script_init(s, 2, 7);
    scenario_enrich(s);
}

static void rich_22(struct script *s)
{
    script_init(s, 2, 2);
    scenario_enrich(s);
    (void)snprintf(mv(s)->owner, CATALOG_WORD, "alice");
}

static void rich_30(struct script *s)
{
    foreground_30(s);
    scenario_enrich(s);
    (void)snprintf(mv(s)->parallelism, CATALOG_WORD, "FIXED(4)");
    (void)snprintf(mv(s)->resource_group, CATALOG_WORD, "it's mine");
}

static void default_privileges(struct script *s)
{
    script_init(s, 2, 8);
    catalog_grant(mv(s), "bob", "root", true);
    s->catalog.default_grantees[0] = "al";
    s->catalog.default_grantees[1] = "bob";
}

static void keeps_old(struct script *s)
{
    rich_27(s);
    s->settings.values[SETTING_KEEP_OLD] = 3600000;
}

/* Four objects that earlier replacements left: due and in another schema, not yet, renamed by
 * somebody, read by another view. */
static void leftovers(struct script *s)
{
    static const char *const names[] = {
        "mv_tmp_20250101_000000_000001", "mv_tmp_20250101_000000_000002",
        "mv_tmp_20250101_000000_000003", "mv_tmp_20250101_000000_000004"};
    script_init(s, 2, 7);
    for (size_t i = 0; i < 4; i++) {
        struct catalog_object *o =
            catalog_add(&s->catalog, i == 0 ? "other" : "public", names[i], "materialized view", 0);
        script_remember(s, o, i == 1 ? script_now_us(s) + 3600000000 : 0);
        if (i == 2) {
            o->touched = true;
            o->left = false;
            (void)snprintf(o->name, CATALOG_NAME, "kept_by_somebody");
        }
        if (i == 3) {
            (void)catalog_add(&s->catalog, "public", "reader", "view", o->id);
        }
    }
}

static void zero_downtime_off(struct script *s)
{
    rich_27(s);
    s->settings.values[SETTING_ZERO_DOWNTIME] = REPLACE_ZERO_DOWNTIME_OFF;
}

static void readers_that_end(struct script *s)
{
    script_init(s, 2, 7);
    scenario_add_reader(s, 0, 2500);
    scenario_add_reader(s, 0, 1500);
}

static void readers_that_do_not(struct script *s)
{
    script_init(s, 2, 7);
    s->settings.values[SETTING_DRAIN] = 2000;
    scenario_add_reader(s, 0, 100000);
}

static void unchanged(struct script *s)
{
    script_init(s, 2, 7);
    scenario_unchanged(s);
}

static void unchanged_but_rebuilt(struct script *s)
{
    unchanged(s);
    s->settings.values[SETTING_UNCHANGED] = REPLACE_UNCHANGED_REBUILDS;
}

static void plan(struct script *s)
{
    rich_27(s);
    (void)snprintf(mv(s)->owner, CATALOG_WORD, "alice");
    s->mode = REPLACE_PLAN;
}

static void plan_off(struct script *s)
{
    zero_downtime_off(s);
    s->mode = REPLACE_PLAN;
}

static void slow_index(struct script *s)
{
    rich_27(s);
    s->catalog.index_build_ms = 100000;
}

static void slow_index_26(struct script *s)
{
    script_init(s, 2, 6);
    scenario_enrich(s);
    s->catalog.index_build_ms = 100000;
}

static void recovery(struct script *s)
{
    foreground_30(s);
    s->catalog.recoveries = 1;
    s->catalog.recovers_until_ms = 2500;
}

static void hooks(struct script *s)
{
    static char check[] = "SELECT ok FROM {new}, {old}";
    static char before_build[] = "SET x = 1";
    static char after_swap[] = "NOTIFY x";
    rich_27(s);
    s->settings.sql[0] = check;
    s->settings.sql[1] = before_build;
    s->settings.sql[2] = after_swap;
    s->catalog.hooks[0] = (struct catalog_hook){.begins = "SELECT ok", .num_rows = 1, .cell = "t"};
    s->catalog.hooks[1] = (struct catalog_hook){.begins = before_build};
    s->catalog.hooks[2] = (struct catalog_hook){.begins = after_swap};
}

static void late_swap(struct script *s)
{
    rich_27(s);
    s->catalog.swap_is_late = true;
    s->catalog.swap_late_ms = 1200;
}

static void index_with_a_temporary_name(struct script *s)
{
    script_init(s, 2, 7);
    (void)catalog_add_index(&s->catalog, "mv_i_tmp_20250101_000000_000000");
}

static void job_config(struct script *s)
{
    script_init(s, 3, 0);
    (void)snprintf(mv(s)->parallelism, CATALOG_WORD, "bounded(64)");
    s->catalog.job_config[0][0] = "streaming.developer.chunk_size";
    s->catalog.job_config[0][1] = "512";
}

static void full(struct script *s)
{
    script_init(s, 2, 7);
    s->slots_full = true;
}

static void refused_probe(struct script *s)
{
    script_init(s, 2, 7);
    s->catalog.probe_refusal = "Failed to run the query\n\nCaused by:\n  views take no EMIT\n";
}

static void unseen_probe(struct script *s)
{
    script_init(s, 2, 7);
    s->catalog.probe_unseen = true;
}

const struct scenario scenarios[] = {
    {"2.7, background", background_27, NULL, 0, FAULT_NONE},
    {"3.0, foreground", foreground_30, NULL, 0, FAULT_NONE},
    {"2.8, background, seen late", slow_to_be_seen, NULL, 0, FAULT_NONE},
    {"2.2, background, another owner", other_owner_22, NULL, 0, FAULT_NONE},
    {"2.7, first creation", first_creation, NULL, 0, FAULT_NONE},
    {"2.7, a taken name", taken_name, NULL, 0, FAULT_NONE},
    {"2.7, only taken names", taken_names, NULL, 0, FAULT_NONE},
    {"2.7, undone at the end", undone_at_the_end, NULL, 0, FAULT_NONE},
    {"2.2, undone while building", builds_for_ever_22, "poll the build", 2, FAULT_CANCEL},
    {"2.7, undone before it is seen", unseen_for_long, "build", 0, FAULT_GONE},
    {"2.7, rich", rich_27, NULL, 0, FAULT_NONE},
    {"2.2, rich", rich_22, NULL, 0, FAULT_NONE},
    {"3.0, rich, foreground", rich_30, NULL, 0, FAULT_NONE},
    {"2.8, default privileges", default_privileges, NULL, 0, FAULT_NONE},
    {"2.7, keeps the old view", keeps_old, NULL, 0, FAULT_NONE},
    {"2.7, leftovers", leftovers, NULL, 0, FAULT_NONE},
    {"2.7, zero_downtime = off", zero_downtime_off, NULL, 0, FAULT_NONE},
    {"2.7, readers that end", readers_that_end, NULL, 0, FAULT_NONE},
    {"2.7, readers that do not end", readers_that_do_not, NULL, 0, FAULT_NONE},
    {"2.7, unchanged", unchanged, NULL, 0, FAULT_NONE},
    {"2.7, unchanged but rebuilt", unchanged_but_rebuilt, NULL, 0, FAULT_NONE},
    {"2.7, plan", plan, NULL, 0, FAULT_NONE},
    {"2.7, plan, zero_downtime = off", plan_off, NULL, 0, FAULT_NONE},
    {"2.7, undone while an index is built", slow_index, "build an index", 0, FAULT_CANCEL},
    {"2.6, undone while an index is built", slow_index_26, "build an index", 0, FAULT_SHUTDOWN},
    {"3.0, the cluster recovers", recovery, NULL, 0, FAULT_NONE},
    {"2.7, hooks", hooks, NULL, 0, FAULT_NONE},
    {"2.7, a late swap", late_swap, NULL, 0, FAULT_NONE},
    {"2.7, an index with a temporary name", index_with_a_temporary_name, NULL, 0, FAULT_NONE},
    {"3.0, the configuration of a job", job_config, NULL, 0, FAULT_NONE},
    {"2.7, no slot", full, NULL, 0, FAULT_NONE},
    {"2.7, the probe is refused", refused_probe, NULL, 0, FAULT_NONE},
    {"2.7, the probe is not seen", unseen_probe, NULL, 0, FAULT_NONE},
};
const size_t num_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);

void scenario_prepare(const struct scenario *scenario, struct script *s)
{
    scenario->prepare(s);
    if (scenario->step != NULL) {
        size_t at = script_find_run(s, scenario->step, scenario->num);
        s->faults[0] = (struct script_fault){.at = at, .fault = scenario->fault};
    }
}

static const struct scenario *find_in(const struct scenario *list, size_t num, const char *name)
{
    for (size_t i = 0; i < num; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

const struct scenario *scenario_find(const char *name)
{
    const struct scenario *found = find_in(scenarios, num_scenarios, name);
    found = found != NULL ? found : find_in(dependent_scenarios, num_dependent_scenarios, name);
    found = found != NULL ? found : find_in(cascade_scenarios, num_cascade_scenarios, name);
    found = found != NULL ? found : find_in(rollback_scenarios, num_rollback_scenarios, name);
    if (found == NULL) {
        abort();
    }
    return found;
}
