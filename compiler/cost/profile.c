/* profile.c - device profiles as YAML files, and the built-in one.
 *
 *	name: cpu-2core
 *	threads: 2
 *	seconds:                # for f32, f16, bf16
 *	  matrix_mac: [6e-12, 7e-12, 7e-12]
 *	  ...
 *
 * All terms of cost.def must be there: a profile with holes would predict that
 * some work is free.
 */
#include "compiler/cost/profile.h"
#include "ir/base/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 16, NAME_MAX_ = 60 };

const Profile *
cost_profile(const CompileOptions *o)
{
	/* two cores of an EPYC server (Zen 5, AVX-512) */
	static const Profile builtin = {
		.name = "cpu-2core", .target = "cpu", .threads = 2, .seconds = {
			[DT_F32] = {
#define SECONDS(term, f32, f16, bf16) [COST_##term] = f32,
#include "compiler/cost/profile_cpu.def"
#undef SECONDS
			},
			[DT_F16] = {
#define SECONDS(term, f32, f16, bf16) [COST_##term] = f16,
#include "compiler/cost/profile_cpu.def"
#undef SECONDS
			},
			[DT_BF16] = {
#define SECONDS(term, f32, f16, bf16) [COST_##term] = bf16,
#include "compiler/cost/profile_cpu.def"
#undef SECONDS
			},
		},
	};
	return o->profile ? o->profile : &builtin;
}

/* ---- reading ---- */

typedef struct Reader {
	const char *path, *text;
	size_t size;
	char *err;
} Reader;

static bool __attribute__((format(printf, 3, 4)))
fail(const Reader *r, const Yaml *at, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	yaml_explain(r->path, r->text, r->size, at->line, at->column, text,
		r->err, PROFILE_ERR);
	return false;
}

/* Index of a key among n names, or -1: unknown, or there already. */
static int
find_key(const Reader *r, const Yaml *key, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], key->text))
			return (int)i;
	const char *near = nearest_name(key->text, names, n);
	fail(r, key, "unknown key '%.80s'%s%s%s", key->text,
		near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	return -1;
}

static bool
get_number(const Reader *r, const Yaml *y, const char *key, double lo,
	double hi, double *out)
{
	char *end = NULL;
	if (y->kind == YAML_TEXT)
		*out = strtod(y->text, &end);
	if (!end || end == y->text || *end || !(*out >= lo && *out <= hi))
		return fail(r, y, "'%s' is a number from %g to %g", key, lo, hi);
	return true;
}

static bool
get_term(const Reader *r, const Yaml *y, int term, Profile *out)
{
	const CostTermInfo *info = &cost_term[term];
	if (y->kind != YAML_LIST || y->n != COST_DTYPES)
		return fail(r, y, "'%s' is a list of three numbers, for f32, "
			"f16, bf16", info->name);
	for (int t = 0; t < COST_DTYPES; t++)
		if (!get_number(r, &y->item[t], info->name, info->least,
			info->most, &out->seconds[t][term]))
			return false;
	return true;
}

static bool
get_seconds(const Reader *r, const Yaml *y, Profile *out)
{
	const char *names[COST_COUNT];
	bool have[COST_COUNT] = {0};
	for (int i = 0; i < COST_COUNT; i++)
		names[i] = cost_term[i].name;
	if (y->kind != YAML_TABLE)
		return fail(r, y, "'seconds' is a map of terms to lists");
	for (size_t i = 0; i < y->n; i++) {
		int term = find_key(r, &y->key[i], names, COST_COUNT);
		if (term < 0 || !get_term(r, &y->item[i], term, out))
			return false;
		have[term] = true;
	}
	for (int i = 0; i < COST_COUNT; i++)
		if (!have[i])
			return fail(r, y, "'seconds' lacks the term '%s' (%s)",
				names[i], cost_term[i].doc);
	return true;
}

