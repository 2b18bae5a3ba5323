/* message_text: see message_text.h. One table of forms serves both directions. */
#include "message_text.h"

#include "wire.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Forms: s text, b byte, i 32 bits, r rest, f fields, t column names, d cells. */
struct shape {
    enum side from;
    uint8_t tag;
    const char *name;
    const char *form;
};

static const struct shape shapes[] = {
    {CLIENT, 'Q', "Query", "s"},
    {CLIENT, 'S', "Sync", ""},
    {CLIENT, 'X', "Terminate", ""},
    {CLIENT, 'p', "PasswordMessage", "s"},
    {CLIENT, 'P', "Parse", "ssr"},
    {CLIENT, 'B', "Bind", "ssr"},
    {CLIENT, 'D', "Describe", "bs"},
    {CLIENT, 'C', "Close", "bs"},
    {CLIENT, 'E', "Execute", "si"},
    {CLIENT, 'H', "Flush", ""},
    {CLIENT, 'F', "FunctionCall", "r"},
    {CLIENT, 'd', "CopyData", "r"},
    {CLIENT, 'c', "CopyDone", ""},
    {CLIENT, 'f', "CopyFail", "s"},
    {SERVER, 'v', "NegotiateProtocolVersion", "iir"},
    {SERVER, 'R', "Authentication", "ir"},
    {SERVER, 'K', "BackendKeyData", "ii"},
    {SERVER, 'S', "ParameterStatus", "ss"},
    {SERVER, 'Z', "ReadyForQuery", "b"},
    {SERVER, 'T', "RowDescription", "t"},
    {SERVER, 'D', "DataRow", "d"},
    {SERVER, 'C', "CommandComplete", "s"},
    {SERVER, 'I', "EmptyQueryResponse", ""},
    {SERVER, 'E', "ErrorResponse", "f"},
    {SERVER, 'N', "NoticeResponse", "f"},
    {SERVER, 'A', "NotificationResponse", "iss"},
    {SERVER, '1', "ParseComplete", ""},
    {SERVER, '2', "BindComplete", ""},
    {SERVER, '3', "CloseComplete", ""},
    {SERVER, 'n', "NoData", ""},
    {SERVER, 's', "PortalSuspended", ""},
    {SERVER, 't', "ParameterDescription", "r"},
    {SERVER, 'G', "CopyInResponse", "r"},
    {SERVER, 'H', "CopyOutResponse", "r"},
    {SERVER, 'W', "CopyBothResponse", "r"},
    {SERVER, 'd', "CopyData", "r"},
    {SERVER, 'c', "CopyDone", ""},
};
enum { NUM_SHAPES = sizeof(shapes) / sizeof(shapes[0]), VERSION_3_0 = 196608 };
enum { CODE_CANCEL = 80877102, CODE_SSL = 80877103, CODE_GSSENC = 80877104 };
/* Behind the name of a column: oid, number, type varchar, size, modifier, format. */
static const uint8_t column_rest[18] = {0, 0,  0,   0,   0,   0,   0,   0,
                                        4, 19, 255, 255, 255, 255, 255, 255};

/* ---- text to bytes ---- */

static void skip_blanks(const char **at)
{
    *at += strspn(*at, " ");
}

static bool take_string(const char **at, struct buf *out)
{
    skip_blanks(at);
    if (**at != '"') {
        return false;
    }
    const char *p = *at + 1;
    for (; *p != '"'; p++) {
        if (*p == 0) {
            return false;
        }
        if (*p != '\\') {
            buf_add_byte(out, (uint8_t)*p);
            continue;
        }
        p++;
        if (*p == 'x' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
            char hex[3] = {p[1], p[2], 0};
            buf_add_byte(out, (uint8_t)strtoul(hex, NULL, 16));
            p += 2;
        } else if (*p == 'n' || *p == '"' || *p == '\\') {
            buf_add_byte(out, *p == 'n' ? '\n' : (uint8_t)*p);
        } else {
            return false;
        }
    }
    *at = p + 1;
    return true;
}

static bool take_number(const char **at, struct buf *out)
{
    char *end = NULL;
    skip_blanks(at);
    long long value = strtoll(*at, &end, 10);
    if (end == *at) {
        return false;
    }
    buf_add_u32(out, (uint32_t)value);
    *at = end;
    return true;
}

static bool take_fields(const char **at, struct buf *out)
{
    for (skip_blanks(at); **at != 0; skip_blanks(at)) {
        buf_add_byte(out, (uint8_t) * *at);
        (*at)++;
        if (!take_string(at, out)) {
            return false;
        }
        buf_add_byte(out, 0);
    }
    buf_add_byte(out, 0);
    return true;
}

static bool take_column(const char **at, struct buf *out)
{
    bool ok = take_string(at, out);
    buf_add_byte(out, 0);
    buf_add(out, column_rest, sizeof(column_rest));
    return ok;
}

