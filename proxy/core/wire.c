/* wire: see wire.h. */
#include "wire.h"

#include "limits.h"

#include <string.h>

enum {
    CODE_CANCEL_REQUEST = 80877102,
    CODE_SSL_REQUEST = 80877103,
    CODE_GSSENC_REQUEST = 80877104,
    SMALLEST_START = 8,
    CANCEL_REQUEST_LEN = 16
};

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

enum wire_result wire_decode_header(const uint8_t *in, size_t in_len,
                                    struct wire_header *out_header)
{
    if (in_len < WIRE_HEADER_LEN) {
        return WIRE_NEED_MORE;
    }
    uint32_t len = get_u32(in + 1);
    if (len < 4 || len > INT32_MAX) {
        return WIRE_BAD;
    }
    *out_header = (struct wire_header){.tag = in[0], .body_len = len - 4};
    return WIRE_OK;
}

struct wire_reader wire_reader_over(const uint8_t *bytes, size_t len)
{
    return (struct wire_reader){.at = bytes, .left = len};
}

const uint8_t *wire_read_bytes(struct wire_reader *r, size_t len)
{
    if (r->bad || len > r->left) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += len;
    r->left -= len;
    return bytes;
}

uint8_t wire_read_u8(struct wire_reader *r)
{
    const uint8_t *at = wire_read_bytes(r, 1);
    return at != NULL ? at[0] : 0;
}

uint16_t wire_read_u16(struct wire_reader *r)
{
    const uint8_t *at = wire_read_bytes(r, 2);
    return at != NULL ? (uint16_t)((unsigned)at[0] << 8 | at[1]) : 0;
}

uint32_t wire_read_u32(struct wire_reader *r)
{
    const uint8_t *at = wire_read_bytes(r, 4);
    return at != NULL ? get_u32(at) : 0;
}

const char *wire_read_text(struct wire_reader *r)
{
    const uint8_t *end = r->bad || r->left == 0 ? NULL : memchr(r->at, 0, r->left);
    if (end == NULL) {
        r->bad = true;
        return "";
    }
    return (const char *)wire_read_bytes(r, (size_t)(end - r->at) + 1);
}

struct wire_error wire_read_error(const uint8_t *body, size_t body_len)
{
    struct wire_error error = {.severity = "", .sqlstate = "", .message = ""};
    struct wire_reader r = wire_reader_over(body, body_len);
    for (;;) {
        uint8_t field = wire_read_u8(&r);
        const char *value = field != 0 ? wire_read_text(&r) : "";
        if (r.bad || field == 0) {
            return error;
        }
        switch (field) {
        case 'S':
            error.severity = value;
            break;
        case 'C':
            error.sqlstate = value;
            break;
        case 'M':
            error.message = value;
            break;
        default:
            break;
        }
    }
}

enum wire_result wire_decode_start(const uint8_t *in, size_t in_len, struct wire_start *out_start)
{
    if (in_len < 4) {
        return WIRE_NEED_MORE;
    }
    uint32_t len = get_u32(in);
    if (len < SMALLEST_START || len > LIMIT_STARTUP_PACKET) {
        return WIRE_BAD;
    }
    if (in_len < 8) {
        return WIRE_NEED_MORE;
    }
    enum wire_start_kind kind = START_STARTUP;
    uint32_t wanted = len;
    switch (get_u32(in + 4)) {
    case CODE_SSL_REQUEST:
        kind = START_SSL_REQUEST;
        wanted = SMALLEST_START;
        break;
    case CODE_GSSENC_REQUEST:
        kind = START_GSSENC_REQUEST;
        wanted = SMALLEST_START;
        break;
    case CODE_CANCEL_REQUEST:
        kind = len == CANCEL_REQUEST_LEN ? START_CANCEL_REQUEST : START_MALFORMED_CANCEL;
        break;
    default:
        break;
    }
    if (len != wanted) {
        return WIRE_BAD;
    }
    if (in_len < len && kind != START_MALFORMED_CANCEL) {
        return WIRE_NEED_MORE;
    }
    *out_start = (struct wire_start){.kind = kind, .packet_len = len};
    return WIRE_OK;
}

