/* sweep_server: see sweep_server.h. It is long because every question of the sweep has its own
 * answer here. */
#include "sweep_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_IDS = 64, NAME_ROOM = 160 };

struct ids {
    uint64_t items[MOST_IDS];
    size_t num;
};

static void problem(struct sweep_server *server, const char *what, const char *text)
{
    if (server->problem[0] == 0) {
        (void)snprintf(server->problem, sizeof(server->problem), "%s: %s", what, text);
    }
}

/* ---- reading SQL ---- */

static bool take(const char **at, const char *text)
{
    size_t len = strlen(text);
    if (strncmp(*at, text, len) != 0) {
        return false;
    }
    *at += len;
    return true;
}

static bool take_number(const char **at, uint64_t *out)
{
    char *end = NULL;
    if (**at < '0' || **at > '9') {
        return false;
    }
    *out = strtoull(*at, &end, 10);
    *at = end;
    return true;
}

static bool take_ids(const char **at, struct ids *out)
{
    *out = (struct ids){.num = 0};
    if (!take(at, "(0")) {
        return false;
    }
    while (take(at, ", ") && out->num < MOST_IDS) {
        if (!take_number(at, &out->items[out->num++])) {
            return false;
        }
    }
    return take(at, ")");
}

static bool take_name(const char **at, char out[NAME_ROOM])
{
    size_t len = 0;
    if (!take(at, "\"")) {
        return false;
    }
    while (**at != '"' && **at != 0 && len + 1 < NAME_ROOM) {
        out[len++] = *(*at)++;
    }
    out[len] = 0;
    return take(at, "\"");
}

static bool has_id(const struct ids *ids, uint64_t id)
{
    for (size_t i = 0; i < ids->num; i++) {
        if (ids->items[i] == id) {
            return true;
        }
    }
    return false;
}

/* ---- the catalog ---- */

static const char *schema_of(const struct sweep_object *o)
{
    return o->schema != NULL ? o->schema : "public";
}

static bool is_type(const struct sweep_object *o, const char *type)
{
    return strcmp(o->type, type) == 0;
}

struct sweep_object *sweep_server_find(struct sweep_server *server, uint64_t id)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (o->id == id && !o->dropped) {
            return o;
        }
    }
    return NULL;
}

struct sweep_object *sweep_server_named(struct sweep_server *server, const char *schema,
                                        const char *name)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (!o->dropped && strcmp(o->name, name) == 0 && strcmp(schema_of(o), schema) == 0) {
            return o;
        }
    }
    return NULL;
}

static bool reads(const struct sweep_object *o, uint64_t id)
{
    for (size_t i = 0; i < MOST_READS; i++) {
        if (id != 0 && o->reads[i] == id) {
            return true;
        }
    }
    return false;
}

/* Something but an index reads it or an index of it. */
static bool is_read(struct sweep_server *server, uint64_t id)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (o->dropped) {
            continue;
        }
        if ((is_type(o, "index") && o->table_id == id && is_read(server, o->id)) || reads(o, id)) {
            return true;
        }
    }
    return false;
}

/* ---- answers ---- */

static void add(struct sweep_server *server, const char *text)
{
    if (server->num_cells < MOST_CELLS) {
        server->cells[server->num_cells++] = text;
    }
}

static void add_made(struct sweep_server *server, const char *text)
{
    size_t len = strlen(text) + 1;
    if (server->pool_len + len <= POOL) {
        memcpy(server->pool + server->pool_len, text, len);
        add(server, server->pool + server->pool_len);
        server->pool_len += len;
    }
}

static void add_number(struct sweep_server *server, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    add_made(server, text);
}

static size_t answer_relations(struct sweep_server *server)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (!o->dropped && !o->hidden &&
            (is_type(o, "materialized view") || is_type(o, "view") || is_type(o, "index"))) {
            add_number(server, o->id);
            add(server, schema_of(o));
            add(server, o->name);
            add(server, o->type);
            add(server, "root");
        }
    }
    return 5;
}

