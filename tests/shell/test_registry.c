/* Tests of proxy/shell/registry.c: who holds a slot, who comes next, whose cancel key is which.
 * Locks are in test_registry_locks.c. */
#include "registry.h"

#include "limits.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

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

TestSuite(registry, .init = set_up, .fini = tear_down);

static enum registry_lock_result lock(const char *family, uint64_t session)
{
    return registry_lock(r, &family, 1, session);
}

/* The next session that is told of its slot; 0: none. */
static uint64_t next_slot(void)
{
    uint64_t session = 0;
    return registry_next_slot(r, &session) ? session : 0;
}

/* Sessions first to last ask; so many hold one then. */
static void take_slots(uint64_t first, uint64_t last, uint64_t num_held)
{
    for (uint64_t session = first; session <= last; session++) {
        cr_expect(eq(int, registry_take_slot(r, session),
                     session < first + num_held ? REGISTRY_SLOT_HELD : REGISTRY_SLOT_QUEUED));
    }
}

Test(registry, slots_without_a_limit)
{
    take_slots(1, 200, 200);
    cr_expect(eq(u64, next_slot(), 0));
}

Test(registry, slots_in_order_of_arrival)
{
    registry_set_slots(r, 2);
    take_slots(1, 6, 2);
    cr_expect(eq(u64, next_slot(), 0));
    registry_end_slot(r, 2);
    cr_expect(eq(u64, next_slot(), 3));
    cr_expect(eq(u64, next_slot(), 0)); /* told once */
    registry_end_slot(r, 1);
    registry_end_slot(r, 3);
    cr_expect(eq(u64, next_slot(), 4));
    cr_expect(eq(u64, next_slot(), 5));
    cr_expect(eq(u64, next_slot(), 0));
    registry_end_slot(r, 4);
    cr_expect(eq(u64, next_slot(), 6));
    registry_end_slot(r, 5);
    registry_end_slot(r, 6);
    take_slots(7, 9, 2);
}

Test(registry, nobody_comes_before_one_who_waits)
{
    registry_set_slots(r, 1);
    take_slots(1, 3, 1);
    registry_end_slot(r, 1);
    cr_expect(eq(int, registry_take_slot(r, 4), REGISTRY_SLOT_QUEUED));
    cr_expect(eq(u64, next_slot(), 2));
}

Test(registry, a_slot_that_is_not_held)
{
    registry_set_slots(r, 1);
    registry_end_slot(r, 1);
    take_slots(1, 4, 1);
    registry_end_slot(r, 3); /* while it waits */
    registry_end_slot(r, 3);
    cr_expect(eq(u64, next_slot(), 0));
    registry_end_slot(r, 1);
    registry_end_slot(r, 2); /* granted, and gone before it heard of it */
    cr_expect(eq(u64, next_slot(), 4));
    cr_expect(eq(u64, next_slot(), 0));
}

Test(registry, a_slot_is_one_however_often_it_is_asked_for)
{
    registry_set_slots(r, 1);
    take_slots(1, 2, 1);
    cr_expect(eq(int, registry_take_slot(r, 1), REGISTRY_SLOT_HELD));
    cr_expect(eq(int, registry_take_slot(r, 2), REGISTRY_SLOT_QUEUED));
    registry_end_slot(r, 1);
    cr_expect(eq(u64, next_slot(), 2));
    registry_end_slot(r, 2);
    take_slots(3, 3, 1);
}

Test(registry, too_many_wait_for_a_slot)
{
    registry_set_slots(r, 3);
    take_slots(1, 3 + LIMIT_WAITING_BUILDS, 3);
    cr_expect(eq(int, registry_take_slot(r, 1000), REGISTRY_SLOT_FULL));
    registry_end_slot(r, 1000); /* it is not there */
    registry_end_slot(r, 10);
    cr_expect(eq(int, registry_take_slot(r, 1000), REGISTRY_SLOT_QUEUED));
    cr_expect(eq(int, registry_take_slot(r, 1001), REGISTRY_SLOT_FULL));
    registry_end_slot(r, 1);
    cr_expect(eq(u64, next_slot(), 4));
    cr_expect(eq(int, registry_take_slot(r, 1001), REGISTRY_SLOT_QUEUED));
}

Test(registry, more_slots_and_fewer)
{
    registry_set_slots(r, 1);
    take_slots(1, 6, 1);
    registry_set_slots(r, 3);
    cr_expect(eq(u64, next_slot(), 2));
    cr_expect(eq(u64, next_slot(), 3));
    cr_expect(eq(u64, next_slot(), 0));
    registry_set_slots(r, 1); /* these keep theirs */
    registry_end_slot(r, 1);
    registry_end_slot(r, 3);
    cr_expect(eq(u64, next_slot(), 0));
    registry_end_slot(r, 2);
    cr_expect(eq(u64, next_slot(), 4));
    registry_set_slots(r, 0);
    cr_expect(eq(u64, next_slot(), 5));
    cr_expect(eq(u64, next_slot(), 6));
}

