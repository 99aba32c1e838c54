/* check_owner.c - which buffer wrote each byte of the arena last.
 *
 * For each buffer the bytes that it owns are a short list of boxes.  All writes
 * go to a log; a buffer takes away what others wrote on its bytes when it is
 * next looked at (`settle`), so that a write costs the same however many dead
 * buffers lie below it.
 */
#include "vm/gates/check.h"

static bool
too_irregular(Check *c, uint32_t buffer)
{
	char at[256];
	if (overspent(&c->cost))
		return check_cost(c);
	check_where(c, at, sizeof at);
	return check_complain(c, C_COST, "%s: the views of buffer '%.100s' are too "
		"irregular: more than %d boxes of bytes", at,
		check_name(c, buffer), BOXES_MAX);
}

/* ---- who owns what ---- */

/* The set in the buffer's coordinates, in c->boxes (or `out`). */
static bool
to_boxes(Check *c, uint32_t buffer, const Strided *s, BoxList *out)
{
	const PlanBuffer *b = &c->p->buffers[buffer];
	Strided inside = *s;
	inside.base -= b->offset;
	out->n = 0;
	return frame_boxes(&c->owner[buffer].frame, &inside, b->bytes,
		BOXES_MAX, out, &c->cost);
}

/* Takes what write `w` covers away from what `buffer` owns. */
static void
lose(Check *c, uint32_t buffer, const Write *w)
{
	Owner *o = &c->owner[buffer];
	Place place;
	if (w->view == PLAN_NONE) {
		place.bytes = (Strided){.base = w->first, .run = w->end - w->first};
	} else {
		int64_t r[PLAN_REGS];
		for (int i = 0; i < PLAN_REGS; i++)
			r[i] = w->r[i];
		(void)check_place(c, w->view, r, &place);
	}
	if (!to_boxes(c, buffer, &place.bytes, &c->foreign)) {
		o->owned.n = 0; /* owning less is the safe side */
		return;
	}
	for (size_t i = 0; i < c->foreign.n && !overspent(&c->cost); i++)
		boxes_remove(&o->frame, &o->owned, &c->foreign.at[i], &c->cost);
}

/* Whether a write meets the place of a buffer. */
static bool
meets(const Check *c, const Write *w, uint32_t buffer)
{
	const PlanBuffer *b = &c->p->buffers[buffer];
	return w->first < b->offset + b->bytes && b->offset < w->end;
}

/* Takes away what another buffer wrote on a buffer's bytes since log entry
 * `since`. */
static void
lose_to(Check *c, uint32_t buffer, uint32_t other, size_t since)
{
	const Owner *o = &c->owner[buffer];
	size_t at = c->owner[other].last_write;
	for (; at > since && o->owned.n && spend(&c->cost, 1);
		at = c->log.at[at - 1].before)
		if (meets(c, &c->log.at[at - 1], buffer))
			lose(c, buffer, &c->log.at[at - 1]);
}

/* Takes away from a buffer what others wrote on its bytes: looks through what is
 * fewer, the log or its neighbours.  (The order of the writes does not matter: its
 * own all came before.) */
static void
settle(Check *c, uint32_t buffer)
{
	Owner *o = &c->owner[buffer];
	size_t n = c->log.n, since = o->settled;
	bool by_buffer = n - since > o->neighbours;
	if (by_buffer && o->owned.n)
		near_each(c, buffer, lose_to, since);
	for (size_t i = since; !by_buffer && i < n && o->owned.n
		&& spend(&c->cost, 1); i++) {
		const Write *w = &c->log.at[i];
		if (w->buffer != buffer && meets(c, w, buffer))
			lose(c, buffer, w);
	}
	o->settled = n;
}

/* The last write of another buffer to byte x of the arena since `buffer` wrote
 * there; NULL: there is none.  *mine: `buffer` did write it.  (By hulls: good
 * enough for a message.) */
static const Write *
taken_by(const Check *c, uint32_t buffer, int64_t x, bool *mine)
{
	const Write *other = NULL;
	*mine = false;
	for (size_t i = c->log.n; i-- && !*mine;) {
		const Write *w = &c->log.at[i];
		if (x < w->first || x >= w->end)
			continue;
		*mine = w->buffer == buffer;
		if (!*mine && !other)
			other = w;
	}
	return other;
}

static bool
complain_hole(Check *c, uint32_t buffer, const Box *hole, bool at_end)
{
	const Frame *f = &c->owner[buffer].frame;
	int64_t first = box_first(f, hole), end = box_end(f, hole);
	bool mine;
	const Write *w = taken_by(c, buffer, c->p->buffers[buffer].offset + first,
		&mine);
	bool lost = mine && w;
	char at[256], by[96] = "";
	check_where(c, at, sizeof at);
	if (w && w->pc == PLAN_NONE)
		snprintf(by, sizeof by, ": those are of '%.60s'",
			check_name(c, w->buffer));
	else if (w)
		snprintf(by, sizeof by, ": '%.40s' took them at instruction %u",
			check_name(c, w->buffer), w->pc);
	if (at_end)
		return check_complain(c, lost ? C_FINAL : C_OUTPUT,
			"bytes [%lld, %lld) of output '%.60s'%s", (long long)first,
			(long long)end, check_name(c, buffer), by);
	return check_complain(c, lost ? C_LOST : C_READ,
		"%s reads bytes [%lld, %lld) of buffer '%.60s'%s", at,
		(long long)first, (long long)end, check_name(c, buffer), by);
}

