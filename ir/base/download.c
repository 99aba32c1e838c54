/* download.c - files that are not what their names say, because a download went
 * another way than its user thought.
 */
#include "ir/base/base.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

size_t
byte_order_mark(const char *text, size_t size)
{
	return size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

static bool
begins(const char *s, size_t n, const char *with)
{
	size_t k = strlen(with);
	return n >= k && !strncasecmp(s, with, k);
}

/* Whether all of it could stand in a message. */
static bool
is_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x7f
			|| (!isprint((unsigned char)s[i])
				&& !isspace((unsigned char)s[i])))
			return false;
	return n > 0;
}

/* Bytes of the first line, as many as a message takes. */
static size_t
line_length(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n && i < 60 && s[i] != '\r' && s[i] != '\n')
		i++;
	return i;
}

bool
download_mistake(const void *first, size_t n, const char *what, char *out,
	size_t size)
{
	const char *s = first;
	bool weights = !strcmp(what, "weights");
	s += byte_order_mark(first, n);
	n -= byte_order_mark(first, n);
	while (n && isspace((unsigned char)*s)) {
		s++;
		n--;
	}
	if (begins(s, n, "version https://git-lfs"))
		snprintf(out, size, "a git-lfs pointer, not the %s: git lfs pull "
			"fetches them", what);
	else if (begins(s, n, "<!doctype") || begins(s, n, "<html")
		|| begins(s, n, "<?xml"))
		snprintf(out, size, "this is a web page, not %s: the download was "
			"answered by a page; open it in a browser", what);
	else if (!weights)
		return false;
	else if (begins(s, n, "PK\003\004") || (n > 1 && *s == '\200'
		&& s[1] > 0 && s[1] < 6))
		snprintf(out, size, "a PyTorch pickle, which can run any code "
			"when it is read: convert it to safetensors");
	else if (begins(s, n, "GGUF"))
		snprintf(out, size, "a GGUF file; weights are read from "
			"safetensors");
	else if (is_text(s, n))
		snprintf(out, size, "this is a text, not %s: it begins '%.*s'",
			what, (int)line_length(s, n), s);
	else
		return false;
	return true;
}
