/*
 * swap_notices: tells the process of swaps that others have carried out: each name once, and once
 * more at the next look, since the frontends of the server learn of a swap one after the other.
 * What sessions of this process have told themselves is not told again. Zero bytes, and `seen`, are
 * a valid new one. Must not know: how swaps are noticed, sessions.
 */
#ifndef MVSWAP_SHELL_SWAP_NOTICES_H
#define MVSWAP_SHELL_SWAP_NOTICES_H

#include "buf.h"
#include "swaps.h"

#include <stdint.h>

struct swap_notices {
    uint64_t seen; /* swaps_newest as of the last look */
    struct buf again;
    uint64_t again_ms; /* when all frontends know of them, monotonic */
};

/* swap_notices_publish: one look at `now_ms` (monotonic) has found `moved`, names with a NUL behind
 * each; none is a look, too. Logs each that is new. */
void swap_notices_publish(struct swap_notices *n, struct swaps *swaps, const struct buf *moved,
                          uint64_t now_ms);
void swap_notices_cleanup(struct swap_notices *n);

#endif
