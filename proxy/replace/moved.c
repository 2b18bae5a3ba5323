/*
 * moved: the names that mean another object since this replacement began. Whoever has prepared
 * statements on them is told by the caller (replace_next_moved).
 */
#include "replace_internal.h"

#include <string.h>

void moved_add(struct replace *r, const char *name)
{
    struct buf text = {0};
    if (r->mode == REPLACE_CARRY_OUT) {
        buf_add_text(&text, name);
        r->moved_lost |= !text_list_take(&r->moved, &text);
        r->moved_unknown = r->moved_lost;
        r->moved_ms = r->now.mono_ms;
    }
    buf_cleanup(&text);
}

uint64_t moved_known_ms(const struct replace *r)
{
    uint64_t everywhere = known_everywhere_ms(r);
    return r->moved_ms > everywhere ? r->moved_ms : everywhere;
}

void moved_again(struct replace *r)
{
    r->moved_told = 0;
    r->moved_unknown = r->moved_lost;
    uint64_t known = moved_known_ms(r);
    r->moved_ms = known < r->now.mono_ms ? known : r->now.mono_ms;
}

bool replace_next_moved(struct replace *r, const char **out_name, uint64_t *out_moved_ms)
{
    if (r->child != NULL && replace_next_moved(r->child, out_name, out_moved_ms)) {
        return true;
    }
    *out_moved_ms = r->moved_ms;
    if (r->moved_unknown) {
        r->moved_unknown = false;
        r->moved_told = r->moved.num;
        *out_name = "";
        return true;
    }
    if (r->moved_told == r->moved.num) {
        return false;
    }
    *out_name = r->moved.items[r->moved_told++];
    return true;
}
