/* diff_print.c - the differences between two plans, for people and as JSON. */
#include "compiler/explain/diff.h"

#include <math.h>
#include <stdlib.h>

enum { GROUPS_SHOWN = 24, LIVE_SHOWN = 8 };

/* ---- for people ---- */

static void
number_text(const DiffNumber *n, double x, bool sign, char *buf, size_t size)
{
	char bytes[32];
	const char *s = !sign || x == 0 ? "" : x > 0 ? "+" : "-";
	switch (n->unit) {
	case DIFF_BYTES:
		snprintf(buf, size, "%s%s", s, format_bytes(bytes,
			(int64_t)fabs(x)));
		break;
	case DIFF_SECONDS:
		snprintf(buf, size, "%s%.4g s", s, fabs(x));
		break;
	case DIFF_FLOPS:
		snprintf(buf, size, "%s%.4g T", s, fabs(x) / 1e12);
		break;
	default:
		snprintf(buf, size, "%s%.0f", s, fabs(x));
	}
}

static void
print_number(const DiffNumber *n, FILE *out)
{
	char a[40], b[40], change[40];
	number_text(n, n->a, false, a, sizeof a);
	number_text(n, n->b, false, b, sizeof b);
	fprintf(out, "  %-18s %12s %12s", n->name, a, b);
	if (n->a != n->b) {
		number_text(n, n->b - n->a, true, change, sizeof change);
		fprintf(out, " %12s", change);
		if (n->a > 0)
			fprintf(out, "  %+.1f %%", 100 * (n->b - n->a) / n->a);
	}
	fputc('\n', out);
}

static void
print_phases(const PlanDiff *d, FILE *out)
{
	for (size_t i = 0; i < d->phases.n; i++) {
		Pair p = d->phases.at[i];
		const PlanPhase *a = p.a == PLAN_NONE ? NULL
			: &d->a->phases[p.a];
		const PlanPhase *b = p.b == PLAN_NONE ? NULL
			: &d->b->phases[p.b];
		const char *name = a ? d->a->strings + a->name
			: d->b->strings + b->name;
		char label[40];
		snprintf(label, sizeof label, "  %.15s", name);
		print_number(&(DiffNumber){"", label, DIFF_BYTES,
			a ? (double)a->peak_bytes : 0,
			b ? (double)b->peak_bytes : 0}, out);
	}
}

static void
print_slices(const Plan *p, uint32_t group, FILE *out)
{
	const PlanGroup *g = &p->groups[group];
	print_clean(out, p->strings + p->head.axis_name[g->axis]);
	fprintf(out, ": %lld slices of %lld", (long long)g->count,
		(long long)g->slice);
}

static void
print_group(const PlanDiff *d, Pair p, FILE *out)
{
	bool both = p.a != PLAN_NONE && p.b != PLAN_NONE;
	fprintf(out, "  %c ", both ? '~' : p.a == PLAN_NONE ? '+' : '-');
	if (p.a != PLAN_NONE)
		print_slices(d->a, p.a, out);
	fputs(both ? " -> " : "", out);
	if (p.b != PLAN_NONE)
		print_slices(d->b, p.b, out);
	fputs("  ", out);
	print_clean(out, p.a != PLAN_NONE
		? d->a->strings + d->a->groups[p.a].name
		: d->b->strings + d->b->groups[p.b].name);
	fputc('\n', out);
}

static void
print_groups(const PlanDiff *d, FILE *out)
{
	size_t n[3] = {0}, shown = 0;   /* only in a, only in b, in both */
	for (size_t i = 0; i < d->groups.n; i++) {
		Pair p = d->groups.at[i];
		if (diff_group(d, p))
			n[p.b == PLAN_NONE ? 0 : p.a == PLAN_NONE ? 1 : 2]++;
	}
	fprintf(out, "loops over slices: %zu only in A (-), %zu only in B (+), "
		"%zu sliced otherwise (~)\n", n[0], n[1], n[2]);
	for (size_t i = 0; i < d->groups.n && shown < GROUPS_SHOWN; i++)
		if (diff_group(d, d->groups.at[i])) {
			print_group(d, d->groups.at[i], out);
			shown++;
		}
	if (n[0] + n[1] + n[2] > shown)
		fprintf(out, "  ... %zu more\n", n[0] + n[1] + n[2] - shown);
}

