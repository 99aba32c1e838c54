/* base.c - see base.h. */
#include "base.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* ---- giving up ---- */

static void
vmessage(const char *kind, const char *fmt, va_list ap)
{
	char text[4096];
	vsnprintf(text, sizeof text, fmt, ap);
	fflush(stdout);
	fprintf(stderr, "sluice: %s: ", kind);
	print_clean(stderr, text);
	fputc('\n', stderr);
}

void
fatal(int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vmessage("error", fmt, ap);
	va_end(ap);
	exit(code);
}

void
die(const char *where, const char *fmt, ...)
{
	va_list ap;
	fprintf(stderr, "sluice: internal error in %s: ", where);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

void
warn(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vmessage("warning", fmt, ap);
	va_end(ap);
}

/* ---- arena ---- */

struct ArenaBlock {
	struct ArenaBlock *next;
	size_t used, size;
	_Alignas(16) char data[];
};

enum { BLOCK_BYTES = 1 << 16, ALIGN = 16 };

void *
arena_alloc(Arena *a, size_t bytes)
{
	if (bytes > SIZE_MAX / 2)
		fatal(EXIT_MEMORY, "out of memory");
	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	struct ArenaBlock *b = a->blocks;
	if (!b || b->size - b->used < bytes) {
		size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
		b = malloc(sizeof *b + size);
		if (!b)
			fatal(EXIT_MEMORY, "out of memory");
		b->used = 0;
		b->size = size;
		a->bytes += size;
		if (size > BLOCK_BYTES && a->blocks) {
			/* keep filling the block in front */
			b->next = a->blocks->next;
			a->blocks->next = b;
		} else {
			b->next = a->blocks;
			a->blocks = b;
		}
	}
	void *p = b->data + b->used;
	b->used += bytes;
	return memset(p, 0, bytes);
}

void *
arena_array(Arena *a, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		fatal(EXIT_MEMORY, "out of memory");
	return arena_alloc(a, bytes);
}

char *
arena_strndup(Arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	memcpy(p, s, n);
	return p;
}

char *
arena_strdup(Arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *
arena_vprintf(Arena *a, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	char *p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	return p;
}

char *
arena_printf(Arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}

void
arena_free(Arena *a)
{
	while (a->blocks) {
		struct ArenaBlock *b = a->blocks;
		a->blocks = b->next;
		free(b);
	}
	a->bytes = 0;
}

char *
arena_read_file(Arena *a, const char *path, size_t limit, size_t *size)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
				   : dup(STDIN_FILENO);
	if (fd < 0)
		return NULL;
	Vec(char) v = {0};
	char *result = NULL;
	int error = 0;
	for (;;) {
		char chunk[16384];
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error = errno;
			break;
		}
		if (!n)
			break;
		if (v.n + (size_t)n > limit) {
			error = EFBIG;
			break;
		}
		while (v.cap < v.n + (size_t)n)
			vec_grow_(&v.at, &v.cap, 1);
		memcpy(v.at + v.n, chunk, (size_t)n);
		v.n += (size_t)n;
	}
	close(fd);
	if (!error) {
		result = arena_strndup(a, v.at ? v.at : "", v.n);
		*size = v.n;
	}
	vec_free(&v);
	errno = error;
	return result;
}

/* ---- growable array ---- */

void
vec_grow_(void *at, size_t *cap, size_t size)
{
	size_t n = *cap ? *cap * 2 : 8;
	void *old, *p;
	memcpy(&old, at, sizeof old);
	if (n > SIZE_MAX / 2 / size || !(p = realloc(old, n * size)))
		fatal(EXIT_MEMORY, "out of memory");
	memcpy(at, &p, sizeof p);
	*cap = n;
}

void
vec_free_(void *at)
{
	void *p;
	memcpy(&p, at, sizeof p);
	free(p);
	p = NULL;
	memcpy(at, &p, sizeof p);
}

/* ---- arithmetic ---- */

int64_t
mul_sz(int64_t a, int64_t b)
{
	int64_t r;
	if (!mul_ok(a, b, &r))
		die("mul_sz", "%lld * %lld", (long long)a, (long long)b);
	return r;
}

int64_t
add_sz(int64_t a, int64_t b)
{
	int64_t r;
	if (!add_ok(a, b, &r))
		die("add_sz", "%lld + %lld", (long long)a, (long long)b);
	return r;
}

