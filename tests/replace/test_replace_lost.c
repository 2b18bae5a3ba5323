/*
 * Tests of what the client is told when the server connection is lost: what is known, what is not,
 * and the SQL that looks and cleans, with nobody sent to drop what is somebody else's.
 */
#include "script.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct script s;

/* Runs what was set up once to find the step, and again with the connection lost there. */
static void lose_at(const char *step, enum fault fault)
{
    size_t at = script_find_run(&s, step, 0);
    cr_assert(lt(sz, at, SCRIPT_REQUESTS), "%s", step);
    s.faults[1] = (struct script_fault){.at = at, .fault = fault};
    script_run(&s);
    cr_expect(script_kept_promise(&s), "%s: %s", step, s.problem);
    cr_expect(s.server_lost);
}

Test(replace_lost, before_anything_was_made)
{
    script_init(&s, 2, 7);
    lose_at("inspect comments", FAULT_LOST_BEFORE);
    cr_expect(eq(str, s.sqlstate, "08006"));
    cr_expect(script_says(&s, "\"public.mv\" is as it was"));
    cr_expect(not(script_says(&s, "DROP")));
}

Test(replace_lost, in_a_first_creation)
{
    script_init(&s, 2, 7);
    s.catalog.objects[0] = (struct catalog_object){0};
    s.catalog.target_id = 0;
    lose_at("create", FAULT_LOST_AFTER);
    cr_expect(eq(str, s.sqlstate, "08006"));
    cr_expect(script_says(&s, "Whether \"public.mv\" was created is not known."));
    cr_expect(not(script_says(&s, "as it was")));
}

Test(replace_lost, in_the_build)
{
    script_init(&s, 2, 7);
    lose_at("build", FAULT_LOST_AFTER);
    cr_expect(eq(str, s.sqlstate, "08006"));
    cr_expect(script_says(&s, "\"public.mv\" is as it was"));
    cr_expect(script_says(&s, "Look with: SELECT r.id, r.name"));
    cr_expect(script_says(&s, "Clean up with: DROP MATERIALIZED VIEW \"public\".\"mv_tmp_"));
}

Test(replace_lost, in_the_swap)
{
    static const enum fault faults[] = {FAULT_LOST_BEFORE, FAULT_LOST_AFTER};
    for (size_t i = 0; i < 2; i++) {
        script_init(&s, 2, 7);
        lose_at("swap", faults[i]);
        cr_expect(eq(str, s.sqlstate, "08006"));
        cr_expect(script_says(&s, "Whether the names were swapped is not known."));
        cr_expect(script_says(&s, "the id of the view before was 10, that of the new one 14"));
    }
}

Test(replace_lost, after_an_error_of_the_swap)
{
    script_init(&s, 2, 7);
    script_run(&s);
    size_t swap = script_find_step(&s, "swap", 0);
    script_init(&s, 2, 7);
    s.faults[0] = (struct script_fault){.at = swap, .fault = FAULT_ERROR_LATE};
    lose_at("ids after the swap", FAULT_LOST_BEFORE);
    cr_expect(eq(int, s.outcome, REPLACE_FAILED));
    cr_expect(eq(str, s.sqlstate, "08006"));
    cr_expect(script_says(&s, "Whether the names were swapped is not known."));
}

Test(replace_lost, after_the_swap)
{
    script_init(&s, 2, 7);
    lose_at("drop", FAULT_LOST_AFTER);
    cr_expect(script_says(&s, "The new view is live."));
}

Test(replace_lost, when_only_somebody_elses_object_is_there)
{
    script_init(&s, 2, 7);
    s.catalog.names_taken = 5;
    lose_at("undo: background_ddl", FAULT_LOST_AFTER);
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
    cr_expect(not(script_says(&s, "DROP")));
}

Test(replace_lost, when_all_was_undone)
{
    script_init(&s, 2, 7);
    s.faults[0] =
        (struct script_fault){.at = script_find_run(&s, "build", 0), .fault = FAULT_CANCEL};
    lose_at("undo: background_ddl", FAULT_LOST_AFTER);
    cr_expect(eq(str, s.sqlstate, "57014"));
    cr_expect(not(script_says(&s, "DROP")));
}

/* An error of CREATE that came although meta had taken the job on. */
static void build_answered_by(const char *error, uint64_t seen_after_ms)
{
    script_init(&s, 2, 7);
    script_run(&s);
    size_t at = script_find_step(&s, "build", 0);
    script_init(&s, 2, 7);
    s.late_error = error;
    s.catalog.seen_after_ms = seen_after_ms;
    s.catalog.build_ms = 100000;
    s.faults[0] = (struct script_fault){.at = at, .fault = FAULT_ERROR_LATE};
    script_run(&s);
    cr_expect(eq(int, s.outcome, REPLACE_FAILED_BY_SERVER));
}

static const char lost_on_the_way[] =
    "gRPC request to meta service (call `/ddl_service.DdlService/CreateMaterializedView`) failed:"
    " transport error";

Test(replace_lost, answer_of_meta_but_not_its_build)
{
    build_answered_by(lost_on_the_way, 3000);
    cr_expect(script_unchanged(&s));
    cr_expect(eq(sz, s.num_notices, 1));
}

Test(replace_lost, answer_of_meta_and_nothing_to_see)
{
    build_answered_by(lost_on_the_way, 60000);
    cr_expect(script_says(&s, "may be left in schema \"public\""));
    cr_expect(script_says(&s, "DROP MATERIALIZED VIEW \"public\".\"mv_tmp_"));
}
