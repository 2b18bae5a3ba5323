/* sweep: see sweep.h. One state (enum sweep_step) with one table: a step asks one thing, and taking
 * its result names the next. It is long because each step is a question and its answer, which
 * belong next to one another. */
#include "sweep_internal.h"

#include "mem.h"
#include "rows.h"
#include "sql_format.h"

#include <string.h>

/* A copy that lives as long as the sweep; NULL without memory. */
static const char *keep_text(struct sweep *s, const char *text)
{
    struct buf copy = {0};
    buf_add_text(&copy, text);
    return text_list_take(&s->texts, &copy) ? s->texts.items[s->texts.num - 1] : NULL;
}

static enum sweep_step fail(struct sweep *s, const char *sqlstate, const char *message)
{
    const char *kept_message = keep_text(s, message);
    const char *kept_sqlstate = kept_message != NULL ? keep_text(s, sqlstate) : NULL;
    s->error = (struct replace_notice){
        .severity = "ERROR",
        .sqlstate = kept_sqlstate != NULL ? kept_sqlstate : "53200",
        .message = kept_message != NULL ? kept_message : "out of memory",
    };
    return SWEEP_STEP_DONE;
}

static enum sweep_step fail_without_memory(struct sweep *s)
{
    return fail(s, "53200", "out of memory");
}

/* ", "-separated ids of the items, or of what has their views' names, too; "0" when there are none:
 * the list must not be empty. */
static void add_ids(struct sweep *s, bool live, bool indexes_only)
{
    buf_add_text(&s->sql, "(0");
    for (size_t i = 0; i < s->num_works; i++) {
        const struct sweep_work *work = &s->works[i];
        if (!indexes_only || work->item.kind == SWEEP_INDEX) {
            sql_format(&s->sql, ", %u", work->item.id);
        }
        if (live && work->live_id != 0) {
            sql_format(&s->sql, ", %u", work->live_id);
        }
    }
    buf_add_text(&s->sql, ")");
}

/* ---- looking ---- */

static void ask_version(struct sweep *s)
{
    buf_add_text(&s->sql, "SELECT version()");
}

static enum sweep_step take_version(struct sweep *s, const struct replace_result *result)
{
    const char *text = cell(result, 0, 0);
    if (text == NULL || !server_version_parse(text, &s->version)) {
        return fail(s, "0A000", "the server is not a RisingWave");
    }
    return SWEEP_STEP_RELATIONS;
}

/* All of them: a pattern of LIKE would have to be trusted with underscores in it. */
static void ask_relations(struct sweep *s)
{
    buf_add_text(&s->sql, "SELECT r.id, s.name, r.name, r.relation_type, o.name"
                          " FROM rw_catalog.rw_relations r"
                          " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
                          " LEFT JOIN rw_catalog.rw_users o ON o.id = r.owner"
                          " WHERE r.relation_type IN ('materialized view', 'view', 'index')");
}

static enum sweep_step take_relations(struct sweep *s, const struct replace_result *result)
{
    if (!kept_rows_set(&s->relations, result) || !sweep_find_items(s)) {
        return fail_without_memory(s);
    }
    return s->num_works != 0 ? SWEEP_STEP_CREATED : SWEEP_STEP_DONE;
}

static void ask_created(struct sweep *s)
{
    buf_add_text(&s->sql, "SELECT m.id, EXTRACT(EPOCH FROM m.created_at)"
                          " FROM rw_catalog.rw_materialized_views m WHERE m.id IN ");
    add_ids(s, true, false);
}

static enum sweep_step take_created(struct sweep *s, const struct replace_result *result)
{
    sweep_take_created(s, result);
    return SWEEP_STEP_INDEXES;
}

static void ask_indexes(struct sweep *s)
{
    buf_add_text(&s->sql, "SELECT i.id, i.primary_table_id, j.progress FROM rw_catalog.rw_indexes i"
                          " LEFT JOIN rw_catalog.rw_ddl_progress j ON j.ddl_id = i.id"
                          " WHERE i.primary_table_id IN ");
    add_ids(s, true, false);
    buf_add_text(&s->sql, " OR i.id IN ");
    add_ids(s, false, true);
}