size_t wire_begin_message(struct buf *out, uint8_t tag)
{
    size_t start = buf_len(out);
    buf_add_byte(out, tag);
    buf_add_u32(out, 0);
    return start;
}

void wire_end_message(struct buf *out, size_t start)
{
    size_t len = buf_len(out) - start - 1;
    if (buf_failed(out) || len > INT32_MAX) {
        out->failed = true;
        buf_truncate(out, start);
        return;
    }
    buf_set_u32(out, start + 1, (uint32_t)len);
}

void wire_add_text(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text) + 1);
}

void wire_add_message(struct buf *out, uint8_t tag, const uint8_t *body, size_t body_len)
{
    if (body_len > INT32_MAX - 4) {
        out->failed = true;
        return;
    }
    size_t start = wire_begin_message(out, tag);
    buf_add(out, body, body_len);
    wire_end_message(out, start);
}

void wire_add_query(struct buf *out, const char *sql)
{
    wire_add_message(out, CLIENT_QUERY, (const uint8_t *)sql, strlen(sql) + 1);
}

void wire_add_sync(struct buf *out)
{
    wire_add_message(out, CLIENT_SYNC, NULL, 0);
}

void wire_add_terminate(struct buf *out)
{
    wire_add_message(out, CLIENT_TERMINATE, NULL, 0);
}

void wire_add_command_complete(struct buf *out, const char *tag)
{
    wire_add_message(out, SERVER_COMMAND_COMPLETE, (const uint8_t *)tag, strlen(tag) + 1);
}

void wire_add_row_description(struct buf *out, const char *const *names, size_t num)
{
    enum { VARCHAR = 1043, NO_MODIFIER = -1, VARIABLE = 0xffff };
    size_t start = wire_begin_message(out, SERVER_ROW_DESCRIPTION);
    buf_add_u16(out, (uint16_t)num);
    for (size_t i = 0; i < num; i++) {
        wire_add_text(out, names[i]);
        buf_add_u32(out, 0); /* no table */
        buf_add_u16(out, 0);
        buf_add_u32(out, VARCHAR);
        buf_add_u16(out, VARIABLE);
        buf_add_u32(out, (uint32_t)NO_MODIFIER);
        buf_add_u16(out, 0);
    }
    wire_end_message(out, start);
}

void wire_add_data_row(struct buf *out, const char *const *texts, size_t num)
{
    size_t start = wire_begin_message(out, SERVER_DATA_ROW);
    buf_add_u16(out, (uint16_t)num);
    for (size_t i = 0; i < num; i++) {
        size_t len = strlen(texts[i]);
        buf_add_u32(out, (uint32_t)len);
        buf_add(out, texts[i], len);
    }
    wire_end_message(out, start);
}

void wire_add_ready_for_query(struct buf *out, uint8_t status)
{
    wire_add_message(out, SERVER_READY_FOR_QUERY, &status, 1);
}

static void add_field(struct buf *out, uint8_t field, const char *value)
{
    if (value != NULL) {
        buf_add_byte(out, field);
        wire_add_text(out, value);
    }
}

static void add_report(struct buf *out, uint8_t tag, const struct wire_report *report)
{
    size_t start = wire_begin_message(out, tag);
    add_field(out, 'S', report->severity);
    add_field(out, 'V', report->severity);
    add_field(out, 'C', report->sqlstate);
    add_field(out, 'M', report->message);
    add_field(out, 'D', report->detail);
    add_field(out, 'H', report->hint);
    add_field(out, 'R', report->routine);
    buf_add_byte(out, 0);
    wire_end_message(out, start);
}

void wire_add_error_response(struct buf *out, const struct wire_report *report)
{
    add_report(out, SERVER_ERROR_RESPONSE, report);
}

void wire_add_notice_response(struct buf *out, const struct wire_report *report)
{
    add_report(out, SERVER_NOTICE_RESPONSE, report);
}
