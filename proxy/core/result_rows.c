/* result_rows: see result_rows.h. */
#include "result_rows.h"

#include "limits.h"
#include "mem.h"
#include "wire.h"

#include <string.h>

void result_rows_reset(struct result_rows *r)
{
    buf_cleanup(&r->texts);
    buf_cleanup(&r->offsets);
    buf_cleanup(&r->tag);
    mem_free((void *)r->cells);
    *r = (struct result_rows){.cells = NULL};
    buf_init(&r->texts, LIMIT_RESULT);
    buf_init(&r->offsets, LIMIT_RESULT);
    buf_init(&r->tag, LIMIT_RESULT);
}

void result_rows_description(struct result_rows *r, const uint8_t *body, size_t len)
{
    struct wire_reader reader = wire_reader_over(body, len);
    r->num_columns = wire_read_u16(&reader);
    r->bad = r->bad || reader.bad || r->num_rows != 0;
}

void result_rows_row(struct result_rows *r, const uint8_t *body, size_t len)
{
    struct wire_reader reader = wire_reader_over(body, len);
    size_t columns = wire_read_u16(&reader);
    if (reader.bad || columns != r->num_columns) {
        r->bad = true;
        return;
    }
    for (size_t i = 0; i < columns; i++) {
        uint32_t size = wire_read_u32(&reader);
        size_t offset = SIZE_MAX;
        if (size != UINT32_MAX) {
            const uint8_t *value = wire_read_bytes(&reader, size);
            /* A NUL inside would cut the text short: no catalog text holds one. */
            if (value == NULL || memchr(value, 0, size) != NULL) {
                r->bad = true;
                return;
            }
            offset = buf_len(&r->texts);
            buf_add(&r->texts, value, size);
            buf_add_byte(&r->texts, 0);
        }
        buf_add(&r->offsets, &offset, sizeof(offset));
    }
    r->num_rows++;
    r->bad = r->bad || reader.bad || buf_failed(&r->texts) || buf_failed(&r->offsets);
}

void result_rows_complete(struct result_rows *r, const uint8_t *body, size_t len)
{
    struct wire_reader reader = wire_reader_over(body, len);
    const char *tag = wire_read_text(&reader);
    buf_truncate(&r->tag, 0);
    buf_add(&r->tag, tag, strlen(tag) + 1);
    r->bad = r->bad || reader.bad || buf_failed(&r->tag);
}

bool result_rows_cells(struct result_rows *r)
{
    size_t num_cells = r->num_rows * r->num_columns;
    if (r->bad) {
        return false;
    }
    mem_free((void *)r->cells);
    r->cells = mem_new(num_cells * sizeof(*r->cells));
    if (r->cells == NULL) {
        return false;
    }
    const uint8_t *offsets = buf_bytes(&r->offsets);
    const char *texts = (const char *)buf_bytes(&r->texts);
    for (size_t i = 0; i < num_cells; i++) {
        size_t offset = 0;
        memcpy(&offset, offsets + i * sizeof(offset), sizeof(offset));
        r->cells[i] = offset != SIZE_MAX ? texts + offset : NULL;
    }
    return true;
}

const char *result_rows_tag(struct result_rows *r)
{
    return buf_len(&r->tag) != 0 ? (const char *)buf_bytes(&r->tag) : "";
}
