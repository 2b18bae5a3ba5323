/* Tests of proxy/core/startup.c: what a StartupMessage asks for, at every truncation and
 * with each allocation failing. */
#include "startup.h"

#include "mem.h"
#include "wire.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
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
    struct replace_settings settings;
    struct settings_problem problem;
    settings_init(&settings);
    enum startup_result result =
        startup_read(exact, len, &settings, out_packet, out_answer, &problem);
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
        struct replace_settings settings;
        struct settings_problem problem;
        struct buf given = {0};
        make(&given, packets[i].version, packets[i].parameters, packets[i].len);
        enum startup_result got = STARTUP_NO_MEMORY;
        size_t nth = 1;
        for (; got == STARTUP_NO_MEMORY && nth < 20; nth++) {
            struct buf server = {0};
            struct buf client = {0};
            mem_fail_at(nth);
            settings_init(&settings);
            got = startup_read(buf_bytes(&given), buf_len(&given), &settings, &server, &client,
                               &problem);
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

struct options {
    const char *given;
    const char *kept;  /* what the server gets; NULL: the key is gone, too */
    const char *shown; /* notices build drain_min, as set */
};

static const struct options options[] = {
    {"-c mvswap.notices=off", NULL, "off background 500ms"},
    {"-cmvswap.notices=off", NULL, "off background 500ms"},
    {"--mvswap.notices=off", NULL, "off background 500ms"},
    {"--MVSWAP.Drain-Min=2s", NULL, "progress background 2s"},
    {"  -c   mvswap.build=foreground\t", NULL, "progress foreground 500ms"},
    {"-c mvswap.notices=s\\ummary", NULL, "summary background 500ms"},
    {"-c mvswap.drain_min=1\\ s", NULL, "progress background 1s"},
    {"-c search_path=a\\ b -c mvswap.notices=off", "-c search_path=a\\ b", "off background 500ms"},
    {"-c mvswap.notices=off  -c a=b ", "  -c a=b ", "off background 500ms"},
    {"-c a=b -c mvswap.notices=off -c c=d", "-c a=b -c c=d", "off background 500ms"},
    {"-c mvswap.build=foreground --mvswap.notices=off -d 5", " -d 5", "off foreground 500ms"},
    {"-c mvswap.notices=off -c mvswap.notices=summary", NULL, "summary background 500ms"},
    {"-c mvswap.check=SELECT\\ true --mvswap.after-swap=SELECT\\ 1;SELECT\\ 2", NULL,
     "progress background 500ms"},
    {"-c x=mvswap.notices=off", "-c x=mvswap.notices=off", "progress background 500ms"},
    {"-c", "-c", "progress background 500ms"},
    {"-c mvswap.notices=off -c", " -c", "off background 500ms"},
    {"-c mvswap.notices=off --", " --", "off background 500ms"},
    {"-c mvswapnotices=off", "-c mvswapnotices=off", "progress background 500ms"},
    {"--a-b=c\\\\d", "--a-b=c\\\\d", "progress background 500ms"},
};

static void make_options(struct buf *out, const char *value)
{
    struct buf parameters = {0};
    buf_add(&parameters, "user\0root", 10);
    if (value != NULL) {
        wire_add_text(&parameters, "options");
        wire_add_text(&parameters, value);
    }
    buf_add_byte(&parameters, 0);
    make(out, V3_0, (const char *)buf_bytes(&parameters), buf_len(&parameters));
    buf_cleanup(&parameters);
}

/* Ours are taken out and set, the rest stays byte for byte; also when memory fails anywhere. */
Test(startup, settings_in_options)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        bool done = false;
        for (size_t nth = 1; !done; nth++) {
            struct buf given = {0};
            struct buf wanted = {0};
            struct buf server = {0};
            struct buf client = {0};
            struct replace_settings settings;
            struct settings_problem problem;
            char text[3][SETTING_TEXT_LEN];
            char shown[3 * SETTING_TEXT_LEN];
            make_options(&given, options[i].given);
            make_options(&wanted, options[i].kept);
            settings_init(&settings);
            mem_fail_at(nth);
            enum startup_result result = startup_read(buf_bytes(&given), buf_len(&given), &settings,
                                                      &server, &client, &problem);
            done = mem_count() < nth;
            mem_fail_at(0);
            bool as_is = options[i].kept != NULL && strcmp(options[i].kept, options[i].given) == 0;
            if (done) {
                cr_expect(eq(int, result, as_is ? STARTUP_AS_IS : STARTUP_REWRITTEN), "%s",
                          options[i].given);
            } else {
                cr_expect(eq(int, result, STARTUP_NO_MEMORY), "%s, %zu", options[i].given, nth);
            }
            if (result == STARTUP_REWRITTEN) {
                expect_bytes(&server, &wanted, options[i].given);
                (void)settings_text(&settings, SETTING_NOTICES, text[0]);
                (void)settings_text(&settings, SETTING_BUILD, text[1]);
                (void)settings_text(&settings, SETTING_DRAIN_MIN, text[2]);
                (void)snprintf(shown, sizeof(shown), "%s %s %s", text[0], text[1], text[2]);
                cr_expect(eq(str, shown, (char *)options[i].shown), "%s", options[i].given);
            }
            cr_expect(result == STARTUP_NO_MEMORY || buf_len(&client) == 0);
            settings_cleanup(&settings);
            buf_cleanup(&given);
            buf_cleanup(&wanted);
            buf_cleanup(&server);
            buf_cleanup(&client);
        }
    }
}

Test(startup, a_bad_setting_is_told)
{
    static const struct {
        const char *given;
        const char *sqlstate;
    } rows[] = {
        {"-c mvswap.notice=off", "42704"}, {"-c mvswap.notices=loud", "22023"},
        {"-c mvswap.notices", "22023"},    {"-c mvswap.check=SELECT\\ $1", "22023"},
        {"-c mvswap.=1", "42704"},         {"-c mvswap.notices=off --mvswap.a=b -c c=d", "42704"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf given = {0};
        struct buf server = {0};
        struct buf client = {0};
        struct replace_settings settings;
        struct settings_problem problem = {.sqlstate = ""};
        settings_init(&settings);
        make_options(&given, rows[i].given);
        cr_expect(eq(int,
                     startup_read(buf_bytes(&given), buf_len(&given), &settings, &server, &client,
                                  &problem),
                     STARTUP_BAD_SETTING),
                  "%s", rows[i].given);
        cr_expect(eq(str, (char *)problem.sqlstate, (char *)rows[i].sqlstate), "%s", rows[i].given);
        buf_cleanup(&given);
        buf_cleanup(&server);
        buf_cleanup(&client);
    }
}
