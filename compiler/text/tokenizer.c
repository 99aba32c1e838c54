/* tokenizer.c - see tokenizer.h.
 *
 * text -> pieces between literal begin and end tokens -> NFC, white space,
 * lower case -> words by kind of character -> bytes as symbols -> merges by
 * rank -> ids.  The order matters: tokens are found before the text is
 * normalised, and lower-casing comes after NFC and is not followed by another.
 */
#include "compiler/text/tokenizer.h"
#include "ir/base/json.h"
#include "compiler/text/vocab.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

#define BEGIN_TEXT "<|startoftext|>"
#define END_TEXT "<|endoftext|>"

struct Tokenizer {
	Vocab vocab;
	int32_t begin, end, pad;
	int32_t symbol[2][256]; /* id of a byte; [1]: as the last of a word */
};

typedef Vec(int32_t) Ids;

/* ---- words to ids ---- */

/* A symbol of the word that is being merged; links skip merged ones. */
typedef struct Symbol {
	int32_t id;             /* < 0: was merged into its left neighbour */
	int32_t left, right;    /* indices, -1: none */
} Symbol;

/* A merge that could be made at `at`; stale when its symbols have changed. */
typedef struct Chance {
	int32_t rank, at;
	int32_t left, right;    /* ids that it was found for */
} Chance;

typedef Vec(Chance) Heap;

/* Lower rank first, then from left to right. */
static bool
sooner(const Chance *a, const Chance *b)
{
	return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void
heap_add(Heap *h, Chance c)
{
	*vec_push(h) = c;
	size_t i = h->n - 1;
	while (i && sooner(&c, &h->at[(i - 1) / 2])) {
		h->at[i] = h->at[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h->at[i] = c;
}

static Chance
heap_take(Heap *h)
{
	Chance top = h->at[0], last = h->at[--h->n];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
		if (child + 1 < h->n
			&& sooner(&h->at[child + 1], &h->at[child]))
			child++;
		if (!sooner(&h->at[child], &last))
			break;
		h->at[i] = h->at[child];
	}
	if (h->n)
		h->at[i] = last;
	return top;
}

static void
add_chance(const Tokenizer *t, Heap *h, const Symbol *s, int32_t at)
{
	if (at < 0 || s[at].right < 0)
		return;
	int32_t left = s[at].id, right = s[s[at].right].id;
	const Merge *m = vocab_merge(&t->vocab, left, right);
	if (m)
		heap_add(h, (Chance){m->rank, at, left, right});
}

static void
merge_symbols(const Tokenizer *t, Heap *h, Symbol *s, int32_t n)
{
	for (int32_t i = 0; i + 1 < n; i++)
		add_chance(t, h, s, i);
	while (h->n) {
		Chance c = heap_take(h);
		Symbol *l = &s[c.at];
		if (l->id != c.left || l->right < 0 || s[l->right].id != c.right)
			continue;
		Symbol *r = &s[l->right];
		l->id = vocab_merge(&t->vocab, c.left, c.right)->result;
		l->right = r->right;
		r->id = -1;
		if (l->right >= 0)
			s[l->right].left = c.at;
		add_chance(t, h, s, l->left);
		add_chance(t, h, s, c.at);
	}
}

/* Appends the ids of one word of n >= 1 bytes. */
static void
add_word(const Tokenizer *t, const unsigned char *word, size_t n, Ids *ids)
{
	Symbol local[64], *s = local;
	Heap heap = {0};
	if (n > COUNT_OF(local) && !(s = malloc(n * sizeof *s)))
		fatal(EXIT_MEMORY, "out of memory");
	for (size_t i = 0; i < n; i++)
		s[i] = (Symbol){t->symbol[i + 1 == n][word[i]],
			(int32_t)i - 1, i + 1 < n ? (int32_t)i + 1 : -1};
	merge_symbols(t, &heap, s, (int32_t)n);
	for (int32_t i = 0; i >= 0; i = s[i].right)
		*vec_push(ids) = s[i].id;
	vec_free(&heap);
	if (s != local)
		free(s);
}

/* ---- text to words ---- */

typedef enum Kind { SPACE, LETTER, NUMBER, OTHER } Kind;

/* Unicode's property White_Space. */
static bool
is_space(int32_t c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0
		|| c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028
		|| c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static Kind
kind_of(int32_t c)
{
	if (is_space(c))
		return SPACE;
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
		return LETTER;
	case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_NO:
		return NUMBER;
	default:
		return OTHER;
	}
}

/* The code point at s, which is valid UTF-8; returns its length. */
static size_t
next_char(const unsigned char *s, size_t n, int32_t *c)
{
	return (size_t)utf8proc_iterate(s, (utf8proc_ssize_t)n, c);
}

/* Length of a contraction at s ('s 't 're 've 'm 'll 'd), or 0. */
static size_t
contraction(const unsigned char *s, size_t n)
{
	static const char *const ends[] = {
		"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"
	};
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		size_t length = strlen(ends[i]);
		if (length <= n && !memcmp(s, ends[i], length))
			return length;
	}
	return 0;
}

/* Length of the word at s, which begins with a character of that kind: a run of
 * letters, one number, or a run of anything else. */
static size_t
word_length(const unsigned char *s, size_t n, Kind kind)
{
	size_t i = contraction(s, n);
	if (i)
		return i;
	while (i < n) {
		int32_t c;
		size_t length = next_char(s + i, n - i, &c);
		if (kind_of(c) != kind)
			break;
		i += length;
		if (kind == NUMBER)
			break;
	}
	return i;
}

/* Length of the text of a token at s, or 0.  Only lower-casing can have made it
 * ("<|EndOfText|>"): it is no token then, but it does end where a token would. */
static size_t
false_token(const unsigned char *s, size_t n)
{
	static const char *const names[] = {BEGIN_TEXT, END_TEXT};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		size_t length = strlen(names[i]);
		if (length <= n && !memcmp(s, names[i], length))
			return length;
	}
	return 0;
}

