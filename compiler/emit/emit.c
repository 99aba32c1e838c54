/* emit.c - code and places to a Plan. */
#include "compiler/emit/emit.h"
#include "vm/weights/weights.h"

#include <string.h>

/* ---- buffers, ports, tables, weights ---- */

static void
emit_buffers(Emitter *e)
{
	Program *p = e->p;
	for (size_t i = 0; i < p->storages.n; i++) {
		const Storage *s = &p->storages.at[i];
		*vec_push(&e->buffers) = (PlanBuffer){
			.offset = s->offset, .bytes = s->bytes,
			.name = emit_string(e, s->name),
			.role = (uint8_t)s->role, .dtype = (uint8_t)s->dtype};
	}
}

static PlanPort
port(Emitter *e, const char *name, uint32_t storage)
{
	const Storage *s = &e->p->storages.at[storage];
	PlanPort o = {.name = emit_string(e, name), .buffer = storage,
		.dtype = (uint8_t)s->dtype, .axes = s->axes};
	memcpy(o.n, s->n, sizeof o.n);
	return o;
}

static void
emit_ports(Emitter *e)
{
	const Graph *g = e->g;
	for (uint32_t i = 0; i < e->p->storages.n; i++) {
		const Storage *s = &e->p->storages.at[i];
		if (s->role == BUF_INPUT) {
			PlanPort in = port(e, s->name, i);
			in.per_step = g->inputs.at[s->id].per_step;
			*vec_push(&e->inputs) = in;
		}
		if (s->role == BUF_TABLE) {
			const Table *t = &g->tables.at[s->id];
			*vec_push(&e->tables) = (PlanTable){emit_string(e, t->name),
				i, (int64_t)e->blob.n, s->bytes};
			for (int64_t k = 0; k < s->bytes; k++)
				*vec_push(&e->blob) = ((const char *)t->data)[k];
		}
	}
	for (size_t i = 0; i < g->outputs.n; i++)
		*vec_push(&e->outputs) = port(e, g->outputs.at[i].name,
			e->p->storage_of[g->outputs.at[i].node]);
}

/* The first reader of each packed matrix, by its node. */
static uint32_t *
matrix_readers(const Emitter *e)
{
	uint32_t *reader = arena_array(e->p->arena, e->g->nodes.n,
		sizeof *reader);
	for (size_t i = e->p->order.n; i-- > 0;) {
		uint32_t id = e->p->order.at[i];
		const Node *n = &e->g->nodes.at[id];
		if (n->op == OP_linear || n->op == OP_conv)
			reader[n->in[1]] = id;
	}
	return reader;
}

/* The layout of a packed matrix, as `reader` wants it. */
static void
matrix_of(const Emitter *e, uint32_t reader, PlanWeight *w)
{
	const Node *n = &e->g->nodes.at[reader];
	Ref part[2];
	int parts = ref_resolve(e->g, n->in[0], part);
	int64_t rows = w->dim[0];
	w->layout = LAYOUT_MATRIX;
	w->rows[0] = n->attr.geglu ? rows / 2 : rows;
	w->rows[1] = n->attr.geglu ? rows / 2 : 0;
	w->cols[0] = part[0].c;
	w->cols[1] = parts == 2 ? part[1].c : 0;
	w->taps = 1;
	for (int k = 0; k < __builtin_popcount(n->attr.over)
		&& n->op == OP_conv; k++)
		w->taps *= n->attr.kernel[k];
}

static void
emit_weights(Emitter *e)
{
	const Graph *g = e->g;
	const uint32_t *reader = matrix_readers(e);
	e->weight_of = arena_array(e->p->arena, g->nodes.n, sizeof(uint32_t));
	for (uint32_t i = 1; i < g->nodes.n; i++) {
		const Node *n = &g->nodes.at[i];
		if (n->op != OP_weight)
			continue;
		const Weight *src = &g->weights.at[n->ref];
		PlanWeight w = {.component = emit_string(e, src->component),
			.name = emit_string(e, src->name),
			.buffer = e->p->storage_of[i], .rank = (uint8_t)src->rank,
			.otherwise = (uint8_t)src->otherwise};
		memcpy(w.dim, src->dim, sizeof w.dim);
		if (reader[i])
			matrix_of(e, reader[i], &w);
		e->weight_of[i] = (uint32_t)e->weights.n;
		*vec_push(&e->weights) = w;
		e->plan.head.weights_bytes += e->p->storages.at[w.buffer].bytes;
	}
}

