/* vocab.c - see vocab.h.
 *
 * Files of either kind are read whole and checked before use: ids are integers
 * that no two texts share, and both sides and the result of each merge are in
 * the vocabulary.
 */
#include "compiler/text/vocab.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum {
	FILE_BYTES = 64 << 20,
	IDS_MAX = 1 << 24,
	RANKS_MAX = 1 << 24,
};

/* ---- tables ---- */

static size_t
slots_for(size_t n)
{
	size_t slots = 16;
	while (slots < 2 * n)
		slots *= 2;
	return slots;
}

static Word *
word_slot(const Vocab *v, const char *text, size_t size)
{
	size_t i = XXH3_64bits(text, size) & v->word_mask;
	while (v->words[i].text && (v->words[i].size != size
		|| memcmp(v->words[i].text, text, size)))
		i = (i + 1) & v->word_mask;
	return &v->words[i];
}

static Merge *
merge_slot(const Vocab *v, int32_t left, int32_t right)
{
	int32_t key[] = {left, right};
	size_t i = XXH3_64bits(key, sizeof key) & v->merge_mask;
	while (v->merges[i].left >= 0 && (v->merges[i].left != left
		|| v->merges[i].right != right))
		i = (i + 1) & v->merge_mask;
	return &v->merges[i];
}

int32_t
vocab_find(const Vocab *v, const char *text, size_t size)
{
	const Word *w = word_slot(v, text, size);
	return w->text ? w->id : -1;
}

const Merge *
vocab_merge(const Vocab *v, int32_t left, int32_t right)
{
	const Merge *m = merge_slot(v, left, right);
	return m->left >= 0 ? m : NULL;
}

/* ---- reading ---- */

static bool __attribute__((format(printf, 2, 3)))
fail(char *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err, VOCAB_ERR, fmt, ap);
	va_end(ap);
	return false;
}

const Json *
vocab_json(Arena *a, const char *path, int *code, char *err)
{
	size_t size;
	char *text = arena_read_file(a, path, FILE_BYTES, &size);
	JsonError e;
	if (!text) {
		*code = EXIT_IO;
		fail(err, "cannot read '%s': %s", path, strerror(errno));
		return NULL;
	}
	*code = EXIT_SOURCE;
	char why[200];
	if (download_mistake(text, size, "JSON", why, sizeof why)) {
		fail(err, "'%s': %s", path, why);
		return NULL;
	}
	size_t mark = byte_order_mark(text, size);
	const Json *j = json_parse(a, text + mark, size - mark, 16, &e);
	if (!j)
		fail(err, "%s:%d:%d: %s", path, e.line, e.column, e.text);
	return j;
}

static bool
add_words(Arena *a, Vocab *v, const Json *map, const char *path, char *err)
{
	if (!map || map->kind != JSON_MAP || !map->n)
		return fail(err, "%s: the vocabulary is no map of texts to ids",
			path);
	size_t slots = slots_for(map->n);
	unsigned char *bits = arena_alloc(a, IDS_MAX / 8);
	v->words = arena_array(a, slots, sizeof *v->words);
	v->word_mask = slots - 1;
	v->count = (int32_t)map->n;
	for (size_t i = 0; i < map->n; i++) {
		const Json *id = &map->item[i];
		const char *text = map->key[i];
		if (id->kind != JSON_INT || id->integer < 0
			|| id->integer >= IDS_MAX)
			return fail(err, "%s: the id of '%.80s' is no integer below "
				"%d", path, text, IDS_MAX);
		int32_t n = (int32_t)id->integer;
		if (bits[n / 8] & 1 << n % 8)
			return fail(err, "%s: id %d stands for two texts, '%.80s' "
				"is one", path, n, text);
		v->last = n > v->last ? n : v->last;
		bits[n / 8] |= (unsigned char)(1 << n % 8);
		*word_slot(v, text, strlen(text)) =
			(Word){text, strlen(text), n};
	}
	return true;
}

static void
size_merges(Arena *a, Vocab *v, size_t n)
{
	size_t slots = slots_for(n);
	v->merges = arena_array(a, slots, sizeof *v->merges);
	v->merge_mask = slots - 1;
	for (size_t i = 0; i < slots; i++)
		v->merges[i].left = -1;
}

/* A merge with what the vocabulary lacks would never give an id. */
static bool
add_merge(Vocab *v, Arena *a, size_t rank, const char *l, size_t nl,
	const char *r, size_t nr, const char *where, char *err)
{
	int32_t left = vocab_find(v, l, nl), right = vocab_find(v, r, nr);
	char *joined = arena_alloc(a, nl + nr + 1);
	memcpy(joined, l, nl);
	memcpy(joined + nl, r, nr);
	int32_t result = vocab_find(v, joined, nl + nr);
	if (left < 0 || right < 0 || result < 0)
		return fail(err, "%s: merge %zu: '%.80s' is not in the vocabulary",
			where, rank + 1, left < 0 ? arena_strndup(a, l, nl)
			: right < 0 ? arena_strndup(a, r, nr) : joined);
	if (rank >= RANKS_MAX)
		return fail(err, "%s: more than %d merges", where, RANKS_MAX);
	Merge *m = merge_slot(v, left, right);
	if (m->left < 0)
		*m = (Merge){left, right, (int32_t)rank, result};
	return true;
}

