/* plan_load.c - a plan file through all gates. */
#include "vm/gates/gates.h"

Plan *
plan_load(Arena *a, const char *path, bool unchecked, PlanError *e, int *code)
{
	Plan *p = plan_read(a, path, e, code);
	if (!p || (plan_verify(p, e)
		&& (unchecked || plan_check(p, e, NULL))))
		return p;
	*code = EXIT_PLAN;
	return NULL;
}
