/*
 * extended: the messages of the extended protocol that concern a candidate or a setting of ours: a
 * Parse of one, and a Parse, Bind, Execute or Close that names a statement or portal which holds
 * one. Each goes to the server in a bracket (bracket.c), and what is kept of it is only what the
 * server has confirmed there: so the text that a replacement is built from is the one that the
 * server has. In the place of a statement about settings the server gets one that it knows (own.c);
 * in the place of EXPLAIN of a candidate a SELECT of its column, so that Describe answers that, and
 * the plan is made at each Execute: one that was fixed at Parse would be of another day. RESET ALL
 * and DISCARD ALL are sent as they are, and reset ours when they have been executed.
 */
#include "session_internal.h"

#include "limits.h"
#include "sql_scan.h"

#include <string.h>

static const char plan_substitute[] = "SELECT ''::varchar AS \"QUERY PLAN\"";

/* A Parse: its parts, borrowed from the body. */
struct parse {
    const char *name;
    const char *text;
    const uint8_t *types;
    size_t types_len;
};

static struct parse read_parse(const uint8_t *body, size_t len)
{
    struct wire_reader r = wire_reader_over(body, len);
    struct parse p = {.name = wire_read_text(&r)};
    p.text = wire_read_text(&r);
    p.types = r.at;
    p.types_len = r.left;
    return p;
}

struct bind {
    const char *portal;
    const char *statement;
    const uint8_t *values;
    size_t values_len;
};

static struct bind read_bind(const uint8_t *body, size_t len)
{
    struct wire_reader r = wire_reader_over(body, len);
    struct bind b = {.portal = wire_read_text(&r)};
    b.statement = wire_read_text(&r);
    b.values = r.at;
    b.values_len = r.left;
    return b;
}

/* One look at a text that is not: nearly all. */
static bool is_ours(const char *text, size_t len)
{
    struct candidate ignored;
    return own_gate(text, len) && (candidate_find_alone((const uint8_t *)text, len, &ignored) ||
                                   own_kind(text, len) != OWN_NOTHING);
}

static bool concerns_us(const struct session *s, uint8_t tag, const uint8_t *body, size_t len)
{
    const struct prepared *p = &s->prepared;
    struct parse parse;
    struct bind bind;
    switch (tag) {
    case CLIENT_PARSE:
        parse = read_parse(body, len);
        return prepared_find_statement(p, parse.name) != NULL ||
               is_ours(parse.text, strlen(parse.text));
    case CLIENT_BIND:
        bind = read_bind(body, len);
        return prepared_find_statement(p, bind.statement) != NULL ||
               prepared_find_portal(p, bind.portal) != NULL;
    case CLIENT_EXECUTE:
        return prepared_find_portal(p, (const char *)body) != NULL;
    case CLIENT_CLOSE:
        return body[0] == 'S' ? prepared_find_statement(p, (const char *)body + 1) != NULL
                              : prepared_find_portal(p, (const char *)body + 1) != NULL;
    default:
        return false;
    }
}

/* What the server gets in the place of a Parse's text, with its NUL; nothing when it is the text
 * itself. Under pressure no more EXPLAIN is kept, and one that is not must not be substituted. */
static void add_substitute(const struct session *s, struct buf *out, const char *text)
{
    size_t len = strlen(text);
    struct candidate candidate = {0};
    if (own_kind(text, len) == OWN_STATEMENT) {
        own_add_substitute(out, text);
    } else if (!s->pressed && candidate_find_alone((const uint8_t *)text, len, &candidate) &&
               candidate.explained) {
        wire_add_text(out, plan_substitute);
    }
}

static bool begin_parse(struct session *s, const uint8_t *body, size_t len)
{
    struct parse parse = read_parse(body, len);
    struct buf text = {0};
    struct buf other = {0};
    add_substitute(s, &text, parse.text);
    bool substituted = buf_failed(&text) || buf_len(&text) != 0;
    if (parse.name[0] == 0) {
        parsed_forget(&s->parsed, parse.name); /* gone even if this one fails */
    }
    if (substituted) {
        wire_add_text(&other, parse.name);
        buf_add(&other, buf_bytes(&text), buf_len(&text));
        buf_add(&other, parse.types, parse.types_len);
    }
    bool begun = !substituted ? bracket_begin(s, CLIENT_PARSE, body, len)
                              : !buf_failed(&text) && !buf_failed(&other) &&
                                    bracket_begin_sending(s, CLIENT_PARSE, body, len, CLIENT_PARSE,
                                                          buf_bytes(&other), buf_len(&other));
    s->bracket.substituted = begun && substituted;
    buf_cleanup(&text);
    buf_cleanup(&other);
    return begun;
}

