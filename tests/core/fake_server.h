/*
 * fake_server: a server with one materialized view "v", for tests that play a session to its end.
 * Answers what the session and the engine ask, keeps what was made of it, and refuses, skips to
 * Sync and quotes unknown words as RisingWave does.
 */
#ifndef MVSWAP_TESTS_CORE_FAKE_SERVER_H
#define MVSWAP_TESTS_CORE_FAKE_SERVER_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_OLD_ID = 1001, FAKE_NEW_ID = 1002 };

struct fake_server {
    struct buf in;  /* not yet a whole message */
    struct buf out; /* answers */
    bool started;
    bool is_postgres;
    bool knows_the_statement; /* answers success instead of the refusal */
    bool skipping;
    uint8_t status;
    unsigned polls_to_go; /* before the new view is finished */
    unsigned view_id;     /* behind "v" */
    unsigned temp_id;     /* behind `temp`, or 0 */
    char temp[64];
    bool background;
};

void fake_server_init(struct fake_server *f);
void fake_server_cleanup(struct fake_server *f);
void fake_server_take(struct fake_server *f, const uint8_t *bytes, size_t len);

#endif
