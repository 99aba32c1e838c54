/* expect.c - what a syntax error says was expected, in a few words: the names
 * of the tokens that the parser would take, grouped.
 */
#include "lang/ast.h"

#include <string.h>

enum { WORDS_MAX = 4, MEMBERS_MAX = 13 };

/* Tokens shown as one thing where the parser takes `mark`. */
typedef struct Group {
	const char *name, *mark;
	const char *member[MEMBERS_MAX];
} Group;

static const Group groups[] = {
	{"an expression", "a number", {"a number", "a text", "a text with {",
		"a name", "true", "false", "none", "not", "-", "(", "[", "{"}},
	{"a statement", "return", {"a name", "if", "for", "denoise", "scope",
		"return", "check", ";"}},
	{"a definition", "include", {"a name", "include", "axis", "param",
		"block", "model", "pipeline", ";"}},
};

/* What may follow any expression: not worth a mention beside what must. */
static const char *const continues[] = {
	"+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in",
	"and", "or", "?", "..", "|>", ".", "(", "[", "@",
};

static bool
is_among(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n && list[i]; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

static const Group *
find_group(const char *const *name, size_t n)
{
	for (size_t k = 0; k < COUNT_OF(groups); k++)
		if (is_among(groups[k].mark, name, n))
			return &groups[k];
	return NULL;
}

static bool
only_continues(const char *const *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_among(name[i], continues, COUNT_OF(continues)))
			return false;
	return true;
}

void
expect_list(const char *const *name, size_t n, char *out, size_t size)
{
	const Group *group = find_group(name, n);
	bool all = only_continues(name, n);
	size_t at = 0;
	int words = 0;
	*out = 0;
	if (group) {
		at = (size_t)snprintf(out, size, "%s", group->name);
		words = 1;
	}
	for (size_t i = 0; i < n && words < WORDS_MAX; i++) {
		if ((group && is_among(name[i], group->member, MEMBERS_MAX))
			|| (!all && is_among(name[i], continues,
				COUNT_OF(continues))))
			continue;
		bool bare = !strncmp(name[i], "a ", 2)
			|| !strncmp(name[i], "the ", 4);
		at += (size_t)snprintf(out + at, size - at, "%s%s%s%s",
			words ? " or " : "", bare ? "" : "'", name[i],
			bare ? "" : "'");
		words++;
	}
}

bool
expect_operator(const char *name)
{
	bool quoted = strlen(name) == 3 && *name == '\'';
	char plain[] = {name[1], 0};
	if (quoted && strchr("@(", *plain))
		return false;
	return is_among(quoted ? plain : name, continues, COUNT_OF(continues));
}
