/* json.c - see json.h.
 *
 * A recursive descent over the text.  The text is checked to be UTF-8 first, so
 * the rest looks at bytes.  Members of a list or map are gathered in a growable
 * array and copied to the arena when its end is known.  Keys of a map are
 * sorted by an index, which finds duplicates and serves json_get.
 */
#include "ir/base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Parser {
	Arena *arena;
	const unsigned char *text;
	size_t size, at;
	int depth;              /* nesting still allowed */
	int values;             /* values still allowed */
	JsonError *error;
} Parser;

static bool parse_value(Parser *p, Json *j);

/* Always false, so that a caller can return it. */
static bool
fail_at(Parser *p, size_t offset, const char *text)
{
	snprintf(p->error->text, sizeof p->error->text, "%s", text);
	p->error->offset = offset;
	return false;
}

/* A byte behind the end reads as 0, which no token contains. */
static unsigned char
peek(const Parser *p)
{
	return p->at < p->size ? p->text[p->at] : 0;
}

static void
skip_space(Parser *p)
{
	while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n'
		|| peek(p) == '\r')
		p->at++;
}

/* Length of the UTF-8 sequence that begins at `s` (of `size` bytes), 0 when it
 * is invalid: overlong, a surrogate, above U+10FFFF or cut short. */
static size_t
utf8_length(const unsigned char *s, size_t size)
{
	if (s[0] < 0x80)
		return 1;
	size_t n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3
		: s[0] < 0xf5 ? 4 : 0;
	if (!n || n > size)
		return 0;
	unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static bool
check_utf8(Parser *p)
{
	for (size_t i = 0; i < p->size;) {
		size_t n = utf8_length(p->text + i, p->size - i);
		if (!n)
			return fail_at(p, i, "invalid UTF-8");
		i += n;
	}
	return true;
}

/* Line and column of an offset.  What is not UTF-8 counts bytes. */
static void
locate(const Parser *p, JsonError *e)
{
	e->line = e->column = 1;
	for (size_t i = 0; i < e->offset && i < p->size; i++) {
		if (p->text[i] == '\n') {
			e->line++;
			e->column = 1;
		} else if ((p->text[i] & 0xc0) != 0x80) {
			e->column++;
		}
	}
}

/* ---- strings ---- */

/* The four hexadecimal digits of \uXXXX; the backslash is at `start`. */
static bool
parse_hex4(Parser *p, size_t start, unsigned *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++) {
		unsigned c = peek(p), low = c | 0x20;
		unsigned digit;
		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (low >= 'a' && low <= 'f')
			digit = low - 'a' + 10;
		else
			return fail_at(p, start,
				"\\u wants four hexadecimal digits");
		*code = *code * 16 + digit;
		p->at++;
	}
	return true;
}

