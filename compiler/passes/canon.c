/* canon.c - canonical form: identities fold away, one-key attention is a
 * broadcast, equal work is done once, and a value that cannot be addressed as a
 * view of another gets a copy.
 *
 * The graph is rewritten front to back: every node goes through canon_node()
 * with its operands replaced already, and comes out as itself or as another
 * node; new nodes in front of it keep program order.
 */
#include "compiler/program.h"

#include <string.h>
#include <xxhash.h>

typedef struct Canon {
	Graph *g;
	Node *old;              /* the nodes as they were */
	size_t n;
	uint32_t *map;          /* old id -> new id */
	uint32_t *table;        /* hash -> new id, for common subexpressions */
	size_t mask;
} Canon;

/* ---- common subexpressions ---- */

static uint64_t
node_hash(const Node *n)
{
	uint64_t h = (uint64_t)n->op << 32 | n->ref;
	h = XXH3_64bits_withSeed(n->in, sizeof n->in, h);
	h = XXH3_64bits_withSeed(&n->attr, sizeof n->attr, h);
	return XXH3_64bits_withSeed(n->type.n, sizeof n->type.n, h);
}

static bool
node_equal(const Node *a, const Node *b)
{
	return a->op == b->op && a->ref == b->ref && a->nin == b->nin
		&& !memcmp(a->in, b->in, sizeof a->in)
		&& !memcmp(&a->attr, &b->attr, sizeof a->attr)
		&& type_equal(&a->type, &b->type);
}

/* The node, or an equal one that is there already.  An equal node of an earlier
 * stage serves as well; ids only grow, so it is never of a later one. */
static uint32_t
add_once(Canon *c, const Node *n)
{
	if (n->op == OP_carry || n->op == OP_rehash)
		return ir_add(c->g, n);
	size_t h = node_hash(n) & c->mask;
	for (; c->table[h]; h = (h + 1) & c->mask)
		if (node_equal(&c->g->nodes.at[c->table[h]], n))
			return c->table[h];
	return c->table[h] = ir_add(c->g, n);
}

/* ---- rewriting ---- */

static void
infer(Canon *c, Node *n)
{
	ShapeError e;
	if (!ir_infer(c->g, n, &e))
		die("canonicalize", "%s: %s", op_info[n->op].name, e.text);
}

/* A dense copy of node `x`, of type `dtype`. */
static uint32_t
add_copy(Canon *c, uint32_t x, const Node *like)
{
	Node n = {.op = OP_copy, .stage = like->stage, .nin = 1, .in = {x},
		.type = c->g->nodes.at[x].type, .site = like->site};
	return add_once(c, &n);
}

/* x * 1, x + 0 and copies that change nothing are x. */
static bool
is_identity(const Graph *g, const Node *n)
{
	if (!n->nin || !type_equal(&n->type, &g->nodes.at[n->in[0]].type))
		return false;
	bool number = n->nin < 2 || !n->in[1];
	switch (n->op) {
	case OP_mul: return number && n->attr.scalar == 1;
	case OP_div: return number && n->attr.scalar == 1 && !n->attr.reversed;
	case OP_resize:
	case OP_expand: return true;
	default: return false;
	}
}

/* softmax over one key is 1: the result is v, the same for every query.  It
 * stays narrow (without the queries' axes) as long as its users broadcast. */
static uint32_t
one_key(Canon *c, const Node *n)
{
	uint32_t v = n->in[2];
	for (int a = 0; a < AXIS_MAX; a++) {
		const Type *t = &c->g->nodes.at[v].type;
		if (!(n->attr.over >> a & 1) || !(t->axes >> a & 1))
			continue;
		Node at = {.op = OP_at, .stage = n->stage, .nin = 1, .in = {v},
			.attr = {.axis = (uint8_t)a, .end = -1}, .site = n->site};
		infer(c, &at);
		v = add_once(c, &at);
	}
	return v;
}

static bool
has_one_key(const Graph *g, const Node *n)
{
	const Type *k = &g->nodes.at[n->in[1]].type;
	for (int a = 0; a < AXIS_MAX; a++)
		if ((n->attr.over >> a & 1) && k->n[a] > 1)
			return false;
	return true;
}

