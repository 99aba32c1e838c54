/* cost.h - predicted seconds of instructions on a device.
 *
 * An op is counted in units of work (cost.def): multiply-adds, tiles, elements,
 * bytes.  A profile has the seconds of a unit, for each type that values are
 * stored in; the prediction is the sum of units times seconds.  Units grow with
 * the number of slices, never shrink, so slicing one op is never predicted to
 * make it faster.  Profiles come from profile.h.
 */
#ifndef SLUICE_COST_H
#define SLUICE_COST_H

#include "compiler/program.h"

typedef enum CostTerm {
#define TERM(name, least, most, doc) COST_##name,
#include "compiler/cost/cost.def"
	COST_COUNT
} CostTerm;

/* Element types that a profile tells apart: f32, f16, bf16. */
enum { COST_DTYPES = 3 };

/* What a device can do. */
typedef struct Profile {
	const char *name;
	const char *target;     /* whose plans it prices */
	int threads;            /* that it was measured with */
	double seconds[COST_DTYPES][COST_COUNT];        /* of a unit */
} Profile;

typedef struct CostTermInfo {
	const char *name;
	double least, most;
	const char *doc;
} CostTermInfo;
extern const CostTermInfo cost_term[COST_COUNT];

/* The profile to compile with: that of the options, or the built-in one. */
const Profile *cost_profile(const CompileOptions *o);

/* Units of work of a node whose result is made in `slices` (>= 1) slices one
 * after the other, all slices together; zeros for leaves and views.  Returns
 * the element type whose column of the profile counts. */
DType cost_units(const Graph *g, const Node *n, int64_t slices,
	double units[COST_COUNT]);
/* Seconds of that. */
double cost_node(const Profile *c, const Graph *g, const Node *n,
	int64_t slices);
/* Seconds of loading a weight of so many bytes, stored as `dtype`. */
double cost_load(const Profile *c, DType dtype, int64_t bytes);

#endif
