/* hints: settings in comments of a statement. */
#include "hints.h"

#include "mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    enum hints_result result;
    const char *shown; /* build, notices and build_timeout; or the SQLSTATE */
} rows[] = {
    {"SELECT 1", HINTS_READ, "background progress 0"},
    {"/* nothing */ SELECT 1", HINTS_READ, "background progress 0"},
    {"/* mvswap: build=foreground */ SELECT 1", HINTS_READ, "foreground progress 0"},
    {"SELECT /*mvswap:build=foreground,notices=off*/ 1", HINTS_READ, "foreground off 0"},
    {"SELECT 1 /* MVSWAP: Build = Foreground , notices = 'off' , */", HINTS_READ,
     "foreground off 0"},
    {"SELECT /*\n mvswap:\n  build=foreground,\n  build_timeout='2 h'\n*/ 1", HINTS_READ,
     "foreground progress 2h"},
    {"/* mvswap: notices=off */ SELECT /* mvswap: notices=summary */ 1", HINTS_READ,
     "background summary 0"},
    {"/* mvswap: */ SELECT 1", HINTS_READ, "background progress 0"},
    {"/* mvswap: check='' */ SELECT 1", HINTS_READ, "background progress 0"},
    {"SELECT '/* mvswap: build=foreground */'", HINTS_READ, "background progress 0"},
    {"SELECT $$/* mvswap: build=foreground */$$", HINTS_READ, "background progress 0"},
    {"SELECT 1 -- mvswap: build=foreground", HINTS_READ, "background progress 0"},
    {"/* see mvswap: build=foreground */ SELECT 1", HINTS_READ, "background progress 0"},
    {"/* mvswap build=foreground */ SELECT 1", HINTS_READ, "background progress 0"},
    {"/**/ SELECT 1", HINTS_READ, "background progress 0"},
    {"/* mvswap: bild=foreground */ SELECT 1", HINTS_BAD, "42704"},
    {"/* mvswap: build=fast */ SELECT 1", HINTS_BAD, "22023"},
    {"/* mvswap: dependents=keep */ SELECT 1", HINTS_READ, "background progress 0"},
    {"/* mvswap: dependents=leave */ SELECT 1", HINTS_BAD, "22023"},
    {"/* mvswap: build */ SELECT 1", HINTS_BAD, "22023"},
    {"/* mvswap: build= */ SELECT 1", HINTS_BAD, "22023"},
    {"/* mvswap: build='foreground */ SELECT 1", HINTS_BAD, "22023"},
    {"/* mvswap: build='foreground' x */ SELECT 1", HINTS_BAD, "22023"},
    {"/* mvswap: ,build=foreground */ SELECT 1", HINTS_BAD, "42704"},
    {"/* mvswap: build=foreground; notices=off */ SELECT 1", HINTS_BAD, "22023"},
    {"/* mvswap: check='SELECT ''it''''s, well''', notices=off */ SELECT 1", HINTS_READ,
     "background off 0"},
    {"/* mvswap: check='it''s, well' */ SELECT 1", HINTS_BAD, "22023"},
    {"/* mvswap: before_build='SELECT $1' */ SELECT 1", HINTS_BAD, "22023"},
};

static void show(const struct replace_settings *settings, char out_shown[3 * SETTING_TEXT_LEN])
{
    char text[3][SETTING_TEXT_LEN];
    (void)settings_text(settings, SETTING_BUILD, text[0]);
    (void)settings_text(settings, SETTING_NOTICES, text[1]);
    (void)settings_text(settings, SETTING_BUILD_TIMEOUT, text[2]);
    (void)snprintf(out_shown, (size_t)3 * SETTING_TEXT_LEN, "%s %s %s", text[0], text[1], text[2]);
}

/* With each allocation failing, too: then nothing is half read. */
Test(hints, are_read_or_refused)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool done = false;
        for (size_t nth = 1; !done; nth++) {
            struct replace_settings settings;
            struct settings_problem problem = {.sqlstate = ""};
            char shown[3 * SETTING_TEXT_LEN];
            settings_init(&settings);
            mem_fail_at(nth);
            enum hints_result result =
                hints_read(rows[i].text, strlen(rows[i].text), &settings, &problem);
            done = mem_count() < nth;
            mem_fail_at(0);
            show(&settings, shown);
            cr_expect(eq(int, result, done ? rows[i].result : HINTS_NO_MEMORY), "%s, %zu",
                      rows[i].text, nth);
            if (done && result == HINTS_READ) {
                cr_expect(eq(str, shown, (char *)rows[i].shown), "%s", rows[i].text);
            } else if (done) {
                cr_expect(eq(str, (char *)problem.sqlstate, (char *)rows[i].shown), "%s",
                          rows[i].text);
            }
            settings_cleanup(&settings);
        }
    }
}

Test(hints, are_marked_as_such)
{
    static const char text[] = "/* mvswap: notices=off */ SELECT 1";
    struct replace_settings settings;
    struct settings_problem problem;
    settings_init(&settings);
    cr_assert(eq(int, hints_read(text, strlen(text), &settings, &problem), HINTS_READ));
    cr_expect(eq(int, settings.sources[SETTING_NOTICES], SOURCE_HINT));
    cr_expect(eq(int, settings.sources[SETTING_BUILD], SOURCE_BUILT_IN));
}

Test(hints, may_hold_sql)
{
    static const char text[] = "/* mvswap: check='SELECT ''it''''s, well''' */ SELECT 1";
    struct replace_settings settings;
    struct settings_problem problem;
    settings_init(&settings);
    cr_assert(eq(int, hints_read(text, strlen(text), &settings, &problem), HINTS_READ));
    cr_expect(eq(str, (char *)settings_sql(&settings, SETTING_CHECK), "SELECT 'it''s, well'"));
    settings_cleanup(&settings);
}
