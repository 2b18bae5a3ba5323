/* conn: see conn.h. */
#include "conn.h"

#include "limits.h"
#include "log.h"
#include "mem.h"
#include "peer.h"
#include "proxy_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEEPALIVE_S = 60 };

struct conn {
    struct conn *next;
    struct conn *previous;
    struct proxy *proxy;
    uint64_t id;
    struct session *session;
    struct peer peers[NUM_SIDES];
    uv_timer_t timer;
    uint64_t timer_due; /* what the timer is set to, or MOMENT_NEVER */
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    struct addrinfo *addresses; /* of the server, while dialling */
    struct addrinfo *address;   /* the one being tried */
    unsigned num_pending;       /* handles and requests whose last callback has not come */
    size_t memory;              /* this session's part of proxy.memory */
    bool resolving;             /* the look-up's callback has not come */
    bool finishing;             /* flush, then close */
    bool destroyed;
};

static void pump(struct conn *c);
static void dial_next(struct conn *c);

uint64_t conn_id(const struct conn *c)
{
    return c->id;
}

struct conn *conn_next(const struct conn *c)
{
    return c->next;
}

static void release(struct conn *c)
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
    c->proxy->memory -= c->memory;
    session_free(c->session);
    proxy_forget_conn(p);
    mem_free(c);
}

static void on_close(uv_handle_t *handle)
{
    release(handle->data);
}

static void conn_destroy(struct conn *c)
{
    if (c->destroyed) {
        return;
    }
    c->destroyed = true;
    registry_unlock(c->proxy->registry, c->id);
    (void)uv_async_send(&c->proxy->wake);
    if (c->resolving) {
        (void)uv_cancel((uv_req_t *)&c->resolve); /* one that runs already just ends */
    }
    for (int side = 0; side < NUM_SIDES; side++) {
        peer_close(&c->peers[side], on_close);
    }
    uv_close((uv_handle_t *)&c->timer, on_close);
}

static void tell(struct conn *c, enum session_event_kind kind, enum side side, const char *reason)
{
    if (!c->destroyed) {
        session_event(c->session,
                      &(struct session_event){.kind = kind, .side = side, .reason = reason},
                      proxy_now(c->proxy));
    }
}

void conn_tell(struct conn *c, enum session_event_kind kind)
{
    tell(c, kind, CLIENT, NULL);
    pump(c);
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
        tell(c, EVENT_EOF, side, NULL);
    } else if (num_read < 0) {
        c->peers[side].state = PEER_BROKEN;
        tell(c, EVENT_BROKEN, side, NULL);
    }
    pump(c);
}

static void on_write(uv_write_t *request, int status)
{
    struct conn *c = request->handle->data;
    enum side side = request == &c->peers[CLIENT].write ? CLIENT : SERVER;
    bool was_open = c->peers[side].state == PEER_OPEN;
    peer_written(&c->peers[side], status);
    if (was_open && c->peers[side].state == PEER_BROKEN) {
        tell(c, EVENT_BROKEN, side, NULL);
    }
    pump(c);
}

static void on_timer(uv_timer_t *timer)
{
    struct conn *c = timer->data;
    c->timer_due = MOMENT_NEVER;
    tell(c, EVENT_DEADLINE, CLIENT, NULL);
    pump(c);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct conn *c = request->handle->data;
    if (c->destroyed || status == UV_ECANCELED) {
        return;
    }
    if (status != 0) {
        c->address = c->address->ai_next;
        /* A handle whose connect failed cannot be used again: close it, then dial on. */
        dial_next(c);
        return;
    }
    c->peers[SERVER].state = PEER_OPEN;
    (void)uv_tcp_nodelay(&c->peers[SERVER].tcp, 1);
    (void)uv_tcp_keepalive(&c->peers[SERVER].tcp, 1, KEEPALIVE_S);
    tell(c, EVENT_CONNECTED, SERVER, NULL);
    pump(c);
}

static void dial_failed(struct conn *c, const char *why)
{
    char reason[512];
    (void)snprintf(reason, sizeof(reason), "%s:%s: %s", c->proxy->options.server.host,
                   c->proxy->options.server.port, why);
    tell(c, EVENT_CONNECT_FAILED, SERVER, reason);
    pump(c);
}

