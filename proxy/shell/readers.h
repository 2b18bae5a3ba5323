/*
 * readers: which sessions of the process are in a READ ONLY transaction, and since when, on
 * whatever worker. Any thread may call. Must not know: sessions but by number, what a transaction
 * is.
 */
#ifndef MVSWAP_SHELL_READERS_H
#define MVSWAP_SHELL_READERS_H

#include "attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct readers;

/* NULL without memory. */
MUST_CHECK struct readers *readers_new(void);
void readers_free(struct readers *r);

/* readers_set: `session` has been in one since `since_ms` (MOMENT_NEVER: in none). False without
 * memory: it is not known then. */
MUST_CHECK bool readers_set(struct readers *r, uint64_t session, uint64_t since_ms);
/* readers_count: how many but `session` have been in one that began from `from_ms` on and before
 * `before_ms`. */
size_t readers_count(struct readers *r, uint64_t session, uint64_t from_ms, uint64_t before_ms);

#endif
