/* yaml.h - a YAML document to a tree, for files that people write and others
 * may have written: aliases, anchors, tags and second documents are refused,
 * keys are plain texts and differ, size and depth have limits.
 */
#ifndef SLUICE_YAML_H
#define SLUICE_YAML_H

#include "ir/base/json.h"

typedef enum YamlKind { YAML_TEXT, YAML_LIST, YAML_TABLE } YamlKind;

typedef struct Yaml {
	YamlKind kind;
	const char *text;       /* YAML_TEXT */
	bool plain;             /* YAML_TEXT: written without quotes */
	size_t n;               /* YAML_LIST, YAML_TABLE */
	struct Yaml *item;
	struct Yaml *key;       /* YAML_TABLE: texts */
	int line, column;       /* from 1 */
} Yaml;

typedef struct YamlError {
	char text[400];
	int line, column;       /* 0: nowhere in particular */
} YamlError;

/* Parses `size` bytes; NULL with `e` filled.  An empty document is an empty
 * table. */
Yaml *yaml_parse(Arena *a, const char *text, size_t size, YamlError *e);

/* "PATH:LINE:COLUMN: MESSAGE", the line of the document and a caret below it. */
void yaml_explain(const char *path, const char *text, size_t size, int line,
	int column, const char *message, char *out, size_t out_size);

/* The value as JSON would have it: plain true, false, null and numbers as such,
 * other texts as strings. */
Json yaml_json(Arena *a, const Yaml *y);

#endif
