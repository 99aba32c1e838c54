/* budget.h - what the proof of a plan may cost.
 *
 * A plan is untrusted, and a few hundred bytes can describe a program whose proof
 * would take years or the whole memory.  So the gates count what they do: every
 * loop whose length a file decides adds to one sum of elementary steps, every
 * table of theirs to one sum of bytes, and when a sum is above its limit the plan
 * is refused.  The sums depend on the plan alone, not on the machine, so the same
 * plan is refused everywhere.
 *
 * A step is some nanoseconds: two boxes compared, an entry of the log looked at,
 * an axis of a view placed.  What takes longer adds more than one.
 */
#ifndef SLUICE_BUDGET_H
#define SLUICE_BUDGET_H

#include "vm/gates/gates.h"

static inline bool
overspent(const PlanCost *c)
{
	return c->steps > PLAN_STEPS_MAX || c->bytes > PLAN_BYTES_MAX;
}

/* Adds to the sum of steps; false when a sum is above its limit, and from then
 * on. */
static inline bool
spend(PlanCost *c, int64_t steps)
{
	c->steps += steps;
	return !overspent(c);
}

/* The same for bytes.  Tables grow and are kept, so their sum is the peak. */
static inline bool
spend_bytes(PlanCost *c, int64_t bytes)
{
	c->bytes += bytes;
	return !overspent(c);
}

#endif
