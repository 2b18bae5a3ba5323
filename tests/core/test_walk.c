/* Tests of proxy/core/walk.c: the same spans and messages whatever the cuts, stop and resume. */
#include "walk.h"

#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

/* What the owner saw: forwarded bytes, and collected messages in brackets. Tags decide: f forward,
 * d drop, c collect, s stop, S stop by itself behind the message. */
struct seen {
    struct walk walk;
    struct buf out;
    unsigned num_bad;
    bool go_on; /* do not stop at 's' */
};

static enum walk_act start(void *context, const struct wire_header *header)
{
    struct seen *seen = context;
    switch (header->tag) {
    case 'd':
        return WALK_DROP;
    case 'c':
    case 'S':
        return WALK_COLLECT;
    case 's':
        return seen->go_on ? WALK_FORWARD : WALK_STOP;
    default:
        return WALK_FORWARD;
    }
}

static void forward(void *context, const uint8_t *bytes, size_t len, bool lasting)
{
    (void)lasting;
    buf_add(&((struct seen *)context)->out, bytes, len);
}

static void message(void *context, const struct wire_header *header, const uint8_t *whole,
                    bool lasting)
{
    struct seen *seen = context;
    (void)lasting;
    buf_add_byte(&seen->out, '[');
    buf_add(&seen->out, whole, WIRE_HEADER_LEN + header->body_len);
    buf_add_byte(&seen->out, ']');
    if (header->tag == 'S') {
        walk_stop(&seen->walk);
    }
}

static void bad(void *context)
{
    ((struct seen *)context)->num_bad++;
}

static const struct walk_owner owner = {
    .start = start, .forward = forward, .message = message, .bad = bad};

static void feed(struct seen *seen, const char *bytes, size_t len)
{
    uint8_t *exact = malloc(len);
    if (len != 0) {
        memcpy(exact, bytes, len);
    }
    walk_feed(&seen->walk, &owner, seen, exact, len);
    free(exact);
}

static void expect_seen(struct seen *seen, const char *bytes, size_t len, const char *how, size_t n)
{
    bool same = buf_len(&seen->out) == len && memcmp(buf_bytes(&seen->out), bytes, len) == 0;
    cr_expect(same, "%s %zu: %zu bytes for %zu", how, n, buf_len(&seen->out), len);
}

static void done(struct seen *seen)
{
    walk_cleanup(&seen->walk);
    buf_cleanup(&seen->out);
}

static const char stream[] =
    "f\0\0\0\4c\0\0\0\7abcd\0\0\0\6xxf\0\0\0\7fcdc\0\0\0\4d\0\0\0\4f\0\0\0\5z";
static const char wanted[] = "f\0\0\0\4[c\0\0\0\7abc]f\0\0\0\7fcd[c\0\0\0\4]f\0\0\0\5z";

Test(walk, sees_the_same_at_every_two_cuts)
{
    size_t len = sizeof(stream) - 1;
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            struct seen seen = {.num_bad = 0};
            walk_init(&seen.walk, 64);
            feed(&seen, stream, first);
            feed(&seen, stream + first, second - first);
            feed(&seen, stream + second, len - second);
            expect_seen(&seen, wanted, sizeof(wanted) - 1, "cut", first);
            cr_expect(walk_at_boundary(&seen.walk) && buf_len(&seen.walk.held) == 0);
            done(&seen);
        }
    }
}

Test(walk, hands_on_what_is_there_and_keeps_only_headers)
{
    struct seen seen = {.num_bad = 0};
    walk_init(&seen.walk, 16);
    feed(&seen,
         "f\x7f\xff\xff\xff"
         "abc",
         8);
    expect_seen(&seen,
                "f\x7f\xff\xff\xff"
                "abc",
                8, "part", 0);
    cr_expect(not(walk_at_boundary(&seen.walk)));
    cr_expect(eq(sz, buf_len(&seen.walk.held), 0));
    walk_stop(&seen.walk); /* not inside a message */
    feed(&seen, "d", 1);
    expect_seen(&seen,
                "f\x7f\xff\xff\xff"
                "abcd",
                9, "part", 1);
    done(&seen);
}

