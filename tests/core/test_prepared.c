/* Tests of proxy/core/prepared.c: which names hold a candidate, what they keep of it, and what
 * gives way at the caps. Each test ends with nothing left and a memory counter of 0. */
#define _POSIX_C_SOURCE 200809L

#include "prepared.h"

#include "limits.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct prepared p;

static void tear_down(void)
{
    prepared_cleanup(&p);
    cr_expect(prepared_is_empty(&p));
    cr_expect(eq(sz, p.memory, 0));
    cr_expect(p.statements == NULL && p.portals == NULL && p.num == 0);
}

TestSuite(prepared, .fini = tear_down);

/* What is kept must not point into what was given: that is freed at once. */
static void keep(const char *name, const char *text, const char *types, size_t types_len)
{
    struct prepared_statement given = {.name = strdup(name),
                                       .text = strdup(text),
                                       .text_len = strlen(text),
                                       .types = malloc(types_len + 1),
                                       .types_len = types_len,
                                       .candidate = {.start = 1, .end = 2, .rest = 3}};
    memcpy(given.types, types, types_len);
    prepared_keep_statement(&p, &given);
    free(given.name);
    free(given.text);
    free(given.types);
}

static void keep_text(const char *name, const char *text)
{
    keep(name, text, "\0\0", 2);
}

static void bind(const char *portal, const char *statement, const char *values)
{
    char *name = strdup(portal);
    uint8_t *bytes = (uint8_t *)strdup(values);
    prepared_keep_portal(&p, name, statement, bytes, strlen(values));
    free(name);
    free(bytes);
}

/* The text behind a statement's name, or "-". */
static const char *text_of(const char *name)
{
    const struct prepared_statement *s = prepared_find_statement(&p, name);
    return s != NULL ? s->text : "-";
}

/* The text of the statement behind a portal's name, or "-". */
static const char *text_behind(const char *name)
{
    const struct prepared_portal *portal = prepared_find_portal(&p, name);
    return portal != NULL ? portal->statement->text : "-";
}

Test(prepared, zero_is_empty)
{
    cr_expect(prepared_is_empty(&p));
    cr_expect(eq(str, (char *)text_of(""), "-"));
    cr_expect(eq(str, (char *)text_behind(""), "-"));
    prepared_forget_statement(&p, "");
    prepared_forget_portal(&p, "");
}

Test(prepared, keeps_a_copy_of_everything)
{
    keep("s", "the text", "\0\1\0\0\0\x17", 6);
    prepared_keep_portal(&p, "p", "s", (const uint8_t *)"\0\0\0\1\xff\xff\xff\xff\0\0", 10);
    cr_expect(not(prepared_is_empty(&p)));
    const struct prepared_statement *s = prepared_find_statement(&p, "s");
    cr_assert(s != NULL);
    cr_expect(eq(str, s->text, "the text"));
    cr_expect(eq(sz, s->text_len, 8));
    cr_expect(eq(sz, s->types_len, 6));
    cr_expect(memcmp(s->types, "\0\1\0\0\0\x17", 6) == 0);
    cr_expect(s->candidate.start == 1 && s->candidate.end == 2 && s->candidate.rest == 3);
    const struct prepared_portal *portal = prepared_find_portal(&p, "p");
    cr_assert(portal != NULL);
    cr_expect(eq(ptr, portal->statement, (void *)s));
    cr_expect(eq(sz, portal->values_len, 10));
    cr_expect(memcmp(portal->values, "\0\0\0\1\xff\xff\xff\xff\0\0", 10) == 0);
    cr_expect(eq(sz, p.memory, 1 + 8 + 6 + 1 + 10));
}

Test(prepared, names_are_exact)
{
    keep_text("s", "one");
    keep_text("S", "two");
    keep_text("", "three");
    keep_text("s ", "four");
    cr_expect(eq(str, (char *)text_of("s"), "one"));
    cr_expect(eq(str, (char *)text_of("S"), "two"));
    cr_expect(eq(str, (char *)text_of(""), "three"));
    cr_expect(eq(str, (char *)text_of("s "), "four"));
    cr_expect(eq(str, (char *)text_behind("s"), "-")); /* portals have names of their own */
}

