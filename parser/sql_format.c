/* sql_format: see sql_format.h. */
#include "sql_format.h"

#include "ident.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static void add_converted(struct buf *out, const char *format, va_list args)
{
    for (const char *sign = strchr(format, '%'); sign != NULL; sign = strchr(format, '%')) {
        buf_add(out, format, (size_t)(sign - format));
        format = sign + 2;
        switch (sign[1]) {
        case 'I':
            ident_quote(out, va_arg(args, const char *));
            break;
        case 'L':
            literal_quote(out, va_arg(args, const char *));
            break;
        case 'u':
            buf_add_format(out, "%" PRIu64, va_arg(args, uint64_t));
            break;
        case '%':
            buf_add_byte(out, '%');
            break;
        default:
            /* Half a statement must never be sent: spoil the whole. */
            out->failed = true;
            return;
        }
    }
    buf_add_text(out, format);
}

void sql_format(struct buf *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_converted(out, format, args);
    va_end(args);
}
