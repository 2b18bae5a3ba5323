/*
 * wire: PostgreSQL's messages as bytes, read and built (protocol 3.0; manual, 55.7 "Message
 * Formats").
 *
 * Reading is bounds-checked by one reader type; nothing is read through pointers of our own making.
 * Decoders answer OK, NEED_MORE or BAD and write nothing unless OK. Must not know: sessions, SQL.
 */
#ifndef MVSWAP_CORE_WIRE_H
#define MVSWAP_CORE_WIRE_H

#include "attributes.h"
#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_result { WIRE_OK, WIRE_NEED_MORE, WIRE_BAD };

enum { WIRE_HEADER_LEN = 5 };

/* Tags, named as the manual names the messages. The same byte means other things the other way. */
enum wire_client_tag {
    CLIENT_QUERY = 'Q',
    CLIENT_FUNCTION_CALL = 'F',
    CLIENT_PARSE = 'P',
    CLIENT_BIND = 'B',
    CLIENT_DESCRIBE = 'D',
    CLIENT_EXECUTE = 'E',
    CLIENT_CLOSE = 'C',
    CLIENT_SYNC = 'S',
    CLIENT_FLUSH = 'H',
    CLIENT_TERMINATE = 'X',
    CLIENT_PASSWORD = 'p' /* PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse */
};
enum wire_server_tag {
    SERVER_AUTHENTICATION = 'R',
    SERVER_BACKEND_KEY_DATA = 'K',
    SERVER_NEGOTIATE_PROTOCOL_VERSION = 'v',
    SERVER_PARAMETER_STATUS = 'S',
    SERVER_READY_FOR_QUERY = 'Z',
    SERVER_ROW_DESCRIPTION = 'T',
    SERVER_PARAMETER_DESCRIPTION = 't',
    SERVER_NO_DATA = 'n',
    SERVER_DATA_ROW = 'D',
    SERVER_COMMAND_COMPLETE = 'C',
    SERVER_EMPTY_QUERY_RESPONSE = 'I',
    SERVER_PARSE_COMPLETE = '1',
    SERVER_BIND_COMPLETE = '2',
    SERVER_CLOSE_COMPLETE = '3',
    SERVER_PORTAL_SUSPENDED = 's',
    SERVER_COPY_IN_RESPONSE = 'G',
    SERVER_COPY_BOTH_RESPONSE = 'W',
    SERVER_ERROR_RESPONSE = 'E',
    SERVER_NOTICE_RESPONSE = 'N',
    SERVER_NOTIFICATION_RESPONSE = 'A'
};

struct wire_header {
    uint8_t tag;
    uint32_t body_len; /* without the length word */
};

/* wire_decode_header reads tag and length. BAD: a length below 4 or above 2^31 - 1. */
MUST_CHECK enum wire_result wire_decode_header(const uint8_t *in, size_t in_len,
                                               struct wire_header *out_header);

/* A reader over one body. A read past the end sets `bad` for good and gives zeroes. */
struct wire_reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

struct wire_reader wire_reader_over(const uint8_t *bytes, size_t len);
uint8_t wire_read_u8(struct wire_reader *r);
uint16_t wire_read_u16(struct wire_reader *r);
uint32_t wire_read_u32(struct wire_reader *r);
/* A NUL-terminated string; "" when bad. */
const char *wire_read_text(struct wire_reader *r);
/* `len` bytes, borrowed; NULL when bad. */
const uint8_t *wire_read_bytes(struct wire_reader *r, size_t len);

/* The fields of ErrorResponse or NoticeResponse; "" where missing: a server may omit any of them.
 * Borrowed from the body. */
struct wire_error {
    const char *severity;
    const char *sqlstate;
    const char *message;
};
struct wire_error wire_read_error(const uint8_t *body, size_t body_len);

/* First packets of a connection, which have no tag (manual 55.2.1). */
enum wire_start_kind {
    START_SSL_REQUEST,
    START_GSSENC_REQUEST,
    START_CANCEL_REQUEST,
    START_MALFORMED_CANCEL, /* of another length: nobody is there to be told */
    START_STARTUP           /* StartupMessage of any protocol version */
};
struct wire_start {
    enum wire_start_kind kind;
    size_t packet_len; /* length word included */
};
/* wire_decode_start: BAD for a length outside 8...LIMIT_STARTUP_PACKET as soon as it is visible,
 * and for an SSLRequest or GSSENCRequest of another length than the manual's. */
MUST_CHECK enum wire_result wire_decode_start(const uint8_t *in, size_t in_len,
                                              struct wire_start *out_start);

/* Builders append one message. Texts end at their NUL. */
void wire_add_query(struct buf *out, const char *sql);
void wire_add_sync(struct buf *out);
void wire_add_terminate(struct buf *out);
void wire_add_command_complete(struct buf *out, const char *tag);
/* Columns and a row of text (type varchar, as RisingWave's SHOW answers). */
void wire_add_row_description(struct buf *out, const char *const *names, size_t num);
void wire_add_data_row(struct buf *out, const char *const *texts, size_t num);
void wire_add_ready_for_query(struct buf *out, uint8_t status);
/* For a message in parts: wire_begin_message, the body appended to `out`, wire_end_message with
 * what the former returned. A message that would pass 2^31 bytes fails the buffer, and of one that
 * failed nothing stays: a part, with no length in it, could still be sent. */
MUST_CHECK size_t wire_begin_message(struct buf *out, uint8_t tag);
void wire_end_message(struct buf *out, size_t start);
/* `text` and its NUL. */
void wire_add_text(struct buf *out, const char *text);
/* A message of `tag` around a given body. */
void wire_add_message(struct buf *out, uint8_t tag, const uint8_t *body, size_t body_len);

/* A report of ours: fields S V C M D H R; those from `detail` on may be NULL. */
struct wire_report {
    const char *severity; /* ERROR, FATAL, WARNING, NOTICE */
    const char *sqlstate;
    const char *message;
    const char *detail;
    const char *hint;
    const char *routine;
};
void wire_add_error_response(struct buf *out, const struct wire_report *report);
void wire_add_notice_response(struct buf *out, const struct wire_report *report);

#endif
