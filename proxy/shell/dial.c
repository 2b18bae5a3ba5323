/*
 * dial: from the server's name to a connection: looks it up and tries each address in turn.
 */
#include "conn_internal.h"
#include "proxy_internal.h"

#include <stdio.h>

static void dial_next(struct conn *c);

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
    uv_freeaddrinfo(c->addresses);
    c->addresses = NULL;
    c->address = NULL;
    c->peers[SERVER].state = PEER_OPEN;
    (void)uv_tcp_nodelay(&c->peers[SERVER].tcp, 1);
    (void)uv_tcp_keepalive(&c->peers[SERVER].tcp, 1, KEEPALIVE_S);
    conn_tell_side(c, EVENT_CONNECTED, SERVER, NULL);
    conn_pump(c);
}

static void dial_failed(struct conn *c, const char *why)
{
    char reason[512];
    (void)snprintf(reason, sizeof(reason), "%s:%s: %s", c->proxy->options.server.host,
                   c->proxy->options.server.port, why);
    conn_tell_side(c, EVENT_CONNECT_FAILED, SERVER, reason);
    conn_pump(c);
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
    conn_release(c);
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
    conn_release(c);
}

/* The name is looked up at every connect: servers move. */
void conn_dial(struct conn *c)
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
