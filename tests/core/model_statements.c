/*
 * model_statements: what the texts of a model_server's clients do; see model_server.h. The engine's
 * own SQL goes on to fake_server.
 */
#include "model_server.h"
#include "wire.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char candidate_words[] = "CREATE OR REPLACE MATERIALIZED VIEW v AS ";
static const char explain_words[] = "EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW v AS ";
/* A plain view, of which there is never one before. */
static const char view_candidate_words[] = "CREATE OR REPLACE VIEW w AS ";
static const char view_explain_words[] = "EXPLAIN CREATE OR REPLACE VIEW w AS ";
static const char view_creation_words[] = "CREATE VIEW w ";
static const char plan_text[] = "SELECT ''::varchar AS \"QUERY PLAN\"";
static const char build_words[] = "CREATE MATERIALIZED VIEW ";
static const char first_creation_words[] = "CREATE MATERIALIZED VIEW v ";

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Behind blanks and comments. */
static const char *skip_comments(const char *text)
{
    for (;;) {
        text += strspn(text, " \n");
        const char *end = begins(text, "/*") ? strstr(text, "*/") : NULL;
        if (end == NULL) {
            return text;
        }
        text = end + 2;
    }
}

bool model_next_statement(const char *text, size_t *at, struct buf *out)
{
    while (text[*at] != 0) {
        const char *start = text + *at + strspn(text + *at, " \n");
        size_t len = strcspn(start, ";");
        *at = (size_t)(start - text) + len + (start[len] == ';' ? 1 : 0);
        while (len != 0 && isspace((unsigned char)start[len - 1]) != 0) {
            len--;
        }
        const char *first = skip_comments(start);
        if (first < start + len) {
            buf_truncate(out, 0);
            buf_add(out, start, len);
            buf_add_byte(out, 0);
            return true;
        }
    }
    return false;
}

const char *model_bad_word(const char *text)
{
    static const char *const good[] = {"SELECT", "INSERT", "SET",  "SHOW",     "BEGIN",  "COMMIT",
                                       "CREATE", "ALTER",  "DROP", "DESCRIBE", "CANCEL", "EXPLAIN"};
    for (const char *at = skip_comments(text); *at != 0; at = skip_comments(at)) {
        if (*at == ';') {
            at++;
            continue;
        }
        bool known = false;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
            known = known || begins(at, good[i]);
        }
        /* SELEC is a word of its own, and so is a nonce. */
        if (!known) {
            return at;
        }
        at += strcspn(at, ";");
    }
    return NULL;
}

bool model_is_build(const char *text)
{
    const char *first = skip_comments(text);
    return begins(first, build_words) || begins(first, view_creation_words);
}

bool model_is_clients(const char *text)
{
    static const char *const clients[] = {
        "SELECT 1",    "SELECT rows", "SELECT fails", "SELECT breaks", "SELECT noticed",
        "SELECT $1",   "INSERT",      "SET appl",     "BEGIN",         "COMMIT",
        "CREATE OR R", "EXPLAIN",     plan_text};
    const char *first = skip_comments(text);
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        if (begins(first, clients[i])) {
            return true;
        }
    }
    return false;
}

unsigned model_num_columns(const char *text)
{
    return begins(skip_comments(text), "SELECT") ? 1 : 0;
}

unsigned model_num_parameters(const char *text)
{
    unsigned most = 0;
    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at + 1, '$')) {
        unsigned number = (unsigned)(at[1] - '0');
        most = number > most ? number : most;
    }
    return most;
}

bool model_errs_while_running(const char *text)
{
    const char *first = skip_comments(text);
    return begins(first, "INSERT") || begins(first, "SELECT breaks");
}

static void say_tag(struct model_server *m, const char *tag)
{
    wire_add_command_complete(&m->fake->out, tag);
}