/* Lower case by code point.  Only U+0130 has more than one: i and a dot. */
static void
lower_case(const unsigned char *s, size_t n, unsigned char *out, size_t *size)
{
	size_t k = 0;
	for (size_t i = 0; i < n;) {
		int32_t c;
		i += next_char(s + i, n - i, &c);
		if (c == 0x130) {
			out[k++] = 'i';
			c = 0x307;
		} else {
			c = utf8proc_tolower(c);
		}
		k += (size_t)utf8proc_encode_char(c, out + k);
	}
	*size = k;
}

/* Appends the ids of text that holds no literal tokens. */
static bool
add_text(const Tokenizer *t, const char *text, size_t size, Ids *ids)
{
	utf8proc_uint8_t *nfc = NULL;
	utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)text,
		(utf8proc_ssize_t)size, &nfc, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	if (n < 0) {
		if (n == UTF8PROC_ERROR_NOMEM)
			fatal(EXIT_MEMORY, "out of memory");
		return false;
	}
	/* a character grows to at most twice its bytes */
	size_t lower_size, length;
	unsigned char *lower = malloc(2 * (size_t)n + 4);
	if (!lower)
		fatal(EXIT_MEMORY, "out of memory");
	lower_case(nfc, (size_t)n, lower, &lower_size);
	free(nfc);
	for (size_t i = 0; i < lower_size; i += length) {
		int32_t c;
		length = next_char(lower + i, lower_size - i, &c);
		Kind kind = kind_of(c);
		if (kind == SPACE)
			continue;
		length = false_token(lower + i, lower_size - i);
		if (length) {           /* "<|", a word, "|>" */
			add_word(t, lower + i, 2, ids);
			add_word(t, lower + i + 2, length - 4, ids);
			add_word(t, lower + i + length - 2, 2, ids);
			continue;
		}
		length = word_length(lower + i, lower_size - i, kind);
		add_word(t, lower + i, length, ids);
	}
	free(lower);
	return true;
}