/* An index that is being built keeps its view from being dropped. */
static enum sweep_step take_indexes(struct sweep *s, const struct replace_result *result)
{
    if (!sweep_take_indexes(s, result)) {
        return fail_without_memory(s);
    }
    for (size_t row = 0; row < result->num_rows; row++) {
        if (cell(result, row, 2) != NULL) {
            sweep_note_building(s, cell_id(result, row, 1));
        }
    }
    return server_has_streaming_jobs(s->version) ? SWEEP_STEP_JOBS : SWEEP_STEP_PROGRESS;
}

static void ask_jobs(struct sweep *s)
{
    buf_add_text(&s->sql, "SELECT j.id, j.status FROM rw_catalog.rw_streaming_jobs j"
                          " WHERE j.id IN ");
    add_ids(s, true, false);
}

static enum sweep_step take_jobs(struct sweep *s, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        if (!same_text(cell(result, row, 1), "CREATED")) {
            sweep_note_building(s, cell_id(result, row, 0));
        }
    }
    return SWEEP_STEP_PROGRESS;
}

static void ask_progress(struct sweep *s)
{
    buf_add_text(&s->sql, "SELECT p.ddl_id, p.progress FROM rw_catalog.rw_ddl_progress p");
}

static enum sweep_step take_progress(struct sweep *s, const struct replace_result *result)
{
    if (!kept_rows_set(&s->progress, result)) {
        return fail_without_memory(s);
    }
    const struct replace_result *rows = &s->progress.rows;
    for (size_t row = 0; row < rows->num_rows; row++) {
        struct sweep_work *work = sweep_work_of(s, cell_id(rows, row, 0));
        sweep_note_building(s, cell_id(rows, row, 0));
        if (work != NULL) {
            work->item.progress = cell(rows, row, 1);
        }
    }
    s->at = 0;
    return SWEEP_STEP_LISTED;
}

/* Items are ordered by schema. */
static void ask_listed(struct sweep *s)
{
    sql_format(&s->sql, "SHOW MATERIALIZED VIEWS FROM %I", s->works[s->at].item.schema);
}

/* It lists what is finished: the one test that every version has. */
static enum sweep_step take_listed(struct sweep *s, const struct replace_result *result)
{
    const char *schema = s->works[s->at].item.schema;
    for (; s->at < s->num_works && same_text(s->works[s->at].item.schema, schema); s->at++) {
        struct sweep_work *work = &s->works[s->at];
        if (work->item.kind == SWEEP_MATERIALIZED_VIEW &&
            !rows_show(result, schema, work->item.name)) {
            work->building = true;
        }
    }
    return s->at < s->num_works ? SWEEP_STEP_LISTED : SWEEP_STEP_READERS;
}

/* What reads an index reads its table: a drop would take the index along. */
static void ask_readers(struct sweep *s)
{
    buf_add_text(
        &s->sql,
        "SELECT COALESCE(i.primary_table_id, x.refobjid), x.objid, d.relation_type, n.name, d.name"
        " FROM rw_catalog.rw_depend x"
        " LEFT JOIN rw_catalog.rw_indexes i ON i.id = x.refobjid"
        " LEFT JOIN rw_catalog.rw_relations d ON d.id = x.objid"
        " LEFT JOIN rw_catalog.rw_schemas n ON n.id = d.schema_id"
        " WHERE x.refobjid IN ");
    add_ids(s, false, false);
    buf_add_text(&s->sql, " OR i.primary_table_id IN ");
    add_ids(s, false, false);
}

static enum sweep_step take_readers(struct sweep *s, const struct replace_result *result)
{
    return kept_rows_set(&s->readers, result) ? SWEEP_STEP_SIZES : fail_without_memory(s);
}