static size_t answer_created(struct sweep_server *server, const struct ids *ids)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (has_id(ids, o->id) && !o->dropped && is_type(o, "materialized view")) {
            char text[32];
            (void)snprintf(text, sizeof(text), "%" PRId64 ".000000", o->created);
            add_number(server, o->id);
            if (o->created == CREATED_NULL) {
                add(server, NULL);
            } else {
                add_made(server, text);
            }
        }
    }
    return 2;
}

static size_t answer_indexes(struct sweep_server *server, const struct ids *tables,
                             const struct ids *indexes)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (!o->dropped && is_type(o, "index") &&
            (has_id(tables, o->table_id) || has_id(indexes, o->id))) {
            add_number(server, o->id);
            add_number(server, o->table_id);
            add(server, o->building && !o->no_job ? "12.5%" : NULL);
        }
    }
    return 3;
}

static size_t answer_jobs(struct sweep_server *server, const struct ids *ids)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (!o->dropped && has_id(ids, o->id) && !is_type(o, "view") && !o->no_job) {
            add_number(server, o->id);
            add(server, o->building ? "CREATING" : "CREATED");
        }
    }
    return 2;
}

static size_t answer_progress(struct sweep_server *server)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (!o->dropped && o->building && !o->no_job) {
            add_number(server, o->id);
            add(server, "12.5%");
        }
    }
    return 2;
}

static size_t answer_listed(struct sweep_server *server, const char *schema)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        char text[2 * NAME_ROOM];
        if (o->dropped || o->building || !is_type(o, "materialized view") ||
            strcmp(schema_of(o), schema) != 0) {
            continue;
        }
        (void)snprintf(text, sizeof(text), server->old ? "%s%s" : "%s.%s",
                       server->old ? "" : schema, o->name);
        add_made(server, text);
    }
    return 1;
}

static void add_reader(struct sweep_server *server, const struct sweep_object *o, uint64_t of)
{
    add_number(server, of);
    add_number(server, o->id);
    add(server, o->hidden ? NULL : o->type);
    add(server, o->hidden ? NULL : schema_of(o));
    add(server, o->hidden ? NULL : o->name);
}

static size_t answer_readers(struct sweep_server *server, const struct ids *ids,
                             const struct ids *tables)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (o->dropped || o->building) {
            continue;
        }
        if (is_type(o, "index") && has_id(ids, o->table_id)) {
            add_reader(server, o, o->table_id);
        }
        for (size_t i = 0; i < MOST_READS; i++) {
            const struct sweep_object *of = sweep_server_find(server, o->reads[i]);
            uint64_t table = of != NULL && is_type(of, "index") ? of->table_id : 0;
            if (has_id(ids, o->reads[i]) || has_id(tables, table)) {
                add_reader(server, o, table != 0 ? table : o->reads[i]);
            }
        }
    }
    return 5;
}

static size_t answer_sizes(struct sweep_server *server, const struct ids *ids)
{
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (!o->dropped && has_id(ids, o->id) && !is_type(o, "view")) {
            add_number(server, o->id);
            add_number(server, o->id * 1000);
        }
    }
    return 2;
}

static void add_process(struct sweep_server *server, const char *time, const char *info)
{
    if (!server->old) {
        add(server, "1");
    }
    add(server, "1:7");
    add(server, "root");
    add(server, "127.0.0.1:4");
    add(server, "dev");
    add(server, time);
    add(server, info);
}

static size_t answer_processes(struct sweep_server *server)
{
    add_process(server, "0ms", "SHOW PROCESSLIST");
    add_process(server, NULL, NULL);
    for (size_t i = 0; i < 4 && server->processes[i].time != NULL; i++) {
        const struct sweep_process *p = &server->processes[i];
        if (server->num_lists >= p->from_list &&
            (!p->until_next || server->num_lists == p->from_list)) {
            add_process(server, p->time, p->info);
        }
    }
    server->num_lists++;
    server->listed = true;
    return server->old ? 6 : 7;
}