static void dial_address(struct conn *c)
{
    struct peer *server = &c->peers[SERVER];
    int status = uv_tcp_init(&c->proxy->loop, &server->tcp);
    if (status == 0) {
        server->tcp.data = c;
        server->state = PEER_IDLE;
        c->num_pending++;
        status = uv_tcp_connect(&c->connect, &server->tcp, c->address->ai_addr, on_connect);
    }
    if (status != 0 && server->state == PEER_IDLE && c->address->ai_next != NULL) {
        c->address = c->address->ai_next;
        dial_next(c);
    } else if (status != 0) {
        dial_failed(c, uv_strerror(status));
    }
}

static void on_failed_handle_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    c->peers[SERVER].state = PEER_NONE;
    if (!c->destroyed && !c->finishing) {
        dial_address(c);
    }
    release(c);
}

static void dial_next(struct conn *c)
{
    if (c->address == NULL) {
        dial_failed(c, "connection refused, or no address answered");
        return;
    }
    peer_close(&c->peers[SERVER], on_failed_handle_closed);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct conn *c = request->data;
    c->resolving = false;
    c->addresses = addresses;
    c->address = addresses;
    if (!c->destroyed && !c->finishing) {
        if (status == 0) {
            dial_address(c);
        } else {
            dial_failed(c, uv_strerror(status));
        }
    }
    release(c);
}

/* The name is looked up at every connect: servers move. */
static void dial(struct conn *c)
{
    const struct address *server = &c->proxy->options.server;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    c->resolve.data = c;
    int status = uv_getaddrinfo(&c->proxy->loop, &c->resolve, on_resolved, server->host,
                                server->port, &hints);
    if (status == 0) {
        c->resolving = true;
        c->num_pending++;
    } else {
        dial_failed(c, uv_strerror(status));
    }
}

static void lock(struct conn *c, const char *family)
{
    switch (registry_lock(c->proxy->registry, family, c->id)) {
    case REGISTRY_LOCKED:
        tell(c, EVENT_LOCKED, CLIENT, NULL);
        break;
    case REGISTRY_QUEUED:
        break;
    case REGISTRY_NO_MEMORY:
        log_line(LOG_ERROR, "out_of_memory", NULL);
        conn_destroy(c);
        break;
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
        dial(c);
        break;
    case ACTION_SHUTDOWN_WRITE:
        c->peers[action->side].end_wanted = true;
        break;
    case ACTION_LOCK:
        lock(c, action->family);
        break;
    case ACTION_UNLOCK:
        registry_unlock(c->proxy->registry, c->id);
        (void)uv_async_send(&c->proxy->wake);
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
            tell(c, EVENT_BROKEN, (enum side)side, NULL);
            broke = true;
        }
    }
    return broke;
}

/* Keeps the process's sum of what its sessions keep, and tells this one whether it is too much. */
static void account(struct conn *c)
{
    size_t memory = session_memory(c->session);
    for (int side = 0; side < NUM_SIDES; side++) {
        memory += buf_len(&c->peers[side].in_flight);
    }
    c->proxy->memory += memory - c->memory;
    c->memory = memory;
    session_set_pressed(c->session, c->proxy->memory > LIMIT_PROCESS);
}

/* Brings the sockets in line with the session. Called at the end of every callback. */
static void pump(struct conn *c)
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
    account(c);
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

static bool begin_session(struct conn *c, enum session_admission admission)
{
    struct session_config config = {.admission = admission, .settings = c->proxy->options.settings};
    if (uv_random(NULL, NULL, config.nonce_seed, sizeof(config.nonce_seed), 0, NULL) != 0) {
        return false;
    }
    c->session = session_new(&config, proxy_now(c->proxy));
    return c->session != NULL;
}

bool conn_accept(struct proxy *p, uv_stream_t *listener, enum session_admission admission)
{
    struct conn *c = mem_new(sizeof(*c));
    if (c == NULL) {
        log_line(LOG_ERROR, "out_of_memory", NULL);
        return false;
    }
    c->proxy = p;
    c->id = ++p->last_id;
    c->timer_due = MOMENT_NEVER;
    c->next = p->conns;
    if (p->conns != NULL) {
        p->conns->previous = c;
    }
    p->conns = c;
    p->num_conns++;
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
    if (status != 0 || !begin_session(c, admission)) {
        log_line(LOG_ERROR, "accept", "detail", status != 0 ? uv_strerror(status) : "no memory",
                 NULL);
        conn_destroy(c);
        return status == 0;
    }
    client->state = PEER_OPEN;
    (void)uv_tcp_nodelay(&client->tcp, 1);
    (void)uv_tcp_keepalive(&client->tcp, 1, KEEPALIVE_S);
    pump(c);
    return true;
}
