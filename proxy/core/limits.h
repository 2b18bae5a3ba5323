/*
 * limits: every size and time that a peer could otherwise choose, each with its reason.
 */
#ifndef MVSWAP_CORE_LIMITS_H
#define MVSWAP_CORE_LIMITS_H

enum {
    /* Start-up packets, length word included: what PostgreSQL accepts (pqcomm.h,
     * MAX_STARTUP_PACKET_LENGTH 10000 for the body). */
    LIMIT_STARTUP_PACKET = 10004,
    /* A password, SASL or token message: PostgreSQL's PG_MAX_AUTH_TOKEN_LENGTH is 65535. */
    LIMIT_AUTH_MESSAGE = 65535,
    /* Bodies of Query and Parse (and of Bind, when candidates are prepared) above this pass unseen.
     * A view of 1 MiB of SQL does not exist in practice; a 900 MB INSERT must not be collected; and
     * scanning takes up to 0.5 s and 70 MB a MiB on hostile text (measured), during which other
     * sessions wait (docs/decisions/0003). */
    LIMIT_STATEMENT = 1024 * 1024,
    /* Other messages up to this are looked at in one piece; the shield judges longer ones while
     * they stream. Names and parameters of nearly all fit. */
    LIMIT_WHOLE_MESSAGE = 16 * 1024,
    /* A text with statements about settings: longer ones pass to the server, which does not know
     * them. Scripts are longer, but send one statement at a time. */
    LIMIT_SETTING_TEXT = 16 * 1024,
    /* Candidates that a session has prepared, with their parameters: bytes, and how many. Four of
     * the longest; more than any migration tool keeps. Over it the oldest are forgotten. */
    LIMIT_PREPARED = 4 * 1024 * 1024,
    LIMIT_PREPARED_NUM = 256,
    /* Other statements that a session has prepared, so that they can follow a swap: bytes of their
     * Parses, and how many. Rails keeps 1000, the others 100 to 512, mostly of less than 1 KiB.
     * What is over it is not followed ahead (docs/prepared.md), and counted. */
    LIMIT_PARSED = 2 * 1024 * 1024,
    LIMIT_PARSED_NUM = 2000,
    /* ... of all sessions of the process: a thousand clients with a few hundred statements each. */
    LIMIT_PARSED_PROCESS = 128 * 1024 * 1024,
    /* Names of what stood in for one statement, which stay on the server as long as it does: a
     * hundred swaps. What is over it stays until the session ends. */
    LIMIT_STAND_INS = 100 * 24,
    /* Parses and Syncs whose answers have not come: more than any driver pipelines. Over it the
     * order of the answers is found out anew. */
    LIMIT_PARSED_SENT = 1024,
    /* Names that have moved and that a session has not compared with its statements yet; over it
     * all of its statements count as old. An idle session holds no more. */
    LIMIT_MOVED = 1024,
    /* Names that have moved, of the whole process, for workers that have not told their sessions
     * yet. */
    LIMIT_SWAPS = 64 * 1024,
    /* Client bytes kept while a replacement runs; then the client is not read until it ends. Enough
     * for the pipelines drivers send; more would be memory a client chooses. */
    LIMIT_HELD_PAUSE = 256 * 1024,
    /* What the shell may hand over in one piece on top of the pause or of a statement. */
    LIMIT_CHUNK = 64 * 1024,
    LIMIT_HELD = LIMIT_STATEMENT + 4 * LIMIT_CHUNK,
    /* Server messages that are looked at whole: start-up messages, errors and notices. A longer one
     * is nothing that we know, and passes. */
    LIMIT_SERVER_MESSAGE = 64 * 1024,
    /* Most bytes of one answer to SQL of ours: a schema with 100,000 views lists in 8 MiB. */
    LIMIT_RESULT = 16 * 1024 * 1024,
    /* Bytes waiting for one peer. One chunk, one released statement and our own messages fit
     * several times over; reading stops long before. */
    LIMIT_OUTPUT = 16 * 1024 * 1024,
    /* What all sessions of a process may keep together: held and collected messages, answers to SQL
     * of ours, output that a peer has not taken. Over it nothing more is collected or held that can
     * be helped (session_set_pressed). A thousand clients with 1 MiB statements must not take the
     * machine down; 256 MiB are a few hundred replacements with large catalogs. */
    LIMIT_PROCESS = 256 * 1024 * 1024,
    /* Then only statements up to this are looked at. */
    LIMIT_PRESSED_STATEMENT = 16 * 1024,
    /* Replacements that wait for one of the max_builds slots; more are refused with 53300. Each
     * holds the lock on its view and a session, and one that comes behind so many builds would wait
     * for hours: better told at once. */
    LIMIT_WAITING_BUILDS = 64,
    /* Names in one lock: the view's own and those of everything that follows its swap, of which
     * there are 500 at most. A closure of more is no view that is replaced but half a database, and
     * whoever waits for one of so many names would hardly ever come to it. */
    LIMIT_LOCK_FAMILIES = 500 + 1,
    /* Objects under temporary names that a process remembers, and bytes of their names, which the
     * server does not limit; then the oldest are forgotten. Each is a view that was kept or could
     * not be dropped: thousands mean that nobody looks, and they would cost more than they help. */
    LIMIT_REMEMBERED = 10000,
    LIMIT_REMEMBERED_BYTES = 4 * 1024 * 1024,
    /* A state file: the names, three bytes for one at most, and numbers. */
    LIMIT_STATE_FILE = 4 * LIMIT_REMEMBERED_BYTES,
    /* From accept to the first ReadyForQuery, as PostgreSQL's authentication_timeout. */
    LIMIT_LOGIN_MS = 60 * 1000,
    /* A client that has ended its side: how long a statement may still run for it (it may be a
     * script that waits for its rows, or one that was killed), and how long the server may take to
     * end a session in which nothing runs. Such sessions use up connections. */
    LIMIT_HALF_CLOSED_MS = 10 * 60 * 1000,
    LIMIT_HALF_CLOSED_IDLE_MS = 10 * 1000,
    /* How long a peer may take to read the last bytes of a session that ends. */
    LIMIT_CLOSING_MS = 2000,
    /* How long a cancelled replacement may take to undo at shutdown: undo looks for a build that
     * has not shown yet for up to 10 s. */
    LIMIT_UNDO_MS = 15 * 1000,
    /* A CancelRequest whose server does not close is given up, so that storms cannot pile up; the
     * client's own connection for it a little later, when it surely cannot be sent any more. */
    LIMIT_CANCEL_MS = 10 * 1000,
    LIMIT_CANCEL_ASKED_MS = 11 * 1000,
    /* An Execute whose object is gone makes all statements of its session be parsed again, but not
     * more often than that: some clients repeat one that fails for good, among good ones. Long
     * against what parsing costs, short for who waits until swaps of others are noticed. */
    LIMIT_BEHIND_EVERY_MS = 1000
};

#endif
