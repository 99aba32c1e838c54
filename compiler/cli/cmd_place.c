/* cmd_place.c - `sluice place B.csv`: the placement engine by itself, on the
 * CSV that allocator benchmarks use (id,lower,upper,size; lifetimes are
 * half-open), with a column `align` for offsets that must be multiples of it.
 * Writes the file again with a column `offset`.
 */
#include "compiler/compiler.h"
#include "compiler/cli/options.h"
#include "compiler/cli/cli.h"
#include "compiler/place/place.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MAX_COLUMNS = 64, MAX_LINE = 1 << 16, MAX_FILE = 1 << 30 };
enum { LOWER, UPPER, SIZE, NEEDED, ALIGN = NEEDED, KNOWN };

static const char *const names[KNOWN] = {"lower", "upper", "size", "align"};

typedef struct Sheet {
	Arena arena;
	const char *path;
	FILE *file;
	size_t bytes;           /* read so far */
	int columns;            /* of the header */
	int where[KNOWN];       /* the columns that matter; -1: not there */
	int dropped;            /* an old offset column, or -1 */
	Vec(const char *) lines;        /* of the items, NUL-terminated */
	Vec(PlaceItem) items;
	int64_t total;          /* of their sizes and alignments */
	const char *header;     /* NULL: not read yet */
} Sheet;

_Noreturn static void
reject(const Sheet *t, size_t line, size_t column, const char *message)
{
	fatal(EXIT_SOURCE, "%s:%zu:%zu: %s", t->path, line, column, message);
}

/* Splits a line at its commas; returns the number of fields, of which the
 * first MAX_COLUMNS are stored. */
static int
split(const char *line, const char **field, size_t *length)
{
	int n = 0;
	for (const char *s = line;; s++) {
		size_t len = strcspn(s, ",");
		if (n < MAX_COLUMNS)
			field[n] = s, length[n] = len;
		n++;
		s += len;
		if (!*s)
			return n;
	}
}

static void
read_header(Sheet *t, const char *line)
{
	const char *field[MAX_COLUMNS];
	size_t length[MAX_COLUMNS];
	t->columns = split(line, field, length);
	t->header = line;
	t->dropped = -1;
	for (int k = 0; k < KNOWN; k++)
		t->where[k] = -1;
	if (t->columns > MAX_COLUMNS)
		reject(t, 1, 1, "more than 64 columns");
	for (int c = 0; c < t->columns; c++) {
		size_t at = (size_t)(field[c] - line) + 1;
		if (length[c] == 6 && !memcmp(field[c], "offset", 6)) {
			if (t->dropped >= 0)
				reject(t, 1, at, "a second column 'offset'");
			t->dropped = c;
		}
		for (int k = 0; k < KNOWN; k++) {
			const char *name = names[k];
			if (length[c] != strlen(name)
				|| memcmp(field[c], name, length[c]))
				continue;
			if (t->where[k] >= 0)
				reject(t, 1, at, "a column stands twice");
			t->where[k] = c;
		}
	}
	for (int k = 0; k < NEEDED; k++)
		if (t->where[k] < 0)
			fatal(EXIT_SOURCE, "%s:1:1: the header has no column "
				"'%s' (id,lower,upper,size)", t->path,
				names[k]);
}

/* A decimal integer and nothing else; false if it is none or outside int64. */
static bool
read_integer(const char *s, size_t n, int64_t *out)
{
	bool minus = n && *s == '-';
	int64_t v = 0;
	if (n == (size_t)minus)
		return false;
	for (size_t i = minus; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || !mul_ok(v, 10, &v)
			|| !add_ok(v, minus ? '0' - s[i] : s[i] - '0', &v))
			return false;
	}
	*out = v;
	return true;
}

static void
read_item(Sheet *t, size_t number, const char *line)
{
	const char *field[MAX_COLUMNS];
	size_t length[MAX_COLUMNS];
	int64_t v[KNOWN] = {[ALIGN] = 1};
	int n = split(line, field, length);
	if (n != t->columns)
		fatal(EXIT_SOURCE, "%s:%zu:1: %d fields, but the header has %d",
			t->path, number, n, t->columns);
	for (int k = 0; k < KNOWN; k++) {
		int c = t->where[k];
		if (c >= 0 && !read_integer(field[c], length[c], &v[k]))
			fatal(EXIT_SOURCE, "%s:%zu:%zu: %s is not a 64-bit "
				"integer", t->path, number,
				(size_t)(field[c] - line) + 1, names[k]);
	}
	if (v[UPPER] <= v[LOWER])
		reject(t, number, (size_t)(field[t->where[UPPER]] - line) + 1,
			"upper must be greater than lower");
	if (v[SIZE] <= 0)
		reject(t, number, (size_t)(field[t->where[SIZE]] - line) + 1,
			"size must be positive");
	if (v[ALIGN] < 1)
		reject(t, number, (size_t)(field[t->where[ALIGN]] - line) + 1,
			"align must be positive");
	*vec_push(&t->items) = (PlaceItem){.first = v[LOWER],
		.last = v[UPPER], .bytes = v[SIZE], .align = v[ALIGN]};
	*vec_push(&t->lines) = line;
}

/* The engine adds sizes without looking, rounded up to alignments: their sum
 * must stay far from the limits of 64 bits. */