static void say_notice(struct model_server *m, const char *message)
{
    if (!m->quiet) {
        wire_add_notice_response(
            &m->fake->out,
            &(struct wire_report){.severity = "NOTICE", .sqlstate = "00000", .message = message});
    }
}

/* Rows from where the portal was left, up to the limit of its Execute. */
static void say_rows(struct model_server *m, struct model_entry *portal, unsigned num)
{
    char tag[32];
    unsigned from = portal != NULL ? portal->num_given : 0;
    unsigned most = portal != NULL && portal->name[0] != 0 && m->limit != 0 ? m->limit : num + 1;
    unsigned given = 0;
    if (portal == NULL) {
        model_say(m, "RowDescription \"x\"");
    }
    for (; from + given < num && given < most; given++) {
        model_say(m, "DataRow \"1\"");
    }
    if (given == most) {
        portal->num_given += given;
        model_say(m, "PortalSuspended");
        return;
    }
    if (portal != NULL) {
        portal->num_given = 0;
    }
    (void)snprintf(tag, sizeof(tag), "SELECT %u", given);
    say_tag(m, tag);
}

/* docs/risingwave.md 8.8 */
static void say_failed(struct model_server *m, const struct model_entry *portal, const char *why)
{
    char text[320];
    (void)snprintf(text, sizeof(text), "%s\n\nCaused by:\n  %s\n",
                   portal != NULL ? "Failed to execute the statement" : "Failed to run the query",
                   why);
    model_say_error(m, text);
}

static bool run_select(struct model_server *m, struct model_entry *portal, const char *first)
{
    if (begins(first, "SELECT fails")) {
        /* It may quote anything of the client's, even the words of the refusal. */
        say_failed(m, portal,
                   "Item not found: 'Feature is not yet implemented: CREATE OR REPLACE VIEW'");
        return false;
    }
    if (begins(first, "SELECT breaks")) {
        if (portal == NULL) {
            model_say(m, "RowDescription \"x\"");
        }
        model_say(m, "DataRow \"1\"");
        say_failed(m, portal, "Division by zero");
        return false;
    }
    if (begins(first, "SELECT noticed")) {
        say_notice(m, "the server's: noticed");
    }
    say_rows(m, portal, begins(first, "SELECT rows") ? 5 : 1);
    return true;
}

static bool run_other(struct model_server *m, const char *first)
{
    if (begins(first, "INSERT fails")) {
        model_say_error(m, "Failed to run the query\n\nCaused by:\n  Division by zero\n");
        return false;
    }
    if (begins(first, "INSERT")) {
        say_tag(m, "INSERT 0 1");
    } else if (begins(first, "SET")) {
        if (!m->quiet) {
            model_say(m, "ParameterStatus \"application_name\" \"set\"");
        }
        say_tag(m, "SET_VARIABLE");
    } else if (begins(first, "BEGIN READ ONLY")) {
        m->fake->status = 'T';
        say_tag(m, "BEGIN");
    } else if (begins(first, "BEGIN")) {
        say_notice(m, "the server's: Read-write transaction is not supported yet.");
        say_tag(m, "BEGIN");
    } else {
        if (m->fake->status == 'I') {
            say_notice(m, "the server's: there is no transaction in progress");
        }
        m->fake->status = 'I';
        say_tag(m, "COMMIT");
    }
    return true;
}

/* What a view is built from: its text with the words between CREATE and AS made equal, and the
 * parameters. */
static void note_source(struct model_server *m, const struct model_entry *portal)
{
    const char *text = (const char *)buf_bytes(&m->text);
    const char *create = strstr(text, "CREATE ");
    const char *rest = strstr(create, " AS ");
    buf_truncate(&m->building, 0);
    buf_add(&m->building, text, (size_t)(create - text));
    buf_add_text(&m->building, rest);
    if (portal != NULL && model_num_parameters(text) != 0) {
        buf_add(&m->building, buf_bytes(&portal->types), buf_len(&portal->types));
        buf_add(&m->building, buf_bytes(&portal->values), buf_len(&portal->values));
    }
}

