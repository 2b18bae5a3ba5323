/* replanner: see replanner.h. */
#include "replanner.h"

#include "view_server.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

/* One way in which a message may be served. */
struct way {
    struct replanner_state *s;
    const struct replanner_message *message;
    unsigned version; /* of the view */
    unsigned oldest;  /* not dropped */
    struct buf out;
};

void replanner_init(struct replanner *r)
{
    *r = (struct replanner){.num = 1};
}

static size_t place(const char *name)
{
    static const char letters[] = "abpq";
    const char *found = name[0] != 0 ? strchr(letters, name[0]) : NULL;
    return found != NULL ? 1 + (size_t)(found - letters) % 2 : 0;
}

static void fail(struct way *w, const char *message)
{
    view_say_error(&w->out, message);
    w->s->skipping = true;
}

static void fail_changed(struct way *w)
{
    wire_add_error_response(
        &w->out, &(struct wire_report){.severity = "ERROR",
                                       .sqlstate = "0A000",
                                       .message = "cached plan must not change result type",
                                       .routine = "RevalidateCachedQuery"});
    w->s->skipping = true;
}

static void query(struct way *w, const char *text)
{
    struct replanner_state *s = w->s;
    bool begins = text[0] == 'B';
    if (begins && !s->in_transaction) {
        s->begun = w->version;
        s->flight = w->message->flight;
    }
    if (!begins && s->in_transaction) {
        bool other = s->ended > w->message->sent.order && s->ended_flight < s->flight;
        s->ended_flight = other ? s->ended_flight : s->flight;
        s->ended = UINT64_MAX; /* set when it is known */
    }
    s->in_transaction = begins;
    wire_add_command_complete(&w->out, begins ? "BEGIN" : "COMMIT");
    wire_add_ready_for_query(&w->out, begins ? 'T' : 'I');
}

static void parse(struct way *w, struct wire_reader *r)
{
    const char *name = wire_read_text(r);
    struct replanner_entry *e = &w->s->statements[place(name)];
    if (name[0] != 0 && e->used) {
        fail(w, view_error_duplicate_statement);
        return;
    }
    for (size_t i = 0; i < REPLANNER_NAMES; i++) {
        struct replanner_entry *p = &w->s->portals[i];
        p->statement = p->statement == name[0] ? '?' : p->statement;
    }
    *e = (struct replanner_entry){
        .used = true, .reads = strstr(wire_read_text(r), "FROM m") != NULL, .version = w->version};
    view_say(&w->out, "ParseComplete");
}

static bool is_describe_of(const struct replanner_message *message, const char *portal)
{
    return message != NULL && message->tag == CLIENT_DESCRIBE && message->body[0] == 'P' &&
           strcmp((const char *)message->body + 1, portal) == 0;
}

/* Does the client learn other columns than it knows, with the view as it is in this way? */
static bool changes_columns(const struct way *w, const struct replanner_entry *e)
{
    return e->reads && view_columns(e->version) != view_columns(w->version);
}

static void bind(struct way *w, struct wire_reader *r)
{
    const char *name = wire_read_text(r);
    const char *of = wire_read_text(r);
    struct replanner_entry *e = &w->s->statements[place(of)];
    struct replanner_entry *p = &w->s->portals[place(name)];
    if (!e->used) {
        fail(w, view_error_no_statement);
        return;
    }
    bool changes = changes_columns(w, e);
    if (changes && !is_describe_of(w->message->next, name)) {
        fail_changed(w);
        return;
    }
    if (!changes && e->reads) {
        e->version = w->version;
    }
    if (changes) {
        e->other = w->version;
        e->bound = UINT64_MAX; /* set when it is known */
        e->synced = false;
    }
    if (name[0] != 0 && p->used) {
        fail(w, view_error_duplicate_portal);
        return;
    }
    if (changes) {
        e->other = e->version;
        e->version = w->version; /* which it will be told of */
    }
    *p = *e;
    p->statement = of[0];
    view_say(&w->out, "BindComplete");
}

static void describe(struct way *w, struct wire_reader *r)
{
    bool statement = wire_read_u8(r) == 'S';
    size_t at = place(wire_read_text(r));
    const struct replanner_entry *e = statement ? &w->s->statements[at] : &w->s->portals[at];
    if (!e->used) {
        fail(w, view_error_nothing);
        return;
    }
    if (statement) {
        view_say(&w->out, "ParameterDescription \"\\x00\\x00\"");
    }
    view_say_columns(&w->out, e->reads, statement ? w->version : e->version);
}

