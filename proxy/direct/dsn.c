/* dsn: see dsn.h. */
#include "dsn.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Of passwords with `@`, `/` or `:` the rest comes to stand in another field (manual 34.1.1.2). */
static const char *field_problem(const PQconninfoOption *field, bool is_uri)
{
    static const char misplaced[] =
        "In a URI `@`, `/`, `:` and `%` of user names and passwords are percent-encoded.";
    if (field->val == NULL) {
        return NULL;
    }
    if (strcmp(field->keyword, "port") == 0 && field->val[strspn(field->val, "0123456789,")] != 0) {
        return is_uri ? misplaced : "Each port is a number.";
    }
    /* In front, `@` means an abstract Unix-domain socket. */
    if ((strcmp(field->keyword, "host") == 0 && strchr(field->val + (field->val[0] == '@'), '@')) ||
        (strcmp(field->keyword, "dbname") == 0 && is_uri && strchr(field->val, '@') != NULL)) {
        return is_uri ? misplaced : "No host has an `@`.";
    }
    return NULL;
}

const char *dsn_problem(const char *dsn)
{
    bool is_uri = begins_with(dsn, "postgres://") || begins_with(dsn, "postgresql://");
    const char *problem = NULL;
    if (!is_uri && strchr(dsn, '=') == NULL) {
        return NULL; /* to libpq the name of a database */
    }
    PQconninfoOption *fields = PQconninfoParse(dsn, NULL);
    if (fields == NULL) {
        return is_uri
                   ? "Expected postgresql://user:password@host:port/database; special characters "
                     "of user names and passwords are percent-encoded."
                   : "Expected keyword=value, with quotes ' around values that have blanks.";
    }
    for (const PQconninfoOption *field = fields; field->keyword != NULL && problem == NULL;
         field++) {
        problem = field_problem(field, is_uri);
    }
    PQconninfoFree(fields);
    return problem;
}
