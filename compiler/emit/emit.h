/* emit.h - private to the emitter: the plan under construction. */
#ifndef SLUICE_EMIT_H
#define SLUICE_EMIT_H

#include "compiler/program.h"

/* Where the different records of a section lie: a hash table of their places. */
typedef struct InternSlot {
	uint32_t at;            /* byte in the section + 1; 0: empty */
	uint32_t hash;
} InternSlot;

typedef struct Intern {
	InternSlot *slot;       /* in the arena */
	size_t size, used;      /* size: a power of two */
} Intern;

typedef struct Emitter {
	Program *p;
	const Graph *g;
	Plan plan;              /* head and what is made in one go */
#define X(type, name) Vec(type) name;
	PLAN_SECTIONS(X)
#undef X
	uint32_t *item_insn;    /* by item of p->code: its first instruction */
	uint32_t *weight_of;    /* by node: index into plan.weights */
	uint32_t phase, group;
	uint32_t denoise_end;   /* the `next` of the denoising loop */
	uint32_t *group_of_loop;
	Intern string_set, attr_set, debug_set;
} Emitter;

/* ---- emit_intern.c ---- */
/* Looks for `key` among the records of the section `base` of n bytes that have
 * been entered.  Found: true, *at is its byte.  Else it is entered with *at = n,
 * and the caller appends it. */
bool intern(Arena *a, Intern *t, const void *base, size_t n, const void *key,
	size_t bytes, size_t *at);
/* Index of the string, of the attributes, of the debug entry: of a new record or
 * of an equal one that is there. */
uint32_t emit_string(Emitter *e, const char *s);
uint32_t emit_attr(Emitter *e, const Attr *a);
uint32_t emit_debug_entry(Emitter *e, const PlanDebug *d);

/* ---- emit_view.c ---- */
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
