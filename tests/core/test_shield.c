/* shield: every message of the manual at every cut, and every way it can be malformed. */
#include "buf.h"
#include "shield.h"
#include "wire.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>
#include <string.h>

struct body {
    char what[64];
    uint8_t tag;
    bool good;
    size_t len;
    char bytes[64];
};

#define BODY(good_, what_, tag_, bytes_)                                                           \
    {                                                                                              \
        .what = what_, .tag = tag_, .good = good_, .len = sizeof(bytes_) - 1, .bytes = bytes_      \
    }

static struct body bodies[] = {
    BODY(true, "a query", 'Q', "SELECT 1\0"),
    BODY(true, "an empty query", 'Q', "\0"),
    BODY(false, "a query without a body", 'Q', ""),
    BODY(false, "a query without NUL", 'Q', "SELECT 1"),
    BODY(false, "a query with a NUL inside", 'Q', "SELECT\0 1\0"),
    BODY(false, "a query with two NULs", 'Q', "SELECT 1\0\0"),
    BODY(true, "a parse", 'P', "s\0SELECT $1\0\0\1\0\0\0\x17"),
    BODY(true, "a parse without types", 'P', "\0\0\0\0"),
    BODY(false, "a parse without NUL", 'P', "s"),
    BODY(false, "a parse with one NUL", 'P', "s\0SELECT 1"),
    BODY(false, "a parse without a count", 'P', "s\0SELECT 1\0"),
    BODY(false, "a parse with half a count", 'P', "s\0SELECT 1\0\0"),
    BODY(false, "a parse with too few types", 'P', "s\0SELECT 1\0\0\2\0\0\0\x17"),
    BODY(false, "a parse with part of a type", 'P', "s\0SELECT 1\0\0\1\0\0\0"),
    BODY(false, "a parse with bytes behind", 'P', "s\0SELECT 1\0\0\0\0"),
    BODY(false, "a parse without a body", 'P', ""),
    BODY(false, "a parse with 32768 types", 'P', "s\0\0\x80\0"),
    BODY(true, "a bind", 'B', "p\0s\0\0\1\0\1\0\2\0\0\0\2ab\xff\xff\xff\xff\0\1\0\0"),
    BODY(true, "a bind of nothing", 'B', "\0\0\0\0\0\0\0\0"),
    BODY(true, "a bind of an empty value", 'B', "\0\0\0\0\0\1\0\0\0\0\0\0"),
    BODY(false, "a bind without a body", 'B', ""),
    BODY(false, "a bind with one NUL", 'B', "p\0s"),
    BODY(false, "a bind without counts", 'B', "\0\0"),
    BODY(false, "a bind without a result count", 'B', "\0\0\0\0\0\0"),
    BODY(false, "a bind with half a result count", 'B', "\0\0\0\0\0\0\0"),
    BODY(false, "a bind with too few formats", 'B', "\0\0\0\2\0\1"),
    BODY(false, "a bind with too few values", 'B', "\0\0\0\0\0\2\0\0\0\1a"),
    BODY(false, "a bind with a length past its end", 'B', "\0\0\0\0\0\1\0\0\0\x9a\0\0"),
    BODY(false, "a bind with part of a length", 'B', "\0\0\0\0\0\1\0\0\0"),
    BODY(false, "a bind with a length of -2", 'B', "\0\0\0\0\0\1\xff\xff\xff\xfe\0\0"),
    BODY(false, "a bind with a length of -2^31", 'B', "\0\0\0\0\0\1\x80\0\0\0\0\0"),
    BODY(false, "a bind with 32768 formats", 'B', "\0\0\x80\0\0\0\0\0"),
    BODY(false, "a bind with 32768 values", 'B', "\0\0\0\0\x80\0\0\0"),
    BODY(false, "a bind with 65535 results", 'B', "\0\0\0\0\0\0\xff\xff"),
    BODY(false, "a bind with too few results", 'B', "\0\0\0\0\0\0\0\1\0"),
    BODY(false, "a bind with bytes behind", 'B', "\0\0\0\0\0\0\0\0\0"),
    BODY(true, "a describe of a statement", 'D', "Ss\0"),
    BODY(true, "a describe of a portal", 'D', "P\0"),
    BODY(false, "a describe without a body", 'D', ""),
    BODY(false, "a describe without a name", 'D', "S"),
    BODY(false, "a describe without NUL", 'D', "Ss"),
    BODY(false, "a describe of something else", 'D', "Qs\0"),
    BODY(false, "a describe with bytes behind", 'D', "Ss\0\0"),
    BODY(true, "a close of a statement", 'C', "S\0"),
    BODY(true, "a close of a portal", 'C', "Pp\0"),
    BODY(false, "a close without a body", 'C', ""),
    BODY(false, "a close without NUL", 'C', "Pp"),
    BODY(false, "a close of something else", 'C', "\0\0"),
    BODY(true, "an execute", 'E', "p\0\0\0\0\0"),
    BODY(true, "an execute with any limit", 'E', "\0\xff\xff\xff\xff"),
    BODY(false, "an execute without a body", 'E', ""),
    BODY(false, "an execute without NUL", 'E', "p"),
    BODY(false, "an execute without a limit", 'E', "p\0"),
    BODY(false, "an execute with half a limit", 'E', "p\0\0\0\0"),
    BODY(false, "an execute with bytes behind", 'E', "p\0\0\0\0\0\0"),
    BODY(true, "a sync", 'S', ""),
    BODY(false, "a sync with a body", 'S', "x"),
    BODY(true, "a flush", 'H', ""),
    BODY(false, "a flush with a body", 'H', "\0"),
    BODY(true, "a terminate", 'X', ""),
    BODY(false, "a terminate with a body", 'X', "\0"),
    BODY(true, "something unknown", 'y', "any\0thing"),
    BODY(true, "something unknown and empty", 'y', ""),
    BODY(true, "a function call, which is not read", 'F', "abc"),
};

