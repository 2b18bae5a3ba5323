/* json_text: see json_text.h. */
#include "json_text.h"

static json_t *value_of(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : NULL;
    return value != NULL ? value : json_null();
}

void json_put(json_t *object, const char *key, const char *text)
{
    (void)json_object_set_new(object, key, value_of(text));
}

void json_append(json_t *array, const char *text)
{
    (void)json_array_append_new(array, value_of(text));
}
