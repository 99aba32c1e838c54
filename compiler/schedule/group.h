/* group.h - private to the group pass: one stage of the order as spots, and the
 * candidates for groups in it.
 *
 *   group_spot.c       spots: sizes, uses, axes that a node can be sliced along
 *   group_candidate.c  what a run of spots costs as a loop over slices
 *   group_context.c    the candidates of a stage, and of loops around much of it
 *   group_path.c       the fastest way through a context within a limit
 *   grouper.c          all stages under one limit
 *   stream.c           which weights stay, which are loaded anew at each use
 *   group.c            the choice
 */
#ifndef SLUICE_GROUP_H
#define SLUICE_GROUP_H

#include "compiler/cost/cost.h"
#include "compiler/program.h"

enum { BEYOND = INT32_MAX, RUN_MAX = 48, PRICED = 16 };

/* One reading of an operand's root. */
typedef struct SpotUse {
	int32_t def;            /* spot that makes it, -1: outside the stage */
	uint8_t k;              /* operand */
	AxisSet has;            /* axes of the operand as it is read */
	AxisSet straight;       /* axes along which index i is the root's i */
} SpotUse;

/* One node of the stage. */
typedef struct Spot {
	uint32_t node;
	int64_t bytes;          /* of its value, whole; 0: shares a place */
	int64_t work;
	uint32_t first_use, nuses;      /* into uses */
	int32_t last;           /* last spot that reads it, BEYOND */
	int32_t inplace;        /* spot whose place the result may take, -1 */
	AxisSet sliceable;
	bool repeatable;        /* may run once more in each iteration of a
	                           loop over an axis that it lacks */
	double seconds;         /* unsliced */
	struct {
		int64_t slices;
		double seconds;
	} priced[PRICED];       /* answers of cost_node, by slices */
} Spot;

typedef struct Stretch {
	const Program *p;
	const Graph *g;
	const Profile *profile;
	uint32_t start;         /* position of spot 0 in the order */
	int32_t n;
	Spot *spots;
	Vec(SpotUse) uses;
	/* Bytes that live at a spot and are made outside the stage, and those
	 * of them that begin there; streamed weights apart, which come and go
	 * inside loops as well. */
	int64_t *outside, *arriving;
	int64_t *streamed, *streaming;
	double *load_seconds;   /* by spot: of the streamed weights that begin
	                           there */
} Stretch;

/* A part of a stretch, possibly inside a loop over one axis: what it has to pay
 * for from around it, and what its own values cost there. */
typedef struct Context {
	const Stretch *s;
	struct Context *parent;
	int32_t from, to;       /* spots [from, to) */
	int axis;               /* of the loop around it, -1: none */
	AxisSet taken;          /* axes of all loops around */
	int64_t slice;
	int64_t count;          /* iterations of the loop around it */
	int64_t slices;         /* iterations of all loops around */
	int64_t base;           /* bytes that live all through */
	int64_t *bytes;         /* by spot */
	int64_t *before;        /* by spot i, and `to`: bytes made in [from, i)
	                           that are read at i or later */
	Vec(struct Candidate) candidates;       /* by rising `first` */
	uint32_t *first_candidate;      /* by spot */
	Vec(struct Context *) inner;    /* outer loops that may be made in it */
} Context;

/* Spots [first, last] as one loop over slices of `axis`; axis -1: one spot with
 * no loop; `loop` set: the loop around a context of its own. */
typedef struct Candidate {
	int32_t first, last;
	int16_t axis;
	int64_t slice;
	int64_t peak;
	double seconds;
	Context *loop;
} Candidate;

/* ---- group_spot.c ---- */
/* Spots of the nodes order[first .. first + n - 1], all of one stage. */
Stretch *stretch_new(Program *p, uint32_t first, int32_t n);
/* Whether the result of spot i has the axis. */
bool spot_has(const Stretch *s, int32_t i, int axis);
/* Whether spots [first, last] may run as a loop over `axis`. */
bool run_legal(const Stretch *s, int32_t first, int32_t last, int axis);
/* How far a run from `first` along `axis` may go: its last spot, first - 1 when
 * not even one. */
