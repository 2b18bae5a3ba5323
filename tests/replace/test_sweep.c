/*
 * Tests of proxy/replace/sweep.c: what is found, what becomes of it, and that nothing goes that
 * must stay, whatever the server and others do at whatever moment. Scenarios are a table; what may
 * go, but for readers and builds, stands in their catalogs, by hand. It is
 * long because the table is.
 */
#include "sweep_server.h"

#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#define NOW INT64_C(1767312000) /* 2026-01-02 00:00:00 */
#define SECOND INT64_C(1000000)
#define NOW_US ((uint64_t)(NOW * SECOND))
#define NUM_OF(a) (sizeof(a) / sizeof((a)[0]))

/* Stamps: a day old; exactly the limit (one hour); a microsecond less. */
#define DAY "_tmp_20260101_000000_000000"
#define DAY2 "_tmp_20260101_000000_000003" /* another replacement */
#define DAY3 "_tmp_20260101_000000_000004"
#define DAY_OLD "_old_20260101_000000_000000"
#define HOUR "_tmp_20260101_230000_000000"
#define YOUNG "_tmp_20260101_230000_000001"
#define LATER "_tmp_20260102_010000_000000"
#define DBT "_dbt_zero_down_tmp_20260101T000000_000001+0000"
#define DBT_ROUND "_dbt_zero_down_tmp_20260101T000000+0000"

#define MV "materialized view"

enum { HOUR_MS = 3600000, MOST_REQUESTS = 300, NO_LIMIT = 1 };

struct scenario {
    const char *name;
    const char *fates; /* "id:fate ..." in the order of the items */
    const char *drops; /* ids in the order of their drops */
    const char *schema;
    uint64_t limit_ms; /* 0: an hour; NO_LIMIT: 0 */
    bool with_dbt;
    bool only_looks;
    size_t stop_after; /* requests */
    struct sweep_known known[2];
    struct sweep_server server;
};

