/* link: see link.h. */
#include "link.h"

#include "mem.h"

#include <string.h>

enum { CANCEL_PROBLEM = 256 };

struct link {
    struct link_hooks hooks;
    uv_loop_t *loop;
    const char **keywords; /* owned, until it is open */
    const char **values;
    PGconn *conn;
    uv_poll_t poll;
    uv_work_t opening;
    uv_work_t cancelling;
    uv_idle_t lost; /* tells of a loss that was noticed inside of link_run */
    PGcancel *cancel;
    PGresult *last;
    bool open;    /* poll and lost are handles of the loop */
    bool running; /* an answer is owed */
    bool unsent;  /* not all of the statement has been taken by the socket */
    bool closing;
    unsigned num_busy; /* threads and handles that still know it */
};

static void let_go(struct link *link)
{
    if (--link->num_busy != 0 || !link->closing) {
        return;
    }
    PQclear(link->last);
    PQfreeCancel(link->cancel);
    PQfinish(link->conn);
    mem_free(link->keywords);
    mem_free(link->values);
    mem_free(link);
}

static void handle_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

void link_close(struct link *link)
{
    if (link == NULL || link->closing) {
        return;
    }
    link->closing = true;
    link->num_busy++;
    if (link->open) {
        uv_close((uv_handle_t *)&link->poll, handle_closed);
        uv_close((uv_handle_t *)&link->lost, handle_closed);
    }
    let_go(link);
}

static void answer(struct link *link, PGresult *result)
{
    link->running = false;
    link->hooks.answered(link->hooks.context, result);
    PQclear(result);
}

static void tell_lost(uv_idle_t *idle)
{
    struct link *link = idle->data;
    (void)uv_idle_stop(idle);
    PQclear(link->last);
    link->last = NULL;
    answer(link, NULL);
}

static void lose(struct link *link)
{
    (void)uv_poll_stop(&link->poll);
    if (link->running) {
        (void)uv_idle_start(&link->lost, tell_lost);
    }
}

/* Takes what has come; the statement is answered when libpq says that nothing more belongs to it.
 */
static void take(struct link *link)
{
    if (PQconsumeInput(link->conn) == 0) {
        lose(link);
        return;
    }
    while (link->running && PQisBusy(link->conn) == 0) {
        PGresult *result = PQgetResult(link->conn);
        ExecStatusType status = result != NULL ? PQresultStatus(result) : PGRES_EMPTY_QUERY;
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH ||
            PQstatus(link->conn) == CONNECTION_BAD) {
            PQclear(result);
            lose(link);
            return;
        }
        if (result == NULL) {
            result = link->last;
            link->last = NULL;
            answer(link, result);
            return;
        }
        PQclear(link->last);
        link->last = result;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct link *link)
{
    int events = UV_READABLE | (link->unsent ? UV_WRITABLE : 0);
    if (uv_poll_start(&link->poll, events, on_poll) != 0) {
        lose(link);
    }
}

static bool flush(struct link *link)
{
    int result = PQflush(link->conn);
    link->unsent = result == 1;
    return result >= 0;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    if (status < 0 || (link->unsent && !flush(link))) {
        lose(link);
        return;
    }
    if ((events & UV_READABLE) != 0) {
        take(link);
    } else {
        watch(link);
    }
}

void link_run(struct link *link, const char *sql)
{
    link->running = true;
    if (PQsendQuery(link->conn, sql) == 0 || !flush(link)) {
        lose(link);
        return;
    }
    watch(link);
}

/* ---- opening ---- */

static void connect_in_thread(uv_work_t *work)
{
    struct link *link = work->data;
    link->conn = PQconnectdbParams(link->keywords, link->values, 1);
}

static void on_notice(void *context, const PGresult *notice)
{
    struct link *link = context;
    if (!link->closing) {
        link->hooks.noticed(link->hooks.context, notice);
    }
}

static const char *begin_watching(struct link *link)
{
    if (PQstatus(link->conn) != CONNECTION_OK) {
        return PQerrorMessage(link->conn);
    }
    if (PQsetnonblocking(link->conn, 1) != 0 ||
        uv_poll_init(link->loop, &link->poll, PQsocket(link->conn)) != 0) {
        return "the connection could not be watched";
    }
    link->poll.data = link;
    (void)uv_idle_init(link->loop, &link->lost);
    link->lost.data = link;
    link->num_busy += 2;
    link->open = true;
    (void)PQsetNoticeReceiver(link->conn, on_notice, link);
    return NULL;
}

static void on_opened(uv_work_t *work, int status)
{
    struct link *link = work->data;
    if (!link->closing) {
        const char *problem = status != 0 ? uv_strerror(status) : begin_watching(link);
        link->hooks.opened(link->hooks.context, problem);
    }
    let_go(link);
}

static const char **copy_list(const char *const *list)
{
    size_t num = 0;
    while (list[num] != NULL) {
        num++;
    }
    return mem_copy_texts(list, num + 1);
}

struct link *link_open(uv_loop_t *loop, const char *const *keywords, const char *const *values,
                       const struct link_hooks *hooks)
{
    struct link *link = mem_new(sizeof(*link));
    if (link == NULL) {
        return NULL;
    }
    link->hooks = *hooks;
    link->loop = loop;
    link->keywords = copy_list(keywords);
    link->values = copy_list(values);
    link->opening.data = link;
    link->cancelling.data = link;
    link->num_busy = 1;
    if (link->keywords == NULL || link->values == NULL ||
        uv_queue_work(loop, &link->opening, connect_in_thread, on_opened) != 0) {
        link->closing = true;
        let_go(link);
        return NULL;
    }
    return link;
}

/* ---- cancelling ---- */

static void cancel_in_thread(uv_work_t *work)
{
    struct link *link = work->data;
    char problem[CANCEL_PROBLEM];
    /* When it fails the statement runs on, and is cancelled again. */
    (void)PQcancel(link->cancel, problem, sizeof(problem));
}

static void on_cancelled(uv_work_t *work, int status)
{
    struct link *link = work->data;
    (void)status;
    PQfreeCancel(link->cancel);
    link->cancel = NULL;
    if (!link->closing) {
        link->hooks.cancelled(link->hooks.context);
    }
    let_go(link);
}

bool link_cancel(struct link *link)
{
    if (!link->running || link->cancel != NULL) {
        return false;
    }
    link->cancel = PQgetCancel(link->conn);
    if (link->cancel == NULL) {
        return false;
    }
    link->num_busy++;
    if (uv_queue_work(link->loop, &link->cancelling, cancel_in_thread, on_cancelled) != 0) {
        PQfreeCancel(link->cancel);
        link->cancel = NULL;
        let_go(link);
        return false;
    }
    return true;
}

bool link_is_cancelling(const struct link *link)
{
    return link->cancel != NULL;
}
