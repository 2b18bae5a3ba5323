/* swaps: see swaps.h. Numbers count bytes of names, so that a number is a place in the list. */
#include "swaps.h"

#include "limits.h"
#include "mem.h"

#include <stdatomic.h>
#include <uv.h>

struct swaps {
    uv_mutex_t mutex;
    struct buf names; /* the last ones */
    uint64_t first;   /* number of its first byte */
    uint64_t moved_ms;
    _Atomic uint64_t newest;
};

struct swaps *swaps_new(void)
{
    struct swaps *s = mem_new(sizeof(*s));
    if (s != NULL && uv_mutex_init(&s->mutex) != 0) {
        mem_free(s);
        return NULL;
    }
    return s;
}

void swaps_free(struct swaps *s)
{
    if (s != NULL) {
        uv_mutex_destroy(&s->mutex);
        buf_cleanup(&s->names);
        mem_free(s);
    }
}

/* The oldest give way: whoever has not read them yet is told that some are not known. */
static void make_room(struct swaps *s, size_t len)
{
    if (buf_len(&s->names) + len > LIMIT_SWAPS) {
        s->first += buf_len(&s->names);
        buf_cleanup(&s->names);
    }
}

/* A name that is not known takes one number. */
static void add_unknown(struct swaps *s)
{
    s->first += buf_len(&s->names) + 1;
    buf_cleanup(&s->names);
}

void swaps_add(struct swaps *s, const char *names, size_t len, uint64_t moved_ms)
{
    uv_mutex_lock(&s->mutex);
    make_room(s, len);
    if (names == NULL || len > LIMIT_SWAPS) {
        add_unknown(s);
    } else {
        buf_add(&s->names, names, len);
        if (buf_failed(&s->names)) {
            add_unknown(s);
        }
    }
    s->moved_ms = moved_ms > s->moved_ms ? moved_ms : s->moved_ms;
    atomic_store(&s->newest, s->first + buf_len(&s->names));
    uv_mutex_unlock(&s->mutex);
}

uint64_t swaps_newest(const struct swaps *s)
{
    return atomic_load(&s->newest);
}

bool swaps_since(struct swaps *s, uint64_t number, struct buf *out_names, uint64_t *out_newest,
                 uint64_t *out_moved_ms)
{
    uv_mutex_lock(&s->mutex);
    bool known = number >= s->first;
    if (known) {
        size_t skip = (size_t)(number - s->first);
        buf_add(out_names, buf_bytes(&s->names) + skip, buf_len(&s->names) - skip);
    }
    *out_newest = s->first + buf_len(&s->names);
    *out_moved_ms = s->moved_ms;
    uv_mutex_unlock(&s->mutex);
    return known;
}
