/* swap_notices: see swap_notices.h. */
#include "swap_notices.h"

#include "log.h"

#include <string.h>

static bool holds_name(const struct buf *names, const char *name)
{
    const char *at = (const char *)buf_bytes(names);
    const char *end = at + buf_len(names);
    for (; at < end; at += strlen(at) + 1) {
        if (strcmp(at, name) == 0) {
            return true;
        }
    }
    return false;
}

/* 38 to 167 ms were seen until the other frontends knew of a swap (docs/risingwave.md 13). */
enum { LATE_MS = 250 };

void swap_notices_publish(struct swap_notices *n, struct swaps *swaps, const struct buf *moved,
                          uint64_t now_ms)
{
    uint64_t moved_ms = 0;
    struct buf own = {0};
    struct buf fresh = {0};
    uint64_t newest = n->seen;
    bool known = swaps_since(swaps, n->seen, &own, &newest, &moved_ms) && !buf_failed(&own);
    const char *at = (const char *)buf_bytes(moved);
    const char *end = at + buf_len(moved);
    for (; at < end; at += strlen(at) + 1) {
        if (!known || !holds_name(&own, at)) {
            buf_add(&fresh, at, strlen(at) + 1);
            log_line(LOG_INFO, "janitor", "noticed", at, "detail",
                     "another object has this name now", NULL);
        }
    }
    if (buf_len(&n->again) != 0) {
        swaps_add(swaps, (const char *)buf_bytes(&n->again), buf_len(&n->again), n->again_ms);
    }
    if (buf_failed(&fresh)) {
        swaps_add(swaps, NULL, 0, now_ms); /* which, is not known */
    } else if (buf_len(&fresh) != 0) {
        swaps_add(swaps, (const char *)buf_bytes(&fresh), buf_len(&fresh), now_ms);
    }
    buf_cleanup(&n->again);
    buf_swap(&n->again, &fresh);
    buf_cleanup(&fresh);
    buf_cleanup(&own);
    n->again_ms = now_ms + LATE_MS;
    n->seen = swaps_newest(swaps);
}

void swap_notices_cleanup(struct swap_notices *n)
{
    buf_cleanup(&n->again);
}
