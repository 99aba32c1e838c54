/* check_owner.c - which buffer wrote each byte of the arena last.
 *
 * For each buffer the bytes that it owns are a short list of boxes.  All writes
 * go to a log; a buffer takes away what others wrote on its bytes when it is
 * next looked at (`settle`), so that a write costs the same however many dead
 * buffers lie below it.
 */
#include "check.h"

static bool
too_irregular(Check *c, uint32_t buffer)
{
	char at[256];
	check_where(c, at, sizeof at);
	return check_complain(c, C_COST, "%s: the views of buffer '%s' are too "
		"irregular", at, check_name(c, buffer));
}

/* ---- who owns what ---- */

/* The set in the buffer's coordinates, in c->boxes (or `out`). */
static bool
to_boxes(const Check *c, uint32_t buffer, const Strided *s, BoxList *out)
{
	const PlanBuffer *b = &c->p->buffers[buffer];
	Strided inside = *s;
	inside.base -= b->offset;
	out->n = 0;
	return frame_boxes(&c->owner[buffer].frame, &inside, b->bytes,
		BOXES_MAX, out);
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
		(void)check_place(c->p, w->view, r, &place);
	}
	if (!to_boxes(c, buffer, &place.bytes, &c->foreign)) {
		o->owned.n = 0; /* owning less is the safe side */
		return;
	}
	for (size_t i = 0; i < c->foreign.n; i++)
		boxes_remove(&o->frame, &o->owned, &c->foreign.at[i]);
}

bool
check_meets(const Check *c, const Write *w, uint32_t buffer)
{
	const PlanBuffer *b = &c->p->buffers[buffer];
	return w->first < b->offset + b->bytes && b->offset < w->end;
}

/* Whether any other buffer that shares bytes with this one was written since
 * it was settled. */
static bool
neighbours_wrote(const Check *c, uint32_t buffer)
{
	const Plan *p = c->p;
	const PlanBuffer *b = &p->buffers[buffer];
	size_t since = c->owner[buffer].settled;
	for (uint32_t i = 0; i < p->n_buffers; i++)
		if (c->owner[i].last_write > since && i != buffer
			&& p->buffers[i].offset < b->offset + b->bytes
			&& b->offset < p->buffers[i].offset + p->buffers[i].bytes)
			return true;
	return false;
}

/* Takes away from a buffer what others wrote on its bytes.  `anew`: it is about
 * to be written, so what it owned long ago may be forgotten. */
static void
settle(Check *c, uint32_t buffer, bool anew)
{
	Owner *o = &c->owner[buffer];
	size_t n = c->log.n, age = n - o->settled;
	if (!o->owned.n || !age) {
		o->settled = n;
		return;
	}
	if (age > c->p->n_buffers && !neighbours_wrote(c, buffer)) {
		o->settled = n;
		return;
	}
	if (anew && age > FORGET)
		o->owned.n = 0;
	for (size_t i = o->settled; i < n && o->owned.n; i++) {
		const Write *w = &c->log.at[i];
		if (w->buffer != buffer && check_meets(c, w, buffer))
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
	settle(c, buffer, false);
	if (!to_boxes(c, buffer, bytes, &c->boxes))
		return too_irregular(c, buffer);
	for (size_t i = 0; i < c->boxes.n; i++)
		if (!boxes_cover(&o->frame, &o->owned, &c->boxes.at[i], &hole))
			return complain_hole(c, buffer, &hole, at_end);
	return true;
}

/* Settles all and begins the log anew. */
static void
cut_log(Check *c)
{
	for (uint32_t i = 0; i < c->p->n_buffers; i++)
		settle(c, i, false);
	for (uint32_t i = 0; i < c->p->n_buffers; i++)
		c->owner[i].settled = c->owner[i].last_write = 0;
	c->log.n = c->step_log = 0;
	c->log_cut = true;
}

static void
log_write(Check *c, Write w)
{
	for (int i = 0; i < PLAN_REGS; i++)
		w.r[i] = (uint32_t)c->r[i];
	*vec_push(&c->log) = w;
	c->owner[w.buffer].last_write = c->log.n;
	c->owner[w.buffer].ever = true;
	c->peak = max64(c->peak, w.end);
}

/* Whether the bytes are free of loads under way: those may be written at any
 * moment until they are waited for, whoever owns the bytes by the order of the
 * code. */
static bool
apart_from_loads(Check *c, uint32_t buffer, const Strided *bytes)
{
	int64_t end = strided_end(bytes);
	for (size_t i = 0; i < c->loading.n; i++) {
		uint32_t weight = c->loading.at[i];
		const PlanBuffer *b = &c->p->buffers[weight];
		Strided whole = {.base = b->offset, .run = b->bytes};
		char at[256];
		if (!c->owner[weight].loading || end <= b->offset
			|| bytes->base >= b->offset + b->bytes
			|| !strided_meet(bytes, &whole))
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
	if (c->boxes.n == 1)            /* written as a whole again */
		for (size_t i = o->owned.n; i--;)
			if (box_inside(&o->frame, &o->owned.at[i],
				&c->boxes.at[0]))
				o->owned.at[i] = o->owned.at[--o->owned.n];
	settle(c, buffer, true);
	for (size_t i = 0; i < c->boxes.n; i++)
		boxes_add(&o->frame, &o->owned, &c->boxes.at[i]);
	if (o->owned.n > BOXES_MAX)
		return too_irregular(c, buffer);
	log_write(c, (Write){bytes->base, strided_end(bytes), buffer, c->pc,
		view, {0}});
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
	Write w = {work->first, work->end, work->buffer, c->pc, work->view, {0}};
	for (int i = 0; i < PLAN_REGS; i++)
		w.r[i] = (uint32_t)c->r[i];
	settle(c, work->buffer, true);
	log_write(c, w);
	lose(c, work->buffer, &w);
	c->owner[work->buffer].settled = c->log.n;
	return true;
}