static size_t answer_look(struct sweep_server *server, uint64_t id)
{
    const struct sweep_object *o = sweep_server_find(server, id);
    if (o != NULL && !o->hidden) {
        add(server, schema_of(o));
        add(server, o->name);
        add(server, o->type);
    }
    server->looked_at = id;
    return 3;
}

static struct sweep_object *dropped_by(struct sweep_server *server, const char *sql)
{
    char schema[NAME_ROOM];
    char name[NAME_ROOM];
    const char *at = sql;
    bool view = take(&at, "DROP VIEW ");
    if ((view || take(&at, "DROP MATERIALIZED VIEW ")) && take_name(&at, schema) &&
        take(&at, ".") && take_name(&at, name) && *at == 0) {
        struct sweep_object *o = sweep_server_named(server, schema, name);
        return o != NULL && is_type(o, view ? "view" : "materialized view") ? o : NULL;
    }
    return NULL;
}

uint64_t sweep_server_drops(struct sweep_server *server, const char *sql)
{
    const struct sweep_object *o = dropped_by(server, sql);
    return o != NULL ? o->id : 0;
}

/* Is something of the family that is locked being built, or an index on it? */
static bool is_family_built(struct sweep_server *server)
{
    size_t len = strlen(server->lock);
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        const struct sweep_object *built = o;
        if (is_type(o, "index")) {
            built = sweep_server_find(server, o->table_id);
        }
        if (o->building && !o->dropped && built != NULL &&
            strcmp(schema_of(built), server->lock_schema) == 0 &&
            strncmp(built->name, server->lock, len) == 0 &&
            (built->name[len] == '_' || built->name[len] == 0)) {
            return true;
        }
    }
    return false;
}

/* By the catalog alone: was this drop allowed, and done with due care? */
static void check_drop(struct sweep_server *server, const struct sweep_object *o)
{
    size_t family_len = strlen(server->lock);
    if (!o->may_go) {
        problem(server, "dropped what must stay", o->name);
    }
    if (o->building) {
        problem(server, "dropped what is being built", o->name);
    }
    if (is_family_built(server)) {
        problem(server, "dropped while its family is being built", o->name);
    }
    if (is_read(server, o->id)) {
        problem(server, "dropped what is read", o->name);
    }
    if (server->looked_at != o->id) {
        problem(server, "dropped without a look", o->name);
    }
    if (!server->listed) {
        problem(server, "dropped without asking for statements", o->name);
    }
    if (family_len == 0 || strncmp(o->name, server->lock, family_len) != 0 ||
        o->name[family_len] != '_' || strcmp(schema_of(o), server->lock_schema) != 0) {
        problem(server, "dropped without a lock", o->name);
    }
}

/* False: an error, whose message is `*out_error`. */
static bool carry_out_drop(struct sweep_server *server, const char *sql, const char **out_error)
{
    struct sweep_object *o = dropped_by(server, sql);
    if (o == NULL) {
        *out_error = "not found";
        return false;
    }
    check_drop(server, o);
    if (o->error != NULL) {
        *out_error = o->error;
        return false;
    }
    size_t len = strlen(server->dropped);
    (void)snprintf(server->dropped + len, sizeof(server->dropped) - len, "%s%" PRIu64,
                   len != 0 ? " " : "", o->id);
    o->dropped = true;
    for (struct sweep_object *index = server->objects; index->id != 0; index++) {
        if (is_type(index, "index") && index->table_id == o->id) {
            index->dropped = true;
        }
    }
    return true;
}