/* A session that ends gives up both, each for its own. */
Test(registry, slots_are_no_locks)
{
    registry_set_slots(r, 1);
    (void)!lock("a", 1);
    take_slots(1, 2, 1);
    registry_unlock(r, 1);
    cr_expect(eq(u64, next_slot(), 0));
    (void)!lock("a", 1);
    registry_end_slot(r, 1);
    cr_expect(eq(u64, next_slot(), 2));
    cr_expect(eq(int, lock("a", 2), REGISTRY_QUEUED));
}

Test(registry, slots_without_memory)
{
    registry_set_slots(r, 1);
    mem_fail_at(1);
    cr_expect(eq(int, registry_take_slot(r, 1), REGISTRY_SLOT_NO_MEMORY));
    mem_fail_at(0);
    take_slots(2, 3, 1);
}

/* Keys whose bytes differ in one place only. */
static struct cancel_key key_of(uint32_t number)
{
    struct cancel_key key = {{1, 2, 3, 4, 5, 6, 7, 8}};
    key.bytes[0] = (uint8_t)(number & 0xff);
    key.bytes[7] = (uint8_t)(number >> 8);
    return key;
}

/* Whose key it is; 0: nobody's. */
static uint64_t owner(uint32_t number)
{
    struct cancel_key key = key_of(number);
    uint64_t session = 77;
    bool found = registry_find_key(r, &key, &session);
    cr_expect(found || session == 77); /* untouched */
    return found ? session : 0;
}

static bool add(uint32_t number, uint64_t session)
{
    struct cancel_key key = key_of(number);
    return registry_add_key(r, &key, session);
}

Test(registry, nobody_has_a_key_that_was_not_given)
{
    cr_expect(eq(u64, owner(1), 0));
    cr_expect(add(1, 5));
    cr_expect(eq(u64, owner(1), 5));
    cr_expect(eq(u64, owner(0), 0));
    cr_expect(eq(u64, owner(0x101), 0));
}

Test(registry, a_forgotten_key_is_nobodys)
{
    cr_expect(add(1, 5));
    cr_expect(add(2, 6));
    cr_expect(add(3, 7));
    registry_forget_key(r, 5);
    registry_forget_key(r, 5);
    registry_forget_key(r, 99);
    cr_expect(eq(u64, owner(1), 0));
    cr_expect(eq(u64, owner(2), 6));
    cr_expect(eq(u64, owner(3), 7));
    registry_forget_key(r, 7);
    registry_forget_key(r, 6);
    cr_expect(eq(u64, owner(2), 0));
    cr_expect(add(2, 8));
    cr_expect(eq(u64, owner(2), 8));
}

Test(registry, many_keys)
{
    enum { MANY = 3000 };
    for (uint32_t i = 0; i < MANY; i++) {
        cr_assert(add(i, i + 1));
    }
    for (uint32_t i = 0; i < MANY; i += 2) {
        registry_forget_key(r, i + 1);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        cr_assert(eq(u64, owner(i), i % 2 == 0 ? 0 : i + 1));
    }
    for (uint32_t i = 0; i < MANY; i += 2) {
        cr_assert(add(i, MANY + i));
    }
    for (uint32_t i = 0; i < MANY; i++) {
        cr_assert(eq(u64, owner(i), i % 2 == 0 ? MANY + i : i + 1));
    }
}

/* Locks and keys of one session have nothing to do with each other. */
Test(registry, keys_are_no_locks)
{
    cr_expect(add(1, 5));
    (void)!lock("a", 5);
    registry_unlock(r, 5);
    cr_expect(eq(u64, owner(1), 5));
    (void)!lock("a", 5);
    registry_forget_key(r, 5);
    cr_expect(eq(int, lock("a", 6), REGISTRY_QUEUED));
}

Test(registry, keys_without_memory)
{
    size_t kept = 0;
    for (uint32_t i = 0; i < 200; i++) {
        mem_fail_at(1);
        bool added = add(i, i + 1);
        mem_fail_at(0);
        kept += added ? 1 : 0;
        cr_expect(eq(u64, owner(i), added ? i + 1 : 0));
        cr_expect(add(i, i + 1)); /* and with memory it is taken */
    }
    cr_expect(lt(sz, kept, 200));
}
