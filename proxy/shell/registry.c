/* registry: see registry.h. Claims are a handful at a time: one list in order of arrival serves.
 * Keys are as many as sessions, and looked for only when one is cancelled: an array, searched
 * through. */
#include "registry.h"

#include "limits.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum claim_state {
    CLAIM_WAITING, /* older claims on the same are in front */
    CLAIM_GRANTED, /* holds it; its session has not been told yet */
    CLAIM_HELD
};

/* A session has one at most. */
struct claim {
    struct claim *next;
    uint64_t session;
    enum claim_state state; /* CLAIM_WAITING as long as there are blockers */
    size_t num_blockers;    /* older claims that share a family with it, held or not */
    const char **families;  /* in order of strcmp; one block */
    size_t num_families;
};

struct slot {
    struct slot *next;
    uint64_t session;
    enum claim_state state; /* CLAIM_WAITING: there are not enough */
};

struct key_entry {
    struct cancel_key key;
    uint64_t session;
};

struct registry {
    uv_mutex_t mutex;
    struct key_entry *keys; /* of all sessions, in no order */
    size_t num_keys;
    size_t room_for_keys;
    struct claim *claims; /* oldest first */
    struct slot *slots;   /* likewise; those that wait are behind those that do not */
    unsigned most_slots;  /* held at one time; 0: any number */
};

struct registry *registry_new(void)
{
    struct registry *r = mem_new(sizeof(*r));
    if (r != NULL && uv_mutex_init(&r->mutex) != 0) {
        mem_free(r);
        return NULL;
    }
    return r;
}

static void claim_free(struct claim *claim)
{
    mem_free(claim->families);
    mem_free(claim);
}

