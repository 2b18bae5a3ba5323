/*
 * own: SET, RESET and SHOW of settings of ours (mvswap.x). RisingWave cannot read them: a Query is
 * not sent, a Parse goes on as a statement that the server knows (an empty one, or a SELECT of text
 * columns), so that names, portals and descriptions are the server's; the answer is given at the
 * end of the bracket, when it is known that the server would have taken the statement.
 *
 * RESET ALL and DISCARD ALL are the server's; ours are reset when it has carried them out. Poolers
 * send DISCARD ALL again and again: a Query goes in a bracket for it only if there is anything to
 * reset.
 */
#include "session_internal.h"

#include "limits.h"
#include "mem.h"
#include "setting_statement.h"
#include "sql_format.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const columns_of_all[] = {"name", "value", "source", "description"};
enum { NUM_COLUMNS_OF_ALL = 4, MOST_NAME = 64 };

/* The one statement of a text; SETTING_NO_STATEMENT also in doubt and without memory. */
static struct setting_statement read_statement(const char *text, size_t len)
{
    struct sql_tokens tokens = {0};
    struct setting_statement statement = {.kind = SETTING_NO_STATEMENT};
    struct sql_piece piece;
    size_t cursor = 0;
    size_t num = 0;
    if (len > LIMIT_SETTING_TEXT || sql_scan(text, len, &tokens) != SQL_SCAN_OK) {
        return statement;
    }
    while (sql_next_piece(text, len, &tokens, &cursor, &piece)) {
        if (piece.empty) {
            continue;
        }
        setting_statement_cleanup(&statement);
        if (++num > 1 ||
            setting_statement_read(text, &tokens, &piece, &statement) != SETTING_STATEMENT_READ) {
            break;
        }
    }
    sql_tokens_cleanup(&tokens);
    return statement;
}

static bool begins_word(const char *text, size_t len, const char *word)
{
    size_t word_len = strlen(word);
    return len >= word_len && strncasecmp(text, word, word_len) == 0;
}

static bool begins_reset(const char *text, size_t len)
{
    return begins_word(text, len, "reset") || begins_word(text, len, "discard");
}

static bool holds_reset(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (begins_reset(text + i, len - i)) {
            return true;
        }
    }
    return false;
}

/* Cheap: it runs over every Parse. What begins with a comment may be anything. */
static bool may_reset_all(const char *text, size_t len)
{
    while (len != 0 && strchr(" \t\r\n;", text[0]) != NULL) {
        text++;
        len--;
    }
    bool commented = len != 0 && (text[0] == '/' || text[0] == '-');
    return commented ? len <= LIMIT_SETTING_TEXT && holds_reset(text, len)
                     : begins_reset(text, len);
}

bool own_gate(const char *text, size_t len)
{
    return sql_gate(text, len) || may_reset_all(text, len);
}

enum own_kind own_kind(const char *text, size_t len)
{
    if (!own_gate(text, len)) {
        return OWN_NOTHING;
    }
    struct setting_statement statement = read_statement(text, len);
    enum own_kind kind = statement.kind == SETTING_NO_STATEMENT ? OWN_NOTHING
                         : statement.kind == SETTING_RESET_ALL  ? OWN_RESET_ALL
                                                                : OWN_STATEMENT;
    setting_statement_cleanup(&statement);
    return kind;
}

bool own_is_changed(const struct session *s)
{
    return memcmp(s->settings.sources, s->config.settings.sources, sizeof(s->settings.sources)) !=
           0;
}

bool own_may_be_reset(const struct session *s, const char *text, size_t len)
{
    return own_is_changed(s) && len <= LIMIT_SETTING_TEXT && holds_reset(text, len);
}

void own_reset_all(struct session *s)
{
    own_end_transaction(s);
    if (!settings_assign(&s->settings, &s->config.settings)) {
        /* A hook that was reset must not run. */
        session_fail(s, "53200", "out of memory", NULL);
    }
}

/* The name of the column of SHOW mvswap.x. */
static void column_name(const struct setting_statement *statement, char out_name[MOST_NAME])
{
    (void)snprintf(out_name, MOST_NAME, "mvswap.%.50s", statement->name);
}

void own_add_substitute(struct buf *out, const char *text)
{
    struct setting_statement statement = read_statement(text, strlen(text));
    char name[MOST_NAME];
    if (statement.kind == SETTING_SHOW) {
        column_name(&statement, name);
        sql_format(out, "SELECT ''::varchar AS %I", name);
    } else if (statement.kind == SETTING_SHOW_ALL) {
        for (size_t i = 0; i < NUM_COLUMNS_OF_ALL; i++) {
            sql_format(out, i == 0 ? "SELECT ''::varchar AS %I" : ", ''::varchar AS %I",
                       columns_of_all[i]);
        }
    }
    buf_add_byte(out, 0);
    setting_statement_cleanup(&statement);
}

static bool refuse(struct buf *out, const struct settings_problem *problem)
{
    wire_add_error_response(
        out, &(struct wire_report){.severity = "ERROR",
                                   .sqlstate = problem->sqlstate,
                                   .message = problem->message,
                                   .hint = problem->hint[0] != 0 ? problem->hint : NULL});
    return false;
}

