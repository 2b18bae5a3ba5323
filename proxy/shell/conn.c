/* conn: see conn.h. */
#include "conn.h"

#include "cancels.h"
#include "conn_internal.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "proxy_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t conn_id(const struct conn *c)
{
    return c->id;
}

struct conn *conn_next(const struct conn *c)
{
    return c->next;
}

enum conn_role conn_role(const struct conn *c)
{
    return c->role;
}

bool conn_is_ending(const struct conn *c)
{
    return c->destroyed;
}

static void set_role(struct conn *c, enum conn_role role)
{
    c->proxy->num_roles[c->role]--;
    c->proxy->num_roles[role]++;
    c->role = role;
}

void conn_release(struct conn *c)
{
    if (--c->num_pending != 0) {
        return;
    }
    struct proxy *p = c->proxy;
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        p->conns = c->next;
    }
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    for (int side = 0; side < NUM_SIDES; side++) {
        buf_cleanup(&c->peers[side].in_flight);
    }
    if (c->addresses != NULL) {
        uv_freeaddrinfo(c->addresses);
    }
    p->memory -= c->memory;
    p->kept -= c->kept;
    p->num_roles[c->role]--;
    session_free(c->session);
    mem_free(c->family);
    proxy_forget_conn(p);
    mem_free(c);
}

static void on_close(uv_handle_t *handle)
{
    conn_release(handle->data);
}

/* Whoever asked to cancel this session is told that it is done; or only those whose request has
 * been passed on. */
static void release_cancels(const struct conn *c, bool only_sent)
{
    struct conn *next = NULL;
    for (struct conn *other = c->proxy->conns; other != NULL; other = next) {
        next = other->next; /* freed by a later callback at the earliest */
        if (other->cancels == c->id && (other->cancel_sent || !only_sent)) {
            other->cancels = 0;
            conn_tell(other, EVENT_CANCEL_DONE);
        }
    }
}

void conn_destroy(struct conn *c)
{
    if (c->destroyed) {
        return;
    }
    c->destroyed = true;
    conn_log_not_kept(c);
    conn_unlock(c);
    conn_end_slot(c);
    conn_note_reading(c, MOMENT_NEVER);
    registry_forget_key(c->proxy->registry, c->id);
    release_cancels(c, false);
    if (c->resolving) {
        (void)uv_cancel((uv_req_t *)&c->resolve); /* one that runs already just ends */
    }
    for (int side = 0; side < NUM_SIDES; side++) {
        peer_close(&c->peers[side], on_close);
    }
    uv_close((uv_handle_t *)&c->timer, on_close);
}

void conn_tell_side(struct conn *c, enum session_event_kind kind, enum side side,
                    const char *reason)
{
    if (!c->destroyed) {
        session_event(c->session,
                      &(struct session_event){.kind = kind, .side = side, .reason = reason},
                      proxy_now(c->proxy));
    }
}

void conn_tell(struct conn *c, enum session_event_kind kind)
{
    conn_tell_side(c, kind, CLIENT, NULL);
    conn_pump(c);
}

