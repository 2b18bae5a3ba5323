/*
 * exact: inputs as heap copies of exactly their size, so that the address sanitizer sees every read
 * behind the end, and a few words that all parser tests use.
 */
#ifndef MVSWAP_TESTS_EXACT_H
#define MVSWAP_TESTS_EXACT_H

#include <stdlib.h>
#include <string.h>

#define NUM_OF(array) (sizeof(array) / sizeof((array)[0]))

/* exact_copy returns a copy of `len` bytes with nothing behind it. Free with free(). */
static inline char *exact_copy(const char *bytes, size_t len)
{
    char *copy = malloc(len != 0 ? len : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, bytes, len);
    return copy;
}

#endif