static void execute(struct way *w, struct wire_reader *r)
{
    const struct replanner_entry *e = &w->s->portals[place(wire_read_text(r))];
    if (!e->used) {
        fail(w, view_error_no_portal);
    } else if (e->reads && e->version < w->oldest && !w->s->in_transaction) {
        fail_changed(w);
    } else if (e->reads && e->version < w->oldest) {
        fail(w, view_error_gone);
    } else if (e->reads && w->s->in_transaction && e->version > w->s->begun) {
        fail(w, view_error_too_young);
    } else {
        view_say_row(&w->out, e->reads, e->version);
    }
}

static void close_one(struct way *w, struct wire_reader *r)
{
    bool statement = wire_read_u8(r) == 'S';
    const char *name = wire_read_text(r);
    if (statement) {
        w->s->statements[place(name)].used = false;
    } else {
        w->s->portals[place(name)].used = false;
    }
    for (size_t i = 0; i < REPLANNER_NAMES && statement; i++) {
        struct replanner_entry *p = &w->s->portals[i];
        p->used = p->used && i != 0 && p->statement != name[0];
    }
    view_say(&w->out, "CloseComplete");
}

static void serve(struct way *w)
{
    const struct replanner_message *m = w->message;
    struct wire_reader r = wire_reader_over(m->body, m->len);
    if (m->tag == CLIENT_SYNC) {
        w->s->skipping = false;
        for (size_t i = 0; i < REPLANNER_NAMES; i++) {
            w->s->statements[i].synced = true;
        }
        wire_add_ready_for_query(&w->out, w->s->in_transaction ? 'T' : 'I');
    } else if (w->s->skipping) {
        /* dropped */
    } else if (m->tag == CLIENT_QUERY) {
        query(w, (const char *)m->body);
    } else if (m->tag == CLIENT_PARSE) {
        parse(w, &r);
    } else if (m->tag == CLIENT_BIND) {
        bind(w, &r);
    } else if (m->tag == CLIENT_DESCRIBE) {
        describe(w, &r);
    } else if (m->tag == CLIENT_EXECUTE) {
        execute(w, &r);
    } else if (m->tag == CLIENT_CLOSE) {
        close_one(w, &r);
    }
}

/* ---- which ways there are ---- */

/* How things stood when the byte before `at` came. */
static struct replanner_moment moment_of(const struct replanner_answers *got, size_t at)
{
    const struct replanner_mark *marks = (const struct replanner_mark *)buf_bytes(&got->marks);
    size_t num = buf_len(&got->marks) / sizeof(*marks);
    size_t i = 0;
    while (i + 1 < num && marks[i].end < at) {
        i++;
    }
    return num != 0 ? marks[i].moment : (struct replanner_moment){0};
}

static bool is_same(const struct replanner_state *a, const struct replanner_state *b)
{
    for (size_t i = 0; i < 2 * REPLANNER_NAMES; i++) {
        bool portal = i >= REPLANNER_NAMES;
        const struct replanner_entry *x =
            portal ? &a->portals[i - REPLANNER_NAMES] : &a->statements[i];
        const struct replanner_entry *y =
            portal ? &b->portals[i - REPLANNER_NAMES] : &b->statements[i];
        if (x->used != y->used ||
            (x->used && (x->reads != y->reads || x->statement != y->statement ||
                         (x->reads && (x->version != y->version || x->other != y->other ||
                                       x->bound != y->bound || x->synced != y->synced))))) {
            return false;
        }
    }
    return a->in_transaction == b->in_transaction && a->skipping == b->skipping &&
           (!a->in_transaction || (a->begun == b->begun && a->flight == b->flight)) &&
           a->ended == b->ended && a->ended_flight == b->ended_flight && a->at == b->at;
}

static void keep(struct replanner *r, const struct replanner_state *s)
{
    for (size_t i = 0; i < r->num; i++) {
        if (is_same(&r->states[i], s)) {
            return;
        }
    }
    if (r->num == REPLANNER_MOST) {
        r->full = true;
        return;
    }
    r->states[r->num++] = *s;
    r->most = r->num > r->most ? r->num : r->most;
}

/* May the Bind leave its statement as it is, although there is a newer version? */
static bool may_stay(const struct replanner_state *s, const struct replanner_message *m,
                     const struct replanner_entry *e, unsigned told)
{
    bool in_old = s->in_transaction && s->flight < told;
    /* The end of one is news when its answer comes. */
    bool in_ended = m->sent.order < s->ended && s->ended_flight < told;
    return e->version >= m->sent.published || in_old || in_ended;
}

/* May it be bound to this version? */
static bool may_follow(const struct replanner_state *s, const struct replanner_message *m,
                       unsigned version)
{
    return !s->in_transaction || version <= s->begun || s->flight == m->sent.told;
}

/* The Bind's statement, if it reads the view and the Bind is served. */
static const struct replanner_entry *follower(const struct replanner_state *s,
                                              const struct replanner_message *m)
{
    const char *portal = (const char *)m->body;
    const struct replanner_entry *e = &s->statements[place(portal + strlen(portal) + 1)];
    return !s->skipping && e->used && e->reads ? e : NULL;
}

