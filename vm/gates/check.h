/* check.h - the checker's own state, shared by check.c (the walk), check_steps.c
 * (which steps of a denoising loop need no walk), check_owner.c (who wrote which
 * byte), check_near.c (which buffers share bytes) and check_place.c (where views
 * lie, complaints).
 */
#ifndef SLUICE_CHECK_H
#define SLUICE_CHECK_H

#include "vm/gates/check_boxes.h"

typedef enum CheckId {
#define CHECK(number, id, name, doc) C_##id = number,
#include "vm/gates/check.def"
} CheckId;

enum {
	LOG_MAX = 1 << 18,      /* log entries kept before all are settled */
	BOXES_MAX = 1 << 14,    /* in one view, or in one buffer */
	/* what is spent on an instruction, a view, an axis of a view */
	INSN_STEPS = 8, VIEW_STEPS = 8, AXIS_STEPS = 4,
	NEAR_STEPS = 64,        /* and on a buffer's place in the tree */
};

/* A write: all bytes of `view` for the registers `r`, or the arena bytes [first,
 * end) (inputs, tables, loads). */
typedef struct Write {
	int64_t first, end;     /* arena bytes */
	uint32_t buffer, pc;
	uint32_t view;          /* PLAN_NONE: [first, end) */
	size_t before;          /* log entries up to the same buffer's write before
	                           this one */
	uint32_t r[PLAN_REGS];
} Write;

typedef Vec(Write) WriteLog;

typedef struct Owner {
	Frame frame;
	BoxList owned;          /* written by this buffer last */
	size_t settled;         /* log entries that are taken away already */
	size_t last_write;      /* log entries up to its own last */
	uint32_t neighbours;    /* buffers with bytes in common, itself too */
	bool ever;              /* it was written */
	bool loading;           /* between load and wait */
} Owner;

/* A buffer in the tree of check_near.c. */
typedef struct Near {
	int64_t first, end;     /* arena bytes */
	int64_t reach;          /* the highest end of its part of the tree */
	uint32_t buffer;
} Near;

/* A weight's place between its load and its wait. */
typedef struct Loading {
	int64_t first, end;     /* arena bytes */
	uint32_t buffer;
} Loading;

/* Bytes [first, end) of the arena. */
typedef struct Span {
	int64_t first, end;
} Span;

typedef Vec(Span) SpanList;     /* upwards, apart */

/* The denoising loop that is being walked (check_steps.c). */
typedef struct StepLoop {
	SpanList used, written; /* buffers of views that depend on r0; those of
	                           them that are written by such */
	bool watched;           /* step 1 is walked */
	bool apart;             /* nothing seen speaks against the sparse walk */
} StepLoop;

typedef struct Check {
	const Plan *p;
	PlanError *e;
	PlanCost cost;
	bool failed;
	Owner *owner;           /* of each buffer */
	Near *near;             /* all buffers, by their offsets */
	Vec(Loading) loading;
	WriteLog log;
	BoxList boxes, foreign; /* scratch */
	uint8_t *by_step;       /* views whose place depends on r0 */
	uint8_t *insn_by_step;  /* instructions with such views */
	uint32_t *loop_end;     /* `next` of each `loop` */
	uint32_t main_loop;     /* over denoising steps; PLAN_NONE: none */
	uint8_t *loop_by_step;  /* loops with such instructions */
	StepLoop steps;
	int64_t peak, walked;
	/* the walk */
	uint32_t pc;
	int64_t r[PLAN_REGS];
	uint32_t loop[PLAN_NESTING];
	int depth;
	bool sparse;            /* only what depends on r0 */
} Check;

/* A view for the present registers. */
typedef struct Place {
	Strided bytes;          /* in the arena */
	int64_t first, end;     /* its hull */
	uint32_t view, buffer;
	bool empty, repeats;    /* repeats: an axis of stride 0 */
} Place;

/* `make mutate` builds without each check in turn, and without each of what
 * check_steps.c demands. */
#ifndef SLUICE_DROP_CHECK
#define SLUICE_DROP_CHECK 0
#endif

/* ---- check_place.c ---- */
/* Notes a fault, "C3 read-before-write: ..."; false, so that it can be
 * returned.  (True in a build that drops this check.) */
bool check_complain(Check *c, CheckId id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The complaint that the budget is spent. */
bool check_cost(Check *c);
/* "instruction 17 (conv, down_blocks.0.conv1, r1=3)" */
char *check_where(const Check *c, char *buf, size_t size);
const char *check_name(const Check *c, uint32_t buffer);
/* All affine forms, strides and buffers have numbers that cannot overflow, and
 * buffers lie in the arena (C1, C2). */
bool check_numbers(Check *c);
/* Every buffer's frame, from the strides of its views; false: too costly. */
bool check_frames(Check *c);
/* Where a view lies for registers r.  False when that overflows. */
bool check_place(Check *c, uint32_t view, const int64_t *r, Place *out);
/* The same for the present registers, proved to be inside its buffer (C2). */
bool check_view(Check *c, uint32_t view, Place *out);
/* Same elements at the same places, axis by axis. */
bool check_same(Check *c, const Place *a, const Place *b);

/* ---- check_near.c ---- */
/* The tree and the numbers of neighbours; false: too costly. */
bool near_find(Check *c, Arena *a);
/* Calls `act` for each other buffer that has bytes in common with `buffer`. */
typedef void NearDo(Check *c, uint32_t buffer, uint32_t other, size_t since);
void near_each(Check *c, uint32_t buffer, NearDo *act, size_t since);

/* ---- check_steps.c ---- */
/* Marks the views, instructions and loops that depend on r0; false: too costly. */
bool steps_find(Check *c, Arena *a);
/* At the `loop` at c->pc, the outermost: begins with step 0 if it runs once for
 * each denoising step. */
void steps_begin(Check *c);
/* At its `next`, with r0 counted on already: whether the step that begins is
 * watched or sparse. */
void steps_next(Check *c, uint32_t begin);
/* In a watched step: bytes that a view which does not depend on r0 reads or
 * writes, or a load. */
void steps_saw(Check *c, int64_t first, int64_t end, bool write);

/* ---- check_owner.c ---- */
/* The buffer must own the bytes (C3, C4; for outputs at_end: C9, C10). */
bool check_read(Check *c, uint32_t buffer, const Strided *bytes, bool at_end);
/* The buffer takes the bytes.  No load may be under way there (C13). */
bool check_write(Check *c, uint32_t buffer, uint32_t view, const Strided *bytes);
/* The same without a value: what is in a workspace means nothing to anybody. */
bool check_clobber(Check *c, const Place *work);

#endif
