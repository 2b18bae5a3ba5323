/*
 * moment: the time as the shell tells it to the pure libraries, both clocks read together.
 * `mono_ms` measures waits and never jumps; `unix_us` only names things (time stamps in UTC).
 */
#ifndef MVSWAP_BASE_MOMENT_H
#define MVSWAP_BASE_MOMENT_H

#include <stdint.h>

struct moment {
    uint64_t mono_ms;
    uint64_t unix_us;
};

/* A deadline that never comes. */
#define MOMENT_NEVER UINT64_MAX

#endif
