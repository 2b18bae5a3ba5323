/* input: the bytes that a fuzzer gets, taken one by one, and what must hold. */
#ifndef MVSWAP_TESTS_FUZZ_INPUT_H
#define MVSWAP_TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct input {
    const uint8_t *at;
    size_t left;
};

static inline void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* 0 behind the end. */
static inline uint8_t take(struct input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}

#endif
