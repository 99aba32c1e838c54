/* yaml.c - see yaml.h.  libyaml gives events, one for each scalar and bracket;
 * this builds the tree and counts what it holds.
 */
#include "ir/base/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { SIZE_LIMIT = 1 << 20, DEPTH_LIMIT = 16, VALUES_LIMIT = 200000 };

typedef struct Reader {
	Arena *arena;
	yaml_parser_t parser;
	YamlError *error;
	int64_t values;
} Reader;

static bool __attribute__((format(printf, 3, 4)))
fail(Reader *r, yaml_mark_t at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(r->error->text, sizeof r->error->text, fmt, ap);
	va_end(ap);
	r->error->line = (int)at.line + 1;
	r->error->column = (int)at.column + 1;
	return false;
}

/* libyaml's own complaint. */
static bool
fail_parser(Reader *r)
{
	yaml_parser_t *p = &r->parser;
	if (p->error == YAML_MEMORY_ERROR)
		fatal(EXIT_MEMORY, "out of memory");
	const char *what = p->problem ? p->problem : "this is not YAML";
	if (p->error == YAML_READER_ERROR)
		return fail(r, p->mark, "%s (byte %zu)", what,
			p->problem_offset);
	return fail(r, p->problem_mark, "%s%s%s", what, p->context ? " " : "",
		p->context ? p->context : "");
}

static bool
next(Reader *r, yaml_event_t *e)
{
	return yaml_parser_parse(&r->parser, e) || fail_parser(r);
}

/* Refuses what makes a document more than a tree of texts. */
static bool
plain_event(Reader *r, const yaml_event_t *e)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return fail(r, e->start_mark, "aliases (*%.60s) are not allowed",
			(const char *)e->data.alias.anchor);
	case YAML_SCALAR_EVENT:
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return fail(r, e->start_mark, "anchors (&%.60s) are not allowed",
			(const char *)anchor);
	if (tag)
		return fail(r, e->start_mark, "tags (%.60s) are not allowed",
			(const char *)tag);
	if (++r->values > VALUES_LIMIT)
		return fail(r, e->start_mark, "more than %d values",
			VALUES_LIMIT);
	return true;
}

static bool read_value(Reader *r, yaml_event_t *e, int depth, Yaml *out);

static bool
read_text(Reader *r, const yaml_event_t *e, Yaml *out)
{
	const char *s = (const char *)e->data.scalar.value;
	size_t n = e->data.scalar.length;
	if (memchr(s, 0, n))
		return fail(r, e->start_mark, "this text holds a NUL");
	out->kind = YAML_TEXT;
	out->text = arena_strndup(r->arena, s, n);
	out->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return true;
}

typedef Vec(Yaml) YamlVec;

/* Moves the items to the arena. */
static Yaml *
keep(Reader *r, YamlVec *v)
{
	Yaml *y = arena_array(r->arena, v->n, sizeof *y);
	if (v->n)
		memcpy(y, v->at, v->n * sizeof *y);
	vec_free(v);
	return y;
}

static bool
read_list(Reader *r, int depth, Yaml *out)
{
	YamlVec items = {0};
	bool ok = true, end = false;
	while (ok && !end) {
		yaml_event_t e;
		Yaml item = {0};
		ok = next(r, &e);
		if (!ok)
			break;
		end = e.type == YAML_SEQUENCE_END_EVENT;
		if (!end) {
			ok = read_value(r, &e, depth + 1, &item);
			*vec_push(&items) = item;
		}
		yaml_event_delete(&e);
	}
	out->kind = YAML_LIST;
	out->n = items.n;
	out->item = keep(r, &items);
	return ok;
}

static bool
read_key(Reader *r, yaml_event_t *e, int depth, const YamlVec *keys, Yaml *key)
{
	if (!read_value(r, e, depth, key))
		return false;
	if (key->kind != YAML_TEXT || !*key->text)
		return fail(r, e->start_mark, "a key is one word");
	for (size_t i = 0; i < keys->n; i++)
		if (!strcmp(keys->at[i].text, key->text))
			return fail(r, e->start_mark, "key '%.80s' stands here "
				"twice, first in line %d", key->text,
				keys->at[i].line);
	return true;
}

static bool
read_table(Reader *r, int depth, Yaml *out)
{
	enum { KEYS_LIMIT = 1000 };     /* they are compared in pairs */
	YamlVec keys = {0}, items = {0};
	bool ok = true, end = false;
	while (ok && !end) {
		yaml_event_t e, v;
		Yaml key = {0}, item = {0};
		ok = next(r, &e);
		if (!ok)
			break;
		end = e.type == YAML_MAPPING_END_EVENT;
		if (!end && keys.n == KEYS_LIMIT)
			ok = fail(r, e.start_mark, "more than %d keys",
				KEYS_LIMIT);
		ok = ok && (end || read_key(r, &e, depth + 1, &keys, &key));
		yaml_event_delete(&e);
		if (end || !ok || !(ok = next(r, &v)))
			break;
		ok = read_value(r, &v, depth + 1, &item);
		yaml_event_delete(&v);
		*vec_push(&keys) = key;
		*vec_push(&items) = item;
	}
	out->kind = YAML_TABLE;
	out->n = items.n;
	out->item = keep(r, &items);
	out->key = keep(r, &keys);
	return ok;
}

