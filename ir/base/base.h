/* base.h - what every folder may use: memory arenas, growable arrays, checked
 * arithmetic, and the two ways to give up.
 *
 * Ownership: everything allocated from an Arena dies with the arena; nothing
 * is freed singly.  Arena and array functions never return NULL: when the host
 * has no memory left they call fatal(EXIT_MEMORY).
 */
#ifndef SLUICE_BASE_H
#define SLUICE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The documented exit codes of the command line (README). */
enum {
	EXIT_OK = 0,
	EXIT_INTERNAL = 1,
	EXIT_USAGE = 2,
	EXIT_SOURCE = 3,        /* a model description, config or run file */
	EXIT_PLAN = 4,          /* a plan was rejected */
	EXIT_WEIGHTS = 5,       /* weights or inputs were rejected */
	EXIT_BUDGET = 6,        /* the memory budget cannot be met */
	EXIT_MEMORY = 7,
	EXIT_IO = 8,
	EXIT_NUMERICS = 9,      /* NaN or infinity */
	EXIT_DEVICE = 10,
	EXIT_INTERRUPTED = 130,
};

/* Of the program: `sluice --version`, and what its outputs say. */
#define SLUICE_VERSION "0.1.0"

/* A line about how something was made, for the files that can hold it: a word,
 * and UTF-8. */
typedef struct Note {
	const char *key, *text;
} Note;

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

/* ---- giving up ---- */

/* The world's fault (a file, memory, a device): prints "sluice: error: ...",
 * exits with `code`. */