static void ask_sizes(struct sweep *s)
{
    buf_add_text(&s->sql, "SELECT t.id, t.total_key_size + t.total_value_size"
                          " FROM rw_catalog.rw_table_stats t WHERE t.id IN ");
    add_ids(s, false, false);
}

static enum sweep_step take_sizes(struct sweep *s, const struct replace_result *result)
{
    sweep_take_sizes(s, result);
    return SWEEP_STEP_PROCESSES;
}

/* Nothing depends on it. */
static enum sweep_step refused_sizes(struct sweep *s, const struct replace_result *result)
{
    (void)s;
    (void)result;
    return SWEEP_STEP_PROCESSES;
}

static void ask_processes(struct sweep *s)
{
    buf_add_text(&s->sql, "SHOW PROCESSLIST");
}

/* ---- dropping ---- */

static enum sweep_step next_drop(struct sweep *s)
{
    s->at = s->options.drops && !s->stopped ? sweep_next_due(s) : s->num_works;
    if (s->at < s->num_works) {
        return SWEEP_STEP_LOCK;
    }
    for (size_t i = 0; i < s->num_works && s->options.drops && !s->stopped; i++) {
        if (s->works[i].item.fate == SWEEP_DUE) {
            s->works[i].item.fate = SWEEP_READ; /* by one that could not be dropped */
        }
    }
    return SWEEP_STEP_DONE;
}

static enum sweep_step end_drop(struct sweep *s, enum sweep_fate fate)
{
    s->works[s->at].item.fate = fate;
    s->ended = s->at;
    s->has_ended = true;
    return next_drop(s);
}

static enum sweep_step take_processes(struct sweep *s, const struct replace_result *result)
{
    sweep_take_processes(s, result);
    sweep_judge(s);
    return next_drop(s);
}

static enum sweep_step take_lock(struct sweep *s, const struct replace_result *result)
{
    return result->kind == REPLACE_LOCKED ? SWEEP_STEP_STILL_PROCESSES
                                          : end_drop(s, SWEEP_REPLACING);
}

static enum sweep_step take_still_processes(struct sweep *s, const struct replace_result *result)
{
    return sweep_is_in_use(s, &s->works[s->at], result) ? end_drop(s, SWEEP_IN_USE)
                                                        : SWEEP_STEP_LOOK;
}

/* A drop goes by the name. */
static void ask_look(struct sweep *s)
{
    sql_format(&s->sql,
               "SELECT s.name, r.name, r.relation_type FROM rw_catalog.rw_relations r"
               " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id WHERE r.id = %u",
               s->works[s->at].item.id);
}

static enum sweep_step take_look(struct sweep *s, const struct replace_result *result)
{
    const struct sweep_item *item = &s->works[s->at].item;
    bool same = result->num_rows == 1 && same_text(cell(result, 0, 0), item->schema) &&
                same_text(cell(result, 0, 1), item->name) &&
                same_text(cell(result, 0, 2), sweep_kind_word(item->kind));
    s->works[s->at].taken = !same && result->num_rows != 0;
    return !same ? end_drop(s, SWEEP_GONE) : s->stopped ? SWEEP_STEP_DONE : SWEEP_STEP_DROP;
}

static void ask_drop(struct sweep *s)
{
    const struct sweep_item *item = &s->works[s->at].item;
    sql_format(&s->sql,
               item->kind == SWEEP_VIEW ? "DROP VIEW %I.%I" : "DROP MATERIALIZED VIEW %I.%I",
               item->schema, item->name);
}

static enum sweep_step take_drop(struct sweep *s, const struct replace_result *result)
{
    (void)result;
    return end_drop(s, SWEEP_DROPPED);
}

static enum sweep_step refused_drop(struct sweep *s, const struct replace_result *result)
{
    struct sweep_item *item = &s->works[s->at].item;
    const char *error = keep_text(s, result->error.message);
    item->error = error != NULL ? error : "";
    return end_drop(s, SWEEP_REFUSED);
}

