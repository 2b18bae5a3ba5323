/*
 * output: the bytes that go to one peer, in order: first what we keep, then perhaps a span of the
 * input that is being relayed and was not copied.
 *
 * The span borrows the caller's input. Before that input goes away the shell writes what the socket
 * takes and calls output_settle, which copies the rest.
 */
#ifndef MVSWAP_CORE_OUTPUT_H
#define MVSWAP_CORE_OUTPUT_H

#include "buf.h"

struct output {
    struct buf kept;
    const uint8_t *span;
    size_t span_len;
};

void output_init(struct output *o);
void output_cleanup(struct output *o);

/* output_kept gives the buffer to append messages of ours to; what was borrowed is copied first. */
struct buf *output_kept(struct output *o);
/* output_relay appends input bytes: borrowed when `lasting` (they stay until output_settle) and
 * when they continue what is borrowed already, else copied. */
void output_relay(struct output *o, const uint8_t *bytes, size_t len, bool lasting);

size_t output_pending(const struct output *o);
bool output_failed(const struct output *o);
/* output_sent drops the first `len` <= pending bytes. */
void output_sent(struct output *o, size_t len);
void output_settle(struct output *o);

#endif
