/* transcript_actions: see transcript_actions.h. */
#include "transcript_actions.h"

#include "wire.h"

#include <inttypes.h>
#include <string.h>

static void note_key(const char *what, const struct cancel_key *key, struct buf *out)
{
    struct wire_reader r = wire_reader_over(key->bytes, sizeof(key->bytes));
    int32_t process = (int32_t)wire_read_u32(&r);
    int32_t secret = (int32_t)wire_read_u32(&r);
    buf_add_format(out, "%s %d %d\n", what, process, secret);
}

static void note_families(const char *what, const struct action *action, struct buf *out)
{
    buf_add_text(out, what);
    for (size_t i = 0; i < action->num_families; i++) {
        buf_add_format(out, " %s", action->families[i]);
    }
    buf_add_byte(out, '\n');
}

void transcript_note_action(const struct action *action, struct buf *out)
{
    const char *side = action->side == CLIENT ? "client" : "server";
    switch (action->kind) {
    case ACTION_CONNECT:
        buf_add_text(out, "connect\n");
        break;
    case ACTION_SHUTDOWN_WRITE:
        buf_add_format(out, "shutdown-write %s\n", side);
        break;
    case ACTION_LOCK:
        note_families("lock", action, out);
        break;
    case ACTION_UNLOCK:
        note_families("unlock", action, out);
        break;
    case ACTION_REMEMBER:
        buf_add_format(out, "remember %s", action->families[0]);
        for (size_t i = 0; i < action->num_left; i++) {
            const struct replace_left *left = &action->left[i];
            buf_add_format(out, " %s,%s,%" PRIu64 ",%" PRIu64, left->schema, left->name, left->id,
                           left->until_us);
        }
        buf_add_byte(out, '\n');
        break;
    case ACTION_COUNT_READERS:
        buf_add_text(out, "count-readers\n");
        break;
    case ACTION_MOVED:
        buf_add_text(out, "moved");
        for (size_t at = 0; at < action->moved_len; at += strlen(action->moved + at) + 1) {
            buf_add_format(out, " %s", action->moved + at);
        }
        buf_add_byte(out, '\n');
        break;
    case ACTION_TAKE_SLOT:
        buf_add_text(out, "take-slot\n");
        break;
    case ACTION_END_SLOT:
        buf_add_text(out, "end-slot\n");
        break;
    case ACTION_CANCEL:
        note_key("cancel", &action->key, out);
        break;
    case ACTION_CANCEL_SERVER:
        note_key("cancel-server", &action->key, out);
        break;
    case ACTION_CANCEL_DONE:
        buf_add_text(out, "cancel-done\n");
        break;
    case ACTION_CANCEL_SENT_DONE:
        buf_add_text(out, "cancel-sent-done\n");
        break;
    case ACTION_CLOSE:
        buf_add_text(out, "close\n");
        break;
    case ACTION_ABORT:
        buf_add_text(out, "abort\n");
        break;
    case ACTION_REPORT:
        break;
    }
}
