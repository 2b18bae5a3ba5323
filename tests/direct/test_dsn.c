/* Tests of proxy/direct/dsn.c: strings of which libpq's errors would quote a part of a password. */
#include "dsn.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static const struct {
    const char *dsn;
    const char *said; /* NULL: it is good */
} rows[] = {
    {"", NULL},
    {"dev", NULL},
    {"service=risingwave-admin", NULL},
    {"host=127.0.0.1 port=4566 user=root dbname=dev", NULL},
    {"host=a,b port=4566,4567 user=root", NULL},
    {"host=/run/risingwave user=root", NULL},
    {"host=@abstract user=root", NULL},
    {"password='my secret' host=h", NULL},
    {"password=my@se/cret:1 host=h dbname=a@b", NULL},
    {"postgres://u:p%40ss@h:4566/dev?sslmode=require", NULL},
    {"postgresql://u@[::1]:4566/dev", NULL},
    {"postgresql://h1:1,h2:2/dev", NULL},
    {"postgres://u:50%off@h/db", "percent-encoded"},
    {"postgres://u:p@secret@h/db", "percent-encoded"},
    {"postgres://u:pa/secret@h/db", "percent-encoded"},
    {"postgres://u:12/secret@h/db", "percent-encoded"},
    {"postgres://u:pa:secret@h/db", NULL},
    {"host=h password=my secret", "quotes"},
    {"host=h port=secret", "number"},
    {"host=u:secret@h", "`@`"},
    {"host=h no_such=secret", "keyword=value"},
};

Test(dsn, says_what_is_wrong_and_nothing_of_the_text)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *problem = dsn_problem(rows[i].dsn);
        if (rows[i].said == NULL) {
            cr_expect(eq(ptr, (void *)problem, NULL), "%s: %s", rows[i].dsn, problem);
        } else {
            cr_assert(ne(ptr, (void *)problem, NULL), "%s", rows[i].dsn);
            cr_expect(ne(ptr, strstr(problem, rows[i].said), NULL), "%s: %s", rows[i].dsn, problem);
            cr_expect(eq(ptr, strstr(problem, "secret"), NULL));
        }
    }
}
