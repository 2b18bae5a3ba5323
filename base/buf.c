/* buf: see buf.h. */
#include "buf.h"

#include "mem.h"

#include <stdio.h>
#include <string.h>

enum {
    SMALLEST = 64,
    /* An emptied buffer above this goes back to the heap: idle sessions hold no memory. */
    KEEP_WHEN_EMPTY = 4096
};

static size_t cap_of(const struct buf *b)
{
    return b->cap != 0 ? b->cap : SIZE_MAX / 2;
}

void buf_init(struct buf *b, size_t cap)
{
    *b = (struct buf){.cap = cap};
}

void buf_cleanup(struct buf *b)
{
    size_t cap = b->cap;
    mem_free(b->data);
    *b = (struct buf){.cap = cap};
}

const uint8_t *buf_bytes(const struct buf *b)
{
    static const uint8_t nothing[1];
    return b->data != NULL ? b->data + b->start : nothing;
}

size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

bool buf_failed(const struct buf *b)
{
    return b->failed;
}

/* Makes room for `more` bytes at the end, or marks the buffer failed. */
static bool reserve(struct buf *b, size_t more)
{
    size_t len = buf_len(b);
    if (b->failed || len > cap_of(b) || more > cap_of(b) - len) {
        b->failed = true;
        return false;
    }
    if (more <= b->size - b->end) {
        return true;
    }
    if (b->start != 0) {
        memmove(b->data, b->data + b->start, len);
        b->start = 0;
        b->end = len;
        if (more <= b->size - b->end) {
            return true;
        }
    }
    size_t size = b->size < SMALLEST ? SMALLEST : b->size * 2;
    if (size < len + more) {
        size = len + more;
    }
    uint8_t *data = mem_resize(b->data, size);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->size = size;
    return true;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (len != 0 && reserve(b, len)) {
        memcpy(b->data + b->end, bytes, len);
        b->end += len;
    }
}

void buf_add_byte(struct buf *b, uint8_t byte)
{
    buf_add(b, &byte, 1);
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_u16(struct buf *b, uint16_t value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    buf_add(b, bytes, sizeof(bytes));
}

static void put_u32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

void buf_add_u32(struct buf *b, uint32_t value)
{
    uint8_t bytes[4];
    put_u32(bytes, value);
    buf_add(b, bytes, sizeof(bytes));
}

void buf_add_vformat(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, args);
    /* vsnprintf writes a NUL behind the text: reserve it, do not count it. */
    if (need < 0 || !reserve(b, (size_t)need + 1)) {
        b->failed = true;
    } else {
        (void)vsnprintf((char *)b->data + b->end, (size_t)need + 1, format, again);
        b->end += (size_t)need;
    }
    va_end(again);
}

void buf_add_format(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_add_vformat(b, format, args);
    va_end(args);
}

void buf_set_u32(struct buf *b, size_t at, uint32_t value)
{
    if (!b->failed && buf_len(b) >= 4 && at <= buf_len(b) - 4) {
        put_u32(b->data + b->start + at, value);
    }
}

void buf_overwrite(struct buf *b, size_t at, const void *bytes, size_t len)
{
    if (!b->failed && len != 0) {
        memcpy(b->data + b->start + at, bytes, len);
    }
}

void buf_consume(struct buf *b, size_t len)
{
    b->start += len;
    if (b->start == b->end) {
        b->start = 0;
        b->end = 0;
        if (b->size > KEEP_WHEN_EMPTY) {
            mem_free(b->data);
            b->data = NULL;
            b->size = 0;
        }
    }
}

void buf_truncate(struct buf *b, size_t len)
{
    if (len < buf_len(b)) {
        b->end = b->start + len;
    }
}

const char *buf_text(struct buf *b)
{
    if (!reserve(b, 1)) {
        return NULL;
    }
    b->data[b->end] = 0;
    return (const char *)b->data + b->start;
}

void buf_swap(struct buf *a, struct buf *b)
{
    struct buf swap = *a;
    size_t cap_of_b = b->cap;
    *a = *b;
    a->cap = swap.cap;
    *b = swap;
    b->cap = cap_of_b;
}
