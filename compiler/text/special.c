/* special.c - see special.h.
 *
 * Ids: a token that the vocabulary holds has its id there, each other one the
 * next free id behind the vocabulary, in the order of their ids in the files.
 * A file that says another id is refused: old and new releases of transformers
 * would then disagree about it.
 */
#include "compiler/text/special.h"
#include "compiler/text/characters.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKENS_MAX = 10000 };    /* new ones are compared with all others */

typedef Vec(SpecialToken) TokenList;

/* A token as a file lists it. */
typedef struct Listed {
	SpecialToken token;
	size_t order;           /* of two with one id the later one counts */
} Listed;

/* A token as a setting names it: by its text alone, or by a map. */
typedef struct Said {
	SpecialToken token;
	bool text;
} Said;

typedef struct Reader {
	Arena *arena;
	const Vocab *vocab;
	const char *folder;
	const Json *config, *map;       /* NULL: no such file; the map's settings
	                           go over those of the config */
	Vec(Listed) listed;
	TokenList tokens;
	size_t n_listed;        /* of `tokens`: those of the lists */
	Vec(Said) said;         /* by settings */
	int *code;
	char *err;
} Reader;

static bool __attribute__((format(printf, 2, 3)))
fail(const Reader *r, const char *fmt, ...)
{
	char text[VOCAB_ERR];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	*r->code = EXIT_SOURCE;
	snprintf(r->err, VOCAB_ERR, "%.200s: %.300s", r->folder, text);
	return false;
}

/* ---- one token ---- */

static bool
flag(const Json *map, const char *key, bool usual)
{
	const Json *j = json_get(map, key);
	return j && j->kind == JSON_BOOL ? j->boolean : usual;
}

/* A text, or a map with the text as `content`; `special`: it is one, whatever
 * the map says.  One that is special stands for itself, not for its normal form,
 * unless the map says otherwise. */
static bool
read_token(const Reader *r, const char *what, const Json *j, bool special,
	SpecialToken *t)
{
	const Json *text = j->kind == JSON_MAP ? json_get(j, "content") : j;
	if (!text || text->kind != JSON_STRING || !text->length
		|| strlen(text->text) != text->length)
		return fail(r, "%.80s is no token: it has no text", what);
	*t = (SpecialToken){.text = text->text, .size = text->length,
		.special = special || j == text || flag(j, "special", false)};
	if (j == text)
		return true;
	const Json *normal = json_get(j, "normalized");
	t->said = normal && normal->kind == JSON_BOOL;
	t->normal = flag(j, "normalized", !t->special);
	t->whole = flag(j, "single_word", false);
	t->left = flag(j, "lstrip", false);
	t->right = flag(j, "rstrip", false);
	return true;
}

static bool is_named(const Reader *r, const char *text);

static SpecialToken *
find_text(const Reader *r, const char *text, size_t size)
{
	for (size_t i = 0; i < r->tokens.n; i++)
		if (r->tokens.at[i].size == size
			&& !memcmp(r->tokens.at[i].text, text, size))
			return &r->tokens.at[i];
	return NULL;
}

static int32_t
next_id(const Reader *r)
{
	int32_t id = r->vocab->count;
	for (size_t i = 0; i < r->tokens.n; i++)
		if (r->tokens.at[i].id >= id)
			id = r->tokens.at[i].id + 1;
	return id;
}

/* Adds a token, or changes how one that is there already is looked for.  Playing
 * a part makes it special. */
static bool
add_token(Reader *r, SpecialToken t)
{
	if (is_named(r, t.text)) {
		t.special = true;
		t.normal = t.said && t.normal;
	}
	SpecialToken *old = find_text(r, t.text, t.size);
	t.id = old ? old->id : vocab_find(r->vocab, t.text, t.size);
	if (t.id < 0) {
		t.id = next_id(r);
		if (t.id <= r->vocab->last)
			return fail(r, "'%.80s' has no id, and the vocabulary "
				"has gaps", t.text);
	}
	if (!old && r->tokens.n == TOKENS_MAX)
		return fail(r, "more than %d added tokens", TOKENS_MAX);
	*(old ? old : vec_push(&r->tokens)) = t;
	return true;
}