/* Whether an op computes the same from an operand that lacks an axis. */
static bool
broadcasts(const Node *n, int operand)
{
	return op_info[n->op].in[operand].rule == RULE_EACH
		|| n->op == OP_linear;
}

/* Operands that became narrower than the op was made for: the op becomes
 * narrow too, or they are expanded again. */
static void
widen_operands(Canon *c, Node *n, const Node *was)
{
	for (int k = 0; k < n->nin; k++) {
		/* a carry's next is not rewritten yet: its id is an old one */
		if (!n->in[k] || (n->op == OP_carry && k == 1))
			continue;
		const Type *want = &c->old[was->in[k]].type;
		const Type *have = &c->g->nodes.at[n->in[k]].type;
		if (want->axes == have->axes || (broadcasts(n, k)
			&& !(op_info[n->op].flags & OPF_VIEW)
			&& n->op != OP_carry && n->op != OP_copy))
			continue;
		Node e = {.op = OP_expand, .stage = n->stage, .nin = 1,
			.in = {n->in[k]}, .type = *want, .site = n->site};
		e.type.dtype = have->dtype;
		n->in[k] = add_once(c, &e);
	}
}

/* Whether the op works over an axis along which the operand is only repeated:
 * kernels walk such axes. */
static bool
walks_repeated(const Graph *g, const Node *n, int k, const Ref *r)
{
	AxisSet has = g->nodes.at[n->in[k]].type.axes;
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!(has >> a & 1) || r->axis[a] >= 0)
			continue;
		AxisClass class = ops_axis(n->op, &n->attr, k, has, a);
		if ((n->attr.over >> a & 1) || class == AX_WINDOW
			|| class == AX_WHOLE)
			return true;
	}
	return false;
}

/* Operands that cannot be addressed in place are copied. */
static void
copy_operands(Canon *c, Node *n)
{
	for (int k = 0; k < n->nin; k++) {
		uint32_t x = n->in[k];
		if (!x || n->op == OP_rehash || n->op == OP_carry)
			continue;
		Ref part[2];
		int parts = ref_resolve(c->g, x, part);
		bool view = op_info[n->op].flags & OPF_VIEW;
		bool ok = parts == 1 || (parts == 2 && !view
			&& op_info[n->op].in[k].parts);
		for (int j = 0; ok && !view && j < parts; j++)
			ok = !walks_repeated(c->g, n, k, &part[j]);
		if (n->op == OP_merge)
			ok = is_root(c->g, x);
		/* weights are loaded for operands that are one part */
		if (n->op == OP_join && parts == 1)
			ok = c->g->nodes.at[part[0].root].op != OP_weight;
		if (!ok)
			n->in[k] = add_copy(c, x, n);
	}
}

static uint32_t
canon_node(Canon *c, const Node *was)
{
	Node n = *was;
	for (int k = 0; k < n.nin; k++)
		if (n.op != OP_carry || k == 0)
			n.in[k] = c->map[n.in[k]];
	if (n.op == OP_attend && has_one_key(c->g, &n))
		return one_key(c, &n);
	widen_operands(c, &n, was);
	copy_operands(c, &n);
	if (n.op != OP_carry)
		infer(c, &n);
	if (is_identity(c->g, &n))
		return n.in[0];
	return add_once(c, &n);
}

/* ---- places of outputs and carried values ---- */

/* Whether a node's buffer can be an output's or a carried value's own. */
static bool
owns_result(const Graph *g, uint32_t id)
{
	return !(op_info[g->nodes.at[id].op].flags & (OPF_LEAF | OPF_VIEW));
}

static uint32_t
count_roles(const Graph *g, uint32_t id)
{
	uint32_t n = 0;
	for (size_t i = 0; i < g->outputs.n; i++)
		n += g->outputs.at[i].node == id;
	for (size_t i = 1; i < g->nodes.n; i++)
		if (g->nodes.at[i].op == OP_carry)
			for (int k = 0; k < 2; k++)
				n += g->nodes.at[i].in[k] == id;
	return n;
}

