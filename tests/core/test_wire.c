/* Tests of proxy/core/wire.c: every truncation, lengths at their borders, what is built reads back.
 */
#include "wire.h"

#include "limits.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

/* An allocation of exactly `len` bytes, so that a read past the end is seen. */
static uint8_t *exact(const void *bytes, size_t len)
{
    uint8_t *copy = calloc(1, len);
    if (len != 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

Test(wire, header_needs_more_at_every_cut)
{
    static const uint8_t query[] = {'Q', 0, 0, 0, 6, 'x', 0};
    for (size_t cut = 0; cut <= sizeof(query); cut++) {
        uint8_t *in = exact(query, cut);
        struct wire_header header = {.tag = '?', .body_len = 99};
        enum wire_result got = wire_decode_header(in, cut, &header);
        cr_expect(eq(int, got, cut < WIRE_HEADER_LEN ? WIRE_NEED_MORE : WIRE_OK), "cut %zu", cut);
        cr_expect(eq(int, header.tag, cut < WIRE_HEADER_LEN ? '?' : 'Q'));
        cr_expect(eq(uint, header.body_len, cut < WIRE_HEADER_LEN ? 99 : 2));
        free(in);
    }
}

Test(wire, header_refuses_lengths_that_make_no_sense)
{
    static const uint32_t bad[] = {0, 1, 2, 3, 0x80000000, 0x80000004, 0xffffffff};
    uint8_t in[WIRE_HEADER_LEN] = {'d'};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct wire_header header = {.tag = '?'};
        put_u32(in + 1, bad[i]);
        cr_expect(eq(int, wire_decode_header(in, sizeof(in), &header), WIRE_BAD), "%x", bad[i]);
        cr_expect(eq(int, header.tag, '?'));
    }
    struct wire_header header;
    put_u32(in + 1, 4);
    cr_expect(eq(int, wire_decode_header(in, sizeof(in), &header), WIRE_OK));
    cr_expect(eq(uint, header.body_len, 0));
    put_u32(in + 1, 0x7fffffff);
    cr_expect(eq(int, wire_decode_header(in, sizeof(in), &header), WIRE_OK));
    cr_expect(eq(uint, header.body_len, 0x7ffffffb));
}

Test(wire, reader_stops_at_the_end_for_good)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 'a', 0, 'b'};
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        uint8_t *in = exact(bytes, len);
        struct wire_reader r = wire_reader_over(in, len);
        cr_expect(eq(int, wire_read_u8(&r), len >= 1 ? 1 : 0));
        cr_expect(eq(int, wire_read_u16(&r), len >= 3 ? 0x0203 : 0));
        cr_expect(eq(uint, wire_read_u32(&r), len >= 7 ? 0x04050607 : 0));
        cr_expect(eq(str, (char *)wire_read_text(&r), len >= 9 ? "a" : ""));
        cr_expect(eq(int, r.bad, len < 9), "length %zu", len);
        cr_expect(eq(str, (char *)wire_read_text(&r), ""));
        cr_expect(r.bad && wire_read_bytes(&r, 0) == NULL && wire_read_u8(&r) == 0);
        free(in);
    }
}

Test(wire, reader_refuses_a_length_that_would_wrap)
{
    struct wire_reader r = wire_reader_over((const uint8_t *)"abc", 3);
    cr_expect(wire_read_bytes(&r, SIZE_MAX) == NULL && r.bad);
}

Test(wire, error_fields_may_be_missing_or_cut)
{
    static const char body[] = "SERROR\0VERROR\0C42601\0Mno\0Zwhat\0";
    for (size_t len = 0; len <= sizeof(body); len++) {
        uint8_t *in = exact(body, len);
        struct wire_error error = wire_read_error(in, len);
        cr_expect(eq(str, (char *)error.severity, len >= 7 ? "ERROR" : ""), "length %zu", len);
        cr_expect(eq(str, (char *)error.sqlstate, len >= 21 ? "42601" : ""));
        cr_expect(eq(str, (char *)error.message, len >= 25 ? "no" : ""));
        free(in);
    }
    struct wire_error error = wire_read_error((const uint8_t *)"\0Mhidden", 9);
    cr_expect(eq(str, (char *)error.message, ""));
}

static enum wire_result decode_start(uint32_t len, uint32_t code, size_t here,
                                     struct wire_start *out_start)
{
    uint8_t *in = calloc(1, here > 8 ? here : 8);
    put_u32(in, len);
    put_u32(in + 4, code);
    uint8_t *cut = exact(in, here);
    enum wire_result got = wire_decode_start(cut, here, out_start);
    free(cut);
    free(in);
    return got;
}