/* Feeds the message in pieces; the verdict must not depend on them. */
static bool judge(const struct body *b, size_t first, size_t rest)
{
    struct buf message = {0};
    wire_add_message(&message, b->tag, (const uint8_t *)b->bytes, b->len);
    struct wire_header header = {0};
    cr_assert(
        eq(int, wire_decode_header(buf_bytes(&message), buf_len(&message), &header), WIRE_OK));
    struct shield shield;
    shield_begin(&shield, &header);
    bool good = true;
    size_t at = 0;
    size_t piece = first;
    while (good && at < buf_len(&message)) {
        piece = piece < buf_len(&message) - at ? piece : buf_len(&message) - at;
        good = shield_take(&shield, buf_bytes(&message) + at, piece);
        at += piece;
        piece = rest;
    }
    buf_cleanup(&message);
    return good;
}

ParameterizedTestParameters(shield, is_the_same_at_every_cut)
{
    return cr_make_param_array(struct body, bodies, sizeof(bodies) / sizeof(bodies[0]));
}

ParameterizedTest(struct body *b, shield, is_the_same_at_every_cut)
{
    size_t whole = b->len + WIRE_HEADER_LEN;
    for (size_t first = 1; first <= whole; first++) {
        cr_expect(eq(int, judge(b, first, whole), b->good), "%s, cut at %zu", b->what, first);
        cr_expect(eq(int, judge(b, first, 1), b->good), "%s, byte by byte from %zu", b->what,
                  first);
    }
}

/* Every beginning of a good message, announced as the whole of it, is malformed: no part of it may
 * be missing. */
Test(shield, a_message_without_its_end_is_malformed)
{
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct body b = bodies[i];
        bool is_read = strchr("QPBDCE", b.tag) != NULL;
        for (size_t len = 0; b.good && is_read && len < bodies[i].len; len++) {
            b.len = len;
            cr_expect(not(judge(&b, 1, 1)), "%s, %zu bytes of it", b.what, len);
        }
    }
}

Test(shield, a_length_past_the_end_is_known_before_the_end)
{
    static const uint8_t start[] = "\0\0\0\0\0\1\0\0\1\0";
    struct shield shield;
    struct wire_header header = {.tag = CLIENT_BIND, .body_len = 100};
    shield_begin(&shield, &header);
    cr_assert(shield_take(&shield, (const uint8_t *)"B\0\0\0\x68", WIRE_HEADER_LEN));
    cr_assert(not(shield_take(&shield, start, sizeof(start) - 1)));
}

/* A Bind of a GiB is judged without being kept. */
Test(shield, a_huge_value_passes)
{
    enum { VALUE = 1 << 30, PIECE = 1 << 16 };
    static uint8_t piece[PIECE];
    static const uint8_t start[] = "\0\0\0\0\0\1\x40\0\0\0";
    struct shield shield;
    struct wire_header header = {.tag = CLIENT_BIND, .body_len = sizeof(start) - 1 + VALUE + 2};
    shield_begin(&shield, &header);
    cr_assert(shield_take(&shield, (const uint8_t *)"B\x40\0\0\x10", WIRE_HEADER_LEN));
    cr_assert(shield_take(&shield, start, sizeof(start) - 1));
    for (size_t sent = 0; sent < VALUE; sent += PIECE) {
        cr_assert(shield_take(&shield, piece, PIECE));
    }
    cr_assert(shield_take(&shield, piece, 1));
    cr_assert(shield_take(&shield, piece, 1));
}
