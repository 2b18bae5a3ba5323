/* Tests of base/buf.c: contents, caps, sticky failure, and what is given back. */
#include "buf.h"

#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static void expect_bytes(const struct buf *b, const char *bytes, size_t len)
{
    cr_expect(eq(sz, buf_len(b), len));
    cr_expect(buf_len(b) == len && memcmp(buf_bytes(b), bytes, len) == 0);
}

Test(buf, zero_bytes_are_an_empty_buffer)
{
    struct buf b = {0};
    cr_expect(ne(ptr, (void *)buf_bytes(&b), NULL));
    cr_expect(eq(sz, buf_len(&b), 0));
    cr_expect(not(buf_failed(&b)));
    buf_add(&b, NULL, 0);
    buf_consume(&b, 0);
    buf_truncate(&b, 0);
    buf_cleanup(&b);
    buf_cleanup(&b);
}

Test(buf, appends_in_order)
{
    struct buf b = {0};
    buf_add_byte(&b, 'Q');
    buf_add_u32(&b, 0x01020304);
    buf_add_u16(&b, 0xfffe);
    buf_add_text(&b, "ab");
    buf_add(&b, "\0c", 2);
    buf_add_format(&b, "%d-%s", 42, "x");
    expect_bytes(&b,
                 "Q\x01\x02\x03\x04\xff\xfe"
                 "ab\0c42-x",
                 15);
    cr_expect(not(buf_failed(&b)));
    buf_cleanup(&b);
}

Test(buf, consumes_and_reuses_the_front)
{
    struct buf b = {0};
    for (size_t round = 0; round < 1000; round++) {
        buf_add_text(&b, "0123456789");
        buf_consume(&b, round % 2 == 0 ? 7 : 13);
    }
    expect_bytes(&b, "", 0);
    buf_add_text(&b, "0123456789");
    buf_consume(&b, 4);
    expect_bytes(&b, "456789", 6);
    buf_truncate(&b, 2);
    expect_bytes(&b, "45", 2);
    buf_truncate(&b, 100);
    expect_bytes(&b, "45", 2);
    buf_cleanup(&b);
}

Test(buf, set_u32_only_inside)
{
    struct buf b = {0};
    buf_add_text(&b, "xabcdefg");
    buf_consume(&b, 1);
    buf_set_u32(&b, 3, 0x41424344);
    expect_bytes(&b, "abcABCD", 7);
    buf_set_u32(&b, 4, 0);
    buf_set_u32(&b, SIZE_MAX, 0);
    expect_bytes(&b, "abcABCD", 7);
    buf_cleanup(&b);
}

Test(buf, cap_is_exact_and_failure_sticks)
{
    struct buf b;
    buf_init(&b, 4);
    buf_add_text(&b, "abcd");
    cr_expect(not(buf_failed(&b)));
    buf_add_byte(&b, 'e');
    cr_expect(buf_failed(&b));
    buf_consume(&b, 4);
    buf_add_byte(&b, 'f');
    expect_bytes(&b, "", 0);
    cr_expect(buf_failed(&b));
    cr_expect(eq(ptr, (void *)buf_text(&b), NULL));
    buf_cleanup(&b);
    cr_expect(not(buf_failed(&b)));
    buf_add_text(&b, "abcde");
    cr_expect(buf_failed(&b), "the cap outlives a cleanup");
    buf_cleanup(&b);
}

Test(buf, consumed_bytes_do_not_count_for_the_cap)
{
    struct buf b;
    buf_init(&b, 8);
    for (size_t i = 0; i < 100; i++) {
        buf_add_text(&b, "abcd");
        buf_add_text(&b, "efgh");
        cr_expect(not(buf_failed(&b)));
        buf_consume(&b, 5);
        buf_consume(&b, 3);
    }
    buf_cleanup(&b);
}

Test(buf, absurd_lengths_fail)
{
    static const char byte[1] = {'x'};
    struct buf b = {0};
    buf_add_byte(&b, 'x');
    volatile size_t absurd = SIZE_MAX;
    buf_add(&b, byte, absurd);
    cr_expect(buf_failed(&b));
    buf_cleanup(&b);
}

Test(buf, text_is_a_view)
{
    struct buf b = {0};
    cr_expect(eq(str, (char *)buf_text(&b), (char *)""));
    buf_add(&b, "abc", 3);
    cr_expect(eq(str, (char *)buf_text(&b), (char *)"abc"));
    cr_expect(eq(sz, buf_len(&b), 3));
    buf_cleanup(&b);
}

Test(buf, swap_takes_everything_along_but_the_cap)
{
    struct buf a;
    struct buf b;
    buf_init(&a, 3);
    buf_init(&b, 0);
    buf_add_text(&a, "abcd");
    buf_add_text(&b, "wxyz");
    buf_swap(&a, &b);
    expect_bytes(&a, "wxyz", 4);
    cr_expect(not(buf_failed(&a)));
    cr_expect(buf_failed(&b));
    buf_add_text(&a, "!");
    cr_expect(buf_failed(&a));
    buf_cleanup(&a);
    buf_cleanup(&b);
}

Test(buf, an_emptied_large_buffer_holds_no_memory)
{
    struct buf b = {0};
    char large[10000] = {0};
    buf_add(&b, large, sizeof(large));
    buf_consume(&b, sizeof(large));
    cr_expect(eq(ptr, b.data, NULL));
    buf_cleanup(&b);
}

/* Everything that may allocate, so that each step can be the one that fails. */
static bool run_all(struct buf *b)
{
    char large[5000] = {0};
    buf_add_text(b, "text");
    buf_add(b, large, sizeof(large));
    buf_add_format(b, "%200d", 1);
    buf_add(b, large, sizeof(large));
    return buf_text(b) != NULL;
}

Test(buf, survives_every_failed_allocation)
{
    for (size_t nth = 1; nth < 100; nth++) {
        struct buf b = {0};
        mem_fail_at(nth);
        bool fine = run_all(&b);
        mem_fail_at(0);
        cr_expect(eq(int, fine, !buf_failed(&b)));
        buf_cleanup(&b);
        if (fine) {
            cr_expect(gt(sz, nth, 2));
            return;
        }
    }
    cr_assert(0, "it never succeeded");
}
