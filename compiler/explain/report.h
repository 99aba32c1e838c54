/* report.h - the page that explains a plan's memory: HTML that needs nothing
 * else, no network and no other file.
 *
 * What the page says stands in it as text and tables; the map of memory is
 * drawn by report.js from data that report_data.c puts into the page.
 */
#ifndef SLUICE_REPORT_H
#define SLUICE_REPORT_H

#include "compiler/frontier.h"
#include "compiler/explain/html.h"
#include "compiler/explain/timeline.h"

/* report.css and report.js, built into the program; in the order of names. */
extern const Builtin report_assets[];

typedef struct Report {
	Arena *arena;
	const Plan *plan;
	const Frontier *frontier;       /* NULL: not given */
	Timeline time;
	FILE *out;
} Report;

/* Bytes in use at an instruction, by kind; what two buffers share counts
 * once. */
typedef struct Shares {
	int64_t role[BUF_ROLE_COUNT];
	int64_t used, height;   /* their sum; the highest byte */
} Shares;
Shares shares_at(Arena *a, const Plan *p, const MemoryUse *use, uint32_t insn);
/* The phase with the most bytes in use, and the one after it (the same when
 * there is only one). */
void highest_phases(const Plan *p, uint32_t *first, uint32_t *second);

/* ---- report.c ---- */
/* The whole page; the plan may come from anywhere but has passed the gates. */
void report_write(const Plan *p, const Frontier *frontier, FILE *out);

/* ---- report_data.c: the map's data, as JSON in a <script> ---- */
void report_data(const Report *r);
/* ---- report_tables.c: sections with tables ---- */
void report_phases(const Report *r);
void report_groups(const Report *r);
void report_ops(const Report *r);
/* ---- report_advice.c: what the peak is made of and what would lower it ---- */
void report_advice(const Report *r);
void report_bounds(const Report *r);
/* ---- report_frontier.c ---- */
void report_frontier(const Report *r);
/* Reads what `sluice frontier --json` wrote; ends the program with EXIT_IO or
 * EXIT_SOURCE. */
void frontier_read(Arena *a, const char *path, Frontier *f);

#endif
