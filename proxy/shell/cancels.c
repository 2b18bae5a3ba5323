/* cancels: see cancels.h. */
#include "cancels.h"

#include "limits.h"
#include "log.h"
#include "mem.h"
#include "proxy_internal.h"

#include <string.h>

enum { REQUEST_LEN = 16 };

enum cancel_state {
    CANCEL_WAITING, /* in line */
    CANCEL_RUNNING,
    CANCEL_CLOSING
};

struct cancel {
    struct cancel *next; /* younger */
    struct proxy *proxy;
    uint64_t session;
    enum cancel_state state;
    bool connected;       /* or connecting: counts as running, `tcp` is a handle */
    unsigned num_handles; /* whose close callback has not come */
    struct sockaddr_storage server;
    uint8_t request[REQUEST_LEN];
    char answer[16]; /* nothing that comes is looked at */
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
};

static void start_waiting(struct proxy *p);

static void forget(struct cancel *c)
{
    struct cancel **at = &c->proxy->cancels;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    c->proxy->num_cancels_running -= c->connected ? 1 : 0;
    mem_free(c);
}

static void on_close(uv_handle_t *handle)
{
    struct cancel *c = handle->data;
    if (--c->num_handles != 0) {
        return;
    }
    struct proxy *p = c->proxy;
    uint64_t session = c->session;
    forget(c);
    struct conn *conn = proxy_find_conn(p, session);
    if (conn != NULL) {
        conn_tell(conn, EVENT_CANCEL_DONE);
    }
    start_waiting(p);
}

static void finish(struct cancel *c, const char *problem)
{
    if (c->state == CANCEL_CLOSING) {
        return;
    }
    c->state = CANCEL_CLOSING;
    if (problem != NULL) {
        log_line(LOG_WARNING, "cancel", "detail", problem, NULL);
    }
    if (c->connected) {
        uv_close((uv_handle_t *)&c->tcp, on_close);
    }
    uv_close((uv_handle_t *)&c->timer, on_close);
}

static void on_timer(uv_timer_t *timer)
{
    finish(timer->data, "the server did not take a cancel request in time");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out_buf)
{
    (void)suggested;
    struct cancel *c = handle->data;
    *out_buf = uv_buf_init(c->answer, sizeof(c->answer));
}

static void on_read(uv_stream_t *stream, ssize_t num_read, const uv_buf_t *read_buf)
{
    (void)read_buf;
    if (num_read < 0) {
        finish(stream->data, NULL); /* closed, which is the answer */
    }
}

static void on_write(uv_write_t *request, int status)
{
    if (status != 0 && status != UV_ECANCELED) {
        finish(request->handle->data, uv_strerror(status));
    }
}

static void on_connect(uv_connect_t *request, int status)
{
    struct cancel *c = request->handle->data;
    if (c->state != CANCEL_RUNNING) {
        return;
    }
    if (status != 0) {
        finish(c, uv_strerror(status));
        return;
    }
    uv_buf_t bytes = uv_buf_init((char *)c->request, REQUEST_LEN);
    status = uv_write(&c->write, (uv_stream_t *)&c->tcp, &bytes, 1, on_write);
    if (status == 0) {
        status = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    }
    if (status != 0) {
        finish(c, uv_strerror(status));
    }
}

static void start(struct cancel *c)
{
    struct proxy *p = c->proxy;
    c->state = CANCEL_RUNNING;
    c->connected = true;
    p->num_cancels_running++;
    (void)uv_tcp_init(&p->loop, &c->tcp); /* cannot fail: no descriptor is opened yet */
    c->tcp.data = c;
    c->num_handles++;
    int status =
        uv_tcp_connect(&c->connect, &c->tcp, (const struct sockaddr *)&c->server, on_connect);
    if (status != 0) {
        finish(c, uv_strerror(status));
    }
}

static void start_waiting(struct proxy *p)
{
    for (struct cancel *c = p->cancels; c != NULL; c = c->next) {
        if (c->state == CANCEL_WAITING && p->num_cancels_running < p->cancels_most) {
            start(c);
        }
    }
}

bool cancels_send(struct proxy *p, const struct sockaddr_storage *server,
                  const struct cancel_key *key, uint64_t session)
{
    static const uint8_t head[] = {0, 0, 0, REQUEST_LEN, 0x04, 0xd2, 0x16, 0x2e};
    struct cancel *c = mem_new(sizeof(*c));
    if (c == NULL) {
        return false;
    }
    c->proxy = p;
    c->session = session;
    c->server = *server;
    /* From now on, the time in line included: whoever waits for it is let go then. */
    (void)uv_timer_init(&p->loop, &c->timer);
    (void)uv_timer_start(&c->timer, on_timer, LIMIT_CANCEL_MS, 0);
    c->timer.data = c;
    c->num_handles = 1;
    memcpy(c->request, head, sizeof(head));
    memcpy(c->request + sizeof(head), key->bytes, sizeof(key->bytes));
    struct cancel **end = &p->cancels;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = c;
    start_waiting(p);
    return true;
}

void cancels_stop(struct proxy *p)
{
    for (struct cancel *c = p->cancels; c != NULL; c = c->next) {
        finish(c, NULL); /* freed by a later callback */
    }
}