/* clang-format off */
static const struct scenario scenarios[] = {
    {.name = "nothing left", .fates = "", .drops = "",
     .server = {.objects = {{1, MV, "m"}, {2, "view", "v"}, {3, "table", "t" DAY}}}},
    {.name = "nothing at all", .fates = "", .drops = ""},
    {.name = "one of each kind", .fates = "11:dropped 14:index 12:dropped 13:live index",
     .drops = "11 12",
     .server = {.objects = {{1, MV, "m"},
                            {11, MV, "a" DAY, .may_go = true},
                            {12, "view", "b" DAY_OLD, .may_go = true},
                            {13, "index", "i" DAY, .table_id = 1},
                            {14, "index", "a_x_probe_20260101_000000_000000", .table_id = 11}}}},
    {.name = "only looked at", .fates = "11:due 12:young", .drops = "", .only_looks = true,
     .server = {.objects = {{11, MV, "a" DAY}, {12, MV, "b" YOUNG}}}},
    {.name = "only looked at, what is read", .fates = "11:read 12:read 13:due", .drops = "",
     .only_looks = true,
     .server = {.objects = {{11, MV, "a" DAY}, {12, MV, "b" DAY, .reads = {11}}, {13, MV, "c" DAY},
                            {1, MV, "m", .reads = {12}}}}},
    {.name = "the limit", .fates = "12:dropped 11:young 13:young", .drops = "12",
     .server = {.objects = {{11, MV, "b" YOUNG}, {12, MV, "a" HOUR, .may_go = true},
                            {13, MV, "c" LATER}}}},
    {.name = "no limit", .fates = "11:dropped 12:young", .drops = "11", .limit_ms = NO_LIMIT,
     .server = {.objects = {{11, MV, "a" YOUNG, .may_go = true}, {12, MV, "b" LATER}}}},
    {.name = "finished later than the limit", .fates = "11:young 12:dropped", .drops = "12",
     .server = {.objects = {{11, MV, "a" DAY, .created = NOW - 3599},
                            {12, MV, "b" DAY2, .created = NOW - 3600, .may_go = true}}}},
    {.name = "successor finished later than the limit", .drops = "12 13",
     .fates = "11:young 12:dropped 13:dropped 14:young",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {21, MV, "a", .created = NOW - 10},
                            {12, MV, "b" DAY2, .may_go = true}, {2, MV, "b", .created = NOW - 10},
                            {13, MV, "c" DAY3, .may_go = true}, {23, MV, "c", .created = NOW - 4000},
                            {14, "view", "d" DAY, .may_go = true}, {24, MV, "d", .created = NOW - 10}}}},
    {.name = "kept", .fates = "11:kept 12:dropped 13:young", .drops = "12",
     .known = {{11, NOW_US + 1, 0, "public", "a" DAY}, {12, NOW_US, NOW_US - 5, "public", "b" YOUNG}},
     .server = {.objects = {{11, MV, "a" DAY}, {12, MV, "b" YOUNG, .may_go = true},
                            {13, MV, "c" YOUNG}}}},
    {.name = "kept twice", .fates = "11:kept", .drops = "",
     .known = {{11, 0, 0}, {11, NOW_US + 1, 0, "public", "a" DAY}},
     .server = {.objects = {{11, MV, "a" DAY}}}},
    {.name = "was kept under another name", .fates = "11:young", .drops = "",
     .known = {{11, NOW_US - 1, 0, "public", "a" DAY}, {11, NOW_US - 1, 0, "s", "a" YOUNG}},
     .server = {.objects = {{11, MV, "a" YOUNG}}}},
    {.name = "was live since it was kept", .fates = "11:young", .drops = "",
     .known = {{11, NOW_US - 5, 0, "public", "a" DAY}, {11, 0, NOW_US - 4}},
     .server = {.objects = {{11, MV, "a" DAY}}}},
    {.name = "known since", .fates = "11:young 12:dropped", .drops = "12",
     .known = {{11, 0, NOW_US - 3599 * SECOND}, {12, 0, NOW_US - 3600 * SECOND}},
     .server = {.objects = {{11, MV, "a" DAY}, {12, MV, "b" DAY2, .may_go = true}}}},
    {.name = "building", .fates = "12:replacing 11:building 13:dropped", .drops = "13",
     .server = {.objects = {{11, MV, "a" DAY, .building = true}, {12, MV, "a" DAY_OLD, .may_go = true},
                            {13, MV, "b" DAY2, .may_go = true}}}},
    {.name = "building, of one replacement", .drops = "14",
     .fates = "11:building 12:replacing 14:dropped 13:replacing",
     .server = {.objects = {{11, MV, "a" DAY, .building = true}, {12, "view", "v" DAY, .may_go = true},
                            {13, "view", "v" DAY, .schema = "s", .may_go = true},
                            {14, "view", "w" DAY2, .may_go = true}}}},
    {.name = "young, of one replacement", .fates = "11:young 12:young 13:dropped", .drops = "13",
     .server = {.objects = {{1, MV, "a"}, {11, MV, "a" DAY, .created = NOW - 10, .may_go = true},
                            {12, "view", "v" DAY, .may_go = true},
                            {13, "view", "w" DAY2, .may_go = true}}}},
    {.name = "young, of one replacement, in another schema", .fates = "12:young 13:dropped", .drops = "13",
     .schema = "s",
     .server = {.objects = {{11, MV, "a" DAY, .created = NOW - 10}, {12, "view", "v" DAY, .schema = "s", .may_go = true},
                            {13, "view", "w" DAY2, .schema = "s", .may_go = true}}}},
    {.name = "building, by the list alone", .fates = "12:replacing 11:building", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY, .building = true, .no_job = true},
                            {12, MV, "a" DAY_OLD, .may_go = true}}}},
    {.name = "building, 2.2", .fates = "12:replacing 11:building", .drops = "",
     .server = {.old = true, .objects = {{11, MV, "a" DAY, .building = true},
                                         {12, MV, "a" DAY_OLD, .may_go = true}}}},
    {.name = "created_at is NULL", .fates = "11:building", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY, .created = CREATED_NULL}}}},
    {.name = "building in another schema", .fates = "11:building 12:dropped", .drops = "12",
     .server = {.objects = {{11, MV, "a" DAY, .building = true},
                            {12, MV, "a" DAY2, .schema = "s", .may_go = true}}}},
    {.name = "the view itself is being built", .fates = "11:replacing", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {21, MV, "a", .building = true}}}},
    {.name = "the view itself is being built, 2.2", .fates = "11:replacing", .drops = "",
     .server = {.old = true, .objects = {{11, MV, "a" DAY, .may_go = true}, {21, MV, "a", .building = true}}}},
    {.name = "an index is built on it", .fates = "12:replacing 11:building", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {12, MV, "a" DAY_OLD, .may_go = true},
                            {13, "index", "i", .table_id = 11, .building = true}}}},
    {.name = "an index with a temporary name is built on it", .drops = "",
     .fates = "12:replacing 11:building 13:building",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {12, MV, "a" DAY_OLD, .may_go = true},
                            {13, "index", "i" DAY, .table_id = 11, .building = true}}}},
    {.name = "an index is built on the live view", .fates = "11:replacing 12:building",
     .drops = "",
     .server = {.objects = {{1, MV, "a"}, {11, MV, "a" DAY, .may_go = true},
                            {12, "index", "x" DAY, .table_id = 1, .building = true}}}},
    {.name = "an ordinary index is built on the live view", .fates = "11:replacing", .drops = "",
     .server = {.objects = {{1, MV, "a"}, {11, MV, "a" DAY, .may_go = true},
                            {12, "index", "x", .table_id = 1, .building = true}}}},
    {.name = "indexes", .fates = "11:dropped 14:index", .drops = "11",
     .server = {.objects = {{1, MV, "m"}, {11, MV, "a" DAY, .may_go = true},
                            {12, "index", "i", .table_id = 11},
                            {14, "index", "j" DAY, .table_id = 11}}}},
    {.name = "an index that is read", .fates = "11:read", .drops = "",
     .server = {.objects = {{1, MV, "m", .reads = {12}}, {11, MV, "a" DAY, .may_go = true},
                            {12, "index", "i", .table_id = 11}}}},
    {.name = "an index of no table that is seen", .fates = "12:live index", .drops = "",
     .server = {.objects = {{12, "index", "i" DAY, .table_id = 77}}}},
    {.name = "a chain", .fates = "11:dropped 12:dropped 13:dropped", .drops = "13 12 11",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true},
                            {12, MV, "b" DAY, .reads = {11}, .may_go = true},
                            {13, "view", "c" DAY, .reads = {12}, .may_go = true}}}},
    {.name = "a chain the other way round", .fates = "13:dropped 12:dropped 11:dropped",
     .drops = "13 12 11",
     .server = {.objects = {{11, MV, "c" DAY, .may_go = true},
                            {12, MV, "b" DAY, .reads = {11}, .may_go = true},
                            {13, "view", "a" DAY, .reads = {12}, .may_go = true}}}},
    {.name = "a diamond", .fates = "11:dropped 12:dropped 13:dropped 14:dropped",
     .drops = "14 12 13 11",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true},
                            {12, MV, "b" DAY, .reads = {11}, .may_go = true},
                            {13, MV, "c" DAY, .reads = {11}, .may_go = true},
                            {14, MV, "d" DAY, .reads = {12, 13}, .may_go = true}}}},
    {.name = "a chain with a live reader", .fates = "11:read 12:read 13:dropped", .drops = "13",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {12, MV, "b" DAY, .reads = {11}, .may_go = true},
                            {13, MV, "c" DAY, .reads = {12}, .may_go = true},
                            {1, "sink", "s", .reads = {12}}}}},
    {.name = "a diamond with a live reader", .drops = "14 13",
     .fates = "11:read 12:read 13:dropped 14:dropped",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {12, MV, "b" DAY, .reads = {11}, .may_go = true},
                            {13, MV, "c" DAY, .reads = {11}, .may_go = true},
                            {14, MV, "d" DAY, .reads = {12, 13}, .may_go = true},
                            {1, MV, "m", .reads = {12}}}}},
    {.name = "a young reader", .fates = "11:read 12:young", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {12, MV, "b" YOUNG, .reads = {11}}}}},
    {.name = "a reader that is not seen", .fates = "11:read", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {1, MV, "m", .reads = {11}, .hidden = true}}}},
    {.name = "an index that is not seen", .fates = "11:read", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true},
                            {1, "index", "i", .table_id = 11, .hidden = true}}}},
    {.name = "a circle", .fates = "11:read 12:read", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY, .reads = {12}}, {12, MV, "b" DAY, .reads = {11}}}}},
    {.name = "dbt, not asked for", .fates = "", .drops = "",
     .server = {.objects = {{11, MV, "a" DBT}, {12, "view", "b" DBT_ROUND}}}},
    {.name = "dbt", .fates = "11:dropped 12:dropped", .drops = "11 12", .with_dbt = true,
     .server = {.objects = {{11, MV, "a" DBT, .may_go = true},
                            {12, "view", "b" DBT_ROUND, .may_go = true},
                            {13, MV, "c_dbt_zero_down_tmp_20260101T000000_000000+0000"},
                            {14, MV, "c_dbt_zero_down_tmp_20260101T000000_00001+0000"},
                            {15, MV, "c_dbt_zero_down_tmp_20260101T000000_000001+0100"},
                            {16, MV, "c_dbt_zero_down_tmp_20260101t000000+0000"}}}},
    {.name = "dbt is at it", .fates = "11:building 12:replacing", .drops = "", .with_dbt = true,
     .server = {.objects = {{11, MV, "a" DBT, .building = true}, {12, MV, "a" DAY, .may_go = true}}}},
    {.name = "names that nearly match", .fates = "", .drops = "", .with_dbt = true,
     .server = {.objects = {{11, MV, "a_tmp_20260230_000000_000000"},
                            {12, MV, "a_tmp_20260101_000000_00000"},
                            {13, MV, "a_TMP_20260101_000000_000000"},
                            {14, MV, "a_tmp_20260101_000000_000000x"},
                            {15, MV, "_tmp_20260101_000000_000000"},
                            {16, MV, "a_new_20260101_000000_000000"},
                            {17, MV, "a_tmp_20260101_240000_000000"},
                            {18, MV, "tmp_20260101_000000_000000"}}}},
    {.name = "one schema", .fates = "12:dropped", .drops = "12", .schema = "s",
     .server = {.objects = {{11, MV, "a" DAY}, {12, MV, "a" DAY, .schema = "s", .may_go = true},
                            {13, MV, "a" DAY, .schema = "S"}}}},
    {.name = "one schema, read from another", .fates = "12:read", .drops = "", .schema = "s",
     .server = {.objects = {{11, MV, "a" DAY, .reads = {12}}, {12, MV, "a" DAY, .schema = "s", .may_go = true}}}},
    {.name = "all schemas", .fates = "13:dropped 11:dropped 12:dropped", .drops = "13 11 12",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true},
                            {12, MV, "a" DAY, .schema = "s", .may_go = true},
                            {13, MV, "A b" DAY, .schema = "S", .may_go = true}}}},
    {.name = "2.2", .fates = "11:dropped 12:dropped", .drops = "12 11",
     .server = {.old = true, .objects = {{1, MV, "m"}, {11, MV, "a" DAY, .may_go = true},
                                         {12, "view", "b" DAY, .reads = {11}, .may_go = true}}}},
    {.name = "sizes are refused", .fates = "11:dropped", .drops = "11",
     .server = {.refuses_sizes = true, .objects = {{11, MV, "a" DAY, .may_go = true}}}},
    {.name = "in use by its own name", .fates = "11:in use 12:dropped 13:in use", .drops = "12",
     .server = {.objects = {{11, MV, "a" DAY}, {12, MV, "b" DAY, .may_go = true},
                            {13, "view", "c" DAY}},
                .processes = {{"1ms", "SELECT * FROM a" DAY}, {"1ms", "SELECT 1 FROM \"c" DAY "\""}}}},
    {.name = "in use by the family's name", .fates = "11:in use 12:dropped", .drops = "12",
     .server = {.objects = {{11, MV, "a" DAY}, {12, MV, "b" DAY, .may_go = true}},
                .processes = {{"60000ms", "SELECT * FROM A"}, {"59999ms", "SELECT * FROM b"}}}},
    {.name = "a short limit", .fates = "11:in use 12:dropped", .drops = "12", .limit_ms = 1000,
     .server = {.objects = {{11, MV, "a" DAY}, {12, MV, "b" DAY, .may_go = true}},
                .processes = {{"1000ms", "SELECT * FROM a"}, {"999ms", "SELECT * FROM b"}}}},
    {.name = "a statement that is older", .fates = "11:in use 12:dropped", .drops = "12",
     .server = {.objects = {{11, MV, "a" HOUR},
                            {12, MV, "b_tmp_20260101_225958_000000", .may_go = true}},
                .processes = {{"3599000ms", "SELECT * FROM what_reads_it"}}}},
    {.name = "a time that cannot be read", .fates = "11:in use", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY}}, .processes = {{"soon", "SELECT 1"}}}},
    {.name = "a text that is cut", .fates = "11:in use", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY}},
                .processes = {{"60000ms", "SELECT 'x...(truncated,2000)"}}}},
    {.name = "a text that is cut behind its name", .fates = "11:in use 12:dropped", .drops = "12",
     .server = {.objects = {{11, MV, "a" DAY}, {12, MV, "b" DAY, .may_go = true}},
                .processes = {{"1ms", "SELECT 'x', a" DAY ", 'x...(truncated,2000)"}}}},
    {.name = "a cursor", .fates = "11:in use", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY}}, .processes = {{"60000ms", "FETCH NEXT FROM c"}}}},
    {.name = "short ones that do not tell", .fates = "11:dropped", .drops = "11",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}},
                .processes = {{"59999ms", "SELECT 'x...(truncated,2000)"}, {"59999ms", "FETCH NEXT FROM c"}}}},
    {.name = "a text that cannot be scanned", .fates = "11:in use 12:dropped", .drops = "12",
     .server = {.objects = {{11, MV, "a" DAY}, {12, MV, "b" DAY, .may_go = true}},
                .processes = {{"1ms", "SELECT 'x FROM A" DAY}}}},
    {.name = "in use just before the drop", .fates = "11:dropped 12:in use", .drops = "11",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {12, MV, "b" DAY}},
                .processes = {{"1ms", "SELECT * FROM b" DAY, .from_list = 1}}}},
    {.name = "in use at first", .fates = "11:in use", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY}},
                .processes = {{"1ms", "SELECT * FROM a" DAY, .until_next = true}}}},
    {.name = "a view in use, what it reads", .fates = "11:read 12:in use", .drops = "",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {12, "view", "b" DAY, .reads = {11}}},
                .processes = {{"1ms", "SELECT * FROM b" DAY}}}},
    {.name = "a view that was just dropped is in use", .fates = "11:in use 12:dropped",
     .drops = "12",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {12, "view", "b" DAY, .reads = {11}, .may_go = true}},
                .processes = {{"1ms", "SELECT * FROM b" DAY, .from_list = 2}}}},
    {.name = "being replaced", .fates = "12:replacing 11:replacing 13:dropped 14:read",
     .drops = "13",
     .server = {.locked = "a", .objects = {{11, MV, "a" DAY}, {12, MV, "a" DAY_OLD, .reads = {14}},
                                           {13, MV, "b" DAY, .may_go = true}, {14, MV, "c" DAY, .may_go = true}}}},
    {.name = "refused", .fates = "11:read 12:refused 13:dropped", .drops = "13",
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {12, MV, "b" DAY, .reads = {11}, .may_go = true,
                                                .error = "Permission denied"},
                            {13, MV, "c" DAY, .may_go = true}}}},
    {.name = "stopped at once", .fates = "11:due", .drops = "", .stop_after = 1,
     .server = {.objects = {{11, MV, "a" DAY}}}},
    {.name = "stopped before the lock", .fates = "11:due", .drops = "", .stop_after = 11,
     .server = {.objects = {{11, MV, "a" DAY}}}},
    {.name = "stopped before the look", .fates = "11:due", .drops = "", .stop_after = 12,
     .server = {.objects = {{11, MV, "a" DAY}}}},
    {.name = "stopped in the drop", .fates = "11:dropped 12:due", .drops = "11", .stop_after = 14,
     .server = {.objects = {{11, MV, "a" DAY, .may_go = true}, {12, MV, "b" DAY}}}},
    {.name = "renamed", .fates = "12:gone 11:read", .drops = "",
     .server = {.fault_at = 13, .fault = SWEEP_FAULT_RENAMED, .target = 12,
                .objects = {{11, MV, "b" DAY}, {12, MV, "a" DAY, .reads = {11}}}}},
    {.name = "taken", .fates = "12:gone 11:read", .drops = "",
     .server = {.fault_at = 13, .fault = SWEEP_FAULT_TAKEN, .target = 12,
                .objects = {{11, MV, "b" DAY}, {12, MV, "a" DAY, .reads = {11}}}}},
    {.name = "removed", .fates = "12:gone 11:dropped", .drops = "11",
     .server = {.fault_at = 13, .fault = SWEEP_FAULT_REMOVED, .target = 12,
                .objects = {{11, MV, "b" DAY, .may_go = true}, {12, MV, "a" DAY, .reads = {11}}}}},
};