/* 0 columns: not a question that is known. */
static size_t answer_question(struct sweep_server *server, const char *sql)
{
    char schema[NAME_ROOM];
    struct ids ids;
    struct ids more;
    uint64_t id = 0;
    const char *at = sql;
    if (strcmp(sql, "SELECT version()") == 0) {
        add(server, server->old ? "PostgreSQL 13.14.0-RisingWave-2.2.0 (abc)"
                                : "PostgreSQL 13.14.0-RisingWave-2.7.0 (abc)");
        return 1;
    }
    if (strcmp(sql, "SELECT r.id, s.name, r.name, r.relation_type, o.name"
                    " FROM rw_catalog.rw_relations r"
                    " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id"
                    " LEFT JOIN rw_catalog.rw_users o ON o.id = r.owner"
                    " WHERE r.relation_type IN ('materialized view', 'view', 'index')") == 0) {
        return answer_relations(server);
    }
    if (take(&at, "SELECT m.id, EXTRACT(EPOCH FROM m.created_at)"
                  " FROM rw_catalog.rw_materialized_views m WHERE m.id IN ")) {
        return take_ids(&at, &ids) && *at == 0 ? answer_created(server, &ids) : 0;
    }
    if (take(&at, "SELECT i.id, i.primary_table_id, j.progress FROM rw_catalog.rw_indexes i"
                  " LEFT JOIN rw_catalog.rw_ddl_progress j ON j.ddl_id = i.id"
                  " WHERE i.primary_table_id IN ")) {
        return take_ids(&at, &ids) && take(&at, " OR i.id IN ") && take_ids(&at, &more) && *at == 0
                   ? answer_indexes(server, &ids, &more)
                   : 0;
    }
    if (!server->old && take(&at, "SELECT j.id, j.status FROM rw_catalog.rw_streaming_jobs j"
                                  " WHERE j.id IN ")) {
        return take_ids(&at, &ids) && *at == 0 ? answer_jobs(server, &ids) : 0;
    }
    if (strcmp(sql, "SELECT p.ddl_id, p.progress FROM rw_catalog.rw_ddl_progress p") == 0) {
        return answer_progress(server);
    }
    if (take(&at, "SHOW MATERIALIZED VIEWS FROM ")) {
        return take_name(&at, schema) && *at == 0 ? answer_listed(server, schema) : 0;
    }
    if (take(&at, "SELECT COALESCE(i.primary_table_id, x.refobjid), x.objid, d.relation_type,"
                  " n.name, d.name FROM rw_catalog.rw_depend x"
                  " LEFT JOIN rw_catalog.rw_indexes i ON i.id = x.refobjid"
                  " LEFT JOIN rw_catalog.rw_relations d ON d.id = x.objid"
                  " LEFT JOIN rw_catalog.rw_schemas n ON n.id = d.schema_id"
                  " WHERE x.refobjid IN ")) {
        return take_ids(&at, &ids) && take(&at, " OR i.primary_table_id IN ") &&
                       take_ids(&at, &more) && *at == 0
                   ? answer_readers(server, &ids, &more)
                   : 0;
    }
    if (take(&at, "SELECT t.id, t.total_key_size + t.total_value_size"
                  " FROM rw_catalog.rw_table_stats t WHERE t.id IN ")) {
        return take_ids(&at, &ids) && *at == 0 ? answer_sizes(server, &ids) : 0;
    }
    if (strcmp(sql, "SHOW PROCESSLIST") == 0) {
        return answer_processes(server);
    }
    if (take(&at, "SELECT s.name, r.name, r.relation_type FROM rw_catalog.rw_relations r"
                  " JOIN rw_catalog.rw_schemas s ON s.id = r.schema_id WHERE r.id = ")) {
        return take_number(&at, &id) && *at == 0 ? answer_look(server, id) : 0;
    }
    return 0;
}

static void say_error(struct replace_result *out, const char *message)
{
    *out = (struct replace_result){.kind = REPLACE_ERROR,
                                   .error = {.sqlstate = "XX000", .message = message}};
}

static void remove_with_readers(struct sweep_server *server, uint64_t id)
{
    struct sweep_object *gone = sweep_server_find(server, id);
    if (gone == NULL) {
        return;
    }
    gone->dropped = true;
    for (struct sweep_object *o = server->objects; o->id != 0; o++) {
        if (!o->dropped && (reads(o, id) || o->table_id == id)) {
            remove_with_readers(server, o->id);
        }
    }
}

