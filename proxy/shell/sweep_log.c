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

void sweep_log_item(struct sweep_log *log, const struct sweep_item *item)
{
    struct buf name = {0};
    bool due = item->fate == SWEEP_DUE;
    bool refused = item->fate == SWEEP_REFUSED;
    buf_add_format(&name, "%s.%s", item->schema, item->name);
    if (!was_told(log, item)) {
        log_line(refused ? LOG_WARNING : LOG_INFO, "janitor", "object",
                 buf_text(&name) != NULL ? buf_text(&name) : "?", "what",
                 due ? "would be dropped" : sweep_fate_word(item->fate), "detail",
                 refused ? item->error : "", NULL);
    }
    buf_cleanup(&name);
}

/* What will be so at the next look, too. */
static bool lasts(const struct sweep_item *item)
{
    return item->fate == SWEEP_DUE || item->fate == SWEEP_REFUSED;
}

void sweep_log_end(struct sweep_log *log, const struct sweep *sweep, bool dry_run)
{
    size_t num = sweep_num_items(sweep);
    struct sweep_told *told = mem_new(num * sizeof(*told));
    size_t num_told = 0;
    for (size_t i = 0; i < num; i++) {
        const struct sweep_item *item = sweep_item(sweep, i);
        if (dry_run && item->fate == SWEEP_DUE) {
            sweep_log_item(log, item);
        }
        if (told != NULL && lasts(item)) {
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
