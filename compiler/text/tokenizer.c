/* tokenizer.c - see tokenizer.h.
 *
 * text -> pieces between the tokens that are found in it (special.h) -> NFC,
 * white space, lower case -> pieces between those found in this normal form ->
 * words by kind of character -> bytes as symbols -> merges by rank -> ids.
 */
#include "compiler/text/tokenizer.h"
#include "compiler/text/characters.h"
#include "compiler/text/special.h"
#include "compiler/text/vocab.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

struct Tokenizer {
	Vocab vocab;
	Specials special;
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

/* Appends the ids of a normal form that holds no tokens. */
static void
add_words(const Tokenizer *t, const unsigned char *s, size_t n, Ids *ids)
{
	for (size_t i = 0, length; i < n; i += length) {
		int32_t c;
		length = next_char(s + i, n - i, &c);
		Kind kind = kind_of(c);
		if (kind == SPACE)
			continue;
		length = false_token(s + i, n - i);
		if (length) {           /* "<|", a word, "|>" */
			add_word(t, s + i, 2, ids);
			add_word(t, s + i + 2, length - 4, ids);
			add_word(t, s + i + length - 2, 2, ids);
			continue;
		}
		length = word_length(s + i, n - i, kind);
		add_word(t, s + i, length, ids);
	}
}

/* Appends the ids of a text between two tokens, in whose normal form there may
 * be others. */
static bool
add_text(const Tokenizer *t, const char *text, size_t size, Ids *ids)
{
	size_t n, at = 0;
	Found f;
	unsigned char *s = normal_form(text, size, &n);
	if (!s)
		return false;
	for (; specials_next(&t->special, true, (char *)s, n, at, &f);
		at = f.at + f.size) {
		add_words(t, s + at, f.at - at, ids);
		*vec_push(ids) = f.id;
	}
	add_words(t, s + at, n - at, ids);
	free(s);
	return true;
}

const int32_t *
tokenizer_encode(const Tokenizer *t, Arena *a, const char *text, size_t size,
	size_t *count)
{
	Ids ids = {0};
	Found f;
	size_t at = 0;
	int32_t *result = NULL;
	bool ok = size <= INT32_MAX / 2;
	*vec_push(&ids) = t->special.begin;
	for (; ok && specials_next(&t->special, false, text, size, at, &f);
		at = f.at + f.size) {
		ok = add_text(t, text + at, f.at - at, &ids);
		*vec_push(&ids) = f.id;
	}
	ok = ok && add_text(t, text + at, size - at, &ids);
	*vec_push(&ids) = t->special.end;
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
		out[i] = i < count ? ids[i] : t->special.pad;
	if (count <= length)
		return false;
	out[length - 1] = t->special.end;
	return true;
}

/* ---- opening ---- */

/* Bytes that are printable characters stand for themselves, the other 68 for
 * U+0100, U+0101, ... in rising order.  A byte that the vocabulary lacks gives
 * the token for the unknown, which in CLIP's vocabulary is the end token. */
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
			t->symbol[last][b] = id < 0 ? t->special.unknown : id;
		}
	}
}

const Tokenizer *
tokenizer_open(Arena *a, const char *folder, int *code, char *err)
{
	Tokenizer *t = arena_alloc(a, sizeof *t);
	if (!vocab_open(a, &t->vocab, folder, code, err)
		|| !specials_open(a, &t->special, &t->vocab, folder, code, err))
		return NULL;
	make_symbols(t);
	*code = EXIT_OK;
	return t;
}