/* Something of everything; may_go is what may go as long as nobody interferes. */
static const struct scenario rich = {
    .name = "rich", .with_dbt = true,
    .fates = "11:dropped 12:dropped 13:dropped 14:dropped 15:index 16:replacing 17:building"
             " 18:read 19:kept 20:in use 21:young 22:dropped",
    .drops = "14 12 13 11 22",
    .known = {{19, NOW_US + 1, 0, "public", "g" DAY}},
    .server = {
        .objects = {{1, MV, "a", .created = NOW - 7200},
                    {2, "view", "reader", .reads = {18}},
                    {11, MV, "a" DAY, .may_go = true},
                    {12, MV, "b" DAY, .reads = {11}, .may_go = true},
                    {13, "view", "c" DAY, .reads = {11}, .may_go = true},
                    {14, MV, "d" DBT, .reads = {12, 13}, .may_go = true},
                    {15, "index", "d_i" DAY, .table_id = 14},
                    {16, MV, "e_tmp_20260101_000000_000001", .may_go = true},
                    {17, MV, "e_tmp_20260101_000000_000002", .building = true},
                    {18, MV, "f" DAY, .may_go = true},
                    {19, MV, "g" DAY},
                    {20, MV, "h" DAY},
                    {21, MV, "i" YOUNG},
                    {22, "view", "a" DAY, .schema = "s", .may_go = true}},
        .processes = {{"5ms", "SELECT * FROM h" DAY}}}};