static size_t
put_utf8(char *out, unsigned code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* \uXXXX, or a surrogate pair of them, behind the 'u'. */
static bool
parse_unicode(Parser *p, size_t start, char *out, size_t *length)
{
	unsigned code, low;
	if (!parse_hex4(p, start, &code))
		return false;
	if (code >= 0xdc00 && code <= 0xdfff)
		return fail_at(p, start, "half of a surrogate pair");
	if (code >= 0xd800 && code <= 0xdbff) {
		if (p->size - p->at < 2 || p->text[p->at] != '\\'
			|| p->text[p->at + 1] != 'u')
			return fail_at(p, start, "half of a surrogate pair");
		p->at += 2;
		if (!parse_hex4(p, p->at - 2, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return fail_at(p, start, "half of a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	*length += put_utf8(out + *length, code);
	return true;
}

/* The escape behind a backslash. */
static bool
parse_escape(Parser *p, char *out, size_t *length)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	size_t start = p->at++;
	unsigned char c = peek(p);
	if (c == 'u') {
		p->at++;
		return parse_unicode(p, start, out, length);
	}
	const char *which = c ? strchr(from, c) : NULL;
	if (!which)
		return fail_at(p, start, "unknown escape");
	out[(*length)++] = to[which - from];
	p->at++;
	return true;
}

/* At the opening quote.  The text is never longer than its written form. */
static bool
parse_string(Parser *p, const char **text, size_t *length)
{
	size_t start = p->at, end = start + 1;
	while (end < p->size && p->text[end] != '"')
		end += p->text[end] == '\\' ? 2 : 1;
	if (end >= p->size)
		return fail_at(p, start, "string without end");
	char *out = arena_alloc(p->arena, end - start);
	size_t n = 0;
	p->at++;
	while (peek(p) != '"') {
		unsigned char c = p->text[p->at];
		if (c < 0x20)
			return fail_at(p, p->at, "control byte in a string");
		if (c == '\\') {
			if (!parse_escape(p, out, &n))
				return false;
		} else {
			out[n++] = (char)c;
			p->at++;
		}
	}
	p->at++;
	out[n] = 0;
	*text = out;
	*length = n;
	return true;
}

/* ---- numbers ---- */

static bool
is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool
skip_digits(Parser *p)
{
	if (!is_digit(peek(p)))
		return fail_at(p, p->at, "a digit is missing");
	while (is_digit(peek(p)))
		p->at++;
	return true;
}

/* Exact value of the digits in [from, p->at), if it fits 64 bits. */
static bool
digits_value(const Parser *p, size_t from, uint64_t *value)
{
	*value = 0;
	for (size_t i = from; i < p->at; i++)
		if (__builtin_mul_overflow(*value, 10u, value)
			|| __builtin_add_overflow(*value,
				(uint64_t)(p->text[i] - '0'), value))
			return false;
	return true;
}

/* Sets the integer fields of a number without fraction and exponent. */
static void
set_integer(const Parser *p, size_t start, bool negative, Json *j)
{
	uint64_t u;
	j->plain = !negative;
	if (!digits_value(p, start + negative, &u))
		return;
	if (negative && u <= (uint64_t)INT64_MAX + 1) {
		j->kind = JSON_INT;
		j->integer = (int64_t)(0 - u);
	} else if (!negative) {
		j->unsigned_integer = u;
		if (u <= INT64_MAX) {
			j->kind = JSON_INT;
			j->integer = (int64_t)u;
		}
	}
}

static bool
parse_number(Parser *p, Json *j)
{
	size_t start = p->at;
	bool negative = peek(p) == '-', whole = true;
	p->at += negative;
	if (peek(p) == '0') {
		p->at++;
		if (is_digit(peek(p)))
			return fail_at(p, start, "a number begins with 0");
	} else if (!skip_digits(p)) {
		return false;
	}
	j->kind = JSON_FLOAT;
	size_t digits_end = p->at;
	if (peek(p) == '.') {
		p->at++;
		whole = false;
		if (!skip_digits(p))
			return false;
	}
	if (peek(p) == 'e' || peek(p) == 'E') {
		p->at++;
		whole = false;
		if (peek(p) == '+' || peek(p) == '-')
			p->at++;
		if (!skip_digits(p))
			return false;
	}
	if (whole && p->at == digits_end)
		set_integer(p, start, negative, j);
	/* strtod wants an end; the locale is always C */
	char buf[64], *copy = buf;
	size_t n = p->at - start;
	if (n < sizeof buf) {
		memcpy(buf, p->text + start, n);
		buf[n] = 0;
	} else {
		copy = arena_strndup(p->arena, (const char *)p->text + start, n);
	}
	j->number = strtod(copy, NULL);
	if (!isfinite(j->number))
		return fail_at(p, start, "number out of range");
	return true;
}

/* ---- lists and maps ---- */

typedef Vec(Json) Items;
typedef Vec(const char *) Keys;

static int
compare_keys(const void *a, const void *b, void *keys)
{
	const char *const *key = keys;
	return strcmp(key[*(const uint32_t *)a], key[*(const uint32_t *)b]);
}

static const uint32_t *
sorted_keys(Arena *a, size_t n, const char **key)
{
	uint32_t *order = arena_array(a, n, sizeof *order);
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, n, sizeof *order, compare_keys, key);
	return order;
}

/* Sorts the keys of a map and refuses two that are the same. */
static bool
index_keys(Parser *p, Json *j)
{
	const uint32_t *order = sorted_keys(p->arena, j->n, j->key);
	for (size_t i = 1; i < j->n; i++) {
		uint32_t a = order[i - 1], b = order[i];
		if (strcmp(j->key[a], j->key[b]))
			continue;
		char text[sizeof p->error->text];
		snprintf(text, sizeof text, "duplicate key \"%.100s\"",
			j->key[a]);
		return fail_at(p, j->item[a > b ? a : b].offset, text);
	}
	j->order = order;
	return true;
}

/* "key" : in front of a map's value. */
static bool
parse_key(Parser *p, const char **key)
{
	size_t start = p->at, length;
	if (peek(p) != '"')
		return fail_at(p, p->at, "a key in quotes is missing");
	if (!parse_string(p, key, &length))
		return false;
	if (strlen(*key) != length)
		return fail_at(p, start, "a key holds a NUL");
	skip_space(p);
	if (peek(p) != ':')
		return fail_at(p, p->at, "':' is missing");
	p->at++;
	skip_space(p);
	return true;
}

/* The members up to and with the closing bracket. */
static bool
parse_members(Parser *p, Items *items, Keys *keys, unsigned char close)
{
	skip_space(p);
	if (peek(p) == close) {
		p->at++;
		return true;
	}
	for (;;) {
		Json item = {0};
		const char *key;
		if (close == '}') {
			if (!parse_key(p, &key))
				return false;
			*vec_push(keys) = key;
		}
		if (!parse_value(p, &item))
			return false;
		*vec_push(items) = item;
		skip_space(p);
		unsigned char c = peek(p);
		if (c != ',' && c != close)
			return fail_at(p, p->at, close == '}'
				? "',' or '}' is missing"
				: "',' or ']' is missing");
		p->at++;
		if (c == close)
			return true;
		skip_space(p);
	}
}

static bool
parse_container(Parser *p, Json *j, unsigned char close)
{
	Items items = {0};
	Keys keys = {0};
	if (!p->depth)
		return fail_at(p, p->at, "nested too deep");
	p->depth--;
	p->at++;
	j->kind = close == '}' ? JSON_MAP : JSON_LIST;
	bool ok = parse_members(p, &items, &keys, close);
	p->depth++;
	if (ok && items.n) {
		j->n = items.n;
		j->item = arena_array(p->arena, items.n, sizeof *j->item);
		memcpy(j->item, items.at, items.n * sizeof *j->item);
	}
	if (ok && keys.n) {
		j->key = arena_array(p->arena, keys.n, sizeof *j->key);
		memcpy(j->key, keys.at, keys.n * sizeof *j->key);
		ok = index_keys(p, j);
	}
	vec_free(&items);
	vec_free(&keys);
	return ok;
}

/* ---- values ---- */

static bool
parse_word(Parser *p, Json *j)
{
	static const struct {
		const char *text;
		JsonKind kind;
		bool boolean;
	} word[] = {
		{"null", JSON_NULL, false},
		{"true", JSON_BOOL, true},
		{"false", JSON_BOOL, false},
	};
	for (size_t i = 0; i < COUNT_OF(word); i++) {
		size_t n = strlen(word[i].text);
		if (p->size - p->at < n
			|| memcmp(p->text + p->at, word[i].text, n))
			continue;
		j->kind = word[i].kind;
		j->boolean = word[i].boolean;
		p->at += n;
		return true;
	}
	return fail_at(p, p->at, p->at < p->size ? "a value is missing"
						 : "the text ends early");
}

static bool
parse_value(Parser *p, Json *j)
{
	unsigned char c = peek(p);
	j->offset = p->at;
	if (!p->values)
		return fail_at(p, p->at, "too many values");
	p->values--;
	if (c == '{')
		return parse_container(p, j, '}');
	if (c == '[')
		return parse_container(p, j, ']');
	if (c == '"') {
		j->kind = JSON_STRING;
		return parse_string(p, &j->text, &j->length);
	}
	if (c == '-' || is_digit(c))
		return parse_number(p, j);
	return parse_word(p, j);
}

const Json *
json_parse(Arena *a, const char *text, size_t size, int depth, JsonError *e)
{
	Parser p = {
		.arena = a, .text = (const unsigned char *)text, .size = size,
		.depth = depth, .values = JSON_VALUES_MAX, .error = e,
	};
	Json *j = arena_alloc(a, sizeof *j);
	*e = (JsonError){0};
	bool ok = check_utf8(&p);
	if (ok) {
		skip_space(&p);
		ok = parse_value(&p, j);
	}
	if (ok) {
		skip_space(&p);
		if (p.at < p.size)
			ok = fail_at(&p, p.at, "text behind the value");
	}
	if (!ok)
		locate(&p, e);
	return ok ? j : NULL;
}

const Json *
json_get(const Json *j, const char *key)
{
	if (!j || j->kind != JSON_MAP)
		return NULL;
	size_t lo = 0, hi = j->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(key, j->key[j->order[mid]]);
		if (!c)
			return &j->item[j->order[mid]];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const Json *
json_map(Arena *a, size_t n, const char **key, Json *item)
{
	Json *j = arena_alloc(a, sizeof *j);
	*j = (Json){.kind = JSON_MAP, .n = n, .key = key, .item = item,
		.order = sorted_keys(a, n, key)};
	return j;
}

const Json *
json_merge(Arena *a, const Json *under, const Json *over)
{
	size_t most = (under ? under->n : 0) + (over ? over->n : 0), n = 0;
	Json *item = arena_array(a, most, sizeof *item);
	const char **key = arena_array(a, most, sizeof *key);
	for (size_t i = 0; under && i < under->n; i++) {
		const Json *v = json_get(over, under->key[i]);
		key[n] = under->key[i];
		item[n++] = v && v->kind != JSON_NULL ? *v : under->item[i];
	}
	for (size_t i = 0; over && i < over->n; i++) {
		if (json_get(under, over->key[i]))
			continue;
		key[n] = over->key[i];
		item[n++] = over->item[i];
	}
	return json_map(a, n, key, item);
}