static bool begin(struct session *s, uint8_t tag, const uint8_t *body, size_t len)
{
    return tag == CLIENT_PARSE ? begin_parse(s, body, len) : bracket_begin(s, tag, body, len);
}

bool extended_begin_if_concerned(struct session *s, uint8_t tag, const uint8_t *body, size_t len)
{
    if (tag != CLIENT_PARSE && prepared_is_empty(&s->prepared)) {
        return false;
    }
    if (!may_intercept(s)) {
        extended_passes_unseen(s, tag);
        return false;
    }
    if (!concerns_us(s, tag, body, len)) {
        return false;
    }
    if (!begin(s, tag, body, len)) {
        extended_passes_unseen(s, tag);
        return false;
    }
    if (tag == CLIENT_EXECUTE) {
        s->bracket.portal = prepared_find_portal(&s->prepared, (const char *)body);
    }
    return true;
}

void extended_passes_unseen(struct session *s, uint8_t tag)
{
    if (tag == CLIENT_PARSE || tag == CLIENT_BIND || tag == CLIENT_CLOSE) {
        prepared_forget_candidates(&s->prepared);
    }
    /* What has a name is not overwritten without a Close (risingwave.md 8.6). */
    if (tag == CLIENT_PARSE) {
        prepared_forget_statement(&s->prepared, "");
    } else if (tag == CLIENT_BIND) {
        prepared_forget_portal(&s->prepared, "");
    }
}

static void keep_statement(struct session *s, const struct parse *parse)
{
    struct prepared_statement statement = {.name = (char *)parse->name,
                                           .text = (char *)parse->text,
                                           .text_len = strlen(parse->text),
                                           .types = (uint8_t *)parse->types,
                                           .types_len = parse->types_len};
    bool found = candidate_find_alone((const uint8_t *)parse->text, statement.text_len,
                                      &statement.candidate);
    bool substituted = s->bracket.substituted;
    bool resets = !found && own_kind(parse->text, statement.text_len) == OWN_RESET_ALL;
    if (substituted) {
        statement.kind = found ? PREPARED_PLAN : PREPARED_SETTING;
    } else if (resets) {
        statement.kind = PREPARED_RESET_ALL;
    }
    if (substituted || resets || (found && !s->pressed)) {
        prepared_keep_statement(&s->prepared, &statement);
    } else {
        prepared_forget_statement(&s->prepared, parse->name);
    }
}

static bool may_keep_portal(const struct session *s, const char *statement_name)
{
    const struct prepared_statement *statement =
        prepared_find_statement(&s->prepared, statement_name);
    return statement != NULL && (!s->pressed || statement->kind != PREPARED_CANDIDATE);
}

void extended_took_effect(struct session *s)
{
    const uint8_t *body = buf_bytes(&s->bracket.body);
    size_t len = buf_len(&s->bracket.body);
    struct parse parse;
    struct bind bind;
    switch (s->bracket.tag) {
    case CLIENT_PARSE:
        parse = read_parse(body, len);
        follow_parsed(s, body, len, !is_ours(parse.text, strlen(parse.text)));
        keep_statement(s, &parse);
        break;
    case CLIENT_BIND:
        bind = read_bind(body, len);
        if (may_keep_portal(s, bind.statement)) {
            prepared_keep_portal(&s->prepared, bind.portal, bind.statement, bind.values,
                                 bind.values_len);
        } else {
            prepared_forget_portal(&s->prepared, bind.portal);
        }
        break;
    case CLIENT_CLOSE:
        if (body[0] == 'S') {
            prepared_forget_statement(&s->prepared, (const char *)body + 1);
            parsed_forget(&s->parsed, (const char *)body + 1);
        } else {
            prepared_forget_portal(&s->prepared, (const char *)body + 1);
        }
        break;
    default:
        break;
    }
}
