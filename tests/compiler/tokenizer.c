/* tokenizer.c - prompts against the ids that transformers gives
 * (tests/data/tokenizer), from either kind of file and through the command
 * line; and broken files.  With a folder as argument: the prompts of its
 * cases.json through the command line.
 */
#include "compiler/text/tokenizer.h"
#include "ir/base/json.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static Arena arena;
static char temp[] = "/tmp/sluice-tokenizer-XXXXXX";

static char *
read_text(const char *path, size_t *size)
{
	char *text = arena_read_file(&arena, path, 1 << 20, size);
	if (!text)
		fatal(EXIT_IO, "cannot read %s", path);
	return text;
}

static void
write_text(const char *name, const char *text, size_t size)
{
	FILE *f = fopen(arena_printf(&arena, "%s/%s", temp, name), "wb");
	if (!f || fwrite(text, 1, size, f) != size || fclose(f))
		fatal(EXIT_IO, "cannot write %s", name);
}

static void
remove_files(void)
{
	static const char *const names[] = {
		"vocab.json", "merges.txt", "tokenizer.json",
		"tokenizer_config.json", "special_tokens_map.json",
		"added_tokens.json",
	};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		unlink(arena_printf(&arena, "%s/%s", temp, names[i]));
}

static bool
same(const Json *want, const int32_t *ids, size_t n)
{
	if (want->n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (want->item[i].integer != ids[i])
			return false;
	return true;
}

static bool
equal(const Json *a, const Json *b)
{
	if (!a || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->item[i].integer != b->item[i].integer)
			return false;
	return true;
}

static size_t
check_cases(const char *folder, const Json *cases)
{
	char err[512];
	int code = 0;
	const Tokenizer *t = tokenizer_open(&arena, folder, &code, err);
	CHECK(t, "%s", err);
	for (size_t i = 0; t && i < cases->n; i++) {
		const Json *text = json_get(&cases->item[i], "text");
		size_t n;
		int32_t fitted[77];
		const int32_t *ids = tokenizer_encode(t, &arena, text->text,
			text->length, &n);
		bool cut = tokenizer_fit(t, ids, n, fitted, 77);
		CHECK(same(json_get(&cases->item[i], "ids"), ids, n), "'%s'",
			text->text);
		CHECK(same(json_get(&cases->item[i], "ids77"), fitted, 77),
			"'%s'", text->text);
		CHECK(cut == (n > 77));
	}
	return cases->n;
}

/* Writes a string as it stands in the file, quotes and escapes included. */
static void
copy_string(FILE *out, const char *s)
{
	do {
		putc(*s, out);
		if (*s == '\\')
			putc(*++s, out);
	} while (*++s != '"');
	fputs("\"\n", out);
}

/* `sluice tokenize --quoted` on all prompts at once; `source` is what `cases` was
 * read from. */
static void
check_command(const char *folder, const char *source, const Json *cases)
{
	const char *sluice = getenv("SLUICE");
	char *line = NULL;
	size_t cap = 0, n = 0;
	ssize_t got;
	JsonError e;
	const char *path = arena_printf(&arena, "%s/prompts", temp);
	FILE *in = fopen(path, "w");
	if (!in)
		fatal(EXIT_IO, "cannot write %s", path);
	for (size_t i = 0; i < cases->n; i++)
		copy_string(in, source
			+ json_get(&cases->item[i], "text")->offset);
	fclose(in);
	FILE *out = popen(arena_printf(&arena, "%s tokenize '%s' --quoted <'%s'",
		sluice ? sluice : "build/sluice", folder, path), "r");
	for (; out && n < cases->n && (got = getline(&line, &cap, out)) > 0; n++) {
		const Json *j = json_parse(&arena, line, (size_t)got, 4, &e);
		const Json *want = &cases->item[n];
		CHECK(equal(json_get(j, "ids"), json_get(want, "ids"))
			&& equal(json_get(j, "ids77"), json_get(want, "ids77")),
			"'%s': %s", json_get(want, "text")->text, line);
	}
	CHECK(out && !pclose(out) && n == cases->n, "%zu answers", n);
	free(line);
	unlink(path);
}

static void
copy(const char *name)
{
	size_t size;
	const char *text = read_text(arena_printf(&arena,
		"tests/data/tokenizer/%s", name), &size);
	write_text(name, text, size);
}

/* Opens what lies in the temporary folder and expects a refusal. */
static void
refuse(int want, const char *reason)
{
	char err[512] = "";
	int code = 0;
	const Tokenizer *t = tokenizer_open(&arena, temp, &code, err);
	CHECK(!t && code == want && strstr(err, reason), "code %d: '%s'", code,
		t ? "accepted" : err);
}

/* Length of the JSON map or list at s. */
static size_t
json_length(const char *s)
{
	const char *from = s;
	int depth = 0;
	bool text = false;
	do {
		if (text && *s == '\\')
			s++;
		else if (*s == '"')
			text = !text;
		else if (!text && strchr("[{", *s))
			depth++;
		else if (!text && strchr("]}", *s))
			depth--;
		s++;
	} while (depth);
	return (size_t)(s - from);
}

/* tokenizer.json with another list of added tokens. */
static void
write_tokenizer(const char *added, size_t size)
{
	size_t n;
	JsonError e;
	const char *text = read_text("tests/data/tokenizer/tokenizer.json", &n);
	const Json *model = json_get(json_parse(&arena, text, n, 16, &e),
		"model");
	const char *at = text + model->offset;
	const char *all = arena_printf(&arena,
		"{\"added_tokens\": %.*s, \"model\": %.*s}", (int)size, added,
		(int)json_length(at), at);
	write_text("tokenizer.json", all, strlen(all));
}

static void
check_folder(const Json *folder, const char *source)
{
	const Json *files = json_get(folder, "files");
	const Json *cases = json_get(folder, "cases");
	const char *name = json_get(folder, "name")->text;
	char err[512];
	int code = 0;
	copy("vocab.json");
	copy("merges.txt");
	for (size_t i = 0; i < files->n; i++) {
		const char *text = source + files->item[i].offset;
		if (!strcmp(files->key[i], "tokenizer.json"))
			write_tokenizer(text, json_length(text));
		else
			write_text(files->key[i], text, json_length(text));
	}
	const Tokenizer *t = tokenizer_open(&arena, temp, &code, err);
	CHECK(t, "%s: %s", name, err);
	for (size_t i = 0; t && i < cases->n; i++) {
		const Json *text = json_get(&cases->item[i], "text");
		size_t n;
		int32_t fitted[12];
		const int32_t *ids = tokenizer_encode(t, &arena, text->text,
			text->length, &n);
		tokenizer_fit(t, ids, n, fitted, 12);
		CHECK(same(json_get(&cases->item[i], "ids"), ids, n),
			"%s: '%s'", name, text->text);
		CHECK(same(json_get(&cases->item[i], "ids12"), fitted, 12),
			"%s: '%s'", name, text->text);
	}
	remove_files();
}

static void
folders(void)
{
	size_t size;
	JsonError e;
	const char *source = read_text("tests/data/tokenizer/folders.json",
		&size);
	const Json *list = json_get(json_parse(&arena, source, size, 16, &e),
		"folders");
	test("special tokens, wherever a folder says them");
	CHECK(list && list->n == 10);
	for (size_t i = 0; list && i < list->n; i++)
		check_folder(&list->item[i], source);
}

/* Special tokens that cannot be read, or that two releases read differently. */
static void
broken_specials(void)
{
	static const struct { const char *file, *text, *reason; } bad[] = {
		{"tokenizer_config.json", "{\"pad_token\": null}",
			"pad_token is null"},
		{"tokenizer_config.json", "{\"pad_token\": 3}",
			"pad_token is no token"},
		{"tokenizer_config.json", "{\"padding_side\": \"left\"}",
			"padding on side 'left'"},
		{"tokenizer_config.json", "{\"added_tokens_decoder\": "
			"{\"x\": {\"content\": \"<cat>\"}}}", "has no id"},
		{"tokenizer_config.json", "{\"added_tokens_decoder\": "
			"{\"1\": {\"content\": \"!\"}}}",
			"has another in the vocabulary: 0"},
		{"added_tokens.json", "{\"<cat>\": 2000}",
			"'<cat>' is listed with id 2000, but the next free one "
			"is 934"},
		{"added_tokens.json", "{\"<cat>\": 1.5}", "has no id"},
		{"special_tokens_map.json", "[]", "is no map"},
	};
	test("special tokens that cannot be are refused");
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		copy("vocab.json");
		copy("merges.txt");
		write_text(bad[i].file, bad[i].text, strlen(bad[i].text));
		refuse(EXIT_SOURCE, bad[i].reason);
		remove_files();
	}
}