/* clang-format on */

/* ---- running ---- */

struct run {
    struct sweep_server server;
    char fates[512];
    bool failed;
    bool ended;
    bool made;
    char message[128];
    size_t num_due;
    size_t drop_tried; /* the request at which the target was dropped */
    const char *lie;   /* a fate that is not true */
};

static struct run run;

static void check_fate(const struct sweep_item *item)
{
    const struct sweep_object *o = sweep_server_find(&run.server, item->id);
    if (item->fate == SWEEP_DROPPED && o != NULL) {
        run.lie = "dropped, but it is there";
    }
    if (item->fate != SWEEP_DROPPED && item->fate != SWEEP_GONE && item->fate != SWEEP_GOES_WITH &&
        item->fate != SWEEP_REFUSED && o == NULL && run.server.fault != SWEEP_FAULT_REMOVED &&
        !run.failed) {
        run.lie = "not dropped, but gone";
    }
    if (item->fate == SWEEP_REFUSED && item->error == NULL) {
        run.lie = "refused without an error";
    }
}

static void note_end(struct sweep *s)
{
    size_t len = 0;
    run.failed = sweep_error(s) != NULL;
    if (run.failed) {
        (void)snprintf(run.message, sizeof(run.message), "%s %s", sweep_error(s)->sqlstate,
                       sweep_error(s)->message);
    }
    for (size_t i = 0; i < sweep_num_items(s); i++) {
        const struct sweep_item *item = sweep_item(s, i);
        len += (size_t)snprintf(run.fates + len, sizeof(run.fates) - len, "%s%d:%s",
                                i != 0 ? " " : "", (int)item->id, sweep_fate_word(item->fate));
        run.num_due += item->fate == SWEEP_DUE ? 1 : 0;
        check_fate(item);
        for (size_t nth = 0; sweep_reader(s, i, nth) != NULL; nth++) {
            cr_assert(lt(sz, nth, 20));
        }
    }
}