bool
check_read(Check *c, uint32_t buffer, const Strided *bytes, bool at_end)
{
	Owner *o = &c->owner[buffer];
	Box hole;
	settle(c, buffer);
	if (!to_boxes(c, buffer, bytes, &c->boxes))
		return too_irregular(c, buffer);
	for (size_t i = 0; i < c->boxes.n && !overspent(&c->cost); i++)
		if (!boxes_cover(&o->frame, &o->owned, &c->boxes.at[i], &hole,
			&c->cost))
			return complain_hole(c, buffer, &hole, at_end);
	return true;
}

/* Settles all and begins the log anew. */
static void
cut_log(Check *c)
{
	for (uint32_t i = 0; i < c->p->n_buffers && spend(&c->cost, 1); i++)
		settle(c, i);
	for (uint32_t i = 0; i < c->p->n_buffers; i++)
		c->owner[i].settled = c->owner[i].last_write = 0;
	c->log.n = 0;
}

static void
log_write(Check *c, Write w)
{
	for (int i = 0; i < PLAN_REGS; i++)
		w.r[i] = (uint32_t)c->r[i];
	w.before = c->owner[w.buffer].last_write;
	if (c->log.n == c->log.cap && !spend_bytes(&c->cost,
		(int64_t)sizeof w * max64((int64_t)c->log.cap, 8)))
		return;
	*vec_push(&c->log) = w;
	c->owner[w.buffer].last_write = c->log.n;
	c->owner[w.buffer].ever = true;
	c->peak = max64(c->peak, w.end);
	if (w.view == PLAN_NONE || !c->by_step[w.view])
		steps_saw(c, w.first, w.end, true);
}

/* Whether the bytes are free of loads under way: those may be written at any
 * moment until they are waited for, whoever owns the bytes by the order of the
 * code. */
static bool
apart_from_loads(Check *c, uint32_t buffer, const Strided *bytes)
{
	int64_t end = strided_end(bytes);
	for (size_t i = 0; i < c->loading.n && spend(&c->cost, 1); i++) {
		const Loading *l = &c->loading.at[i];
		uint32_t weight = l->buffer;
		char at[256];
		if (end <= l->first || bytes->base >= l->end
			|| !c->owner[weight].loading)
			continue;
		Strided whole = {.base = l->first, .run = l->end - l->first};
		if (!strided_meet(bytes, &whole, &c->cost))
			continue;
		check_where(c, at, sizeof at);
		return check_complain(c, C_LOAD, "%s writes '%.60s' over weight "
			"'%.100s', which is being loaded", at,
			check_name(c, buffer), check_name(c, weight));
	}
	return true;
}

bool
check_write(Check *c, uint32_t buffer, uint32_t view, const Strided *bytes)
{
	Owner *o = &c->owner[buffer];
	if (!apart_from_loads(c, buffer, bytes))
		return false;
	if (!to_boxes(c, buffer, bytes, &c->boxes))
		return too_irregular(c, buffer);
	if (c->boxes.n == 1 && spend(&c->cost, (int64_t)o->owned.n))
		/* written as a whole again */
		for (size_t i = o->owned.n; i--;)
			if (box_inside(&o->frame, &o->owned.at[i],
				&c->boxes.at[0]))
				o->owned.at[i] = o->owned.at[--o->owned.n];
	settle(c, buffer);
	for (size_t i = 0; i < c->boxes.n && !overspent(&c->cost); i++)
		boxes_add(&o->frame, &o->owned, &c->boxes.at[i], &c->cost);
	if (o->owned.n > BOXES_MAX)
		return too_irregular(c, buffer);
	log_write(c, (Write){.first = bytes->base, .end = strided_end(bytes),
		.buffer = buffer, .pc = c->pc, .view = view});
	o->settled = c->log.n;
	if (c->log.n >= LOG_MAX)
		cut_log(c);
	return true;
}

/* Takes the bytes without giving them a value: a workspace's contents mean
 * nothing to anybody. */
bool
check_clobber(Check *c, const Place *work)
{
	if (!apart_from_loads(c, work->buffer, &work->bytes))
		return false;
	Write w = {.first = work->first, .end = work->end,
		.buffer = work->buffer, .pc = c->pc, .view = work->view};
	for (int i = 0; i < PLAN_REGS; i++)
		w.r[i] = (uint32_t)c->r[i];
	settle(c, work->buffer);
	log_write(c, w);
	lose(c, work->buffer, &w);
	c->owner[work->buffer].settled = c->log.n;
	return true;
}
