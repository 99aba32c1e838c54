/* same_plan.c - equal inputs give equal bytes: sources and a run file's pipeline,
 * compiled again, from another folder, in memory that is not zero before.
 */
#include "compiler/compiler.h"
#include "compiler/generate/generate.h"
#include "tests/lib/test.h"

#include "tests/lib/random_source.h"

#include <malloc.h>
#include <sys/stat.h>

enum { PROGRAMS = 20 };

static Arena arena;
static char folder[512];

static char *
in_folder(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

typedef struct Bytes {
	char *at;
	size_t n;
} Bytes;

static Bytes
saved(const Plan *p)
{
	PlanError e = {""};
	Bytes b = {NULL, 0};
	char *path = in_folder("plan.slb");
	CHECK(p && plan_save(p, path, &e), "%s", e.text);
	b.at = arena_read_file(&arena, path, 1 << 28, &b.n);
	remove(path);
	CHECK(b.at);
	return b;
}

static void
check_same(Bytes a, Bytes b, const char *what)
{
	CHECK(a.n > 0 && a.n == b.n && a.at && b.at && !memcmp(a.at, b.at, a.n),
		"%s: %zu and %zu bytes", what, a.n, b.n);
}

/* Nothing in it says where it was made. */
static void
check_anonymous(Bytes b)
{
	CHECK(!b.at || !memmem(b.at, b.n, "same_plan", 9));
}

static Bytes
compiled(const char *path, const char *model, SliceGoal goal, int junk)
{
	Plan *p = NULL;
	CompileOptions o = {.lang = {.path = path, .model = model},
		.goal = goal, .threads = 2};
	mallopt(M_PERTURB, junk);
	CHECK(compile_source(&arena, &o, &p) == EXIT_OK, "%s", path);
	mallopt(M_PERTURB, 0);
	return saved(p);
}

static void
test_sources(void)
{
	char *one = in_folder("one/x.slu"), *other = in_folder("other/x.slu");
	test("a source in two folders");
	for (uint64_t seed = 1; seed <= PROGRAMS; seed++) {
		Source *s = arena_alloc(&arena, sizeof *s);
		SliceGoal goal = seed % 2 ? SLICE_DEFAULT : SLICE_LEAST;
		state = seed;
		make_source(s, 3, seed % 3 == 0);
		write_source(s, one);
		write_source(s, other);
		Bytes first = compiled(one, "loop", goal, 0);
		check_anonymous(first);
		check_same(first, compiled(other, "loop", goal, 0x5a), "other");
		check_same(first, compiled(one, "loop", goal, 0xa5), "again");
	}
}

/* The plan that generate makes for the run file in a folder. */
static Bytes
generated(const char *run_file, int junk)
{
	RunFile run;
	Job job;
	Plan *p = NULL;
	char error[GENERATE_ERR] = "";
	mallopt(M_PERTURB, junk);
	int code = runfile_read(&arena, run_file, NULL, 0, &run, error);
	code = code ? code : job_make(&arena, &run, 2, NULL, true, &job,
		error);
	CHECK(!code, "%s", error);
	code = code ? code : compile_source(&arena, &job.compile, &p);
	CHECK(!code);
	mallopt(M_PERTURB, 0);
	return saved(p);
}

static void
test_run_files(void)
{
	test("a run file's pipeline in two folders");
	CHECK(!system(arena_printf(&arena, "cp -r examples/shapes %s/one && "
		"cp -r examples/shapes %s/other", folder, folder)));
	Bytes first = generated("examples/shapes/run.yaml", 0);
	check_same(first, generated("examples/shapes/run.yaml", 0x5a), "again");
	Bytes one = generated(in_folder("one/shapes/run.yaml"), 0);
	check_same(first, one, "copied");
	check_anonymous(one);
	check_same(one, generated(in_folder("other/shapes/run.yaml"), 0xa5),
		"other");
}

int
main(void)
{
	snprintf(folder, sizeof folder, "/tmp/same_plan.XXXXXX");
	if (!mkdtemp(folder) || mkdir(in_folder("one"), 0700)
		|| mkdir(in_folder("other"), 0700))
		return 1;
	test_sources();
	test_run_files();
	if (system(arena_printf(&arena, "rm -r %s", folder)))
		return 1;
	arena_free(&arena);
	return test_end();
}
