/* settings: every setting of the table, every value, the nearest name, durations. */
#include "settings.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct replace_settings defaults(void)
{
    struct replace_settings s;
    settings_init(&s);
    return s;
}

static enum setting named(const char *name)
{
    enum setting setting = SETTING_COUNT;
    struct settings_problem problem;
    cr_assert(settings_find(name, &setting, &problem), "%s", name);
    return setting;
}

Test(settings, defaults_are_what_the_table_says)
{
    struct replace_settings s = defaults();
    for (int i = 0; i < SETTING_COUNT; i++) {
        char text[SETTING_TEXT_LEN];
        cr_expect(eq(str, (char *)settings_text(&s, (enum setting)i, text),
                     (char *)setting_info((enum setting)i)->default_text),
                  "%s", setting_info((enum setting)i)->name);
        cr_expect(eq(int, s.sources[i], SOURCE_BUILT_IN));
        cr_expect(eq(int, (int)named(setting_info((enum setting)i)->name), i));
        cr_expect(ne(str, (char *)setting_info((enum setting)i)->description, ""));
    }
}

/* What is written can be read, by name and text. */
Test(settings, a_default_can_be_set_and_changes_nothing)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        struct replace_settings s = defaults();
        struct settings_problem problem;
        const struct setting_info *info = setting_info((enum setting)i);
        cr_expect(settings_set(&s, (enum setting)i, info->default_text, SOURCE_SESSION, &problem),
                  "%s: %s", info->name, problem.message);
        cr_expect(eq(int, (int)s.values[i], (int)defaults().values[i]));
        cr_expect(eq(int, s.sources[i], SOURCE_SESSION));
        cr_expect(settings_reset(&s, (enum setting)i,
                                 &(struct replace_settings){.sources = {SOURCE_FILE}}));
        cr_expect(eq(int, (int)s.values[i], 0));
    }
}

/* Every choice that is documented is known. */
Test(settings, documented_values_are_known)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_info *info = setting_info((enum setting)i);
        char values[80];
        (void)strncpy(values, info->values, sizeof(values) - 1);
        values[sizeof(values) - 1] = 0;
        if (strcmp(values, "duration") == 0 || strcmp(values, "SQL, or empty") == 0) {
            continue;
        }
        size_t num = 0;
        for (char *value = values; *value != 0; num++) {
            size_t len = strcspn(value, ",");
            char *next = value + len + strspn(value + len, ", ");
            value[len] = 0;
            struct replace_settings s = defaults();
            struct settings_problem problem;
            cr_expect(settings_set(&s, (enum setting)i, value, SOURCE_HINT, &problem), "%s = %s",
                      info->name, value);
            cr_expect(eq(sz, s.values[i], num));
            value = next;
        }
        cr_expect(gt(sz, num, 1), "%s", info->name);
    }
}

Test(settings, durations)
{
    static const struct {
        const char *text;
        bool good;
        uint32_t ms;
        const char *shown;
    } rows[] = {
        {"0", true, 0, "0"},
        {"10", true, 10000, "10s"},
        {"0.5", true, 500, "500ms"},
        {".5s", true, 500, "500ms"},
        {"10 s", true, 10000, "10s"},
        {" 250ms", true, 250, "250ms"},
        {"1.5min", true, 90000, "90s"},
        {"2min", true, 120000, "2min"},
        {"1h", true, 3600000, "1h"},
        {"36h", true, 129600000, "36h"},
        {"2d", true, 172800000, "2d"},
        {"40d", true, 3456000000, "40d"},
        {"0.0004s", true, 0, "0"},
        {"41d", false, 0, NULL},
        {"999999999999d", false, 0, NULL},
        {"9999999999999", false, 0, NULL},
        {"", false, 0, NULL},
        {"s", false, 0, NULL},
        {"-1s", false, 0, NULL},
        {"1.2.3", false, 0, NULL},
        {"1 week", false, 0, NULL},
        {"1S", false, 0, NULL},
        {"0x10", false, 0, NULL},
        {".", false, 0, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t ms = 77;
        char shown[SETTING_TEXT_LEN];
        cr_expect(eq(int, duration_parse(rows[i].text, &ms), rows[i].good), "\"%s\"", rows[i].text);
        cr_expect(eq(u32, ms, rows[i].good ? rows[i].ms : 77), "\"%s\"", rows[i].text);
        if (rows[i].good) {
            duration_text(ms, shown);
            cr_expect(eq(str, shown, (char *)rows[i].shown));
        }
    }
}

Test(settings, names_are_found_in_any_spelling)
{
    cr_expect(eq(int, (int)named("BUILD"), SETTING_BUILD));
    cr_expect(eq(int, (int)named("Drain-Min"), SETTING_DRAIN_MIN));
    cr_expect(eq(int, (int)named("drain_min"), SETTING_DRAIN_MIN));
}

Test(settings, an_unknown_name_is_told_the_nearest)
{
    static const struct {
        const char *name;
        const char *hint;
    } rows[] = {
        {"zero_downtme", "Perhaps you meant mvswap.zero_downtime."},
        {"drain_mn", "Perhaps you meant mvswap.drain_min."},
        {"bild", "Perhaps you meant mvswap.build."},
        {"", "SHOW mvswap lists all settings."},
        {"quite_something_else", "SHOW mvswap lists all settings."},
        {"a_name_that_is_much_longer_than_every_setting_there_is",
         "SHOW mvswap lists all settings."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum setting setting = SETTING_COUNT;
        struct settings_problem problem;
        cr_expect(not(settings_find(rows[i].name, &setting, &problem)));
        cr_expect(eq(int, (int)setting, SETTING_COUNT));
        cr_expect(eq(str, problem.hint, (char *)rows[i].hint), "%s", rows[i].name);
        cr_expect(eq(str, (char *)problem.sqlstate, "42704"));
    }
}

Test(settings, a_bad_value_changes_nothing)
{
    static const char *const values[] = {"", "backgroun", "background ", "on", "1", "'foreground'"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct replace_settings s = defaults();
        struct settings_problem problem;
        cr_expect(not(settings_set(&s, SETTING_BUILD, values[i], SOURCE_SESSION, &problem)));
        cr_expect(eq(str, (char *)problem.sqlstate, "22023"));
        cr_expect(eq(str, problem.hint, "Available values: background, foreground."));
        cr_expect(eq(int, s.sources[SETTING_BUILD], SOURCE_BUILT_IN));
    }
}

Test(settings, names_of_choices_are_read_in_any_case)
{
    struct replace_settings s = defaults();
    struct settings_problem problem;
    cr_assert(settings_set(&s, SETTING_BUILD, "ForeGround", SOURCE_FILE, &problem));
    cr_expect(eq(int, (int)s.values[SETTING_BUILD], REPLACE_BUILD_FOREGROUND));
    cr_assert(settings_set(&s, SETTING_ZERO_DOWNTIME, "TRUE", SOURCE_FILE, &problem));
    cr_expect(eq(int, (int)s.values[SETTING_ZERO_DOWNTIME], REPLACE_ZERO_DOWNTIME_ON));
}
