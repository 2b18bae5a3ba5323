/*
 * mentions: could a text bind to a relation that has one of these names? In doubt it could. A text
 * is gone through once, whatever the number of names: a client chooses its texts, and all others
 * wait meanwhile. Must not know: SQL besides what a name looks like, what the texts are.
 */
#ifndef MVSWAP_CORE_MENTIONS_H
#define MVSWAP_CORE_MENTIONS_H

#include "limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MENTIONS_SLOTS = 512 };

/* Names with nothing odd in them are looked up word by word, the others are searched for. */
struct mentions {
    const char *names; /* each with its NUL; NULL: all texts count */
    size_t len;
    uint16_t slots[MENTIONS_SLOTS]; /* place in `names` of the last such name, plus one; 0: none */
    uint16_t next[LIMIT_MOVED];     /* by place: likewise of another in the same slot */
    bool any_odd;
};

/* mentions_init: `names` in names[0, len) are borrowed; NULL, or more than LIMIT_MOVED bytes: any
 * name may be among them. */
void mentions_init(struct mentions *m, const char *names, size_t len);
bool mentions_any(const struct mentions *m, const char *text);

#endif
