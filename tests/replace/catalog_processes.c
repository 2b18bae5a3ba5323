/*
 * catalog_processes: SHOW PROCESSLIST, with rows that come and go, and the watch over them: what a
 * statement reads may not be dropped while it runs. See catalog.h.
 */
#include "catalog_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_listed(const struct catalog *c, const struct catalog_process *p)
{
    return p->ends_ms != 0 && c->now_ms >= p->began_ms && c->now_ms < p->ends_ms;
}

static void list_process(const struct catalog *c, size_t num, const struct catalog_process *p,
                         struct answer *a)
{
    char id[24];
    char time[32];
    const char *shown = time;
    (void)snprintf(id, sizeof(id), "1:%zu", num);
    (void)snprintf(time, sizeof(time), "%" PRIu64 "ms", c->now_ms - p->began_ms);
    if (p->time != NULL) {
        shown = strcmp(p->time, "NULL") == 0 ? NULL : p->time;
    }
    const char *cells[] = {"1", id, "bob", "127.0.0.1:5000", "dev", shown, p->info};
    /* The worker came with 2.5. */
    size_t first = catalog_at_least(c, 2, 5) ? 0 : 1;
    answer_row(a, 7 - first, cells + first);
}

void read_processes(struct catalog *c, const char *sql, struct answer *a)
{
    const struct catalog_process own = {.info = sql, .began_ms = c->now_ms, .ends_ms = UINT64_MAX};
    const struct catalog_process idle = {.began_ms = 0, .ends_ms = UINT64_MAX, .time = "NULL"};
    list_process(c, 100, &own, a);
    list_process(c, 101, &idle, a);
    for (size_t i = 0; i < CATALOG_PROCESSES; i++) {
        if (is_listed(c, &c->processes[i])) {
            list_process(c, i, &c->processes[i], a);
        }
    }
}

void watch_readers(struct catalog *c, const struct catalog_object *dropped, const char *sql)
{
    for (size_t i = 0; i < CATALOG_PROCESSES; i++) {
        const struct catalog_process *p = &c->processes[i];
        if (is_listed(c, p) && p->reads == dropped->id) {
            catalog_violated(c, "DROP under a statement that reads it", sql);
        }
    }
}
