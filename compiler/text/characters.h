/* characters.h - what the tokenizer knows about characters: their kinds, and the
 * normal form of a text.
 */
#ifndef SLUICE_CHARACTERS_H
#define SLUICE_CHARACTERS_H

#include "ir/base/base.h"

typedef enum Kind { SPACE, LETTER, NUMBER, OTHER } Kind;

/* White space, \p{L}, \p{N}, or anything else. */
Kind kind_of(int32_t c);
/* Whether a word could hold the character: regular expressions' \w. */
bool is_word(int32_t c);
/* The code point at s, which is valid UTF-8 of n > 0 bytes; returns its length. */
size_t next_char(const unsigned char *s, size_t n, int32_t *c);
/* The code point in front of s + n, n > 0. */
int32_t last_char(const unsigned char *s, size_t n);

/* NFC, each run of white space to one blank, then lower case, which is not
 * followed by another NFC.  From malloc; NULL when the text is not valid UTF-8. */
unsigned char *normal_form(const char *text, size_t size, size_t *out_size);

#endif
