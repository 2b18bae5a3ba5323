/* Tests of proxy/shell/address.c. */
#include "address.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse(const char *text, struct address *out_address, const char **out_why)
{
    /* Of exactly its size: the sanitizer guards the end. */
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    cr_assert(ne(ptr, copy, NULL));
    memcpy(copy, text, size);
    bool parsed = address_parse(copy, out_address, out_why);
    free(copy);
    return parsed;
}

Test(address, parses)
{
    static const struct {
        const char *text;
        const char *host;
        const char *port;
    } rows[] = {
        {"127.0.0.1:6432", "127.0.0.1", "6432"},
        {"localhost:0", "localhost", "0"},
        {"db.example.org:65535", "db.example.org", "65535"},
        {"[::1]:4566", "::1", "4566"},
        {"[fe80::1%eth0]:4566", "fe80::1%eth0", "4566"},
        {"[127.0.0.1]:1", "127.0.0.1", "1"},
        {"a:00001", "a", "00001"},
        {"*:5", "*", "5"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address;
        const char *why = NULL;
        memset(&address, 'x', sizeof(address));
        cr_expect(parse(rows[i].text, &address, &why), "%s", rows[i].text);
        cr_expect(eq(str, address.host, (char *)rows[i].host));
        cr_expect(eq(str, address.port, (char *)rows[i].port));
    }
}

Test(address, refuses)
{
    static const char *const texts[] = {
        "",         ":",       "host",    "host:",      ":5432",      "host:-1",
        "host:+1",  "host:1 ", "host: 1", "host:65536", "host:99999", "host:123456",
        "host:0x1", "host:a",  "::1:5",   "a:b:5",      "[::1]",      "[::1",
        "[::1]5",   "[]:5",    "[:5",     "[::1:5",     "[::1]x:5",   "]:5x",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct address address = {.host = "kept", .port = "7"};
        const char *why = NULL;
        cr_expect(not(parse(texts[i], &address, &why)), "%s", texts[i]);
        cr_assert(ne(ptr, (void *)why, NULL), "%s", texts[i]);
        cr_expect(ne(chr, why[0], '\0'));
        cr_expect(eq(str, address.host, "kept"));
        cr_expect(eq(str, address.port, "7"));
    }
}

Test(address, hosts_up_to_the_limit)
{
    static char text[ADDRESS_HOST_MAX + 16];
    for (size_t len = ADDRESS_HOST_MAX - 1; len <= ADDRESS_HOST_MAX + 1; len++) {
        struct address address;
        const char *why = NULL;
        memset(text, 'h', len);
        (void)snprintf(text + len, sizeof(text) - len, ":80");
        bool fits = len <= ADDRESS_HOST_MAX;
        cr_expect(eq(int, parse(text, &address, &why), fits), "%zu", len);
        cr_expect(eq(int, fits &&strlen(address.host) != len, 0));
    }
}