Test(wire, start_needs_more_at_every_cut)
{
    static const struct {
        uint32_t code;
        enum wire_start_kind kind;
        uint32_t len;
    } packets[] = {
        {80877103, START_SSL_REQUEST, 8},     {80877104, START_GSSENC_REQUEST, 8},
        {80877102, START_CANCEL_REQUEST, 16}, {196608, START_STARTUP, 8},
        {196610, START_STARTUP, 41},          {131072, START_STARTUP, LIMIT_STARTUP_PACKET}};
    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        struct wire_start start = {.packet_len = 77};
        uint32_t len = packets[i].len;
        for (size_t here = 0; here < len; here++) {
            enum wire_result got = decode_start(len, packets[i].code, here, &start);
            cr_expect(eq(int, got, WIRE_NEED_MORE), "packet %zu, %zu bytes", i, here);
            cr_expect(eq(sz, start.packet_len, 77));
        }
        cr_expect(eq(int, decode_start(len, packets[i].code, len + 3, &start), WIRE_OK));
        cr_expect(eq(int, start.kind, packets[i].kind));
        cr_expect(eq(sz, start.packet_len, len));
    }
}

Test(wire, start_refuses_lengths_as_soon_as_they_are_visible)
{
    static const uint32_t bad[] = {0, 1, 2, 3, 4, 7, 10005, 0x7fffffff, 0x80000000, 0xffffffff};
    struct wire_start start;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect(eq(int, decode_start(bad[i], 0, 4, &start), WIRE_BAD), "length %u", bad[i]);
        cr_expect(eq(int, decode_start(bad[i], 0, 3, &start), WIRE_NEED_MORE));
    }
    static const uint32_t cancel[] = {8, 12, 15, 17, 268};
    for (size_t i = 0; i < sizeof(cancel) / sizeof(cancel[0]); i++) {
        cr_expect(eq(int, decode_start(cancel[i], 80877102, 8, &start), WIRE_OK));
        cr_expect(eq(int, start.kind, START_MALFORMED_CANCEL), "length %u", cancel[i]);
    }
    cr_expect(eq(int, decode_start(9, 80877103, 8, &start), WIRE_BAD));
    cr_expect(eq(int, decode_start(12, 80877104, 8, &start), WIRE_BAD));
}

static void expect_built(struct buf *b, const char *bytes, size_t len)
{
    cr_expect(not(buf_failed(b)));
    cr_expect(eq(sz, buf_len(b), len));
    cr_expect(buf_len(b) == len && memcmp(buf_bytes(b), bytes, len) == 0);
    buf_cleanup(b);
}

Test(wire, builders_write_whole_messages)
{
    struct buf b = {0};
    wire_add_query(&b, "x");
    expect_built(&b, "Q\0\0\0\6x\0", 7);
    wire_add_sync(&b);
    expect_built(&b, "S\0\0\0\4", 5);
    wire_add_terminate(&b);
    expect_built(&b, "X\0\0\0\4", 5);
    wire_add_command_complete(&b, "");
    expect_built(&b, "C\0\0\0\5\0", 6);
    wire_add_ready_for_query(&b, 'T');
    expect_built(&b, "Z\0\0\0\5T", 6);
    wire_add_message(&b, 'd', (const uint8_t *)"a\0b", 3);
    wire_add_message(&b, 'c', NULL, 0);
    expect_built(&b, "d\0\0\0\7a\0bc\0\0\0\4", 13);
}

Test(wire, reports_carry_only_the_fields_that_are_given)
{
    struct buf b = {0};
    struct wire_report report = {.severity = "ERROR", .sqlstate = "42601", .message = "no"};
    wire_add_error_response(&b, &report);
    expect_built(&b, "E\0\0\0\x1eSERROR\0VERROR\0C42601\0Mno\0\0", 31);
    report.detail = "d";
    report.hint = "h";
    wire_add_notice_response(&b, &report);
    expect_built(&b, "N\0\0\0\x24SERROR\0VERROR\0C42601\0Mno\0Dd\0Hh\0\0", 37);
}

Test(wire, message_that_does_not_fit_leaves_nothing)
{
    uint8_t byte = 0;
    for (size_t cap = 1; cap < 31; cap++) {
        struct buf b;
        buf_init(&b, cap);
        wire_add_error_response(
            &b, &(struct wire_report){.severity = "ERROR", .sqlstate = "42601", .message = "no"});
        cr_expect(buf_failed(&b) && buf_len(&b) == 0, "cap %zu", cap);
        buf_cleanup(&b);
    }
    /* Near 2^31: refused by length, before a byte of the body is read. */
    struct buf b = {0};
    wire_add_sync(&b);
    wire_add_message(&b, 'd', &byte, (size_t)INT32_MAX - 3);
    cr_expect(buf_failed(&b) && buf_len(&b) == 5);
    buf_cleanup(&b);
    wire_add_message(&b, 'd', &byte, SIZE_MAX);
    cr_expect(buf_failed(&b) && buf_len(&b) == 0);
    buf_cleanup(&b);
}
