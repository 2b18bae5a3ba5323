/* Tests of proxy/core/output.c: order of kept and borrowed bytes, partial writes, failure. */
#include "output.h"

#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static void expect_pending(struct output *o, const char *text)
{
    char got[64] = "";
    size_t kept = buf_len(&o->kept);
    cr_assert(le(sz, output_pending(o), sizeof(got)));
    memcpy(got, buf_bytes(&o->kept), kept);
    if (o->span_len != 0) {
        memcpy(got + kept, o->span, o->span_len);
    }
    cr_expect(eq(sz, output_pending(o), strlen(text)));
    cr_expect(memcmp(got, text, strlen(text)) == 0, "%s is not %s", got, text);
}

Test(output, relays_without_copying_what_continues)
{
    static const uint8_t in[] = "abcdef";
    struct output o;
    output_init(&o);
    output_relay(&o, in, 2, true);
    output_relay(&o, in + 2, 3, true);
    output_relay(&o, in, 0, true);
    cr_expect(eq(ptr, (void *)o.span, (void *)in));
    cr_expect(eq(sz, o.span_len, 5));
    cr_expect(eq(sz, buf_len(&o.kept), 0));
    output_relay(&o, in, 1, true); /* does not continue: the first span is copied */
    expect_pending(&o, "abcdea");
    cr_expect(eq(sz, o.span_len, 1));
    output_cleanup(&o);
}

Test(output, keeps_the_order_of_borrowed_and_own_bytes)
{
    uint8_t *in = malloc(4);
    struct output o;
    memcpy(in, "1234", 4);
    output_init(&o);
    output_relay(&o, in, 2, true);
    buf_add_text(output_kept(&o), "own");
    output_relay(&o, in + 2, 1, false);
    output_relay(&o, in + 3, 1, true);
    expect_pending(&o, "12own34");
    output_settle(&o);
    free(in); /* nothing borrows it any more */
    expect_pending(&o, "12own34");
    output_cleanup(&o);
}

Test(output, sends_any_part)
{
    for (size_t first = 0; first <= 6; first++) {
        for (size_t second = 0; first + second <= 6; second++) {
            struct output o;
            output_init(&o);
            buf_add_text(output_kept(&o), "abc");
            output_relay(&o, (const uint8_t *)"def", 3, true);
            output_sent(&o, first);
            output_sent(&o, second);
            expect_pending(&o, "abcdef" + first + second);
            cr_expect(o.span_len != 0 || o.span == NULL);
            output_settle(&o);
            expect_pending(&o, "abcdef" + first + second);
            output_cleanup(&o);
        }
    }
}

Test(output, fails_without_memory)
{
    struct output o;
    output_init(&o);
    output_relay(&o, (const uint8_t *)"abc", 3, true);
    cr_expect(not(output_failed(&o)));
    mem_fail_at(1);
    output_settle(&o);
    mem_fail_at(0);
    cr_expect(output_failed(&o));
    cr_expect(eq(sz, output_pending(&o), 0));
    output_cleanup(&o);
    output_cleanup(&o);
}