_Noreturn void fatal(int code, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Our fault: prints "sluice: internal error in WHERE: ...", aborts. */
_Noreturn void die(const char *where, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A message on stderr that the run survives: "sluice: warning: ...". */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- arena ---- */

typedef struct Arena {
	struct ArenaBlock *blocks;
	size_t bytes;           /* of all blocks */
} Arena;

/* `bytes` zeroed bytes, aligned to 16. */
void *arena_alloc(Arena *a, size_t bytes);
/* The same for `count` things of `size` bytes; overflow is fatal. */
void *arena_array(Arena *a, size_t count, size_t size);
char *arena_strndup(Arena *a, const char *s, size_t n);
char *arena_strdup(Arena *a, const char *s);
char *arena_printf(Arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *a, const char *fmt, va_list ap);
/* Frees everything that came from the arena; it can be used again. */
void arena_free(Arena *a);

/* Reads a whole file (path "-": standard input) of at most `limit` bytes into
 * the arena, with a NUL behind it.  Returns NULL with errno set when it cannot
 * be read (EFBIG: longer than the limit). */
char *arena_read_file(Arena *a, const char *path, size_t limit, size_t *size);

/* A file that is built into the program (compiler/embed.sh). */
typedef struct Builtin {
	const char *name;       /* "animatediff.slu" */
	const char *text;
	size_t size;
} Builtin;

/* Whether a file that begins with these n bytes (some hundred) is one that a
 * download left instead of the wanted one: a git-lfs pointer, a web page and, if
 * `what` is "weights", a pickle, a text.  Then `out` says which and what helps;
 * `what` is what was wanted: "weights", "JSON", "merges". */
bool download_mistake(const void *first, size_t n, const char *what, char *out,
	size_t size);

/* Bytes of the mark that some editors put in front of UTF-8: 0 or 3. */
size_t byte_order_mark(const char *text, size_t size);

/* ---- growable array: Vec(T) v = {0}; *vec_push(&v) = x; v.at[i], v.n ---- */

#define Vec(T) struct { T *at; size_t n, cap; }
#define vec_push(v) \
	((v)->n == (v)->cap ? vec_grow_(&(v)->at, &(v)->cap, sizeof *(v)->at) \
			    : (void)0, &(v)->at[(v)->n++])
#define vec_free(v) (vec_free_(&(v)->at), (v)->n = (v)->cap = 0)
void vec_grow_(void *at, size_t *cap, size_t size);
void vec_free_(void *at);

/* ---- checked arithmetic: false on overflow (the result is then unset) ---- */

static inline bool
mul_ok(int64_t a, int64_t b, int64_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

static inline bool
add_ok(int64_t a, int64_t b, int64_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

/* The same for sizes that the caller has bounded already: overflow aborts. */
int64_t mul_sz(int64_t a, int64_t b);
int64_t add_sz(int64_t a, int64_t b);

static inline int64_t
min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t
max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static inline int64_t
clamp64(int64_t x, int64_t lo, int64_t hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

/* `x` rounded up to a multiple of `unit` (> 0). */
static inline int64_t
round_up(int64_t x, int64_t unit)
{
	return (x + unit - 1) / unit * unit;
}

/* ---- text ---- */

/* The name among `names` (count n) nearest to `s` by edit distance, or NULL
 * when none is near enough to be a likely misspelling. */
const char *nearest_name(const char *s, const char *const *names, size_t n);
/* "6GiB", "1.5 G", "800MB", "4096": bytes, 1 or more.  KiB and K are 1024, kB is
 * 1000, and so on. */
bool parse_bytes(const char *s, int64_t *bytes);
/* 412.3 MiB, 2.65 GiB; the buffer holds at least 32 bytes and is returned. */
char *format_bytes(char *buf, int64_t bytes);
/* Writes `s` with control bytes and invalid UTF-8 replaced by '?', so that a
 * hostile name cannot drive a terminal. */
void print_clean(FILE *out, const char *s);
/* The same for a name that stands in a line: line ends and tabs as well. */
void print_clean_line(FILE *out, const char *s);
/* print_clean a character at a time, for writers that must escape some: the next
 * character of the cleaned text, its length returned, 0 at the end; moves *s on
 * behind it. */
size_t clean_next(const char **s, const char **piece);
/* Writes `s` as a quoted JSON string. */
void print_json_string(FILE *out, const char *s);

/* Monotonic seconds. */
double now_seconds(void);

/* ---- out.c: output that appears whole or not at all ----
 * The file is written beside `path` under a temporary name, synced and renamed
 * by out_commit(); a path that is no regular file (a device, "-" for standard
 * output) is written in place.  Functions that return bool return false with a
 * message in `err` (at least 256 bytes); the temporary file is then gone.  It
 * is also gone when the process ends in between, by exit() or a signal. */
typedef struct OutFile {
	FILE *f;
	char *path;
	struct OutTemp *temp;   /* NULL when written in place */
} OutFile;

bool out_open(OutFile *o, const char *path, char *err);
/* Writes all of it, but under the temporary name: of several files that belong
 * together none is renamed before the last is complete. */
bool out_finish(OutFile *o, char *err);
bool out_commit(OutFile *o, char *err);
void out_abandon(OutFile *o);
/* Name of the file that is being written: the temporary one, or the path. */
const char *out_name(const OutFile *o);
/* Makes a folder for files that are to be committed; it goes away with them
 * when they are abandoned.  One that is there already is left alone. */
bool out_folder(OutFile *o, const char *path, char *err);

/* False, with the reason in `err` (256 bytes), when `path` cannot be written:
 * found out before the work, not after it.  Leaves nothing behind. */
bool output_writable(const char *path, char *err);
/* At the end of a command that prints: ends the program with EXIT_IO when
 * standard output could not take everything. */
void out_stdout_done(void);

/* ---- claims.c: an output is never an input ----
 * Both sides tell what they are about to do, in any order, and the one that comes
 * second ends the program with EXIT_USAGE, before anything was written.  Links,
 * hard ones too, are seen through.  Not for threads. */

/* A file was opened to be read: whoever opens one says so. */
void input_opened(const char *path, int fd);
/* `path` will be written ("-", a device, a pipe: always fine).  The same output
 * twice is refused as well. */
void output_claim(const char *path);
/* A claimed output that is to be read, since this call goes on where an earlier
 * one ended.  What is read before this cannot be it. */
void output_resumes(const char *path);
/* The same for a folder that numbered pictures go to (0000.png, ...). */
void output_claim_frames(const char *folder);

/* ---- out.c: ^C ----
 * After interrupts_begin() SIGINT, SIGTERM and SIGHUP end the process with
 * EXIT_INTERRUPTED and leave nothing half-written.  In a stretch of work that
 * asks interrupted() often and ends cleanly by itself, the first signal only
 * sets that. */
void interrupts_begin(void);
void interrupts_defer(bool defer);
bool interrupted(void);

#endif
