/* Tests of proxy/replace/server_version.c: what version() says, and what that version has. */
#include "server_version.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

Test(server_version, is_risingwave)
{
    static const struct {
        const char *text;
        unsigned major;
        unsigned minor;
    } rows[] = {
        {"PostgreSQL 13.14.0-RisingWave-2.7.0-alpha (unknown)", 2, 7},
        {"PostgreSQL 13.14.0-RisingWave-2.2.1 (abcdef)", 2, 2},
        {"PostgreSQL 13.14.0-RisingWave-3.0.3 (x)", 3, 0},
        {"PostgreSQL 9.5-RisingWave-1.10.0", 1, 10},
        {"-RisingWave-10.12", 10, 12},
        {"-RisingWave-0.0", 0, 0},
        {"-RisingWave-999999.999999", 999999, 999999},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct server_version v = {77, 77};
        cr_expect(server_version_parse(rows[i].text, &v), "%s", rows[i].text);
        cr_expect(eq(uint, v.major, rows[i].major), "%s", rows[i].text);
        cr_expect(eq(uint, v.minor, rows[i].minor), "%s", rows[i].text);
    }
}

Test(server_version, is_something_else)
{
    static const char *const texts[] = {
        "",
        "PostgreSQL 16.2 on x86_64-pc-linux-gnu",
        "PostgreSQL 13.14.0-RisingWave",
        "PostgreSQL 13.14.0-RisingWave-",
        "PostgreSQL 13.14.0-RisingWave-2",
        "PostgreSQL 13.14.0-RisingWave-2.",
        "PostgreSQL 13.14.0-RisingWave-.7",
        "PostgreSQL 13.14.0-RisingWave--2.7",
        "PostgreSQL 13.14.0-RisingWave-2.x",
        "PostgreSQL 13.14.0-RisingWave-1234567.1",
        "PostgreSQL 13.14.0-risingwave-2.7.0",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct server_version v = {77, 78};
        cr_expect(not(server_version_parse(texts[i], &v)), "%s", texts[i]);
        cr_expect(eq(uint, v.major, 77));
        cr_expect(eq(uint, v.minor, 78));
    }
}

Test(server_version, has)
{
    static const struct {
        struct server_version version;
        bool swap;
        bool quotes;
        bool jobs;
        bool drops;
    } rows[] = {
        {{0, 0}, false, false, false, false}, {{1, 99}, false, false, false, false},
        {{2, 0}, false, false, false, false}, {{2, 1}, true, false, false, false},
        {{2, 4}, true, false, false, false},  {{2, 5}, true, true, false, false},
        {{2, 6}, true, true, true, false},    {{2, 7}, true, true, true, true},
        {{2, 10}, true, true, true, true},    {{3, 0}, true, true, true, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct server_version v = rows[i].version;
        cr_expect(eq(int, server_has_swap(v), rows[i].swap), "%u.%u", v.major, v.minor);
        cr_expect(eq(int, server_quotes_on_swap(v), rows[i].quotes), "%u.%u", v.major, v.minor);
        cr_expect(eq(int, server_has_streaming_jobs(v), rows[i].jobs), "%u.%u", v.major, v.minor);
        cr_expect(eq(int, server_drops_creating(v), rows[i].drops), "%u.%u", v.major, v.minor);
    }
}
