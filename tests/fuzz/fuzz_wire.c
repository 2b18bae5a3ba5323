/*
 * fuzz_wire: any bytes through every decoder, and through a result of the catalog. Decoders write
 * nothing unless OK, an answer never changes with more bytes but from NEED_MORE, and what was read
 * as an error is built and read back the same.
 */
#include "result_rows.h"
#include "wire.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_header(data, size);
    check_start(data, size);
    check_error(data, size);
    check_rows(data, size);
    return 0;
}