/* ---- lists with ids ---- */

static bool
list_token(Reader *r, const char *file, int64_t id, SpecialToken t)
{
	if (id < 0 || id > INT32_MAX)
		return fail(r, "%s: '%.80s' has no id", file, t.text);
	if (r->listed.n == TOKENS_MAX)
		return fail(r, "%s: more than %d tokens", file, TOKENS_MAX);
	t.id = (int32_t)id;
	*vec_push(&r->listed) = (Listed){t, r->listed.n - 1};
	return true;
}

/* tokenizer_config.json: {"49408": {"content": "<cat>", ...}} */
static bool
list_decoder(Reader *r, const Json *map)
{
	static const char file[] = "tokenizer_config.json";
	SpecialToken t;
	for (size_t i = 0; i < map->n; i++) {
		char *end;
		long long id = strtoll(map->key[i], &end, 10);
		const char *what = arena_printf(r->arena, "%s: "
			"added_tokens_decoder: '%.40s'", file, map->key[i]);
		if (!read_token(r, what, &map->item[i], false, &t)
			|| !list_token(r, file, *end ? -1 : id, t))
			return false;
	}
	return true;
}

static bool is_special(const Reader *r, const char *text);

/* added_tokens.json: {"<cat>": 49408} */
static bool
list_added(Reader *r, const Json *map)
{
	static const char file[] = "added_tokens.json";
	for (size_t i = 0; map && i < map->n; i++) {
		const Json *id = &map->item[i];
		bool special = is_special(r, map->key[i]);
		SpecialToken t = {
			.text = map->key[i], .size = strlen(map->key[i]),
			.special = special, .normal = !special, .said = true,
		};
		if (!t.size)
			return fail(r, "%s: a token has no text", file);
		if (!list_token(r, file, id->kind == JSON_INT ? id->integer
			: -1, t))
			return false;
	}
	return true;
}

/* tokenizer.json: "added_tokens": [{"id": 49408, "content": "<cat>", ...}] */
static bool
list_tokenizer(Reader *r, const Json *list)
{
	static const char file[] = "tokenizer.json";
	SpecialToken t;
	for (size_t i = 0; list && i < list->n; i++) {
		const Json *j = &list->item[i], *id = json_get(j, "id");
		const char *what = arena_printf(r->arena,
			"%s: number %zu of added_tokens", file, i + 1);
		if (!read_token(r, what, j, false, &t)
			|| !list_token(r, file, id && id->kind == JSON_INT
				? id->integer : -1, t))
			return false;
	}
	return true;
}

static int
compare_listed(const void *x, const void *y)
{
	const Listed *a = x, *b = y;
	int c = (a->token.id > b->token.id) - (a->token.id < b->token.id);
	return c ? c : (a->order > b->order) - (a->order < b->order);
}

/* The lists' tokens in the order of their ids. */
static bool
add_listed(Reader *r)
{
	Listed *l = r->listed.at;
	size_t n = r->listed.n;
	if (n)
		qsort(l, n, sizeof *l, compare_listed);
	for (size_t i = 0; i < n; i++) {
		SpecialToken t = l[i].token;
		if (i + 1 < n && l[i + 1].token.id == t.id)
			continue;
		const SpecialToken *twin = find_text(r, t.text, t.size);
		if (twin)
			return fail(r, "token '%.80s' has two ids, %d and %d",
				t.text, twin->id, t.id);
		if (!add_token(r, t))
			return false;
		int32_t id = r->tokens.at[r->tokens.n - 1].id;
		if (id != t.id)
			return fail(r, "token '%.80s' is listed with id %d, but "
				"%s %d", t.text, t.id,
				vocab_find(r->vocab, t.text, t.size) < 0
				? "the next free one is" : "has another in the "
				"vocabulary:", id);
	}
	return true;
}

/* ---- tokens by their part ---- */

