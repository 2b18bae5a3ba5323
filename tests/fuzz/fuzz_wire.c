/*
 * fuzz_wire: any bytes through every decoder, through a result of the catalog, through the shield
 * and as a StartupMessage. Decoders write nothing unless OK, an answer never changes with more
 * bytes but from NEED_MORE, and what was read as an error is built and read back the same. The
 * shield lets pass exactly what a plain reader can read, however it is cut. What startup_read
 * makes is a 3.0 packet without options of the protocol.
 */
#include "result_rows.h"
#include "shield.h"
#include "startup.h"
#include "wire.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check_header(const uint8_t *data, size_t size)
{
    struct wire_header header = {.tag = 1, .body_len = 2};
    struct wire_header again = {0};
    enum wire_result got = wire_decode_header(data, size, &header);
    require((got == WIRE_NEED_MORE) == (size < WIRE_HEADER_LEN));
    require(got == WIRE_OK || (header.tag == 1 && header.body_len == 2));
    if (size >= WIRE_HEADER_LEN) {
        require(wire_decode_header(data, WIRE_HEADER_LEN, &again) == got);
    }
}

static void check_start(const uint8_t *data, size_t size)
{
    enum wire_result before = WIRE_NEED_MORE;
    size_t most = size < 64 ? size : 64;
    for (size_t len = 0; len <= most; len++) {
        struct wire_start start = {.packet_len = 1};
        enum wire_result got = wire_decode_start(data, len, &start);
        require(before == WIRE_NEED_MORE || got == before);
        require(got == WIRE_OK ? start.packet_len >= 8 && (start.packet_len <= len ||
                                                           start.kind == START_MALFORMED_CANCEL)
                               : start.packet_len == 1);
        before = got;
    }
}

static void check_error(const uint8_t *data, size_t size)
{
    struct wire_error error = wire_read_error(data, size);
    struct buf built = {0};
    wire_add_error_response(&built, &(struct wire_report){.severity = error.severity,
                                                          .sqlstate = error.sqlstate,
                                                          .message = error.message});
    require(!buf_failed(&built) && buf_len(&built) > WIRE_HEADER_LEN);
    struct wire_error again =
        wire_read_error(buf_bytes(&built) + WIRE_HEADER_LEN, buf_len(&built) - WIRE_HEADER_LEN);
    require(strcmp(error.severity, again.severity) == 0);
    require(strcmp(error.sqlstate, again.sqlstate) == 0);
    require(strcmp(error.message, again.message) == 0);
    buf_cleanup(&built);
}

/* The input as messages of an answer; lengths that reach too far take what there is. */
static void check_rows(const uint8_t *data, size_t size)
{
    struct result_rows rows = {0};
    struct wire_reader r = wire_reader_over(data, size);
    result_rows_reset(&rows);
    while (r.left > 0) {
        uint8_t kind = wire_read_u8(&r);
        size_t len = wire_read_u8(&r);
        len = len < r.left ? len : r.left;
        const uint8_t *body = wire_read_bytes(&r, len);
        if (body == NULL) {
            break;
        }
        if (kind % 3 == 0) {
            result_rows_description(&rows, body, len);
        } else if (kind % 3 == 1) {
            result_rows_row(&rows, body, len);
        } else {
            result_rows_complete(&rows, body, len);
        }
    }
    size_t total = 0;
    if (result_rows_cells(&rows)) {
        for (size_t i = 0; i < rows.num_rows * rows.num_columns; i++) {
            total += rows.cells[i] != NULL ? strlen(rows.cells[i]) : 0;
        }
    }
    require(total <= size && strlen(result_rows_tag(&rows)) <= size);
    result_rows_reset(&rows);
}

/* ---- the shield: the first byte is a tag, the rest the body ---- */

