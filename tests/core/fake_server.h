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

enum { FAKE_OLD_ID = 1001, FAKE_NEW_ID = 1002, FAKE_PROBE_ID = 2001 };

/* A view of either kind, but for its id. */
struct fake_relation {
    char name[64];
    const char *kind; /* as in rw_relations */
    struct buf query; /* with a NUL */
};

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
    unsigned num_probes;  /* likewise */
    unsigned view_id;     /* behind "v"; 0: there is none */
    unsigned temp_id;     /* behind the name of `temp`, or 0 */
    unsigned probe_id;    /* ... of `probe`, or 0 */
    struct fake_relation view;
    struct fake_relation temp;
    struct fake_relation probe;
    bool refuses_views; /* CREATE VIEW is answered by an error */
    bool background;
    struct fake_prepared statements[FAKE_MOST_PREPARED];
    struct fake_prepared portals[FAKE_MOST_PREPARED];
};

void fake_server_init(struct fake_server *f);
void fake_server_cleanup(struct fake_server *f);
void fake_server_take(struct fake_server *f, const uint8_t *bytes, size_t len);
/* Answers one message, written as in message_text.h. */
void fake_say(struct fake_server *f, const char *line);
void fake_say_error(struct fake_server *f, const char *message);

/* fake_catalog.c */
/* As it is stored: without comments, and blanks at the end. */
void fake_set_query(struct fake_relation *r, const char *text);
void fake_catalog_init(struct fake_server *f);
void fake_catalog_cleanup(struct fake_server *f);
/* Answers one statement, but for the ReadyForQuery; false: by an error. */
bool fake_server_run(struct fake_server *f, const char *sql);

#endif
