/* report_frontier.c - the best plans over all budgets, read from what `sluice
 * frontier --json` printed.
 */
#include "compiler/explain/report.h"
#include "ir/base/json.h"
#include "compiler/explain/frontier_draw.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 24, DEPTH = 8 };

static const char *
read_point(const Json *j, FrontierPoint *point)
{
	const Json *bytes = json_get(j, "peak_bytes");
	const Json *seconds = json_get(j, "predicted_seconds");
	if (!bytes || bytes->kind != JSON_INT || bytes->integer <= 0)
		return "has no peak_bytes, an integer above 0";
	if (!seconds || (seconds->kind != JSON_FLOAT
		&& seconds->kind != JSON_INT) || !(seconds->number > 0)
		|| !isfinite(seconds->number))
		return "has no predicted_seconds, a number above 0";
	const Json *groups = json_get(j, "groups");
	*point = (FrontierPoint){.bytes = bytes->integer,
		.seconds = seconds->number};
	if (groups && groups->kind == JSON_INT && groups->integer >= 0
		&& groups->integer <= UINT32_MAX)
		point->groups = (uint32_t)groups->integer;
	return NULL;
}

void
frontier_read(Arena *a, const char *path, Frontier *f)
{
	size_t size;
	JsonError e;
	const char *text = arena_read_file(a, path, FILE_LIMIT, &size);
	if (!text)
		fatal(EXIT_IO, "cannot read %s: %s", path, strerror(errno));
	const Json *j = json_parse(a, text, size, DEPTH, &e);
	if (!j)
		fatal(EXIT_SOURCE, "%s:%d:%d: %s", path, e.line, e.column, e.text);
	const Json *list = json_get(j, "points");
	if (!list || list->kind != JSON_LIST || !list->n)
		fatal(EXIT_SOURCE, "%s: no list of points, as `sluice frontier "
			"--json` prints it", path);
	*f = (Frontier){.n = list->n,
		.point = arena_array(a, list->n, sizeof *f->point)};
	const char *wrong = read_point(json_get(j, "unsliced"), &f->unsliced);
	if (wrong)
		fatal(EXIT_SOURCE, "%s: 'unsliced' %s", path, wrong);
	for (size_t i = 0; i < list->n; i++) {
		wrong = read_point(&list->item[i], &f->point[i]);
		if (!wrong && i && f->point[i].bytes <= f->point[i - 1].bytes)
			wrong = "needs no more memory than the one before";
		if (wrong)
			fatal(EXIT_SOURCE, "%s: point %zu %s", path, i, wrong);
	}
}

void
report_frontier(const Report *r)
{
	const PlanHeader *h = &r->plan->head;
	const FrontierPoint here = {.bytes = h->arena_bytes,
		.seconds = h->predicted_seconds, .groups = r->plan->n_groups};
	if (!r->frontier)
		return;
	fputs("<h2>Frontier</h2>\n<p>The fastest plan for each budget (blue), "
		"the program without slices (orange), this plan (red).</p>\n",
		r->out);
	frontier_draw(r->frontier, &here, r->plan->strings + h->name, r->out);
}
