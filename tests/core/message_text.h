/*
 * message_text: messages of the wire as lines of text and back, for transcripts and failed checks.
 *
 *     Query "SELECT 1"     DataRow "1" NULL     ErrorResponse S"ERROR" C"42601" M"no"
 *     StartupMessage "user" "root"     Message "?" "any body"     Raw "bytes without a frame"
 *     StartupMessage 3.2 "user" "root"
 *
 * Strings know \n, \", \\ and \xHH. What a line shows is all that the message holds: a body that
 * does not fit its name's form is shown as Message, an incomplete one as Raw.
 */
#ifndef MVSWAP_TESTS_CORE_MESSAGE_TEXT_H
#define MVSWAP_TESTS_CORE_MESSAGE_TEXT_H

#include "buf.h"
#include "session.h"

/* Appends the bytes of one line that `from` sends; false when the line cannot be read. */
MUST_CHECK bool message_parse(const char *line, enum side from, struct buf *out);

/* What a stream has shown so far. */
struct message_stream {
    enum side from;
    bool started; /* past the untagged bytes at its beginning */
};
/* Appends the line of the message at the front of `in`, without a newline, and consumes it; false
 * when there is none. An incomplete message is left alone unless `rest_too`. */
bool message_show(struct message_stream *stream, struct buf *in, bool rest_too, struct buf *out);

#endif
