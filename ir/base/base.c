/* base.c - giving up, growable arrays, checked arithmetic, the clock. */
#include "ir/base/base.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* ---- the clock ---- */

double
now_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
