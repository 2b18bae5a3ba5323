/* conn_shares: what a connection's session shares with others: locks, slots for builds, what was
 * left under temporary names. */
#include "conn_internal.h"
#include "log.h"
#include "mem.h"
#include "proxy_internal.h"

#include <stdio.h>
#include <string.h>

static void out_of_memory(struct conn *c)
{
    log_line(LOG_ERROR, "out_of_memory", NULL);
    conn_destroy(c);
}

/* The session's next actions are taken by whoever calls. */
static void tell_locked(struct conn *c)
{
    struct session_event event = {.kind = EVENT_LOCKED};
    event.left = remembered_find(c->proxy->remembered, c->family, &event.num_left);
    session_event(c->session, &event, proxy_now(c->proxy));
}

void conn_locked(struct conn *c)
{
    if (!conn_is_ending(c)) {
        tell_locked(c);
        conn_pump(c);
    }
}

/* Others may have been granted something since. */
static void wake(struct proxy *p)
{
    (void)uv_async_send(&p->wake);
}

void conn_lock(struct conn *c, const struct action *action)
{
    const char *family = action->families[0];
    mem_free(c->family);
    c->family = mem_copy(family, strlen(family));
    if (c->family == NULL) {
        out_of_memory(c);
        return;
    }
    switch (registry_lock(c->proxy->registry, action->families, action->num_families, c->id)) {
    case REGISTRY_LOCKED:
        tell_locked(c);
        break;
    case REGISTRY_QUEUED:
        break;
    case REGISTRY_NO_MEMORY:
        out_of_memory(c);
        return;
    }
    wake(c->proxy); /* what it held before may be somebody else's now */
}

void conn_remember(const struct conn *c, const struct action *action)
{
    struct proxy *p = c->proxy;
    size_t forgotten = 0;
    char number[24];
    const char *family = action->families[0];
    switch (remembered_set(p->remembered, family, action->left, action->num_left, &forgotten)) {
    case REMEMBERED_SAME:
        return;
    case REMEMBERED_CHANGED:
        break;
    case REMEMBERED_NO_MEMORY:
        log_line(LOG_WARNING, "remembered", "family", family, "detail",
                 "out of memory: what was left is not remembered", NULL);
        return;
    }
    if (forgotten != 0) {
        (void)snprintf(number, sizeof(number), "%zu", forgotten);
        log_line(LOG_WARNING, "remembered", "forgotten", number, "detail",
                 "too many objects are left under temporary names: the oldest are forgotten", NULL);
    }
    proxy_save(p);
}

void conn_unlock(struct conn *c)
{
    registry_unlock(c->proxy->registry, c->id);
    wake(c->proxy);
}

void conn_count_readers(struct conn *c, uint64_t from_ms, uint64_t before_ms)
{
    struct session_event event = {.kind = EVENT_READERS};
    event.num_readers = readers_count(c->proxy->readers, c->id, from_ms, before_ms);
    session_event(c->session, &event, proxy_now(c->proxy));
}

void conn_note_reading(struct conn *c, uint64_t since_ms)
{
    if (since_ms == c->reads_since) {
        return;
    }
    c->reads_since = since_ms;
    if (!readers_set(c->proxy->readers, c->id, since_ms)) {
        out_of_memory(c);
    }
}

void conn_publish_moved(const struct conn *c, const struct action *action)
{
    swaps_add(c->proxy->swaps, action->moved, action->moved_len, action->moved_ms);
    (void)uv_async_send(&c->proxy->wake);
}

void conn_moved(struct conn *c, const struct session_event *event)
{
    if (!c->destroyed) {
        session_event(c->session, event, proxy_now(c->proxy));
    }
}

void conn_take_slot(struct conn *c)
{
    switch (registry_take_slot(c->proxy->registry, c->id)) {
    case REGISTRY_SLOT_HELD:
        conn_tell_side(c, EVENT_SLOT, CLIENT, NULL);
        break;
    case REGISTRY_SLOT_QUEUED:
        break;
    case REGISTRY_SLOT_FULL:
        conn_tell_side(c, EVENT_SLOT_REFUSED, CLIENT, NULL);
        break;
    case REGISTRY_SLOT_NO_MEMORY:
        out_of_memory(c);
        break;
    }
}

void conn_end_slot(struct conn *c)
{
    registry_end_slot(c->proxy->registry, c->id);
    wake(c->proxy);
}