Test(prepared, a_portal_of_an_unknown_statement_is_not_kept)
{
    bind("p", "s", "");
    cr_expect(prepared_is_empty(&p));
    keep_text("s", "one");
    bind("p", "s", "");
    bind("p", "other", ""); /* the name means something that is not known */
    cr_expect(eq(str, (char *)text_behind("p"), "-"));
}

Test(prepared, a_replaced_statement_leaves_its_portals)
{
    keep_text("", "one");
    bind("", "", "1");
    bind("p", "", "2");
    keep_text("", "two");
    cr_expect(eq(str, (char *)text_of(""), "two"));
    cr_expect(eq(str, (char *)text_behind(""), "one"));
    cr_expect(eq(str, (char *)text_behind("p"), "one"));
    bind("", "", "3");
    cr_expect(eq(str, (char *)text_behind(""), "two"));
    cr_expect(eq(str, (char *)text_behind("p"), "one"));
    size_t both = p.memory;
    prepared_forget_portal(&p, "p"); /* the last one that used the first text */
    cr_expect(eq(sz, p.memory, both - strlen("p2one") - 2));
}

Test(prepared, a_forgotten_statement_leaves_its_portals)
{
    keep_text("", "one");
    bind("", "", "1");
    prepared_forget_statement(&p, "");
    cr_expect(eq(str, (char *)text_of(""), "-"));
    cr_expect(eq(str, (char *)text_behind(""), "one"));
    cr_expect(not(prepared_is_empty(&p)));
    prepared_forget_portal(&p, "");
    cr_expect(prepared_is_empty(&p));
    cr_expect(eq(sz, p.memory, 0));
}

Test(prepared, the_same_portal_again_replaces_it)
{
    keep_text("s", "one");
    keep_text("t", "two");
    bind("p", "s", "first");
    bind("p", "t", "2");
    cr_expect(eq(str, (char *)text_behind("p"), "two"));
    cr_expect(eq(sz, prepared_find_portal(&p, "p")->values_len, 1));
    cr_expect(eq(uint, p.num, 3));
}

Test(prepared, the_oldest_statements_give_way_by_number)
{
    char name[16];
    for (int i = 0; i < LIMIT_PREPARED_NUM + 10; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        keep_text(name, name);
        cr_assert(eq(str, (char *)text_of(name), name));
        cr_assert(p.num <= LIMIT_PREPARED_NUM);
    }
    cr_expect(eq(str, (char *)text_of("s9"), "-"));
    cr_expect(eq(str, (char *)text_of("s10"), "s10"));
}

Test(prepared, the_oldest_portals_give_way_by_number)
{
    char name[16];
    keep_text("s", "one");
    for (int i = 0; i < LIMIT_PREPARED_NUM + 10; i++) {
        (void)snprintf(name, sizeof(name), "p%d", i);
        bind(name, "s", "");
        cr_assert(eq(str, (char *)text_behind(name), "one"));
        cr_assert(p.num <= LIMIT_PREPARED_NUM);
    }
    cr_expect(eq(str, (char *)text_of("s"), "one"));
    cr_expect(eq(str, (char *)text_behind("p10"), "-"));
    cr_expect(eq(str, (char *)text_behind("p11"), "one"));
}

