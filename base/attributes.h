/* Compiler attributes used across the code, in one place so that headers stay readable. */
#ifndef MVSWAP_BASE_ATTRIBUTES_H
#define MVSWAP_BASE_ATTRIBUTES_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

#endif