/* ---- code ---- */

static uint32_t
emit_debug(Emitter *e, uint32_t site)
{
	const Site *s = &e->g->sites.at[site];
	/* no folder: the same source gives the same plan wherever it lies */
	const char *slash = strrchr(s->file, '/');
	PlanDebug d = {.file = emit_string(e, slash ? slash + 1 : s->file),
		.line = (uint32_t)s->line, .scope = emit_string(e, s->scope),
		.component = emit_string(e, s->component), .phase = e->phase,
		.group = e->group};
	return emit_debug_entry(e, &d);
}

static PlanInsn *
emit_insn(Emitter *e, uint16_t op, uint32_t site)
{
	uint32_t debug = emit_debug(e, site);
	PlanInsn *i = vec_push(&e->code);
	*i = (PlanInsn){.op = op, .first_operand = (uint32_t)e->operands.n,
		.debug = debug};
	return i;
}

static void
add_operand(Emitter *e, uint32_t view0, uint32_t view1)
{
	*vec_push(&e->operands) = (PlanOperand){{view0, view1}};
}

static void
add_input_operand(Emitter *e, uint32_t node, int k)
{
	const Node *n = &e->g->nodes.at[node];
	Ref part[2];
	uint32_t view[2] = {PLAN_NONE, PLAN_NONE};
	int parts = k < n->nin && n->in[k]
		? ref_resolve(e->g, n->in[k], part) : 0;
	for (int j = 0; j < parts; j++)
		view[j] = emit_operand_view(e, node, k, &part[j], parts);
	add_operand(e, view[0], view[1]);
}

static void
emit_copy(Emitter *e, uint32_t node, int k, uint32_t result)
{
	Attr none = {0};
	uint32_t attr = emit_attr(e, &none);
	PlanInsn *i = emit_insn(e, OP_copy, e->g->nodes.at[node].site);
	i->attr = attr;
	i->noperands = 2;
	add_operand(e, result, PLAN_NONE);
	add_input_operand(e, node, k);
}

/* Each operand is copied to its part of the result; a concat that shares the
 * place already stands there. */
static void
emit_concat(Emitter *e, uint32_t node)
{
	const Node *n = &e->g->nodes.at[node];
	int64_t begin = 0;
	for (int k = 0; k < n->nin; k++) {
		int64_t part = e->g->nodes.at[n->in[k]].type.n[n->attr.axis];
		if (e->p->storage_of[n->in[k]] != e->p->storage_of[node])
			emit_copy(e, node, k, emit_concat_view(e, node,
				n->attr.axis, begin, part));
		begin += part;
	}
}

static void
emit_node(Emitter *e, uint32_t node)
{
	const Node *n = &e->g->nodes.at[node];
	if (n->op == OP_concat) {
		emit_concat(e, node);
		return;
	}
	uint32_t attr = emit_attr(e, &n->attr);
	PlanInsn *i = emit_insn(e, (uint16_t)n->op, n->site);
	bool work = op_info[n->op].flags & OPF_WORK;
	i->attr = attr;
	i->noperands = (uint16_t)(1 + op_nin(n->op) + work);
	add_operand(e, emit_result_view(e, node), PLAN_NONE);
	for (int k = 0; k < op_nin(n->op); k++)
		add_input_operand(e, node, k);
	if (work)
		add_operand(e, e->p->work_of[node] == UINT32_MAX ? PLAN_NONE
			: emit_storage_view(e, e->p->work_of[node]), PLAN_NONE);
}

static void
emit_control(Emitter *e, Control op, uint32_t a, uint32_t b, uint32_t site)
{
	PlanInsn *i = emit_insn(e, (uint16_t)op, site);
	i->first_operand = 0;
	i->a = a;
	i->b = b;
}

static void
begin_group(Emitter *e, const CodeItem *s)
{
	const Loop *l = &e->p->loops.at[s->id];
	uint32_t node = e->p->order.at[l->first];
	const Site *site = &e->g->sites.at[e->g->nodes.at[node].site];
	e->group = (uint32_t)e->groups.n;
	e->group_of_loop[s->id] = e->group;
	*vec_push(&e->groups) = (PlanGroup){.name = emit_string(e, site->scope),
		.first = (uint32_t)e->code.n, .axis = (uint8_t)l->axis,
		.reg = (uint8_t)l->reg, .slice = l->slice, .count = l->count};
	emit_control(e, CTL_loop, (uint32_t)l->reg, (uint32_t)l->count,
		e->g->nodes.at[node].site);
}

