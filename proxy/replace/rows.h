/*
 * rows: how the cells of a server's answer are read. Must not know: what was asked.
 */
#ifndef MVSWAP_REPLACE_ROWS_H
#define MVSWAP_REPLACE_ROWS_H

#include "replace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* cell: NULL for NULL and for what is not there. */
const char *cell(const struct replace_result *result, size_t row, size_t column);
/* cell_id: 0 when no number. */
uint64_t cell_id(const struct replace_result *result, size_t row, size_t column);
/* Both are there, and equal. */
bool same_text(const char *a, const char *b);
/* rows_show: does a row of SHOW MATERIALIZED VIEWS FROM `schema` name this view? */
bool rows_show(const struct replace_result *result, const char *schema, const char *name);

#endif