static void
check_total(Sheet *t, size_t number, const PlaceItem *it)
{
	static const int64_t most = INT64_MAX / 8;
	if (it->align > most || it->bytes > most
		|| (t->total += it->bytes + 2 * it->align) > most)
		reject(t, number, 1, "the sizes and alignments up to here add "
			"up to over 2^60");
}

/* The next line of the file in the arena, without its end; NULL at the end of
 * the file.  What is no table is refused at its first line, however long the
 * file is. */
static const char *
read_line(Sheet *t, size_t number)
{
	static char line[MAX_LINE];
	size_t n = 0;
	int c;
	while ((c = getc_unlocked(t->file)) != EOF && c != '\n') {
		if (!c)
			reject(t, number, n + 1, "a NUL byte: not a CSV file");
		if (n == MAX_LINE)
			reject(t, number, 1, "a line of over 65536 bytes: not "
				"a CSV file");
		line[n++] = (char)c;
	}
	t->bytes += n + 1;
	if (ferror(t->file) || t->bytes > MAX_FILE)
		fatal(EXIT_IO, "cannot read %s: %s", t->path,
			strerror(ferror(t->file) ? errno : EFBIG));
	if (!n && c == EOF)
		return NULL;
	n -= n && line[n - 1] == '\r';
	return arena_strndup(&t->arena, line, n);
}

static void
read_table(Sheet *t, const char *path)
{
	const char *line;
	size_t blank = 0;       /* the number of an empty line */
	t->path = path;
	t->file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	if (!t->file)
		fatal(EXIT_IO, "cannot read %s: %s", path, strerror(errno));
	input_opened(path, fileno(t->file));
	for (size_t number = 1; (line = read_line(t, number)); number++) {
		if (blank)
			reject(t, blank, 1, "an empty line");
		if (number == 1) {
			read_header(t, line);
		} else if (*line) {
			read_item(t, number, line);
			check_total(t, number, &t->items.at[t->items.n - 1]);
		} else {
			blank = number;
		}
	}
	if (!t->header)
		reject(t, 1, 1, "the file is empty");
	if (t->file != stdin)
		fclose(t->file);
}

/* One line without the old offset column, and with the new one. */
static void
write_line(FILE *f, const Sheet *t, const char *line)
{
	const char *field[MAX_COLUMNS];
	size_t length[MAX_COLUMNS];
	int n = split(line, field, length);
	for (int c = 0; c < n; c++)
		if (c != t->dropped)
			fprintf(f, "%.*s,", (int)length[c], field[c]);
}

static void
write_table(const Sheet *t, const char *path)
{
	char err[256];
	OutFile o;
	if (!out_open(&o, path, err))
		fatal(EXIT_IO, "%s", err);
	write_line(o.f, t, t->header);
	fputs("offset\n", o.f);
	for (size_t i = 0; i < t->items.n; i++) {
		write_line(o.f, t, t->lines.at[i]);
		fprintf(o.f, "%" PRId64 "\n", t->items.at[i].offset);
	}
	if (!out_commit(&o, err))
		fatal(EXIT_IO, "%s", err);
}

static void
report(const PlaceResult *r, size_t n, int64_t capacity, bool json)
{
	if (json) {
		printf("{\"buffers\": %zu, \"height\": %" PRId64
			", \"load_bound\": %" PRId64 ", \"proven\": %s, "
			"\"seconds\": %.6f, \"nodes\": %" PRId64, n, r->height,
			r->load_bound, r->proven ? "true" : "false", r->seconds,
			r->nodes);
		if (capacity)
			printf(", \"capacity\": %" PRId64 ", \"fits\": %s",
				capacity, r->height <= capacity ? "true"
				: "false");
		puts("}");
		return;
	}
	double gap = r->load_bound ? 100.0 * (double)(r->height - r->load_bound)
		/ (double)r->load_bound : 0;
	fprintf(stderr, "%zu buffers, height %" PRId64 ", largest live sum %"
		PRId64 " (%.2f %% above%s), %.3f s\n", n, r->height,
		r->load_bound, gap, r->proven ? "; proven lowest" : "",
		r->seconds);
}

/* The time for the engine: the file is written about as long as it was read. */
static double
seconds_left(double deadline, double begin)
{
	double left = deadline - 2 * (now_seconds() - begin);
	return deadline > 0 ? fmax(left, 1e-9) : 0;
}

int
cmd_place(int argc, char **argv)
{
	Args a;
	Sheet t = {0};
	double begin = now_seconds();
	args_parse(&a, argc, argv, 1, 1);
	int64_t capacity = arg_integer(&a, "capacity", 0, 1, INT64_MAX);
	double deadline = arg_seconds(&a, "deadline", 10);
	const char *output = arg(&a, "output");
	bool json = arg_flag(&a, "json");
	read_table(&t, a.operands.at[0]);
	PlaceOptions o = {.capacity = capacity,
		.deadline = seconds_left(deadline, begin)};
	PlaceResult r;
	place(t.items.at, t.items.n, &o, &r);
	report(&r, t.items.n, capacity, json);
	if (output || !json)
		write_table(&t, output ? output : "-");
	bool fits = !capacity || r.height <= capacity;
	if (!fits)
		fprintf(stderr, "sluice: error: no placement within %" PRId64
			" bytes %s: the lowest has %" PRId64 "\n", capacity,
			r.proven ? "exists" : "was found in time", r.height);
	vec_free(&t.lines);
	vec_free(&t.items);
	arena_free(&t.arena);
	return fits ? EXIT_OK : EXIT_BUDGET;
}
