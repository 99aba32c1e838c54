/* plan_load.c - a plan file through all gates. */
#include "vm/gates/gates.h"

Plan *
plan_load(Arena *a, const char *path, bool unchecked, PlanError *e, int *code)
{
	Plan *p = plan_read(a, path, e, code);
	CheckStats stats = {0};
	if (!p || (plan_verify(p, e, &stats)
		&& (unchecked || plan_check(p, e, &stats))))
		return p;
	*code = EXIT_PLAN;
	return NULL;
}
