/* name_watch: what is told of two lists of names, one after the other. */
#include "name_watch.h"

#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

enum { MOST_CELLS = 60 };

static struct name_watch *w;

static void set_up(void)
{
    w = name_watch_new();
    cr_assert(ne(ptr, w, NULL));
}

static void tear_down(void)
{
    name_watch_free(w);
}

TestSuite(name_watch, .init = set_up, .fini = tear_down);

/* `list`: "id schema name" and ", " between. `-` is NULL. */
static bool take(const char *list, uint64_t now_us, struct buf *out_moved)
{
    char text[400];
    const char *cells[MOST_CELLS];
    size_t num = 0;
    (void)snprintf(text, sizeof(text), "%s", list);
    for (char *word = strtok(text, " ,"); word != NULL; word = strtok(NULL, " ,")) {
        cr_assert(lt(sz, num, MOST_CELLS));
        cells[num++] = strcmp(word, "-") == 0 ? NULL : word;
    }
    struct replace_result rows = {
        .kind = REPLACE_OK, .num_rows = num / 3, .num_columns = 3, .cells = cells};
    return name_watch_take(w, &rows, now_us, out_moved);
}

/* `moved`: names with a blank behind each. */
static void expect(const char *list, uint64_t now_us, const char *moved)
{
    struct buf out = {0};
    cr_assert(take(list, now_us, &out));
    buf_add_byte(&out, 0);
    char told[200] = "";
    for (const char *at = (const char *)buf_bytes(&out); at[0] != 0; at += strlen(at) + 1) {
        (void)strncat(told, at, sizeof(told) - strlen(told) - 2);
        (void)strcat(told, " ");
    }
    buf_cleanup(&out);
    cr_expect(eq(str, told, (char *)moved), "%s", list);
}

/* "id since" and a blank behind each. */
static void expect_since(const char *wanted)
{
    char told[200] = "";
    uint64_t id = 0;
    uint64_t since_us = 0;
    for (size_t at = 0; name_watch_since(w, &at, &id, &since_us);) {
        size_t len = strlen(told);
        (void)snprintf(told + len, sizeof(told) - len, "%d %d ", (int)id, (int)since_us);
    }
    cr_expect(eq(str, told, (char *)wanted));
}

Test(name_watch, the_first_list_moves_nothing)
{
    expect("1 public m, 2 public n", 10, "");
    expect_since("");
}

Test(name_watch, the_same_list_moves_nothing)
{
    expect("1 public m, 2 public n", 10, "");
    expect("2 public n, 1 public m", 20, "");
    expect_since("");
}

Test(name_watch, a_swap_moves_both_names)
{
    expect("1 public m, 2 public n, 3 public o", 10, "");
    expect("2 public m, 1 public n, 3 public o", 20, "m n ");
    expect_since("2 20 1 20 ");
    expect("2 public m, 1 public n, 3 public o", 30, "");
    expect_since("2 20 1 20 ");
    expect("1 public m, 2 public n, 3 public o", 40, "m n ");
    expect_since("1 40 2 40 ");
}

Test(name_watch, what_is_new_or_gone_or_renamed_moves_nothing)
{
    expect("1 public m, 2 public n", 10, "");
    expect("1 public m, 3 public o", 20, "");
    expect_since("3 20 ");
    expect("1 public p", 30, "");
    expect_since("1 30 ");
}

Test(name_watch, dropped_and_created_again_has_moved)
{
    expect("1 public m", 10, "");
    expect("7 public m", 20, "m ");
}

Test(name_watch, schemas_are_told_apart)
{
    expect("1 a m, 2 b m", 10, "");
    expect("1 a m, 3 b m", 20, "m ");
    expect_since("3 20 ");
    expect("3 a m, 1 b m", 30, "m m ");
}

Test(name_watch, an_empty_list_counts)
{
    expect("", 10, "");
    expect("1 public m", 20, "");
    expect_since("1 20 ");
}

Test(name_watch, what_is_null_is_left_out)
{
    expect("- public m, 2 - n, 3 public -, 4 public o", 10, "");
    expect("5 public m, 4 public o", 20, "");
    expect_since("5 20 ");
}

Test(name_watch, forgets)
{
    expect("1 public m", 10, "");
    name_watch_forget(w);
    expect("2 public m", 20, "");
    expect_since("");
}

Test(name_watch, without_memory_the_list_before_is_kept)
{
    expect("1 public m, 2 public n", 10, "");
    for (size_t nth = 1; nth < 10; nth++) {
        struct buf out = {0};
        mem_fail_at(nth);
        bool taken = take("2 public m, 1 public n", 20, &out);
        bool told = !buf_failed(&out);
        mem_fail_at(0);
        buf_cleanup(&out);
        if (taken && told) {
            cr_assert(gt(sz, nth, 1));
            return;
        }
        if (!taken) {
            expect("1 public m, 2 public n", 30, "");
            expect_since("");
        } else {
            expect("1 public m, 2 public n", 30, "m n ");
            name_watch_forget(w);
            expect("1 public m, 2 public n", 10, "");
        }
    }
    cr_assert(false, "it never had enough");
}
