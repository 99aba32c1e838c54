/* json.c - the JSON reader: values, exact integers, and one refusal for each
 * rule of RFC 8259 and of json.h.
 */
#include "ir/base/json.h"
#include "tests/lib/test.h"

#include <math.h>
#include <stdlib.h>

static Arena arena;
static JsonError error;

static const Json *
parse(const char *text)
{
	return json_parse(&arena, text, strlen(text), 8, &error);
}

/* Refused with a message that contains `part`. */
static void
refuse_n(const char *text, size_t size, const char *part)
{
	/* an exact copy on the heap, so that a sanitizer sees overreads */
	char *copy = malloc(size ? size : 1);
	memcpy(copy, text, size);
	const Json *j = json_parse(&arena, copy, size, 8, &error);
	CHECK(!j, "%s", text);
	CHECK(j || strstr(error.text, part), "%s: %s", text, error.text);
	free(copy);
}

static void
refuse(const char *text, const char *part)
{
	refuse_n(text, strlen(text), part);
}

static void
test_numbers(void)
{
	test("json: exact integers");
	const Json *j = parse("[0, -0, 9223372036854775807,"
		" -9223372036854775808, 9223372036854775808,"
		" 18446744073709551615, 18446744073709551616, 12]");
	CHECK(j && j->n == 8);
	if (!j || j->n != 8)
		return;
	CHECK(j->item[0].kind == JSON_INT && j->item[0].plain);
	CHECK(j->item[1].kind == JSON_INT && !j->item[1].plain);
	CHECK(j->item[2].integer == INT64_MAX);
	CHECK(j->item[3].kind == JSON_INT && j->item[3].integer == INT64_MIN);
	CHECK(j->item[4].kind == JSON_FLOAT && j->item[4].plain
		&& j->item[4].unsigned_integer == (uint64_t)INT64_MAX + 1);
	CHECK(j->item[5].unsigned_integer == UINT64_MAX);
	CHECK(j->item[6].kind == JSON_FLOAT && j->item[6].plain
		&& j->item[6].number == 18446744073709551616.0);
	CHECK(j->item[7].number == 12 && j->item[7].unsigned_integer == 12);

	test("json: floats");
	j = parse("[1.0, 1e3, -2.5E-1, 0.00085, 1e-400]");
	CHECK(j && j->n == 5);
	if (!j || j->n != 5)
		return;
	CHECK(j->item[0].kind == JSON_FLOAT && !j->item[0].plain);
	CHECK(j->item[1].kind == JSON_FLOAT && j->item[1].number == 1000);
	CHECK(j->item[2].number == -0.25);
	CHECK(j->item[3].number == 0.00085);
	CHECK(j->item[4].number < 1e-300);

	test("json: numbers that are none");
	refuse("01", "begins with 0");
	refuse("-", "digit");
	refuse("1.", "digit");
	refuse("1e", "digit");
	refuse("1e+", "digit");
	refuse(".5", "value is missing");
	refuse("+1", "value is missing");
	refuse("1e999", "out of range");
	refuse("NaN", "value is missing");
	refuse("0x10", "behind");
}

static void
test_strings(void)
{
	test("json: escapes");
	const Json *j = parse("\"a\\n\\u00e9\\ud83d\\ude00\\\"\\/\\u0000z\"");
	CHECK(j && j->kind == JSON_STRING && j->length == 12);
	CHECK(j && !memcmp(j->text, "a\n\xc3\xa9\xf0\x9f\x98\x80\"/\0z", 13));

	test("json: strings that are none");
	refuse("\"abc", "without end");
	refuse("\"abc\\", "without end");
	refuse("\"abc\\\"", "without end");
	refuse("\"\\x\"", "unknown escape");
	refuse("\"\\u12g4\"", "hexadecimal");
	refuse("\"\\u12\"", "hexadecimal");
	refuse("\"\\ud800\"", "surrogate");
	refuse("\"\\ude00\"", "surrogate");
	refuse("\"\\ud800\\u0041\"", "surrogate");
	refuse("\"a\tb\"", "control byte");
	refuse_n("\"a\0b\"", 5, "control byte");

	test("json: invalid UTF-8");
	refuse("\"\x80\"", "UTF-8");
	refuse("\"\xc0\xaf\"", "UTF-8");            /* overlong */
	refuse("\"\xed\xa0\x80\"", "UTF-8");        /* surrogate */
	refuse("\"\xf4\x90\x80\x80\"", "UTF-8");    /* above U+10FFFF */
	refuse("\"\xe2\x82", "UTF-8");              /* cut short */
	CHECK(parse("\"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\""));
}