static void
broken_files(void)
{
	static const char tiny[] = "{\"a\": 0, \"b\": 1, \"ab\": 2, "
		"\"<|startoftext|>\": 3, \"<|endoftext|>\": 4}";
	static const struct {
		const char *vocab, *merges, *reason;
	} bad[] = {
		{"{\"a\": 0,", "", "vocab.json:1:"},
		{"[]", "", "no map"},
		{"{\"a\": 1.5}", "", "no integer"},
		{"{\"a\": -1}", "", "no integer"},
		{"{\"a\": 7, \"b\": 7}", "", "two texts"},
		{"{\"a\": 0}", "", "'<|startoftext|>'"},
		{tiny, "#version: 0.2\na\n", "merges.txt:2: expected two"},
		{tiny, "#version: 0.2\na b c\n", "merges.txt:2: expected two"},
		{tiny, "#version: 0.2\na b\nb a\n", "merges.txt:3: merge 2: 'ba'"},
		{tiny, "a q\n", "'q' is not in the vocabulary"},
	};
	test("broken files are refused with their place");
	refuse(EXIT_IO, "neither tokenizer.json");
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		write_text("vocab.json", bad[i].vocab, strlen(bad[i].vocab));
		write_text("merges.txt", bad[i].merges, strlen(bad[i].merges));
		refuse(EXIT_SOURCE, bad[i].reason);
	}
	unlink(arena_printf(&arena, "%s/merges.txt", temp));
	refuse(EXIT_IO, "merges.txt");
	remove_files();
	static const char other[] = "{\"model\": {\"type\": \"WordPiece\"}}";
	write_text("tokenizer.json", other, strlen(other));
	refuse(EXIT_SOURCE, "not CLIP's kind");
	remove_files();
}

