/*
 * statements: the statements of files and of the command line, and the order in which they are
 * carried out: what reads another one's view comes behind it. Must not know: connections.
 */
#ifndef MVSWAP_CLI_STATEMENTS_H
#define MVSWAP_CLI_STATEMENTS_H

#include "attributes.h"
#include "direct_options.h"

#include <stdbool.h>
#include <stddef.h>

/* One CREATE OR REPLACE; texts are owned by the list. */
struct cli_statement {
    const char *source; /* the file, or "-c" */
    size_t nth;         /* of the -c, from 1; 0: a file */
    size_t line;        /* where it begins, from 1 */
    char *text;         /* without `;`, with the comments around it */
    char *schema;       /* of the view, folded; NULL: not written */
    char *name;         /* likewise */
};

struct cli_statements {
    struct cli_statement *items;
    size_t num;
};

/* statements_read: false when a file cannot be read or holds anything else; that was said on
 * standard error. Free with statements_cleanup in any case. */
MUST_CHECK bool statements_read(const struct direct_options *options,
                                struct cli_statements *out_statements);
void statements_cleanup(struct cli_statements *statements);

/*
 * statements_order puts each behind those whose views its text names, and keeps the order
 * otherwise. A word may be the name of a column as well: where statements name one another, only
 * what stands behind FROM or JOIN counts, and what does so in a circle stays in its order: the
 * server judges that. False without memory, which was said on standard error.
 */
MUST_CHECK bool statements_order(struct cli_statements *statements);

#endif