static void
test_containers(void)
{
	test("json: maps keep the order of the file");
	const Json *j = parse(" {\"b\": 1, \"a\": [true, false, null],"
		" \"\": {}} ");
	CHECK(j && j->n == 3 && !strcmp(j->key[0], "b"));
	CHECK(json_get(j, "b") && json_get(j, "b")->integer == 1);
	CHECK(json_get(j, "") && json_get(j, "")->kind == JSON_MAP);
	CHECK(!json_get(j, "c") && !json_get(NULL, "c"));
	const Json *a = json_get(j, "a");
	CHECK(a && a->n == 3 && a->item[0].boolean && !a->item[1].boolean
		&& a->item[2].kind == JSON_NULL);
	CHECK(a && !json_get(a, "x"));

	test("json: containers that are none");
	refuse("", "ends early");
	refuse("  ", "ends early");
	refuse("[1,]", "value is missing");
	refuse("[1 2]", "',' or ']'");
	refuse("[1}", "',' or ']'");
	refuse("[", "ends early");
	refuse("{\"a\" 1}", "':'");
	refuse("{\"a\":1,}", "key");
	refuse("{a:1}", "key");
	refuse("{\"a\":1", "',' or '}'");
	refuse("[1] []", "behind");
	refuse("tru", "value is missing");
	refuse("\xef\xbb\xbf{}", "value is missing");
	refuse_n("1\0", 2, "behind");

	test("json: duplicate keys");
	refuse("{\"a\":1,\"b\":2,\"a\":3}", "duplicate key \"a\"");
	refuse("{\"a\":1,\"\\u0061\":3}", "duplicate key \"a\"");
	refuse("{\"a\\u0000b\":1}", "NUL");
}

static void
test_limits(void)
{
	test("json: depth");
	CHECK(parse("[[[[[[[[]]]]]]]]"));
	refuse("[[[[[[[[[]]]]]]]]]", "too deep");
	enum { DEEP = 1000000 };
	char *deep = malloc(DEEP);
	memset(deep, '[', DEEP);
	CHECK(!json_parse(&arena, deep, DEEP, 64, &error));
	free(deep);

	test("json: number of values");
	size_t n = 2 * (size_t)JSON_VALUES_MAX + 1;
	char *many = malloc(n);
	for (size_t i = 0; i < n; i++)
		many[i] = i & 1 ? '1' : ',';
	many[0] = '[';
	many[n - 1] = ']';
	CHECK(!json_parse(&arena, many, n, 4, &error));
	CHECK(strstr(error.text, "too many"), "%s", error.text);
	many[n - 3] = ']';
	CHECK(json_parse(&arena, many, n - 2, 4, &error), "%s", error.text);
	free(many);
}

static void
test_places(void)
{
	test("json: place of an error");
	CHECK(!parse("{\n  \"\xc3\xa9\": x}"));
	CHECK(error.line == 2 && error.column == 8, "%d:%d", error.line,
		error.column);
	CHECK(error.offset == 10, "%zu", error.offset);
	const Json *j = parse("[10, {}]");
	CHECK(j && j->item[1].offset == 5);
}

/* Every prefix of a text is refused, whole is accepted. */
static void
test_prefixes(void)
{
	static const char text[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\n\"],"
		"\"b\":{\"c\":null,\"d\":true}}";
	test("json: every prefix is refused");
	for (size_t n = 0; n < sizeof text - 1; n++)
		refuse_n(text, n, "");
	CHECK(parse(text));
}

/* Configs of several folders and a run file's settings are laid over each
 * other; the result is searched like a parsed map. */
static void
test_merge(void)
{
	test("json: maps over maps");
	const Json *j = json_merge(&arena,
		parse("{\"z\": 1, \"b\": 2, \"a\": 3}"),
		parse("{\"b\": 20, \"a\": null, \"m\": 4, \"n\": null}"));
	CHECK(j->n == 5);
	CHECK(json_get(j, "z") && json_get(j, "z")->integer == 1);
	CHECK(json_get(j, "b") && json_get(j, "b")->integer == 20);
	CHECK(json_get(j, "a") && json_get(j, "a")->integer == 3);
	CHECK(json_get(j, "m") && json_get(j, "m")->integer == 4);
	CHECK(json_get(j, "n") && json_get(j, "n")->kind == JSON_NULL);
	CHECK(!json_get(j, "c"));
	j = json_merge(&arena, NULL, parse("{\"k\": 1}"));
	CHECK(j->n == 1 && json_get(j, "k"));
	CHECK(json_merge(&arena, NULL, NULL)->n == 0);
}

int
main(void)
{
	test_numbers();
	test_strings();
	test_containers();
	test_limits();
	test_places();
	test_prefixes();
	test_merge();
	arena_free(&arena);
	return test_end();
}
