/* mem: see mem.h. The counters exist for failure tests only. */
#include "mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t fail_at;
static size_t count;
static bool counting; /* only after mem_fail_at: threads of the real program write nothing here */

static bool refuses(void)
{
    if (!counting) {
        return false;
    }
    count++;
    return fail_at != 0 && count >= fail_at;
}

void *mem_new(size_t size)
{
    if (refuses()) {
        return NULL;
    }
    return calloc(1, size != 0 ? size : 1);
}

void *mem_resize(void *ptr, size_t size)
{
    if (size == 0 || refuses()) {
        return NULL;
    }
    return realloc(ptr, size);
}

char *mem_copy(const void *bytes, size_t len)
{
    if (len == SIZE_MAX) {
        return NULL;
    }
    char *copy = mem_new(len + 1);
    if (copy != NULL && len != 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

const char **mem_copy_texts(const char *const *texts, size_t num)
{
    size_t size = num * sizeof(*texts);
    for (size_t i = 0; i < num; i++) {
        size += texts[i] != NULL ? strlen(texts[i]) + 1 : 0;
    }
    const char **copies = mem_new(size);
    if (copies == NULL) {
        return NULL;
    }
    char *at = (char *)(copies + num);
    for (size_t i = 0; i < num; i++) {
        if (texts[i] != NULL) {
            size_t len = strlen(texts[i]) + 1;
            memcpy(at, texts[i], len);
            copies[i] = at;
            at += len;
        }
    }
    return copies;
}

void mem_free(void *ptr)
{
    free(ptr);
}

void mem_fail_at(size_t nth)
{
    fail_at = nth;
    count = 0;
    counting = true;
}

size_t mem_count(void)
{
    return count;
}
