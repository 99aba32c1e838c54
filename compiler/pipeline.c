/* pipeline.c - the pass table, and the loop that runs it: start reading here.
 *
 * A source becomes a graph (lang/), the passes below turn it into a schedule
 * with a place for every byte, the last of them into a plan; the plan goes
 * through the same three gates as one that comes from a file.
 */
#include "compiler/program.h"
#include "vm/gates/gates.h"
#include "compiler/explain/summary.h"

#include <string.h>

typedef struct Pass {
	char letter;            /* of --dump */
	const char *name;
	void (*run)(Program *p);
} Pass;

static const Pass passes[] = {
	{'C', "canonicalize", pass_canonicalize},
	{'H', "hoist", pass_hoist},
	{'F', "fuse", pass_fuse},
	{'O', "order", pass_order},
	{'R', "group", pass_group},
	{'W', "prefetch", pass_prefetch},
	{'S', "code", pass_code},
	{'L', "live", pass_live},
	{'P', "place", pass_place},
	{'B', "emit", pass_emit},
};

/* The number is part of the plan, so it does not come from the machine. */
enum { THREADS_DEFAULT = 8 };

const char *
compile_dump_letters(Arena *a)
{
	/* the source's syntax tree and graph come before the passes */
	char *s = arena_alloc(a, COUNT_OF(passes) + sizeof "AG");
	memcpy(s, "AG", 2);
	for (size_t i = 0; i < COUNT_OF(passes); i++)
		s[2 + i] = passes[i].letter;
	return s;
}

static bool
wants(const Program *p, char letter)
{
	return p->options->dump && strchr(p->options->dump, letter);
}

/* Runs the passes in front of `stop`; NULL: all. */
static void
run_passes(Program *p, void (*stop)(Program *))
{
	for (size_t i = 0; i < COUNT_OF(passes) && passes[i].run != stop; i++) {
		passes[i].run(p);
		ir_check(p->graph, passes[i].name);
		if (wants(p, passes[i].letter))
			dump_pass(p, passes[i].letter, passes[i].name);
	}
}

/* Our own plan must pass the gates that a stranger's does. */
static int
prove(Plan *plan)
{
	PlanError e;
	if (plan_verify(plan, &e, NULL) && plan_check(plan, &e, NULL))
		return EXIT_OK;
	fprintf(stderr, "sluice: internal error: the plan was refused: %s\n",
		e.text);
	return EXIT_INTERNAL;
}

static Program *
program_new(Arena *a, const CompileOptions *o)
{
	Program *p = arena_alloc(a, sizeof *p);
	p->arena = a;
	p->options = o;
	p->target = o->target ? o->target : &target_cpu;
	p->threads = o->threads ? o->threads : THREADS_DEFAULT;
	p->compile_start = now_seconds();
	return p;
}

void
program_free(Program *p)
{
	vec_free(&p->order);
	vec_free(&p->loops);
	vec_free(&p->code);
	vec_free(&p->storages);
}

/* A budget either holds or is an error that says what stands in its way: of the
 * smallest program, without what only fills its room. */
static int
over_budget(Arena *a, const CompileOptions *o, int64_t smallest)
{
	char need[32], have[32], least[32];
	CompileOptions bare = *o;
	Plan *p;
	bare.goal = SLICE_LEAST;
	bare.bare = true;
	bare.dump = NULL;
	int code = compile_source(a, &bare, &p);
	if (code != EXIT_OK)
		return code;
	const PlanPhase *worst = p->phases;
	for (uint32_t i = 1; i < p->n_phases; i++)
		if (p->phases[i].peak_bytes > worst->peak_bytes)
			worst = &p->phases[i];
	const PlanInsn *insn = &p->code[worst->peak_insn];
	fprintf(stderr, "sluice: error: the budget of %s cannot be met: phase "
		"'%s' needs %s at %s ", format_bytes(have, o->budget),
		p->strings + worst->name, format_bytes(need, worst->peak_bytes),
		plan_op_name(insn->op));
	print_clean_line(stderr, p->strings + p->debugs[insn->debug].scope);
	fputc('\n', stderr);
	summary_print_live(p, worst->peak_insn, stderr);
	fprintf(stderr, "note: the smallest budget that fits is %s (%lld "
		"bytes)\n", format_bytes(least, smallest), (long long)smallest);
	return EXIT_BUDGET;
}

/* The source's graph as a program, or NULL with an exit code. */
static Program *
program_read(Arena *a, const CompileOptions *o, int *code)
{
	Program *p = program_new(a, o);
	*code = EXIT_OK;
	p->graph = lang_compile(a, &o->lang, code);
	if (!p->graph)
		return NULL;
	ir_check(p->graph, "elaborate");
	if (wants(p, 'G')) {
		fputs("> after elaborate\n", stderr);
		ir_print(p->graph, stderr);
	}
	return p;
}

Program *
program_order(Arena *a, const CompileOptions *o, int *code)
{
	Program *p = program_read(a, o, code);
	if (p)
		run_passes(p, pass_group);
	return p;
}

int
compile_source(Arena *a, const CompileOptions *o, Plan **plan)
{
	int code;
	Program *p = program_read(a, o, &code);
	if (!p)
		return code;
	run_passes(p, NULL);
	*plan = p->out;
	program_free(p);
	code = prove(*plan);
	(*plan)->compile_seconds = now_seconds() - p->compile_start;
	if (code == EXIT_OK && o->goal == SLICE_BUDGET
		&& (*plan)->head.arena_bytes > o->budget)
		code = over_budget(a, o, (*plan)->head.arena_bytes);
	return code;
}
