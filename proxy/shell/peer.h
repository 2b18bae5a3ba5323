/*
 * peer: one socket of a connection: tries to write at once, keeps one write in flight, stops and
 * starts reading. Owns the libuv handle and the bytes of the write that is in flight.
 * Must not know: sessions, the other side.
 */
#ifndef MVSWAP_SHELL_PEER_H
#define MVSWAP_SHELL_PEER_H

#include "buf.h"
#include "output.h"

#include <stdbool.h>
#include <uv.h>

enum peer_state {
    PEER_NONE,   /* no handle */
    PEER_IDLE,   /* a handle, not connected */
    PEER_OPEN,   /* connected */
    PEER_BROKEN, /* an error: nothing can be written or read */
    PEER_CLOSED  /* the handle is closing or closed */
};

struct peer {
    enum peer_state state;
    uv_tcp_t tcp; /* tcp.data is the owner's */
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct buf in_flight;
    bool writing;
    bool reading;
    bool got_eof;
    bool end_wanted; /* pass the end on when all is written */
    bool end_sent;
};

/* peer_flush writes what the socket takes of `output` and starts one write for the rest. `on_write`
 * is called when that write has ended. Output for a peer that is not open is dropped, unless it
 * may still be connected. */
void peer_flush(struct peer *p, struct output *output, uv_write_cb on_write);
/* peer_written is to be called first thing in `on_write`. */
void peer_written(struct peer *p, int status);
void peer_read(struct peer *p, bool wanted, uv_alloc_cb on_alloc, uv_read_cb on_read);
/* peer_close begins to close the handle, if there is one that is not closing yet. */
void peer_close(struct peer *p, uv_close_cb on_close);
/* Nothing more will come or go: written, end passed on, end received; or broken. */
bool peer_is_finished(const struct peer *p);

#endif
