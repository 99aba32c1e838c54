/* check_plan.h - what gate 3 says of a plan that a test has built.
 */
#ifndef SLUICE_CHECK_PLAN_H
#define SLUICE_CHECK_PLAN_H

#include "tests/lib/plan_build.h"
#include "tests/lib/test.h"
#include "vm/gates/gates.h"

static char text[600];

static const Attr none;

/* Whether the checker accepts the plan; its words are in `text`. */
static bool
accepts(const Plan *p)
{
	PlanError e;
	bool ok = plan_check(p, &e, NULL);
	snprintf(text, sizeof text, "%s", e.text);
	return ok;
}

/* The plan must be refused with a message that begins with `id` and has
 * `part`. */
#define REFUSED(p, id, part) do { \
	bool ok_ = accepts(p); \
	CHECK(!ok_, "accepted"); \
	CHECK(!strncmp(text, id " ", strlen(id) + 1), "%s", text); \
	CHECK(strstr(text, part), "%s", text); \
} while (0)

#endif