/* ---- a carried value lives in one place: what enters and what leaves a step
 * are written there.  They must be results that no one else claims, the step's
 * may only be written when the old value has been read for the last time, and
 * what entered is gone then. ---- */

static bool
resolves_to(const Graph *g, uint32_t id, uint32_t root)
{
	Ref part[2];
	int parts = id ? ref_resolve(g, id, part) : 0;
	for (int j = 0; j < parts; j++)
		if (part[j].root == root)
			return true;
	return false;
}

/* Whether a node later than `from`, of the loop and up to stage `last`, reads
 * `root`. */
static bool
read_after(const Graph *g, uint32_t root, uint32_t from, Stage last)
{
	for (size_t i = from + 1; i < g->nodes.n; i++) {
		const Node *n = &g->nodes.at[i];
		if (n->stage < ST_LOOP || n->stage > last || n->op == OP_carry)
			continue;
		for (int k = 0; k < n->nin; k++)
			if (resolves_to(g, n->in[k], root))
				return true;
	}
	return false;
}

/* Whether `next` reads the carry otherwise than element by element in its
 * place; what fuse may draw into it counts, too. */
static bool
reads_elsewhere(const Graph *g, uint32_t carry, uint32_t next)
{
	const Node *n = &g->nodes.at[next];
	for (int k = 0; k < n->nin; k++) {
		uint32_t x = n->in[k];
		const Node *from = &g->nodes.at[x];
		if (resolves_to(g, x, carry)
			&& (x != carry || !op_info[n->op].in[k].inplace))
			return true;
		if (from->op != OP_linear && from->op != OP_conv
			&& from->op != OP_norm_apply)
			continue;
		for (int i = 0; i < from->nin; i++)
			if (resolves_to(g, from->in[i], carry))
				return true;
	}
	return false;
}

/* Whether the carry's init (k 0) or next (k 1) may be made in its place. */
static bool
may_share(const Graph *g, uint32_t carry, int k)
{
	const Node *n = &g->nodes.at[carry], *x = &g->nodes.at[n->in[k]];
	if (!owns_result(g, n->in[k]) || x->stage != (k ? ST_LOOP : ST_BEFORE)
		|| count_roles(g, n->in[k]) != 1
		|| x->type.dtype != n->type.dtype)
		return false;
	return k ? !read_after(g, carry, n->in[k], ST_LOOP)
			&& !reads_elsewhere(g, carry, n->in[k])
		: !read_after(g, n->in[k], n->in[k], ST_AFTER);
}

/* A copy at the end of the stage: graphs are in program order, so it is made by
 * a rewrite that appends behind the last node of the stage. */
typedef struct Wanted {
	uint32_t after, node;
	Stage stage;
	uint32_t copy;          /* result */
} Wanted;

static void
apply_copies(Graph *g, Arena *a, Wanted *want, size_t n)
{
	uint32_t *to = arena_array(a, g->nodes.n, sizeof *to);
	Node *old = arena_array(a, g->nodes.n, sizeof *old);
	size_t count = g->nodes.n;
	memcpy(old, g->nodes.at, count * sizeof *old);
	g->nodes.n = 1;
	for (size_t i = 1; i < count; i++) {
		Node node = old[i];
		for (int k = 0; k < node.nin; k++)
			if (node.op != OP_carry || k == 0)
				node.in[k] = to[node.in[k]];
		to[i] = ir_add(g, &node);
		for (size_t j = 0; j < n; j++) {
			if (want[j].after != i)
				continue;
			uint32_t x = to[want[j].node];
			Node copy = {.op = OP_copy, .stage = (uint8_t)want[j].stage,
				.nin = 1, .in = {x}, .type = g->nodes.at[x].type,
				.site = old[want[j].node].site};
			want[j].copy = ir_add(g, &copy);
		}
	}
	for (size_t i = 1; i < g->nodes.n; i++)
		if (g->nodes.at[i].op == OP_carry)
			g->nodes.at[i].in[1] = to[g->nodes.at[i].in[1]];
	for (size_t i = 0; i < g->outputs.n; i++)
		g->outputs.at[i].node = to[g->outputs.at[i].node];
}

