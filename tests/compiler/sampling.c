/* sampling.c - samplers through a plan: what a denoising loop leaves after each
 * step has the bits of the sampler's table, applied to the same noise in the
 * kernel's order; as seeded, the noise of each step is another, and the same in
 * every run.
 */
#include "compiler/compiler.h"
#include "ir/base/philox.h"
#include "tests/lib/test.h"
#include "vm/vm.h"

#include <math.h>

enum { N = 2 * 3 * 5 * 4, STEPS = 7, ROWS_MAX = STEPS + 1 };

/* The model is tanh-like: bounded, and of the time. */
static const char program[] =
	"model m(x: [f=2, h=3, w=5, c=4], t: f32[]) -> e {\n"
	"    return clamp(x, -2, 2) * 0.5 + t * 0.0003\n"
	"}\n"
	"pipeline p(noise: f32[f=2, h=3, w=5, c=4]) -> latent {\n"
	"    schedule = sampler(7) @scheduler\n"
	"    x = schedule.start(noise)\n"
	"    denoise s in schedule { x = s.update(x, m(s.scale(x), s.t) @unet) }\n"
	"    return x\n"
	"}\n";

static Arena arena;

static Plan *
compile(const Json *config, const Sampler *table, SliceGoal goal)
{
	Plan *p = NULL;
	LangConfig c = {"scheduler", "scheduler_config.json", config, false};
	CompileOptions o = {.lang = {.path = "p.slu", .text = program,
			.size = strlen(program), .model = "p", .dtype = DT_F32,
			.config = &c, .nconfig = config != NULL, .table = table,
			.keep_latents = true},
		.goal = goal, .threads = 2};
	int code = compile_source(&arena, &o, &p);
	CHECK(code == EXIT_OK, "exit code %d", code);
	return p;
}

/* ---- the table, applied ---- */

static float
model(float x, float t)
{
	float y = x < -2 ? -2 : x > 2 ? 2 : x;
	return y * 0.5f + t * 0.0003f;
}

/* The op's sum, left to right; in: x, e, h1 .. h4, noise. */
static float
row_sum(const SamplerRow *r, const double *q, const float *in)
{
	float z = (float)r->p0 * in[0] + (float)r->p1 * in[1];
	float clip = (float)r->clip;
	z = z < -clip ? -clip : z > clip ? clip : z;
	float sum = (float)q[COL_Z] * z + (float)q[COL_X] * in[0]
		+ (float)q[COL_E] * in[1];
	return sum;
}

/* The carried columns are those that any row uses. */
static float
row_apply(const Sampler *m, int64_t i, bool keep, const float *in)
{
	int column[SAMPLER_HISTORY + 1];
	const SamplerRow *r = &m->row[i];
	const double *q = keep ? r->keep : r->next;
	float sum = row_sum(r, q, in);
	int n = sampler_operands(m, keep, column);
	for (int k = 0; k < n; k++)
		sum += (float)q[column[k]] * in[column[k] - 1];
	return sum;
}

static float
start_of(const Sampler *m, float noise)
{
	return m->start == 1 ? noise : noise * (float)m->start;
}

/* latents[i]: after step i. */
static void
reference(const Sampler *m, const float *noise, const float *each,
	float (*latents)[N])
{
	for (int k = 0; k < N; k++) {
		float in[SAMPLER_COLS - 1] = {start_of(m, noise[k])};
		for (int64_t i = 0; i < m->rows; i++) {
			const SamplerRow *r = &m->row[i];
			float scaled = r->scale == 1 ? in[0]
				: in[0] * (float)r->scale;
			in[1] = model(scaled, (float)r->t);
			in[COL_NOISE - 1] = m->noise ? each[i * N + k] : 0;
			float first = row_apply(m, i, true, in);
			in[0] = latents[i][k] = row_apply(m, i, false, in);
			for (int h = SAMPLER_HISTORY - 1; h > 0; h--)
				in[COL_H - 1 + h] = in[COL_H - 2 + h];
			in[COL_H - 1] = first;
		}
	}
}

/* ---- the plan, run ---- */

static bool
run(const Plan *p, const float *noise, const float *each, uint64_t seed,
	float (*latents)[N])
{
	VmOptions o = {.threads = 2, .poison = true};
	Vm *vm = vm_open(p, &o);
	int code = vm_bind(vm, NULL);
	const PlanPort *x = vm_input(vm, "noise");
	const PlanPort *y = vm_output(vm, "latents");
	if (!code && x)
		code = vm_write_input(vm, x, 0, noise, N);
	vm_step_input(vm, "step_noise", each, seed);
	code = code ? code : vm_run(vm);
	CHECK(!code, "%s", vm_error(vm));
	if (!code && y)
		code = vm_read_output(vm, y, 0, latents, p->head.steps * N);
	vm_close(vm);
	return y && !code;
}

static bool
equal(const Sampler *m, float (*a)[N], float (*b)[N])
{
	for (int64_t i = 0; i < m->rows; i++)
		for (int k = 0; k < N; k++)
			if (memcmp(&a[i][k], &b[i][k], sizeof a[i][k])) {
				printf("# step %lld, element %d: %.9g, not %.9g\n",
					(long long)i, k, (double)a[i][k],
					(double)b[i][k]);
				return false;
			}
	return true;
}

