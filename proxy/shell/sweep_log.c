/* sweep_log: see sweep_log.h. */
#include "sweep_log.h"

#include "buf.h"
#include "log.h"
#include "mem.h"

struct sweep_told {
    uint64_t id;
    enum sweep_fate fate;
};

static bool was_told(const struct sweep_log *log, const struct sweep_item *item)
{
    for (size_t i = 0; i < log->num; i++) {
        if (log->told[i].id == item->id && log->told[i].fate == item->fate) {
            return true;
        }
    }
    return false;
}

static void say(const struct sweep_log *log, const struct sweep_item *item, const char *detail)
{
    struct buf name = {0};
    bool due = item->fate == SWEEP_DUE;
    buf_add_format(&name, "%s.%s", item->schema, item->name);
    if (!was_told(log, item)) {
        log_line(item->fate == SWEEP_REFUSED ? LOG_WARNING : LOG_INFO, "janitor", "object",
                 buf_text(&name) != NULL ? buf_text(&name) : "?", "what",
                 due ? "would be dropped" : sweep_fate_word(item->fate), "detail",
                 detail != NULL ? detail : "", NULL);
    }
    buf_cleanup(&name);
}

void sweep_log_item(struct sweep_log *log, const struct sweep_item *item)
{
    say(log, item, item->error);
}

/* What has been said, and will be so at the next look, too. */
static bool lasts(const struct sweep_item *item, bool dry_run)
{
    return item->fate == SWEEP_REFUSED || item->fate == SWEEP_IN_USE || item->fate == SWEEP_READ ||
           (dry_run && item->fate == SWEEP_DUE);
}

void sweep_log_end(struct sweep_log *log, struct sweep *sweep, bool dry_run)
{
    size_t num = sweep_num_items(sweep);
    struct sweep_told *told = mem_new(num * sizeof(*told));
    size_t num_told = 0;
    for (size_t i = 0; i < num; i++) {
        const struct sweep_item *item = sweep_item(sweep, i);
        if (item->fate == SWEEP_READ) {
            say(log, item, sweep_reader(sweep, i, 0));
        } else if (item->fate == SWEEP_IN_USE || (dry_run && item->fate == SWEEP_DUE)) {
            say(log, item, NULL);
        }
        if (told != NULL && lasts(item, dry_run)) {
            told[num_told++] = (struct sweep_told){.id = item->id, .fate = item->fate};
        }
    }
    mem_free(log->told); /* without memory it is said once more */
    *log = (struct sweep_log){.told = told, .num = num_told};
}

void sweep_log_cleanup(struct sweep_log *log)
{
    mem_free(log->told);
    *log = (struct sweep_log){.told = NULL};
}
