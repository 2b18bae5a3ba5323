/* Tests of proxy/shell/registry.c: who holds families of names, who comes next. */
#include "registry.h"

#include "limits.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct registry *r;

static void set_up(void)
{
    r = registry_new();
    cr_assert(ne(ptr, r, NULL));
}

static void tear_down(void)
{
    registry_free(r);
}

TestSuite(registry_locks, .init = set_up, .fini = tear_down);

/* One name. */
static enum registry_lock_result lock(const char *family, uint64_t session)
{
    return registry_lock(r, &family, 1, session);
}

/* Each letter is a name. */
static enum registry_lock_result lock_all(const char *letters, uint64_t session)
{
    char texts[32][2];
    const char *families[32];
    size_t num = strlen(letters);
    for (size_t i = 0; i < num; i++) {
        texts[i][0] = letters[i];
        texts[i][1] = 0;
        families[i] = texts[i];
    }
    return registry_lock(r, families, num, session);
}

/* The next session that is told; 0: none. */
static uint64_t next(void)
{
    uint64_t session = 0;
    return registry_next_granted(r, &session) ? session : 0;
}

Test(registry_locks, first_one_holds)
{
    cr_expect(eq(int, lock("a", 1), REGISTRY_LOCKED));
    cr_expect(eq(u64, next(), 0)); /* it knows already */
    registry_unlock(r, 1);
    cr_expect(eq(int, lock("a", 2), REGISTRY_LOCKED));
}

Test(registry_locks, queue_in_order_of_arrival)
{
    cr_expect(eq(int, lock("a", 9), REGISTRY_LOCKED));
    for (uint64_t session = 8; session >= 5; session--) {
        cr_expect(eq(int, lock("a", session), REGISTRY_QUEUED));
    }
    cr_expect(eq(u64, next(), 0));
    for (uint64_t session = 9; session > 5; session--) {
        registry_unlock(r, session);
        cr_expect(eq(u64, next(), session - 1));
        cr_expect(eq(u64, next(), 0)); /* told once */
    }
    registry_unlock(r, 5);
    cr_expect(eq(u64, next(), 0));
}

Test(registry_locks, unlock_while_waiting)
{
    (void)!lock("a", 1);
    (void)!lock("a", 2);
    (void)!lock("a", 3);
    registry_unlock(r, 2);
    cr_expect(eq(u64, next(), 0)); /* 1 still holds it */
    registry_unlock(r, 1);
    cr_expect(eq(u64, next(), 3));
}

Test(registry_locks, unlock_before_being_told)
{
    (void)!lock("a", 1);
    (void)!lock("a", 2);
    (void)!lock("a", 3);
    registry_unlock(r, 1);
    registry_unlock(r, 2); /* granted, and gone before it heard of it */
    cr_expect(eq(u64, next(), 3));
    cr_expect(eq(u64, next(), 0));
}

Test(registry_locks, unlock_of_nothing)
{
    registry_unlock(r, 1);
    (void)!lock("a", 1);
    registry_unlock(r, 2);
    registry_unlock(r, 2);
    cr_expect(eq(int, lock("a", 3), REGISTRY_QUEUED));
    cr_expect(eq(u64, next(), 0));
}

Test(registry_locks, two_families)
{
    cr_expect(eq(int, lock("a", 1), REGISTRY_LOCKED));
    cr_expect(eq(int, lock("b", 2), REGISTRY_LOCKED));
    cr_expect(eq(int, lock("b", 3), REGISTRY_QUEUED));
    cr_expect(eq(int, lock("a", 4), REGISTRY_QUEUED));
    cr_expect(eq(int, lock("A", 5), REGISTRY_LOCKED));
    registry_unlock(r, 1);
    cr_expect(eq(u64, next(), 4));
    cr_expect(eq(u64, next(), 0));
    registry_unlock(r, 2);
    cr_expect(eq(u64, next(), 3));
}

Test(registry_locks, a_new_lock_gives_up_the_one_before)
{
    (void)!lock("a", 1);
    (void)!lock("a", 2);
    cr_expect(eq(int, lock("b", 1), REGISTRY_LOCKED));
    cr_expect(eq(u64, next(), 2));
    cr_expect(eq(int, lock("b", 3), REGISTRY_QUEUED));
    /* The same once more: behind those who came meanwhile, and never behind itself. */
    cr_expect(eq(int, lock("b", 1), REGISTRY_QUEUED));
    cr_expect(eq(u64, next(), 3));
    registry_unlock(r, 3);
    cr_expect(eq(u64, next(), 1));
    cr_expect(eq(int, lock("b", 1), REGISTRY_LOCKED));
    registry_unlock(r, 1);
    registry_unlock(r, 2);
    cr_expect(eq(u64, next(), 0));
    cr_expect(eq(int, lock_all("ab", 4), REGISTRY_LOCKED));
}

