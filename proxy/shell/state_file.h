/*
 * state_file: keeps a text in a file across restarts: read once at start, written as a whole after
 * each change, so that a crash at any moment leaves the old text or the new one.
 *
 * Writes go on in a thread of the loop's pool, one at a time; of texts that come meanwhile the last
 * one is written. A write that fails is a warning in the log. Must not know: what the text says.
 */
#ifndef MVSWAP_SHELL_STATE_FILE_H
#define MVSWAP_SHELL_STATE_FILE_H

#include "attributes.h"
#include "buf.h"

#include <uv.h>

struct state_file;

enum state_file_result {
    STATE_FILE_READ,
    STATE_FILE_MISSING,
    STATE_FILE_FAILED /* it cannot be read, or is longer than LIMIT_STATE_FILE: `*out_why` */
};
/* state_file_read adds what the file holds to `out_text`. */
MUST_CHECK enum state_file_result state_file_read(const char *path, struct buf *out_text,
                                                  const char **out_why);

/* NULL without memory. The loop must outlive it. */
MUST_CHECK struct state_file *state_file_new(uv_loop_t *loop, const char *path);
/* Not while something is being written: when the loop has ended. */
void state_file_free(struct state_file *f);

/* state_file_write takes `text` and leaves it empty. The file's mode is 0600. */
void state_file_write(struct state_file *f, struct buf *text);

#endif
