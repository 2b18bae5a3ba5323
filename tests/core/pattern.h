/*
 * pattern: compares a line with what is written: * stands for anything, $name is bound to a word at
 * its first use and means that word afterwards. Names are lower-case letters and digits, so that
 * the $1 of SQL stays itself.
 */
#ifndef MVSWAP_TESTS_CORE_PATTERN_H
#define MVSWAP_TESTS_CORE_PATTERN_H

#include "attributes.h"
#include "buf.h"

#include <stdbool.h>

enum { PATTERN_MAX_NAMES = 32 };

struct pattern_names {
    size_t num;
    struct {
        char name[16];
        char value[80];
    } items[PATTERN_MAX_NAMES];
};

MUST_CHECK bool pattern_match(const char *pattern, const char *text, struct pattern_names *names);
/* Appends `text` with its names replaced; false when one is not bound. */
MUST_CHECK bool pattern_fill(const char *text, const struct pattern_names *names, struct buf *out);

#endif
