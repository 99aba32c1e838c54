/* allocation.c - counts what is allocated while a plan runs, which must be
 * nothing, and fails each allocation and each thread in turn, which must end
 * with exit code 7.
 *
 * The program's own malloc, mmap and pthread_create stand in front of the C
 * library's, for all libraries too.
 */
#include "compiler/compiler.h"
#include "compiler/generate/generate.h"
#include "compiler/cli/running.h"
#include "tests/lib/test.h"
#include "vm/gates/gates.h"
#include "compiler/cli/cli.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
int
main(void)
{
	puts("ok the sanitizer has malloc for itself: nothing to see here");
	return 0;
}
#else

/* ---- the counted allocator ---- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static atomic_long count, fail_at = -1;

/* Whether this allocation is the one that fails. */
static bool
fails(void)
{
	return atomic_fetch_add(&count, 1) == fail_at;
}

static void *
no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *
malloc(size_t n)
{
	return fails() ? no_memory() : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? no_memory() : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails() ? no_memory() : __libc_realloc(p, n);
}

void *
memalign(size_t align, size_t n)
{
	return fails() ? no_memory() : __libc_memalign(align, n);
}

void *
aligned_alloc(size_t align, size_t n)
{
	return memalign(align, n);
}

int
posix_memalign(void **p, size_t align, size_t n)
{
	void *got = memalign(align, n);
	if (got)
		*p = got;
	return got ? 0 : ENOMEM;
}

void *
mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	/* counted, but never refused: libxsmm does not look whether it got
	   memory for the code that it makes */
	bool refuse = fails() && !(prot & PROT_EXEC);
	if (refuse) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, at, n, prot, flags, fd, offset);
}

/* ---- the counted threads ---- */

static long threads, thread_fails = -1;

int
pthread_create(pthread_t *thread, const pthread_attr_t *attr,
	void *(*begin)(void *), void *arg)
{
	static int (*create)(pthread_t *, const pthread_attr_t *,
		void *(*)(void *), void *);
	if (!create)
		*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
	return threads++ == thread_fails ? EAGAIN
		: create(thread, attr, begin, arg);
}

/* ---- nothing is allocated while a plan runs ---- */

static Arena arena;
static char error[GENERATE_ERR];

static bool
no_progress(void *user, const VmProgress *p)
{
	(void)user;
	return p->fraction >= 0;
}

static void
run_counted(const Plan *p, WeightSource *w, Vm *vm)
{
	long before = count, threads_before = threads;
	int code = vm_run(vm);
	long after = count;
	CHECK(threads == threads_before, "%ld threads", threads);
	CHECK(code == EXIT_OK, "%d: %s", code, vm_error(vm));
	CHECK(after == before, "%ld allocations", after - before);
	CHECK(vm_times(vm)->measured_peak_bytes == p->head.arena_bytes,
		"%lld of %lld", (long long)vm_times(vm)->measured_peak_bytes,
		(long long)p->head.arena_bytes);
	vm_close(vm);
	weights_close(w);
}

/* A run file's pipeline, with the options that a run has at its worst. */
static void
count_pipeline(const char *path, const char *const *set, size_t n_set)
{
	RunFile run;
	Job job;
	Plan *p;
	JobInputs inputs;
	VmOptions o = {.threads = 2, .check_finite_step = true, .trace = true,
		.profile = true, .poison = true, .progress = no_progress};
	int code = runfile_read(&arena, path, set, n_set, &run, error);
	CHECK(!code, "%s", error);
	code = code ? code : job_make(&arena, &run, 2, NULL, true, &job,
		error);
	CHECK(!code, "%s", error);
	code = code ? code : compile_source(&arena, &job.compile, &p);
	code = code ? code : job_inputs(&arena, &job, p, true, &inputs, error);
	CHECK(!code, "%s", error);
	if (code)
		return;
	WeightSource *w = weights_open(&arena, p, run.folder, job.component,
		job.n_component, true, &code, error, sizeof error);
	CHECK(w, "%s", error);
	Vm *vm = vm_open(p, &o);
	code = vm_bind(vm, w);
	CHECK(!code, "%s", vm_error(vm));
	code = job_fill(&arena, &job, p, vm, &inputs, error);
	CHECK(!code, "%s", error);
	run_counted(p, w, vm);
	tensors_close(&inputs.noise);
}

