/* diag.c - errors with their place, the source line and a caret.
 *
 * Everything that comes from a file goes through print_clean: a hostile name
 * or line must not drive the reader's terminal.
 */
#include "lang/diag.h"

#include <string.h>

enum { SHOWN_BYTES = 160 };     /* of a source line, around the place */

void
source_lines(Source *s, Arena *a)
{
	size_t n = 1;
	for (size_t i = 0; i < s->size; i++)
		n += s->text[i] == '\n';
	s->line = arena_array(a, n, sizeof *s->line);
	s->nline = 1;
	for (size_t i = 0; i < s->size; i++)
		if (s->text[i] == '\n')
			s->line[s->nline++] = (uint32_t)i + 1;
}

int
source_line(const Source *s, uint32_t offset)
{
	size_t lo = 0, hi = s->nline;
	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;
		if (s->line[mid] <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return (int)lo + 1;
}

/* Whether a byte continues a code point. */
static bool
continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static int
code_points(const char *s, size_t n)
{
	int count = 0;
	for (size_t i = 0; i < n; i++)
		count += !continues(s[i]);
	return count;
}

/* The line [from, to) around [begin, end), tabs as spaces, and the carets. */
static void
print_line(FILE *out, const Source *s, uint32_t line_begin, uint32_t begin,
	uint32_t end)
{
	const char *newline = memchr(s->text + line_begin, '\n',
		s->size - line_begin);
	uint32_t line_end = newline ? (uint32_t)(newline - s->text)
				    : (uint32_t)s->size;
	uint32_t from = line_begin, to = line_end;
	char text[SHOWN_BYTES + 8];
	size_t n = 0;

	if (to - from > SHOWN_BYTES) {
		if (begin - from > SHOWN_BYTES / 2)
			from = begin - SHOWN_BYTES / 2;
		while (from < begin && continues(s->text[from]))
			from++;
		if (to - from > SHOWN_BYTES)
			to = from + SHOWN_BYTES;
		while (to > begin && to < line_end && continues(s->text[to]))
			to--;
	}
	for (uint32_t i = from; i < to; i++) {
		char c = s->text[i];
		text[n++] = c == '\t' || c == '\r' || !c ? ' ' : c;
	}
	text[n] = 0;
	if (end > to)
		end = to;
	fputs("    ", out);
	print_clean(out, text);
	fputs("\n    ", out);
	for (int i = code_points(text, begin - from); i > 0; i--)
		fputc(' ', out);
	int width = end > begin ? code_points(s->text + begin, end - begin) : 1;
	for (int i = width > 0 ? width : 1; i > 0; i--)
		fputc('^', out);
	fputc('\n', out);
}

/* Whether this error was reported before. */
static bool
repeated(Diags *d, Loc loc, const char *text)
{
	uint64_t h = 14695981039346656037u ^ loc.begin;
	for (const char *p = loc.file->key; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	for (const char *p = text; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	for (size_t i = 0; i < d->nseen && i < COUNT_OF(d->seen); i++)
		if (d->seen[i] == h)
			return true;
	d->seen[d->nseen++ % COUNT_OF(d->seen)] = h;
	return false;
}

static void
print_note(Diags *d, const char *note)
{
	if (note && *note) {
		fputs("note: ", d->out);
		print_clean(d->out, note);
		fputc('\n', d->out);
	}
}

/* Counts an error; false when there were enough. */
static bool
counted(Diags *d)
{
	if (++d->count <= DIAG_MAX)
		return true;
	if (d->count == DIAG_MAX + 1)
		fprintf(d->out, "sluice: more than %d errors, the rest is not "
			"shown\n", DIAG_MAX);
	return false;
}

/* An error in a file that the reader does not have: nothing there is theirs to
 * look at or to mend. */
static void
print_builtin(Diags *d, const Source *s, const char *text, const char *note)
{
	fputs("sluice: error: ", d->out);
	print_clean(d->out, s->path);
	fputs(": ", d->out);
	print_clean(d->out, text);
	fputc('\n', d->out);
	print_note(d, note);
}

void
diag(Diags *d, Loc loc, const char *where, const char *note,
	const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (repeated(d, loc, text) || !counted(d))
		return;
	const Source *s = loc.file;
	if (loc.begin > s->size)
		loc.begin = (uint32_t)s->size;
	int line = source_line(s, loc.begin);
	uint32_t line_begin = s->line[line - 1];
	fflush(stdout);
	if (s->builtin) {
		print_builtin(d, s, text, note);
		return;
	}
	print_clean(d->out, s->path);
	fprintf(d->out, ":%d:%d: error: ", line,
		code_points(s->text + line_begin, loc.begin - line_begin) + 1);
	print_clean(d->out, text);
	fputc('\n', d->out);
	print_line(d->out, s, line_begin, loc.begin, loc.end);
	if (where) {
		print_clean(d->out, where);
		fputc('\n', d->out);
	}
	print_note(d, note);
}

void
diag_plain(Diags *d, const char *note, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!counted(d))
		return;
	fputs("sluice: error: ", d->out);
	print_clean(d->out, text);
	fputc('\n', d->out);
	print_note(d, note);
}