struct naive {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static void naive_skip(struct naive *n, uint64_t len)
{
    n->bad = n->bad || len > n->left;
    if (!n->bad) {
        n->at += len;
        n->left -= (size_t)len;
    }
}

static void naive_text(struct naive *n)
{
    const uint8_t *nul = n->left != 0 && !n->bad ? memchr(n->at, 0, n->left) : NULL;
    n->bad = n->bad || nul == NULL;
    naive_skip(n, n->bad ? 0 : (uint64_t)(nul - n->at) + 1);
}

static void naive_kind(struct naive *n)
{
    n->bad = n->bad || n->left == 0 || (n->at[0] != 'S' && n->at[0] != 'P');
    naive_skip(n, 1);
}

/* Signed, as RisingWave reads it. */
static int64_t naive_number(struct naive *n, size_t width)
{
    const uint8_t *at = n->at;
    naive_skip(n, width);
    if (n->bad) {
        return 0;
    }
    uint32_t number = (uint32_t)at[0] << 8 | at[1];
    return width == 2 ? (int16_t)number
                      : (int32_t)(number << 16 | (uint32_t)at[2] << 8 | (uint32_t)at[3]);
}

/* A count, and that many things of that size. */
static void naive_list(struct naive *n, unsigned size)
{
    int64_t count = naive_number(n, 2);
    n->bad = n->bad || count < 0;
    naive_skip(n, n->bad ? 0 : (uint64_t)count * size);
}

static void naive_values(struct naive *n)
{
    int64_t count = naive_number(n, 2);
    n->bad = n->bad || count < 0;
    for (int64_t i = 0; i < count && !n->bad; i++) {
        int64_t len = naive_number(n, 4);
        n->bad = n->bad || len < -1;
        naive_skip(n, len > 0 ? (uint64_t)len : 0);
    }
}

/* Can the whole body be read, and nothing is left? */
static bool naive_reads(uint8_t tag, const uint8_t *body, size_t len)
{
    struct naive n = {.at = body, .left = len};
    switch (tag) {
    case CLIENT_QUERY:
        naive_text(&n);
        break;
    case CLIENT_PARSE:
        naive_text(&n);
        naive_text(&n);
        naive_list(&n, 4);
        break;
    case CLIENT_BIND:
        naive_text(&n);
        naive_text(&n);
        naive_list(&n, 2);
        naive_values(&n);
        naive_list(&n, 2);
        break;
    case CLIENT_DESCRIBE:
    case CLIENT_CLOSE:
        naive_kind(&n);
        naive_text(&n);
        break;
    case CLIENT_EXECUTE:
        naive_text(&n);
        (void)naive_number(&n, 4);
        break;
    case CLIENT_SYNC:
    case CLIENT_FLUSH:
    case CLIENT_TERMINATE:
        break;
    default:
        return true; /* not judged */
    }
    return !n.bad && n.left == 0;
}

/* The verdict on the message in pieces of that size, each in an allocation of its own. */
static bool shield_passes(const struct buf *message, size_t piece)
{
    struct wire_header header = {0};
    struct shield shield;
    size_t len = buf_len(message);
    bool passes = true;
    require(wire_decode_header(buf_bytes(message), len, &header) == WIRE_OK);
    shield_begin(&shield, &header);
    for (size_t at = 0, part = 0; at < len && passes; at += part) {
        part = piece < len - at ? piece : len - at;
        uint8_t *exact = malloc(part);
        memcpy(exact, buf_bytes(message) + at, part);
        passes = shield_take(&shield, exact, part);
        free(exact);
    }
    return passes;
}

static void check_shield(const uint8_t *data, size_t size)
{
    struct buf message = {0};
    if (size == 0) {
        return;
    }
    wire_add_message(&message, data[0], data + 1, size - 1);
    bool wanted = naive_reads(data[0], data + 1, size - 1);
    require(shield_passes(&message, buf_len(&message)) == wanted);
    require(shield_passes(&message, 1) == wanted);
    require(shield_passes(&message, 2 + data[size - 1] % 16) == wanted);
    buf_cleanup(&message);
}

/* ---- start-up: everything behind the length word ---- */

static bool is_option(const char *name)
{
    return strncmp(name, "_pq_.", 5) == 0;
}

/* A 3.0 packet of pairs and a terminator, none of them an option of the protocol. */
static void check_packet(const struct buf *packet)
{
    struct wire_reader r = wire_reader_over(buf_bytes(packet), buf_len(packet));
    require(wire_read_u32(&r) == buf_len(packet) && wire_read_u32(&r) == 0x30000);
    for (;;) {
        const char *name = wire_read_text(&r);
        require(!r.bad && !is_option(name));
        if (name[0] == 0) {
            break;
        }
        (void)wire_read_text(&r);
    }
    require(r.left == 0);
}

static void check_answer(const struct buf *answer, size_t most)
{
    struct wire_header header = {0};
    require(wire_decode_header(buf_bytes(answer), buf_len(answer), &header) == WIRE_OK);
    require(header.tag == SERVER_NEGOTIATE_PROTOCOL_VERSION &&
            header.body_len + WIRE_HEADER_LEN == buf_len(answer) && buf_len(answer) <= most + 16);
    struct wire_reader r = wire_reader_over(buf_bytes(answer) + WIRE_HEADER_LEN, header.body_len);
    require(wire_read_u32(&r) == 0x30000);
    for (uint32_t left = wire_read_u32(&r); left > 0; left--) {
        require(is_option(wire_read_text(&r)));
    }
    require(!r.bad && r.left == 0);
}

static void check_startup(const uint8_t *data, size_t size)
{
    struct buf given = {0};
    struct buf packet = {0};
    struct buf answer = {0};
    struct buf again = {0};
    if (size < 4) {
        return;
    }
    buf_add_u32(&given, (uint32_t)size + 4);
    buf_add(&given, data, size);
    uint8_t *exact = malloc(size + 4);
    memcpy(exact, buf_bytes(&given), size + 4);
    struct replace_settings settings;
    struct settings_problem problem;
    settings_init(&settings);
    enum startup_result result =
        startup_read(exact, size + 4, &settings, &packet, &answer, &problem);
    free(exact);
    if (result == STARTUP_REWRITTEN) {
        check_packet(&packet);
        if (buf_len(&answer) != 0) {
            check_answer(&answer, size);
        }
        require(startup_read(buf_bytes(&packet), buf_len(&packet), &settings, &again, &again,
                             &problem) == STARTUP_AS_IS);
    }
    require(result != STARTUP_NO_MEMORY && buf_len(&again) == 0);
    require(result != STARTUP_AS_IS || buf_len(&packet) + buf_len(&answer) == 0);
    settings_cleanup(&settings);
    buf_cleanup(&given);
    buf_cleanup(&packet);
    buf_cleanup(&answer);
    buf_cleanup(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_header(data, size);
    check_start(data, size);
    check_error(data, size);
    check_rows(data, size);
    check_shield(data, size);
    check_startup(data, size);
    return 0;
}
