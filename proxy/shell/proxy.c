/* proxy: see proxy.h. */
#include "proxy.h"

#include "cancels.h"
#include "config.h"
#include "driver.h"
#include "janitor.h"
#include "log.h"
#include "mem.h"
#include "proxy_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum {
    BACKLOG = 511,
    NUM_SIGNALS = 3,
    /* Descriptors that are not for sessions: listener, loop, log, name look-ups. */
    RESERVED_FDS = 32,
    /* Connections that are no sessions: those that have not said yet what they are, those that are
     * told that there are too many, and cancel requests. More than the backlog, since all of it may
     * be accepted at once; at a tight limit of descriptors a quarter of them. */
    OTHERS_MOST = 1024,
    /* Cancel requests to the server at one time. */
    CANCELS_MOST = 64
};

struct moment proxy_now(const struct proxy *p)
{
    return driver_now(&p->loop);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* When the last connection is gone the remaining handles close and the loop ends by itself. */
static void end_if_empty(struct proxy *p)
{
    if (p->phase == PROXY_SERVING || p->num_conns != 0) {
        return;
    }
    cancels_stop(p);
    close_handle((uv_handle_t *)&p->listener);
    for (int i = 0; i < NUM_SIGNALS; i++) {
        close_handle((uv_handle_t *)&p->signals[i]);
    }
    /* One more signal at this point must not turn a clean end into a kill. */
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    close_handle((uv_handle_t *)&p->shutdown_timer);
    janitor_free(p->janitor);
    p->janitor = NULL;
    close_handle((uv_handle_t *)&p->wake);
}

void proxy_forget_conn(struct proxy *p)
{
    p->num_conns--;
    end_if_empty(p);
}

static void drop_client(struct proxy *p);

static void on_spare_closed(uv_handle_t *handle)
{
    struct proxy *p = handle->data;
    p->spare_busy = false;
    if (p->client_waits && p->phase == PROXY_SERVING) {
        p->client_waits = false;
        drop_client(p);
    }
}

/* Accepts and closes. libuv stops listening while a client is not accepted, so every one is, if
 * need be by a handle that needs no memory. */
static void drop_client(struct proxy *p)
{
    if (p->spare_busy || uv_tcp_init(&p->loop, &p->spare) != 0) {
        p->client_waits = true;
        return;
    }
    p->spare_busy = true;
    p->spare.data = p;
    (void)uv_accept((uv_stream_t *)&p->listener, (uv_stream_t *)&p->spare);
    uv_close((uv_handle_t *)&p->spare, on_spare_closed);
}

/* Who has been silent for longest gives way: so a flood of connections that say nothing keeps
 * nobody out. */
static void drop_oldest_new(struct proxy *p)
{
    struct conn *oldest = NULL;
    for (struct conn *c = p->conns; c != NULL; c = conn_next(c)) {
        oldest = conn_role(c) == CONN_NEW && !conn_is_ending(c) ? c : oldest;
    }
    if (oldest != NULL) {
        conn_drop(oldest);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct proxy *p = listener->data;
    if (status < 0) {
        log_line(LOG_WARNING, "accept", "detail", uv_strerror(status), NULL);
        return;
    }
    if (p->num_roles[CONN_NEW] + p->num_roles[CONN_CANCEL] >= p->others_most) {
        drop_oldest_new(p);
    }
    if (!conn_accept(p, listener)) {
        drop_client(p);
    }
}

static void tell_all(struct proxy *p, enum session_event_kind kind)
{
    struct conn *next = NULL;
    for (struct conn *c = p->conns; c != NULL; c = next) {
        next = conn_next(c); /* freed by a later callback at the earliest */
        conn_tell(c, kind);
    }
}

static void stop_now(struct proxy *p)
{
    p->phase = PROXY_STOPPING;
    close_handle((uv_handle_t *)&p->listener);
    log_line(LOG_INFO, "stopping", NULL);
    tell_all(p, EVENT_SHUTDOWN);
}

static void on_shutdown_timer(uv_timer_t *timer)
{
    stop_now(timer->data);
}

static void on_signal(uv_signal_t *signal_handle, int number)
{
    struct proxy *p = signal_handle->data;
    char count[16];
    (void)snprintf(count, sizeof(count), "%u", p->num_conns);
    if (p->phase != PROXY_SERVING) {
        stop_now(p);
        return;
    }
    p->phase = PROXY_DRAINING;
    log_line(LOG_INFO, "draining", "signal", number == SIGTERM ? "TERM" : "INT", "connections",
             count, NULL);
    /* Still listening: cancels of what goes on must come in. Sessions are refused with 57P03. */
    (void)uv_timer_start(&p->shutdown_timer, on_shutdown_timer, p->options.shutdown_timeout_ms, 0);
    tell_all(p, EVENT_DRAIN);
    end_if_empty(p);
}

/* SQL is not shown: it is somebody's statement. Nor is what may hold a password. */
static void log_change(size_t index, const char *was, const char *is)
{
    const struct config_option *option = config_option(index);
    bool shown = !config_is_private(index);
    log_line(option->needs_restart ? LOG_WARNING : LOG_INFO, "reload", "key", option->key, "was",
             shown ? was : "", "is", shown ? is : "", "detail",
             option->needs_restart ? "takes effect at the next start" : "", NULL);
}

/* What is new is logged; what needs a restart stays as it was. Sessions that run keep what they
 * began with. */
static void apply(struct proxy *p, const struct proxy_options *read)
{
    unsigned changes = 0;
    for (size_t i = 0; i < config_num_options(); i++) {
        char scratch[2][CONFIG_TEXT_LEN];
        const char *was = config_text(&p->options, i, scratch[0]);
        const char *is = config_text(read, i, scratch[1]);
        if (strcmp(was, is) != 0) {
            changes++;
            log_change(i, was, is);
        }
    }
    if (changes == 0) {
        log_line(LOG_INFO, "reload", "detail", "nothing has changed", NULL);
    }
    config_cleanup(&p->options);
    p->options = *read;
    log_set_level((enum log_level)read->log_level);
    registry_set_slots(p->registry, read->max_builds);
    (void)uv_async_send(&p->wake);
    janitor_reload(p->janitor);
}

static void on_hangup(uv_signal_t *signal_handle, int number)
{
    struct proxy *p = signal_handle->data;
    struct proxy_options read;
    (void)number;
    if (p->phase != PROXY_SERVING) {
        return;
    }
    if (p->reload.read(p->reload.context, &read)) {
        apply(p, &read);
    } else {
        log_line(LOG_ERROR, "reload", "detail", "the configuration is wrong; nothing was changed",
                 NULL);
    }
}

void proxy_save(struct proxy *p)
{
    struct buf text = {0};
    if (p->state_file != NULL) {
        remembered_write(p->remembered, &text);
        state_file_write(p->state_file, &text);
    }
}

/* A file that cannot be trusted is not written over: somebody has to look at it. False, after one
 * line that says why. */
static bool load_state(struct proxy *p)
{
    const char *path = p->options.state_file;
    const char *why = "out of memory";
    struct remembered_damage damage = {.line = 0};
    struct buf text = {0};
    if (path[0] == 0) {
        return true;
    }
    p->state_file = state_file_new(&p->loop, path);
    enum state_file_result result =
        p->state_file != NULL ? state_file_read(path, &text, &why) : STATE_FILE_FAILED;
    bool good = result == STATE_FILE_MISSING;
    if (result == STATE_FILE_FAILED) {
        (void)fprintf(stderr, "mvswap: %s: %s\n", path, why);
    } else if (result == STATE_FILE_READ) {
        good =
            remembered_read(p->remembered, (const char *)buf_bytes(&text), buf_len(&text), &damage);
        if (!good) {
            (void)fprintf(stderr, "mvswap: %s:%zu: %s\n", path, damage.line, damage.why);
        }
    }
    buf_cleanup(&text);
    return good;
}

struct conn *proxy_find_conn(const struct proxy *p, uint64_t id)
{
    struct conn *c = p->conns;
    while (c != NULL && conn_id(c) != id) {
        c = conn_next(c);
    }
    return c;
}

/* Sessions that begin later have prepared nothing yet. */
static void tell_moved(struct proxy *p)
{
    struct buf names = {0};
    struct session_event event = {.kind = EVENT_MOVED};
    uint64_t newest = p->swaps_told;
    if (swaps_since(p->swaps, p->swaps_told, &names, &newest, &event.moved_ms) &&
        !buf_failed(&names)) {
        event.moved = (const char *)buf_bytes(&names);
        event.moved_len = buf_len(&names);
    }
    for (struct conn *c = p->conns; c != NULL; c = conn_next(c)) {
        conn_moved(c, &event);
    }
    p->swaps_told = newest;
    buf_cleanup(&names);
}

static void on_wake(uv_async_t *async)
{
    struct proxy *p = async->data;
    uint64_t id = 0;
    if (swaps_newest(p->swaps) != p->swaps_told) {
        tell_moved(p);
    }
    while (registry_next_granted(p->registry, &id)) {
        struct conn *c = proxy_find_conn(p, id);
        if (c != NULL) {
            conn_locked(c);
        }
    }
    while (registry_next_slot(p->registry, &id)) {
        struct conn *c = proxy_find_conn(p, id);
        if (c != NULL) {
            conn_tell(c, EVENT_SLOT);
        }
    }
}

/* Two descriptors a session: asks for as many as allowed, and lowers the cap to what there is. */
static void fit_descriptors(struct proxy *p)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)p->max_connections * 2 + RESERVED_FDS + OTHERS_MOST + CANCELS_MOST;
    p->others_most = OTHERS_MOST;
    p->cancels_most = CANCELS_MOST;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < wanted) {
        rlim_t rest = limit.rlim_cur > RESERVED_FDS + 8 ? limit.rlim_cur - RESERVED_FDS : 8;
        rlim_t others = rest / 4 < OTHERS_MOST ? rest / 4 : OTHERS_MOST;
        p->others_most = (unsigned)others;
        p->cancels_most = others / 4 < CANCELS_MOST ? (unsigned)(others / 4 + 1) : CANCELS_MOST;
        rlim_t usable = (rest - others - p->cancels_most) / 2;
        if (usable >= p->max_connections) {
            return; /* only the reserves are smaller */
        }
        char text[24];
        (void)snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)usable);
        log_line(LOG_WARNING, "descriptors", "detail",
                 "the limit of open files allows fewer connections than asked for",
                 "max_connections", text, NULL);
        p->max_connections = (unsigned)usable;
    }
}

