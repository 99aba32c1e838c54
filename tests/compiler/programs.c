/* programs.c - random programs in the language, compiled for every goal and run
 * on generated weights: the bits of the result do not depend on loops, order,
 * places, or on when weights are loaded, nor on how far the device is behind.
 * Memory is poisoned where values die, and the arena that was used is the one
 * that was planned.
 *
 *   programs [COUNT [SEED]]      more of them, by hand
 */
#include "compiler/compiler.h"
#include "ir/base/philox.h"
#include "tests/lib/async_device.h"
#include "tests/lib/random_source.h"
#include "tests/lib/test.h"
#include "vm/vm.h"

/* ---- compiling and running ---- */

typedef struct Kind {
	DType dtype;
	int steps;              /* of the denoising loop; 0: there is none */
	bool latents;           /* of each step are put out */
	bool rare;
} Kind;

typedef struct Outcome {
	char *bytes;            /* of all outputs */
	size_t n;
	int64_t height;
	uint32_t groups;
} Outcome;

static int64_t groups, streamed, in_place, deaf_differs;

static Plan *
compile(Arena *a, const char *path, const Kind *kind, SliceGoal goal,
	int64_t budget)
{
	Plan *plan = NULL;
	CompileOptions o = {.lang = {.path = path, .dtype = kind->dtype,
			.model = kind->steps ? "loop" : "random",
			.keep_latents = kind->latents},
		.goal = goal, .budget = budget, .threads = 2};
	int code = compile_source(a, &o, &plan);
	CHECK(code == EXIT_OK, "compiling for goal %d: exit code %d", (int)goal,
		code);
	return code == EXIT_OK ? plan : NULL;
}

static void
count_plan(const Plan *p)
{
	groups += p->n_groups;
	for (uint32_t i = 0; i < p->n_code; i++)
		streamed += p->code[i].op == CTL_load
			&& (p->code[i + 1].op != CTL_wait
				|| p->code[i + 1].a != p->code[i].a);
	for (uint32_t i = 0; i < p->n_buffers; i++)
		for (uint32_t k = 0; k < i; k++)
			in_place += p->buffers[i].offset == p->buffers[k].offset
				&& p->buffers[i].first <= p->buffers[k].last
				&& p->buffers[k].first <= p->buffers[i].last;
}

static size_t
port_size(const PlanPort *port)
{
	size_t n = (size_t)dtype_bytes((DType)port->dtype);
	for (int k = 0; k < AXIS_MAX; k++)
		n *= port->axes >> k & 1 ? (size_t)port->n[k] : 1;
	return n;
}

static int
fill_inputs(Arena *a, const Plan *p, Vm *vm)
{
	int code = EXIT_OK;
	for (uint32_t i = 0; code == EXIT_OK && i < p->n_inputs; i++) {
		const PlanPort *port = &p->inputs[i];
		int64_t n = (int64_t)port_size(port)
			/ dtype_bytes((DType)port->dtype);
		float *noise = arena_array(a, (size_t)n, sizeof *noise);
		void *x = arena_array(a, (size_t)n, sizeof *noise);
		philox_normal(7, philox_stream(p->strings + port->name), noise,
			n);
		convert((DType)port->dtype, x, DT_F32, noise, n);
		code = vm_write_input(vm, port, 0, x, n);
	}
	return code;
}

static void
read_outputs(Arena *a, const Plan *p, Vm *vm, Outcome *out)
{
	size_t at = 0;
	for (uint32_t i = 0; i < p->n_outputs; i++)
		out->n += port_size(&p->outputs[i]);
	out->bytes = arena_alloc(a, out->n);
	for (uint32_t i = 0; i < p->n_outputs; i++) {
		const PlanPort *port = &p->outputs[i];
		size_t n = port_size(port);
		vm_read_output(vm, port, 0, out->bytes + at,
			(int64_t)n / dtype_bytes((DType)port->dtype));
		at += n;
	}
}

/* Runs the plan on a device, NULL: the plan's own. */
static void
run(Arena *a, const Plan *p, const DeviceTable *device, Outcome *out)
{
	VmOptions o = {.device = device, .threads = 2, .poison = true};
	Vm *vm = vm_open(p, &o);
	int code = vm_bind(vm, weights_generated(a, p, 1));
	if (code == EXIT_OK)
		code = fill_inputs(a, p, vm);
	code = code == EXIT_OK ? vm_run(vm) : code;
	CHECK(code == EXIT_OK, "%s", vm_error(vm));
	read_outputs(a, p, vm, out);
	CHECK(vm_times(vm)->measured_peak_bytes == p->head.arena_bytes,
		"planned %lld, measured %lld", (long long)p->head.arena_bytes,
		(long long)vm_times(vm)->measured_peak_bytes);
	vm_close(vm);
}

