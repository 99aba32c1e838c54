/* weights_match.h - between weights.c, which opens and loads, and weights_match.c,
 * which finds a tensor of the files for each weight of the plan.
 */
#ifndef SLUICE_WEIGHTS_MATCH_H
#define SLUICE_WEIGHTS_MATCH_H

#include "vm/weights/weights.h"

/* The files of one component of the plan. */
typedef struct Component {
	const char *name;       /* "unet"; "" for a model compiled alone */
	const char *path;       /* for messages */
	TensorSet set;
} Component;

/* The tensor that a weight is read from; both NULL: none fits, or
 * the plan says what the weight holds otherwise. */
typedef struct Match {
	const TensorSet *set;
	const Tensor *tensor;
} Match;

/* Fills match[w] for every weight of the plan.  Returns EXIT_OK, or
 * EXIT_WEIGHTS with one message about all that do not fit in `err`.  Unless
 * `quiet`, tensors that no weight uses are counted in one line on stderr. */
int weights_match(Arena *a, const Plan *p, Component *c, size_t ncomponents,
	Match *match, bool quiet, char *err, size_t err_size);
/* Index of weight w's component among them; ncomponents when absent. */
size_t component_of(const Plan *p, const PlanWeight *w, const Component *c,
	size_t ncomponents);
/* Elements of a weight; false when its shape, layout and buffer do not agree
 * (a plan that no compiler made). */
bool weight_elements(const Plan *p, const PlanWeight *w, int64_t *elements);

#endif