/* The view is what was built last. */
static void replaced(struct model_server *m)
{
    buf_swap(&m->built_from, &m->building);
    m->num_replaced++;
}

static bool is_explained_candidate(const char *text)
{
    const char *first = skip_comments(text);
    return begins(first, explain_words) || begins(first, view_explain_words);
}

const char *model_text_kept(const struct model_server *m, const char *text)
{
    bool is_plan = is_explained_candidate(text) && strchr(text, '$') == NULL;
    return m->fake->knows_the_statement && is_plan ? plan_text : text;
}

static bool is_about_view(const char *text)
{
    return strstr(text, "MATERIALIZED") == NULL;
}

static bool refuse_explain(struct model_server *m, const struct model_entry *portal)
{
    if (is_about_view((const char *)buf_bytes(&m->text))) {
        say_failed(m, portal,
                   "Not supported: EXPLAIN CREATE VIEW\nHINT: A created VIEW is just an alias."
                   " Instead, use EXPLAIN on the queries which reference the view.");
    } else {
        say_failed(m, portal,
                   "Feature is not yet implemented: unsupported statement for EXPLAIN: CREATE OR"
                   " REPLACE MATERIALIZED VIEW v AS SELECT\nNo tracking issue yet.");
    }
    return false;
}

static bool refuse(struct model_server *m, const struct model_entry *portal)
{
    say_failed(m, portal,
               "Feature is not yet implemented: CREATE OR REPLACE VIEW\nNo tracking issue yet.");
    return false;
}

/* In a Parse the latter fails there (risingwave.md 1.2). */
static bool fails_to_build(const char *text)
{
    return strstr(text, "fails_to_build") != NULL || strstr(text, "fails_to_bind") != NULL;
}

static bool fail_build(struct model_server *m)
{
    model_say_error(m, "Failed to run the query\n\nCaused by:\n  Item not found\n");
    return false;
}

/* Parameters in a simple Query anywhere make a session pass it (candidate.h). */
static bool is_left_to_the_server(const struct model_server *m, const struct model_entry *portal)
{
    return portal == NULL && strchr((const char *)buf_bytes(&m->query), '$') != NULL;
}

static bool refuse_in_transaction(struct model_server *m, const char *explain, bool is_view)
{
    char message[96];
    (void)snprintf(message, sizeof(message),
                   "cannot execute %sCREATE OR REPLACE %sVIEW in a read-only transaction", explain,
                   is_view ? "" : "MATERIALIZED ");
    wire_add_error_response(&m->fake->out,
                            &(struct wire_report){.severity = "ERROR",
                                                  .sqlstate = "25006",
                                                  .message = message,
                                                  .hint = "End the transaction first."});
    return false;
}

/* The answer that a client should see, the plan's rows aside (play_answers). */
static bool run_plan(struct model_server *m, struct model_entry *portal)
{
    if (m->fake->status != 'I') {
        bool is_view =
            portal != NULL ? portal->of_view : is_about_view((const char *)buf_bytes(&m->text));
        return refuse_in_transaction(m, "EXPLAIN ", is_view);
    }
    if (portal == NULL) {
        model_say(m, "RowDescription \"QUERY PLAN\"");
    }
    say_tag(m, "EXPLAIN");
    return true;
}

/* What has taken the place of an EXPLAIN: one row, with the limit of the Execute. */
static bool run_plan_portal(struct model_server *m, struct model_entry *portal)
{
    if (m->fake->knows_the_statement) {
        return run_plan(m, portal);
    }
    say_rows(m, portal, 1);
    portal->num_given = 0; /* of no consequence: every Execute answers the whole plan */
    return true;
}

