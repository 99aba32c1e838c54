/* view.h - how a value is addressed in its root.
 *
 * Views make no bytes: a value that is a view of a view ... of a root is
 * addressed in the root's storage.
 */
#ifndef SLUICE_VIEW_H
#define SLUICE_VIEW_H

#include "ir/ir.h"

typedef struct Ref {
	uint32_t root;          /* node with a storage */
	int8_t axis[AXIS_MAX];  /* by the value's axis: the root's axis it walks,
	                           -1: none, it is repeated along it */
	int64_t shift[AXIS_MAX];        /* index in the root = index + shift */
	int64_t fix[AXIS_MAX];  /* by the root's axis: the one index that the
	                           value has there, -1: none */
	int64_t c;              /* channels of this part */
} Ref;
/* Fills 1 or (for a join) 2 parts; returns their number, 0 when the value
 * cannot be addressed so (it must be copied). */
int ref_resolve(const Graph *g, uint32_t node, Ref part[2]);
/* A node whose value has a place of its own: neither view nor join. */
bool is_root(const Graph *g, uint32_t node);

#endif