typedef enum Part { BEGIN, END, UNKNOWN, SEPARATOR, PAD, CLASS, MASK } Part;

static const struct { const char *key, *usual; } parts[] = {
	[BEGIN] = {"bos_token", BEGIN_TEXT}, [END] = {"eos_token", END_TEXT},
	[UNKNOWN] = {"unk_token", END_TEXT}, [SEPARATOR] = {"sep_token", NULL},
	[PAD] = {"pad_token", END_TEXT}, [CLASS] = {"cls_token", NULL},
	[MASK] = {"mask_token", NULL},
};

/* Keys of lists of further tokens; a map of them gives its values. */
static const char *const more[] = {
	"extra_special_tokens", "additional_special_tokens",
};

/* A setting: the map's, or the config's; NULL: neither has it. */
static const Json *
setting(const Reader *r, const char *key)
{
	const Json *j = json_get(r->map, key);
	return j ? j : json_get(r->config, key);
}

static const char *
token_text(const Json *j)
{
	if (j && j->kind == JSON_MAP)
		j = json_get(j, "content");
	return j && j->kind == JSON_STRING ? j->text : NULL;
}

/* The setting of number i of a file that names a token ("image_token") and is
 * none of the parts; NULL: it is another setting. */
static const Json *
other_part(const Json *file, size_t i)
{
	static const char suffix[] = "_token";
	const char *key = file->key[i];
	size_t n = strlen(key), k = strlen(suffix);
	if (n <= k || strcmp(key + n - k, suffix) || !token_text(&file->item[i]))
		return NULL;
	for (size_t part = 0; part < COUNT_OF(parts); part++)
		if (!strcmp(parts[part].key, key))
			return NULL;
	return &file->item[i];
}

static bool
has_text(const Json *j, const char *text)
{
	const char *name = token_text(j);
	return name && !strcmp(name, text);
}

/* Whether a part is played by a token of that text. */
static bool
is_named(const Reader *r, const char *text)
{
	const Json *files[] = {r->config, r->map};
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		const Json *j = setting(r, parts[i].key);
		const char *name = j ? token_text(j) : parts[i].usual;
		if (name && !strcmp(name, text))
			return true;
	}
	for (size_t f = 0; f < COUNT_OF(files); f++)
		for (size_t i = 0; files[f] && i < files[f]->n; i++)
			if (has_text(other_part(files[f], i), text))
				return true;
	return false;
}

/* Whether a setting gives that text to a token of added_tokens.json.  A map in
 * tokenizer_config.json does not: transformers reads it as one only later. */
static bool
is_special(const Reader *r, const char *text)
{
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		const Json *j = setting(r, parts[i].key);
		bool late = j && j->kind == JSON_MAP
			&& j == json_get(r->config, parts[i].key);
		if (!late && has_text(j, text))
			return true;
	}
	const Json *list[] = {
		json_get(r->config, more[0]), json_get(r->config, more[1]),
		json_get(r->map, more[0]),
	};
	for (size_t i = 0; i < COUNT_OF(list); i++)
		for (size_t k = 0; list[i] && k < list[i]->n; k++) {
			const Json *j = &list[i]->item[k];
			if ((j->kind == JSON_STRING || i == 2)
				&& has_text(j, text))
				return true;
		}
	return false;
}

/* Whether a setting before this one said the same token in the same way. */
static bool
said_before(Reader *r, const Json *j, const SpecialToken *t)
{
	bool text = j->kind == JSON_STRING;
	for (size_t i = 0; i < r->said.n; i++) {
		const Said *s = &r->said.at[i];
		if (s->text == text && s->token.size == t->size
			&& !memcmp(s->token.text, t->text, t->size)
			&& s->token.normal == t->normal
			&& s->token.whole == t->whole
			&& s->token.special == t->special
			&& s->token.left == t->left
			&& s->token.right == t->right)
			return true;
	}
	*vec_push(&r->said) = (Said){*t, text};
	return false;
}