static int listen_failed(const struct proxy *p, const char *why)
{
    (void)fprintf(stderr, "mvswap: cannot listen on %s:%s: %s\n", p->options.listen.host,
                  p->options.listen.port, why);
    return 1;
}

/* Binds the first address of the name; one line on failure. */
static int start_listening(struct proxy *p)
{
    uv_getaddrinfo_t request;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    int status = uv_getaddrinfo(&p->loop, &request, NULL, p->options.listen.host,
                                p->options.listen.port, &hints);
    if (status != 0) {
        return listen_failed(p, uv_strerror(status));
    }
    status = uv_tcp_bind(&p->listener, request.addrinfo->ai_addr, 0);
    uv_freeaddrinfo(request.addrinfo);
    if (status == 0) {
        status = uv_listen((uv_stream_t *)&p->listener, BACKLOG, on_connection);
    }
    return status == 0 ? 0 : listen_failed(p, uv_strerror(status));
}

static void announce(struct proxy *p)
{
    struct sockaddr_storage bound;
    int len = sizeof(bound);
    char host[INET6_ADDRSTRLEN] = "";
    char text[INET6_ADDRSTRLEN + 16];
    unsigned port = 0;
    (void)uv_tcp_getsockname(&p->listener, (struct sockaddr *)&bound, &len);
    if (bound.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&bound;
        (void)uv_ip6_name(in6, host, sizeof(host));
        port = ntohs(in6->sin6_port);
        (void)snprintf(text, sizeof(text), "[%s]:%u", host, port);
    } else {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)&bound;
        (void)uv_ip4_name(in4, host, sizeof(host));
        port = ntohs(in4->sin_port);
        (void)snprintf(text, sizeof(text), "%s:%u", host, port);
    }
    char server[ADDRESS_HOST_MAX + ADDRESS_PORT_MAX + 2];
    (void)snprintf(server, sizeof(server), "%s:%s", p->options.server.host, p->options.server.port);
    log_line(LOG_INFO, "listening", "address", text, "server", server, NULL);
}