static bool
read_value(Reader *r, yaml_event_t *e, int depth, Yaml *out)
{
	out->line = (int)e->start_mark.line + 1;
	out->column = (int)e->start_mark.column + 1;
	if (!plain_event(r, e))
		return false;
	if (depth > DEPTH_LIMIT)
		return fail(r, e->start_mark, "nested deeper than %d",
			DEPTH_LIMIT);
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return read_text(r, e, out);
	case YAML_SEQUENCE_START_EVENT:
		return read_list(r, depth, out);
	case YAML_MAPPING_START_EVENT:
		return read_table(r, depth, out);
	default:
		return fail(r, e->start_mark, "a value is missing here");
	}
}

/* The stream's one document, and nothing behind it. */
static bool
read_document(Reader *r, Yaml *out)
{
	bool started = false, done = false, ok = true;
	out->kind = YAML_TABLE;
	out->line = out->column = 1;
	while (ok && !done) {
		yaml_event_t e;
		if (!next(r, &e))
			return false;
		switch (e.type) {
		case YAML_STREAM_END_EVENT:
			done = true;
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (started)
				ok = fail(r, e.start_mark, "a second document "
					"begins here");
			started = true;
			break;
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		default:
			ok = read_value(r, &e, 1, out);
		}
		yaml_event_delete(&e);
	}
	return ok;
}

Yaml *
yaml_parse(Arena *a, const char *text, size_t size, YamlError *e)
{
	Reader r = {.arena = a, .error = e};
	Yaml *root = arena_alloc(a, sizeof *root);
	*e = (YamlError){.text = ""};
	if (size > SIZE_LIMIT) {
		snprintf(e->text, sizeof e->text, "longer than %d bytes",
			SIZE_LIMIT);
		return NULL;
	}
	if (!yaml_parser_initialize(&r.parser))
		fatal(EXIT_MEMORY, "out of memory");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	size_t mark = byte_order_mark(text, size);
	yaml_parser_set_input_string(&r.parser,
		(const unsigned char *)text + mark, size - mark);
	bool ok = read_document(&r, root);
	yaml_parser_delete(&r.parser);
	return ok ? root : NULL;
}

/* ---- as JSON ---- */

static Json
text_json(const Yaml *y)
{
	Json j = {.kind = JSON_STRING, .text = y->text,
		.length = strlen(y->text)};
	char *end;
	if (!y->plain)
		return j;
	if (!*y->text || !strcmp(y->text, "null") || !strcmp(y->text, "~"))
		return (Json){.kind = JSON_NULL};
	if (!strcmp(y->text, "true") || !strcmp(y->text, "false"))
		return (Json){.kind = JSON_BOOL, .boolean = *y->text == 't'};
	if (!strchr("+-.0123456789", *y->text))
		return j;
	errno = 0;
	long long i = strtoll(y->text, &end, 10);
	if (!*end && !errno)
		return (Json){.kind = JSON_INT, .integer = i,
			.number = (double)i, .plain = *y->text != '-',
			.unsigned_integer = i < 0 ? 0 : (uint64_t)i};
	double x = strtod(y->text, &end);
	if (!*end && isfinite(x))
		return (Json){.kind = JSON_FLOAT, .number = x};
	return j;
}

Json
yaml_json(Arena *a, const Yaml *y)
{
	if (y->kind == YAML_TEXT)
		return text_json(y);
	Json *item = arena_array(a, y->n, sizeof *item);
	for (size_t i = 0; i < y->n; i++)
		item[i] = yaml_json(a, &y->item[i]);
	if (y->kind == YAML_LIST)
		return (Json){.kind = JSON_LIST, .n = y->n, .item = item};
	const char **key = arena_array(a, y->n, sizeof *key);
	for (size_t i = 0; i < y->n; i++)
		key[i] = y->key[i].text;
	return *json_map(a, y->n, key, item);
}

/* ---- messages ---- */

/* Adds the source line and a caret. */
static void
show_line(const char *s, const char *end, int line, int column, char *out,
	size_t size)
{
	for (int i = 1; i < line && s; i++) {
		s = memchr(s, '\n', (size_t)(end - s));
		s = s ? s + 1 : NULL;
	}
	if (!s || line < 1)
		return;
	const char *stop = memchr(s, '\n', (size_t)(end - s));
	int n = (int)((stop ? stop : end) - s);
	if (n > 160 || column > 160)
		return;
	snprintf(out, size, "\n  %.*s\n  %*s", n, s, column, "^");
	/* a tab stands under a tab */
	char *caret = strrchr(out, '\n') + 3;
	for (int i = 0; i < n && i + 1 < column; i++)
		if (s[i] == '\t')
			caret[i] = '\t';
}

void
yaml_explain(const char *path, const char *text, size_t size, int line,
	int column, const char *message, char *out, size_t out_size)
{
	char source[400] = "";
	show_line(text, text + size, line, column, source, sizeof source);
	snprintf(out, out_size, "%.200s:%d:%d: %s%s", path, line, column,
		message, source);
}
