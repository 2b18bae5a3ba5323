/* parsed: see parsed.h. A table of lists: drivers keep up to a thousand statements in a session. */
#include "parsed.h"

#include "limits.h"
#include "mem.h"
#include "mentions.h"

#include <string.h>

enum { NUM_BUCKETS = 128, LONGEST_NAME = 1024 };

const char *parsed_text(const struct parsed_statement *statement)
{
    const char *name = (const char *)buf_bytes(&statement->body);
    return name + strlen(name) + 1;
}

/* FNV-1a */
static size_t bucket_of(const char *name)
{
    uint32_t hash = 2166136261U;
    for (; *name != 0; name++) {
        hash = (hash ^ (uint8_t)*name) * 16777619U;
    }
    return hash % NUM_BUCKETS;
}

static bool is_apart(const struct parsed_statement *e)
{
    return e->old || e->state > PARSED_IN_PLACE;
}

void parsed_enter(struct parsed *k, struct parsed_statement *e, enum parsed_state state,
                  const char *stand_in)
{
    k->num_apart -= is_apart(e) ? 1 : 0;
    if (state != PARSED_CHANGED) {
        memset(e->known, 0, sizeof(e->known));
    } else if (e->state == PARSED_STAND_IN) {
        memcpy(e->known, e->stand_in, sizeof(e->known));
    }
    e->state = state;
    memset(e->stand_in, 0, sizeof(e->stand_in));
    if (stand_in != NULL) {
        memcpy(e->stand_in, stand_in, strlen(stand_in) + 1);
    }
    k->num_apart += is_apart(e) ? 1 : 0;
}

void parsed_told(struct parsed *k, const char *stand_in)
{
    for (size_t i = 0; i < NUM_BUCKETS && k->num != 0; i++) {
        for (struct parsed_statement *e = k->buckets[i]; e != NULL; e = e->next) {
            if (e->state == PARSED_CHANGED && strcmp(e->stand_in, stand_in) == 0) {
                parsed_enter(k, e, PARSED_STAND_IN, stand_in);
                return;
            }
        }
    }
}

void parsed_leave_stand_in(struct parsed *k, struct parsed_statement *e)
{
    size_t before = buf_len(&e->left);
    if (e->stand_in[0] != 0) {
        buf_add(&e->left, e->stand_in, strlen(e->stand_in) + 1);
    }
    e->size += buf_len(&e->left) - before;
    k->memory += buf_len(&e->left) - before;
}

void parsed_forget_left(struct parsed *k, struct parsed_statement *e)
{
    e->size -= buf_len(&e->left);
    k->memory -= buf_len(&e->left);
    buf_cleanup(&e->left);
    buf_init(&e->left, LIMIT_STAND_INS);
}

static void set_old(struct parsed *k, struct parsed_statement *e, bool old)
{
    k->num_apart -= is_apart(e) ? 1 : 0;
    e->old = old;
    k->num_apart += is_apart(e) ? 1 : 0;
}

void parsed_make_old(struct parsed *k, struct parsed_statement *e, uint64_t moved_ms)
{
    set_old(k, e, true);
    e->moved_ms = moved_ms > e->moved_ms ? moved_ms : e->moved_ms;
}

void parsed_make_young(struct parsed *k, struct parsed_statement *e)
{
    set_old(k, e, false);
}

