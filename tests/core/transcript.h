/*
 * transcript: plays a written conversation with a session and checks what comes out.
 *
 *     C> Query "x"         bytes from the client; lines of one side in a row are one chunk
 *     S> ...               likewise from the server
 *     ! eof client         an event; see transcript.c for all
 *     >C ... >S ...        what must come out to that side, message by message, in order
 *     > lock "..."         an action that must be asked for, in order
 *     @include file        another file of the same directory
 *     @config NAME VALUE  a setting; the key that the client gets is always 1000 2000
 *
 * In what must come out, * stands for anything and $name is bound at its first use; in what goes
 * in, $name is replaced. Nothing may come out that is not written.
 */
#ifndef MVSWAP_TESTS_CORE_TRANSCRIPT_H
#define MVSWAP_TESTS_CORE_TRANSCRIPT_H

#include "attributes.h"

#include <stdbool.h>
#include <stddef.h>

struct transcript;

/* How chunks are cut: the first piece, then the size of all others; 0: uncut. `late`: outputs are
 * taken only when they are looked at, so that borrowed spans must be kept. */
struct cutting {
    size_t first;
    size_t rest;
    bool late;
};

/* NULL when a file or a line cannot be read; the reason was printed. */
MUST_CHECK struct transcript *transcript_load(const char *directory, const char *file);
void transcript_free(struct transcript *t);
/* False when something else came out than is written; file, line and both texts were printed. */
MUST_CHECK bool transcript_play(struct transcript *t, struct cutting cutting);
/* The longest chunk of the last play. */
size_t transcript_longest(const struct transcript *t);

#endif
