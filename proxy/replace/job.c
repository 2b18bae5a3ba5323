/*
 * job: parallelism and resource group of the old view's streaming job, which ALTER may have set,
 * are given to the new one's, unless the session or the statement chooses them.
 */
#include "replace_internal.h"

#include "ident.h"
#include "mem.h"
#include "sql_format.h"
#include "sql_scan.h"

#include <string.h>
#include <strings.h>

/* Cells of a job. */
enum { JOB_PARALLELISM, JOB_RESOURCE_GROUP };

static const char *old_cell(const struct replace *r, size_t column)
{
    return cell(&r->job.rows, 0, column);
}

static bool differs(const char *old, const char *new)
{
    return old != NULL && new != NULL &&strcmp(old, new) != 0;
}

/* The statement's own WITH (resource_group = ...) counts for more. */
static bool statement_chooses_group(const struct replace *r)
{
    struct sql_tokens tokens = {0};
    struct byte_range options = r->statement.options;
    size_t len = options.end - options.start;
    static const char name[] = "resource_group";
    if (sql_scan(r->text + options.start, len, &tokens) != SQL_SCAN_OK) {
        return true;
    }
    bool chooses = sql_tokens_name(r->text + options.start, &tokens, name, strlen(name));
    sql_tokens_cleanup(&tokens);
    return chooses;
}

static bool carry_group(struct replace *r, const char *new)
{
    struct buf sql = {0};
    if (!differs(old_cell(r, JOB_RESOURCE_GROUP), new) || statement_chooses_group(r)) {
        return true;
    }
    sql_format(&sql, "ALTER MATERIALIZED VIEW %I.%I SET RESOURCE_GROUP = %L", r->schema,
               r->view.name, old_cell(r, JOB_RESOURCE_GROUP));
    return text_list_take(&r->carry, &sql);
}

static enum step after_job(struct replace *r)
{
    return r->parallelism_differs ? STEP_SESSION_PARALLELISM : next_carry(r);
}

enum step take_new_job(struct replace *r, const struct replace_result *result)
{
    if (!carry_group(r, cell(result, 0, JOB_RESOURCE_GROUP))) {
        return fail_without_memory(r);
    }
    r->parallelism_differs =
        differs(old_cell(r, JOB_PARALLELISM), cell(result, 0, JOB_PARALLELISM));
    return server_has_job_config(r->version) ? STEP_JOB_CONFIG : after_job(r);
}

void ask_job_config(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql,
               "SELECT c.key, c.value FROM rw_catalog.rw_streaming_job_config c WHERE c.id = %u"
               " ORDER BY c.key",
               r->old_id);
    run(r, out);
}

/* Values are TOML: a string has double quotes, all else is a word or a number. False: neither. */
static bool add_config_value(struct buf *out, const char *value)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";
    size_t len = strlen(value);
    if (len > 1 && value[0] == '"' && value[len - 1] == '"' && strchr(value, '\\') == NULL) {
        char *inside = mem_copy(value + 1, len - 2);
        if (inside == NULL) {
            out->failed = true;
            return true;
        }
        literal_quote(out, inside);
        mem_free(inside);
        return true;
    }
    if (len == 0 || strspn(value, plain) != len) {
        return false;
    }
    buf_add_text(out, value);
    return true;
}

/* "streaming.developer.x", as it was set. */
static bool is_config_key(const char *key)
{
    return key != NULL && key[0] != 0 &&
           key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_.")] == 0;
}

static bool carry_config(struct replace *r, const char *key, const char *value)
{
    struct buf sql = {0};
    sql_format(&sql, "ALTER MATERIALIZED VIEW %I.%I SET CONFIG (", r->schema, r->view.name);
    buf_add_format(&sql, "%s = ", is_config_key(key) ? key : "");
    if (!is_config_key(key) || value == NULL || !add_config_value(&sql, value)) {
        buf_cleanup(&sql);
        notice(r, "WARNING", "01000", "a configuration of the view's job was not carried over", key,
               NULL);
        return true;
    }
    buf_add_text(&sql, ")");
    return text_list_take(&r->carry, &sql);
}

enum step take_job_config(struct replace *r, const struct replace_result *result)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        if (!carry_config(r, cell(result, row, 0), cell(result, row, 1))) {
            return fail_without_memory(r);
        }
    }
    return after_job(r);
}

void ask_session_parallelism(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SHOW streaming_parallelism");
    run(r, out);
}

/* "default" is what a session has that chooses nothing. */
static bool chooses(const struct replace_result *result)
{
    const char *value = cell(result, 0, 0);
    return value == NULL || strcmp(value, "default") != 0;
}

enum step take_session_parallelism(struct replace *r, const struct replace_result *result)
{
    return chooses(result) ? next_carry(r) : STEP_SESSION_PARALLELISM_OF_VIEWS;
}

/* A version that does not know the setting has sessions that do not choose. */
enum step refused_session_parallelism(struct replace *r, const struct replace_result *result)
{
    (void)r;
    (void)result;
    return STEP_SESSION_PARALLELISM_OF_VIEWS;
}

void ask_session_parallelism_of_views(struct replace *r, struct replace_request *out)
{
    sql_format(&r->sql, "SHOW streaming_parallelism_for_materialized_view");
    run(r, out);
}

/* "FIXED(2)" and "ADAPTIVE" up to 2.8; "2", "adaptive" and "bounded(64)" from 3.0, where what is no
 * word or number is set as a string. */
static bool carry_parallelism(struct replace *r)
{
    static const char fixed[] = "FIXED(";
    const char *old = old_cell(r, JOB_PARALLELISM);
    const char *number = strncmp(old, fixed, strlen(fixed)) == 0 ? old + strlen(fixed) : old;
    size_t digits = strspn(number, "0123456789");
    const char *behind = number == old ? "" : ")";
    struct buf sql = {0};
    sql_format(&sql, "ALTER MATERIALIZED VIEW %I.%I SET PARALLELISM = ", r->schema, r->view.name);
    if (strcasecmp(old, "adaptive") == 0) {
        buf_add_text(&sql, "ADAPTIVE");
    } else if (digits != 0 && strcmp(number + digits, behind) == 0) {
        buf_add(&sql, number, digits);
    } else if (server_version_at_least(r->version, 3, 0)) {
        sql_format(&sql, "%L", old);
    } else {
        buf_cleanup(&sql); /* a form of its own that no statement makes */
        return true;
    }
    return text_list_take(&r->carry, &sql);
}

enum step refused_session_parallelism_of_views(struct replace *r,
                                               const struct replace_result *result)
{
    (void)result;
    return carry_parallelism(r) ? next_carry(r) : fail_without_memory(r);
}

enum step take_session_parallelism_of_views(struct replace *r, const struct replace_result *result)
{
    return chooses(result) ? next_carry(r) : refused_session_parallelism_of_views(r, result);
}
