/* arena.c - memory that is freed all at once. */
#include "ir/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	input_opened(path, fd);
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