/* What a difference is of. */
static const PlanBuffer *
live_buffer(const PlanDiff *d, const DiffLive *l, const Plan **p, uint32_t *id)
{
	bool in_a = l->buffer.a != PLAN_NONE;
	*p = in_a ? d->a : d->b;
	*id = in_a ? l->buffer.a : l->buffer.b;
	return &(*p)->buffers[*id];
}

static void
signed_bytes(int64_t bytes, char buf[40])
{
	char text[32];
	snprintf(buf, 40, "%c%s", bytes < 0 ? '-' : '+',
		format_bytes(text, bytes == INT64_MIN ? INT64_MAX
			: llabs(bytes)));
}

/* "weight -2.27 GiB, activation +60.0 MiB" */
static void
print_kinds(const PlanDiff *d, const DiffLive *live, size_t n, FILE *out)
{
	int64_t sum[BUF_ROLE_COUNT] = {0};
	const Plan *p;
	uint32_t id;
	bool first = true;
	for (size_t i = 0; i < n; i++) {
		int64_t *s = &sum[live_buffer(d, &live[i], &p, &id)->role];
		*s = add_bytes(*s, live[i].b - live[i].a);
	}
	for (int i = 0; i < BUF_ROLE_COUNT; i++) {
		char change[40];
		if (!sum[i])
			continue;
		signed_bytes(sum[i], change);
		fprintf(out, "%s%s %s", first ? ": " : ", ",
			role_styles[i].name, change);
		first = false;
	}
	fputc('\n', out);
}

static void
print_live(const PlanDiff *d, Pair phase, FILE *out)
{
	Arena arena = {0};
	DiffLive *live;
	size_t n = diff_live(&arena, d, phase, &live);
	if (n) {
		fputs("at the peak of ", out);
		print_clean(out, d->a->strings + d->a->phases[phase.a].name);
		fprintf(out, " (instructions %u and %u) %zu buffers differ",
			d->a->phases[phase.a].peak_insn,
			d->b->phases[phase.b].peak_insn, n);
		print_kinds(d, live, n, out);
	}
	for (size_t i = 0; i < n && i < LIVE_SHOWN; i++) {
		char change[40];
		const Plan *p;
		uint32_t id;
		live_buffer(d, &live[i], &p, &id);
		signed_bytes(live[i].b - live[i].a, change);
		fprintf(out, "  %12s  %-10s ", change,
			role_styles[p->buffers[id].role].name);
		print_clean(out, buffer_label(p, id));
		fputc('\n', out);
	}
	arena_free(&arena);
}

void
diff_print(const PlanDiff *d, FILE *out)
{
	DiffNumber numbers[DIFF_NUMBERS];
	char a[32], b[32];
	if (d->same) {
		fputs("the plans are the same\n", out);
		return;
	}
	fputs("A  ", out);
	print_clean(out, d->path_a);
	fputs("\nB  ", out);
	print_clean(out, d->path_b);
	fprintf(out, "\n  %-18s %12s %12s %12s\n", "", "A", "B", "B - A");
	diff_numbers(d, numbers);
	for (size_t i = 0; i < DIFF_NUMBERS; i++) {
		print_number(&numbers[i], out);
		if (!i)
			print_phases(d, out);   /* below the peak */
	}
	print_groups(d, out);
	BufferCounts c = diff_buffers(d);
	fprintf(out, "buffers: %zu only in A (%s), %zu only in B (%s), %zu of "
		"another size, %zu at another address\n", c.only_a,
		format_bytes(a, c.bytes_a), c.only_b,
		format_bytes(b, c.bytes_b), c.resized, c.moved);
	for (size_t i = 0; i < d->phases.n; i++)
		if (d->phases.at[i].a != PLAN_NONE
			&& d->phases.at[i].b != PLAN_NONE)
			print_live(d, d->phases.at[i], out);
}

/* ---- JSON ---- */

static void
json_plan(const char *path, const Plan *p, FILE *out)
{
	fputs("{\"path\": ", out);
	print_json_string(out, path);
	fputs(", \"name\": ", out);
	print_json_string(out, p->strings + p->head.name);
	fprintf(out, ", \"dtype\": \"%s\"}", dtype_name((DType)p->head.dtype));
}