static struct sweep *start(const struct scenario *scenario)
{
    struct sweep_options options = {
        .schema = scenario->schema,
        .older_than_ms = scenario->limit_ms == 0 ? HOUR_MS : scenario->limit_ms,
        .with_dbt = scenario->with_dbt,
        .drops = !scenario->only_looks,
        .known = scenario->known,
    };
    options.older_than_ms = scenario->limit_ms == NO_LIMIT ? 0 : options.older_than_ms;
    while (options.num_known < NUM_OF(scenario->known) &&
           scenario->known[options.num_known].id != 0) {
        options.num_known++;
    }
    return sweep_new(&options, (struct moment){.unix_us = NOW_US});
}

/* Without memory from the `fails_at`th allocation on (0: never); `once`: for one of them.
 * `fails_in`: counted from that request on, else from the start. */
static void play(const struct scenario *scenario, size_t fails_at, size_t fails_in, bool once)
{
    struct sweep_request request;
    struct replace_result result;
    mem_fail_at(fails_in == 0 ? fails_at : 0);
    struct sweep *s = start(scenario);
    run.made = s != NULL;
    for (size_t i = 0; s != NULL && i < MOST_REQUESTS && !run.ended; i++) {
        if (fails_in != 0 && run.server.num_requests + 1 == fails_in) {
            mem_fail_at(fails_at);
        }
        sweep_next(s, &request);
        run.ended = request.kind == SWEEP_DONE;
        if (run.ended) {
            break;
        }
        if (run.server.target != 0 && request.kind == SWEEP_RUN &&
            sweep_server_drops(&run.server, request.sql) == run.server.target) {
            run.drop_tried = run.server.num_requests + 1;
        }
        sweep_server_answer(&run.server, &request, &result);
        if (scenario->stop_after == run.server.num_requests) {
            sweep_stop(s);
        }
        sweep_result(s, &result, (struct moment){.unix_us = NOW_US});
        if (once && fails_at != 0 && mem_count() >= fails_at) {
            mem_fail_at(0);
            once = false;
        }
    }
    if (s != NULL) {
        mem_fail_at(0);
        sweep_next(s, &request);
        cr_expect(eq(int, request.kind, SWEEP_DONE), "%s", scenario->name);
        note_end(s);
        sweep_free(s);
    }
    mem_fail_at(0);
}

