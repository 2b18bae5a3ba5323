/*
 * name_watch: which names mean other objects than a while ago, by comparing lists of what there is:
 * so swaps that others have carried out are noticed. Must not know: who asks for the lists.
 */
#ifndef MVSWAP_REPLACE_NAME_WATCH_H
#define MVSWAP_REPLACE_NAME_WATCH_H

#include "attributes.h"
#include "buf.h"
#include "replace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_watch;

/* NULL without memory. */
MUST_CHECK struct name_watch *name_watch_new(void);
void name_watch_free(struct name_watch *w);

/* The list that it compares. */
extern const char name_watch_sql[];

/*
 * name_watch_take takes the rows of name_watch_sql, and appends to `out_moved` each name, without
 * its schema and with its NUL, that had another object behind it in the list before. False without
 * memory: the list before is kept.
 */
MUST_CHECK bool name_watch_take(struct name_watch *w, const struct replace_result *rows,
                                uint64_t now_us, struct buf *out_moved);

/* name_watch_forget: the next list is the first again. */
void name_watch_forget(struct name_watch *w);

/* name_watch_since: the next object, from `*at` on (0 at first), that has got its name while it was
 * watched, and when that was noticed; false: no more. */
bool name_watch_since(const struct name_watch *w, size_t *at, uint64_t *out_id,
                      uint64_t *out_since_us);

#endif