/* By its config, or, when that is NULL, by its table. */
static void
try_rows(const Json *j, const Sampler *m)
{
	static float want[ROWS_MAX][N], got[ROWS_MAX][N], other[ROWS_MAX][N];
	static float noise[N], each[ROWS_MAX * N];
	const Sampler *table = j ? NULL : m;
	philox_normal(3, 1, noise, N);
	philox_normal(3, 2, each, ROWS_MAX * N);
	reference(m, noise, each, want);
	const SliceGoal goals[] = {SLICE_NONE, SLICE_DEFAULT, SLICE_LEAST};
	Plan *p = NULL;
	for (size_t i = 0; i < COUNT_OF(goals); i++) {
		p = compile(j, table, goals[i]);
		if (!p || !run(p, noise, each, 0, got))
			return;
		CHECK(p->head.steps == m->rows);
		CHECK(equal(m, got, want), "goal %zu", i);
	}
	if (!m->noise)
		return;
	/* of a seed: what philox says, step by step */
	for (int64_t i = 0; i < m->rows; i++)
		philox_normal(9, philox_stream("step_noise") + (uint64_t)i,
			each + i * N, N);
	reference(m, noise, each, want);
	CHECK(run(p, noise, NULL, 9, got) && equal(m, got, want));
	CHECK(run(p, noise, NULL, 10, other)
		&& memcmp(other[0], got[0], sizeof got[0]), "the seed is ignored");
}

static void
try_sampler(const char *config)
{
	char err[SAMPLER_ERR];
	JsonError e;
	const Json *j = json_parse(&arena, config, strlen(config), 8, &e);
	const Sampler *m = sampler_make(&arena, j, STEPS, err);
	test(config);
	CHECK(m, "%s", err);
	if (m)
		try_rows(j, m);
}

/* Rows of any numbers, with all the history and noise that there can be: more
 * than one instruction takes. */
static void
try_table(int history, bool noise)
{
	char name[80];
	float x[8 + 2 * SAMPLER_COLS];
	Sampler m = {.class_name = "random", .prediction = "epsilon",
		.high = 999, .steps = STEPS, .rows = STEPS, .history = history,
		.noise = noise, .start = 1.5};
	snprintf(name, sizeof name, "a table with %d carried values, %s noise",
		history, noise ? "with" : "no");
	test(name);
	m.row = arena_array(&arena, STEPS, sizeof *m.row);
	for (int64_t i = 0; i < STEPS; i++) {
		SamplerRow *r = &m.row[i];
		philox_normal(11, (uint64_t)i, x, (int64_t)COUNT_OF(x));
		r->t = (double)(900 - 100 * i);
		r->scale = 1 + 0.1 * (double)x[0];
		r->p0 = (double)x[1];
		r->p1 = (double)x[2];
		r->clip = 1;
		for (int c = 0; c < SAMPLER_COLS; c++) {
			bool there = c < COL_H + history && c < COL_H + i;
			if (!there && !(c == COL_NOISE && noise))
				continue;
			r->next[c] = 0.3 * (double)x[8 + c];
			r->keep[c] = 0.3 * (double)x[8 + SAMPLER_COLS + c];
		}
	}
	try_rows(NULL, &m);
}

/* ---- one latent of noise in the arena, however many steps ---- */

static void
test_bytes(void)
{
	const char config[] = "{\"_class_name\": "
		"\"EulerAncestralDiscreteScheduler\"}";
	JsonError e;
	test("the noise of all steps takes one latent");
	Plan *p = compile(json_parse(&arena, config, strlen(config), 8, &e),
		NULL, SLICE_NONE);
	int64_t bytes = 0;
	for (uint32_t i = 0; p && i < p->n_inputs; i++)
		if (p->inputs[i].per_step)
			bytes += p->buffers[p->inputs[i].buffer].bytes;
	CHECK(bytes == (int64_t)(N * sizeof(float)), "%lld", (long long)bytes);
}

#define CLASS(name, more) "{\"_class_name\": \"" name "\"" more "}"
#define SDE ", \"algorithm_type\": \"sde-dpmsolver++\""

static const char *const configs[] = {
	CLASS("DDIMScheduler", ""),
	CLASS("DDIMScheduler", ", \"clip_sample\": false"),
	CLASS("EulerDiscreteScheduler", ""),
	CLASS("EulerAncestralDiscreteScheduler", ""),
	CLASS("DPMSolverMultistepScheduler", ""),
	CLASS("DPMSolverMultistepScheduler", SDE),
	CLASS("DPMSolverMultistepScheduler", SDE ", \"solver_order\": 3"),
	CLASS("PNDMScheduler", ", \"skip_prk_steps\": true"),
	CLASS("UniPCMultistepScheduler", ""),
	CLASS("UniPCMultistepScheduler", ", \"solver_order\": 3"),
	CLASS("DDPMScheduler", ""),
	CLASS("LCMScheduler", ", \"clip_sample\": true"),
};

int
main(void)
{
	for (size_t i = 0; i < COUNT_OF(configs); i++)
		try_sampler(configs[i]);
	for (int history = 1; history <= SAMPLER_HISTORY; history++) {
		try_table(history, false);
		try_table(history, true);
	}
	test_bytes();
	arena_free(&arena);
	return test_end();
}
