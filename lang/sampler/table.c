/* table.c - a sampler's rows as a text file, written and read; and whether a model
 * can be run with them.
 *
 *   sluice-table 1               the version
 *   sampler DDIMScheduler        what made it, for notes
 *   prediction epsilon           what the model must give: epsilon,
 *                                v_prediction, sample
 *   model any                    class of the model it is for, or any
 *   times 0 999                  the model's range of times
 *   start 1                      factor of the noise that the latent starts from
 *   history 1                    carried values, 0 to 4
 *   noise no                     whether a step takes fresh noise: yes, no
 *   row T SCALE  P0 P1 CLIP  Z X E [H1 ..] [NOISE]  Z X E [H1 ..] [NOISE]
 *
 * A row is one call of the model: its time, the factor of its input, z, the next
 * latent over (z, latent, output, history, noise), and, with a history, the
 * value that it keeps over the same.  CLIP may be inf.  # begins a comment.
 */
#include "lang/sampler/family.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_VERSION = 1, TABLE_BYTES = 16 << 20, WORDS_MAX = 64 };

static const char *const predictions[] = {
	"epsilon", "v_prediction", "sample", NULL
};

/* Columns of one result. */
static int
columns(const Sampler *m)
{
	return COL_H + m->history + m->noise;
}

/* ---- writing ---- */

static void
print_result(const Sampler *m, const double *q, FILE *out)
{
	fputc(' ', out);
	for (int c = 0; c < COL_H + m->history; c++)
		fprintf(out, " %.17g", q[c]);
	if (m->noise)
		fprintf(out, " %.17g", q[COL_NOISE]);
}

void
sampler_table_print(const Sampler *m, FILE *out)
{
	fprintf(out, "sluice-table %d\nsampler %s\nprediction %s\nmodel %s\n"
		"times %.17g %.17g\nstart %.17g\nhistory %d\nnoise %s\n",
		TABLE_VERSION, m->class_name, m->prediction,
		m->model ? m->model : "any", m->low, m->high, m->start,
		m->history, m->noise ? "yes" : "no");
	fputs("# t scale  p0 p1 clip", out);
	for (int k = 0; k <= (m->history > 0); k++) {
		fputs("  z x e", out);
		for (int h = 1; h <= m->history; h++)
			fprintf(out, " h%d", h);
		fputs(m->noise ? " noise" : "", out);
	}
	fputc('\n', out);
	for (int64_t i = 0; i < m->rows; i++) {
		const SamplerRow *r = &m->row[i];
		fprintf(out, "row %.17g %.17g  %.17g %.17g %.17g", r->t, r->scale,
			r->p0, r->p1, r->clip);
		print_result(m, r->next, out);
		if (m->history)
			print_result(m, r->keep, out);
		fputc('\n', out);
	}
}

/* ---- reading ---- */

typedef Vec(SamplerRow) RowList;

typedef struct Reader {
	Arena *a;
	Sampler *m;
	RowList rows;
	const char *path;
	int line;
	char *word[WORDS_MAX];
	int n;                  /* words of the line */
	unsigned seen;          /* bit i: heads[i] */
	char *err;
} Reader;

static bool __attribute__((format(printf, 2, 3)))
bad(Reader *r, const char *fmt, ...)
{
	va_list ap;
	int at = r->line ? snprintf(r->err, SAMPLER_ERR, "%.120s:%d: ", r->path,
		r->line) : snprintf(r->err, SAMPLER_ERR, "%.120s: ", r->path);
	va_start(ap, fmt);
	vsnprintf(r->err + at, SAMPLER_ERR - (size_t)at, fmt, ap);
	va_end(ap);
	return false;
}

static bool
read_number(Reader *r, int i, const char *what, bool infinite, double *x)
{
	char *end;
	*x = strtod(r->word[i], &end);
	if (*end || end == r->word[i] || isnan(*x) || (isinf(*x) && !infinite))
		return bad(r, "%s is '%.40s', not a finite number", what,
			r->word[i]);
	return true;
}

static bool
head_version(Reader *r)
{
	if (strcmp(r->word[1], "1"))
		return bad(r, "this is a table of version %.20s; version %d is "
			"read", r->word[1], TABLE_VERSION);
	return true;
}

static bool
head_sampler(Reader *r)
{
	r->m->class_name = arena_strndup(r->a, r->word[1], strlen(r->word[1]));
	return true;
}