/* What somebody else does just before the request. */
static void interfere(struct sweep_server *server)
{
    struct sweep_object *target = sweep_server_find(server, server->target);
    struct sweep_object *o = server->objects;
    if (target == NULL) {
        return;
    }
    if (server->fault == SWEEP_FAULT_REMOVED) {
        remove_with_readers(server, server->target);
    }
    if (server->fault == SWEEP_FAULT_TAKEN) {
        for (; o->id != 0; o++) {
        }
        *o = (struct sweep_object){.id = 900,
                                   .type = "materialized view",
                                   .name = target->name,
                                   .schema = target->schema,
                                   .created = INT64_C(1767312000)};
    }
    if (server->fault == SWEEP_FAULT_RENAMED || server->fault == SWEEP_FAULT_TAKEN) {
        target->name = "mine";
        target->may_go = false;
    }
}

static void answer_lock(struct sweep_server *server, const struct sweep_request *request,
                        struct replace_result *out)
{
    bool refused = server->locked != NULL && strcmp(request->family, server->locked) == 0;
    (void)snprintf(server->lock, sizeof(server->lock), "%s", refused ? "" : request->family);
    (void)snprintf(server->lock_schema, sizeof(server->lock_schema), "%s", request->schema);
    server->listed = false;
    out->kind = refused ? REPLACE_FULL : REPLACE_LOCKED;
}

static void answer_sql(struct sweep_server *server, const char *sql, struct replace_result *out)
{
    const char *error = NULL;
    uint64_t looked_at = server->looked_at;
    server->looked_at = 0;
    if (strncmp(sql, "DROP ", 5) == 0) {
        server->looked_at = looked_at;
        if (!carry_out_drop(server, sql, &error)) {
            say_error(out, error);
        }
        server->looked_at = 0;
        return;
    }
    out->num_columns = answer_question(server, sql);
    if (out->num_columns == 0) {
        problem(server, "not known", sql);
        say_error(out, "syntax error");
        return;
    }
    if (server->refuses_sizes && strstr(sql, "rw_table_stats") != NULL) {
        say_error(out, "no such table");
        return;
    }
    out->cells = server->cells;
    out->num_rows = server->num_cells / out->num_columns;
}

/* The rows as a server that is not quite the one that was meant answers them. */
static void spoil(struct sweep_server *server, struct replace_result *out)
{
    size_t num = 0;
    if (out->kind != REPLACE_OK || out->num_columns == 0) {
        return;
    }
    for (size_t i = 0; i < out->num_rows * out->num_columns; i++) {
        const char *text = server->fault == SWEEP_FAULT_NULLS ? NULL : server->cells[i];
        if (server->fault == SWEEP_FAULT_NULLS || i % out->num_columns + 1 != out->num_columns) {
            server->cells[num++] = text;
        }
    }
    out->num_columns -= server->fault == SWEEP_FAULT_COLUMNS ? 1 : 0;
}

void sweep_server_answer(struct sweep_server *server, const struct sweep_request *request,
                         struct replace_result *out_result)
{
    bool now = ++server->num_requests == server->fault_at;
    enum sweep_fault fault = now ? server->fault : SWEEP_NO_FAULT;
    *out_result = (struct replace_result){.kind = REPLACE_OK};
    server->num_cells = 0;
    server->pool_len = 0;
    if (fault == SWEEP_FAULT_ERROR) {
        say_error(out_result, "it is not a good day");
        return;
    }
    if (now && fault != SWEEP_FAULT_LOST) {
        interfere(server);
    }
    if (fault != SWEEP_FAULT_LOST) {
        if (request->kind == SWEEP_LOCK) {
            answer_lock(server, request, out_result);
        } else {
            answer_sql(server, request->sql, out_result);
        }
    }
    if (fault == SWEEP_FAULT_LOST || fault == SWEEP_FAULT_LOST_AFTER) {
        *out_result = (struct replace_result){.kind = REPLACE_LOST};
    }
    if (fault == SWEEP_FAULT_COLUMNS || fault == SWEEP_FAULT_NULLS) {
        spoil(server, out_result);
    }
}
