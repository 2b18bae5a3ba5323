/*
 * result_rows: the answer to one statement of ours, gathered from RowDescription, DataRow and
 * CommandComplete messages. Bounded by LIMIT_RESULT.
 */
#ifndef MVSWAP_CORE_RESULT_ROWS_H
#define MVSWAP_CORE_RESULT_ROWS_H

#include "attributes.h"
#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero bytes are a valid empty result. */
struct result_rows {
    struct buf texts;   /* all cells, each with its NUL */
    struct buf offsets; /* one size_t a cell: offset in texts, or SIZE_MAX for NULL */
    struct buf tag;
    const char **cells; /* made by result_rows_cells */
    size_t num_rows;
    size_t num_columns;
    bool bad; /* too large, or a message that makes no sense */
};

void result_rows_reset(struct result_rows *r);
/* Bodies of the messages. */
void result_rows_description(struct result_rows *r, const uint8_t *body, size_t len);
void result_rows_row(struct result_rows *r, const uint8_t *body, size_t len);
void result_rows_complete(struct result_rows *r, const uint8_t *body, size_t len);
/* result_rows_cells makes the table of cells; false when bad or out of memory. Valid until reset.
 */
MUST_CHECK bool result_rows_cells(struct result_rows *r);
const char *result_rows_tag(struct result_rows *r);

#endif