static void
json_live(const PlanDiff *d, Pair phase, FILE *out)
{
	Arena arena = {0};
	DiffLive *live;
	size_t n = phase.a == PLAN_NONE || phase.b == PLAN_NONE ? 0
		: diff_live(&arena, d, phase, &live);
	fputs(", \"live\": [", out);
	for (size_t i = 0; i < n; i++) {
		const Plan *p;
		uint32_t id;
		live_buffer(d, &live[i], &p, &id);
		fputs(i ? ", {\"name\": " : "{\"name\": ", out);
		print_json_string(out, buffer_label(p, id));
		fprintf(out, ", \"kind\": \"%s\", \"a_bytes\": %lld, "
			"\"b_bytes\": %lld}",
			role_styles[p->buffers[id].role].name,
			(long long)live[i].a, (long long)live[i].b);
	}
	fputc(']', out);
	arena_free(&arena);
}

static void
json_phase(const Plan *p, uint32_t i, FILE *out)
{
	if (i == PLAN_NONE)
		fputs("null", out);
	else
		fprintf(out, "{\"peak_bytes\": %lld, \"peak_instruction\": %u, "
			"\"predicted_seconds\": %.9g}",
			(long long)p->phases[i].peak_bytes,
			p->phases[i].peak_insn, p->phases[i].predicted_seconds);
}

static void
json_phases(const PlanDiff *d, FILE *out)
{
	fputs(", \"phases\": [", out);
	for (size_t i = 0; i < d->phases.n; i++) {
		Pair p = d->phases.at[i];
		fputs(i ? ", {\"name\": " : "{\"name\": ", out);
		print_json_string(out, p.a != PLAN_NONE
			? d->a->strings + d->a->phases[p.a].name
			: d->b->strings + d->b->phases[p.b].name);
		fputs(", \"a\": ", out);
		json_phase(d->a, p.a, out);
		fputs(", \"b\": ", out);
		json_phase(d->b, p.b, out);
		json_live(d, p, out);
		fputc('}', out);
	}
	fputc(']', out);
}

static void
json_group(const Plan *p, uint32_t i, FILE *out)
{
	if (i == PLAN_NONE) {
		fputs("null", out);
		return;
	}
	const PlanGroup *g = &p->groups[i];
	fputs("{\"axis\": ", out);
	print_json_string(out, p->strings + p->head.axis_name[g->axis]);
	fprintf(out, ", \"slices\": %lld, \"slice\": %lld, \"peak_bytes\": %lld,"
		" \"predicted_seconds\": %.9g}", (long long)g->count,
		(long long)g->slice, (long long)g->peak_bytes,
		g->predicted_seconds);
}

static void
json_groups(const PlanDiff *d, FILE *out)
{
	bool first = true;
	fputs(", \"groups\": [", out);
	for (size_t i = 0; i < d->groups.n; i++) {
		Pair p = d->groups.at[i];
		if (!diff_group(d, p))
			continue;
		fputs(first ? "{\"name\": " : ", {\"name\": ", out);
		first = false;
		print_json_string(out, p.a != PLAN_NONE
			? d->a->strings + d->a->groups[p.a].name
			: d->b->strings + d->b->groups[p.b].name);
		fputs(", \"a\": ", out);
		json_group(d->a, p.a, out);
		fputs(", \"b\": ", out);
		json_group(d->b, p.b, out);
		fputc('}', out);
	}
	fputc(']', out);
}

void
diff_print_json(const PlanDiff *d, FILE *out)
{
	DiffNumber numbers[DIFF_NUMBERS];
	BufferCounts c = diff_buffers(d);
	fprintf(out, "{\"same\": %s, \"a\": ", d->same ? "true" : "false");
	json_plan(d->path_a, d->a, out);
	fputs(", \"b\": ", out);
	json_plan(d->path_b, d->b, out);
	diff_numbers(d, numbers);
	fputs(", \"numbers\": {", out);
	for (size_t i = 0; i < DIFF_NUMBERS; i++)
		fprintf(out, "%s\"%s\": {\"a\": %.17g, \"b\": %.17g}",
			i ? ", " : "", numbers[i].key, numbers[i].a,
			numbers[i].b);
	fputc('}', out);
	json_phases(d, out);
	json_groups(d, out);
	fprintf(out, ", \"buffers\": {\"only_a\": %zu, \"only_a_bytes\": %lld, "
		"\"only_b\": %zu, \"only_b_bytes\": %lld, \"resized\": %zu, "
		"\"moved\": %zu}}\n", c.only_a, (long long)c.bytes_a, c.only_b,
		(long long)c.bytes_b, c.resized, c.moved);
}