static void
end_group(Emitter *e, const CodeItem *s)
{
	const Loop *l = &e->p->loops.at[s->id];
	uint32_t node = e->p->order.at[l->last];
	e->groups.at[e->group_of_loop[s->id]].last = (uint32_t)e->code.n;
	emit_control(e, CTL_next, (uint32_t)l->reg, 0, e->g->nodes.at[node].site);
	e->group = l->parent == LOOP_NONE ? PLAN_NONE
		: e->group_of_loop[l->parent];
}

static void
begin_phase(Emitter *e, const char *name)
{
	e->phase = (uint32_t)e->phases.n;
	*vec_push(&e->phases) = (PlanPhase){.name = emit_string(e, name),
		.first = (uint32_t)e->code.n};
}

static void
emit_over_steps(Emitter *e, const CodeItem *s)
{
	uint32_t at = (uint32_t)e->code.n;
	if (s->kind == CODE_LOOP)
		emit_control(e, CTL_loop, 0, (uint32_t)s->count, 0);
	else
		emit_control(e, CTL_next, 0, 0, 0);
	if (s->denoises && s->kind == CODE_LOOP)
		e->plan.head.denoise = at;
	else if (s->denoises)
		e->denoise_end = at;
}

/* encode until the first loop over denoising steps, decode after the last. */
static void
emit_item(Emitter *e, uint32_t at)
{
	const CodeItem *s = &e->p->code.at[at];
	e->item_insn[at] = (uint32_t)e->code.n;
	switch (s->kind) {
	case CODE_NODE:
		emit_node(e, s->id);
		break;
	case CODE_LOAD:
		emit_control(e, CTL_load, e->weight_of[s->id], 0,
			e->g->nodes.at[s->id].site);
		break;
	case CODE_WAIT:
		emit_control(e, CTL_wait, e->weight_of[s->id], 0,
			e->g->nodes.at[s->id].site);
		break;
	case CODE_LOOP:
		if (code_over_steps(s))
			emit_over_steps(e, s);
		else
			begin_group(e, s);
		break;
	case CODE_NEXT:
		if (code_over_steps(s))
			emit_over_steps(e, s);
		else
			end_group(e, s);
		break;
	}
}

/* The item at which a phase begins: the loads in front of a loop belong to its
 * phase. */
static uint32_t
phase_start(const Program *p, bool loop)
{
	uint32_t n = (uint32_t)p->code.n, first = n, last = n;
	for (uint32_t i = 0; i < n; i++) {
		const CodeItem *s = &p->code.at[i];
		if (!code_over_steps(s))
			continue;
		if (s->kind == CODE_LOOP && first == n)
			first = i;
		if (s->kind == CODE_NEXT)
			last = i + 1;
	}
	while (loop && first > 0 && first < n
		&& (p->code.at[first - 1].kind == CODE_LOAD
			|| p->code.at[first - 1].kind == CODE_WAIT))
		first--;
	return loop ? first : last;
}

static void
emit_code(Emitter *e)
{
	Program *p = e->p;
	uint32_t n = (uint32_t)p->code.n;
	uint32_t loop = phase_start(p, true), after = phase_start(p, false);
	e->item_insn = arena_array(p->arena, n + 1, sizeof *e->item_insn);
	e->group_of_loop = arena_array(p->arena, p->loops.n + 1,
		sizeof *e->group_of_loop);
	e->group = PLAN_NONE;
	if (loop > 0)
		begin_phase(e, loop == n ? "run" : "encode");
	for (uint32_t i = 0; i < n; i++) {
		if (i == loop)
			begin_phase(e, "loop");
		if (i == after)
			begin_phase(e, "decode");
		emit_item(e, i);
	}
	e->item_insn[n] = (uint32_t)e->code.n;
	emit_control(e, CTL_halt, 0, 0, 0);
	for (size_t i = 0; i < e->phases.n; i++)
		e->phases.at[i].last = (uint32_t)(i + 1 < e->phases.n
			? e->phases.at[i + 1].first : e->code.n) - 1;
}

/* When buffers live.  Those that live around the denoising loop's body cross its
 * steps, but for what comes from outside again: weights, tables, per_step
 * inputs. */
