/* threads.c - see threads.h.
 *
 * One word tells what the team is at: how many threads may still join the job,
 * how many have joined and not left, whether the caller sleeps until they have.
 * A thread joins by one compare-and-swap on it, so that the caller, when it has
 * closed the job, knows whom to wait for.  The job's other fields are written
 * while nobody is in and read by those who have joined.
 */
#include "ir/base/threads.h"
#include "ir/base/base.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* the word: places still open, threads in the job, and flags */
enum {
	OPEN = 0xfff,
	INSIDE_ONE = 0x1000,
	INSIDE = 0xfff000,
	CALLER_SLEEPS = 0x1000000,
	QUIT = 0x2000000,
};

enum {
	LINE = 64,              /* bytes of a cache line */
	STACK_BYTES = 2 << 20,
	PARTS = 8,              /* of what is left of a range, one at a time */
	PAUSES = 16,            /* between two looks at the clock */
	/* who sleeps on the word */
	WORKERS = 1,
	CALLER = 2,
};

/* How long to look for work, or for the end of it, before sleeping: small ops
 * that run on one thread take less, and a waking takes about as long on a
 * virtual machine.  Where processors are scarce, longer is lost. */
#define SPIN_SECONDS 100e-6

/* Pieces [next, end) of a job are still to be taken. */
typedef struct Range {
	_Alignas(LINE) atomic_llong next;
	int64_t end;
} Range;

typedef struct Worker {
	pthread_t thread;
	Threads *team;
	int id;
} Worker;

struct Threads {
	_Alignas(LINE) atomic_uint word;
	_Alignas(LINE) atomic_int sleeping;     /* workers, on the word */
	/* the job */
	_Alignas(LINE) ShareBody body;
	const void *arg;
	int64_t grain;
	int ranges;
	/* the team */
	int count;
	Range *range;           /* count of them */
	Worker *worker;         /* [1, count) */
	cpu_set_t all;          /* processors; empty: too many to count */
};

/* ---- waiting ---- */

static void
pause_briefly(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Sleeps if the word still is `seen`, until somebody wakes `who`. */
static void
futex_sleep(atomic_uint *word, unsigned seen, int who)
{
	syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen, NULL, NULL,
		who);
}

static void
futex_wake(atomic_uint *word, int n, int who)
{
	syscall(SYS_futex, word, FUTEX_WAKE_BITSET_PRIVATE, n, NULL, NULL, who);
}

/* Looks at the word for a while: until one of the bits `some` is set or, when
 * `none` is given, none of those is. */
static unsigned
spin(atomic_uint *word, unsigned some, unsigned none)
{
	double end = now_seconds() + SPIN_SECONDS;
	for (int i = 1;; i++) {
		unsigned w = atomic_load_explicit(word, memory_order_acquire);
		if (w & some || (none && !(w & none)))
			return w;
		if (i % PAUSES == 0 && now_seconds() > end)
			return w;
		pause_briefly();
	}
}

/* ---- taking pieces ---- */

bool
share_next(Share *s)
{
	Threads *t = s->team;
	if (!t) {               /* the caller alone: everything at once */
		s->visited++;
		return s->visited == 1 && s->first < s->end;
	}
	for (; s->visited < t->ranges; s->visited++) {
		Range *r = &t->range[s->range];
		long long at = atomic_load_explicit(&r->next,
			memory_order_relaxed);
		while (at < r->end) {
			int64_t n = max64((r->end - at) / PARTS, t->grain);
			n = min64(n, r->end - at);
			if (!atomic_compare_exchange_weak_explicit(&r->next,
				&at, at + n, memory_order_relaxed,
				memory_order_relaxed))
				continue;
			s->first = at;
			s->end = at + n;
			return true;
		}
		if (++s->range == t->ranges)
			s->range = 0;
	}
	return false;
}

static void
take_part(Threads *t, int id)
{
	Share s = {.id = id, .team = t, .range = id % t->ranges};
	t->body(t->arg, &s);
}

/* ---- a worker ---- */

/* Joins the job if a place is open. */
static bool
join(Threads *t, unsigned w)
{
	while (w & OPEN)
		if (atomic_compare_exchange_weak(&t->word, &w,
			w - 1 + INSIDE_ONE))
			return true;
	return false;
}

/* Leaves the job, of which nothing is left to be taken. */
static void
leave(Threads *t)
{
	atomic_fetch_and(&t->word, ~(unsigned)OPEN);
	unsigned w = atomic_fetch_sub(&t->word, INSIDE_ONE) - INSIDE_ONE;
	if (w & CALLER_SLEEPS && !(w & INSIDE))
		futex_wake(&t->word, 1, CALLER);
}