static void prepare(const struct scenario *scenario)
{
    memset(&run, 0, sizeof(run));
    run.server = scenario->server;
}

static void expect_promise(const char *what, size_t at, const struct scenario *scenario)
{
    cr_expect(run.ended || !run.made, "%s, %s %zu: it does not end", scenario->name, what, at);
    cr_expect(eq(str, run.server.problem, (char *)""), "%s, %s %zu", scenario->name, what, at);
    cr_expect(run.lie == NULL, "%s, %s %zu: %s", scenario->name, what, at,
              run.lie != NULL ? run.lie : "");
    cr_expect(run.failed || run.num_due == 0 || scenario->only_looks || scenario->stop_after != 0,
              "%s, %s %zu: due at the end without an error", scenario->name, what, at);
}

/* ---- tests ---- */

Test(sweep, scenarios)
{
    for (size_t i = 0; i < NUM_OF(scenarios) + 1; i++) {
        const struct scenario *scenario = i < NUM_OF(scenarios) ? &scenarios[i] : &rich;
        prepare(scenario);
        play(scenario, 0, 0, false);
        expect_promise("scenario", i, scenario);
        cr_expect(not(run.failed), "%s: %s", scenario->name, run.message);
        cr_expect(eq(str, run.fates, (char *)scenario->fates), "%s", scenario->name);
        cr_expect(eq(str, run.server.dropped, (char *)scenario->drops), "%s", scenario->name);
    }
}

static const char *const fault_words[NUM_SWEEP_FAULTS] = {
    [SWEEP_FAULT_ERROR] = "error",           [SWEEP_FAULT_LOST] = "lost before",
    [SWEEP_FAULT_LOST_AFTER] = "lost after", [SWEEP_FAULT_RENAMED] = "renamed",
    [SWEEP_FAULT_TAKEN] = "taken",           [SWEEP_FAULT_REMOVED] = "removed",
    [SWEEP_FAULT_COLUMNS] = "columns",       [SWEEP_FAULT_NULLS] = "NULLs"};

static size_t count_requests(const struct scenario *scenario)
{
    prepare(scenario);
    play(scenario, 0, 0, false);
    return run.server.num_requests;
}

