/*
 * statement: recognises the statements that mvswap implements, by tokens.
 *
 *     CREATE OR REPLACE [TEMP|TEMPORARY] [MATERIALIZED] VIEW name [(columns)] [WITH (...)] AS query
 *
 * after any comments; names of one to three parts in any quoting and case. Not recognised, so that
 * it passes: IF NOT EXISTS, parameters where the caller forbids them, names of more parts, anything
 * in front of CREATE (PREPARE; EXPLAIN is told apart first), anything that does not reach AS.
 * Must not know: protocols, servers.
 */
#ifndef MVSWAP_PARSER_STATEMENT_H
#define MVSWAP_PARSER_STATEMENT_H

#include "attributes.h"
#include "buf.h"
#include "sql_scan.h"

#include <stdbool.h>
#include <stddef.h>

enum statement_kind {
    STATEMENT_OTHER,
    STATEMENT_REPLACE_MATERIALIZED_VIEW,
    STATEMENT_REPLACE_VIEW
};

struct byte_range {
    size_t start;
    size_t end;
};

/*
 * A recognised statement. Ranges point into the text it was read from; names are newly allocated,
 * NUL-terminated and folded (NULL: that part was not given). Zero bytes are a valid
 * STATEMENT_OTHER.
 */
struct statement {
    enum statement_kind kind;
    char *database;
    char *schema;
    char *name;
    struct byte_range whole;      /* from CREATE to the end of the last token that is no comment */
    struct byte_range or_replace; /* from OR to the start of the next token */
    struct byte_range last_part;  /* the last part of the name, quotes included */
    bool last_part_quoted;
    struct byte_range columns; /* "(...)" behind the name; empty when absent */
    struct byte_range options; /* "WITH (...)"; empty when absent */
    /* From the first token behind AS that is no comment, without EMIT and trailing comments. */
    struct byte_range query;
    struct byte_range emit; /* "EMIT ...", of materialized views only; empty when absent */
    bool has_parameters;    /* $1 anywhere; told for STATEMENT_OTHER, too */
    /* Begins with CREATE OR REPLACE ... VIEW, recognised or not: RisingWave refuses all of these
     * with the same words. */
    bool refused_alike;
    /* Begins with CREATE [OR REPLACE] VIEW, recognised or not: likewise EXPLAIN of all of these. */
    bool explain_refused_alike;
};

enum statement_result {
    STATEMENT_READ,     /* out_statement->kind tells, perhaps STATEMENT_OTHER */
    STATEMENT_NO_MEMORY /* nothing written */
};

/* statement_read looks at one piece of a scanned text. On STATEMENT_READ the caller owns
 * `out_statement` (statement_cleanup). */
MUST_CHECK enum statement_result statement_read(const char *text, const struct sql_tokens *tokens,
                                                const struct sql_piece *piece,
                                                struct statement *out_statement);
void statement_cleanup(struct statement *statement);

/* statement_read_stored does the same for CREATE [MATERIALIZED] VIEW as the catalog stores it,
 * without OR REPLACE: the kind is that of the statement which replaces such a view, or_replace is
 * empty. */
MUST_CHECK enum statement_result statement_read_stored(const char *text,
                                                       const struct sql_tokens *tokens,
                                                       const struct sql_piece *piece,
                                                       struct statement *out_statement);

/* What of EXPLAIN stands in front of a CREATE. */
enum statement_explain {
    EXPLAIN_NOTHING,     /* it does not begin with EXPLAIN, or no CREATE follows */
    EXPLAIN_BARE,        /* EXPLAIN alone */
    EXPLAIN_WITH_OPTIONS /* anything between the two: (VERBOSE), ANALYZE, ... */
};

/* statement_explained: is the piece an EXPLAIN of a CREATE? `out_inner` is the piece from CREATE
 * on, for statement_read; untouched for EXPLAIN_NOTHING. */
enum statement_explain statement_explained(const char *text, const struct sql_tokens *tokens,
                                           const struct sql_piece *piece,
                                           struct sql_piece *out_inner);

/* statement_command_tag: what the server would answer, "CREATE_MATERIALIZED_VIEW" or "CREATE_VIEW"
 * (RisingWave's tags are enum names with underscores). */
const char *statement_command_tag(enum statement_kind kind);

/*
 * statement_plain appends the statement `text`[whole] without OR REPLACE, every other byte as it
 * was. statement_renamed does the same with the last part of the name replaced by `new_name`,
 * written quoted if it was quoted or needs it. An unqualified name stays unqualified.
 */
void statement_plain(const char *text, const struct statement *statement, struct buf *out);
void statement_renamed(const char *text, const struct statement *statement, const char *new_name,
                       struct buf *out);

#endif
