/* Tests of proxy/core/candidate.c: which Query bodies may be ours. In doubt none. */
#include "candidate.h"

#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

/* Asks about the text with its NUL, in an allocation of exactly its size. */
static bool is_candidate(const char *text)
{
    size_t len = strlen(text) + 1;
    uint8_t *body = malloc(len);
    memcpy(body, text, len);
    bool yes = candidate_query(body, len);
    free(body);
    return yes;
}

Test(candidate, one_statement_and_nothing_else)
{
    static const char *const yes[] = {
        "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "create or replace materialized view a.b.c as select 1;",
        ";; /* why */ CREATE OR REPLACE MATERIALIZED VIEW \"V w\" (x) AS SELECT 1 ; -- end\n ;",
        "CREATE OR REPLACE MATERIALIZED VIEW v WITH (a = 1) AS SELECT '$1' EMIT ON WINDOW CLOSE",
    };
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        cr_expect(is_candidate(yes[i]), "%s", yes[i]);
    }
}

Test(candidate, everything_else_passes)
{
    static const char *const no[] = {
        "",
        ";",
        "SELECT 1",
        "replace",
        "CREATE MATERIALIZED VIEW v AS SELECT 1",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "CREATE OR REPLACE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1",
        "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT $1",
        "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1; SELECT 2",
        "SET x = 1; CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "SELECT 'CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1'",
        "-- CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "/* CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1 */",
        "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 'open",
        "CREATE OR REPLACE MATERIALIZED VIEW v",
        "CREATE OR REPLACE MATERIALIZED VIEW a.b.c.d AS SELECT 1",
    };
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        cr_expect(not(is_candidate(no[i])), "%s", no[i]);
    }
}

Test(candidate, body_must_be_one_text)
{
    static const char text[] = "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1";
    static const char inner[] = "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1\0 -- x";
    cr_expect(candidate_query((const uint8_t *)text, sizeof(text)));
    cr_expect(not(candidate_query((const uint8_t *)text, sizeof(text) - 1)));
    cr_expect(not(candidate_query((const uint8_t *)text, 0)));
    cr_expect(not(candidate_query((const uint8_t *)inner, sizeof(inner))));
}

Test(candidate, every_truncation_is_judged)
{
    static const char text[] = "CREATE OR REPLACE MATERIALIZED VIEW \"v\" AS SELECT 'a'";
    for (size_t len = 0; len < sizeof(text); len++) {
        char cut[sizeof(text)] = "";
        memcpy(cut, text, len);
        bool whole = len > strlen("CREATE OR REPLACE MATERIALIZED VIEW \"v\" AS ");
        bool open = strchr(cut, '\'') != NULL && cut[sizeof(text) - 2] != '\'';
        cr_expect(eq(int, is_candidate(cut), whole && !open), "%s", cut);
    }
}

Test(candidate, passes_without_memory)
{
    static const char text[] = "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1";
    bool found = false;
    size_t nth = 1;
    for (; !found && nth < 100; nth++) {
        mem_fail_at(nth);
        found = candidate_query((const uint8_t *)text, sizeof(text));
        mem_fail_at(0);
    }
    cr_expect(found && nth > 2);
}
