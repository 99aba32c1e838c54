/* timeline.h - a plan's memory over time: what pictures, reports and
 * comparisons of plans are made from.
 */
#ifndef SLUICE_TIMELINE_H
#define SLUICE_TIMELINE_H

#include "vm/plan/plan.h"

/* A sum that stops at the largest number: buffers may lie over each other, and
 * those of a strange plan may add up to more. */
static inline int64_t
add_bytes(int64_t a, int64_t b)
{
	int64_t sum;
	return add_ok(a, b, &sum) ? sum : a < 0 ? INT64_MIN : INT64_MAX;
}

/* "2 h 31 min", "39 min", "4.5 min", "43 s", "3.1 ms"; buf holds 32 bytes. */
char *format_seconds(char *buf, double seconds);

/* How each kind of buffer is called and drawn. */
typedef struct RoleStyle { const char *name, *colour; } RoleStyle;
extern const RoleStyle role_styles[BUF_ROLE_COUNT];

/* Bytes of the arena at each of `n_code` instructions: in use, a byte that two
 * buffers share (in place) counted once, and the highest one in use. */
typedef struct MemoryUse {
	int64_t *used, *height;
} MemoryUse;
MemoryUse memory_use(Arena *a, const PlanBuffer *buffers, uint32_t n,
	uint32_t n_code);

void sort_by_address(const PlanBuffer **list, uint32_t n);
/* Bytes that n buffers cover, those that several share counted once; sorts the
 * list by address. */
int64_t covered_bytes(const PlanBuffer **list, uint32_t n);

typedef struct Timeline {
	MemoryUse use;
	uint32_t peak;          /* instruction with the most bytes in use */
	double *x;              /* by instruction, n_code + 1 of them: where
	                           it begins in a picture, in kernels; loads
	                           and loop ends are narrow */
} Timeline;
Timeline timeline_of(Arena *a, const Plan *p);

/* Ids of the buffers that live at an instruction, largest first, the list in
 * the arena; returns their number. */
uint32_t live_at(Arena *a, const Plan *p, uint32_t insn, uint32_t **ids);
/* Whether the instruction reads or writes the buffer. */
bool insn_touches(const Plan *p, uint32_t insn, uint32_t buffer);
uint32_t kernel_count(const Plan *p, uint32_t first, uint32_t last);
/* How many loops over slices are around a group. */
int group_depth(const Plan *p, uint32_t group);
/* Bytes that a loop over slices needs for what is made and dropped within one
 * iteration, weights aside: what slicing makes small. */
int64_t group_inside(const Plan *p, const PlanGroup *g);
/* The scope of an instruction, "" when it has none. */
const char *insn_scope(const Plan *p, uint32_t insn);
/* A buffer's name; a workspace's is the scope of the instruction it is for. */
const char *buffer_label(const Plan *p, uint32_t buffer);

#endif