/* The next literal begin or end token at or behind s; NULL: none. */
static const char *
next_token(const char *s, const char *end, size_t *size)
{
	const char *begin = memmem(s, (size_t)(end - s), BEGIN_TEXT,
		sizeof BEGIN_TEXT - 1);
	const char *stop = memmem(s, (size_t)(end - s), END_TEXT,
		sizeof END_TEXT - 1);
	bool first = begin && (!stop || begin < stop);
	*size = first ? sizeof BEGIN_TEXT - 1 : sizeof END_TEXT - 1;
	return first ? begin : stop;
}

const int32_t *
tokenizer_encode(const Tokenizer *t, Arena *a, const char *text, size_t size,
	size_t *count)
{
	const char *s = text, *end = text + size;
	Ids ids = {0};
	int32_t *result = NULL;
	bool ok = size <= INT32_MAX / 2;
	*vec_push(&ids) = t->begin;
	while (ok && s < end) {
		size_t length;
		const char *token = next_token(s, end, &length);
		ok = add_text(t, s, (size_t)((token ? token : end) - s), &ids);
		if (token)
			*vec_push(&ids) = length == sizeof END_TEXT - 1 ? t->end
				: t->begin;
		s = token ? token + length : end;
	}
	*vec_push(&ids) = t->end;
	if (ok) {
		result = arena_array(a, ids.n, sizeof *result);
		memcpy(result, ids.at, ids.n * sizeof *result);
		*count = ids.n;
	}
	vec_free(&ids);
	return result;
}

bool
tokenizer_fit(const Tokenizer *t, const int32_t *ids, size_t count,
	int32_t *out, size_t length)
{
	for (size_t i = 0; i < length; i++)
		out[i] = i < count ? ids[i] : t->pad;
	if (count <= length)
		return false;
	out[length - 1] = t->end;
	return true;
}

/* ---- opening ---- */

/* Bytes that are printable characters stand for themselves, the other 68 for
 * U+0100, U+0101, ... in rising order.  A byte that the vocabulary lacks gives
 * the end token, which is also CLIP's token for the unknown. */
static void
make_symbols(Tokenizer *t)
{
	int32_t other = 0x100;
	for (int32_t b = 0; b < 256; b++) {
		bool plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172)
			|| b >= 174;
		char text[8];
		size_t n = (size_t)utf8proc_encode_char(plain ? b : other,
			(utf8proc_uint8_t *)text);
		other += !plain;
		for (int last = 0; last < 2; last++) {
			if (last) {
				memcpy(text + n, "</w>", 4);
				n += 4;
			}
			int32_t id = vocab_find(&t->vocab, text, n);
			t->symbol[last][b] = id < 0 ? t->end : id;
		}
	}
}

static bool
find_special(const Tokenizer *t, const char *folder, const char *text,
	int32_t *id, char *err)
{
	*id = vocab_find(&t->vocab, text, strlen(text));
	if (*id < 0)
		snprintf(err, VOCAB_ERR, "%s: the vocabulary has no '%.80s'",
			folder, text);
	return *id >= 0;
}

/* The padding token's text: a string, or a map that holds it. */
static const char *
pad_text(Arena *a, const char *folder, int *code, char *err)
{
	const char *path = arena_printf(a, "%s/tokenizer_config.json", folder);
	if (access(path, F_OK))
		return END_TEXT;
	const Json *config = json_read_file(a, path, code, err);
	if (!config)
		return NULL;
	const Json *pad = json_get(config, "pad_token");
	if (pad && pad->kind == JSON_MAP)
		pad = json_get(pad, "content");
	return pad && pad->kind == JSON_STRING ? pad->text : END_TEXT;
}

const Tokenizer *
tokenizer_open(Arena *a, const char *folder, int *code, char *err)
{
	Tokenizer *t = arena_alloc(a, sizeof *t);
	if (!vocab_open(a, &t->vocab, folder, code, err))
		return NULL;
	const char *pad = pad_text(a, folder, code, err);
	if (!pad)
		return NULL;
	*code = EXIT_SOURCE;
	if (!find_special(t, folder, BEGIN_TEXT, &t->begin, err)
		|| !find_special(t, folder, END_TEXT, &t->end, err)
		|| !find_special(t, folder, pad, &t->pad, err))
		return NULL;
	make_symbols(t);
	*code = EXIT_OK;
	return t;
}
