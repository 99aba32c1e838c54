/* diag.h - source files and the errors that point into them.
 *
 * A Loc is a range of bytes of one file; lines and columns are computed only
 * when an error is printed.  All of it lives in the compilation's arena.
 */
#ifndef SLUICE_DIAG_H
#define SLUICE_DIAG_H

#include "ir/base/base.h"

enum { DIAG_MAX = 20 };         /* errors printed in one run */

struct Ast;

/* A file that has been read: once, however often it is included. */
typedef struct Source {
	const char *path;       /* as messages show it */
	const char *key;        /* what makes it the same file */
	const char *folder;     /* of its includes; NULL: built in */
	bool builtin;           /* nowhere on this machine */
	const char *text;
	size_t size;
	uint32_t *line;         /* offsets of line starts */
	size_t nline;
	int depth;              /* levels of inclusion above it */
	struct Ast *items;      /* the file's syntax tree */
	Vec(struct Source *) includes;
	Vec(struct Ast *) params;       /* parameters and constants, in order */
	Vec(struct Ast *) callables;    /* blocks, models, pipelines */
	unsigned mark;          /* of the last walk over includes */
} Source;

typedef struct Loc {
	Source *file;
	uint32_t begin, end;
} Loc;

typedef struct Diags {
	FILE *out;
	int count;              /* errors so far */
	uint64_t seen[64];      /* hashes of the latest, not to repeat them */
	size_t nseen;
} Diags;

/* Reports an error: place, text, source line with the range marked, then
 * `where` (the block instantiation) and `note`, both may be NULL.  The same
 * text at the same place is reported once; after DIAG_MAX nothing is. */
void diag(Diags *d, Loc loc, const char *where, const char *note,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* An error without a place in a file (-D). */
void diag_plain(Diags *d, const char *note, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Line (from 1) of an offset. */
int source_line(const Source *s, uint32_t offset);
/* Fills the table of lines. */
void source_lines(Source *s, Arena *a);

#endif
