/*
 * mem: the one door to the heap for the pure libraries and the shell.
 *
 * Every allocation may fail and says so; nothing here aborts, since a proxy that dies takes every
 * application behind it along. Tests make the n-th allocation fail to walk each failure path.
 * Must not know: what the memory is for.
 */
#ifndef MVSWAP_BASE_MEM_H
#define MVSWAP_BASE_MEM_H

#include "attributes.h"

#include <stddef.h>

/* mem_new returns `size` zeroed bytes (at least one), or NULL. Free with mem_free. */
MUST_CHECK void *mem_new(size_t size);

/* mem_resize grows or shrinks `ptr` (NULL allowed) to `size` > 0 bytes, or returns NULL and leaves
 * `ptr` as it was. New bytes are not initialised. */
MUST_CHECK void *mem_resize(void *ptr, size_t size);

/* mem_copy returns a newly allocated copy of `len` bytes followed by a NUL, or NULL. */
MUST_CHECK char *mem_copy(const void *bytes, size_t len);

/* mem_copy_texts returns copies of `num` texts (NULL stays NULL) in one piece that one mem_free
 * frees, or NULL. */
MUST_CHECK const char **mem_copy_texts(const char *const *texts, size_t num);

/* mem_free frees what the functions above returned; NULL is allowed. */
void mem_free(void *ptr);

/*
 * mem_fail_at is for tests: the `nth` allocation from now (1 is the next) and all later ones fail;
 * 0 switches it off. Not for use while other threads allocate.
 */
void mem_fail_at(size_t nth);

/* mem_count is for tests: allocations since the last mem_fail_at (none are counted before it). */
size_t mem_count(void);

#endif