int32_t run_end(const Stretch *s, int32_t first, int32_t limit, int axis);
/* The same when [first, last] is known to be legal. */
int32_t run_goes_on(const Stretch *s, int32_t first, int32_t last,
	int32_t limit, int axis);

/* ---- group_candidate.c ---- */
/* The slices that every spot of a run computes so that those behind it have
 * what they read: range[i - first].  False when `slice` does not go into it
 * evenly (an upsampling wants even slices). */
bool run_ranges(const Stretch *s, int32_t first, int32_t last, int axis,
	int64_t slice, Slice *range);
/* Fills peak and seconds of a candidate; false when it is impossible. */
bool candidate_price(const Context *c, Candidate *x);
/* Bytes that live through spots [first, last] of a context: values from in
 * front that are read there or behind, results read behind. */
int64_t run_around(const Context *c, int32_t first, int32_t last);
/* The streamed weights among them. */
int64_t run_streamed(const Stretch *s, int32_t first, int32_t last);

/* ---- group_context.c ---- */
/* The whole of a stage, with all candidates. */
Context *context_make(Arena *a, const Stretch *s);
void context_free(Context *c);

/* ---- group_path.c ---- */
typedef struct Path {
	Vec(Candidate) taken;   /* last first */
} Path;
/* Predicted seconds of the cheapest way through a context with no more than
 * `limit` bytes at once; INFINITY when there is none.  `path` may be NULL. */
double path_cheapest(const Context *c, int64_t limit, Path *path);

/* A lower bound of the bytes that any loops over this context need at once: at
 * the borders of a loop, what lives there is whole; inside it, slices may be as
 * small as nothing and every result may lie where its operands died. */
int64_t path_floor(const Context *c);

/* ---- grouper.c ---- */
typedef struct Grouper {
	Program *p;
	Arena scratch;
	Context *stage[ST_COUNT];
	double times[ST_COUNT]; /* how often the stage runs */
	int64_t least;          /* no limit below is feasible */
	int64_t floor;          /* no slicing needs less (path_floor) */
	int64_t high;           /* a limit that is */
} Grouper;

/* Prepares all stages of an ordered program; streamed
 * weights are those of p->streamed. */
void grouper_begin(Grouper *g, Program *p);
void grouper_end(Grouper *g);
/* Predicted seconds of the whole program under a limit, INFINITY: none. */
double grouper_seconds(const Grouper *g, int64_t limit);
/* The smallest limit in (lo, hi] whose time is at most `seconds`; `hi` must be
 * feasible. */
int64_t grouper_least_limit(const Grouper *g, int64_t lo, int64_t hi,
	double seconds);
/* Makes the program's loops, measures it (program_measure), sets p->floor. */
void grouper_apply(Grouper *g, int64_t limit, int64_t within);
/* Each stage with the fewest bytes that it can do with. */
void grouper_apply_least(Grouper *g);
/* As grouper_apply for a height: gaps and alignment can cost a little more than the sum
 * of what lives, so it asks for less until the budget holds or g->least
 * is reached. */
void grouper_meet(Grouper *g, int64_t budget);
/* No loops at all. */
void groups_clear(Program *p);

/* ---- stream.c ---- */
/* Streams all weights that can be: p->streamed. */
void stream_all(Program *p);
/* Of the streamed weights of a measured program, lets those stay that fit within
 * `limit`, the ones that save most loads first. */
void stream_keep(Program *p, int64_t limit);

/* ---- group.c ---- */
/* The program with its weights resident and streamed; each is prepared when it
 * is first asked for. */
typedef struct Chooser {
	Program *p;
	Grouper resident, streamed;
} Chooser;

void chooser_begin(Chooser *c, Program *p);
void chooser_end(Chooser *c);
/* The fastest program that needs no more than `budget` bytes; false: none was
 * found, and the program is some other. */
bool chooser_within(Chooser *c, int64_t budget);
/* The program with the lowest height that is found: chooser_within finds none
 * that is a thousandth lower. */
void chooser_least(Chooser *c);
/* The program without loops: unsliced_height, unsliced_seconds. */
void groups_none(Program *p);

#endif
