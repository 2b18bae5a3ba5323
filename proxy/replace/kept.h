/*
 * kept: copies of what the server answered, and lists of texts, for as long as the engine needs
 * them. Zero bytes are a valid empty one. Must not know: what they mean.
 */
#ifndef MVSWAP_REPLACE_KEPT_H
#define MVSWAP_REPLACE_KEPT_H

#include "buf.h"
#include "replace.h"

/* Rows of a result, read like one: pass `rows` where a result is asked for. */
struct kept_rows {
    struct replace_result rows; /* num_rows, num_columns, cells; all else is empty */
    void *block;                /* owned: cells and texts in one piece */
};

/* kept_rows_set replaces what was kept by a copy of the result's rows. False without memory:
 * nothing is kept then. */
MUST_CHECK bool kept_rows_set(struct kept_rows *kept, const struct replace_result *result);
void kept_rows_cleanup(struct kept_rows *kept);

/* A growing list of owned texts. */
struct text_list {
    char **items;
    size_t num;
    size_t room;
};

/* text_list_take appends the text of `b` and empties it. False without memory (`b` that failed
 * counts): nothing is appended then, `b` is empty all the same. */
MUST_CHECK bool text_list_take(struct text_list *list, struct buf *b);
void text_list_cleanup(struct text_list *list);

#endif
