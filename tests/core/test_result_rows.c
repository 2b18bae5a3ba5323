/* Tests of proxy/core/result_rows.c: cells, every truncation, what makes a result bad, its bounds.
 */
#include "result_rows.h"

#include "limits.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t two_columns[] = {0, 2, 'a', 0, 0, 'b', 0};
static const uint8_t row[] = {0, 2, 0, 0, 0, 1, 'x', 0xff, 0xff, 0xff, 0xff};
static const uint8_t empty_cells[] = {0, 2, 0, 0, 0, 0, 0, 0, 0, 0};

Test(result_rows, zero_bytes_are_an_empty_result)
{
    struct result_rows r = {0};
    cr_expect(result_rows_cells(&r));
    cr_expect(eq(sz, r.num_rows, 0));
    cr_expect(eq(str, (char *)result_rows_tag(&r), ""));
    result_rows_reset(&r);
    result_rows_reset(&r);
}

Test(result_rows, gathers_cells_row_by_row)
{
    struct result_rows r = {0};
    result_rows_reset(&r);
    result_rows_description(&r, two_columns, sizeof(two_columns));
    result_rows_row(&r, row, sizeof(row));
    result_rows_row(&r, empty_cells, sizeof(empty_cells));
    result_rows_complete(&r, (const uint8_t *)"SELECT 2", 9);
    cr_assert(result_rows_cells(&r));
    cr_assert(result_rows_cells(&r)); /* made anew, not leaked */
    cr_expect(eq(sz, r.num_rows, 2));
    cr_expect(eq(sz, r.num_columns, 2));
    cr_expect(eq(str, (char *)r.cells[0], "x"));
    cr_expect(r.cells[1] == NULL);
    cr_expect(eq(str, (char *)r.cells[2], ""));
    cr_expect(eq(str, (char *)r.cells[3], ""));
    cr_expect(eq(str, (char *)result_rows_tag(&r), "SELECT 2"));
    result_rows_reset(&r);
    cr_expect(eq(sz, r.num_rows, 0));
}

Test(result_rows, truncated_messages_are_bad)
{
    for (size_t len = 0; len < sizeof(row); len++) {
        struct result_rows r = {0};
        uint8_t *cut = malloc(len);
        memcpy(cut, row, len);
        result_rows_reset(&r);
        result_rows_description(&r, two_columns, sizeof(two_columns));
        result_rows_row(&r, cut, len);
        cr_expect(not(result_rows_cells(&r)), "length %zu", len);
        result_rows_reset(&r);
        result_rows_complete(&r, cut, 0);
        cr_expect(not(result_rows_cells(&r)));
        result_rows_reset(&r);
        result_rows_description(&r, cut, len < 2 ? len : 0);
        cr_expect(not(result_rows_cells(&r)));
        result_rows_reset(&r);
        free(cut);
    }
}

static bool takes_row(const void *bytes, size_t len)
{
    struct result_rows r = {0};
    result_rows_reset(&r);
    result_rows_description(&r, two_columns, sizeof(two_columns));
    result_rows_row(&r, row, sizeof(row));
    result_rows_row(&r, bytes, len);
    bool ok = result_rows_cells(&r);
    result_rows_reset(&r);
    return ok;
}

Test(result_rows, rows_that_make_no_sense_are_bad)
{
    cr_expect(takes_row(row, sizeof(row)));
    cr_expect(not(takes_row("\0\1\0\0\0\0", 6)));                    /* too few */
    cr_expect(not(takes_row("\0\3\0\0\0\0\0\0\0\0\0\0\0\0", 14)));   /* too many */
    cr_expect(not(takes_row("\0\2\0\0\0\1\0\xff\xff\xff\xff", 11))); /* NUL inside */
    cr_expect(not(takes_row("\0\2\x7f\xff\xff\xff\0\0\0\0", 10)));   /* longer than all */
    cr_expect(not(takes_row("\0\2\xff\xff\xff\xfe\0\0\0\0", 10)));   /* below -1 */
}

Test(result_rows, description_behind_rows_is_bad)
{
    struct result_rows r = {0};
    result_rows_reset(&r);
    result_rows_row(&r, row, sizeof(row)); /* before any description */
    cr_expect(r.bad);
    result_rows_reset(&r);
    result_rows_description(&r, two_columns, sizeof(two_columns));
    result_rows_row(&r, row, sizeof(row));
    result_rows_description(&r, two_columns, sizeof(two_columns));
    cr_expect(r.bad);
    result_rows_reset(&r);
}

Test(result_rows, bounded)
{
    enum { SIZE = 1024 * 1024 };
    uint8_t *large = calloc(1, SIZE);
    struct result_rows r = {0};
    memset(large, 'x', SIZE);
    memcpy(large, "\0\1\0\x0f\xff\xfa", 6);
    result_rows_reset(&r);
    result_rows_description(&r, (const uint8_t *)"\0\1", 2);
    for (size_t taken = 0; taken <= LIMIT_RESULT; taken += SIZE) {
        result_rows_row(&r, large, SIZE);
    }
    cr_expect(r.bad);
    cr_expect(le(sz, buf_len(&r.texts), LIMIT_RESULT));
    cr_expect(not(result_rows_cells(&r)));
    result_rows_reset(&r);
    free(large);
}

Test(result_rows, bad_without_memory)
{
    for (size_t nth = 1; nth <= 4; nth++) {
        struct result_rows r = {0};
        result_rows_reset(&r);
        mem_fail_at(nth);
        result_rows_description(&r, two_columns, sizeof(two_columns));
        result_rows_row(&r, row, sizeof(row));
        result_rows_complete(&r, (const uint8_t *)"x", 2);
        bool ok = result_rows_cells(&r);
        mem_fail_at(0);
        cr_expect(not(ok), "allocation %zu", nth);
        result_rows_reset(&r);
    }
}
