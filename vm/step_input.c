/* step_input.c - inputs that are filled anew before each denoising step: the
 * fresh noise of samplers that want some.
 */
#include "vm/vm_private.h"
#include "ir/base/philox.h"

#include <string.h>

enum { CHUNK = 4096 };          /* deviates made at a time, a multiple of 4 */

void
step_inputs_find(Vm *vm)
{
	const Plan *p = vm->plan;
	vm->step_input = arena_array(&vm->host, p->n_inputs + 1,
		sizeof *vm->step_input);
	for (uint32_t i = 0; i < p->n_inputs; i++)
		if (p->inputs[i].per_step)
			vm->step_input[vm->n_step_input++].port = &p->inputs[i];
}

void
vm_step_input(Vm *vm, const char *name, const float *rows, uint64_t seed)
{
	for (size_t i = 0; i < vm->n_step_input; i++)
		if (!strcmp(vm->plan->strings + vm->step_input[i].port->name,
				name)) {
			vm->step_input[i].rows = rows;
			vm->step_input[i].seed = seed;
		}
}

static void
fill_one(Vm *vm, const StepInput *s, int64_t step)
{
	const Plan *p = vm->plan;
	uint64_t stream = philox_stream(p->strings + s->port->name)
		+ (uint64_t)step;
	int64_t at = p->buffers[s->port->buffer].offset, n = 1;
	float normal[CHUNK];
	for (int a = 0; a < AXIS_MAX; a++)
		if (s->port->axes >> a & 1)
			n *= s->port->n[a];
	for (int64_t i = 0; i < n; i += CHUNK) {
		const float *from = s->rows ? s->rows + step * n + i : normal;
		int64_t count = min64(CHUNK, n - i);
		if (!s->rows)
			philox_normal_from(s->seed, stream, i, normal, count);
		vm->on->write(vm->device, at + i * (int64_t)sizeof *from, from,
			count * (int64_t)sizeof *from);
	}
}

void
step_inputs_fill(Vm *vm, int64_t step)
{
	for (size_t i = 0; i < vm->n_step_input; i++)
		fill_one(vm, &vm->step_input[i], step);
}
