/* conn_shares: what a connection's session asks for of the registry: locks, slots for builds. */
#include "conn_internal.h"
#include "log.h"
#include "proxy_internal.h"

void conn_lock(struct conn *c, const char *family)
{
    switch (registry_lock(c->proxy->registry, family, c->id)) {
    case REGISTRY_LOCKED:
        conn_tell_side(c, EVENT_LOCKED, CLIENT, NULL);
        break;
    case REGISTRY_QUEUED:
        break;
    case REGISTRY_NO_MEMORY:
        log_line(LOG_ERROR, "out_of_memory", NULL);
        conn_destroy(c);
        break;
    }
}

void conn_unlock(struct conn *c)
{
    registry_unlock(c->proxy->registry, c->id);
    (void)uv_async_send(&c->proxy->wake);
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
        log_line(LOG_ERROR, "out_of_memory", NULL);
        conn_destroy(c);
        break;
    }
}

void conn_end_slot(struct conn *c)
{
    registry_end_slot(c->proxy->registry, c->id);
    (void)uv_async_send(&c->proxy->wake);
}
