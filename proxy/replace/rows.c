/* rows: see rows.h. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

const char *cell(const struct replace_result *result, size_t row, size_t column)
{
    if (row >= result->num_rows || column >= result->num_columns) {
        return NULL;
    }
    return result->cells[row * result->num_columns + column];
}

uint64_t cell_id(const struct replace_result *result, size_t row, size_t column)
{
    const char *text = cell(result, row, column);
    if (text == NULL || text[0] == 0 || text[strspn(text, "0123456789")] != 0 ||
        strlen(text) > 19) {
        return 0;
    }
    return strtoull(text, NULL, 10);
}

bool same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Behind `text` in a shown name, where quotes stand around it or do not; NULL: it does not begin
 * so. Names hold no double quotes, so passing over all of them is exact. */
static const char *behind_shown(const char *shown, const char *text)
{
    shown += strspn(shown, "\"");
    for (; *text != 0; text++, shown++) {
        if (*shown != *text) {
            return NULL;
        }
    }
    return shown + strspn(shown, "\"");
}

/* Is it schema.name, or name alone (2.2 shows no schema)? Needs no memory: an answer that cannot be
 * read would be asked for again without end. */
static bool shown_name_is(const char *shown, const char *schema, const char *name)
{
    const char *rest = behind_shown(shown, name);
    if (rest != NULL && *rest == 0) {
        return true;
    }
    rest = behind_shown(shown, schema);
    rest = rest != NULL && *rest == '.' ? behind_shown(rest + 1, name) : NULL;
    return rest != NULL && *rest == 0;
}

bool rows_show(const struct replace_result *result, const char *schema, const char *name)
{
    for (size_t row = 0; row < result->num_rows; row++) {
        const char *shown = cell(result, row, 0);
        if (shown != NULL && shown_name_is(shown, schema, name)) {
            return true;
        }
    }
    return false;
}
