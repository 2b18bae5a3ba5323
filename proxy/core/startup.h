/*
 * startup: what a StartupMessage asks for that the server must not see.
 *
 * Beyond protocol 3.0, which is all that RisingWave knows (it closes the connection at anything
 * else without a word; risingwave.md 8.1): the client is told by NegotiateProtocolVersion what it
 * does not get. And settings of ours in `options`, which RisingWave from 3.0 refuses. Must not
 * know: sessions, sockets.
 */
#ifndef MVSWAP_CORE_STARTUP_H
#define MVSWAP_CORE_STARTUP_H

#include "attributes.h"
#include "buf.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum startup_result {
    STARTUP_AS_IS,       /* nothing to do; also for other major versions, which the server judges */
    STARTUP_REWRITTEN,   /* `out_packet` is what the server gets */
    STARTUP_MALFORMED,   /* it would have to be rewritten, but cannot be read */
    STARTUP_BAD_SETTING, /* see `out_problem` */
    STARTUP_NO_MEMORY
};

/*
 * startup_read reads a whole StartupMessage, length word included. For a minor version above 0,
 * options whose names begin with "_pq_.", or settings of ours in `options` it appends the packet
 * for the server to `out_packet`: version 3.0, without those, every other byte as it was (manual
 * 55.2.1.1). Settings go to `settings`. What the client is to be told, if anything, goes to
 * `out_answer`: the names as they were asked for, in order. In other cases the outputs are of no
 * use.
 *
 * In `options` as PostgreSQL splits it (manual 34.1.2): -c name=value, -cname=value, --name=value,
 * backslash before a blank or a backslash, `-` for `_` in names.
 */
MUST_CHECK enum startup_result startup_read(const uint8_t *packet, size_t len,
                                            struct replace_settings *settings,
                                            struct buf *out_packet, struct buf *out_answer,
                                            struct settings_problem *out_problem);

/* Is it a StartupMessage of protocol 3, whatever the minor version? */
bool startup_is_protocol_3(const uint8_t *packet, size_t len);

#endif
