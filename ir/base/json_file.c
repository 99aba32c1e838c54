/* json_file.c - a config: one JSON object in a file. */
#include "ir/base/json.h"

#include <errno.h>
#include <string.h>

enum { JSON_FILE_BYTES = 4 << 20, JSON_FILE_DEPTH = 32 };

/* Python writes infinities as bare words, which no JSON has: in place, they
 * become the strings "inf" and "-inf", which a setting may accept. */
static void
quote_infinities(char *text, size_t size)
{
	bool quoted = false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (quoted && text[i] == '\\')
			i++;
		bool minus = text[i] == '-';
		if (quoted || size - i < 8u + minus
			|| memcmp(text + i + minus, "Infinity", 8))
			continue;
		memcpy(text + i, minus ? "\"-inf\"   " : "\"inf\"   ",
			8u + minus);
		i += 7u + minus;
	}
}

const Json *
json_read_file(Arena *a, const char *path, int *code, char *err)
{
	size_t size;
	char *text = arena_read_file(a, path, JSON_FILE_BYTES, &size);
	if (!text) {
		*code = EXIT_IO;
		snprintf(err, JSON_FILE_ERR, "cannot read '%s': %s", path, strerror(errno));
		return NULL;
	}
	quote_infinities(text, size);
	char why[200];
	if (download_mistake(text, size, "JSON", why, sizeof why)) {
		*code = EXIT_SOURCE;
		snprintf(err, JSON_FILE_ERR, "'%.250s': %s", path, why);
		return NULL;
	}
	JsonError e;
	size_t mark = byte_order_mark(text, size);
	const Json *j = json_parse(a, text + mark, size - mark, JSON_FILE_DEPTH, &e);
	if (!j) {
		*code = EXIT_SOURCE;
		snprintf(err, JSON_FILE_ERR, "%s:%d:%d: %s", path, e.line, e.column, e.text);
	} else if (j->kind != JSON_MAP) {
		*code = EXIT_SOURCE;
		snprintf(err, JSON_FILE_ERR, "%s:1:1: this is not a JSON object", path);
		j = NULL;
	}
	return j;
}
