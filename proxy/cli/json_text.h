/*
 * json_text: texts of the server in JSON documents. They are not certain to be UTF-8: one that is
 * not, is null. Must not know: what the documents are about.
 */
#ifndef MVSWAP_CLI_JSON_TEXT_H
#define MVSWAP_CLI_JSON_TEXT_H

#include <jansson.h>

/* json_put sets a member, json_append adds an element; `text` NULL: null. Without memory nothing is
 * done: the document lacks it. */
void json_put(json_t *object, const char *key, const char *text);
void json_append(json_t *array, const char *text);

#endif
