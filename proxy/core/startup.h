/*
 * startup: what a StartupMessage asks for beyond protocol 3.0, which is all that RisingWave knows
 * (it closes the connection at anything else without a word; risingwave.md 8.1).
 *
 * The client is told by NegotiateProtocolVersion what it does not get, and the server is sent a 3.0
 * start without it. Must not know: sessions, sockets.
 */
#ifndef MVSWAP_CORE_STARTUP_H
#define MVSWAP_CORE_STARTUP_H

#include "attributes.h"
#include "buf.h"

#include <stddef.h>
#include <stdint.h>

enum startup_result {
    STARTUP_AS_IS,     /* nothing to do; also for other major versions, which the server judges */
    STARTUP_REWRITTEN, /* both outputs were appended to */
    STARTUP_MALFORMED, /* it would have to be rewritten, but cannot be read */
    STARTUP_NO_MEMORY
};

/*
 * startup_negotiate reads a whole StartupMessage, length word included. For a minor version above 0
 * or options whose names begin with "_pq_." it appends the packet for the server to `out_packet`
 * (version 3.0, without those options, every other byte as it was) and the message for the client
 * to `out_answer` (otherwise they are of no use; the names as they were asked for, in order;
 * manual 55.2.1.1 and 55.7).
 */
MUST_CHECK enum startup_result startup_negotiate(const uint8_t *packet, size_t len,
                                                 struct buf *out_packet, struct buf *out_answer);

#endif