void conn_drop(struct conn *c)
{
    conn_destroy(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out_buf)
{
    (void)suggested;
    const struct conn *c = handle->data;
    *out_buf = uv_buf_init(c->proxy->read_buffer, READ_BUFFER_LEN);
}

static void on_read(uv_stream_t *stream, ssize_t num_read, const uv_buf_t *read_buf)
{
    struct conn *c = stream->data;
    enum side side = (uv_tcp_t *)stream == &c->peers[CLIENT].tcp ? CLIENT : SERVER;
    if (num_read > 0) {
        session_feed(c->session, side, (const uint8_t *)read_buf->base, (size_t)num_read,
                     proxy_now(c->proxy));
    } else if (num_read == UV_EOF) {
        c->peers[side].got_eof = true;
        conn_tell_side(c, EVENT_EOF, side, NULL);
    } else if (num_read < 0) {
        c->peers[side].state = PEER_BROKEN;
        conn_tell_side(c, EVENT_BROKEN, side, NULL);
    }
    conn_pump(c);
}

static void on_write(uv_write_t *request, int status)
{
    struct conn *c = request->handle->data;
    enum side side = request == &c->peers[CLIENT].write ? CLIENT : SERVER;
    bool was_open = c->peers[side].state == PEER_OPEN;
    peer_written(&c->peers[side], status);
    if (was_open && c->peers[side].state == PEER_BROKEN) {
        conn_tell_side(c, EVENT_BROKEN, side, NULL);
    }
    conn_pump(c);
}

static void on_timer(uv_timer_t *timer)
{
    struct conn *c = timer->data;
    c->timer_due = MOMENT_NEVER;
    conn_tell_side(c, EVENT_DEADLINE, CLIENT, NULL);
    conn_pump(c);
}

/* Becomes a session if there is room for one more. */
static void connect_server(struct conn *c)
{
    struct proxy *p = c->proxy;
    if (p->num_roles[CONN_SESSION] >= p->max_connections) {
        conn_tell_side(c, EVENT_TURNED_AWAY, SERVER, NULL);
        return;
    }
    set_role(c, CONN_SESSION);
    conn_dial(c);
}

/* This is a CancelRequest. */
static void cancel(struct conn *c, const struct cancel_key *key)
{
    struct proxy *p = c->proxy;
    uint64_t id = 0;
    struct conn *other = registry_find_key(p->registry, key, &id) ? proxy_find_conn(p, id) : NULL;
    if (other == NULL || other->destroyed || p->num_roles[CONN_CANCEL] >= p->others_most / 2) {
        conn_tell_side(c, EVENT_CANCEL_DONE, CLIENT, NULL);
        return;
    }
    set_role(c, CONN_CANCEL);
    c->cancels = id;
    conn_tell(other, EVENT_CANCEL); /* another connection's session: no call re-enters */
}

static void cancel_server(struct conn *c, const struct cancel_key *key)
{
    struct sockaddr_storage server = {0};
    int len = sizeof(server);
    for (struct conn *other = c->proxy->conns; other != NULL; other = other->next) {
        other->cancel_sent |= other->cancels == c->id;
    }
    if (uv_tcp_getpeername(&c->peers[SERVER].tcp, (struct sockaddr *)&server, &len) != 0 ||
        !cancels_send(c->proxy, &server, key, c->id)) {
        conn_tell_side(c, EVENT_CANCEL_DONE, SERVER, NULL);
    }
}

static void write_report(const struct conn *c, const struct session_report *report)
{
    static const enum log_level levels[] = {[REPORT_DEBUG] = LOG_DEBUG,
                                            [REPORT_INFO] = LOG_INFO,
                                            [REPORT_WARNING] = LOG_WARNING,
                                            [REPORT_ERROR] = LOG_ERROR};
    char session[24];
    char elapsed[24] = "";
    (void)snprintf(session, sizeof(session), "%" PRIu64, c->id);
    if (report->id[0] != 0) {
        (void)snprintf(elapsed, sizeof(elapsed), "%" PRIu64, report->elapsed_ms);
    }
    log_line(levels[report->level], report->event, "session", session, "replacement", report->id,
             "view", report->view, "ms", elapsed, "detail", report->detail, NULL);
}

static void perform(struct conn *c, const struct action *action)
{
    switch (action->kind) {
    case ACTION_CONNECT:
        connect_server(c);
        break;
    case ACTION_CANCEL:
        cancel(c, &action->key);
        break;
    case ACTION_CANCEL_SERVER:
        cancel_server(c, &action->key);
        break;
    case ACTION_CANCEL_DONE:
        release_cancels(c, false);
        break;
    case ACTION_CANCEL_SENT_DONE:
        release_cancels(c, true);
        break;
    case ACTION_SHUTDOWN_WRITE:
        c->peers[action->side].end_wanted = true;
        break;
    case ACTION_LOCK:
        conn_lock(c, action);
        break;
    case ACTION_UNLOCK:
        conn_unlock(c);
        break;
    case ACTION_REMEMBER:
        conn_remember(c, action);
        break;
    case ACTION_COUNT_READERS:
        conn_count_readers(c, action->from_ms, action->before_ms);
        break;
    case ACTION_MOVED:
        conn_publish_moved(c, action);
        break;
    case ACTION_TAKE_SLOT:
        conn_take_slot(c);
        break;
    case ACTION_END_SLOT:
        conn_end_slot(c);
        break;
    case ACTION_CLOSE:
        c->finishing = true;
        c->peers[CLIENT].end_wanted = true;
        c->peers[SERVER].end_wanted = true;
        break;
    case ACTION_ABORT:
        conn_destroy(c);
        break;
    case ACTION_REPORT:
        write_report(c, &action->report);
        break;
    }
}

static void set_timer(struct conn *c)
{
    uint64_t due = session_deadline(c->session);
    if (due == c->timer_due) {
        return;
    }
    c->timer_due = due;
    if (due == MOMENT_NEVER) {
        (void)uv_timer_stop(&c->timer);
        return;
    }
    uint64_t now = uv_now(&c->proxy->loop);
    (void)uv_timer_start(&c->timer, on_timer, due > now ? due - now : 0, 0);
}

/* Writes, and tells the session of a peer that broke while writing; true when one did. */
static bool flush(struct conn *c)
{
    bool broke = false;
    for (int side = 0; side < NUM_SIDES; side++) {
        struct peer *peer = &c->peers[side];
        bool was_open = peer->state == PEER_OPEN;
        peer_flush(peer, session_output(c->session, (enum side)side), on_write);
        if (was_open && peer->state == PEER_BROKEN) {
            conn_tell_side(c, EVENT_BROKEN, (enum side)side, NULL);
            broke = true;
        }
    }
    return broke;
}

void conn_pump(struct conn *c)
{
    struct action action;
    do {
        while (!c->destroyed && session_next_action(c->session, &action)) {
            perform(c, &action);
        }
    } while (!c->destroyed && flush(c));
    if (c->destroyed) {
        return;
    }
    session_settle(c->session);
    conn_account(c);
    conn_note_reading(c, session_reads_since(c->session));
    for (int side = 0; side < NUM_SIDES; side++) {
        /* The other side's write in flight is output not taken yet; a replacement's is our own. */
        bool waits =
            c->peers[1 - side].writing && !session_is_replacing(c->session) && !c->finishing;
        peer_read(&c->peers[side], session_wants_read(c->session, (enum side)side) && !waits,
                  on_alloc, on_read);
    }
    if (c->finishing && peer_is_finished(&c->peers[CLIENT]) &&
        peer_is_finished(&c->peers[SERVER])) {
        conn_destroy(c);
        return;
    }
    set_timer(c);
}

static bool begin_session(struct conn *c)
{
    struct session_config config = {.settings = c->proxy->options.settings};
    if (uv_random(NULL, NULL, config.nonce_seed, sizeof(config.nonce_seed), 0, NULL) != 0 ||
        uv_random(NULL, NULL, config.cancel_key.bytes, sizeof(config.cancel_key.bytes), 0, NULL) !=
            0) {
        return false;
    }
    c->session = session_new(&config, proxy_now(c->proxy));
    if (c->session != NULL) {
        session_set_kept_full(c->session, c->proxy->kept_full);
    }
    return c->session != NULL && registry_add_key(c->proxy->registry, &config.cancel_key, c->id);
}

bool conn_accept(struct proxy *p, uv_stream_t *listener)
{
    struct conn *c = mem_new(sizeof(*c));
    if (c == NULL) {
        log_line(LOG_ERROR, "out_of_memory", NULL);
        return false;
    }
    c->proxy = p;
    c->id = ++p->last_id;
    c->timer_due = MOMENT_NEVER;
    c->reads_since = MOMENT_NEVER;
    c->next = p->conns;
    if (p->conns != NULL) {
        p->conns->previous = c;
    }
    p->conns = c;
    p->num_conns++;
    p->num_roles[CONN_NEW]++;
    for (int side = 0; side < NUM_SIDES; side++) {
        buf_init(&c->peers[side].in_flight, 0);
    }
    (void)uv_timer_init(&p->loop, &c->timer); /* cannot fail */
    c->timer.data = c;
    c->num_pending = 1;
    struct peer *client = &c->peers[CLIENT];
    int status = uv_tcp_init(&p->loop, &client->tcp);
    if (status == 0) {
        client->tcp.data = c;
        client->state = PEER_IDLE;
        c->num_pending++;
        status = uv_accept(listener, (uv_stream_t *)&client->tcp);
    }
    if (status != 0 || !begin_session(c)) {
        log_line(LOG_ERROR, "accept", "detail", status != 0 ? uv_strerror(status) : "no memory",
                 NULL);
        conn_destroy(c);
        return status == 0;
    }
    client->state = PEER_OPEN;
    if (p->phase != PROXY_SERVING) {
        conn_tell_side(c, EVENT_DRAIN, CLIENT, NULL);
    }
    (void)uv_tcp_nodelay(&client->tcp, 1);
    (void)uv_tcp_keepalive(&client->tcp, 1, KEEPALIVE_S);
    conn_pump(c);
    return true;
}
