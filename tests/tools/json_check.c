/* json_check.c - whether a file is one JSON value, strictly read.
 *
 *   json_check FILE
 */
#include "ir/base/json.h"

int
main(int argc, char **argv)
{
	Arena a = {0};
	JsonError e;
	size_t size;
	const char *text = argc == 2
		? arena_read_file(&a, argv[1], 1 << 28, &size) : NULL;
	if (!text)
		return EXIT_USAGE;
	bool ok = json_parse(&a, text, size, 32, &e);
	if (!ok)
		printf("%s:%d:%d: %s\n", argv[1], e.line, e.column, e.text);
	arena_free(&a);
	return !ok;
}