Test(walk, stops_before_a_message_and_goes_on)
{
    static const char in[] = "f\0\0\0\4s\0\0\0\5xc\0\0\0\5yf\0\0\0\4";
    size_t len = sizeof(in) - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct seen seen = {.num_bad = 0};
        walk_init(&seen.walk, 64);
        feed(&seen, in, cut);
        feed(&seen, in + cut, len - cut);
        expect_seen(&seen, "f\0\0\0\4", 5, "cut", cut);
        cr_expect(eq(sz, buf_len(&seen.walk.held), len - 5));
        walk_resume(&seen.walk, &owner, &seen); /* stops at the same place */
        expect_seen(&seen, "f\0\0\0\4", 5, "cut", cut);
        seen.go_on = true;
        walk_resume(&seen.walk, &owner, &seen);
        expect_seen(&seen, "f\0\0\0\4s\0\0\0\5x[c\0\0\0\5y]f\0\0\0\4", len + 2, "cut", cut);
        walk_resume(&seen.walk, &owner, &seen);
        cr_expect(eq(sz, buf_len(&seen.walk.held), 0));
        done(&seen);
    }
}

Test(walk, stops_behind_a_message)
{
    static const char in[] = "S\0\0\0\5xf\0\0\0\4";
    size_t len = sizeof(in) - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct seen seen = {.num_bad = 0};
        walk_init(&seen.walk, 64);
        feed(&seen, in, cut);
        feed(&seen, in + cut, len - cut);
        expect_seen(&seen, "[S\0\0\0\5x]", 8, "cut", cut);
        cr_expect(eq(sz, buf_len(&seen.walk.held), 5));
        walk_resume(&seen.walk, &owner, &seen);
        expect_seen(&seen, "[S\0\0\0\5x]f\0\0\0\4", 13, "cut", cut);
        done(&seen);
    }
}

Test(walk, breaks_once_at_a_length_that_makes_no_sense)
{
    static const char *const lengths[] = {"\0\0\0\0", "\0\0\0\3", "\x80\0\0\0", "\xff\xff\xff\xff"};
    for (size_t i = 0; i < 4; i++) {
        for (size_t cut = 0; cut < 10; cut++) {
            char in[10] = "f\0\0\0\4c";
            memcpy(in + 6, lengths[i], 4);
            struct seen seen = {.num_bad = 0};
            walk_init(&seen.walk, 64);
            feed(&seen, in, cut);
            feed(&seen, in + cut, sizeof(in) - cut);
            feed(&seen, "f\0\0\0\4", 5);
            expect_seen(&seen, "f\0\0\0\4", 5, "cut", cut);
            cr_expect(eq(uint, seen.num_bad, 1));
            walk_resume(&seen.walk, &owner, &seen);
            cr_expect(eq(uint, seen.num_bad, 1));
            done(&seen);
        }
    }
}

Test(walk, breaks_when_held_bytes_pass_the_cap)
{
    struct seen seen = {.num_bad = 0};
    walk_init(&seen.walk, 8);
    feed(&seen, "s\0\0\0\7", 5);
    feed(&seen, "abc", 3);
    cr_expect(eq(uint, seen.num_bad, 0));
    feed(&seen, "d", 1);
    feed(&seen, "e", 1);
    cr_expect(eq(uint, seen.num_bad, 1));
    done(&seen);
}

Test(walk, breaks_without_memory_at_every_byte)
{
    size_t len = sizeof(stream) - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct seen seen = {.num_bad = 0};
        walk_init(&seen.walk, 64);
        feed(&seen, stream, cut);
        size_t before = buf_len(&seen.out);
        mem_fail_at(1);
        feed(&seen, stream + cut, len - cut < 2 ? len - cut : 2);
        mem_fail_at(0);
        cr_expect(ge(sz, buf_len(&seen.out), before));
        cr_expect(le(uint, seen.num_bad, 1));
        done(&seen);
    }
}