static void init_handles(struct proxy *p)
{
    /* None of these fails but for lack of descriptors or memory at start. */
    (void)uv_tcp_init(&p->loop, &p->listener);
    (void)uv_timer_init(&p->loop, &p->shutdown_timer);
    (void)uv_async_init(&p->loop, &p->wake, on_wake);
    p->listener.data = p;
    p->shutdown_timer.data = p;
    p->wake.data = p;
    static const int numbers[NUM_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < NUM_SIGNALS; i++) {
        (void)uv_signal_init(&p->loop, &p->signals[i]);
        p->signals[i].data = p;
        (void)uv_signal_start(&p->signals[i], numbers[i] == SIGHUP ? on_hangup : on_signal,
                              numbers[i]);
    }
}

int proxy_run(struct proxy_options *options, const struct proxy_reload *reload)
{
    struct proxy *p = mem_new(sizeof(*p));
    if (p == NULL || (p->registry = registry_new()) == NULL ||
        (p->remembered = remembered_new()) == NULL || (p->swaps = swaps_new()) == NULL ||
        (p->readers = readers_new()) == NULL || uv_loop_init(&p->loop) != 0) {
        (void)fputs("mvswap: out of memory\n", stderr);
        registry_free(p != NULL ? p->registry : NULL);
        remembered_free(p != NULL ? p->remembered : NULL);
        swaps_free(p != NULL ? p->swaps : NULL);
        readers_free(p != NULL ? p->readers : NULL);
        mem_free(p);
        config_cleanup(options);
        return 1;
    }
    p->options = *options;
    p->max_connections = options->max_connections;
    registry_set_slots(p->registry, options->max_builds);
    p->reload = *reload;
    log_set_level((enum log_level)options->log_level);
    (void)signal(SIGPIPE, SIG_IGN);
    fit_descriptors(p);
    init_handles(p);
    int status = load_state(p) ? start_listening(p) : 1;
    if (status == 0) {
        announce(p);
        proxy_save(p); /* a place where it cannot be written is told now */
        p->janitor = janitor_new(p);
    } else {
        p->phase = PROXY_STOPPING;
        close_handle((uv_handle_t *)&p->listener);
        end_if_empty(p);
    }
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&p->loop) != 0) {
        log_line(LOG_ERROR, "internal", "detail", "a handle was left open at the end", NULL);
        status = 1;
    }
    if (status == 0) {
        proxy_log_stopped(p);
    }
    registry_free(p->registry);
    remembered_free(p->remembered);
    swaps_free(p->swaps);
    readers_free(p->readers);
    state_file_free(p->state_file);
    config_cleanup(&p->options);
    mem_free(p);
    return status;
}