static void with_fault(const struct scenario *scenario, size_t at, enum sweep_fault fault,
                       uint64_t target)
{
    if (fault == SWEEP_FAULT_TAKEN && at <= 2 && scenario->limit_ms == NO_LIMIT) {
        return; /* who owns such a name, and sets no limit */
    }
    if (fault == SWEEP_FAULT_NULLS && scenario->server.processes[0].time != NULL) {
        return; /* all processes are idle, then */
    }
    prepare(scenario);
    run.server.fault_at = at;
    run.server.fault = fault;
    run.server.target = target;
    play(scenario, 0, 0, false);
    bool lost = fault == SWEEP_FAULT_LOST || fault == SWEEP_FAULT_LOST_AFTER;
    /* Between the look and the drop nobody can be kept from taking the name: there is no drop by
     * id. */
    if (fault == SWEEP_FAULT_TAKEN && run.drop_tried == at) {
        return;
    }
    expect_promise(fault_words[fault], at, scenario);
    cr_expect(run.failed || !lost, "%s: lost at %zu without an error", scenario->name, at);
}

static void matrix(const struct scenario *scenario)
{
    size_t num = count_requests(scenario);
    cr_assert(lt(sz, num, MOST_REQUESTS));
    for (size_t at = 1; at <= num; at++) {
        for (int fault = SWEEP_FAULT_ERROR; fault < NUM_SWEEP_FAULTS; fault++) {
            bool aims = fault == SWEEP_FAULT_RENAMED || fault == SWEEP_FAULT_TAKEN ||
                        fault == SWEEP_FAULT_REMOVED;
            const struct sweep_object *o = scenario->server.objects;
            with_fault(scenario, at, (enum sweep_fault)fault, aims ? o->id : 0);
            for (o++; aims && o->id != 0; o++) {
                with_fault(scenario, at, (enum sweep_fault)fault, o->id);
            }
        }
        for (size_t nth = 1; nth <= 3; nth++) {
            prepare(scenario);
            play(scenario, nth, at, false);
            expect_promise("no memory from request", at, scenario);
        }
    }
}

Test(sweep, keeps_its_promise_whatever_happens)
{
    struct scenario old = rich;
    old.name = "rich, 2.2";
    old.server.old = true;
    matrix(&rich);
    matrix(&old);
    for (size_t i = 0; i < NUM_OF(scenarios); i++) {
        if (scenarios[i].server.fault == SWEEP_NO_FAULT && scenarios[i].stop_after == 0) {
            matrix(&scenarios[i]);
        }
    }
}

Test(sweep, an_error_before_the_judgement_tells_no_fates)
{
    for (size_t at = 1; at <= 10; at++) {
        prepare(&rich);
        run.server.fault_at = at;
        run.server.fault = SWEEP_FAULT_ERROR;
        play(&rich, 0, 0, false);
        bool sizes = !run.failed;
        cr_expect(sizes || strcmp(run.fates, "") == 0, "%zu: %s", at, run.fates);
        cr_expect(sizes || strcmp(run.message, "XX000 it is not a good day") == 0, "%s",
                  run.message);
    }
}

Test(sweep, an_answer_that_is_none)
{
    prepare(&rich);
    run.server.fault_at = 1;
    run.server.fault = SWEEP_FAULT_NULLS;
    play(&rich, 0, 0, false);
    cr_expect(eq(str, run.message, (char *)"0A000 the server is not a RisingWave"));
    struct sweep *s = start(&rich);
    struct sweep_request request;
    sweep_next(s, &request);
    sweep_result(s, &(struct replace_result){.kind = REPLACE_WAITED}, (struct moment){0});
    sweep_next(s, &request);
    cr_expect(eq(int, request.kind, SWEEP_DONE));
    cr_expect(ne(ptr, (void *)sweep_error(s), NULL));
    sweep_free(s);
    sweep_free(NULL);
}

Test(sweep, survives_every_failed_allocation)
{
    for (size_t i = 0; i < NUM_OF(scenarios) + 2; i++) {
        const struct scenario *scenario = i < NUM_OF(scenarios) ? &scenarios[i] : &rich;
        bool once = i > NUM_OF(scenarios);
        size_t nth = 1;
        for (; nth < 2000; nth++) {
            prepare(scenario);
            play(scenario, nth, 0, once);
            expect_promise("allocation", nth, scenario);
            if (!run.failed && run.made && strcmp(run.fates, scenario->fates) == 0) {
                break;
            }
        }
        cr_expect(lt(sz, nth, 2000), "%s", scenario->name);
    }
}

/* ---- what is told of an item ---- */

static struct sweep *run_to_end(const struct scenario *scenario)
{
    struct sweep_request request;
    struct replace_result result;
    struct sweep *s = start(scenario);
    prepare(scenario);
    for (sweep_next(s, &request); request.kind != SWEEP_DONE; sweep_next(s, &request)) {
        sweep_server_answer(&run.server, &request, &result);
        sweep_result(s, &result, (struct moment){.unix_us = NOW_US});
    }
    return s;
}

