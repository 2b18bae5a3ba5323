/* setting_sql: settings that hold SQL: what is refused, who owns the text, and memory that fails.
 */
#include "settings.h"

#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static const enum setting all[] = {SETTING_CHECK, SETTING_BEFORE_BUILD, SETTING_AFTER_SWAP};
enum { NUM_ALL = sizeof(all) / sizeof(all[0]) };

static struct replace_settings with(enum setting setting, const char *value)
{
    struct replace_settings s;
    struct settings_problem problem;
    settings_init(&s);
    cr_assert(settings_set(&s, setting, value, SOURCE_SESSION, &problem), "%s", problem.message);
    return s;
}

Test(setting_sql, is_kept_whole)
{
    static const char *const texts[] = {
        "SELECT true",
        "  SELECT count(*) > 0 FROM {new} -- all of it\n",
        "SELECT '$1', \"a$1\", $$ ; $$ /* ; */;",
        "SELECT a FROM {new} EXCEPT SELECT a FROM {old}",
        "SELECT 'it''s'; ; /* nothing behind it */",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (size_t k = 0; k < NUM_ALL; k++) {
            char scratch[SETTING_TEXT_LEN];
            struct replace_settings s = with(all[k], texts[i]);
            cr_expect(eq(str, (char *)settings_sql(&s, all[k]), (char *)texts[i]));
            cr_expect(eq(str, (char *)settings_text(&s, all[k], scratch), (char *)texts[i]));
            cr_expect(eq(int, s.sources[all[k]], SOURCE_SESSION));
            cr_expect(eq(sz, settings_memory(&s), strlen(texts[i]) + 1));
            for (size_t other = 0; other < NUM_ALL; other++) {
                cr_expect(other == k || settings_sql(&s, all[other])[0] == 0);
            }
            settings_cleanup(&s);
            cr_expect(eq(str, (char *)settings_sql(&s, all[k]), ""));
        }
    }
}

Test(setting_sql, an_empty_text_owns_nothing)
{
    struct replace_settings s = with(SETTING_CHECK, "SELECT true");
    struct settings_problem problem;
    cr_assert(settings_set(&s, SETTING_CHECK, "", SOURCE_HINT, &problem));
    cr_expect(eq(ptr, s.sql[0], NULL));
    cr_expect(eq(sz, settings_memory(&s), 0));
    cr_expect(eq(int, s.sources[SETTING_CHECK], SOURCE_HINT));
}

static const char *const unreadable_hint =
    "Close quotes and comments; leave out U&\"\" and nested comments.";

static void expect_refused(enum setting setting, const char *text, const char *message,
                           const char *hint)
{
    struct replace_settings s = with(setting, "SELECT 'as it was'");
    struct settings_problem problem = {.sqlstate = ""};
    const char *name = setting_info(setting)->name;
    char wanted[160];
    (void)snprintf(wanted, sizeof(wanted), "invalid value for setting \"mvswap.%s\": %s", name,
                   message);
    cr_expect(not(settings_set(&s, setting, text, SOURCE_HINT, &problem)), "%s = %s", name, text);
    cr_expect(eq(str, (char *)problem.sqlstate, "22023"), "%s = %s", name, text);
    cr_expect(eq(str, problem.message, wanted));
    cr_expect(eq(str, problem.hint, (char *)hint));
    cr_expect(eq(str, (char *)settings_sql(&s, setting), "SELECT 'as it was'"));
    cr_expect(eq(int, s.sources[setting], SOURCE_SESSION));
    settings_cleanup(&s);
}

Test(setting_sql, what_cannot_run_is_refused_when_it_is_set)
{
    static const char *const unreadable[] = {
        "SELECT 'a",       "SELECT \"a",     "SELECT 1 /* a",
        "SELECT $$a",      "SELECT U&\"a\"", "SELECT 1 -- a\rFROM b",
        "SELECT E'\\000'", "SELECT 1e",      "SELECT \xff"};
    static const char *const parameters[] = {"SELECT $1", "SELECT true; SELECT $2",
                                             "INSERT INTO t VALUES (1, $10)"};
    static const char *const nothing[] = {" ", "\n\t", ";", ";;", "-- later", "/* later */ ;"};
    static const char *const several[] = {"SELECT 1; SELECT 2", "SELECT 1;;SELECT 2;",
                                          "; SELECT 1 /* ; */; SELECT ';'"};
    for (size_t k = 0; k < NUM_ALL; k++) {
        for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
            expect_refused(all[k], unreadable[i], "it cannot be read as SQL", unreadable_hint);
        }
        for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
            expect_refused(all[k], parameters[i], "it holds a parameter",
                           "Nothing is bound to $1 here.");
        }
        for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
            expect_refused(all[k], nothing[i], "it holds no statement",
                           "An empty value switches it off.");
        }
        for (size_t i = 0; i < sizeof(several) / sizeof(several[0]); i++) {
            if (all[k] == SETTING_CHECK) {
                expect_refused(all[k], several[i], "it holds more than one statement",
                               "Write one query.");
            } else {
                struct replace_settings s = with(all[k], several[i]);
                settings_cleanup(&s);
            }
        }
    }
}

