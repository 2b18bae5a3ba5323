/*
 * registry: what the sessions of one process share, behind one mutex: which families of names are
 * being replaced, and by whom (replacements that share a name queue up, first come first served),
 * who holds one of the slots for builds, and whose cancel key is which.
 *
 * Sessions are known by number, never by pointer. Must not know: sockets, sessions' insides.
 */
#ifndef MVSWAP_SHELL_REGISTRY_H
#define MVSWAP_SHELL_REGISTRY_H

#include "attributes.h"

#include "session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry;

/* NULL without memory. */
MUST_CHECK struct registry *registry_new(void);
void registry_free(struct registry *r);

enum registry_lock_result {
    REGISTRY_LOCKED,   /* `session` holds all of them now */
    REGISTRY_QUEUED,   /* it holds none of them; it comes up in registry_next_granted later */
    REGISTRY_NO_MEMORY /* it holds or waits for what it did before */
};
/*
 * registry_lock gives up what `session` holds or waits for and takes `families`[0, num), all or
 * none; the same one twice is one. Whoever asked earlier for any of them comes first, also one who
 * waits: so nobody who wants many is passed by those who want one of them, and, since a wait is
 * always for somebody who asked earlier, no two wait for one another. Others may come up in
 * registry_next_granted by it.
 */
MUST_CHECK enum registry_lock_result registry_lock(struct registry *r, const char *const *families,
                                                   size_t num, uint64_t session);
/* registry_unlock gives up whatever `session` holds or waits for. Others may come up likewise. */
void registry_unlock(struct registry *r, uint64_t session);

/* registry_set_slots: how many sessions may hold a slot at one time; 0: any number, as at first.
 * More than are allowed now keep theirs; those that wait come up in registry_next_slot. */
void registry_set_slots(struct registry *r, unsigned most);
enum registry_slot_result {
    REGISTRY_SLOT_HELD,   /* `session` holds one now, or did before */
    REGISTRY_SLOT_QUEUED, /* it comes up in registry_next_slot later */
    REGISTRY_SLOT_FULL,   /* LIMIT_WAITING_BUILDS wait already */
    REGISTRY_SLOT_NO_MEMORY
};
MUST_CHECK enum registry_slot_result registry_take_slot(struct registry *r, uint64_t session);
/* registry_end_slot gives the slot back that `session` holds or waits for, if any. */
void registry_end_slot(struct registry *r, uint64_t session);
/* registry_next_slot: a session whose wait for a slot has ended; false when there is none. Told
 * once. */
bool registry_next_slot(struct registry *r, uint64_t *out_session);

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
