/* Tests of base/mem.c: what is allocated, and the failures that other tests rely on. */
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdint.h>
#include <string.h>

Test(mem, new_is_zeroed)
{
    unsigned char *bytes = mem_new(100);
    cr_assert(ne(ptr, bytes, NULL));
    for (size_t i = 0; i < 100; i++) {
        cr_expect(eq(u8, bytes[i], 0));
    }
    mem_free(bytes);
}

Test(mem, new_of_nothing_is_something)
{
    char *bytes = mem_new(0);
    cr_assert(ne(ptr, bytes, NULL));
    bytes[0] = 'x';
    mem_free(bytes);
}

Test(mem, resize_keeps_the_bytes)
{
    char *bytes = mem_resize(NULL, 3);
    cr_assert(ne(ptr, bytes, NULL));
    memcpy(bytes, "abc", 3);
    char *more = mem_resize(bytes, 4000);
    cr_assert(ne(ptr, more, NULL));
    cr_expect(eq(int, memcmp(more, "abc", 3), 0));
    mem_free(more);
}

Test(mem, resize_to_nothing_is_refused_and_keeps_the_old)
{
    char *bytes = mem_new(1);
    cr_assert(ne(ptr, bytes, NULL));
    cr_expect(eq(ptr, mem_resize(bytes, 0), NULL));
    bytes[0] = 'x';
    mem_free(bytes);
}

Test(mem, copy_ends_with_nul)
{
    const char exact[3] = {'a', '\0', 'b'};
    char *copy = mem_copy(exact, sizeof(exact));
    cr_assert(ne(ptr, copy, NULL));
    cr_expect(eq(int, memcmp(copy, "a\0b", 4), 0));
    mem_free(copy);
}

Test(mem, copies_of_texts)
{
    char first[] = "first";
    const char *const texts[] = {first, NULL, "", "last"};
    const char **copies = mem_copy_texts(texts, 4);
    cr_assert(ne(ptr, copies, NULL));
    first[0] = 'x';
    cr_expect(eq(str, (char *)copies[0], "first"));
    cr_expect(eq(ptr, (void *)copies[1], NULL));
    cr_expect(eq(str, (char *)copies[2], ""));
    cr_expect(eq(str, (char *)copies[3], "last"));
    mem_free(copies);
    copies = mem_copy_texts(NULL, 0);
    cr_expect(ne(ptr, copies, NULL));
    mem_free(copies);
    mem_fail_at(1);
    cr_expect(eq(ptr, mem_copy_texts(texts, 4), NULL));
    mem_fail_at(0);
}

Test(mem, copy_of_nothing)
{
    char *copy = mem_copy(NULL, 0);
    cr_assert(ne(ptr, copy, NULL));
    cr_expect(eq(str, copy, (char *)""));
    mem_free(copy);
}

Test(mem, copy_of_everything_fails)
{
    size_t all = SIZE_MAX;
    cr_expect(eq(ptr, mem_copy("", all), NULL));
}

Test(mem, fails_from_the_nth_on)
{
    mem_fail_at(2);
    void *first = mem_new(1);
    void *second = mem_new(1);
    void *third = mem_resize(NULL, 1);
    char *fourth = mem_copy("x", 1);
    cr_expect(ne(ptr, first, NULL));
    cr_expect(eq(ptr, second, NULL));
    cr_expect(eq(ptr, third, NULL));
    cr_expect(eq(ptr, fourth, NULL));
    cr_expect(eq(sz, mem_count(), 4));
    mem_fail_at(0);
    cr_expect(eq(sz, mem_count(), 0));
    mem_free(first);
    first = mem_new(1);
    cr_expect(ne(ptr, first, NULL));
    mem_free(first);
    mem_free(NULL);
}

Test(mem, failed_resize_leaves_the_old)
{
    char *bytes = mem_copy("abc", 3);
    cr_assert(ne(ptr, bytes, NULL));
    mem_fail_at(1);
    cr_expect(eq(ptr, mem_resize(bytes, 4000), NULL));
    mem_fail_at(0);
    cr_expect(eq(str, bytes, (char *)"abc"));
    mem_free(bytes);
}