Test(setting_sql, a_long_one_is_refused)
{
    static char text[LIMIT_SETTING_SQL + 2] = "SELECT '";
    size_t len = strlen(text);
    memset(text + len, 'a', LIMIT_SETTING_SQL - 1 - len);
    text[LIMIT_SETTING_SQL - 1] = '\'';
    struct replace_settings s = with(SETTING_AFTER_SWAP, text);
    cr_expect(eq(sz, strlen(settings_sql(&s, SETTING_AFTER_SWAP)), LIMIT_SETTING_SQL));
    settings_cleanup(&s);
    text[LIMIT_SETTING_SQL] = ';';
    expect_refused(SETTING_AFTER_SWAP, text, "it is too long",
                   "At most 8192 bytes; a view or function can hold more.");
}

Test(setting_sql, a_copy_is_its_own)
{
    struct replace_settings s = with(SETTING_CHECK, "SELECT 1");
    struct replace_settings copy;
    struct settings_problem problem;
    cr_assert(settings_set(&s, SETTING_BUILD, "foreground", SOURCE_FILE, &problem));
    cr_assert(settings_copy(&s, &copy));
    cr_assert(settings_set(&s, SETTING_CHECK, "SELECT 2", SOURCE_HINT, &problem));
    cr_expect(eq(str, (char *)settings_sql(&copy, SETTING_CHECK), "SELECT 1"));
    cr_expect(eq(int, copy.sources[SETTING_CHECK], SOURCE_SESSION));
    cr_expect(eq(int, (int)copy.values[SETTING_BUILD], REPLACE_BUILD_FOREGROUND));
    cr_assert(settings_assign(&copy, &s));
    settings_cleanup(&s);
    cr_expect(eq(str, (char *)settings_sql(&copy, SETTING_CHECK), "SELECT 2"));
    settings_cleanup(&copy);
}

Test(setting_sql, a_reset_takes_the_text_along)
{
    struct replace_settings s = with(SETTING_CHECK, "SELECT 1");
    struct replace_settings to = with(SETTING_CHECK, "SELECT 2");
    cr_assert(settings_reset(&s, SETTING_CHECK, &to));
    cr_expect(eq(str, (char *)settings_sql(&s, SETTING_CHECK), "SELECT 2"));
    settings_cleanup(&to);
    cr_expect(eq(str, (char *)settings_sql(&s, SETTING_CHECK), "SELECT 2"));
    settings_init(&to);
    cr_assert(settings_reset(&s, SETTING_CHECK, &to));
    cr_expect(eq(ptr, s.sql[0], NULL));
    cr_expect(eq(int, s.sources[SETTING_CHECK], SOURCE_BUILT_IN));
}

/* Each allocation failing: 53200, and all as it was. */
Test(setting_sql, without_memory)
{
    struct replace_settings s = with(SETTING_CHECK, "SELECT 1");
    struct replace_settings from = with(SETTING_CHECK, "SELECT 2");
    struct settings_problem problem = {.sqlstate = ""};
    cr_assert(settings_set(&from, SETTING_AFTER_SWAP, "SELECT 3", SOURCE_FILE, &problem));
    bool done = false;
    size_t failures = 0;
    for (size_t nth = 1; !done; nth++) {
        struct replace_settings copy = {.values = {77}};
        mem_fail_at(nth);
        bool set = settings_set(&s, SETTING_CHECK, "SELECT 4", SOURCE_HINT, &problem);
        mem_fail_at(nth);
        bool copied = settings_copy(&from, &copy);
        mem_fail_at(nth);
        bool assigned = !set && settings_assign(&s, &from);
        mem_fail_at(nth);
        bool reset = !set && !assigned && settings_reset(&s, SETTING_CHECK, &from);
        mem_fail_at(0);
        done = set;
        failures += set ? 0 : 1;
        cr_expect(set || settings_lacked_memory(&problem));
        cr_expect(copied || (copy.values[0] == 77 && copy.sql[0] == NULL));
        cr_expect(eq(int, copied, nth > 2));
        cr_expect(eq(int, assigned, !set && nth > 2));
        cr_expect(eq(int, reset, !set && nth == 2));
        const char *now = settings_sql(&s, SETTING_CHECK);
        cr_expect(eq(str, (char *)now,
                     set                   ? "SELECT 4"
                     : assigned || nth > 1 ? "SELECT 2"
                                           : "SELECT 1"));
        settings_cleanup(&copy);
    }
    cr_expect(gt(sz, failures, 2));
    settings_cleanup(&s);
    settings_cleanup(&from);
}
