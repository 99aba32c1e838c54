/* diff.h - what differs between two plans. */
#ifndef SLUICE_DIFF_H
#define SLUICE_DIFF_H

#include "compiler/explain/timeline.h"

/* The same thing in both plans: of the same name, the first of that name in
 * one with the first in the other.  PLAN_NONE: only the other plan has it. */
typedef struct Pair { uint32_t a, b; } Pair;

typedef struct Pairs {
	Pair *at;               /* in the order of a, then what only b has */
	size_t n;
} Pairs;

typedef struct PlanDiff {
	const char *path_a, *path_b;
	const Plan *a, *b;
	Pairs phases, groups, buffers;
	bool same;              /* but for the time of compilation */
} PlanDiff;

/* Numbers of the summary, a row for each. */
enum { DIFF_BYTES, DIFF_COUNT, DIFF_SECONDS, DIFF_FLOPS };
typedef struct DiffNumber {
	const char *key, *name; /* of JSON; for people */
	int unit;
	double a, b;            /* bytes are exact below 2^53 */
} DiffNumber;
enum { DIFF_NUMBERS = 14 };

/* What a buffer adds to a phase's peak in a plan: its size if it lives there,
 * else 0. */
typedef struct DiffLive {
	Pair buffer;
	int64_t a, b;
} DiffLive;

/* ---- diff.c; lists are in the arena, names belong to the plans ---- */
PlanDiff plan_diff(Arena *arena, const Plan *a, const Plan *b);
void diff_numbers(const PlanDiff *d, DiffNumber out[DIFF_NUMBERS]);
/* Whether a loop is only in one plan or is sliced otherwise in the other. */
bool diff_group(const PlanDiff *d, Pair p);
/* What makes the peaks of a phase that both have differ, the largest difference
 * first; returns the number. */
size_t diff_live(Arena *arena, const PlanDiff *d, Pair phase, DiffLive **list);

typedef struct BufferCounts {
	size_t only_a, only_b, resized, moved;
	int64_t bytes_a, bytes_b;       /* of those that only one has */
} BufferCounts;
BufferCounts diff_buffers(const PlanDiff *d);

/* ---- diff_print.c ---- */
void diff_print(const PlanDiff *d, FILE *out);
void diff_print_json(const PlanDiff *d, FILE *out);

#endif