/* Outside of a transaction it does nothing, as in PostgreSQL. */
static void warn_of_local(struct buf *out)
{
    wire_add_notice_response(
        out, &(struct wire_report){.severity = "WARNING",
                                   .sqlstate = "25P01",
                                   .message = "SET LOCAL can only be used in transaction blocks"});
}

/* What holds again when the transaction ends. */
static bool keep_outside(struct session *s)
{
    if (s->outside == NULL) {
        s->outside = mem_new(sizeof(*s->outside));
        if (s->outside != NULL && !settings_copy(&s->settings, s->outside)) {
            mem_free(s->outside);
            s->outside = NULL;
        }
    }
    return s->outside != NULL;
}

void own_end_transaction(struct session *s)
{
    if (s->outside != NULL) {
        settings_cleanup(&s->settings);
        s->settings = *s->outside; /* with its texts */
        mem_free(s->outside);
        s->outside = NULL;
    }
}

void own_forget(struct session *s)
{
    own_end_transaction(s);
    settings_cleanup(&s->settings);
    settings_cleanup(&s->config.settings);
}

/* What the statement says, in `settings`. */
static bool change(const struct session *s, const struct setting_statement *statement,
                   enum setting setting, struct replace_settings *settings,
                   struct settings_problem *out_problem)
{
    if (statement->kind != SETTING_RESET) {
        return settings_set(settings, setting, statement->value, SOURCE_SESSION, out_problem);
    }
    if (!settings_reset(settings, setting, &s->config.settings)) {
        settings_lack_memory(out_problem);
        return false;
    }
    return true;
}

/* Changes what holds now, and unless it is LOCAL what holds again when SET LOCAL ends. */
static bool set(struct session *s, const struct setting_statement *statement, struct buf *out)
{
    struct replace_settings changed = {0};
    struct settings_problem problem;
    enum setting setting = SETTING_COUNT;
    bool local = statement->kind == SETTING_SET_LOCAL;
    bool in_transaction = s->status != 'I';
    if (!settings_find(statement->name, &setting, &problem)) {
        return refuse(out, &problem);
    }
    settings_lack_memory(&problem);
    bool good = settings_copy(&s->settings, &changed) &&
                change(s, statement, setting, &changed, &problem) &&
                (!local || !in_transaction || keep_outside(s)) &&
                (local || s->outside == NULL || settings_reset(s->outside, setting, &changed));
    if (good && local && !in_transaction) {
        warn_of_local(out);
    } else if (good) {
        struct replace_settings old = s->settings;
        s->settings = changed;
        changed = old;
    }
    settings_cleanup(&changed);
    if (!good) {
        return refuse(out, &problem);
    }
    wire_add_command_complete(out, "SET_VARIABLE");
    return true;
}

static bool show(const struct session *s, const struct setting_statement *statement,
                 struct buf *out, bool described)
{
    struct settings_problem problem;
    enum setting setting = SETTING_COUNT;
    char name[MOST_NAME];
    char scratch[SETTING_TEXT_LEN];
    if (!settings_find(statement->name, &setting, &problem)) {
        return refuse(out, &problem);
    }
    column_name(statement, name);
    const char *value = settings_text(&s->settings, setting, scratch);
    if (described) {
        wire_add_row_description(out, (const char *const[]){name}, 1);
    }
    wire_add_data_row(out, (const char *const[]){value}, 1);
    wire_add_command_complete(out, "SHOW_VARIABLE");
    return true;
}

static bool show_all(const struct session *s, struct buf *out, bool described)
{
    if (described) {
        wire_add_row_description(out, columns_of_all, NUM_COLUMNS_OF_ALL);
    }
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_info *info = setting_info((enum setting)i);
        char name[MOST_NAME];
        char scratch[SETTING_TEXT_LEN];
        const char *value = settings_text(&s->settings, (enum setting)i, scratch);
        (void)snprintf(name, sizeof(name), "mvswap.%s", info->name);
        wire_add_data_row(
            out,
            (const char *const[]){name, value,
                                  setting_source_name((enum setting_source)s->settings.sources[i]),
                                  info->description},
            NUM_COLUMNS_OF_ALL);
    }
    wire_add_command_complete(out, "SHOW_VARIABLE");
    return true;
}

bool own_answer(struct session *s, const char *text, size_t len, bool described)
{
    struct setting_statement statement = read_statement(text, len);
    struct buf *out = output_kept(&s->out[CLIENT]);
    bool good = false;
    switch (statement.kind) {
    case SETTING_SET:
    case SETTING_SET_LOCAL:
    case SETTING_RESET:
        good = set(s, &statement, out);
        break;
    case SETTING_SHOW:
        good = show(s, &statement, out, described);
        break;
    case SETTING_SHOW_ALL:
        good = show_all(s, out, described);
        break;
    case SETTING_NO_STATEMENT:
    case SETTING_RESET_ALL:
        /* It was another when it was recognised. */
        wire_add_error_response(out, &(struct wire_report){.severity = "ERROR",
                                                           .sqlstate = "53200",
                                                           .message = "out of memory"});
        break;
    }
    setting_statement_cleanup(&statement);
    return good;
}