static struct parsed_statement **place_of(const struct parsed *k, const char *name)
{
    struct parsed_statement **at = &k->buckets[bucket_of(name)];
    while (*at != NULL && strcmp((const char *)buf_bytes(&(*at)->body), name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

struct parsed_statement *parsed_find(const struct parsed *k, const char *name)
{
    return k->num != 0 ? *place_of(k, name) : NULL;
}

/* Its answer, if one is to come, is of nothing that is kept. */
static void leave_sent(struct parsed *k, const struct parsed_statement *e)
{
    for (size_t i = 0; i < k->num_sent; i++) {
        if (k->sent[i].statement == e) {
            k->sent[i].statement = NULL;
        }
    }
}

static void drop(struct parsed *k, struct parsed_statement **at)
{
    struct parsed_statement *e = *at;
    set_old(k, e, false);
    parsed_enter(k, e, PARSED_IN_PLACE, NULL);
    leave_sent(k, e);
    *at = e->next;
    k->num--;
    k->memory -= e->size;
    buf_cleanup(&e->left);
    buf_cleanup(&e->body);
    mem_free(e);
}

void parsed_cleanup(struct parsed *k)
{
    for (size_t i = 0; i < NUM_BUCKETS && k->buckets != NULL; i++) {
        while (k->buckets[i] != NULL) {
            drop(k, &k->buckets[i]);
        }
    }
    mem_free(k->buckets);
    mem_free(k->sent);
    *k = (struct parsed){.num_over = k->num_over,
                         .unclear = k->unclear || k->num_sent != 0,
                         .skipping = k->skipping};
}

void parsed_shed(struct parsed *k)
{
    for (size_t i = 0; i < NUM_BUCKETS && k->buckets != NULL; i++) {
        for (struct parsed_statement **at = &k->buckets[i]; *at != NULL;) {
            if ((*at)->state > PARSED_IN_PLACE) {
                at = &(*at)->next;
            } else {
                drop(k, at);
            }
        }
    }
    if (k->num == 0) {
        parsed_cleanup(k);
    }
}

void parsed_forget(struct parsed *k, const char *name)
{
    struct parsed_statement **at = k->num != 0 ? place_of(k, name) : NULL;
    if (at != NULL && *at != NULL) {
        drop(k, at);
    }
}

/* ---- what is on its way ---- */

static void consume_sent(struct parsed *k, size_t num)
{
    if (num != 0) {
        k->num_sent -= num;
        memmove(k->sent, k->sent + num, k->num_sent * sizeof(k->sent[0]));
    }
}

/* The first `num` of what was sent have failed, or may have. */
static void give_up_sent(struct parsed *k, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        const struct parsed_statement *e = k->sent[i].statement;
        if (e != NULL) {
            parsed_forget(k, (const char *)buf_bytes(&e->body));
        }
    }
    consume_sent(k, num);
}

void parsed_settle(struct parsed *k)
{
    give_up_sent(k, k->num_sent);
    k->unclear = false;
    k->skipping = false;
}

bool parsed_is_unclear(const struct parsed *k)
{
    return k->unclear;
}

void parsed_parse_unseen(struct parsed *k)
{
    give_up_sent(k, k->num_sent);
    k->unclear = true;
}

void parsed_bind_unseen(struct parsed *k)
{
    k->unseen_bind = k->num_added;
}

bool parsed_may_have_portals(const struct parsed *k, const struct parsed_statement *e)
{
    return e->named_portals || e->number <= k->unseen_bind;
}

static bool make_room_for_sent(struct parsed *k)
{
    if (k->num_sent < k->room_sent) {
        return true;
    }
    size_t room = k->room_sent != 0 ? 2 * k->room_sent : 8;
    struct parsed_sent *sent =
        room > LIMIT_PARSED_SENT ? NULL : mem_resize(k->sent, room * sizeof(*sent));
    if (sent != NULL) {
        k->sent = sent;
        k->room_sent = room;
    }
    return sent != NULL;
}

static void push_sent(struct parsed *k, enum parsed_sent_kind kind, struct parsed_statement *e)
{
    if (make_room_for_sent(k)) {
        k->sent[k->num_sent++] = (struct parsed_sent){.kind = kind, .statement = e};
        return;
    }
    if (e != NULL) {
        parsed_forget(k, (const char *)buf_bytes(&e->body));
    }
    parsed_parse_unseen(k);
}

bool parsed_barrier_sent(struct parsed *k, enum parsed_sent_kind kind)
{
    if (k->unclear) {
        return true;
    }
    if (k->skipping && kind != SENT_SYNC) {
        return false;
    }
    k->skipping = false;
    push_sent(k, kind, NULL);
    return true;
}

void parsed_parse_complete(struct parsed *k)
{
    if (k->num_sent == 0 || k->sent[0].kind != SENT_PARSE) {
        parsed_parse_unseen(k); /* it answers nothing that is known */
        return;
    }
    if (k->sent[0].statement != NULL) {
        parsed_enter(k, k->sent[0].statement, PARSED_IN_PLACE, NULL);
    }
    consume_sent(k, 1);
}

void parsed_ready(struct parsed *k)
{
    if (k->num_sent != 0 && k->sent[0].kind != SENT_PARSE) {
        consume_sent(k, 1);
    } else if (k->num_sent != 0) {
        parsed_parse_unseen(k);
    }
}

/* Whose it is can be told: it is of the oldest series, or of a Query in front of it. */
static bool is_of_series(const struct parsed *k, enum parsed_error error)
{
    size_t at = 0;
    while (at < k->num_sent && k->sent[at].kind == SENT_PARSE) {
        at++;
    }
    bool query_first = at < k->num_sent && k->sent[at].kind != SENT_SYNC;
    return error == ERROR_OF_SERIES || (error == ERROR_OF_ANY && !query_first) ||
           (error == ERROR_OF_PARSE && at != 0);
}

size_t parsed_error(struct parsed *k, enum parsed_error error)
{
    if (k->unclear || (k->num_sent != 0 && k->sent[0].kind == SENT_QUERY_ALONE)) {
        return 0;
    }
    if (!is_of_series(k, error)) {
        parsed_parse_unseen(k);
        return 0;
    }
    /* All up to its Sync is skipped. */
    size_t at = 0;
    size_t num_queries = 0;
    for (; at < k->num_sent && k->sent[at].kind != SENT_SYNC; at++) {
        num_queries += k->sent[at].kind != SENT_PARSE ? 1 : 0;
    }
    k->skipping = at == k->num_sent;
    give_up_sent(k, at);
    return num_queries;
}

/* ---- keeping ---- */

static bool may_keep(struct parsed *k, const uint8_t *body, size_t size)
{
    /* A longer name could be closed by a message that is not looked at. */
    bool good = strlen((const char *)body) <= LONGEST_NAME && k->num < LIMIT_PARSED_NUM &&
                size <= LIMIT_PARSED - k->memory;
    k->num_over += good ? 0 : 1;
    return good;
}

/* NULL: it is not kept. The name is free. */
static struct parsed_statement *add(struct parsed *k, const uint8_t *body, size_t len)
{
    struct parsed_statement *e = NULL;
    size_t size = len + sizeof(*e);
    if (!may_keep(k, body, size)) {
        return NULL;
    }
    if (k->buckets == NULL) {
        k->buckets = mem_new(NUM_BUCKETS * sizeof(struct parsed_statement *));
    }
    e = k->buckets != NULL ? mem_new(sizeof(*e)) : NULL;
    if (e == NULL) {
        return NULL;
    }
    buf_add(&e->body, body, len);
    if (buf_failed(&e->body)) {
        buf_cleanup(&e->body);
        mem_free(e);
        return NULL;
    }
    buf_init(&e->left, LIMIT_STAND_INS);
    e->size = size;
    struct parsed_statement **at = &k->buckets[bucket_of((const char *)body)];
    e->next = *at;
    *at = e;
    k->num++;
    e->number = ++k->num_added;
    k->memory += size;
    return e;
}

/* What is kept under the name of a Parse stays only if that Parse cannot succeed. */
static bool name_is_free(struct parsed *k, const char *name)
{
    if (name[0] == 0) {
        parsed_forget(k, name);
    }
    return parsed_find(k, name) == NULL;
}

void parsed_parse_sent(struct parsed *k, const uint8_t *body, size_t len, bool keep)
{
    struct parsed_statement *e = NULL;
    /* Even when it is to be skipped: another text must never be taken for what the server has. */
    bool is_free = name_is_free(k, (const char *)body);
    if (k->unclear || k->skipping) {
        return;
    }
    if (is_free && keep) {
        e = add(k, body, len);
    }
    push_sent(k, SENT_PARSE, e);
}

void parsed_add(struct parsed *k, const uint8_t *body, size_t len)
{
    parsed_forget(k, (const char *)body);
    struct parsed_statement *e = add(k, body, len);
    if (e != NULL) {
        parsed_enter(k, e, PARSED_IN_PLACE, NULL);
    }
}

/* ---- which are old ---- */

void parsed_mark(struct parsed *k, const char *names, size_t len, uint64_t moved_ms)
{
    struct mentions mentions;
    mentions_init(&mentions, names, len);
    for (size_t i = 0; i < NUM_BUCKETS && k->num != 0; i++) {
        for (struct parsed_statement *e = k->buckets[i]; e != NULL; e = e->next) {
            if (mentions_any(&mentions, parsed_text(e))) {
                parsed_make_old(k, e, moved_ms);
            }
        }
    }
}

void parsed_mark_rest(struct parsed *k, uint64_t moved_ms)
{
    for (size_t i = 0; i < NUM_BUCKETS && k->num != 0; i++) {
        for (struct parsed_statement *e = k->buckets[i]; e != NULL; e = e->next) {
            if (!e->old && e->state != PARSED_CHANGED) {
                parsed_make_old(k, e, moved_ms);
            }
        }
    }
}
