/*
 * stub_engine: an engine that asks for what a test lists, in place of the real one: for what the
 * session does with requests that a replacement makes seldom.
 */
#ifndef MVSWAP_TESTS_CORE_STUB_ENGINE_H
#define MVSWAP_TESTS_CORE_STUB_ENGINE_H

#include "replace.h"

enum { STUB_MOST = 8 };

struct stub_engine {
    enum replace_request_kind asks[STUB_MOST]; /* ends with REPLACE_DONE */
    size_t undo; /* where in `asks` it goes on when it is cancelled or refused; 0: it is done */
    size_t num_families; /* of every lock but the first, which is of one; the first stays first */
    struct replace_left left[2];
    size_t num_left;
    bool left_known;
    /* What it was told: one letter for each result (see stub_engine.c), and the cells that came. */
    char heard[256];
    size_t num_alive; /* engines that are not freed */
    const char *tag;  /* that it answers; NULL: that of a materialized view */
    /* What the last one was made for. */
    char text[256];
    enum replace_mode mode;
    struct replace_settings settings; /* their texts are not */
};

extern struct stub_engine stub;

#endif