static bool
head_prediction(Reader *r)
{
	for (size_t i = 0; predictions[i]; i++)
		if (!strcmp(r->word[1], predictions[i])) {
			r->m->prediction = predictions[i];
			return true;
		}
	return bad(r, "prediction '%.40s' is none of epsilon, v_prediction, "
		"sample", r->word[1]);
}

static bool
head_model(Reader *r)
{
	r->m->model = !strcmp(r->word[1], "any") ? NULL
		: arena_strndup(r->a, r->word[1], strlen(r->word[1]));
	return true;
}

static bool
head_times(Reader *r)
{
	Sampler *m = r->m;
	return read_number(r, 1, "the first of the times", false, &m->low)
		&& read_number(r, 2, "the last of the times", false, &m->high)
		&& (m->low <= m->high || bad(r, "the times' range is empty"));
}

static bool
head_start(Reader *r)
{
	return read_number(r, 1, "the start scale", false, &r->m->start)
		&& (r->m->start > 0 || bad(r, "the start scale must be above 0"));
}

static bool
head_history(Reader *r)
{
	const char *w = r->word[1];
	if (strlen(w) != 1 || *w < '0' || *w > '0' + SAMPLER_HISTORY)
		return bad(r, "history '%.20s' is not 0 to %d", w,
			SAMPLER_HISTORY);
	r->m->history = *w - '0';
	return true;
}

static bool
head_noise(Reader *r)
{
	r->m->noise = !strcmp(r->word[1], "yes");
	return r->m->noise || !strcmp(r->word[1], "no")
		|| bad(r, "noise '%.20s' is neither yes nor no", r->word[1]);
}

static const struct Head {
	const char *name;
	int words;
	bool (*read)(Reader *r);
} heads[] = {
	{"sluice-table", 2, head_version}, {"sampler", 2, head_sampler},
	{"prediction", 2, head_prediction}, {"model", 2, head_model},
	{"times", 3, head_times}, {"start", 2, head_start},
	{"history", 2, head_history}, {"noise", 2, head_noise},
};

static bool
read_head(Reader *r)
{
	const char *names[COUNT_OF(heads) + 1];
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		names[i] = heads[i].name;
		if (strcmp(r->word[0], heads[i].name))
			continue;
		if (r->seen >> i & 1)
			return bad(r, "'%s' stands here twice", heads[i].name);
		if (r->n != heads[i].words)
			return bad(r, "'%s' is followed by %d word%s",
				heads[i].name, heads[i].words - 1,
				heads[i].words > 2 ? "s" : "");
		if (r->rows.n)
			return bad(r, "'%s' belongs in front of the rows",
				heads[i].name);
		r->seen |= 1u << i;
		return heads[i].read(r);
	}
	names[COUNT_OF(heads)] = "row";
	const char *near = nearest_name(r->word[0], names, COUNT_OF(names));
	return bad(r, "'%.40s' is no word of a table%s%s%s", r->word[0],
		near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
}

/* Everything that the head must say. */
static bool
head_whole(Reader *r)
{
	for (size_t i = 0; i < COUNT_OF(heads); i++)
		if (!(r->seen >> i & 1))
			return bad(r, "the table's head lacks '%s'",
				heads[i].name);
	return true;
}

/* The numbers of one result, from word `at` on. */
static bool
read_result(Reader *r, int at, double *q)
{
	static const char *const names[SAMPLER_COLS] = {
		"z", "x", "e", "h1", "h2", "h3", "h4", "noise"
	};
	for (int k = 0; k < columns(r->m); k++) {
		int c = k < COL_H + r->m->history ? k : COL_NOISE;
		if (!read_number(r, at + k, names[c], false, &q[c]))
			return false;
		if (c >= COL_H && c < COL_NOISE && q[c] != 0
			&& (size_t)(c - COL_H) >= r->rows.n)
			return bad(r, "row %zu reads %s, and only %zu %s there "
				"before it", r->rows.n + 1, names[c], r->rows.n,
				r->rows.n == 1 ? "row is" : "rows are");
	}
	return true;
}

static bool
check_time(Reader *r, double t)
{
	const Sampler *m = r->m;
	double slack = 1e-6 * (fabs(m->low) + fabs(m->high));
	if (t < m->low - slack || t > m->high + slack)
		return bad(r, "time %g is outside the model's %g .. %g", t, m->low,
			m->high);
	if (r->rows.n && t > r->rows.at[r->rows.n - 1].t)
		return bad(r, "time %g comes after %g: times descend", t,
			r->rows.at[r->rows.n - 1].t);
	return true;
}