/* Loads that run beside kernels. */
static int
loads_beside(const Plan *p)
{
	int n = 0;
	for (uint32_t i = 0; i + 1 < p->n_code; i++)
		n += p->code[i].op == CTL_load && (p->code[i + 1].op != CTL_wait
			|| p->code[i + 1].a != p->code[i].a);
	return n;
}

/* A model compiled alone, on generated weights; its inputs are zeros. */
static void
count_model(const char *path, const char *config, DType dtype, SliceGoal goal,
	const char *const *define, size_t ndefine)
{
	int code;
	Plan *p;
	JsonError e;
	size_t size;
	const char *text = arena_read_file(&arena, config, 1 << 20, &size);
	const Json *json = text ? json_parse(&arena, text, size, 16, &e) : NULL;
	LangConfig c = {"", config, json, false};
	CompileOptions o = {.threads = 2, .goal = goal, .lang = {
		.path = path, .dtype = dtype, .define = define,
		.ndefine = ndefine, .config = &c, .nconfig = 1}};
	CHECK(json, "%s", config);
	code = json ? compile_source(&arena, &o, &p) : EXIT_IO;
	CHECK(!code);
	if (code)
		return;
	CHECK(goal != SLICE_LEAST || loads_beside(p) > 0);
	WeightSource *w = weights_generated(&arena, p, 1);
	Vm *vm = vm_open(p, &(VmOptions){.threads = 2});
	code = vm_bind(vm, w);
	CHECK(!code, "%s", vm_error(vm));
	run_counted(p, w, vm);
}

static void
nothing_allocated(void)
{
	static const char *const shapes[] = {"steps=2"};
	static const char *const small[] = {"frames=2", "height=8", "width=8"};
	const char *vae = "tests/data/pipelines/animatediff_ddim/model/vae/"
		"config.json";
	test("the counter counts");
	long before = count;
	void *volatile p = malloc(8);
	free(p);
	CHECK(count == before + 1);
	test("the shapes pipeline allocates nothing while it runs");
	count_pipeline("examples/shapes/run.yaml", shapes, COUNT_OF(shapes));
	for (DType d = DT_F32; d <= DT_BF16; d++) {
		char name[80];
		snprintf(name, sizeof name, "nor does a decoder in %s",
			dtype_name(d));
		test(name);
		count_model("vae_decode.slu", vae, d, SLICE_DEFAULT, small,
			COUNT_OF(small));
	}
	test("nor does a thread that reads weights beside kernels");
	count_model("vae_decode.slu", vae, DT_F16, SLICE_LEAST, small,
		COUNT_OF(small));
}

/* ---- each allocation fails once ---- */

/* A command in a child whose allocation number `nth` fails; its exit code, or
 * 1000 + the signal that ended it.  *n is the number of allocations. */
static int
command(char **argv, int argc, int (*run)(int, char **), long nth, long *n)
{
	int ends[2], status = 0;
	if (pipe(ends))
		return -1;
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		count = 0;
		fail_at = nth;
		int code = run(argc, argv);
		long total = count;
		if (write(ends[1], &total, sizeof total) < 0)
			_exit(EXIT_IO);
		exit(code);
	}
	close(ends[1]);
	if (read(ends[0], n, sizeof *n) != sizeof *n)
		*n = 0;
	close(ends[0]);
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status)
		: WEXITSTATUS(status);
}

/* Fails about `samples` allocations of the command in turn, the first ones
 * each.  An allocation that is not needed may fail without harm. */