static void *
worker_main(void *arg)
{
	const Worker *me = arg;
	Threads *t = me->team;
	for (;;) {
		unsigned w = spin(&t->word, OPEN | QUIT, 0);
		if (w & QUIT)
			return NULL;
		if (join(t, w)) {
			take_part(t, me->id);
			leave(t);
			continue;
		}
		/* the caller looks at `sleeping` after it has changed the word */
		atomic_fetch_add(&t->sleeping, 1);
		w = atomic_load(&t->word);
		if (!(w & (OPEN | QUIT)))
			futex_sleep(&t->word, w, WORKERS);
		atomic_fetch_sub(&t->sleeping, 1);
	}
}

/* ---- the caller ---- */

/* Lets `places` workers join the job, and wakes as many as are needed. */
static void
open_job(Threads *t, int places)
{
	atomic_store(&t->word, (unsigned)places);
	int awake = t->count - 1 - atomic_load(&t->sleeping);
	if (places > awake)
		futex_wake(&t->word, places - awake, WORKERS);
}

/* Lets nobody join any more and waits for those who have. */
static void
close_job(Threads *t)
{
	unsigned w = atomic_fetch_and(&t->word, ~(unsigned)OPEN);
	if (w & INSIDE)
		w = spin(&t->word, 0, INSIDE);
	while (w & INSIDE) {
		unsigned asleep = w | CALLER_SLEEPS;
		if (atomic_compare_exchange_strong(&t->word, &w, asleep))
			futex_sleep(&t->word, asleep, CALLER);
		w = atomic_load(&t->word);
	}
}

void
threads_run(Threads *t, int most, int64_t n, int64_t grain, ShareBody body,
	const void *arg)
{
	if (most > threads_count(t))
		most = threads_count(t);
	if (most <= 1 || n <= grain) {
		body(arg, &(Share){.end = n});
		return;
	}
	t->body = body;
	t->arg = arg;
	t->grain = grain;
	t->ranges = most;
	for (int i = 0; i < most; i++) {
		int64_t each = n / most, rest = n % most;
		int64_t first = each * i + min64(i, rest);
		t->range[i].end = first + each + (i < rest);
		atomic_store_explicit(&t->range[i].next, first,
			memory_order_relaxed);
	}
	open_job(t, most - 1);
	take_part(t, 0);
	close_job(t);
}

/* ---- starting and ending ---- */

int
threads_count(const Threads *t)
{
	return t ? t->count : 1;
}

int
threads_available(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
	if (n < 1)              /* more processors than the set has room for */
		n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n < THREADS_MAX ? n : THREADS_MAX;
}

/* Starts thread `id`; an error number. */
static int
start_worker(Threads *t, int id)
{
	Worker *me = &t->worker[id];
	pthread_attr_t attr;
	sigset_t all, before;
	*me = (Worker){.team = t, .id = id};
	int error = pthread_attr_init(&attr);
	if (error)
		return error;
	/* signals are for the thread that knows what to do with them */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (!error)
		error = pthread_create(&me->thread, &attr, worker_main, me);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error;
}

static Threads *
team_new(int n)
{
	Threads *t = aligned_alloc(LINE, sizeof *t);
	if (!t)
		return NULL;
	memset(t, 0, sizeof *t);
	t->range = aligned_alloc(LINE, (size_t)n * sizeof *t->range);
	t->worker = calloc((size_t)n, sizeof *t->worker);
	sched_getaffinity(0, sizeof t->all, &t->all);
	t->count = 1;           /* until more are started */
	if (t->range && t->worker) {
		memset(t->range, 0, (size_t)n * sizeof *t->range);
		return t;
	}
	threads_stop(t);
	return NULL;
}

Threads *
threads_start(int n, char *err, size_t err_size)
{
	Threads *t = team_new(n);
	int error = 0;
	if (!t) {
		snprintf(err, err_size, "out of memory for %d threads", n);
		return NULL;
	}
	for (; !error && t->count < n; t->count += !error)
		error = start_worker(t, t->count);
	if (!error)
		return t;
	snprintf(err, err_size, "cannot start thread %d of %d: %s; fewer "
		"threads (--threads) may do", t->count + 1, n, strerror(error));
	threads_stop(t);
	return NULL;
}

void
threads_stop(Threads *t)
{
	if (!t)
		return;
	atomic_store(&t->word, QUIT);
	futex_wake(&t->word, INT_MAX, WORKERS);
	for (int i = 1; i < t->count; i++)
		pthread_join(t->worker[i].thread, NULL);
	free(t->range);
	free(t->worker);
	free(t);
}

void
threads_pin(Threads *t, bool pin)
{
	size_t cpu = 0;
	for (int i = 0; i < threads_count(t); i++) {
		cpu_set_t mine = t->all;
		pthread_t thread = i ? t->worker[i].thread : pthread_self();
		while (pin && cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &t->all))
			cpu++;
		if (pin && cpu < CPU_SETSIZE) {
			CPU_ZERO(&mine);
			CPU_SET(cpu++, &mine);
		}
		if (CPU_COUNT(&mine))
			pthread_setaffinity_np(thread, sizeof mine, &mine);
	}
}
