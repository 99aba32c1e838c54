/* inputs.h - tensors to a plan's inputs, outputs to tensors. */
#ifndef SLUICE_INPUTS_H
#define SLUICE_INPUTS_H

#include "vm/vm.h"

/* Matches the plan's inputs against the set before anything is read: missing
 * ones (unless they are random, see input_is_random), other shapes (extents of
 * one do not count) and types.  EXIT_OK, or EXIT_WEIGHTS with all of them in
 * `err`. */
int inputs_match(const Plan *p, const TensorSet *set, char *err, size_t size);
/* Fills the bound Vm's inputs: from the set, else random ones from `seed`.  Of
 * an input that each step takes anew the set has [step, ...]; its rows are read
 * into the set's arena, which must last until the run has ended.  An exit code;
 * EXIT_NUMERICS for a NaN or infinity. */
int inputs_fill(const Plan *p, Vm *vm, const TensorSet *set, uint64_t seed,
	char *err, size_t size);
/* Whether --seed fills this input when no file does: f32 and named `noise` or
 * `..._noise`. */
bool input_is_random(const Plan *p, const PlanPort *port);
/* "[f=2, h=6, w=8, c=4]" */
char *port_shape(const Plan *p, const PlanPort *port, char *buf, size_t size);
int64_t port_elements(const PlanPort *port);
/* The whole of an output, in its own type, from the arena; NULL: it cannot be
 * read, vm_error() says why. */
void *port_read(Arena *a, Vm *vm, const PlanPort *port);
/* Port as a tensor with one dimension for each axis; false with more than
 * eight. */
bool port_tensor(const Plan *p, const PlanPort *port, const void *data,
	TensorOut *out);

#endif