/* ---- merges.txt: a line with a version, then "left right" by rank ---- */

static size_t
count_lines(const char *text, size_t size)
{
	size_t n = 1;
	for (size_t i = 0; i < size; i++)
		n += text[i] == '\n';
	return n;
}

static bool
read_merges(Arena *a, Vocab *v, const char *path, int *code, char *err)
{
	size_t size, rank = 0, line = 0;
	char *text = arena_read_file(a, path, FILE_BYTES, &size);
	if (!text) {
		*code = EXIT_IO;
		return fail(err, "cannot read '%s': %s", path, strerror(errno));
	}
	*code = EXIT_SOURCE;
	char why[200];
	if (download_mistake(text, size, "merges", why, sizeof why))
		return fail(err, "'%s': %s", path, why);
	size_t mark = byte_order_mark(text, size);
	text += mark;
	size -= mark;
	size_merges(a, v, count_lines(text, size));
	for (char *s = text, *end = text + size; s < end;) {
		char *stop = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((stop ? stop : end) - s);
		char *next = s + n + 1;
		line++;
		if (n && s[n - 1] == '\r')
			n--;
		bool version = line == 1 && n >= 8 && !memcmp(s, "#version", 8);
		if (n && !version) {
			char *space = memchr(s, ' ', n);
			size_t nl = space ? (size_t)(space - s) : 0;
			if (!nl || nl + 1 == n
				|| memchr(space + 1, ' ', n - nl - 1))
				return fail(err, "%s:%zu: expected two texts with a "
					"space between them", path, line);
			const char *where = arena_printf(a, "%s:%zu", path, line);
			if (!add_merge(v, a, rank++, s, nl, space + 1, n - nl - 1,
				where, err))
				return false;
		}
		s = next;
	}
	return true;
}

/* ---- tokenizer.json: both, under "model" ---- */

static bool
read_merge(Arena *a, Vocab *v, const Json *m, size_t rank, const char *path,
	char *err)
{
	const char *l, *r;
	size_t nl, nr;
	if (m->kind == JSON_LIST && m->n == 2 && m->item[0].kind == JSON_STRING
		&& m->item[1].kind == JSON_STRING) {
		l = m->item[0].text;
		nl = m->item[0].length;
		r = m->item[1].text;
		nr = m->item[1].length;
	} else if (m->kind == JSON_STRING && strchr(m->text, ' ')) {
		l = m->text;
		nl = (size_t)(strchr(l, ' ') - l);
		r = l + nl + 1;
		nr = m->length - nl - 1;
	} else {
		return fail(err, "%s: merge %zu is no pair of texts", path,
			rank + 1);
	}
	return add_merge(v, a, rank, l, nl, r, nr, path, err);
}

static bool
read_tokenizer(Arena *a, Vocab *v, const char *path, int *code, char *err)
{
	v->file = vocab_json(a, path, code, err);
	if (!v->file)
		return false;
	const Json *model = json_get(v->file, "model");
	const Json *type = json_get(model, "type");
	const Json *suffix = json_get(model, "end_of_word_suffix");
	const Json *merges = json_get(model, "merges");
	if (!type || type->kind != JSON_STRING || strcmp(type->text, "BPE")
		|| !suffix || suffix->kind != JSON_STRING
		|| strcmp(suffix->text, "</w>"))
		return fail(err, "%s: this is not CLIP's kind of tokenizer (BPE "
			"with the suffix </w>)", path);
	if (!add_words(a, v, json_get(model, "vocab"), path, err))
		return false;
	if (!merges || merges->kind != JSON_LIST)
		return fail(err, "%s: it has no list of merges", path);
	size_merges(a, v, merges->n);
	for (size_t i = 0; i < merges->n; i++)
		if (!read_merge(a, v, &merges->item[i], i, path, err))
			return false;
	return true;
}

bool
vocab_open(Arena *a, Vocab *v, const char *folder, int *code, char *err)
{
	const char *vocab = arena_printf(a, "%s/vocab.json", folder);
	const char *merges = arena_printf(a, "%s/merges.txt", folder);
	const char *both = arena_printf(a, "%s/tokenizer.json", folder);
	if (access(folder, F_OK)) {
		*code = EXIT_IO;
		return fail(err, "cannot read '%s': %s", folder, strerror(errno));
	}
	if (!access(both, F_OK))
		return read_tokenizer(a, v, both, code, err);
	if (access(vocab, F_OK) && access(merges, F_OK)) {
		*code = EXIT_IO;
		return fail(err, "'%s' has neither tokenizer.json nor vocab.json "
			"and merges.txt", folder);
	}
	const Json *words = vocab_json(a, vocab, code, err);
	return words && add_words(a, v, words, vocab, err)
		&& read_merges(a, v, merges, code, err);
}
