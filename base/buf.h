/*
 * buf: a growing byte string with a cap, appended at the end and consumed from the front.
 *
 * Growing can fail (no memory, cap reached). Failure is sticky: later appends do nothing and
 * buf_failed() stays true until buf_cleanup, so a run of appends needs one check at its end.
 * Growth follows the bytes that really arrived, never a length that a peer claims.
 * Must not know: messages, SQL.
 */
#ifndef MVSWAP_BASE_BUF_H
#define MVSWAP_BASE_BUF_H

#include "attributes.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero bytes are a valid empty buffer with no cap. Fields are read by buf_* only. */
struct buf {
    uint8_t *data;
    size_t start; /* first byte not consumed */
    size_t end;   /* one past the last byte */
    size_t size;  /* allocated */
    size_t cap;   /* most unconsumed bytes held; 0: SIZE_MAX / 2 */
    bool failed;
};

/* buf_init makes an empty buffer that refuses to hold more than `cap` bytes (0: no cap of its own).
 */
void buf_init(struct buf *b, size_t cap);
/* buf_cleanup frees and returns to the empty state, keeping the cap. */
void buf_cleanup(struct buf *b);

/* buf_bytes: the unconsumed bytes, valid until the next call that changes `b`. Never NULL. */
const uint8_t *buf_bytes(const struct buf *b);
size_t buf_len(const struct buf *b);
bool buf_failed(const struct buf *b);

/* Appenders. `bytes` may not point into `b`. */
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_byte(struct buf *b, uint8_t byte);
void buf_add_text(struct buf *b, const char *text);
/* Network byte order, as in every PostgreSQL message. */
void buf_add_u16(struct buf *b, uint16_t value);
void buf_add_u32(struct buf *b, uint32_t value);
/* These need room for a NUL behind the text, within the cap. */
void buf_add_format(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_add_vformat(struct buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* buf_set_u32 overwrites four bytes `at` bytes from the front (at + 4 <= buf_len); no-op if failed.
 */
void buf_set_u32(struct buf *b, size_t at, uint32_t value);
/* buf_overwrite does the same with `len` bytes (at + len <= buf_len). */
void buf_overwrite(struct buf *b, size_t at, const void *bytes, size_t len);
/* buf_consume drops `len` <= buf_len bytes from the front. An emptied large buffer is given back.
 */
void buf_consume(struct buf *b, size_t len);
/* buf_truncate keeps the first `len` <= buf_len bytes. */
void buf_truncate(struct buf *b, size_t len);
/* buf_text: NUL-terminated view of the unconsumed bytes, or NULL if failed. Valid as buf_bytes.
 * Needs room for the NUL within the cap: a buffer that is full to its cap fails. */
const char *buf_text(struct buf *b);
/* buf_swap exchanges what two buffers hold. Their caps stay where they are: a buffer that holds
 * more than its cap afterwards just takes no more. */
void buf_swap(struct buf *a, struct buf *b);

#endif
