/*
 * Every allocation of the engine failing once, through whole runs and refused ones: nothing
 * crashes, nothing leaks, and the promise of replace.h holds, by what is on the server and by what
 * is said.
 */
#include "script.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

enum { MOST_ALLOCATIONS = 3000 };

static struct script s;

static void usual(void)
{
    script_init(&s, 2, 7);
}

static void foreground_with_owner(void)
{
    script_init(&s, 2, 2);
    s.build = REPLACE_BUILD_FOREGROUND;
    (void)snprintf(s.catalog.objects[0].owner, 64, "alice");
}

static void first_creation(void)
{
    script_init(&s, 2, 7);
    s.catalog.objects[0] = (struct catalog_object){0};
    s.catalog.target_id = 0;
}

static void refused_early(void)
{
    script_init(&s, 2, 7);
    (void)catalog_add(&s.catalog, "public", "i", "index", s.catalog.target_id);
}

static void refused_late(void)
{
    script_init(&s, 2, 7);
    s.catalog.build_reads[0] = s.catalog.target_id;
}

static void cancelled_while_building(void)
{
    script_init(&s, 2, 2);
    s.catalog.build_ms = 100000;
    s.faults[0] = (struct script_fault){.at = 16, .fault = FAULT_CANCEL};
}

static void taken_name(void)
{
    script_init(&s, 2, 6);
    s.catalog.names_taken = 1;
}

static void lost_in_the_swap(void)
{
    script_init(&s, 2, 7);
    s.faults[0] = (struct script_fault){.at = 26, .fault = FAULT_LOST_AFTER};
}

static const struct {
    const char *name;
    void (*prepare)(void);
} runs[] = {
    {"whole run", usual},
    {"foreground, another owner", foreground_with_owner},
    {"first creation", first_creation},
    {"refused early", refused_early},
    {"refused late", refused_late},
    {"cancelled while building", cancelled_while_building},
    {"a taken name", taken_name},
    {"lost in the swap", lost_in_the_swap},
};

static size_t fail_each(size_t run, bool for_one_call)
{
    size_t nth = 1;
    for (; nth < MOST_ALLOCATIONS; nth++) {
        runs[run].prepare();
        s.memory_fails_at = nth;
        s.memory_fails_for_one_call = for_one_call;
        script_run(&s);
        if (!s.made) {
            cr_expect(script_unchanged(&s));
            continue;
        }
        cr_expect(script_kept_promise(&s), "%s, allocation %zu of the engine, in \"%s\": %s",
                  runs[run].name, nth, s.num_requests != 0 ? s.steps[s.num_requests - 1] : "",
                  s.problem);
        if (!for_one_call && s.num_allocations < nth) {
            break;
        }
        if (for_one_call && s.num_allocations != 0 && s.num_allocations < nth) {
            break;
        }
    }
    return nth;
}

Test(replace_memory, none_is_left)
{
    for (size_t run = 0; run < sizeof(runs) / sizeof(runs[0]); run++) {
        size_t num = fail_each(run, false);
        cr_expect(lt(sz, num, MOST_ALLOCATIONS));
        (void)printf("%s: %zu allocations\n", runs[run].name, num - 1);
    }
}

Test(replace_memory, there_is_some_again)
{
    for (size_t run = 0; run < sizeof(runs) / sizeof(runs[0]); run++) {
        size_t num = fail_each(run, true);
        cr_expect(lt(sz, num, MOST_ALLOCATIONS));
    }
}
