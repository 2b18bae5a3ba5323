/* kept: see kept.h. */
#include "kept.h"

#include "buf.h"
#include "mem.h"

#include <string.h>

bool kept_rows_set(struct kept_rows *kept, const struct replace_result *result)
{
    size_t num = result->num_rows * result->num_columns;
    kept_rows_cleanup(kept);
    if (num == 0) {
        return true;
    }
    const char **cells = mem_copy_texts(result->cells, num);
    if (cells == NULL) {
        return false;
    }
    kept->block = cells;
    kept->rows = (struct replace_result){.kind = REPLACE_OK,
                                         .num_rows = result->num_rows,
                                         .num_columns = result->num_columns,
                                         .cells = cells};
    return true;
}

void kept_rows_cleanup(struct kept_rows *kept)
{
    mem_free(kept->block);
    *kept = (struct kept_rows){.rows = {.kind = REPLACE_OK}};
}

bool text_list_take(struct text_list *list, struct buf *b)
{
    enum { MORE = 8 };
    const char *text = buf_text(b);
    char *copy = text != NULL ? mem_copy(text, buf_len(b)) : NULL;
    buf_cleanup(b);
    if (copy != NULL && list->num == list->room) {
        char **items = mem_resize(list->items, (list->room + MORE) * sizeof(*items));
        if (items == NULL) {
            mem_free(copy);
            return false;
        }
        list->items = items;
        list->room += MORE;
    }
    if (copy != NULL) {
        list->items[list->num++] = copy;
    }
    return copy != NULL;
}

void text_list_cleanup(struct text_list *list)
{
    for (size_t i = 0; i < list->num; i++) {
        mem_free(list->items[i]);
    }
    mem_free(list->items);
    *list = (struct text_list){0};
}