/* ---- the conversation ---- */

static const struct {
    void (*ask)(struct sweep *s);
    enum sweep_step (*take)(struct sweep *s, const struct replace_result *result);
    enum sweep_step (*refused)(struct sweep *s, const struct replace_result *result); /* or NULL */
    size_t num_columns; /* at least, of any row */
    size_t num_ids;     /* so many of the first are ids, and never NULL */
} steps[NUM_SWEEP_STEPS] = {
    [SWEEP_STEP_VERSION] = {ask_version, take_version, NULL, 1, 0},
    [SWEEP_STEP_RELATIONS] = {ask_relations, take_relations, NULL, 5, 1},
    [SWEEP_STEP_CREATED] = {ask_created, take_created, NULL, 2, 1},
    [SWEEP_STEP_INDEXES] = {ask_indexes, take_indexes, NULL, 3, 2},
    [SWEEP_STEP_JOBS] = {ask_jobs, take_jobs, NULL, 2, 1},
    [SWEEP_STEP_PROGRESS] = {ask_progress, take_progress, NULL, 2, 1},
    [SWEEP_STEP_LISTED] = {ask_listed, take_listed, NULL, 1, 0},
    [SWEEP_STEP_READERS] = {ask_readers, take_readers, NULL, 5, 2},
    [SWEEP_STEP_SIZES] = {ask_sizes, take_sizes, refused_sizes, 2, 0},
    [SWEEP_STEP_PROCESSES] = {ask_processes, take_processes, NULL, 6, 0},
    [SWEEP_STEP_LOCK] = {NULL, take_lock, NULL, 0, 0},
    [SWEEP_STEP_STILL_PROCESSES] = {ask_processes, take_still_processes, NULL, 6, 0},
    [SWEEP_STEP_LOOK] = {ask_look, take_look, NULL, 3, 0},
    [SWEEP_STEP_DROP] = {ask_drop, take_drop, refused_drop, 0, 0},
};

void sweep_next(struct sweep *s, struct sweep_request *out_request)
{
    *out_request = (struct sweep_request){.kind = SWEEP_DONE};
    if (s->step == SWEEP_STEP_LOCK) {
        out_request->kind = SWEEP_LOCK;
        out_request->schema = s->works[s->at].item.schema;
        out_request->family = s->works[s->at].item.family;
        return;
    }
    if (s->step == SWEEP_STEP_DONE) {
        return;
    }
    buf_cleanup(&s->sql);
    steps[s->step].ask(s);
    out_request->sql = buf_text(&s->sql);
    if (out_request->sql == NULL) {
        s->step = fail_without_memory(s);
        return;
    }
    out_request->kind = SWEEP_RUN;
}

/* A lock is answered without rows, and told by other kinds. */
static bool is_strange(const struct sweep *s, const struct replace_result *result)
{
    if (s->step == SWEEP_STEP_LOCK) {
        return false;
    }
    if (result->kind != REPLACE_OK ||
        (result->num_rows != 0 && result->num_columns < steps[s->step].num_columns)) {
        return true;
    }
    for (size_t row = 0; row < result->num_rows; row++) {
        for (size_t column = 0; column < steps[s->step].num_ids; column++) {
            if (cell_id(result, row, column) == 0) {
                return true;
            }
        }
    }
    return false;
}

void sweep_result(struct sweep *s, const struct replace_result *result, struct moment now)
{
    s->now = now;
    if (s->step == SWEEP_STEP_DONE) {
        return;
    }
    if (result->kind == REPLACE_LOST) {
        s->step = fail(s, "08006", "the connection to the server is lost");
    } else if (result->kind == REPLACE_ERROR && steps[s->step].refused != NULL) {
        s->step = steps[s->step].refused(s, result);
    } else if (result->kind == REPLACE_ERROR) {
        s->step = fail(s, result->error.sqlstate, result->error.message);
    } else if (is_strange(s, result)) {
        /* Nothing may be read out of it, and least of all that there is nothing. */
        s->step = fail(s, "XX000", "the server answered something else than was asked for");
    } else {
        s->step = steps[s->step].take(s, result);
    }
}

