/* Tests of the names that have moved, and of the READ ONLY transactions that are open. */
#include "limits.h"
#include "moment.h"
#include "readers.h"
#include "swaps.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

Test(swaps, tell_each_reader_what_is_new_to_it)
{
    struct swaps *s = swaps_new();
    struct buf names = {0};
    uint64_t first = 0;
    uint64_t second = 0;
    uint64_t moved_ms = 0;
    cr_expect(eq(u64, swaps_newest(s), 0));
    swaps_add(s, "a\0b", 4, 10);
    cr_expect(swaps_since(s, 0, &names, &first, &moved_ms));
    cr_expect(eq(sz, buf_len(&names), 4));
    cr_expect(eq(u64, first, swaps_newest(s)));
    swaps_add(s, "c", 2, 8);
    buf_truncate(&names, 0);
    cr_expect(swaps_since(s, first, &names, &second, &moved_ms));
    cr_expect(eq(str, (char *)buf_text(&names), "c"));
    cr_expect(gt(u64, second, first));
    cr_expect(eq(u64, moved_ms, 10)); /* not of the names that were told again */
    buf_truncate(&names, 0);
    cr_expect(swaps_since(s, second, &names, &second, &moved_ms));
    cr_expect(eq(sz, buf_len(&names), 0));
    buf_cleanup(&names);
    swaps_free(s);
}

Test(swaps, who_comes_too_late_learns_that_some_name_has_moved)
{
    static char long_name[1000];
    struct swaps *s = swaps_new();
    struct buf names = {0};
    uint64_t newest = 0;
    uint64_t moved_ms = 0;
    memset(long_name, 'x', sizeof(long_name) - 1);
    for (size_t i = 0; i < 2 * LIMIT_SWAPS / sizeof(long_name); i++) {
        swaps_add(s, long_name, sizeof(long_name), 5);
    }
    cr_expect(not(swaps_since(s, 0, &names, &newest, &moved_ms)));
    cr_expect(eq(sz, buf_len(&names), 0));
    swaps_add(s, "a", 2, 6);
    cr_expect(swaps_since(s, newest, &names, &newest, &moved_ms));
    cr_expect(eq(str, (char *)buf_text(&names), "a"));
    uint64_t before = newest;
    swaps_add(s, NULL, 0, 7);
    cr_expect(gt(u64, swaps_newest(s), before));
    cr_expect(not(swaps_since(s, before, &names, &newest, &moved_ms)));
    cr_expect(eq(u64, moved_ms, 7));
    buf_cleanup(&names);
    swaps_free(s);
}

Test(readers, are_counted_but_for_the_one_who_asks)
{
    struct readers *r = readers_new();
    for (uint64_t id = 1; id <= 40; id++) {
        cr_expect(readers_set(r, id, 100 + id));
    }
    cr_expect(eq(sz, readers_count(r, 0, 0, 141), 40));
    cr_expect(eq(sz, readers_count(r, 40, 0, 141), 39));
    cr_expect(eq(sz, readers_count(r, 0, 0, 110), 9));
    cr_expect(eq(sz, readers_count(r, 5, 0, 110), 8));
    cr_expect(eq(sz, readers_count(r, 0, 105, 110), 5));
    cr_expect(eq(sz, readers_count(r, 0, 110, 110), 0));
    cr_expect(readers_set(r, 5, MOMENT_NEVER));
    cr_expect(readers_set(r, 5, MOMENT_NEVER));
    cr_expect(readers_set(r, 6, 500));
    cr_expect(eq(sz, readers_count(r, 0, 0, 110), 7));
    cr_expect(eq(sz, readers_count(r, 0, 0, 501), 39));
    readers_free(r);
}