Test(registry_locks, all_names_or_none)
{
    (void)!lock("b", 1);
    (void)!lock("c", 2);
    cr_expect(eq(int, lock_all("abc", 3), REGISTRY_QUEUED));
    registry_unlock(r, 1);
    cr_expect(eq(u64, next(), 0)); /* c is not free */
    registry_unlock(r, 2);
    cr_expect(eq(u64, next(), 3));
    for (const char *letter = "abc"; *letter != 0; letter++) {
        const char name[] = {*letter, 0};
        cr_expect(eq(int, lock(name, 10), REGISTRY_QUEUED), "%s", name);
    }
    cr_expect(eq(int, lock("d", 11), REGISTRY_LOCKED));
}

/* Whoever wants many is passed by nobody who comes later and wants one of them, though it is free.
 */
Test(registry_locks, who_wants_many_is_not_starved)
{
    (void)!lock("a", 1);
    cr_expect(eq(int, lock_all("ab", 2), REGISTRY_QUEUED));
    cr_expect(eq(int, lock("b", 3), REGISTRY_QUEUED));
    cr_expect(eq(int, lock_all("bc", 4), REGISTRY_QUEUED));
    cr_expect(eq(int, lock("c", 5), REGISTRY_QUEUED)); /* nor is 4 */
    cr_expect(eq(int, lock("d", 6), REGISTRY_LOCKED)); /* nobody wants it */
    registry_unlock(r, 1);
    cr_expect(eq(u64, next(), 2));
    cr_expect(eq(u64, next(), 0));
    registry_unlock(r, 2);
    cr_expect(eq(u64, next(), 3));
    cr_expect(eq(u64, next(), 0));
    registry_unlock(r, 3);
    cr_expect(eq(u64, next(), 4));
    cr_expect(eq(u64, next(), 0));
    registry_unlock(r, 4);
    cr_expect(eq(u64, next(), 5));
}

/* Each holds what the other wants next: nobody waits for ever, since what is held is given up. */
Test(registry_locks, two_that_want_what_the_other_has)
{
    (void)!lock("a", 1);
    (void)!lock("b", 2);
    cr_expect(eq(int, lock_all("ab", 1), REGISTRY_QUEUED));
    cr_expect(eq(int, lock_all("ba", 2), REGISTRY_QUEUED));
    cr_expect(eq(u64, next(), 1));
    cr_expect(eq(u64, next(), 0));
    registry_unlock(r, 1);
    cr_expect(eq(u64, next(), 2));
}

Test(registry_locks, the_end_of_one_lets_many_go_on)
{
    (void)!lock_all("abc", 1);
    (void)!lock("c", 2);
    (void)!lock_all("ab", 3);
    (void)!lock("a", 4);
    registry_unlock(r, 1);
    cr_expect(eq(u64, next(), 2));
    cr_expect(eq(u64, next(), 3));
    cr_expect(eq(u64, next(), 0));
    registry_unlock(r, 3);
    cr_expect(eq(u64, next(), 4));
}

Test(registry_locks, who_waits_for_many_and_leaves)
{
    (void)!lock("a", 1);
    (void)!lock_all("ab", 2);
    (void)!lock_all("bc", 3);
    (void)!lock("c", 4);
    registry_unlock(r, 2);
    cr_expect(eq(u64, next(), 3));
    cr_expect(eq(u64, next(), 0));
    registry_unlock(r, 1);
    registry_unlock(r, 3);
    cr_expect(eq(u64, next(), 4));
    cr_expect(eq(u64, next(), 0));
}

Test(registry_locks, who_waits_asks_for_something_else)
{
    (void)!lock("a", 1);
    (void)!lock_all("ab", 2);
    (void)!lock("b", 3);
    cr_expect(eq(int, lock("c", 2), REGISTRY_LOCKED));
    cr_expect(eq(u64, next(), 3));
    registry_unlock(r, 1);
    cr_expect(eq(u64, next(), 0));
    cr_expect(eq(int, lock("c", 4), REGISTRY_QUEUED));
}

Test(registry_locks, one_name_twice_in_a_list)
{
    cr_expect(eq(int, lock_all("aba", 1), REGISTRY_LOCKED));
    cr_expect(eq(int, lock_all("bb", 2), REGISTRY_QUEUED));
    cr_expect(eq(int, lock_all("aaaa", 3), REGISTRY_QUEUED));
    registry_unlock(r, 1);
    cr_expect(eq(u64, next(), 2));
    cr_expect(eq(u64, next(), 3));
    cr_expect(eq(u64, next(), 0));
    cr_expect(eq(int, lock_all("cba", 4), REGISTRY_QUEUED));
    registry_unlock(r, 3);
    cr_expect(eq(u64, next(), 0));
    registry_unlock(r, 2);
    cr_expect(eq(u64, next(), 4));
}