/* On a device that is behind; one that waits for nothing shows that it would
 * be noticed. */
static void
run_behind(Arena *a, const Plan *p, const Outcome *want)
{
	for (int when = ASYNC_EAGER; when <= ASYNC_RANDOM; when++) {
		Outcome got = {0};
		async_when = (AsyncWhen)when;
		run(a, p, &device_async, &got);
		CHECK(got.n == want->n && !memcmp(got.bytes, want->bytes,
			got.n), "other bits on a device that is behind (%d)",
			when);
	}
	Outcome deaf = {0};
	async_when = ASYNC_LAZY;
	async_deaf = true;
	run(a, p, &device_async, &deaf);
	async_deaf = false;
	deaf_differs += memcmp(deaf.bytes, want->bytes, deaf.n) != 0;
}

static bool
outcome(Arena *a, const char *path, const Kind *kind, SliceGoal goal,
	int64_t budget, Outcome *out)
{
	Plan *p = compile(a, path, kind, goal, budget);
	if (!p)
		return false;
	*out = (Outcome){.height = p->head.arena_bytes, .groups = p->n_groups};
	count_plan(p);
	run(a, p, NULL, out);
	run_behind(a, p, out);
	return true;
}

/* Goals between the smallest plan and the one without loops. */
static void
try_budgets(Arena *a, const char *path, const Kind *kind, const Outcome *plain,
	const Outcome *least)
{
	int tries = kind->rare ? 6 : 3;
	for (int i = 0; i < tries; i++) {
		Outcome other;
		int64_t budget = least->height + (plain->height - least->height)
			* i / tries;
		SliceGoal goal = i + 1 < tries ? SLICE_BUDGET : SLICE_DEFAULT;
		if (!outcome(a, path, kind, goal, budget, &other))
			continue;
		CHECK(!memcmp(plain->bytes, other.bytes, plain->n),
			"budget %lld has other bits", (long long)budget);
		CHECK(goal != SLICE_BUDGET || other.height <= budget);
	}
}

static Kind
pick_kind(bool rare)
{
	static const DType types[] = {DT_F32, DT_F32, DT_F16, DT_BF16};
	Kind k = {.rare = rare};
	k.steps = pick(3) ? 0 : 1 + (int)pick(4);
	k.dtype = types[pick(4)];
	k.latents = rare && k.steps && pick(2);
	return k;
}

/* Every other program has ops that are seldom in models. */
static void
try_program(uint64_t seed, const char *path)
{
	Arena a = {0};
	Source *s = arena_alloc(&a, sizeof *s);
	Outcome plain, least;
	int before = test_bad;
	state = seed;
	Kind kind = pick_kind(seed % 2);
	make_source(s, kind.steps, kind.rare);
	write_source(s, path);
	if (outcome(&a, path, &kind, SLICE_NONE, 0, &plain)
		&& outcome(&a, path, &kind, SLICE_LEAST, 0, &least)) {
		CHECK(plain.n == least.n && !memcmp(plain.bytes, least.bytes,
			plain.n), "the smallest plan has other bits");
		CHECK(least.height <= plain.height, "%lld, unsliced %lld",
			(long long)least.height, (long long)plain.height);
		try_budgets(&a, path, &kind, &plain, &least);
	}
	if (test_bad > before)
		printf("# seed %llu, %d steps, %s:\n%s", (unsigned long long)seed,
			kind.steps, dtype_name(kind.dtype), s->text);
	arena_free(&a);
}

/* Programs that found a fault once. */
static const uint64_t found[] = {
	6873,   /* one key, at an index of merged axes */
	2023,   /* a budget above the smallest plan's was refused */
};

int
main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 60;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	const char *build = getenv("BUILD");
	char path[512];
	snprintf(path, sizeof path, "%s/tests/programs.slu", build ? build
		: "build");
	test("programs: every goal gives the same bits");
	for (uint64_t i = 0; i < count; i++)
		try_program(first + i, path);
	for (size_t i = 0; argc == 1 && i < COUNT_OF(found); i++)
		try_program(found[i], path);
	printf("# %llu random programs, 5 or 8 plans each: %lld loops over slices, %lld "
		"loads beside kernels, %lld results in place, %lld plans "
		"notice a device that does not wait\n",
		(unsigned long long)count, (long long)groups,
		(long long)streamed, (long long)in_place,
		(long long)deaf_differs);
	CHECK(count < 20 || (groups > 0 && streamed > 0 && in_place > 0
		&& deaf_differs > 0));
	return test_end();
}
