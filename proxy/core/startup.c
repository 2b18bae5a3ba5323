/* startup: see startup.h. */
#include "startup.h"

#include "wire.h"

#include <stdbool.h>
#include <string.h>

enum { VERSION_3_0 = 0x00030000, MAJOR_SHIFT = 16, START_HEADER_LEN = 8 };

static const char extension[] = "_pq_.";

static bool is_extension(const char *name)
{
    return strncmp(name, extension, sizeof(extension) - 1) == 0;
}

/* Is an extension's name anywhere, even in a packet that cannot be read to its end? */
static bool asks_for_extensions(const uint8_t *packet, size_t len)
{
    struct wire_reader r = wire_reader_over(packet + START_HEADER_LEN, len - START_HEADER_LEN);
    while (!r.bad && r.left != 0) {
        const char *name = wire_read_text(&r);
        (void)wire_read_text(&r);
        if (is_extension(name)) {
            return true;
        }
    }
    return false;
}

/* Copies the parameters but for extensions, whose names go to `names`. False: malformed. */
static bool sort_parameters(struct wire_reader *r, struct buf *out_packet, struct buf *names,
                            uint32_t *out_num_names)
{
    for (;;) {
        const uint8_t *start = r->at;
        const char *name = wire_read_text(r);
        if (r->bad) {
            return false;
        }
        if (name[0] == 0) {
            break;
        }
        (void)wire_read_text(r);
        if (r->bad) {
            return false;
        }
        if (is_extension(name)) {
            wire_add_text(names, name);
            (*out_num_names)++;
        } else {
            buf_add(out_packet, start, (size_t)(r->at - start));
        }
    }
    buf_add_byte(out_packet, 0);
    return r->left == 0; /* the terminator is the last byte */
}

enum startup_result startup_negotiate(const uint8_t *packet, size_t len, struct buf *out_packet,
                                      struct buf *out_answer)
{
    struct wire_reader r = wire_reader_over(packet, len);
    (void)wire_read_u32(&r);
    uint32_t version = wire_read_u32(&r);
    bool ours = version >> MAJOR_SHIFT == VERSION_3_0 >> MAJOR_SHIFT;
    if (r.bad || !ours || (version == VERSION_3_0 && !asks_for_extensions(packet, len))) {
        return STARTUP_AS_IS;
    }
    struct buf names = {0};
    uint32_t num_names = 0;
    size_t start = buf_len(out_packet);
    buf_add_u32(out_packet, 0);
    buf_add_u32(out_packet, VERSION_3_0);
    bool good = sort_parameters(&r, out_packet, &names, &num_names);
    buf_set_u32(out_packet, start, (uint32_t)(buf_len(out_packet) - start));
    size_t answer = wire_begin_message(out_answer, SERVER_NEGOTIATE_PROTOCOL_VERSION);
    buf_add_u32(out_answer, VERSION_3_0);
    buf_add_u32(out_answer, num_names);
    buf_add(out_answer, buf_bytes(&names), buf_len(&names));
    wire_end_message(out_answer, answer);
    bool failed = buf_failed(&names) || buf_failed(out_packet) || buf_failed(out_answer);
    buf_cleanup(&names);
    if (!good) {
        return STARTUP_MALFORMED;
    }
    return failed ? STARTUP_NO_MEMORY : STARTUP_REWRITTEN;
}
