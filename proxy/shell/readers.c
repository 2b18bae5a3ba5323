/* readers: see readers.h. As many as sessions at most, and mostly none: an array, searched through.
 */
#include "readers.h"

#include "mem.h"
#include "moment.h"

#include <uv.h>

struct reader {
    uint64_t session;
    uint64_t since_ms;
};

struct readers {
    uv_mutex_t mutex;
    struct reader *items; /* in no order */
    size_t num;
    size_t room;
};

struct readers *readers_new(void)
{
    struct readers *r = mem_new(sizeof(*r));
    if (r != NULL && uv_mutex_init(&r->mutex) != 0) {
        mem_free(r);
        return NULL;
    }
    return r;
}

void readers_free(struct readers *r)
{
    if (r != NULL) {
        uv_mutex_destroy(&r->mutex);
        mem_free(r->items);
        mem_free(r);
    }
}

static bool make_room(struct readers *r)
{
    if (r->num < r->room) {
        return true;
    }
    size_t room = r->room != 0 ? 2 * r->room : 16;
    struct reader *items = mem_resize(r->items, room * sizeof(*items));
    if (items != NULL) {
        r->items = items;
        r->room = room;
    }
    return items != NULL;
}

bool readers_set(struct readers *r, uint64_t session, uint64_t since_ms)
{
    bool good = true;
    uv_mutex_lock(&r->mutex);
    size_t at = 0;
    while (at < r->num && r->items[at].session != session) {
        at++;
    }
    if (since_ms == MOMENT_NEVER && at < r->num) {
        r->items[at] = r->items[--r->num];
    } else if (since_ms != MOMENT_NEVER) {
        good = at < r->num || make_room(r);
        if (good) {
            r->items[at] = (struct reader){.session = session, .since_ms = since_ms};
            r->num += at == r->num ? 1 : 0;
        }
    }
    uv_mutex_unlock(&r->mutex);
    return good;
}

static bool counts(const struct reader *reader, uint64_t session, uint64_t from_ms,
                   uint64_t before_ms)
{
    return reader->session != session && reader->since_ms >= from_ms &&
           reader->since_ms < before_ms;
}

size_t readers_count(struct readers *r, uint64_t session, uint64_t from_ms, uint64_t before_ms)
{
    size_t num = 0;
    uv_mutex_lock(&r->mutex);
    for (size_t i = 0; i < r->num; i++) {
        num += counts(&r->items[i], session, from_ms, before_ms) ? 1 : 0;
    }
    uv_mutex_unlock(&r->mutex);
    return num;
}
