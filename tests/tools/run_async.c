/* run_async.c - runs a plan on a device that is behind (async_device.h):
 *
 *   run_async PLAN WEIGHTS IN OUT [eager|lazy|random]
 *
 * as `sluice run PLAN --weights WEIGHTS --in IN --out OUT` would.
 */
#include "tests/lib/async_device.h"
#include "vm/gates/gates.h"
#include "vm/inputs.h"
#include "vm/vm.h"

static char err[4096];

static void
must(int code, const char *what)
{
	if (code == EXIT_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, err);
	exit(code);
}

static void
write_outputs(Arena *a, const Plan *p, Vm *vm, const char *path)
{
	TensorOut *out = arena_array(a, p->n_outputs, sizeof *out);
	for (uint32_t i = 0; i < p->n_outputs; i++) {
		void *data = port_read(a, vm, &p->outputs[i]);
		if (!data || !port_tensor(p, &p->outputs[i], data, &out[i]))
			exit(EXIT_PLAN);
	}
	must(tensors_write(path, out, p->n_outputs, err), path);
}

int
main(int argc, char **argv)
{
	static const char *const modes[] = {"eager", "lazy", "random"};
	Arena a = {0};
	TensorSet set = {.arena = &a};
	PlanError e;
	int code;
	if (argc < 5) {
		fprintf(stderr, "usage: run_async PLAN WEIGHTS IN OUT [WHEN]\n");
		return EXIT_USAGE;
	}
	for (int i = 0; argc > 5 && i < 3; i++)
		if (!strcmp(argv[5], modes[i]))
			async_when = (AsyncWhen)i;
	Plan *p = plan_load(&a, argv[1], false, &e, &code);
	if (!p) {
		fprintf(stderr, "%s\n", e.text);
		return code;
	}
	WeightSource *w = weights_open(&a, p, argv[2], NULL, 0, true, &code, err,
		sizeof err);
	must(code, argv[2]);
	must(tensors_open(&set, argv[3], err), argv[3]);
	VmOptions o = {.device = &device_async, .threads = 1,
		.check_finite_step = true};
	Vm *vm = vm_open(p, &o);
	code = vm_bind(vm, w);
	if (code == EXIT_OK)
		must(inputs_fill(p, vm, &set, 0, err, sizeof err), argv[3]);
	if (code == EXIT_OK)
		code = vm_run(vm);
	snprintf(err, sizeof err, "%s", vm_error(vm));
	must(code, argv[1]);
	write_outputs(&a, p, vm, argv[4]);
	vm_close(vm);
	weights_close(w);
	tensors_close(&set);
	arena_free(&a);
	return EXIT_OK;
}