Test(sweep, tells_of_items)
{
    struct sweep *s = run_to_end(&rich);
    const struct sweep_item *a = sweep_item(s, 0);
    cr_assert(eq(sz, sweep_num_items(s), 12));
    cr_expect(eq(str, (char *)a->name, (char *)"a" DAY));
    cr_expect(eq(str, (char *)a->schema, (char *)"public"));
    cr_expect(eq(str, (char *)a->family, (char *)"a"));
    cr_expect(eq(str, (char *)a->owner, (char *)"root"));
    cr_expect(eq(u64, a->since_us, NOW_US - 86400 * SECOND));
    cr_expect(a->has_size);
    cr_expect(eq(u64, a->size, 11000));
    cr_expect(not(a->is_dbt));
    cr_expect(sweep_item(s, 3)->is_dbt);
    cr_expect(eq(u64, sweep_item(s, 3)->since_us, NOW_US - 86400 * SECOND + 1));
    cr_expect(eq(str, (char *)sweep_item(s, 4)->family, (char *)"d"), "of its table");
    cr_expect(eq(int, sweep_item(s, 4)->kind, SWEEP_INDEX));
    cr_expect(eq(str, (char *)sweep_item(s, 6)->progress, (char *)"12.5%"));
    cr_expect(eq(str, (char *)sweep_reader(s, 7, 0), (char *)"public.reader"));
    cr_expect(eq(ptr, (void *)sweep_reader(s, 7, 1), NULL));
    cr_expect(eq(str, (char *)sweep_reader(s, 0, 0), (char *)"public.b" DAY));
    cr_expect(eq(str, (char *)sweep_reader(s, 0, 1), (char *)"public.c" DAY));
    cr_expect(eq(ptr, (void *)sweep_reader(s, 3, 0), NULL), "an index is none");
    cr_expect(not(sweep_item(s, 11)->has_size));
    cr_expect(eq(ptr, (void *)sweep_error(s), NULL));
    sweep_free(s);
}

static const struct scenario *find(const char *name)
{
    for (size_t i = 0; i < NUM_OF(scenarios); i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return &scenarios[i];
        }
    }
    cr_assert(0, "no scenario %s", name);
    return NULL;
}

Test(sweep, names_a_reader_that_is_not_seen)
{
    struct sweep *s = run_to_end(find("a reader that is not seen"));
    cr_expect(eq(str, (char *)sweep_reader(s, 0, 0),
                 (char *)"an object that this user cannot see (id 1)"));
    sweep_free(s);
}

Test(sweep, tells_why_a_drop_was_refused)
{
    struct sweep *s = run_to_end(find("refused"));
    cr_expect(eq(str, (char *)sweep_item(s, 1)->error, (char *)"Permission denied"));
    sweep_free(s);
}

Test(sweep, tells_of_each_drop_once)
{
    struct sweep_request request;
    struct replace_result result;
    struct sweep *s = start(&rich);
    char told[128] = "";
    prepare(&rich);
    for (sweep_next(s, &request); request.kind != SWEEP_DONE; sweep_next(s, &request)) {
        sweep_server_answer(&run.server, &request, &result);
        sweep_result(s, &result, (struct moment){.unix_us = NOW_US});
        const struct sweep_item *item = sweep_take_ended(s);
        if (item != NULL) {
            size_t len = strlen(told);
            (void)snprintf(told + len, sizeof(told) - len, "%s%d", len != 0 ? " " : "",
                           (int)item->id);
            cr_expect(eq(int, item->fate, SWEEP_DROPPED));
        }
        cr_expect(eq(ptr, (void *)sweep_take_ended(s), NULL));
    }
    cr_expect(eq(str, told, (char *)rich.drops));
    sweep_free(s);
}

/* The options are copied: the caller's may go. */
Test(sweep, keeps_what_it_was_told)
{
    char schema[] = "s";
    char name[] = "a" DAY;
    struct sweep_known known = {.id = 12, .until_us = NOW_US + 1, .schema = schema, .name = name};
    struct sweep_options options = {
        .schema = schema, .drops = true, .known = &known, .num_known = 1};
    struct sweep_request request;
    struct replace_result result;
    struct sweep *s = sweep_new(&options, (struct moment){.unix_us = NOW_US});
    memset(schema, 'x', sizeof(schema) - 1);
    memset(name, 'x', sizeof(name) - 1);
    memset(&known, 0, sizeof(known));
    prepare(find("one schema"));
    for (sweep_next(s, &request); request.kind != SWEEP_DONE; sweep_next(s, &request)) {
        sweep_server_answer(&run.server, &request, &result);
        sweep_result(s, &result, (struct moment){.unix_us = NOW_US});
    }
    cr_assert(eq(sz, sweep_num_items(s), 1));
    cr_expect(eq(int, sweep_item(s, 0)->fate, SWEEP_KEPT));
    sweep_free(s);
}
