/* Tests of proxy/replace/acl.c: array texts as the catalog prints them, and whose entry it is. */
#include "acl.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4 };

/* A copy of exactly its size: the sanitizer guards the end. */
static char *exact(const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    cr_assert(ne(ptr, copy, NULL));
    memcpy(copy, text, strlen(text) + 1);
    return copy;
}

/* Reads all elements; returns how many there were, or -1 - that many when the text is no array. */
static int read_all(const char *text, char elements[MOST][64])
{
    char *copy = exact(text);
    struct buf element = {0};
    size_t cursor = 0;
    int num = 0;
    int more = array_text_next(copy, &cursor, &element);
    while (more > 0 && num < MOST) {
        const char *read = buf_text(&element);
        cr_assert(ne(ptr, (void *)read, NULL));
        strncpy(elements[num], read, 63);
        num++;
        more = array_text_next(copy, &cursor, &element);
    }
    buf_cleanup(&element);
    free(copy);
    return more == 0 ? num : -1 - num;
}

Test(acl, arrays)
{
    static const struct {
        const char *text;
        int num;
        const char *elements[MOST];
    } rows[] = {
        {"{}", 0, {NULL}},
        {"{a}", 1, {"a"}},
        {"{root=arwd/root,alice=r*/root}", 2, {"root=arwd/root", "alice=r*/root"}},
        {"{\"a b=r/root\",c=r/root}", 2, {"a b=r/root", "c=r/root"}},
        {"{\"a,b\",\"{c}\"}", 2, {"a,b", "{c}"}},
        {"{\"a\\\"b\",\"c\\\\d\"}", 2, {"a\"b", "c\\d"}},
        {"{\"\"}", 1, {""}},
        {"{a b, c}", 2, {"a b", " c"}},
        {"{\xc3\xa9=r/root}", 1, {"\xc3\xa9=r/root"}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char got[MOST][64] = {{0}};
        cr_expect(eq(int, read_all(rows[i].text, got), rows[i].num), "%s", rows[i].text);
        for (int k = 0; k < rows[i].num; k++) {
            cr_expect(eq(str, got[k], (char *)rows[i].elements[k]), "%s", rows[i].text);
        }
    }
}

Test(acl, no_arrays)
{
    static const char *const texts[] = {
        "",       "a",        "{",         "{a",       "{a,",      "{a,}",    "{,a}", "{,}",
        "{\"a",   "{\"a\\",   "{\"a\"",    "{\"a\"b}", "{a\"b\"}", "{a}b",    "{}x",  "{{a}}",
        "{a\\b}", "{\"a\\\"", "[1:2]={a}", "{a}}",     "{\"a\",",  "{a,\"b}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char got[MOST][64] = {{0}};
        cr_expect(lt(int, read_all(texts[i], got), 0), "%s", texts[i]);
    }
}

Test(acl, every_cut_of_an_array_is_none)
{
    static const char whole[] = "{root=arwd/root,\"a \\\"b=r*/root\",c=r/root}";
    char cut[sizeof(whole)];
    char got[MOST][64];
    for (size_t len = 0; len + 1 < sizeof(whole); len++) {
        memset(got, 0, sizeof(got));
        memcpy(cut, whole, len);
        cut[len] = '\0';
        int num = read_all(cut, got);
        cr_expect(lt(int, num, len + 2 == sizeof(whole) ? 4 : 0), "%s", cut);
    }
    memset(got, 0, sizeof(got));
    cr_expect(eq(int, read_all(whole, got), 3));
}

Test(acl, grantees)
{
    static const struct {
        const char *entry;
        long len;
    } rows[] = {
        {"root=arwd/root", 4}, {"a b=r*/root", 3}, {"a=/root", 1},
        {"=r/root", -1},       {"", -1},           {"root", -1},
        {"root=r", -1},        {"a=b=r/root", -1}, {"a=r/ro/ot", -1},
        {"a=r/r=oot", -1},     {"a/b=r/root", 3},  {"\xc3\xa9=r/root", 2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *entry = exact(rows[i].entry);
        cr_expect(eq(long, acl_grantee_len(entry), rows[i].len), "%s", entry);
        free(entry);
    }
}
