/*
 * registry: what the sessions of one process share, behind one mutex: which families of names are
 * being replaced, and by whom (replacements of one name queue up, first come first served), and
 * whose cancel key is which.
 *
 * Sessions are known by number, never by pointer. Must not know: sockets, sessions' insides.
 */
#ifndef MVSWAP_SHELL_REGISTRY_H
#define MVSWAP_SHELL_REGISTRY_H

#include "attributes.h"

#include "session.h"

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
/* registry_add_key: `session` can be cancelled with `key`. False without memory. */
MUST_CHECK bool registry_add_key(struct registry *r, const struct cancel_key *key,
                                 uint64_t session);
void registry_forget_key(struct registry *r, uint64_t session);
/* Whose key is it? False: nobody's. */
bool registry_find_key(struct registry *r, const struct cancel_key *key, uint64_t *out_session);
/* registry_next_granted: a session whose wait for a lock has ended; false when there is none. Told
 * once. */
bool registry_next_granted(struct registry *r, uint64_t *out_session);

#endif
