/* Tests of proxy/cli/statements.c: the order in which statements are carried out. */
#include "statements.h"

#include "buf.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

enum { MOST_ROWS = 6 };

/* Each is carried out as the view of the letter that it has in `order`. */
static const struct {
    const char *what;
    const char *statements[MOST_ROWS];
    const char *order; /* numbers, from 1 */
} rows[] = {
    {"nothing to order", {"a AS SELECT 1", "b AS SELECT 1"}, "1 2 "},
    {"what reads comes behind", {"a AS SELECT 1 FROM b", "b AS SELECT 1"}, "2 1 "},
    {"a chain", {"a AS SELECT 1 FROM b", "b AS SELECT 1 FROM c", "c AS SELECT 1"}, "3 2 1 "},
    {"as few moves as needed",
     {"a AS SELECT 1", "b AS SELECT 1 FROM d", "c AS SELECT 1", "d AS SELECT 1"},
     "1 3 4 2 "},
    {"folded and quoted",
     {"\"A\" AS SELECT 1 FROM B", "a AS SELECT 1 FROM \"A\"", "b AS SELECT 1"},
     "3 1 2 "},
    {"with a schema", {"x.a AS SELECT 1 FROM x.b", "x.b AS SELECT 1"}, "2 1 "},
    {"with the schema in one place", {"a AS SELECT 1 FROM x.b", "b AS SELECT 1"}, "2 1 "},
    {"without it", {"a AS SELECT 1 FROM b", "x.b AS SELECT 1"}, "2 1 "},
    {"of another schema", {"a AS SELECT 1 FROM y.b", "x.b AS SELECT 1"}, "1 2 "},
    {"one name in two schemas",
     {"marts.o AS SELECT 1 FROM staging.o", "staging.o AS SELECT 1"},
     "2 1 "},
    {"... the other way round",
     {"staging.o AS SELECT 1", "marts.o AS SELECT 1 FROM staging.o"},
     "1 2 "},
    {"its own name", {"o AS SELECT o FROM t", "x.o AS SELECT 1"}, "1 2 "},
    {"a column of that name", {"a AS SELECT b FROM t", "b AS SELECT 1"}, "2 1 "},
    /* a names b as a column only: b, which reads a, comes behind it. */
    {"a column of that name in a circle", {"b AS SELECT 1 FROM a", "a AS SELECT b FROM t"}, "2 1 "},
    {"a joined one in a circle", {"b AS SELECT 1 FROM t JOIN a", "a AS SELECT b FROM t"}, "2 1 "},
    {"a true circle", {"a AS SELECT 1 FROM b", "b AS SELECT 1 FROM a", "c AS SELECT 1"}, "3 1 2 "},
    {"in a comment", {"a AS SELECT 1 /* FROM b */", "b AS SELECT 1"}, "1 2 "},
    {"in a string", {"a AS SELECT 'b'", "b AS SELECT 1"}, "1 2 "},
    {"twice", {"a AS SELECT 1", "a AS SELECT 2"}, "1 2 "},
};

Test(statements, order)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct direct_source sources[MOST_ROWS] = {{.is_file = false}};
        struct direct_options options = {.sources = sources};
        struct buf texts[MOST_ROWS] = {{0}};
        struct buf order = {0};
        struct cli_statements list;
        for (size_t k = 0; k < MOST_ROWS && rows[i].statements[k] != NULL; k++) {
            buf_add_format(&texts[k], "CREATE OR REPLACE VIEW %s", rows[i].statements[k]);
            sources[options.num_sources++].text = buf_text(&texts[k]);
        }
        cr_assert(statements_read(&options, &list));
        cr_assert(statements_order(&list));
        for (size_t k = 0; k < list.num; k++) {
            buf_add_format(&order, "%zu ", list.items[k].nth);
        }
        cr_expect(eq(str, (char *)buf_text(&order), (char *)rows[i].order), "%s", rows[i].what);
        buf_cleanup(&order);
        statements_cleanup(&list);
        for (size_t k = 0; k < MOST_ROWS; k++) {
            buf_cleanup(&texts[k]);
        }
    }
}
