/*
 * fake_server: a server with one materialized view "v", for tests that play a session to its end.
 * Answers what the session and the engine ask, in the simple and in the extended protocol, keeps
 * what was made of it, and refuses, skips to Sync and quotes unknown words as RisingWave does.
 */
#ifndef MVSWAP_TESTS_CORE_FAKE_SERVER_H
#define MVSWAP_TESTS_CORE_FAKE_SERVER_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_OLD_ID = 1001, FAKE_NEW_ID = 1002 };

/* A prepared statement, or a portal with the text of its statement. */
struct fake_prepared {
    bool used;
    struct buf name;
    struct buf text;
    struct buf statement; /* of a portal: its statement's name */
};
enum { FAKE_MOST_PREPARED = 12 };

struct fake_server {
    struct buf in;  /* not yet a whole message */
    struct buf out; /* answers */
    bool started;
    bool is_postgres;
    bool gives_key;           /* BackendKeyData at login */
    bool leaves_messages;     /* in `in` once it has started, for model_server.h to answer */
    bool knows_the_statement; /* answers success instead of the refusal */
    bool skipping;
    uint8_t status;
    unsigned polls_to_go; /* before the new view is finished */
    unsigned num_created; /* new views so far, each with the next id */
    unsigned view_id;     /* behind "v"; 0: there is none */
    unsigned temp_id;     /* behind `temp`, or 0 */
    char temp[64];
    bool background;
    struct fake_prepared statements[FAKE_MOST_PREPARED];
    struct fake_prepared portals[FAKE_MOST_PREPARED];
};

void fake_server_init(struct fake_server *f);
void fake_server_cleanup(struct fake_server *f);
void fake_server_take(struct fake_server *f, const uint8_t *bytes, size_t len);
/* Answers one statement, but for the ReadyForQuery; false: by an error. */
bool fake_server_run(struct fake_server *f, const char *sql);

#endif
