/* code_walk.c - walking the code list: the loops around an item, and how often
 * it runs. */
#include "compiler/program.h"

void
code_past(const Program *p, CodeWalk *w)
{
	CodeKind kind = p->code.at[w->at].kind;
	if (kind == CODE_LOOP)
		w->loop[w->depth++] = w->at;
	else if (kind == CODE_NEXT)
		w->depth--;
	w->at++;
}

bool
code_over_steps(const CodeItem *item)
{
	return (item->kind == CODE_LOOP || item->kind == CODE_NEXT)
		&& item->id == UINT32_MAX;
}

int64_t
code_runs_in_step(const Program *p, const CodeWalk *w)
{
	int64_t runs = 1;
	for (int i = 0; i < w->depth; i++) {
		const CodeItem *loop = &p->code.at[w->loop[i]];
		if (!code_over_steps(loop))
			runs = mul_sz(runs, loop->count);
	}
	return runs;
}

int64_t
code_runs(const Program *p, const CodeWalk *w)
{
	int64_t runs = code_runs_in_step(p, w);
	for (int i = 0; i < w->depth; i++)
		if (code_over_steps(&p->code.at[w->loop[i]]))
			runs = mul_sz(runs, p->code.at[w->loop[i]].count);
	return runs;
}