static void
torture(const char *name, int (*run)(int, char **), char **argv, int samples)
{
	char text[80];
	long total, ignored;
	int argc = 0, refused = 0, tried = 0;
	snprintf(text, sizeof text, "%s without memory ends with exit code 7",
		name);
	test(text);
	while (argv[argc])
		argc++;
	int code = command(argv, argc, run, -1, &total);
	CHECK(code == EXIT_OK && total > 0, "%d, %ld allocations", code, total);
	long step = total / samples + 1;
	for (long i = 0; i < total; i += i < 20 ? 1 : step) {
		code = command(argv, argc, run, i, &ignored);
		CHECK(code == EXIT_MEMORY || code == EXIT_OK,
			"allocation %ld of %ld: exit code %d", i, total, code);
		refused += code == EXIT_MEMORY;
		tried++;
	}
	CHECK(refused * 2 > tried, "%d of %d", refused, tried);
	printf("# %s: %d of %ld allocations failed, %d ended the command\n", name,
		tried, total, refused);
}

/* Refuses each thread of the command in turn. */
static void
each_thread_fails(const char *name, int (*run)(int, char **), char **argv,
	int least)
{
	char text[80];
	long ignored;
	int argc = 0, code = EXIT_MEMORY;
	snprintf(text, sizeof text, "%s without a thread ends with exit code 7",
		name);
	test(text);
	while (argv[argc])
		argc++;
	threads = 0;
	for (thread_fails = 0; code == EXIT_MEMORY; thread_fails++)
		code = command(argv, argc, run, -1, &ignored);
	CHECK(code == EXIT_OK && thread_fails > least, "%d, thread %ld", code,
		thread_fails);
	thread_fails = -1;
}

static char *
run_file(const char *folder)
{
	char *path = arena_printf(&arena, "%s/run.yaml", folder);
	char here[2048], err[256];
	OutFile o;
	if (!getcwd(here, sizeof here) || !out_open(&o, path, err))
		fatal(EXIT_IO, "cannot write %s", path);
	const char *data = arena_printf(&arena, "%s/tests/data/pipelines/"
		"animatediff_ddim", here);
	fprintf(o.f, "model: {base: %s/model, unet: [%s/model/unet, "
		"%s/motion_adapter]}\n", data, data, data);
	fprintf(o.f, "frames: 1\nsize: 16x16\nsteps: 1\nprompt: a boat\n"
		"output: [a.gif, a.y4m, a.webp, a.safetensors, frames/]\n");
	if (!out_commit(&o, err))
		fatal(EXIT_IO, "%s", err);
	return path;
}

static void
each_fails(void)
{
	char folder[] = "/tmp/sluice-allocation-XXXXXX";
	if (!mkdtemp(folder))
		fatal(EXIT_IO, "cannot make a folder");
	char *plan = arena_printf(&arena, "%s/a.slb", folder);
	char *hf = "tests/data/pipelines/animatediff_ddim/model";
	char *compile[] = {"compile", "vae_decode.slu", "--config",
		arena_printf(&arena, "%s/vae/config.json", hf), "-o", plan,
		"-D", "frames=1", "-D", "height=4", "-D", "width=4", NULL};
	char *bench[] = {"bench", plan, "--threads", "1", NULL};
	char *dis[] = {"dis", plan, NULL};
	char *dot[] = {"dot", plan, "--memory", NULL};
	char *generate[] = {"generate", run_file(folder), "--quiet", "--threads",
		"1", NULL};
	torture("compile", cmd_compile, compile, 60);
	Arena a = {0};
	PlanError e;
	int code;
	torture("bench", cmd_bench, bench, 30);
	torture("dis", cmd_dis, dis, 30);
	torture("dot", cmd_dot, dot, 30);
	torture("generate", cmd_generate, generate, 60);
	char *team[] = {"bench", plan, "--threads", "3", NULL};
	each_thread_fails("bench", cmd_bench, team, 2);
	test("what was written is whole");
	CHECK(plan_load(&a, plan, false, &e, &code), "%s", e.text);
	arena_free(&a);
	CHECK(!system(arena_printf(&arena, "test -z \"$(ls -A %s | grep -v "
		"'^a[.]\\(slb\\|gif\\|webp\\|y4m\\|safetensors\\)$\\|^frames$\\|^run.yaml$')\"",
		folder)));
	CHECK(!system(arena_printf(&arena, "rm -r %s", folder)));
}

int
main(void)
{
	nothing_allocated();
	each_fails();
	test_close();
	arena_free(&arena);
	return test_end();
}
#endif
