/*
 * swaps: names that mean other objects on the server now, as this process has learnt it: from the
 * replacements of its own sessions, or from whoever notices those of others. Sessions on all
 * workers are told; the newest number says whether there is anything to tell.
 *
 * Any thread may call. The list is bounded: who comes too late for a part of it learns that some
 * name has moved. Must not know: sessions, sockets.
 */
#ifndef MVSWAP_SHELL_SWAPS_H
#define MVSWAP_SHELL_SWAPS_H

#include "attributes.h"
#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct swaps;

/* NULL without memory. */
MUST_CHECK struct swaps *swaps_new(void);
void swaps_free(struct swaps *s);

/* swaps_add: names, each with its NUL, in names[0, len); NULL: which, is not known. Transactions
 * that began after `moved_ms` (monotonic) know the objects that they mean now. */
void swaps_add(struct swaps *s, const char *names, size_t len, uint64_t moved_ms);
/* swaps_newest: 0 at first; greater after each swaps_add. No lock is taken. */
uint64_t swaps_newest(const struct swaps *s);
/* swaps_since appends the names that were added after `number` to `out_names`, each with its NUL,
 * and sets *out_newest, and *out_moved_ms to the latest of all that were given. False: the names
 * are not all known; `out_names` is as it was. */
bool swaps_since(struct swaps *s, uint64_t number, struct buf *out_names, uint64_t *out_newest,
                 uint64_t *out_moved_ms);

#endif