/* May the message be served with the view at this version? Answered at any time up to `answered`.
 */
static bool may_be(const struct replanner_state *s, const struct replanner_message *m,
                   unsigned version, const struct replanner_moment *answered)
{
    const struct replanner_entry *e = m->tag == CLIENT_BIND ? follower(s, m) : NULL;
    if (m->tag == CLIENT_DESCRIBE) {
        e = &s->statements[place((const char *)m->body + 1)];
        return version == e->version ||
               (version == e->other && e->synced && m->sent.order < e->bound);
    }
    if (e == NULL) {
        bool counts = m->tag == CLIENT_PARSE || m->tag == CLIENT_QUERY;
        return counts ? version >= m->sent.version : version == m->sent.version;
    }
    if (version == e->version) {
        return may_stay(s, m, e, answered->told);
    }
    return version > e->version && version >= m->sent.published && may_follow(s, m, version);
}

/* What happened with this answer. */
static void note_time(struct replanner_state *s, uint64_t order)
{
    s->ended = s->ended == UINT64_MAX ? order : s->ended;
    for (size_t i = 0; i < REPLANNER_NAMES; i++) {
        struct replanner_entry *e = &s->statements[i];
        e->bound = e->bound == UINT64_MAX ? order : e->bound;
    }
}

/* Serves the message in that way, if the client got what it answers. */
static void go(struct replanner *r, const struct replanner_state *before, struct way *w,
               const struct replanner_answers *got)
{
    struct replanner_state s = *before;
    w->s = &s;
    serve(w);
    size_t len = buf_len(&w->out);
    bool came = len <= buf_len(&got->bytes) - s.at &&
                memcmp(buf_bytes(&got->bytes) + s.at, buf_bytes(&w->out), len) == 0;
    s.at += len;
    struct replanner_moment answered = moment_of(got, s.at);
    /* No later than the answer. */
    bool in_time = len == 0 || (w->version <= answered.version && w->oldest <= answered.oldest);
    note_time(&s, answered.order);
    if (came && in_time && may_be(before, w->message, w->version, &answered)) {
        keep(r, &s);
    }
    buf_cleanup(&w->out);
}

void replanner_take(struct replanner *r, const struct replanner_message *message,
                    const struct replanner_answers *got)
{
    size_t num = r->num;
    struct replanner_moment last = moment_of(got, buf_len(&got->bytes));
    struct replanner_state *before = malloc(sizeof(*before) * (num + 1));
    memcpy(before, r->states, sizeof(*before) * num);
    r->num = 0;
    for (size_t i = 0; i < num; i++) {
        for (unsigned version = 0; version <= last.version; version++) {
            unsigned oldest = message->sent.oldest;
            unsigned newest = message->tag == CLIENT_EXECUTE ? last.oldest : oldest;
            for (; oldest <= newest && may_be(&before[i], message, version, &last); oldest++) {
                struct way w = {.message = message, .version = version, .oldest = oldest};
                go(r, &before[i], &w, got);
            }
        }
    }
    free(before);
}

void replanner_end(struct replanner *r, const struct replanner_answers *got)
{
    size_t num = r->num;
    r->num = 0;
    for (size_t i = 0; i < num; i++) {
        struct replanner_state s = r->states[i];
        if (s.at == buf_len(&got->bytes)) {
            s.at = 0;
            keep(r, &s);
        }
    }
}

void replanner_add_mark(struct replanner_answers *got, const struct replanner_moment *moment)
{
    struct replanner_mark mark = {.end = buf_len(&got->bytes), .moment = *moment};
    buf_add(&got->marks, &mark, sizeof(mark));
}

void replanner_clear_answers(struct replanner_answers *got)
{
    buf_cleanup(&got->bytes);
    buf_cleanup(&got->marks);
}

static void show_entries(const struct replanner_entry *list, const char *letters, struct buf *out)
{
    for (size_t i = 0; i < REPLANNER_NAMES; i++) {
        if (list[i].used) {
            buf_add_format(out, " \"%c\"=%u", letters[i], list[i].reads ? list[i].version : 0);
        }
    }
}

void replanner_show(const struct replanner *r, struct buf *out)
{
    enum { MOST_SHOWN = 8 };
    for (size_t i = 0; i < r->num && i < MOST_SHOWN; i++) {
        const struct replanner_state *s = &r->states[i];
        buf_add_text(out, "perhaps: statements");
        show_entries(s->statements, " ab", out);
        buf_add_text(out, ", portals");
        show_entries(s->portals, " pq", out);
        buf_add_format(out, ", %s%zu bytes answered\n", s->skipping ? "skipping, " : "", s->at);
        if (s->in_transaction) {
            buf_add_format(out, "    in a transaction of %u, flight of %u\n", s->begun, s->flight);
        }
    }
}