bool
profile_name_ok(const char *name)
{
	size_t n = strlen(name);
	for (const char *s = name; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return n >= 1 && n <= NAME_MAX_;
}

static bool
get_top(const Reader *r, const Yaml *root, Profile *out)
{
	static const char *const names[] = {"name", "threads", "seconds",
		"target"};
	bool have[COUNT_OF(names)] = {0};
	double threads;
	out->target = target_cpu.name;
	if (root->kind != YAML_TABLE)
		return fail(r, root, "a profile is a map of keys to values");
	for (size_t i = 0; i < root->n; i++) {
		const Yaml *key = &root->key[i], *y = &root->item[i];
		int k = find_key(r, key, names, COUNT_OF(names));
		if (k < 0)
			return false;
		have[k] = true;
		if (k == 0 && (y->kind != YAML_TEXT
			|| !profile_name_ok(y->text)))
			return fail(r, y, "'name' is a text of 1 to %d plain "
				"characters", NAME_MAX_);
		if (k == 0)
			out->name = y->text;
		if (k == 1 && !get_number(r, y, "threads", 1, THREADS_MAX,
			&threads))
			return false;
		if (k == 1 && threads != (double)(int)threads)
			return fail(r, y, "'threads' is a whole number");
		if (k == 1)
			out->threads = (int)threads;
		if (k == 2 && !get_seconds(r, y, out))
			return false;
		if (k == 3 && (y->kind != YAML_TEXT || !target_find(y->text)))
			return fail(r, y, "'target' is one of %s",
				target_names());
		if (k == 3)
			out->target = y->text;
	}
	/* older files are the CPU's and do not say so */
	for (size_t i = 0; i < 3; i++)
		if (!have[i])
			return fail(r, root, "the profile lacks '%s'", names[i]);
	return true;
}

const Profile *
profile_parse(Arena *a, const char *path, const char *text, size_t size,
	char *err)
{
	Reader r = {path, text, size, err};
	YamlError e;
	Profile *out = arena_alloc(a, sizeof *out);
	const Yaml *root = yaml_parse(a, text, size, &e);
	if (!root) {
		yaml_explain(path, text, size, e.line, e.column, e.text, err,
			PROFILE_ERR);
		return NULL;
	}
	return get_top(&r, root, out) ? out : NULL;
}

const Profile *
profile_read(Arena *a, const char *path, int *code, char *err)
{
	size_t size;
	const char *text = arena_read_file(a, path, FILE_LIMIT, &size);
	*code = text ? EXIT_SOURCE : EXIT_IO;
	if (text)
		return profile_parse(a, path, text, size, err);
	snprintf(err, PROFILE_ERR, "cannot read '%.200s': %s", path,
		strerror(errno));
	return NULL;
}

const Profile *
profile_choose(Arena *a, const char *text, const char *target, int *code,
	char *err)
{
	const CompileOptions none = {0};
	const Profile *c = NULL;
	*code = EXIT_USAGE;
	if (!text && !strcmp(target, target_cpu.name))
		c = cost_profile(&none);
	else if (!text)
		c = profile_built_in(a, "rtx3090");
	else if (strpbrk(text, "/."))
		c = profile_read(a, text, code, err);
	else if (!(c = profile_built_in(a, text)))
		snprintf(err, PROFILE_ERR, "'%.60s' is no built-in profile: "
			"they are %s; a file has a '/' or '.' in its name",
			text, profile_built_in_names());
	if (!c || !strcmp(c->target, target))
		return c;
	*code = EXIT_SOURCE;
	snprintf(err, PROFILE_ERR, "the profile '%.60s' is for plans of target "
		"%s, this one is for %s", c->name, c->target, target);
	return NULL;
}

/* ---- writing ---- */

void
profile_print(const Profile *c, FILE *out)
{
	fputs("# A device profile of Sluice: the seconds that one unit of each\n"
		"# kind of work takes, for values stored as f32, f16, bf16.\n"
		"name: ", out);
	print_json_string(out, c->name);
	fprintf(out, "\ntarget: %s\nthreads: %d\nseconds:\n", c->target,
		c->threads);
	for (int i = 0; i < COST_COUNT; i++) {
		fprintf(out, "  # %s\n  %s: [", cost_term[i].doc,
			cost_term[i].name);
		for (int t = 0; t < COST_DTYPES; t++)
			fprintf(out, "%s%.6g", t ? ", " : "", c->seconds[t][i]);
		fputs("]\n", out);
	}
}
