/*
 * view_server: a RisingWave with one view, "m", that is replaced now and then, for tests of
 * prepared statements: it binds them to the view's version of that moment at Parse and never again,
 * as risingwave.md 13 has it. A READ ONLY transaction reads no version that is younger than itself.
 */
#ifndef MVSWAP_TESTS_CORE_VIEW_SERVER_H
#define MVSWAP_TESTS_CORE_VIEW_SERVER_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { VIEW_SERVER_ENTRIES = 128, VIEW_SERVER_NAME = 32 };

struct view_entry {
    char name[VIEW_SERVER_NAME];
    char statement[VIEW_SERVER_NAME]; /* of a portal */
    bool reads;                       /* the view; else something that never changes */
    bool used;
    unsigned version; /* of the view, that it is bound to */
};
struct view_server {
    unsigned version; /* of the view */
    unsigned oldest;  /* that has not been dropped */
    unsigned begun;   /* ... at the beginning of the transaction */
    bool in_transaction;
    bool skipping;
    bool started;
    bool full; /* it had no room for one more: too much is left on it */
    struct view_entry statements[VIEW_SERVER_ENTRIES];
    struct view_entry portals[VIEW_SERVER_ENTRIES];
    struct buf in;
    struct buf out;
};

/* Takes one message; false when there is none. */
bool view_server_step(struct view_server *v);
void view_server_cleanup(struct view_server *v);

/* What it answers. The columns change with every third version. */
unsigned view_columns(unsigned version);
void view_say(struct buf *out, const char *line);
void view_say_error(struct buf *out, const char *message);
void view_say_columns(struct buf *out, bool reads, unsigned version);
void view_say_row(struct buf *out, bool reads, unsigned version);
extern const char view_error_duplicate_statement[];
extern const char view_error_duplicate_portal[];
extern const char view_error_no_statement[];
extern const char view_error_no_portal[];
extern const char view_error_nothing[]; /* to describe */
extern const char view_error_gone[];
extern const char view_error_too_young[];

#endif
