/* Tests of proxy/core/startup.c: what a StartupMessage asks for beyond 3.0, at every truncation and
 * with each allocation failing. */
#include "startup.h"

#include "mem.h"
#include "wire.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

struct packet {
    const char *what;
    enum startup_result result;
    uint32_t version;
    const char *parameters; /* behind the version */
    size_t len;
    const char *kept; /* what the server gets of them */
    size_t kept_len;
    uint32_t num_names;
    const char *names;
    size_t names_len;
};

enum { V3_0 = 0x30000, V3_2 = 0x30002, V3_9999 = 0x3270f };

#define AS_IS(what_, version_, parameters_)                                                        \
    {                                                                                              \
        .what = what_, .result = STARTUP_AS_IS, .version = version_, .parameters = parameters_,    \
        .len = sizeof(parameters_) - 1                                                             \
    }
#define MALFORMED(what_, version_, parameters_)                                                    \
    {                                                                                              \
        .what = what_, .result = STARTUP_MALFORMED, .version = version_,                           \
        .parameters = parameters_, .len = sizeof(parameters_) - 1                                  \
    }
#define REWRITTEN(what_, version_, parameters_, kept_, num_, names_)                               \
    {                                                                                              \
        .what = what_, .result = STARTUP_REWRITTEN, .version = version_,                           \
        .parameters = parameters_, .len = sizeof(parameters_) - 1, .kept = kept_,                  \
        .kept_len = sizeof(kept_) - 1, .num_names = num_, .names = names_,                         \
        .names_len = sizeof(names_) - 1                                                            \
    }

static const struct packet packets[] = {
    AS_IS("3.0", V3_0, "user\0root\0\0"),
    AS_IS("3.0 without parameters", V3_0, "\0"),
    AS_IS("3.0 without anything", V3_0, ""),
    AS_IS("3.0, malformed, nothing asked for", V3_0, "user\0root"),
    AS_IS("3.0, bytes behind, nothing asked for", V3_0, "user\0root\0\0more"),
    AS_IS("names that are none of ours", V3_0, "_pq_\0a\0_PQ_.x\0b\0pq_.\0c\0\0"),
    AS_IS("an option's name as a value", V3_0, "user\0_pq_.a\0\0"),
    AS_IS("major 2", 0x20000, "_pq_.a\0b\0\0"),
    AS_IS("major 2, a minor version", 0x20063, "user\0root\0\0"),
    AS_IS("major 4", 0x40000, "_pq_.a\0b\0\0"),
    AS_IS("major 0", 2, "\0"),
    AS_IS("major 65535", 0xffff0003, "\0"),
    REWRITTEN("3.2", V3_2, "user\0root\0\0", "user\0root\0\0", 0, ""),
    REWRITTEN("3.1 without parameters", 0x30001, "\0", "\0", 0, ""),
    REWRITTEN("3.65535", 0x3ffff, "a\0\0\0", "a\0\0\0", 0, ""),
    REWRITTEN("3.9999 with options", V3_9999, "_pq_.b\0\0user\0root\0_pq_.a\0x\0\0",
              "user\0root\0\0", 2, "_pq_.b\0_pq_.a\0"),
    REWRITTEN("3.0 with one option", V3_0, "user\0root\0_pq_.x\0y\0\0", "user\0root\0\0", 1,
              "_pq_.x\0"),
    REWRITTEN("3.0 with the shortest name", V3_0, "_pq_.\0y\0\0", "\0", 1, "_pq_.\0"),
    REWRITTEN("the same option twice", V3_0, "_pq_.x\0y\0_pq_.x\0z\0\0", "\0", 2,
              "_pq_.x\0_pq_.x\0"),
    REWRITTEN("values of any bytes", V3_2, "user\0\xff\xfe \0options\0-c a=b\0\0",
              "user\0\xff\xfe \0options\0-c a=b\0\0", 0, ""),
    MALFORMED("3.2 without a terminator", V3_2, "user\0root\0"),
    MALFORMED("3.2 without anything", V3_2, ""),
    MALFORMED("3.2, a name without a value", V3_2, "user\0"),
    MALFORMED("3.2, part of a name", V3_2, "use"),
    MALFORMED("3.2, part of a value", V3_2, "user\0roo"),
    MALFORMED("3.2, bytes behind the terminator", V3_2, "user\0root\0\0x"),
    MALFORMED("3.2, two terminators", V3_2, "user\0root\0\0\0"),
    MALFORMED("3.0, an option without a terminator", V3_0, "_pq_.x\0y\0"),
    MALFORMED("3.0, an option, bytes behind", V3_0, "_pq_.x\0y\0\0\0"),
};
enum { NUM_PACKETS = sizeof(packets) / sizeof(packets[0]) };

static void make(struct buf *out, uint32_t version, const char *parameters, size_t len)
{
    buf_add_u32(out, (uint32_t)len + 8);
    buf_add_u32(out, version);
    buf_add(out, parameters, len);
}

/* Asks about an allocation of exactly its size. */
static enum startup_result ask(const uint8_t *packet, size_t len, struct buf *out_packet,
                               struct buf *out_answer)
{
    uint8_t *exact = malloc(len != 0 ? len : 1);
    memcpy(exact, packet, len);
    enum startup_result result = startup_negotiate(exact, len, out_packet, out_answer);
    free(exact);
    return result;
}