static bool
read_row(Reader *r)
{
	SamplerRow row = {0};
	int n = columns(r->m), results = r->m->history ? 2 : 1;
	if (!r->rows.n && !head_whole(r))
		return false;
	if (r->n != 6 + n * results)
		return bad(r, "a row has %d numbers here, this one %d",
			5 + n * results, r->n - 1);
	if (r->rows.n >= TRAIN_MAX)
		return bad(r, "more than %d rows", TRAIN_MAX);
	if (!read_number(r, 1, "the time", false, &row.t)
		|| !read_number(r, 2, "the scale", false, &row.scale)
		|| !read_number(r, 3, "p0", false, &row.p0)
		|| !read_number(r, 4, "p1", false, &row.p1)
		|| !read_number(r, 5, "clip", true, &row.clip)
		|| !check_time(r, row.t))
		return false;
	if (!(row.clip > 0))
		return bad(r, "clip must be above 0, or inf");
	if (!read_result(r, 6, row.next)
		|| (results > 1 && !read_result(r, 6 + n, row.keep)))
		return false;
	*vec_push(&r->rows) = row;
	return true;
}

static bool
read_line(Reader *r, char *line)
{
	char *save = NULL;
	line[strcspn(line, "#\n")] = 0;
	r->n = 0;
	for (char *w = strtok_r(line, " \t\r", &save); w;
		w = strtok_r(NULL, " \t\r", &save)) {
		if (r->n == WORDS_MAX)
			return bad(r, "a line has at most %d words", WORDS_MAX);
		r->word[r->n++] = w;
	}
	if (!r->n)
		return true;
	if (!r->seen && strcmp(r->word[0], "sluice-table"))
		return bad(r, "this is no table of a sampler: its first word is "
			"'sluice-table'");
	return strcmp(r->word[0], "row") ? read_head(r) : read_row(r);
}

static bool
read_text(Reader *r, char *text, size_t size)
{
	if (memchr(text, 0, size))
		return bad(r, "this is no text");
	for (char *at = text; *at;) {
		char *end = strchrnul(at, '\n');
		char *next = *end ? end + 1 : end;
		*end = 0;
		r->line++;
		if (!read_line(r, at))
			return false;
		at = next;
	}
	r->line = 0;
	return r->rows.n || bad(r, "the table has no rows");
}

const Sampler *
sampler_table_parse(Arena *a, const char *path, char *text, size_t size,
	char *err)
{
	Reader r = {.a = a, .path = path, .err = err,
		.m = arena_alloc(a, sizeof *r.m)};
	bool ok = read_text(&r, text, size);
	if (ok) {
		rows_new(r.m, a, (int64_t)r.rows.n);
		r.m->steps = r.m->rows;
		memcpy(r.m->row, r.rows.at, r.rows.n * sizeof *r.rows.at);
	}
	vec_free(&r.rows);
	return ok ? r.m : NULL;
}

const Sampler *
sampler_table_read(Arena *a, const char *path, int *code, char *err)
{
	size_t size;
	char *text = arena_read_file(a, path, TABLE_BYTES, &size);
	*code = text ? EXIT_SOURCE : EXIT_IO;
	if (text)
		return sampler_table_parse(a, path, text, size, err);
	snprintf(err, SAMPLER_ERR, "cannot read '%.120s': %s", path,
		strerror(errno));
	return NULL;
}

/* ---- the model ---- */

bool
sampler_table_fits(Arena *a, const Sampler *m, const Json *config, char *err)
{
	Settings s = {.json = config, .err = err, .steps = 1};
	double low, high;
	*err = 0;
	common_settings(&s, a, &usual_defaults);
	if (!*err)
		model_times(&s, &low, &high);
	if (*err)
		return false;
	if (strcmp(m->prediction, predictions[s.prediction]))
		refuse(&s, "the table is for a model that predicts '%s'; the "
			"scheduler's config says '%s'", m->prediction,
			predictions[s.prediction]);
	double slack = 1e-6 * (fabs(low) + fabs(high));
	double first = m->row[0].t, last = m->row[m->rows - 1].t;
	if (first > high + slack || last < low - slack)
		refuse(&s, "the table's times, %g .. %g, are outside the model's, "
			"%g .. %g", first, last, high, low);
	return !*err;
}