void sweep_stop(struct sweep *s)
{
    s->stopped = true;
}

static bool copy_known(struct sweep *s, const struct sweep_known *known, size_t num)
{
    s->known = mem_new(num * sizeof(*s->known));
    if (s->known == NULL) {
        return false;
    }
    for (size_t i = 0; i < num; i++) {
        s->known[i] = known[i];
        s->known[i].schema = NULL;
        s->known[i].name = NULL;
    }
    s->options.num_known = num;
    for (size_t i = 0; i < num; i++) {
        if (known[i].until_us != 0) {
            s->known[i].schema = mem_copy(known[i].schema, strlen(known[i].schema));
            s->known[i].name = mem_copy(known[i].name, strlen(known[i].name));
            if (s->known[i].schema == NULL || s->known[i].name == NULL) {
                return false;
            }
        }
    }
    return true;
}

static void free_known(struct sweep *s)
{
    for (size_t i = 0; i < s->options.num_known; i++) {
        mem_free((char *)s->known[i].schema);
        mem_free((char *)s->known[i].name);
    }
    mem_free(s->known);
}

struct sweep *sweep_new(const struct sweep_options *options, struct moment now)
{
    struct sweep *s = mem_new(sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->options = *options;
    s->now = now;
    s->options.schema = NULL; /* the caller's */
    s->options.known = NULL;
    s->options.num_known = 0;
    s->schema = options->schema != NULL ? mem_copy(options->schema, strlen(options->schema)) : NULL;
    if ((options->schema != NULL && s->schema == NULL) ||
        !copy_known(s, options->known, options->num_known)) {
        sweep_free(s);
        return NULL;
    }
    return s;
}

void sweep_free(struct sweep *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->num_works; i++) {
        mem_free(s->works[i].family);
    }
    mem_free(s->works);
    mem_free(s->schema);
    free_known(s);
    kept_rows_cleanup(&s->relations);
    kept_rows_cleanup(&s->progress);
    kept_rows_cleanup(&s->readers);
    text_list_cleanup(&s->texts);
    buf_cleanup(&s->sql);
    mem_free(s);
}

/* ---- what came out ---- */

size_t sweep_num_items(const struct sweep *s)
{
    return s->judged ? s->num_works : 0;
}

const struct sweep_item *sweep_item(const struct sweep *s, size_t at)
{
    return &s->works[at].item;
}

static const char *reader_name(struct sweep *s, size_t row)
{
    const struct replace_result *rows = &s->readers.rows;
    const char *schema = cell(rows, row, READER_SCHEMA);
    const char *name = cell(rows, row, READER_NAME);
    struct buf text = {0};
    if (schema != NULL && name != NULL) {
        buf_add_format(&text, "%s.%s", schema, name);
    } else {
        buf_add_format(&text, "an object that this user cannot see (id %llu)",
                       (unsigned long long)cell_id(rows, row, READER_ID));
    }
    return text_list_take(&s->texts, &text) ? s->texts.items[s->texts.num - 1] : "?";
}

const char *sweep_reader(struct sweep *s, size_t at, size_t nth)
{
    const struct replace_result *rows = &s->readers.rows;
    for (size_t row = 0; row < rows->num_rows; row++) {
        if (cell_id(rows, row, READER_OF) == s->works[at].item.id &&
            !same_text(cell(rows, row, READER_TYPE), "index") && nth-- == 0) {
            return reader_name(s, row);
        }
    }
    return NULL;
}

const struct sweep_item *sweep_take_ended(struct sweep *s)
{
    const struct sweep_item *item = s->has_ended ? &s->works[s->ended].item : NULL;
    s->has_ended = false;
    return item;
}

const struct replace_notice *sweep_error(const struct sweep *s)
{
    return s->error.message != NULL ? &s->error : NULL;
}
