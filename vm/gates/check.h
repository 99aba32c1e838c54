/* check.h - the checker's own state, shared by check.c (the walk), check_owner.c
 * (who wrote which byte) and check_place.c (where views lie, complaints).
 */
#ifndef SLUICE_CHECK_H
#define SLUICE_CHECK_H

#include "vm/gates/check_boxes.h"
#include "vm/plan/plan.h"
#include "vm/gates/gates.h"

typedef enum CheckId {
#define CHECK(number, id, name, doc) C_##id = number,
#include "vm/gates/check.def"
} CheckId;

enum {
	WALK_MAX = 1 << 25,     /* instructions walked */
	LOG_MAX = 1 << 21,      /* log entries kept before all are settled */
	BOXES_MAX = 1 << 14,    /* in one view, or in one buffer */
	LONG_LOOP = 4096,       /* writes in one step of a loop that is cut */
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
	bool ever;              /* it was written */
	bool loading;           /* between load and wait */
} Owner;

typedef struct Check {
	const Plan *p;
	PlanError *e;
	bool failed;
	Owner *owner;           /* of each buffer */
	Vec(uint32_t) loading;  /* buffers between load and wait */
	WriteLog log;
	BoxList boxes, foreign; /* scratch */
	uint8_t *by_step;       /* views whose place depends on r0 */
	uint8_t *insn_by_step;  /* instructions with such views */
	uint32_t *loop_end;     /* `next` of each `loop` */
	uint32_t main_loop;     /* over denoising steps; PLAN_NONE: none */
	uint8_t *loop_by_step;  /* loops with such instructions */
	int64_t peak, walked;
	/* the walk */
	uint32_t pc;
	int64_t r[PLAN_REGS];
	uint32_t loop[PLAN_NESTING];
	int depth;
	bool sparse;            /* only what depends on r0 */
	size_t step_log;        /* where the log of this step begins */
	bool log_cut;           /* it began before the log that is kept */
} Check;

/* A view for the present registers. */
typedef struct Place {
	Strided bytes;          /* in the arena */
	int64_t first, end;     /* its hull */
	uint32_t view, buffer;
	bool empty, repeats;    /* repeats: an axis of stride 0 */
} Place;

/* ---- check_place.c ---- */
/* Notes a fault, "C3 read-before-write: ..."; false, so that it can be
 * returned.  (True in a build that drops this check.) */
bool check_complain(Check *c, CheckId id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "instruction 17 (conv, down_blocks.0.conv1, r1=3)" */
char *check_where(const Check *c, char *buf, size_t size);
const char *check_name(const Check *c, uint32_t buffer);
/* All affine forms, strides and buffers have numbers that cannot overflow, and
 * buffers lie in the arena (C1, C2). */
bool check_numbers(Check *c);
/* Every buffer's frame, from the strides of its views. */
void check_frames(Check *c);
/* Where a view lies for registers r.  False when that overflows. */
bool check_place(const Plan *p, uint32_t view, const int64_t *r, Place *out);
/* The same for the present registers, proved to be inside its buffer (C2). */
bool check_view(Check *c, uint32_t view, Place *out);
/* Same elements at the same places, axis by axis. */
bool check_same(const Check *c, const Place *a, const Place *b);

/* ---- check_owner.c ---- */
/* The buffer must own the bytes (C3, C4; for outputs at_end: C9, C10). */
bool check_read(Check *c, uint32_t buffer, const Strided *bytes, bool at_end);
/* The buffer takes the bytes.  No load may be under way there (C13). */
bool check_write(Check *c, uint32_t buffer, uint32_t view, const Strided *bytes);
/* The same without a value: what is in a workspace means nothing to anybody. */
bool check_clobber(Check *c, const Place *work);
/* Whether a write meets the place of a buffer. */
bool check_meets(const Check *c, const Write *w, uint32_t buffer);

#endif