/* Adds a token of the settings; one of the lists stays as it is there. */
static bool
add_named(Reader *r, const char *key, const Json *j, bool special,
	const SpecialToken **out)
{
	SpecialToken t;
	if (!read_token(r, key, j, special, &t))
		return false;
	SpecialToken *old = find_text(r, t.text, t.size);
	bool listed = old && (size_t)(old - r->tokens.at) < r->n_listed;
	if (!listed && !said_before(r, j, &t) && !add_token(r, t))
		return false;
	*out = find_text(r, t.text, t.size);
	return true;
}

static bool
add_part(Reader *r, Part part, int32_t *id)
{
	const char *key = parts[part].key, *usual = parts[part].usual;
	const Json *j = setting(r, key);
	const SpecialToken *t;
	Json text = {.kind = JSON_STRING, .text = usual,
		.length = usual ? strlen(usual) : 0};
	if (!j && !usual)
		return true;
	if (j && j->kind == JSON_NULL)
		return !usual || fail(r, "%s is null: without it no prompt can "
			"be %s", key, part == PAD ? "padded" : "encoded");
	if (!j && !find_text(r, usual, text.length)
		&& vocab_find(r->vocab, usual, text.length) < 0)
		return fail(r, "the vocabulary has no '%s', and no file says "
			"what else is %s", usual, key);
	/* a map in special_tokens_map.json is special in itself */
	if (!add_named(r, key, j ? j : &text, j && json_get(r->map, key) == j,
		&t))
		return false;
	*id = t->id;
	return true;
}

/* Settings like "image_token", and the lists. */
static bool
add_further(Reader *r, const Json *file)
{
	const SpecialToken *t;
	for (size_t i = 0; file && i < file->n; i++) {
		const Json *j = other_part(file, i);
		if (j && !add_named(r, file->key[i], j, file == r->map, &t))
			return false;
	}
	for (size_t i = 0; i < COUNT_OF(more); i++) {
		const Json *list = json_get(file, more[i]);
		for (size_t k = 0; list && k < list->n; k++)
			if (!add_named(r, more[i], &list->item[k],
				file == r->map, &t))
				return false;
	}
	return true;
}

/* ---- the folder ---- */

/* The file, or NULL when it is missing; false: it is broken. */
static bool
read_file(const Reader *r, const char *name, const Json **out)
{
	const char *path = arena_printf(r->arena, "%s/%s", r->folder, name);
	*out = NULL;
	if (access(path, F_OK))
		return true;
	*out = vocab_json(r->arena, path, r->code, r->err);
	if (*out && (*out)->kind != JSON_MAP)
		return fail(r, "%s is no map", name);
	return *out;
}

/* Prompts are padded and cut on the right. */
static bool
check_sides(const Reader *r)
{
	static const char *const key[] = {"padding", "truncation"};
	for (size_t i = 0; i < COUNT_OF(key); i++) {
		const Json *side = json_get(r->config,
			arena_printf(r->arena, "%s_side", key[i]));
		if (!side)
			side = json_get(json_get(r->vocab->file, key[i]),
				"direction");
		if (side && side->kind == JSON_STRING
			&& strcasecmp(side->text, "right"))
			return fail(r, "%s on side '%.40s': only the right one "
				"is supported", key[i], side->text);
	}
	return true;
}

static int
compare_text(const void *x, const void *y)
{
	const SpecialToken *a = x, *b = y;
	int c = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
	c = c ? c : (a->size > b->size) - (a->size < b->size);
	return c ? c : (a->id > b->id) - (a->id < b->id);
}

/* The tokens in two lists; those of the normal form in it. */
static bool
sort_tokens(const Reader *r, Specials *s)
{
	for (size_t k = 0; k < 2; k++) {
		SpecialToken *list = arena_array(r->arena, r->tokens.n + 1,
			sizeof *list);
		size_t n = 0;
		for (size_t i = 0; i < r->tokens.n; i++) {
			SpecialToken t = r->tokens.at[i];
			if (t.normal != (k == 1))
				continue;
			if (k) {
				unsigned char *text = normal_form(t.text,
					t.size, &t.size);
				if (!text)
					return fail(r, "a token is not UTF-8");
				t.text = arena_strndup(r->arena,
					(char *)text, t.size);
				free(text);
			}
			if (t.size)
				list[n++] = t;
		}
		qsort(list, n, sizeof *list, compare_text);
		s->token[k] = list;
		s->n[k] = n;
	}
	return true;
}