static void expect_bytes(const struct buf *got, const struct buf *wanted, const char *what)
{
    cr_expect(eq(sz, buf_len(got), buf_len(wanted)), "%s", what);
    cr_expect(buf_len(got) == buf_len(wanted) &&
                  memcmp(buf_bytes(got), buf_bytes(wanted), buf_len(wanted)) == 0,
              "%s", what);
}

Test(startup, table)
{
    for (size_t i = 0; i < NUM_PACKETS; i++) {
        const struct packet *t = &packets[i];
        struct buf given = {0};
        struct buf server = {0};
        struct buf client = {0};
        struct buf wanted_server = {0};
        struct buf wanted_client = {0};
        make(&given, t->version, t->parameters, t->len);
        /* Both are appended to what is there. */
        buf_add_text(&client, "N");
        buf_add_text(&wanted_client, "N");
        cr_expect(eq(int, ask(buf_bytes(&given), buf_len(&given), &server, &client), t->result),
                  "%s", t->what);
        if (t->result == STARTUP_REWRITTEN) {
            make(&wanted_server, V3_0, t->kept, t->kept_len);
            size_t start = wire_begin_message(&wanted_client, SERVER_NEGOTIATE_PROTOCOL_VERSION);
            buf_add_u32(&wanted_client, V3_0);
            buf_add_u32(&wanted_client, t->num_names);
            buf_add(&wanted_client, t->names, t->names_len);
            wire_end_message(&wanted_client, start);
            expect_bytes(&server, &wanted_server, t->what);
        }
        if (t->result != STARTUP_MALFORMED) { /* then they are of no use */
            expect_bytes(&client, &wanted_client, t->what);
        }
        buf_cleanup(&given);
        buf_cleanup(&server);
        buf_cleanup(&client);
        buf_cleanup(&wanted_server);
        buf_cleanup(&wanted_client);
    }
}

/* Every beginning of every packet: never read past its end, never rewritten when it is not whole.
 */
Test(startup, every_truncation)
{
    for (size_t i = 0; i < NUM_PACKETS; i++) {
        struct buf given = {0};
        make(&given, packets[i].version, packets[i].parameters, packets[i].len);
        for (size_t len = 8; len < buf_len(&given); len++) {
            struct buf server = {0};
            struct buf client = {0};
            enum startup_result got = ask(buf_bytes(&given), len, &server, &client);
            cr_expect(got == STARTUP_AS_IS || packets[i].result != STARTUP_AS_IS, "%s, %zu",
                      packets[i].what, len);
            cr_expect(got != STARTUP_REWRITTEN || packets[i].result == STARTUP_MALFORMED, "%s, %zu",
                      packets[i].what, len);
            cr_expect(got != STARTUP_AS_IS || buf_len(&client) + buf_len(&server) == 0, "%s, %zu",
                      packets[i].what, len);
            buf_cleanup(&server);
            buf_cleanup(&client);
        }
        buf_cleanup(&given);
    }
}

/* What a server of 3.0 is sent asks for nothing more: asked again, it goes as it is. */
Test(startup, what_was_rewritten_is_not_rewritten_again)
{
    for (size_t i = 0; i < NUM_PACKETS; i++) {
        struct buf given = {0};
        struct buf server = {0};
        struct buf client = {0};
        make(&given, packets[i].version, packets[i].parameters, packets[i].len);
        if (ask(buf_bytes(&given), buf_len(&given), &server, &client) == STARTUP_REWRITTEN) {
            struct buf again = {0};
            cr_expect(
                eq(int, ask(buf_bytes(&server), buf_len(&server), &again, &again), STARTUP_AS_IS),
                "%s", packets[i].what);
            cr_expect(eq(sz, buf_len(&again), 0));
        }
        buf_cleanup(&given);
        buf_cleanup(&server);
        buf_cleanup(&client);
    }
}

/* With each allocation failing: said so, never half a packet that looks whole. */
Test(startup, without_memory)
{
    for (size_t i = 0; i < NUM_PACKETS; i++) {
        struct buf given = {0};
        make(&given, packets[i].version, packets[i].parameters, packets[i].len);
        enum startup_result got = STARTUP_NO_MEMORY;
        size_t nth = 1;
        for (; got == STARTUP_NO_MEMORY && nth < 20; nth++) {
            struct buf server = {0};
            struct buf client = {0};
            mem_fail_at(nth);
            got = startup_negotiate(buf_bytes(&given), buf_len(&given), &server, &client);
            mem_fail_at(0);
            cr_expect(got == STARTUP_NO_MEMORY || got == packets[i].result, "%s, allocation %zu",
                      packets[i].what, nth);
            cr_expect(got != STARTUP_REWRITTEN || (!buf_failed(&server) && !buf_failed(&client)));
            buf_cleanup(&server);
            buf_cleanup(&client);
        }
        cr_expect(eq(int, got, packets[i].result), "%s", packets[i].what);
        cr_expect(packets[i].result != STARTUP_REWRITTEN || nth > 3, "%s", packets[i].what);
        buf_cleanup(&given);
    }
}
