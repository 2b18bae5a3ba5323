/* swap_notices: which names are told, how often, and which are not. */
#include "swap_notices.h"

#include "log.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct swaps *swaps;
static struct swap_notices notices;
static uint64_t read_to;
static uint64_t looks;

static void set_up(void)
{
    log_set_level(LOG_WARNING);
    notices = (struct swap_notices){.seen = 0};
    read_to = 0;
    looks = 0;
    swaps = swaps_new();
    cr_assert(ne(ptr, swaps, NULL));
}

static void tear_down(void)
{
    swap_notices_cleanup(&notices);
    swaps_free(swaps);
}

TestSuite(swap_notices, .init = set_up, .fini = tear_down);

/* Names with a blank behind each, as names with a NUL. */
static void add_names(struct buf *out, const char *names)
{
    buf_add(out, names, strlen(names));
    for (size_t i = 0; i < buf_len(out); i++) {
        if (buf_bytes(out)[i] == ' ') {
            buf_overwrite(out, i, "", 1);
        }
    }
}

/* One look that finds `moved`; what was told by it. */
static void look(const char *moved, const char *told)
{
    uint64_t moved_ms = 0;
    struct buf names = {0};
    struct buf news = {0};
    char text[100] = "";
    add_names(&names, moved);
    swap_notices_publish(&notices, swaps, &names, 1000 * ++looks);
    cr_assert(swaps_since(swaps, read_to, &news, &read_to, &moved_ms));
    for (size_t i = 0; i < buf_len(&news); i++) {
        text[i] = buf_bytes(&news)[i] != 0 ? (char)buf_bytes(&news)[i] : ' ';
    }
    cr_expect(eq(str, text, (char *)told), "%s", moved);
    if (told[0] != 0) {
        /* What is told once more is known to all frontends since the look before. */
        cr_expect(eq(u64, moved_ms, moved[0] != 0 ? 1000 * looks : 1000 * (looks - 1) + 250));
    }
    buf_cleanup(&names);
    buf_cleanup(&news);
}

/* A session of this process has told it. */
static void own(const char *name)
{
    struct buf ignored = {0};
    uint64_t moved_ms = 0;
    swaps_add(swaps, name, strlen(name) + 1, 1);
    (void)swaps_since(swaps, read_to, &ignored, &read_to, &moved_ms);
    buf_cleanup(&ignored);
}

Test(swap_notices, each_is_told_once_more_at_the_next_look)
{
    look("", "");
    look("m n ", "m n ");
    look("", "m n ");
    look("", "");
    look("m ", "m ");
    look("o ", "m o ");
    look("", "o ");
    look("", "");
}

Test(swap_notices, our_own_are_not_told_again)
{
    own("m");
    look("m ", "");
    look("", "");
    own("m");
    look("m n ", "n ");
    look("", "n ");
}

Test(swap_notices, what_we_told_an_earlier_look_ago_is_not_our_own_any_more)
{
    own("m");
    look("", "");
    look("m ", "m ");
}

Test(swap_notices, a_name_that_is_part_of_our_own_is_another_one)
{
    own("mn");
    look("m n ", "m n ");
}
