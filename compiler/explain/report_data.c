/* report_data.c - what the script needs to draw the map: buffers, phases,
 * groups and, by instruction, where it lies in time, what it does and how much
 * is in use.  Names are numbers into one list.
 */
#include "compiler/explain/report.h"

typedef struct Names {
	const Plan *p;
	uint32_t *number;       /* by offset into strings, 0: not listed yet */
	Vec(uint32_t) list;     /* offsets */
} Names;

static uint32_t
name_number(Names *n, const char *name)
{
	/* an empty name need not be one of the plan's */
	uint32_t at = *name ? (uint32_t)(name - n->p->strings) : 0;
	if (!n->number[at]) {
		*vec_push(&n->list) = at;
		n->number[at] = (uint32_t)n->list.n;
	}
	return n->number[at] - 1;
}

static void
write_buffers(const Report *r, Names *names)
{
	const Plan *p = r->plan;
	fputs("\"buffers\":[", r->out);
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		const PlanBuffer *b = &p->buffers[i];
		fprintf(r->out, "%s[%u,%lld,%lld,%u,%u,%u,\"%s\"]",
			i ? ",\n" : "", name_number(names, buffer_label(p, i)),
			(long long)b->offset, (long long)b->bytes, b->first,
			b->last, b->role, dtype_name((DType)b->dtype));
	}
	fputs("],\n", r->out);
}

static void
write_phases(const Report *r, Names *names)
{
	const Plan *p = r->plan;
	fputs("\"phases\":[", r->out);
	for (uint32_t i = 0; i < p->n_phases; i++) {
		const PlanPhase *f = &p->phases[i];
		fprintf(r->out, "%s[%u,%u,%u,%lld]", i ? "," : "",
			name_number(names, p->strings + f->name), f->first,
			f->last, (long long)f->peak_bytes);
	}
	fputs("],\n\"groups\":[", r->out);
	for (uint32_t i = 0; i < p->n_groups; i++) {
		const PlanGroup *g = &p->groups[i];
		fprintf(r->out, "%s[%u,%u,%u,%u,%lld,%lld,%d]", i ? "," : "",
			name_number(names, p->strings + g->name), g->first,
			g->last, name_number(names, p->strings
				+ p->head.axis_name[g->axis]),
			(long long)g->count, (long long)g->slice,
			group_depth(p, i));
	}
	fputs("],\n", r->out);
}

static void
write_code(const Report *r, Names *names)
{
	const Plan *p = r->plan;
	fputs("\"ops\":[", r->out);
	for (uint32_t i = 0; i < CTL_END; i++) {
		const char *name = plan_op_name((uint16_t)i);
		fprintf(r->out, "%s\"%s\"", i ? "," : "", name ? name : "");
	}
	fputs("],\n\"code\":[", r->out);    /* op, scope, begins at, in use */
	for (uint32_t i = 0; i < p->n_code; i++)
		fprintf(r->out, "%s[%u,%u,%.2f,%lld]", i ? ",\n" : "",
			p->code[i].op, name_number(names, insn_scope(p, i)),
			r->time.x[i], (long long)r->time.use.used[i]);
	fputs("],\n", r->out);
}

void
report_data(const Report *r)
{
	const Plan *p = r->plan;
	Names names = {.p = p, .number = arena_array(r->arena, p->n_strings
		+ 1u, sizeof *names.number)};
	fprintf(r->out, "<script type=\"application/json\" id=\"data\">\n"
		"{\"bytes\":%lld,\"end\":%.2f,\"peak\":%u,\n\"roles\":[",
		(long long)p->head.arena_bytes, r->time.x[p->n_code],
		r->time.peak);
	for (int i = 0; i < BUF_ROLE_COUNT; i++)
		fprintf(r->out, "%s[\"%s\",\"%s\"]", i ? "," : "",
			role_styles[i].name, role_styles[i].colour);
	fputs("],\n", r->out);
	write_buffers(r, &names);
	write_phases(r, &names);
	write_code(r, &names);
	fputs("\"names\":[", r->out);
	for (size_t i = 0; i < names.list.n; i++) {
		fputs(i ? ",\n" : "", r->out);
		html_json(r->out, p->strings + names.list.at[i]);
	}
	fputs("]}\n</script>\n", r->out);
	vec_free(&names.list);
}