static bool take_cell(const char **at, struct buf *out)
{
    struct buf text = {0};
    if (strncmp(*at, "NULL", 4) == 0) {
        *at += 4;
        buf_add_u32(out, UINT32_MAX);
        return true;
    }
    bool ok = take_string(at, &text);
    buf_add_u32(out, (uint32_t)buf_len(&text));
    buf_add(out, buf_bytes(&text), buf_len(&text));
    buf_cleanup(&text);
    return ok;
}

/* Items up to the end of the line, with their number in front. */
static bool take_list(const char **at, struct buf *out, bool (*take)(const char **, struct buf *))
{
    struct buf items = {0};
    uint16_t num = 0;
    bool ok = true;
    for (skip_blanks(at); ok && **at != 0; skip_blanks(at)) {
        ok = take(at, &items);
        num++;
    }
    buf_add_u16(out, num);
    buf_add(out, buf_bytes(&items), buf_len(&items));
    buf_cleanup(&items);
    return ok;
}

static bool take_item(char form, const char **at, struct buf *out)
{
    bool ok = true;
    switch (form) {
    case 's':
        ok = take_string(at, out);
        buf_add_byte(out, 0);
        return ok;
    case 'i':
        return take_number(at, out);
    case 'f':
        return take_fields(at, out);
    case 't':
        return take_list(at, out, take_column);
    case 'd':
        return take_list(at, out, take_cell);
    case 'b':
        return take_string(at, out);
    default:
        skip_blanks(at);
        return **at == 0 || take_string(at, out);
    }
}

/* "3.2" in front of the pairs, or nothing for 3.0. */
static uint32_t take_version(const char **at)
{
    unsigned major = 3;
    unsigned minor = 0;
    int len = 0;
    *at += sscanf(*at, " %u.%u%n", &major, &minor, &len) == 2 ? len : 0;
    return major << 16 | minor;
}

static bool take_pairs(const char **at, struct buf *out)
{
    bool ok = true;
    buf_add_u32(out, take_version(at));
    for (skip_blanks(at); ok && **at != 0; skip_blanks(at)) {
        ok = take_string(at, out);
        buf_add_byte(out, 0);
    }
    buf_add_byte(out, 0);
    return ok;
}

/* The first packets, which have no tag; false when `name` is none of them. */
static bool parse_untagged(const char *name, const char **at, struct buf *out, bool *out_ok)
{
    struct buf body = {0};
    *out_ok = true;
    if (strcmp(name, "SSLRequest") == 0) {
        buf_add_u32(&body, CODE_SSL);
    } else if (strcmp(name, "GSSENCRequest") == 0) {
        buf_add_u32(&body, CODE_GSSENC);
    } else if (strcmp(name, "CancelRequest") == 0) {
        buf_add_u32(&body, CODE_CANCEL);
        *out_ok = take_number(at, &body) && take_number(at, &body);
    } else if (strcmp(name, "StartupMessage") == 0) {
        *out_ok = take_pairs(at, &body);
    } else {
        return false;
    }
    buf_add_u32(out, (uint32_t)buf_len(&body) + 4);
    buf_add(out, buf_bytes(&body), buf_len(&body));
    buf_cleanup(&body);
    return true;
}

static bool parse_tagged(const char *name, const char **at, enum side from, struct buf *out)
{
    struct buf body = {0};
    struct buf tag = {0};
    bool ok = false;
    if (strcmp(name, "Message") == 0) {
        ok = take_string(at, &tag) && take_string(at, &body) && buf_len(&tag) == 1;
    }
    for (size_t i = 0; i < NUM_SHAPES; i++) {
        if (shapes[i].from == from && strcmp(shapes[i].name, name) == 0) {
            buf_add_byte(&tag, shapes[i].tag);
            ok = true;
            for (const char *form = shapes[i].form; ok && *form != 0; form++) {
                ok = take_item(*form, at, &body);
            }
        }
    }
    if (ok) {
        wire_add_message(out, buf_bytes(&tag)[0], buf_bytes(&body), buf_len(&body));
    }
    buf_cleanup(&body);
    buf_cleanup(&tag);
    return ok;
}

bool message_parse(const char *line, enum side from, struct buf *out)
{
    char name[32] = "";
    size_t len = strcspn(line, " ");
    bool ok = false;
    const char *at = line + len;
    if (len >= sizeof(name)) {
        return false;
    }
    memcpy(name, line, len);
    if (strcmp(name, "Raw") == 0) {
        ok = take_string(&at, out);
    } else if (!(from == CLIENT && parse_untagged(name, &at, out, &ok))) {
        ok = parse_tagged(name, &at, from, out);
    }
    skip_blanks(&at);
    return ok && *at == 0;
}

/* ---- bytes to text ---- */

static void show_string(struct buf *out, const uint8_t *bytes, size_t len)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            buf_add_text(out, "\\n");
        } else if (bytes[i] == '"' || bytes[i] == '\\') {
            buf_add_byte(out, '\\');
            buf_add_byte(out, bytes[i]);
        } else if (bytes[i] >= 0x20 && bytes[i] < 0x7f) {
            buf_add_byte(out, bytes[i]);
        } else {
            buf_add_format(out, "\\x%02x", bytes[i]);
        }
    }
    buf_add_byte(out, '"');
}