static void
padding(void)
{
	static const char vocab[] = "{\"a\": 0, \"a</w>\": 9, \"b</w>\": 1, "
		"\"ab</w>\": 2, \"<|startoftext|>\": 3, \"<|endoftext|>\": 4}";
	static const char config[] = "{\"pad_token\": {\"content\": \"a\"}}";
	static const int32_t want[] = {3, 2, 0, 4, 4, 4, 0, 0};
	char err[512];
	int code;
	size_t n;
	int32_t out[8];
	test("a padding token that is a word, an unknown byte, no version line");
	write_text("vocab.json", vocab, strlen(vocab));
	write_text("merges.txt", "a b</w>\n", 8);
	write_text("tokenizer_config.json", config, strlen(config));
	const Tokenizer *t = tokenizer_open(&arena, temp, &code, err);
	CHECK(t, "%s", err);
	if (!t)
		return;
	const int32_t *ids = tokenizer_encode(t, &arena, "AB a !?", 7, &n);
	tokenizer_fit(t, ids, n, out, 8);
	CHECK(n == 6 && !memcmp(out, want, sizeof want), "%zu ids, %d %d %d", n,
		out[1], out[2], out[3]);
	test("text that is not UTF-8 is refused");
	CHECK(!tokenizer_encode(t, &arena, "a\xff", 2, &n));
	CHECK(!tokenizer_encode(t, &arena, "\xed\xa0\x80", 3, &n));
	test("a long word takes no quadratic time");
	size_t size = 1 << 20;
	char *word = arena_alloc(&arena, size);
	memset(word, 'a', size);
	double start = now_seconds();
	CHECK(tokenizer_encode(t, &arena, word, size, &n) && n == size + 2);
	CHECK(now_seconds() - start < 5);
	remove_files();
}

int
main(int argc, char **argv)
{
	const char *folder = argc > 1 ? argv[1] : "tests/data/tokenizer";
	size_t size;
	JsonError e;
	const char *source = read_text(arena_printf(&arena, "%s/cases.json",
		folder), &size);
	const Json *cases = json_get(json_parse(&arena, source, size, 16, &e),
		"cases");
	if (!mkdtemp(temp))
		fatal(EXIT_IO, "cannot make %s", temp);
	test("the command line");
	check_command(folder, source, cases);
	if (argc == 1) {
		test("vocab.json and merges.txt");
		CHECK(check_cases(folder, cases) == 53);
		test("tokenizer.json alone");
		copy("tokenizer.json");
		copy("tokenizer_config.json");
		check_cases(temp, cases);
		remove_files();
		folders();
		broken_specials();
		broken_files();
		padding();
	}
	rmdir(temp);
	test_close();
	printf("# %zu prompts, from both kinds of files\n", cases->n);
	arena_free(&arena);
	return test_end();
}