static uint32_t
last_of_stage(const Graph *g, Stage stage)
{
	uint32_t last = 0;
	for (size_t i = 1; i < g->nodes.n; i++)
		if (g->nodes.at[i].stage <= stage)
			last = (uint32_t)i;
	return last;
}

/* Gives every carry's init and next a result of its own. */
static void
own_carries(Program *p)
{
	Graph *g = p->graph;
	Vec(Wanted) want = {0};
	Vec(uint32_t) slot = {0};       /* carry * 2 + operand, before renumbering */
	for (size_t i = 1; i < g->nodes.n; i++) {
		const Node *n = &g->nodes.at[i];
		if (n->op != OP_carry)
			continue;
		for (int k = 0; k < 2; k++) {
			uint32_t x = n->in[k];
			Stage s = k ? ST_LOOP : ST_BEFORE;
			if (may_share(g, (uint32_t)i, k))
				continue;
			*vec_push(&want) = (Wanted){last_of_stage(g, s), x, s, 0};
			*vec_push(&slot) = (uint32_t)i * 2 + (uint32_t)k;
		}
	}
	/* carries keep their order, so the j-th carry stays the j-th */
	Vec(uint32_t) carries = {0};
	for (size_t i = 1; i < g->nodes.n; i++)
		if (g->nodes.at[i].op == OP_carry)
			*vec_push(&carries) = (uint32_t)i;
	apply_copies(g, p->arena, want.at, want.n);
	size_t j = 0;
	for (size_t i = 1; i < g->nodes.n; i++) {
		if (g->nodes.at[i].op != OP_carry)
			continue;
		for (size_t k = 0; k < want.n; k++)
			if (slot.at[k] / 2 == carries.at[j])
				g->nodes.at[i].in[slot.at[k] % 2] = want.at[k].copy;
		j++;
	}
	vec_free(&want);
	vec_free(&slot);
	vec_free(&carries);
}

/* Gives every output a result of its own. */
static void
own_outputs(Program *p)
{
	Graph *g = p->graph;
	Vec(Wanted) want = {0};
	Vec(size_t) which = {0};
	for (size_t i = 0; i < g->outputs.n; i++) {
		uint32_t x = g->outputs.at[i].node;
		bool step = g->outputs.at[i].per_step;
		if (owns_result(g, x) && count_roles(g, x) == 1 && !step)
			continue;
		Stage s = step ? ST_LOOP : ST_AFTER;
		*vec_push(&want) = (Wanted){last_of_stage(g, s), x, s, 0};
		*vec_push(&which) = i;
	}
	apply_copies(g, p->arena, want.at, want.n);
	for (size_t i = 0; i < want.n; i++)
		g->outputs.at[which.at[i]].node = want.at[i].copy;
	vec_free(&want);
	vec_free(&which);
}

/* needs: a graph from the language.
 * makes: every operand of an instruction resolves (ref_resolve) to one part, or
 * two where the row allows it; outputs and carried values own their results.
 * keeps: values bit for bit. */
void
pass_canonicalize(Program *p)
{
	Graph *g = p->graph;
	Canon c = {.g = g, .n = g->nodes.n};
	c.old = arena_array(p->arena, c.n, sizeof *c.old);
	memcpy(c.old, g->nodes.at, c.n * sizeof *c.old);
	c.map = arena_array(p->arena, c.n, sizeof *c.map);
	for (c.mask = 1023; c.mask < 8 * c.n; c.mask = c.mask * 2 + 1)
		;
	c.table = arena_array(p->arena, c.mask + 1, sizeof *c.table);
	g->nodes.n = 1;
	for (size_t i = 1; i < c.n; i++)
		c.map[i] = canon_node(&c, &c.old[i]);
	for (size_t i = 1; i < g->nodes.n; i++)
		if (g->nodes.at[i].op == OP_carry)
			g->nodes.at[i].in[1] = c.map[g->nodes.at[i].in[1]];
	for (size_t i = 0; i < g->outputs.n; i++)
		g->outputs.at[i].node = c.map[g->outputs.at[i].node];
	ir_sweep(g, NULL);
	own_carries(p);
	own_outputs(p);
}
