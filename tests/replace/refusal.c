/* refusal: see refusal.h. */
#include "refusal.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

void expect_refusal(struct script *s, const char *what, const char *sqlstate, const char *says)
{
    for (unsigned i = 0; i < 4; i++) {
        if (i != 0) {
            script_again(s);
        }
        s->settings.values[SETTING_BUILD] =
            (i & 1) != 0 ? REPLACE_BUILD_FOREGROUND : REPLACE_BUILD_BACKGROUND;
        s->catalog.background_ddl = (i & 2) != 0;
        script_run(s);
        cr_expect(script_kept_promise(s), "%s: %s", what, s->problem);
        cr_expect(script_unchanged(s), "%s: the catalog changed", what);
        cr_expect(eq(int, s->outcome, REPLACE_FAILED), "%s", what);
        cr_expect(eq(str, s->sqlstate, (char *)sqlstate), "%s: %s", what, s->error);
        cr_expect(ne(ptr, strstr(s->error, says), NULL), "%s: %s", what, s->error);
        cr_expect(not(script_says(s, "\nDROP ")), "%s", what);
    }
    (void)printf("%-40s -> %s %.*s\n", what, s->sqlstate, (int)strcspn(s->error, "\n"), s->error);
}

bool was_built(const struct script *s)
{
    return script_find_step(s, "build", 0) != SCRIPT_REQUESTS;
}
