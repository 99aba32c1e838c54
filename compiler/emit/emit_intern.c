/* emit_intern.c - sections that hold each record once: strings, attributes and
 * debug entries, found by a hash table with open addressing.
 */
#include "compiler/emit/emit.h"

#include <string.h>
#include <xxhash.h>

enum { SLOTS_FIRST = 256 };

/* The slot of an entry with these bytes, or the empty one where it would be. */
static InternSlot *
find_slot(const Intern *t, uint32_t hash, const char *base, size_t n,
	const void *key, size_t bytes)
{
	size_t i = hash & (t->size - 1);
	for (; t->slot[i].at; i = (i + 1) & (t->size - 1)) {
		size_t at = t->slot[i].at - 1;
		if (t->slot[i].hash == hash && bytes <= n - at
			&& !memcmp(base + at, key, bytes))
			break;
	}
	return &t->slot[i];
}

/* At most half of the slots are in use. */
static void
grow(Arena *a, Intern *t)
{
	Intern old = *t;
	t->size = old.size ? 2 * old.size : SLOTS_FIRST;
	t->slot = arena_array(a, t->size, sizeof *t->slot);
	for (size_t k = 0; k < old.size; k++) {
		size_t i = old.slot[k].hash & (t->size - 1);
		if (!old.slot[k].at)
			continue;
		while (t->slot[i].at)
			i = (i + 1) & (t->size - 1);
		t->slot[i] = old.slot[k];
	}
}

bool
intern(Arena *a, Intern *t, const void *base, size_t n, const void *key,
	size_t bytes, size_t *at)
{
	if (2 * t->used >= t->size)
		grow(a, t);
	uint32_t hash = (uint32_t)XXH3_64bits(key, bytes);
	InternSlot *s = find_slot(t, hash, base, n, key, bytes);
	bool found = s->at != 0;
	if (!found) {
		*s = (InternSlot){(uint32_t)n + 1, hash};
		t->used++;
	}
	*at = s->at - 1;
	return found;
}

uint32_t
emit_string(Emitter *e, const char *s)
{
	size_t n = strlen(s) + 1, at;
	if (n == 1)
		return 0;
	if (!intern(e->p->arena, &e->string_set, e->strings.at, e->strings.n,
		s, n, &at))
		for (size_t i = 0; i < n; i++)
			*vec_push(&e->strings) = s[i];
	return (uint32_t)at;
}

uint32_t
emit_attr(Emitter *e, const Attr *a)
{
	size_t at;
	if (!intern(e->p->arena, &e->attr_set, e->attrs.at,
		e->attrs.n * sizeof *a, a, sizeof *a, &at))
		*vec_push(&e->attrs) = *a;
	return (uint32_t)(at / sizeof *a);
}

uint32_t
emit_debug_entry(Emitter *e, const PlanDebug *d)
{
	size_t at;
	if (!intern(e->p->arena, &e->debug_set, e->debugs.at,
		e->debugs.n * sizeof *d, d, sizeof *d, &at))
		*vec_push(&e->debugs) = *d;
	return (uint32_t)(at / sizeof *d);
}
