/*
 * remembered: what the process remembers of replacements: for each family (the names of one view)
 * the objects that were left under temporary names, so that a later replacement can drop them. And
 * the same as text, for a file.
 *
 * Over LIMIT_REMEMBERED objects or LIMIT_REMEMBERED_BYTES of names the oldest are forgotten.
 * Must not know: files, sessions, what is done with the objects.
 */
#ifndef MVSWAP_SHELL_REMEMBERED_H
#define MVSWAP_SHELL_REMEMBERED_H

#include "attributes.h"
#include "buf.h"
#include "replace.h"

#include <stdbool.h>
#include <stddef.h>

struct remembered;

/* NULL without memory. */
MUST_CHECK struct remembered *remembered_new(void);
void remembered_free(struct remembered *m);

/* remembered_find: what was left of `family`, in the order in which it was told; valid until the
 * next remembered_set. */
const struct replace_left *remembered_find(const struct remembered *m, const char *family,
                                           size_t *out_num);

/* remembered_num, remembered_each: all objects, of whatever family. `visit` must not change `m`. */
size_t remembered_num(const struct remembered *m);
void remembered_each(const struct remembered *m,
                     void (*visit)(void *context, const struct replace_left *left), void *context);
/* remembered_drop forgets the object with that id, whatever its family; false: there was none. */
bool remembered_drop(struct remembered *m, uint64_t id);

enum remembered_result {
    REMEMBERED_SAME, /* as it was */
    REMEMBERED_CHANGED,
    REMEMBERED_NO_MEMORY /* as it was */
};
/* remembered_set puts `left` in place of what is remembered of `family`. `*out_forgotten`: how many
 * objects there was no room for, the oldest of all families. */
MUST_CHECK enum remembered_result remembered_set(struct remembered *m, const char *family,
                                                 const struct replace_left *left, size_t num,
                                                 size_t *out_forgotten);

/* remembered_write: everything as text. */
void remembered_write(const struct remembered *m, struct buf *out);

struct remembered_damage {
    size_t line;     /* from 1 */
    const char *why; /* static */
};
/* remembered_read adds what `text`[0, len) says to an empty `m`. False when it is not what
 * remembered_write writes, or without memory; `m` may hold a part of it then. */
MUST_CHECK bool remembered_read(struct remembered *m, const char *text, size_t len,
                                struct remembered_damage *out_damage);

#endif
