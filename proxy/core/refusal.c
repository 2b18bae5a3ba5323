/* refusal: see refusal.h. */
#include "refusal.h"

#include <stddef.h>
#include <string.h>

static const char of_replace[] = "Feature is not yet implemented: CREATE OR REPLACE VIEW";
static const char of_explain[] =
    "Feature is not yet implemented: unsupported statement for EXPLAIN:"
    " CREATE OR REPLACE MATERIALIZED VIEW ";

static bool line_is(const char *line, const char *text)
{
    size_t len = strcspn(line, "\n");
    return len == strlen(text) && memcmp(line, text, len) == 0;
}

static bool is_sign(const char *line, bool explained)
{
    return explained ? strncmp(line, of_explain, sizeof(of_explain) - 1) == 0
                     : line_is(line, of_replace);
}

bool refusal_is(const char *error_text, bool explained)
{
    bool is_cause = true; /* there may be no headline */
    for (const char *line = error_text; line != NULL; line = strchr(line, '\n')) {
        line += strspn(line, "\n ");
        if (is_cause && is_sign(line, explained)) {
            return true;
        }
        is_cause = line_is(line, "Caused by:");
    }
    return false;
}