Test(registry_locks, as_many_names_as_there_may_be)
{
    static char texts[LIMIT_LOCK_FAMILIES][24];
    static const char *families[LIMIT_LOCK_FAMILIES];
    for (size_t i = 0; i < LIMIT_LOCK_FAMILIES; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "\"d\".\"s\".\"v%zu\"", i);
        families[LIMIT_LOCK_FAMILIES - 1 - i] = texts[i];
    }
    cr_expect(eq(int, registry_lock(r, families, LIMIT_LOCK_FAMILIES, 1), REGISTRY_LOCKED));
    for (size_t i = 0; i < LIMIT_LOCK_FAMILIES; i++) {
        cr_expect(eq(int, lock(families[i], 2 + i), REGISTRY_QUEUED));
    }
    cr_expect(eq(int, registry_lock(r, families, LIMIT_LOCK_FAMILIES, 1000), REGISTRY_QUEUED));
    registry_unlock(r, 1);
    for (size_t i = 0; i < LIMIT_LOCK_FAMILIES; i++) {
        cr_expect(eq(u64, next(), 2 + i));
        registry_unlock(r, 2 + i);
    }
    cr_expect(eq(u64, next(), 1000));
}

/* Any lists in any order against the rule itself: whoever came earlier and shares a name is in
 * front. So no two hold one name, and when all leave in the end all had their turn. */
enum { NUM_SESSIONS = 24, NUM_TURNS = 4000 };

struct model {
    unsigned names[NUM_SESSIONS]; /* one bit each; 0: it wants nothing */
    unsigned came[NUM_SESSIONS];
    bool told[NUM_SESSIONS];
};

static bool has_turn(const struct model *m, size_t session)
{
    bool has = m->names[session] != 0;
    for (size_t i = 0; i < NUM_SESSIONS; i++) {
        has = has && (m->came[i] >= m->came[session] || (m->names[i] & m->names[session]) == 0);
    }
    return has;
}

static void compare(struct model *m)
{
    for (uint64_t id = next(); id != 0; id = next()) {
        cr_assert(not(m->told[id - 1]), "%lu is told twice", (unsigned long)id);
        m->told[id - 1] = true;
    }
    for (size_t i = 0; i < NUM_SESSIONS; i++) {
        cr_assert(eq(int, m->told[i], has_turn(m, i)), "%zu", i + 1);
    }
}

static unsigned draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*state >> 33);
}

static void take_turn(struct model *m, uint64_t *state, unsigned turn)
{
    size_t session = draw(state) % NUM_SESSIONS;
    char letters[12] = "";
    m->names[session] = 0;
    m->told[session] = false;
    if (draw(state) % 3 == 0) {
        registry_unlock(r, session + 1);
        return;
    }
    size_t num = 1 + draw(state) % (draw(state) % 4 == 0 ? sizeof(letters) - 1 : 2);
    for (size_t i = 0; i < num; i++) {
        unsigned name = draw(state) % 20;
        letters[i] = (char)('a' + name);
        m->names[session] |= 1U << name;
    }
    m->came[session] = turn;
    m->told[session] = lock_all(letters, session + 1) == REGISTRY_LOCKED;
}

Test(registry_locks, any_lists_in_any_order)
{
    static struct model m;
    uint64_t state = 7;
    for (unsigned turn = 1; turn <= NUM_TURNS; turn++) {
        take_turn(&m, &state, turn);
        compare(&m);
    }
    for (size_t left = NUM_SESSIONS; left > 0; left--) {
        size_t first = 0;
        while (first < NUM_SESSIONS && !m.told[first]) {
            first++;
        }
        if (first == NUM_SESSIONS) {
            break;
        }
        registry_unlock(r, first + 1);
        m.names[first] = 0;
        m.told[first] = false;
        compare(&m);
    }
    for (size_t i = 0; i < NUM_SESSIONS; i++) {
        cr_expect(eq(uint, m.names[i], 0), "%zu never had its turn", i + 1);
    }
}

Test(registry_locks, without_memory)
{
    for (size_t nth = 1; nth <= 2; nth++) {
        mem_fail_at(nth);
        cr_expect(eq(int, lock("a", 1), REGISTRY_NO_MEMORY));
        mem_fail_at(0);
        registry_unlock(r, 1);
    }
    cr_expect(eq(int, lock("a", 2), REGISTRY_LOCKED));
    mem_fail_at(2);
    cr_expect(eq(int, lock_all("ab", 2), REGISTRY_NO_MEMORY));
    mem_fail_at(0);
    cr_expect(eq(int, lock("a", 3), REGISTRY_QUEUED)); /* 2 holds what it held */
    mem_fail_at(1);
    struct registry *none = registry_new();
    mem_fail_at(0);
    cr_expect(eq(ptr, none, NULL));
    registry_free(NULL);
}
