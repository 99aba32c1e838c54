/* characters.c - see characters.h.  utf8proc has the tables of Unicode. */
#include "compiler/text/characters.h"

#include <stdlib.h>
#include <utf8proc.h>

/* Unicode's property White_Space. */
static bool
is_space(int32_t c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0
		|| c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028
		|| c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

Kind
kind_of(int32_t c)
{
	if (is_space(c))
		return SPACE;
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
		return LETTER;
	case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_NO:
		return NUMBER;
	default:
		return OTHER;
	}
}

/* Alphabetic, marks, decimal digits, connecting punctuation and the joiners; the
 * letters in circles and squares are Alphabetic but of category So. */
bool
is_word(int32_t c)
{
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO: case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_PC:
	case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME:
		return true;
	default:
		return c == 0x200c || c == 0x200d || (c >= 0x24b6 && c <= 0x24e9)
			|| (c >= 0x1f130 && c <= 0x1f149)
			|| (c >= 0x1f150 && c <= 0x1f169)
			|| (c >= 0x1f170 && c <= 0x1f189);
	}
}

size_t
next_char(const unsigned char *s, size_t n, int32_t *c)
{
	return (size_t)utf8proc_iterate(s, (utf8proc_ssize_t)n, c);
}

int32_t
last_char(const unsigned char *s, size_t n)
{
	size_t i = n - 1;
	int32_t c;
	while (i && (s[i] & 0xc0) == 0x80)
		i--;
	next_char(s + i, n - i, &c);
	return c;
}

/* Lower case by code point.  Only U+0130 has more than one: i and a dot. */
static size_t
put_lower(int32_t c, unsigned char *out)
{
	size_t n = 0;
	if (c == 0x130) {
		out[n++] = 'i';
		c = 0x307;
	} else {
		c = utf8proc_tolower(c);
	}
	return n + (size_t)utf8proc_encode_char(c, out + n);
}

unsigned char *
normal_form(const char *text, size_t size, size_t *out_size)
{
	utf8proc_uint8_t *nfc = NULL;
	utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)text,
		(utf8proc_ssize_t)size, &nfc, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	if (n == UTF8PROC_ERROR_NOMEM)
		fatal(EXIT_MEMORY, "out of memory");
	if (n < 0)
		return NULL;
	/* a character grows to at most twice its bytes */
	unsigned char *out = malloc(2 * (size_t)n + 4);
	if (!out)
		fatal(EXIT_MEMORY, "out of memory");
	size_t k = 0;
	bool blank = false;
	for (size_t i = 0; i < (size_t)n;) {
		int32_t c;
		i += next_char(nfc + i, (size_t)n - i, &c);
		bool space = is_space(c);
		if (!space)
			k += put_lower(c, out + k);
		else if (!blank)
			out[k++] = ' ';
		blank = space;
	}
	free(nfc);
	*out_size = k;
	return out;
}
