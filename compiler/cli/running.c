/* running.c - see running.h. */
#include "compiler/cli/running.h"
#include "vm/gates/gates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the plan ---- */

void
plan_refused(const char *path, int code, const PlanError *e)
{
	/* a file that cannot be read is named in the text */
	if (code == EXIT_IO)
		fatal(code, "%s", e->text);
	fatal(code, "%s: %s", path, e->text);
}

Plan *
plan_open(Arena *a, const char *path)
{
	PlanError e;
	int code;
	Plan *p = plan_load(a, path, false, &e, &code);
	if (!p)
		plan_refused(path, code, &e);
	return p;
}

int
running_threads(const Args *args, const Plan *p)
{
	int threads = (int)arg_integer(args, "threads", 0, 1, THREADS_MAX);
	int most = (int)p->head.threads;
	if (threads > most && !arg_flag(args, "quiet"))
		warn("--threads %d: the plan has workspaces for %d, which run; "
			"compile it with --threads %d", threads, most, threads);
	return threads;
}

/* ---- progress and ^C ---- */

int
running_device(const Args *args, const Plan *p)
{
	const char *device = arg(args, "device");
	const char *target = p->strings + p->head.target;
	if (!device)
		return 0;
	size_t n = strcspn(device, ":");
	if (n != strlen(target) || strncmp(device, target, n))
		fatal(EXIT_PLAN, "--device %s: the plan is for '%s': compile it "
			"with --device %.*s", device, target, (int)n, device);
	char *end = NULL;
	long index = device[n] ? strtol(device + n + 1, &end, 10) : 0;
	if (device[n] && (!device[n + 1] || *end || index < 0 || index > 1023))
		fatal(EXIT_USAGE, "--device %s: '%s' is no number of a device",
			device, device + n + 1);
	return (int)index;
}

void
running_options(Running *r, const char *progress, bool quiet)
{
	*r = (Running){PROGRESS_NONE, false};
	if (progress && !strcmp(progress, "json"))
		r->mode = PROGRESS_JSON;
	else if (progress && strcmp(progress, "none"))
		fatal(EXIT_USAGE, "--progress: '%s' is neither json nor none",
			progress);
	else if (!progress && !quiet && isatty(STDERR_FILENO))
		r->mode = PROGRESS_LINE;
}

/* Seconds left if the rest goes on as before; negative: too early to say. */
static double
seconds_left(const VmProgress *p)
{
	return p->fraction < 0.01 || p->seconds < 0.5 ? -1
		: p->seconds * (1 - p->fraction) / p->fraction;
}

static void
progress_line(const VmProgress *p)
{
	static const char bar[] = "####################";
	int width = (int)sizeof bar - 1, full = (int)(width * p->fraction);
	double left = seconds_left(p);
	fprintf(stderr, "\r\033[K[%.*s%*s] %3.0f %%  ", full, bar, width - full,
		"", 100 * p->fraction);
	print_clean_line(stderr, *p->phase ? p->phase : "running");
	if (p->steps && p->step < p->steps)
		fprintf(stderr, "  step %lld of %lld", (long long)p->step + 1,
			(long long)p->steps);
	if (left >= 0)
		fprintf(stderr, "  %d:%02d left", (int)(left / 60),
			(int)left % 60);
	fflush(stderr);
}

static void
progress_json(const VmProgress *p)
{
	double left = seconds_left(p);
	fputs("{\"phase\": ", stderr);
	print_json_string(stderr, p->phase);
	fprintf(stderr, ", \"step\": %lld, \"steps\": %lld, "
		"\"instruction\": %lld, \"instructions\": %lld, "
		"\"fraction\": %.4f, \"seconds\": %.3f, \"eta_seconds\": ",
		(long long)p->step, (long long)p->steps, (long long)p->insn,
		(long long)p->insns, p->fraction, p->seconds);
	if (left >= 0)
		fprintf(stderr, "%.1f}\n", left);
	else
		fputs("null}\n", stderr);
	fflush(stderr);
}

bool
running_progress(void *user, const VmProgress *p)
{
	Running *r = user;
	if (r->mode == PROGRESS_LINE) {
		progress_line(p);
		r->drawn = true;
	} else if (r->mode == PROGRESS_JSON) {
		progress_json(p);
	}
	return !interrupted();
}

int
running_run(Running *r, Vm *vm)
{
	interrupts_defer(true);
	int code = vm_run(vm);
	if (r->drawn)
		fputs("\r\033[K", stderr);
	fflush(stderr);
	r->drawn = false;
	interrupts_defer(false);
	if (code == EXIT_INTERRUPTED) {
		fputs("sluice: interrupted\n", stderr);
		exit(code);
	}
	return code;
}

/* ---- the process ---- */

int64_t
process_peak_bytes(void)
{
	/* ru_maxrss is inherited over exec, VmHWM is not */
	struct rusage usage;
	long long kib = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmHWM: %lld kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	if (!kib && !getrusage(RUSAGE_SELF, &usage))
		kib = usage.ru_maxrss;
	return (int64_t)kib * 1024;
}

double
seconds_per_step(const Plan *p, const VmTimes *t)
{
	return p->head.steps ? t->loop_seconds / p->head.steps
		: t->seconds - t->wait_seconds;
}

double
wait_per_step(const Plan *p, const VmTimes *t)
{
	return p->head.steps ? t->loop_wait_seconds / p->head.steps
		: t->wait_seconds;
}

void
times_print(const Plan *p, const VmTimes *t)
{
	char planned[32], measured[32];
	fprintf(stderr, "%.2f s", t->seconds);
	if (p->head.steps)
		fprintf(stderr, ", %.2f s a step", seconds_per_step(p, t));
	if (wait_per_step(p, t) >= 0.005)
		fprintf(stderr, ", of them %.2f s waiting for weights",
			wait_per_step(p, t));
	fprintf(stderr, "; peak %s planned, %s measured\n",
		format_bytes(planned, p->head.arena_bytes),
		format_bytes(measured, t->measured_peak_bytes));
}

void
times_print_json(const Plan *p, const VmTimes *t)
{
	printf("\"seconds\": %.6f, \"seconds_per_step\": %.6f, "
		"\"load_seconds\": %.6f, \"wait_seconds\": %.6f, "
		"\"wait_seconds_per_step\": %.6f, "
		"\"planned_peak_bytes\": %lld, "
		"\"measured_peak_bytes\": %lld, "
		"\"process_peak_bytes\": %lld, \"device\": ", t->seconds,
		seconds_per_step(p, t), t->load_seconds, t->wait_seconds,
		wait_per_step(p, t), (long long)p->head.arena_bytes,
		(long long)t->measured_peak_bytes,
		(long long)process_peak_bytes());
	print_json_string(stdout, p->strings + p->head.target);
}
