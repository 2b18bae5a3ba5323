/* refusal: see refusal.h. */
#include "refusal.h"

#include <stddef.h>
#include <string.h>

static const char of_replace[] = "Feature is not yet implemented: CREATE OR REPLACE VIEW";
static const char of_explain[] =
    "Feature is not yet implemented: unsupported statement for EXPLAIN:"
    " CREATE OR REPLACE MATERIALIZED VIEW ";
static const char of_explained_view[] = "Not supported: EXPLAIN CREATE VIEW";

static bool line_is(const char *line, const char *text)
{
    size_t len = strcspn(line, "\n");
    return len == strlen(text) && memcmp(line, text, len) == 0;
}

static bool is_sign(const char *line, const struct candidate *candidate)
{
    if (!candidate->explained) {
        return line_is(line, of_replace);
    }
    return candidate->materialized ? strncmp(line, of_explain, sizeof(of_explain) - 1) == 0
                                   : line_is(line, of_explained_view);
}

bool refusal_is(const char *error_text, const struct candidate *candidate)
{
    bool is_cause = true; /* there may be no headline */
    for (const char *line = error_text; line != NULL; line = strchr(line, '\n')) {
        line += strspn(line, "\n ");
        if (is_cause && is_sign(line, candidate)) {
            return true;
        }
        is_cause = line_is(line, "Caused by:");
    }
    return false;
}