void registry_free(struct registry *r)
{
    if (r == NULL) {
        return;
    }
    while (r->claims != NULL) {
        struct claim *next = r->claims->next;
        claim_free(r->claims);
        r->claims = next;
    }
    while (r->slots != NULL) {
        struct slot *next = r->slots->next;
        mem_free(r->slots);
        r->slots = next;
    }
    uv_mutex_destroy(&r->mutex);
    mem_free(r->keys);
    mem_free(r);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* NULL without memory. */
static struct claim *claim_new(const char *const *families, size_t num, uint64_t session)
{
    struct claim *claim = mem_new(sizeof(*claim));
    const char **copies = mem_copy_texts(families, num);
    if (claim == NULL || copies == NULL) {
        mem_free(claim);
        mem_free(copies);
        return NULL;
    }
    qsort(copies, num, sizeof(*copies), compare_texts);
    *claim = (struct claim){.session = session, .families = copies, .num_families = num};
    return claim;
}

static bool share_a_family(const struct claim *a, const struct claim *b)
{
    size_t at_a = 0;
    size_t at_b = 0;
    while (at_a < a->num_families && at_b < b->num_families) {
        int order = strcmp(a->families[at_a], b->families[at_b]);
        if (order == 0) {
            return true;
        }
        at_a += order < 0 ? 1 : 0;
        at_b += order < 0 ? 0 : 1;
    }
    return false;
}

/* With the mutex held. Those behind it that nobody blocks any more are granted theirs. */
static void give_up(struct registry *r, uint64_t session)
{
    struct claim **at = &r->claims;
    while (*at != NULL && (*at)->session != session) {
        at = &(*at)->next;
    }
    struct claim *claim = *at;
    if (claim == NULL) {
        return;
    }
    *at = claim->next;
    for (struct claim *c = claim->next; c != NULL; c = c->next) {
        if (share_a_family(claim, c) && --c->num_blockers == 0) {
            c->state = CLAIM_GRANTED;
        }
    }
    claim_free(claim);
}

enum registry_lock_result registry_lock(struct registry *r, const char *const *families, size_t num,
                                        uint64_t session)
{
    struct claim *claim = claim_new(families, num, session);
    if (claim == NULL) {
        return REGISTRY_NO_MEMORY;
    }
    uv_mutex_lock(&r->mutex);
    give_up(r, session);
    struct claim **end = &r->claims;
    for (; *end != NULL; end = &(*end)->next) {
        claim->num_blockers += share_a_family(*end, claim) ? 1 : 0;
    }
    *end = claim;
    bool waits = claim->num_blockers != 0;
    claim->state = waits ? CLAIM_WAITING : CLAIM_HELD;
    uv_mutex_unlock(&r->mutex);
    return waits ? REGISTRY_QUEUED : REGISTRY_LOCKED;
}

void registry_unlock(struct registry *r, uint64_t session)
{
    uv_mutex_lock(&r->mutex);
    give_up(r, session);
    uv_mutex_unlock(&r->mutex);
}

bool registry_next_granted(struct registry *r, uint64_t *out_session)
{
    bool found = false;
    uv_mutex_lock(&r->mutex);
    for (struct claim *c = r->claims; c != NULL && !found; c = c->next) {
        if (c->state == CLAIM_GRANTED) {
            c->state = CLAIM_HELD;
            *out_session = c->session;
            found = true;
        }
    }
    uv_mutex_unlock(&r->mutex);
    return found;
}

/* The oldest that wait are granted what there is. */
static void promote_slots(struct registry *r)
{
    unsigned num = 0;
    for (struct slot *s = r->slots; s != NULL && (num < r->most_slots || r->most_slots == 0);
         s = s->next) {
        num++;
        s->state = s->state == CLAIM_WAITING ? CLAIM_GRANTED : s->state;
    }
}

void registry_set_slots(struct registry *r, unsigned most)
{
    uv_mutex_lock(&r->mutex);
    r->most_slots = most;
    promote_slots(r);
    uv_mutex_unlock(&r->mutex);
}

/* With the mutex held; `slot` is the registry's on REGISTRY_SLOT_HELD and _QUEUED. */
static enum registry_slot_result add_slot(struct registry *r, struct slot *slot)
{
    unsigned num_waiting = 0;
    struct slot **end = &r->slots;
    for (; *end != NULL; end = &(*end)->next) {
        num_waiting += (*end)->state == CLAIM_WAITING ? 1 : 0;
    }
    *end = slot;
    promote_slots(r);
    if (slot->state == CLAIM_GRANTED) {
        slot->state = CLAIM_HELD; /* told by the result */
        return REGISTRY_SLOT_HELD;
    }
    if (num_waiting >= LIMIT_WAITING_BUILDS) {
        *end = NULL;
        return REGISTRY_SLOT_FULL;
    }
    return REGISTRY_SLOT_QUEUED;
}

enum registry_slot_result registry_take_slot(struct registry *r, uint64_t session)
{
    struct slot *slot = mem_new(sizeof(*slot));
    if (slot == NULL) {
        return REGISTRY_SLOT_NO_MEMORY;
    }
    *slot = (struct slot){.session = session, .state = CLAIM_WAITING};
    uv_mutex_lock(&r->mutex);
    const struct slot *own = r->slots;
    while (own != NULL && own->session != session) {
        own = own->next;
    }
    enum registry_slot_result result =
        own == NULL ? add_slot(r, slot)
                    : (own->state == CLAIM_HELD ? REGISTRY_SLOT_HELD : REGISTRY_SLOT_QUEUED);
    uv_mutex_unlock(&r->mutex);
    if (own != NULL || result == REGISTRY_SLOT_FULL) {
        mem_free(slot);
    }
    return result;
}

void registry_end_slot(struct registry *r, uint64_t session)
{
    uv_mutex_lock(&r->mutex);
    struct slot **at = &r->slots;
    while (*at != NULL && (*at)->session != session) {
        at = &(*at)->next;
    }
    struct slot *slot = *at;
    if (slot != NULL) {
        *at = slot->next;
        promote_slots(r);
    }
    uv_mutex_unlock(&r->mutex);
    mem_free(slot);
}

bool registry_next_slot(struct registry *r, uint64_t *out_session)
{
    bool found = false;
    uv_mutex_lock(&r->mutex);
    for (struct slot *s = r->slots; s != NULL && !found; s = s->next) {
        if (s->state == CLAIM_GRANTED) {
            s->state = CLAIM_HELD;
            *out_session = s->session;
            found = true;
        }
    }
    uv_mutex_unlock(&r->mutex);
    return found;
}

/* One more than there is room for. */
static bool make_room_for_key(struct registry *r)
{
    if (r->num_keys < r->room_for_keys) {
        return true;
    }
    size_t room = r->room_for_keys != 0 ? 2 * r->room_for_keys : 64;
    struct key_entry *keys = mem_resize(r->keys, room * sizeof(*keys));
    if (keys == NULL) {
        return false;
    }
    r->keys = keys;
    r->room_for_keys = room;
    return true;
}

bool registry_add_key(struct registry *r, const struct cancel_key *key, uint64_t session)
{
    uv_mutex_lock(&r->mutex);
    bool added = make_room_for_key(r);
    if (added) {
        r->keys[r->num_keys++] = (struct key_entry){.key = *key, .session = session};
    }
    uv_mutex_unlock(&r->mutex);
    return added;
}

void registry_forget_key(struct registry *r, uint64_t session)
{
    uv_mutex_lock(&r->mutex);
    for (size_t i = 0; i < r->num_keys; i++) {
        if (r->keys[i].session == session) {
            r->keys[i] = r->keys[--r->num_keys];
            break;
        }
    }
    uv_mutex_unlock(&r->mutex);
}

/* In a time that does not tell how much of a guess was right. */
static bool same_key(const struct cancel_key *a, const struct cancel_key *b)
{
    unsigned difference = 0;
    for (size_t i = 0; i < sizeof(a->bytes); i++) {
        difference |= (unsigned)(a->bytes[i] ^ b->bytes[i]);
    }
    return difference == 0;
}

bool registry_find_key(struct registry *r, const struct cancel_key *key, uint64_t *out_session)
{
    bool found = false;
    uv_mutex_lock(&r->mutex);
    for (size_t i = 0; i < r->num_keys; i++) {
        if (same_key(&r->keys[i].key, key)) {
            *out_session = r->keys[i].session;
            found = true;
        }
    }
    uv_mutex_unlock(&r->mutex);
    return found;
}
