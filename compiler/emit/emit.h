/* emit.h - private to the emitter: the plan under construction. */
#ifndef SLUICE_EMIT_H
#define SLUICE_EMIT_H

#include "compiler/program.h"

typedef struct Emitter {
	Program *p;
	const Graph *g;
	Plan plan;              /* head and what is made in one go */
#define X(type, name) Vec(type) name;
	PLAN_SECTIONS(X)
#undef X
	uint32_t *step_insn;    /* by step: its first instruction */
	uint32_t *weight_of;    /* by node: index into plan.weights */
	uint32_t phase, group;
	uint32_t *group_of_loop;
} Emitter;

uint32_t emit_string(Emitter *e, const char *s);
/* View of one part of operand k of a node, which comes in `parts` parts. */
uint32_t emit_operand_view(Emitter *e, uint32_t node, int k, const Ref *part,
	int parts);
uint32_t emit_result_view(Emitter *e, uint32_t node);
/* The whole of a workspace or of any storage as a box along its axes. */
uint32_t emit_storage_view(Emitter *e, uint32_t storage);
/* The part [begin, begin + n) along `axis` of a concat's result; the other
 * axes whole. */
uint32_t emit_concat_view(Emitter *e, uint32_t node, int axis, int64_t begin,
	int64_t n);
/* Summary: phases, groups, bounds, predicted time (summary.c). */
void emit_summary(Emitter *e);

#endif
