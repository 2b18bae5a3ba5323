/*
 * registry: what the sessions of one process share, behind one mutex. So far: which families of
 * names are being replaced, and by whom; replacements of one name queue up, first come first
 * served.
 *
 * Sessions are known by number, never by pointer. Must not know: sockets, sessions' insides.
 */
#ifndef MVSWAP_SHELL_REGISTRY_H
#define MVSWAP_SHELL_REGISTRY_H

#include "attributes.h"

#include <stdbool.h>
#include <stdint.h>

struct registry;

/* NULL without memory. */
MUST_CHECK struct registry *registry_new(void);
void registry_free(struct registry *r);

enum registry_lock_result {
    REGISTRY_LOCKED, /* `session` holds the family now */
    REGISTRY_QUEUED, /* it comes up in registry_next_granted later */
    REGISTRY_NO_MEMORY
};
MUST_CHECK enum registry_lock_result registry_lock(struct registry *r, const char *family,
                                                   uint64_t session);
/* registry_unlock gives up whatever `session` holds or waits for. */
void registry_unlock(struct registry *r, uint64_t session);
/* registry_next_granted: a session whose wait for a lock has ended; false when there is none. Told
 * once. */
bool registry_next_granted(struct registry *r, uint64_t *out_session);

#endif
