/* text.c - names, sizes and text that came from elsewhere. */
#include "ir/base/base.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Edit distance of two short names, counting at most `limit`. */
static size_t
edit_distance(const char *a, const char *b, size_t limit)
{
	size_t na = strlen(a), nb = strlen(b), row[128];
	if (nb >= COUNT_OF(row) || na >= COUNT_OF(row))
		return limit + 1;
	if ((na > nb ? na - nb : nb - na) > limit)
		return limit + 1;
	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[nb];
}

const char *
nearest_name(const char *s, const char *const *names, size_t n)
{
	size_t length = strlen(s), best = length / 3 + 1;
	const char *found = NULL;
	if (best > length / 2)          /* half of a short name is a stranger */
		best = length / 2;
	for (size_t i = 0; i < n; i++) {
		size_t d = edit_distance(s, names[i], best);
		if (d < best || (d == best && !found)) {
			best = d;
			found = names[i];
		}
	}
	return found;
}

bool
parse_bytes(const char *s, int64_t *bytes)
{
	static const char prefixes[] = "kmgt";
	char *end;
	double x = strtod(s, &end);
	if (end == s || (*s != '.' && (*s < '0' || *s > '9')))
		return false;
	while (*end == ' ')
		end++;
	const char *prefix = *end ? strchr(prefixes, tolower((unsigned char)*end))
		: NULL;
	double unit = 1024;
	if (prefix) {
		end++;
		if (!strcasecmp(end, "B"))
			unit = 1000;
		else if (*end && strcasecmp(end, "iB"))
			return false;
		for (const char *k = prefixes; k <= prefix; k++)
			x *= unit;
	} else if (*end && strcasecmp(end, "B")) {
		return false;
	}
	if (!(x >= 1 && x <= 0x1p60))
		return false;
	*bytes = (int64_t)x;
	return true;
}

char *
format_bytes(char *buf, int64_t bytes)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double x = (double)bytes;
	size_t i = 0;
	while (x >= 1024 && i + 1 < COUNT_OF(unit)) {
		x /= 1024;
		i++;
	}
	snprintf(buf, 32, "%.*f %s", !i ? 0 : x < 9.995 ? 2 : 1, x, unit[i]);
	return buf;
}

/* Length of the valid UTF-8 sequence at s, 0 when there is none. */
static size_t
utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2
		: s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0)
		|| (s[0] == 0xed && s[1] >= 0xa0)))
		return 0;
	if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90)
		|| (s[0] == 0xf4 && s[1] >= 0x90)))
		return 0;
	return n;
}

/* Bidirectional controls (U+202A..202E, U+2066..2069) reorder what a reader
 * sees; C1 controls act on terminals. */
static bool
deceptive(const unsigned char *s, size_t n)
{
	if (n == 2)
		return s[0] == 0xc2 && s[1] < 0xa0;
	return n == 3 && s[0] == 0xe2
		&& ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae)
			|| (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
}

size_t
clean_next(const char **text, const char **piece)
{
	const unsigned char *s = (const unsigned char *)*text;
	if (!*s)
		return 0;
	size_t n = utf8_length(s);
	bool control = (*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7f;
	bool bad = !n || control || deceptive(s, n);
	*piece = bad ? "?" : *text;
	*text += n ? n : 1;
	return bad ? 1 : n;
}

void
print_clean(FILE *out, const char *text)
{
	const char *piece;
	size_t n;
	while ((n = clean_next(&text, &piece)))
		fwrite(piece, 1, n, out);
}

void
print_clean_line(FILE *out, const char *text)
{
	const char *piece;
	size_t n;
	while ((n = clean_next(&text, &piece)))
		if (*piece == '\n' || *piece == '\t')
			fputc('?', out);
		else
			fwrite(piece, 1, n, out);
}

void
print_json_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	fputc('"', out);
	while (*s) {
		size_t n = utf8_length(s);
		if (!n) {
			fputs("\\ufffd", out);
			s++;
		} else if (*s == '"' || *s == '\\') {
			fprintf(out, "\\%c", *s++);
		} else if (*s < 0x20 || *s == 0x7f) {
			fprintf(out, "\\u%04x", *s++);
		} else {
			fwrite(s, 1, n, out);
			s += n;
		}
	}
	fputc('"', out);
}
