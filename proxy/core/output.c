/* output: see output.h. */
#include "output.h"

#include "limits.h"

void output_init(struct output *o)
{
    *o = (struct output){.span = NULL};
    buf_init(&o->kept, LIMIT_OUTPUT);
}

void output_cleanup(struct output *o)
{
    buf_cleanup(&o->kept);
    o->span = NULL;
    o->span_len = 0;
}

void output_settle(struct output *o)
{
    buf_add(&o->kept, o->span, o->span_len);
    o->span = NULL;
    o->span_len = 0;
}

struct buf *output_kept(struct output *o)
{
    output_settle(o);
    return &o->kept;
}

void output_relay(struct output *o, const uint8_t *bytes, size_t len, bool lasting)
{
    if (len == 0) {
        return;
    }
    if (!lasting) {
        buf_add(output_kept(o), bytes, len);
        return;
    }
    if (o->span_len != 0 && o->span + o->span_len == bytes) {
        o->span_len += len;
        return;
    }
    output_settle(o);
    o->span = bytes;
    o->span_len = len;
}

size_t output_pending(const struct output *o)
{
    return buf_len(&o->kept) + o->span_len;
}

bool output_failed(const struct output *o)
{
    return buf_failed(&o->kept);
}

void output_sent(struct output *o, size_t len)
{
    size_t from_kept = len < buf_len(&o->kept) ? len : buf_len(&o->kept);
    buf_consume(&o->kept, from_kept);
    len -= from_kept;
    if (len != 0) {
        o->span += len;
        o->span_len -= len;
    }
    if (o->span_len == 0) {
        o->span = NULL;
    }
}
