/* peer: see peer.h. */
#include "peer.h"

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status; /* a failure shows as the end of reading */
}

/* Writes as much as goes without waiting. */
static void try_write(struct peer *p, struct output *output)
{
    uv_buf_t parts[2];
    unsigned num_parts = 0;
    if (buf_len(&output->kept) != 0) {
        /* libuv's buffer type is not const; uv_try_write does not write to it. */
        parts[num_parts++] = uv_buf_init((char *)(uintptr_t)buf_bytes(&output->kept),
                                         (unsigned)buf_len(&output->kept));
    }
    if (output->span_len != 0) {
        parts[num_parts++] =
            uv_buf_init((char *)(uintptr_t)output->span, (unsigned)output->span_len);
    }
    int done = uv_try_write((uv_stream_t *)&p->tcp, parts, num_parts);
    if (done >= 0) {
        output_sent(output, (size_t)done);
    } else if (done != UV_EAGAIN) {
        p->state = PEER_BROKEN;
    }
}

static void write_rest(struct peer *p, struct output *output, uv_write_cb on_write)
{
    output_settle(output);
    buf_cleanup(&p->in_flight);
    buf_swap(&p->in_flight, &output->kept);
    uv_buf_t rest =
        uv_buf_init((char *)(uintptr_t)buf_bytes(&p->in_flight), (unsigned)buf_len(&p->in_flight));
    if (uv_write(&p->write, (uv_stream_t *)&p->tcp, &rest, 1, on_write) == 0) {
        p->writing = true;
    } else {
        p->state = PEER_BROKEN;
    }
}

void peer_flush(struct peer *p, struct output *output, uv_write_cb on_write)
{
    if (p->state == PEER_OPEN && !p->writing && output_pending(output) != 0) {
        try_write(p, output);
        if (p->state == PEER_OPEN && output_pending(output) != 0) {
            write_rest(p, output, on_write);
        }
    }
    if (p->state == PEER_BROKEN || p->state == PEER_CLOSED) {
        output_sent(output, output_pending(output));
    }
    bool all_written = !p->writing && output_pending(output) == 0;
    if (p->state == PEER_OPEN && p->end_wanted && !p->end_sent && all_written) {
        p->end_sent = true;
        if (uv_shutdown(&p->shutdown, (uv_stream_t *)&p->tcp, on_shutdown) != 0) {
            p->state = PEER_BROKEN;
        }
    }
}

void peer_written(struct peer *p, int status)
{
    p->writing = false;
    buf_cleanup(&p->in_flight);
    if (status < 0 && p->state == PEER_OPEN) {
        p->state = PEER_BROKEN;
    }
}

void peer_read(struct peer *p, bool wanted, uv_alloc_cb on_alloc, uv_read_cb on_read)
{
    bool possible = p->state == PEER_OPEN && !p->got_eof;
    if (wanted && possible && !p->reading) {
        p->reading = uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read) == 0;
    } else if (p->reading && !(wanted && possible)) {
        if (p->state != PEER_CLOSED) {
            (void)uv_read_stop((uv_stream_t *)&p->tcp);
        }
        p->reading = false;
    }
}

void peer_close(struct peer *p, uv_close_cb on_close)
{
    if (p->state != PEER_NONE && p->state != PEER_CLOSED) {
        p->state = PEER_CLOSED;
        p->reading = false;
        uv_close((uv_handle_t *)&p->tcp, on_close);
    }
}

bool peer_is_finished(const struct peer *p)
{
    switch (p->state) {
    case PEER_OPEN:
        return p->end_sent && p->got_eof;
    case PEER_NONE:
    case PEER_IDLE:
    case PEER_BROKEN:
    case PEER_CLOSED:
        break;
    }
    return true;
}
