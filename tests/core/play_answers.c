/* play_answers: what a client got, in the form in which two plays can be compared; see play.h. */
#include "play.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

/* Of what `out` holds, where the ReadyForQuery messages at its end begin. */
static size_t before_ready(const struct buf *out)
{
    enum { READY_LEN = 6 };
    size_t len = buf_len(out);
    const uint8_t *bytes = buf_bytes(out);
    while (len >= READY_LEN && memcmp(bytes + len - READY_LEN, "Z\0\0\0\5", 5) == 0) {
        len -= READY_LEN;
    }
    return len;
}

static void insert(struct buf *out, size_t at, const uint8_t *bytes, size_t len)
{
    struct buf behind = {0};
    buf_add(&behind, buf_bytes(out) + at, buf_len(out) - at);
    buf_truncate(out, at);
    buf_add(out, bytes, len);
    buf_add(out, buf_bytes(&behind), buf_len(&behind));
    buf_cleanup(&behind);
}

/* What came out of the blue so far. */
struct blue {
    unsigned next_notice;
    unsigned num_statuses;
    const char *wrong;
};

static bool is_blue_notice(struct blue *b, const char *message)
{
    if (strcmp(message, "of a read") == 0) {
        b->wrong = "a notice of a read of the session's own";
    }
    if (strncmp(message, "blue ", 5) != 0) {
        return false;
    }
    unsigned number = (unsigned)strtoul(message + 5, NULL, 10);
    if (number < b->next_notice) {
        b->wrong = "a notice came twice, or too late";
    }
    b->next_notice = number + 1; /* some are withheld while the engine speaks */
    return true;
}

static bool is_blue_status(struct blue *b, const char *name, const char *value)
{
    if (strcmp(name, "blue") != 0) {
        return false;
    }
    if (strtoul(value, NULL, 10) != b->num_statuses) {
        b->wrong = "a ParameterStatus came twice, or out of order, or not at all";
    }
    b->num_statuses++;
    return true;
}

static bool is_of_the_server(const char *message)
{
    return strncmp(message, "the server's", 12) == 0 || strcmp(message, "of the build") == 0;
}

/* The lines of a plan are the engine's: an EXPLAIN counts as having answered none. */
struct rows {
    bool any;
    size_t start; /* of those at the end of `out` */
};

static void leave_out_plan(struct rows *rows, const struct wire_header *header,
                           struct wire_reader body, struct buf *out)
{
    if (header->tag == SERVER_DATA_ROW) {
        rows->start = rows->any ? rows->start : buf_len(out);
        rows->any = true;
        return;
    }
    if (rows->any && header->tag == SERVER_COMMAND_COMPLETE &&
        strcmp(wire_read_text(&body), "EXPLAIN") == 0) {
        buf_truncate(out, rows->start);
    }
    rows->any = false;
}

const char *play_answers(const struct play *p, const struct buf *got, bool quiet, struct buf *out)
{
    struct blue blue = {0};
    struct rows rows = {0};
    struct wire_header header = {0};
    const uint8_t *at = buf_bytes(got);
    size_t left = buf_len(got);
    while (wire_decode_header(at, left, &header) == WIRE_OK &&
           left - WIRE_HEADER_LEN >= header.body_len) {
        size_t len = WIRE_HEADER_LEN + (size_t)header.body_len;
        struct wire_reader r = wire_reader_over(at + WIRE_HEADER_LEN, header.body_len);
        const char *message = wire_read_error(r.at, r.left).message;
        bool kept = true;
        if (header.tag == SERVER_NOTICE_RESPONSE) {
            kept = !is_blue_notice(&blue, message) && is_of_the_server(message) && !quiet;
        } else if (header.tag == SERVER_PARAMETER_STATUS) {
            const char *name = wire_read_text(&r);
            kept = !is_blue_status(&blue, name, wire_read_text(&r)) && !quiet;
        }
        bool moves = header.tag == SERVER_NOTICE_RESPONSE || header.tag == SERVER_PARAMETER_STATUS;
        if (kept) {
            leave_out_plan(&rows, &header, wire_reader_over(at + WIRE_HEADER_LEN, header.body_len),
                           out);
            insert(out, moves ? before_ready(out) : buf_len(out), at, len);
        }
        at += len;
        left -= len;
    }
    if (left != 0) {
        return "half a message";
    }
    if (blue.wrong == NULL && blue.num_statuses != p->num_statuses) {
        return "a ParameterStatus did not come";
    }
    return blue.wrong;
}