static bool
read_all(Reader *r, Specials *s)
{
	const Json *added = NULL;
	if (!read_file(r, "tokenizer_config.json", &r->config))
		return false;
	const Json *decoder = json_get(r->config, "added_tokens_decoder");
	bool whole = decoder && decoder->kind == JSON_MAP;
	if (!whole && (!read_file(r, "special_tokens_map.json", &r->map)
		|| !read_file(r, "added_tokens.json", &added)))
		return false;
	bool ok = whole ? list_decoder(r, decoder) : list_added(r, added)
		&& list_tokenizer(r, json_get(r->vocab->file, "added_tokens"));
	if (!ok || !add_listed(r))
		return false;
	int32_t id[COUNT_OF(parts)] = {0};
	r->n_listed = r->tokens.n;
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (!add_part(r, (Part)i, &id[i]))
			return false;
	if (!add_further(r, r->config) || !add_further(r, r->map)
		|| !check_sides(r))
		return false;
	s->begin = id[BEGIN];
	s->end = id[END];
	s->unknown = id[UNKNOWN];
	s->pad = id[PAD];
	s->split = flag(r->config, "split_special_tokens", false);
	return sort_tokens(r, s);
}

bool
specials_open(Arena *a, Specials *s, const Vocab *v, const char *folder,
	int *code, char *err)
{
	Reader r = {.arena = a, .vocab = v, .folder = folder, .code = code,
		.err = err};
	bool ok = read_all(&r, s);
	vec_free(&r.listed);
	vec_free(&r.said);
	vec_free(&r.tokens);
	return ok;
}

/* ---- finding ---- */

/* The longest of the n sorted tokens that stands at s, or NULL. */
static const SpecialToken *
longest(const SpecialToken *t, size_t n, const char *s, size_t size)
{
	const SpecialToken *best = NULL;
	size_t lo = 0, hi = n;
	for (size_t d = 0;; d++) {
		/* t[lo..hi) begin with the d bytes at s */
		if (lo < hi && t[lo].size == d)
			best = &t[lo];
		while (lo < hi && t[lo].size == d)
			lo++;
		if (lo == hi || d == size)
			return best;
		unsigned char c = (unsigned char)s[d];
		size_t end = hi;
		for (size_t from = lo; from < end;) {
			size_t mid = from + (end - from) / 2;
			if ((unsigned char)t[mid].text[d] < c)
				from = lo = mid + 1;
			else
				end = mid;
		}
		for (end = lo; lo < hi && end < hi;) {
			size_t mid = end + (hi - end) / 2;
			if ((unsigned char)t[mid].text[d] > c)
				hi = mid;
			else
				end = mid + 1;
		}
	}
}

static bool
stands_alone(const char *text, size_t size, size_t at, size_t end)
{
	const unsigned char *s = (const unsigned char *)text;
	int32_t c;
	if (at && is_word(last_char(s, at)))
		return false;
	if (end == size)
		return true;
	next_char(s + end, size - end, &c);
	return !is_word(c);
}

bool
specials_next(const Specials *s, bool normal, const char *text, size_t size,
	size_t from, Found *found)
{
	for (size_t at = from; s->n[normal] && at < size;) {
		const SpecialToken *t = longest(s->token[normal], s->n[normal],
			text + at, size - at);
		if (!t) {
			at++;
			continue;
		}
		/* a text that is passed over is not looked into again */
		if ((t->whole && !stands_alone(text, size, at, at + t->size))
			|| (t->special && s->split)) {
			at += t->size;
			continue;
		}
		*found = (Found){at, t->size, t->id};
		return true;
	}
	return false;
}