static void show_text(struct buf *out, struct wire_reader *r)
{
    const char *text = wire_read_text(r);
    show_string(out, (const uint8_t *)text, strlen(text));
}

static void show_fields(struct buf *out, struct wire_reader *r)
{
    uint8_t field = wire_read_u8(r);
    for (size_t i = 0; field != 0 && !r->bad; i++) {
        buf_add_text(out, i == 0 ? "" : " ");
        buf_add_byte(out, field);
        show_text(out, r);
        field = wire_read_u8(r);
    }
}

static void show_list(struct buf *out, struct wire_reader *r, bool columns)
{
    size_t num = wire_read_u16(r);
    for (size_t i = 0; i < num && !r->bad; i++) {
        buf_add_text(out, i == 0 ? "" : " ");
        if (columns) {
            show_text(out, r);
            const uint8_t *rest = wire_read_bytes(r, sizeof(column_rest));
            r->bad = rest == NULL || memcmp(rest, column_rest, sizeof(column_rest)) != 0;
            continue;
        }
        uint32_t size = wire_read_u32(r);
        const uint8_t *cell = size != UINT32_MAX ? wire_read_bytes(r, size) : NULL;
        if (size == UINT32_MAX) {
            buf_add_text(out, "NULL");
        } else if (cell != NULL) {
            show_string(out, cell, size);
        }
    }
}

static void show_item(char form, struct wire_reader *r, struct buf *out)
{
    uint8_t byte = 0;
    if (form == 'r' && r->left == 0) {
        return;
    }
    buf_add_byte(out, ' ');
    switch (form) {
    case 's':
        show_text(out, r);
        break;
    case 'b':
        byte = wire_read_u8(r);
        show_string(out, &byte, 1);
        break;
    case 'i':
        buf_add_format(out, "%d", (int)wire_read_u32(r));
        break;
    case 'f':
        show_fields(out, r);
        break;
    case 't':
    case 'd':
        show_list(out, r, form == 't');
        break;
    default:
        show_string(out, r->at, r->left);
        (void)wire_read_bytes(r, r->left);
        break;
    }
}

static void show_tagged(enum side from, const uint8_t *in, size_t len, struct buf *out)
{
    size_t start = buf_len(out);
    for (size_t i = 0; i < NUM_SHAPES; i++) {
        if (shapes[i].from != from || shapes[i].tag != in[0]) {
            continue;
        }
        struct wire_reader r = wire_reader_over(in + WIRE_HEADER_LEN, len - WIRE_HEADER_LEN);
        buf_add_text(out, shapes[i].name);
        for (const char *form = shapes[i].form; *form != 0; form++) {
            show_item(*form, &r, out);
        }
        if (!r.bad && r.left == 0) {
            return;
        }
        buf_truncate(out, start);
    }
    buf_add_text(out, "Message ");
    show_string(out, in, 1);
    buf_add_byte(out, ' ');
    show_string(out, in + WIRE_HEADER_LEN, len - WIRE_HEADER_LEN);
}

static void show_start(const uint8_t *in, size_t len, struct buf *out)
{
    size_t start = buf_len(out);
    struct wire_reader r = wire_reader_over(in + 4, len - 4);
    uint32_t code = wire_read_u32(&r);
    buf_add_text(out, "StartupMessage");
    if (code != VERSION_3_0) {
        buf_add_format(out, " %u.%u", code >> 16, code & 0xffff);
    }
    while (r.left > 1 && !r.bad) {
        buf_add_byte(out, ' ');
        show_text(out, &r);
    }
    if (wire_read_u8(&r) != 0 || r.bad) {
        buf_truncate(out, start);
        buf_add_text(out, "Raw ");
        show_string(out, in, len);
    }
}

bool message_show(struct message_stream *stream, struct buf *in, bool rest_too, struct buf *out)
{
    const uint8_t *at = buf_bytes(in);
    size_t len = buf_len(in);
    size_t used = 0;
    struct wire_header header = {0};
    struct wire_start start = {0};
    if (len == 0) {
        return false;
    }
    if (!stream->started && stream->from == SERVER && at[0] == 'N') {
        buf_add_text(out, "Refused"); /* the one byte that answers a request for encryption */
        buf_consume(in, 1);
        return true;
    }
    if (!stream->started && stream->from == CLIENT) {
        if (wire_decode_start(at, len, &start) == WIRE_OK) {
            used = start.packet_len;
            show_start(at, used, out);
        }
    } else if (wire_decode_header(at, len, &header) == WIRE_OK &&
               len - WIRE_HEADER_LEN >= header.body_len) {
        used = WIRE_HEADER_LEN + header.body_len;
        show_tagged(stream->from, at, used, out);
    }
    if (used == 0) {
        if (!rest_too) {
            return false;
        }
        used = len;
        buf_add_text(out, "Raw ");
        show_string(out, at, len);
    }
    stream->started = true;
    buf_consume(in, used);
    return true;
}
