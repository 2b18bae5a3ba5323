/* conn_memory: the sums of what all sessions of the process keep, and what happens when they are
 * too much. */
#include "conn_internal.h"
#include "limits.h"
#include "log.h"
#include "proxy_internal.h"

#include <inttypes.h>
#include <stdio.h>

static void account(struct conn *c)
{
    struct proxy *p = c->proxy;
    uint64_t num_not_kept = 0;
    size_t kept = session_kept(c->session, &num_not_kept);
    p->kept += kept - c->kept;
    p->num_not_kept += num_not_kept - c->num_not_kept;
    c->kept = kept;
    c->num_not_kept = num_not_kept;
    size_t memory = session_memory(c->session);
    for (int side = 0; side < NUM_SIDES; side++) {
        memory += buf_len(&c->peers[side].in_flight);
    }
    p->memory += memory - c->memory;
    c->memory = memory;
}

/* Tells all sessions when the sum has become too much, and when it has gone down well below that.
 */
static void press(struct proxy *p)
{
    bool pressed = p->memory > (p->pressed ? LIMIT_PROCESS / 4 * 3 : LIMIT_PROCESS);
    if (pressed == p->pressed) {
        return;
    }
    p->pressed = pressed;
    for (struct conn *c = p->conns; c != NULL; c = c->next) {
        if (c->session != NULL) {
            session_set_pressed(c->session, pressed);
            account(c);
        }
    }
}

/* Likewise for what is kept of prepared statements. */
static void limit_kept(struct proxy *p)
{
    bool full = p->kept > (p->kept_full ? LIMIT_PARSED_PROCESS / 4 * 3 : LIMIT_PARSED_PROCESS);
    if (full == p->kept_full) {
        return;
    }
    p->kept_full = full;
    for (struct conn *c = p->conns; c != NULL; c = c->next) {
        if (c->session != NULL) {
            session_set_kept_full(c->session, full);
        }
    }
    if (full) {
        log_line(LOG_WARNING, "prepared", "detail",
                 "too many prepared statements: those that come now do not follow a swap ahead",
                 NULL);
    }
}

void conn_account(struct conn *c)
{
    account(c);
    press(c->proxy);
    limit_kept(c->proxy);
}

void conn_log_not_kept(struct conn *c)
{
    char session[24];
    char number[24];
    if (c->session == NULL) {
        return;
    }
    account(c);
    if (c->num_not_kept != 0) {
        (void)snprintf(session, sizeof(session), "%" PRIu64, c->id);
        (void)snprintf(number, sizeof(number), "%" PRIu64, c->num_not_kept);
        log_line(LOG_INFO, "prepared", "session", session, "not_kept", number, "detail",
                 "over a limit: these statements could not follow a swap ahead", NULL);
    }
}

void proxy_log_stopped(const struct proxy *p)
{
    char number[24] = "";
    if (p->num_not_kept != 0) {
        (void)snprintf(number, sizeof(number), "%" PRIu64, p->num_not_kept);
    }
    log_line(LOG_INFO, "stopped", "statements_not_kept", number, NULL);
}