/* ---- text ---- */

/* Edit distance of two short names, counting at most `limit`. */
static size_t
edit_distance(const char *a, const char *b, size_t limit)
{
	size_t na = strlen(a), nb = strlen(b), row[128];
	if (nb >= COUNT_OF(row) || na >= COUNT_OF(row))
		return limit + 1;
	if ((na > nb ? na - nb : nb - na) > limit)
		return limit + 1;
	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[nb];
}

const char *
nearest_name(const char *s, const char *const *names, size_t n)
{
	size_t length = strlen(s), best = length / 3 + 1;
	const char *found = NULL;
	if (best > length / 2)          /* half of a short name is a stranger */
		best = length / 2;
	for (size_t i = 0; i < n; i++) {
		size_t d = edit_distance(s, names[i], best);
		if (d < best || (d == best && !found)) {
			best = d;
			found = names[i];
		}
	}
	return found;
}

bool
parse_bytes(const char *s, int64_t *bytes)
{
	static const char prefixes[] = "kmgt";
	char *end;
	double x = strtod(s, &end);
	if (end == s || (*s != '.' && (*s < '0' || *s > '9')))
		return false;
	while (*end == ' ')
		end++;
	const char *prefix = *end ? strchr(prefixes, tolower((unsigned char)*end))
		: NULL;
	double unit = 1024;
	if (prefix) {
		end++;
		if (!strcasecmp(end, "B"))
			unit = 1000;
		else if (*end && strcasecmp(end, "iB"))
			return false;
		for (const char *k = prefixes; k <= prefix; k++)
			x *= unit;
	} else if (*end && strcasecmp(end, "B")) {
		return false;
	}
	if (!(x >= 1 && x <= 0x1p60))
		return false;
	*bytes = (int64_t)x;
	return true;
}

char *
format_bytes(char *buf, int64_t bytes)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double x = (double)bytes;
	size_t i = 0;
	while (x >= 1024 && i + 1 < COUNT_OF(unit)) {
		x /= 1024;
		i++;
	}
	snprintf(buf, 32, "%.*f %s", !i ? 0 : x < 9.995 ? 2 : 1, x, unit[i]);
	return buf;
}

/* Length of the valid UTF-8 sequence at s, 0 when there is none. */
static size_t
utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2
		: s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0)
		|| (s[0] == 0xed && s[1] >= 0xa0)))
		return 0;
	if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90)
		|| (s[0] == 0xf4 && s[1] >= 0x90)))
		return 0;
	return n;
}

/* Bidirectional controls (U+202A..202E, U+2066..2069) reorder what a reader
 * sees; C1 controls act on terminals. */
static bool
deceptive(const unsigned char *s, size_t n)
{
	if (n == 2)
		return s[0] == 0xc2 && s[1] < 0xa0;
	return n == 3 && s[0] == 0xe2
		&& ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae)
			|| (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
}

size_t
clean_next(const char **text, const char **piece)
{
	const unsigned char *s = (const unsigned char *)*text;
	if (!*s)
		return 0;
	size_t n = utf8_length(s);
	bool control = (*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7f;
	bool bad = !n || control || deceptive(s, n);
	*piece = bad ? "?" : *text;
	*text += n ? n : 1;
	return bad ? 1 : n;
}

void
print_clean(FILE *out, const char *text)
{
	const char *piece;
	size_t n;
	while ((n = clean_next(&text, &piece)))
		fwrite(piece, 1, n, out);
}

void
print_clean_line(FILE *out, const char *text)
{
	const char *piece;
	size_t n;
	while ((n = clean_next(&text, &piece)))
		if (*piece == '\n' || *piece == '\t')
			fputc('?', out);
		else
			fwrite(piece, 1, n, out);
}

void
print_json_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	fputc('"', out);
	while (*s) {
		size_t n = utf8_length(s);
		if (!n) {
			fputs("\\ufffd", out);
			s++;
		} else if (*s == '"' || *s == '\\') {
			fprintf(out, "\\%c", *s++);
		} else if (*s < 0x20 || *s == 0x7f) {
			fprintf(out, "\\u%04x", *s++);
		} else {
			fwrite(s, 1, n, out);
			s += n;
		}
	}
	fputc('"', out);
}

double
now_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
