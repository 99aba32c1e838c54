/* json.h - a strict JSON reader: RFC 8259, valid UTF-8, no duplicate keys, a
 * limit on depth, exact 64-bit integers.  Values live in the arena.
 */
#ifndef SLUICE_JSON_H
#define SLUICE_JSON_H

#include "ir/base/base.h"

enum { JSON_VALUES_MAX = 2000000 };     /* in one text, so memory is bounded */

typedef enum JsonKind {
	JSON_NULL, JSON_BOOL, JSON_INT, JSON_FLOAT, JSON_STRING, JSON_LIST,
	JSON_MAP
} JsonKind;

typedef struct Json {
	JsonKind kind;
	bool boolean;
	bool plain;             /* JSON_INT: written as digits only */
	int64_t integer;        /* JSON_INT; an integer outside int64 is a
	                           JSON_FLOAT with plain set */
	uint64_t unsigned_integer;      /* JSON_INT >= 0, or plain JSON_FLOAT
	                           below 2^64: the exact value */
	double number;          /* JSON_INT and JSON_FLOAT */
	const char *text;       /* JSON_STRING: NUL-terminated; may hold NULs
	                           that were escaped: see length */
	size_t length;
	size_t n;               /* JSON_LIST, JSON_MAP */
	struct Json *item;
	const char **key;       /* JSON_MAP, in the order of the file; a key
	                           holds no NUL */
	const uint32_t *order;  /* JSON_MAP: indices of key, sorted by name */
	size_t offset;          /* where it stands in the text */
} Json;

typedef struct JsonError {
	char text[160];
	size_t offset;
	int line, column;       /* from 1; column counts code points */
} JsonError;

/* Parses one value with nothing but white space behind it; NULL with `e`
 * filled on error. `depth`: nesting allowed. */
const Json *json_parse(Arena *a, const char *text, size_t size, int depth,
	JsonError *e);
/* Member of a map; NULL when `j` is no map (or NULL) or lacks it.  Takes time
 * logarithmic in the number of keys. */
const Json *json_get(const Json *j, const char *key);
/* A map made of `n` different keys and their values (both kept). */
const Json *json_map(Arena *a, size_t n, const char **key, Json *item);
/* A map with the members of `under` replaced and added to by those of `over`
 * that are not null; either may be NULL. */
const Json *json_merge(Arena *a, const Json *under, const Json *over);

/* ---- json_file.c ---- */
enum { JSON_FILE_ERR = 512 };
/* Reads and parses one JSON file that holds an object.  On error returns NULL with
 * "PATH:LINE:COLUMN: reason" in `err` (JSON_FILE_ERR bytes) and EXIT_IO or EXIT_SOURCE in *code. */
const Json *json_read_file(Arena *a, const char *path, int *code, char *err);

#endif
