/* html_check.c - a strict reader of the pages that `sluice report` writes.
 *
 *   html_check PAGE.html
 *
 * Every element is closed by its own end tag (but for void ones and <x/>),
 * attributes are quoted and of a short list, so that nothing can be fetched or
 * run; references are known ones; text is valid and clean UTF-8; the data
 * parses as JSON and its indices are in range.  Prints the first fault and
 * exits with 1.
 */
#include "ir/base/json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 32, NAME = 24 };

static const char *page, *at;

_Noreturn static void
fault(const char *what)
{
	int line = 1;
	for (const char *s = page; s < at; s++)
		line += *s == '\n';
	printf("line %d: %s: %.60s\n", line, what, at);
	exit(1);
}

static bool
listed(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(name, *list))
			return true;
	return false;
}

static void
read_name(char name[NAME])
{
	size_t n = 0;
	while (isalnum((unsigned char)*at) || *at == '-') {
		if (n + 1 == NAME)
			fault("long name");
		name[n++] = *at++;
	}
	name[n] = 0;
	if (!n)
		fault("no name");
}

static void
read_reference(void)
{
	static const char *const known[] = {"&lt;", "&gt;", "&amp;", "&quot;",
		"&#39;", "&nbsp;", NULL};
	for (int i = 0; known[i]; i++)
		if (!strncmp(at, known[i], strlen(known[i]))) {
			at += strlen(known[i]);
			return;
		}
	fault("a reference that is none of ours");
}

static void
read_text(const char *end)
{
	while (!strchr(end, *at))
		if (*at == '&')
			read_reference();
		else if (*at == '>')
			fault("a bare >");
		else
			at++;
}

static void
read_attributes(void)
{
	static const char *const known[] = {"lang", "charset", "name", "content",
		"http-equiv", "class", "style", "title", "id", "type",
		"placeholder", "tabindex", "open", "data-from", "data-to",
		"xmlns", "viewBox", "width", "height", "font-family",
		"font-size", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r",
		"text-anchor", "points", "fill", NULL};
	char name[NAME];
	while (isspace((unsigned char)*at)) {
		at++;
		read_name(name);
		if (!listed(name, known))
			fault("an attribute that is none of ours");
		if (*at != '=')
			continue;
		at++;
		if (*at++ != '"')
			fault("no quote");
		if (!strcmp(name, "xmlns") && strncmp(at,
			"http://www.w3.org/2000/svg\"", 27))
			fault("another name space");
		if (!strcmp(name, "style") && strstr(at, "url(")
			&& strstr(at, "url(") < strchr(at, '"'))
			fault("a style that fetches");
		while (*at != '"')
			if (*at == '&')
				read_reference();
			else if (!*at || *at == '<')
				fault("an open attribute");
			else
				at++;
		at++;
	}
}

static char stack[DEPTH][NAME];
static int depth;
static const char *data, *data_end;

/* The text of a script or style is not markup. */
static void
read_raw(const char *name, bool json)
{
	char end[NAME + 4];
	snprintf(end, sizeof end, "</%s>", name);
	const char *to = strstr(at, end);
	if (!to)
		fault("not closed");
	if (json) {
		data = at;
		data_end = to;
	}
	at = to + strlen(end);
	depth--;
}

static void
read_element(void)
{
	static const char *const alone[] = {"meta", "input", NULL};
	static const char *const known[] = {"html", "head", "meta", "title",
		"style", "body", "h1", "h2", "p", "div", "span", "b", "i",
		"code", "noscript", "button", "label", "input", "canvas", "ul",
		"li", "table", "tr", "th", "td", "details", "summary", "script",
		"svg", "rect", "line", "polyline", "text", "circle", NULL};
	bool json = !strncmp(at, "script type=\"application/json\"", 30);
	char name[NAME];
	read_name(name);
	if (!listed(name, known))
		fault("an element that is none of ours");
	read_attributes();
	bool empty = *at == '/';
	at += empty;
	if (*at++ != '>')
		fault("no >");
	if (empty || listed(name, alone))
		return;
	if (depth == DEPTH)
		fault("too deep");
	strcpy(stack[depth++], name);
	if (!strcmp(name, "script") || !strcmp(name, "style"))
		read_raw(name, json);
}

static void
read_end(void)
{
	char name[NAME];
	read_name(name);
	if (*at++ != '>' || !depth || strcmp(name, stack[depth - 1]))
		fault("closes what is not open");
	depth--;
}

static void
check_indices(const Json *list, size_t column, size_t limit)
{
	for (size_t i = 0; list && i < list->n; i++) {
		const Json *row = &list->item[i];
		if (row->n <= column || row->item[column].kind != JSON_INT
			|| row->item[column].unsigned_integer >= limit)
			fault("an index in the data is out of range");
	}
}

static void
check_data(void)
{
	Arena a = {0};
	JsonError e;
	if (!data)
		fault("no data");
	const Json *j = json_parse(&a, data, (size_t)(data_end - data), 4, &e);
	at = data;
	if (!j)
		fault(e.text);
	const Json *names = json_get(j, "names"), *code = json_get(j, "code");
	if (!names || !code || !code->n || !json_get(j, "buffers")
		|| !json_get(j, "phases") || !json_get(j, "groups"))
		fault("the data lacks something");
	check_indices(json_get(j, "buffers"), 0, names->n);
	check_indices(json_get(j, "buffers"), 3, code->n + 1);
	check_indices(json_get(j, "buffers"), 4, code->n + 1);
	check_indices(json_get(j, "buffers"), 5, 6);
	check_indices(json_get(j, "phases"), 0, names->n);
	check_indices(json_get(j, "groups"), 2, code->n);
	check_indices(code, 1, names->n);
	arena_free(&a);
}

int
main(int argc, char **argv)
{
	Arena a = {0};
	size_t size, n;
	const char *piece;
	if (argc != 2 || !(page = arena_read_file(&a, argv[1], 1 << 28, &size)))
		return 2;
	at = page;
	if (strlen(page) != size)
		fault("a NUL");
	for (const char *s = page, *was = s; (n = clean_next(&s, &piece));
		was = s)
		if (piece != was) {
			at = was;
			fault("not clean UTF-8");
		}
	if (strncmp(at, "<!doctype html>\n", 16))
		fault("no doctype");
	at += 16;
	while (*at) {
		read_text("<");
		if (!*at)
			break;
		at++;
		if (*at == '/') {
			at++;
			read_end();
		} else {
			read_element();
		}
	}
	if (depth)
		fault("not all is closed");
	check_data();
	arena_free(&a);
	return 0;
}