/* The youngest stay whatever their size: one of them will be executed. */
Test(prepared, the_oldest_give_way_by_bytes)
{
    size_t len = LIMIT_STATEMENT - 100;
    char *large = malloc(len + 1);
    char name[16];
    memset(large, 'x', len);
    large[len] = 0;
    for (int i = 0; i < 7; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        keep_text(name, large);
        cr_assert(p.memory <= LIMIT_PREPARED);
        cr_assert(prepared_find_statement(&p, name) != NULL);
    }
    cr_expect(eq(str, (char *)text_of("s2"), "-"));
    cr_expect(prepared_find_statement(&p, "s3") != NULL);
    for (int i = 0; i < 7; i++) {
        (void)snprintf(name, sizeof(name), "p%d", i);
        bind(name, "s6", large);
        cr_assert(p.memory <= LIMIT_PREPARED);
        cr_assert(prepared_find_portal(&p, name) != NULL);
    }
    cr_expect(prepared_find_statement(&p, "s6") != NULL);
    cr_expect(eq(str, (char *)text_behind("p0"), "-"));
    free(large);
}

/* A portal keeps its statement when that gives way: its bytes count as long as they are there. */
Test(prepared, bytes_of_a_statement_that_only_its_portal_has)
{
    char name[16];
    keep_text("old", "the old one");
    bind("p", "old", "");
    for (int i = 0; i < LIMIT_PREPARED_NUM; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        keep_text(name, "x");
    }
    cr_expect(eq(str, (char *)text_of("old"), "-"));
    cr_expect(eq(str, (char *)text_behind("p"), "the old one"));
    prepared_cleanup(&p);
    cr_expect(eq(sz, p.memory, 0));
}

/* On the server another text has their place: whoever executes them must not get its answer. */
Test(prepared, those_with_a_substitute_stay)
{
    static const enum prepared_kind kinds[] = {PREPARED_PLAN, PREPARED_SETTING};
    for (size_t i = 0; i < 2; i++) {
        struct prepared_statement given = {
            .kind = kinds[i], .name = "s", .text = "", .types = (uint8_t *)""};
        cr_expect(prepared_has_substitute(&given));
        prepared_keep_statement(&p, &given);
        bind("p", "s", "");
        keep_text("t", "a candidate");
        bind("q", "t", "");
        cr_expect(not(prepared_has_substitute(prepared_find_statement(&p, "t"))));
        prepared_forget_candidates(&p);
        cr_expect(prepared_find_statement(&p, "s") != NULL);
        cr_expect(prepared_find_portal(&p, "p") != NULL);
        cr_expect(eq(str, (char *)text_of("t"), "-"));
        cr_expect(eq(str, (char *)text_behind("q"), "-"));
        prepared_cleanup(&p);
    }
}

/* With each allocation failing: the name that was to be kept is not known, all others are, and
 * nothing leaks. */
Test(prepared, a_statement_without_memory_is_forgotten)
{
    bool kept = false;
    size_t nth = 1;
    for (; !kept && nth < 20; nth++) {
        keep_text("s", "old");
        keep_text("t", "other");
        bind("p", "s", "");
        mem_fail_at(nth);
        keep_text("s", "new");
        mem_fail_at(0);
        kept = prepared_find_statement(&p, "s") != NULL;
        cr_expect(kept ? strcmp(text_of("s"), "new") == 0 : true);
        cr_expect(eq(str, (char *)text_of("t"), "other"));
        cr_expect(eq(str, (char *)text_behind("p"), "old"));
        prepared_cleanup(&p);
        cr_expect(eq(sz, p.memory, 0));
    }
    cr_expect(kept && nth > 4);
}

Test(prepared, a_portal_without_memory_is_forgotten)
{
    bool kept = false;
    size_t nth = 1;
    for (; !kept && nth < 20; nth++) {
        keep_text("s", "old");
        keep_text("t", "other");
        bind("p", "s", "");
        mem_fail_at(nth);
        bind("p", "t", "1");
        mem_fail_at(0);
        kept = prepared_find_portal(&p, "p") != NULL;
        cr_expect(kept ? strcmp(text_behind("p"), "other") == 0 : true);
        cr_expect(eq(str, (char *)text_of("s"), "old"));
        cr_expect(eq(uint, p.num, kept ? 3U : 2U));
        prepared_cleanup(&p);
        cr_expect(eq(sz, p.memory, 0));
    }
    cr_expect(kept && nth > 3);
}