static void
emit_lives(Emitter *e)
{
	uint32_t begin = e->plan.head.denoise;
	for (size_t i = 0; i < e->p->storages.n; i++) {
		const Storage *s = &e->p->storages.at[i];
		PlanBuffer *b = &e->buffers.at[i];
		b->first = e->item_insn[s->first];
		b->last = e->item_insn[s->last + 1] - 1;
		b->crosses = begin != PLAN_NONE && b->first <= begin
			&& b->last >= e->denoise_end && (s->role == BUF_VALUE
			|| s->role == BUF_INPUT || s->role == BUF_OUTPUT);
	}
	for (size_t i = 0; i < e->inputs.n; i++)
		if (e->inputs.at[i].per_step)
			e->buffers.at[e->inputs.at[i].buffer].crosses = 0;
}

/* ---- the graph, for pictures ---- */

static void
emit_graph(Emitter *e)
{
	const Graph *g = e->g;
	uint32_t *insn = arena_array(e->p->arena, g->nodes.n, sizeof *insn);
	memset(insn, 0xff, g->nodes.n * sizeof *insn);
	for (uint32_t i = 0; i < e->p->code.n; i++)
		if (e->p->code.at[i].kind == CODE_NODE)
			insn[e->p->code.at[i].id] = e->item_insn[i];
	for (uint32_t i = 0; i < g->nodes.n; i++) {
		const Node *n = &g->nodes.at[i];
		const Site *s = &g->sites.at[n->site];
		char type[256] = "";
		if (i)
			type_print(g, &n->type, type);
		PlanNode out = {.name = emit_string(e, n->op == OP_input
				? g->inputs.at[n->ref].name : op_info[n->op].name),
			.type = emit_string(e, type),
			.scope = emit_string(e, s->scope),
			.component = emit_string(e, s->component),
			.first_edge = (uint32_t)e->edges.n, .insn = insn[i],
			.stage = n->stage};
		for (int k = 0; k < n->nin; k++)
			if (n->in[k])
				*vec_push(&e->edges) = n->in[k];
		out.nedges = (uint32_t)e->edges.n - out.first_edge;
		*vec_push(&e->nodes) = out;
	}
}

static void
emit_head(Emitter *e)
{
	Program *p = e->p;
	PlanHeader *h = &e->plan.head;
	memcpy(h->magic, "SLUICE\0", 8);
	h->version = PLAN_VERSION;
	h->dtype = p->graph->dtype;
	h->ops_hash = ops_hash();
	h->name = emit_string(e, p->graph->name);
	h->target = emit_string(e, p->target->name);
	h->abi = p->target->abi;
	h->threads = (uint32_t)p->threads;
	h->steps = (uint32_t)p->graph->steps;
	h->order_proven = p->order_proven;
	h->placement_proven = p->placed.proven;
	h->unsliced_bytes = p->unsliced_height;
	h->unsliced_seconds = p->unsliced_seconds;
	for (int a = 0; a < AXIS_MAX; a++)
		h->axis_name[a] = p->graph->axis_name[a]
			? emit_string(e, p->graph->axis_name[a]) : 0;
	for (size_t i = 0; i < e->buffers.n; i++)
		h->arena_bytes = max64(h->arena_bytes,
			e->buffers.at[i].offset + e->buffers.at[i].bytes);
	/* sizes were rounded up for the bound, the last buffer's is not */
	h->load_bound = min64(p->placed.load_bound, h->arena_bytes);
	h->floor_bound = min64(p->floor, h->load_bound);
}

/* needs: storages with offsets.
 * makes: out, the plan. */
void
pass_emit(Program *p)
{
	Emitter e = {.p = p, .g = p->graph,
		.plan.head.denoise = PLAN_NONE};
	*vec_push(&e.strings) = 0;
	*vec_push(&e.debugs) = (PlanDebug){.group = PLAN_NONE};
	emit_buffers(&e);
	emit_ports(&e);
	emit_weights(&e);
	emit_code(&e);
	emit_lives(&e);
	emit_graph(&e);
	emit_head(&e);
	emit_summary(&e);
	Plan *out = arena_alloc(p->arena, sizeof *out);
	out->head = e.plan.head;
#define X(type, name) \
	out->n_##name = (uint32_t)e.name.n; \
	out->name = arena_array(p->arena, e.name.n + 1, sizeof(type)); \
	if (e.name.n) \
		memcpy(out->name, e.name.at, e.name.n * sizeof(type)); \
	vec_free(&e.name);
	PLAN_SECTIONS(X)
#undef X
	out->head.host_bytes = weights_staging_bytes(out);
	p->out = out;
}