static bool run_explain(struct model_server *m, struct model_entry *portal)
{
    bool known = m->fake->knows_the_statement && portal == NULL;
    bool is_plan = is_explained_candidate((const char *)buf_bytes(&m->text));
    return known && is_plan && !is_left_to_the_server(m, portal) ? run_plan(m, portal)
                                                                 : refuse_explain(m, portal);
}

/* Is it what the view was built from already? Sure of that is a session only with a probe, of a
 * query without parameters that reads something (proxy/replace/change.c). */
static bool is_unchanged(struct model_server *m, const char *text)
{
    struct fake_relation *new = &m->fake->temp;
    const struct fake_relation *old = &m->fake->view;
    fake_set_query(new, strstr(text, " AS ") + strlen(" AS "));
    return !m->fake->refuses_views && strchr(text, '$') == NULL &&
           strstr(text, " FROM t") != NULL && buf_len(&new->query) == buf_len(&old->query) &&
           memcmp(buf_bytes(&new->query), buf_bytes(&old->query), buf_len(&old->query)) == 0;
}

/* The answer that a client should see. */
static bool run_candidate(struct model_server *m, const struct model_entry *portal)
{
    const char *text = (const char *)buf_bytes(&m->text);
    bool is_view = begins(skip_comments(text), view_candidate_words);
    if (!m->fake->knows_the_statement ||
        !(is_view || begins(skip_comments(text), candidate_words)) ||
        is_left_to_the_server(m, portal)) {
        return refuse(m, portal);
    }
    if (m->fake->status != 'I') {
        return refuse_in_transaction(m, "", is_view);
    }
    if (fails_to_build(text)) {
        return fail_build(m);
    }
    if (is_view) {
        note_source(m, portal);
        replaced(m);
        say_tag(m, "CREATE_VIEW");
        return true;
    }
    if (is_unchanged(m, text)) {
        m->num_unchanged++;
        say_tag(m, "CREATE_MATERIALIZED_VIEW");
        return true;
    }
    note_source(m, portal);
    replaced(m);
    buf_swap(&m->fake->view.query, &m->fake->temp.query);
    if (!m->quiet) {
        /* As fake_server says it. */
        model_say(m, "NoticeResponse S\"NOTICE\" C\"00000\" M\"of the build\"");
    }
    say_tag(m, "CREATE_MATERIALIZED_VIEW");
    return true;
}

/* A statement of the session's own. */
static bool run_for_engine(struct model_server *m, const struct model_entry *portal)
{
    const char *text = (const char *)buf_bytes(&m->text);
    const char *first = skip_comments(text);
    if (begins(first, build_words)) {
        if (fails_to_build(text)) {
            return fail_build(m);
        }
        note_source(m, portal);
        m->fake->polls_to_go = m->polls_per_job;
    }
    if (begins(first, "CREATE VIEW ") && fails_to_build(text)) {
        return fail_build(m);
    }
    if (begins(first, view_creation_words)) {
        note_source(m, portal);
        replaced(m);
        say_tag(m, "CREATE_VIEW");
        return true;
    }
    if (begins(first, "SELECT")) {
        model_say(m, "NoticeResponse S\"NOTICE\" C\"00000\" M\"of a read\"");
    }
    if (begins(first, "ALTER MATERIALIZED VIEW") || begins(first, first_creation_words)) {
        replaced(m);
    }
    return fake_server_run(m->fake, first);
}

bool model_run(struct model_server *m, struct model_entry *portal)
{
    const char *text = (const char *)buf_bytes(&m->text);
    const char *first = skip_comments(text);
    if (!model_is_clients(text)) {
        return run_for_engine(m, portal);
    }
    if (begins(first, "CREATE")) {
        return run_candidate(m, portal);
    }
    if (begins(first, "EXPLAIN")) {
        return run_explain(m, portal);
    }
    if (begins(first, plan_text)) {
        return run_plan_portal(m, portal);
    }
    return begins(first, "SELECT") ? run_select(m, portal, first) : run_other(m, first);
}
