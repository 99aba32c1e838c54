/* threads.c - the team of threads: every piece is done once, whatever the number
 * of threads and pieces; nobody waits for a thread that comes too late; a thread
 * that is not to be had is an error that leaves none behind.
 *
 * The program's own pthread_create stands in front of the C library's.
 */
#include "ir/base/base.h"
#include "ir/base/threads.h"
#include "tests/lib/test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { PIECES_MAX = 3000, TEAM_MAX = 9 };

static char error[256];

static void
sleep_ms(int ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* ---- pthread_create ---- */

static int refuse = -1;         /* this thread from now on is refused */
static atomic_bool hold;        /* threads do not begin while it is set */

typedef struct Late {
	void *(*begin)(void *);
	void *arg;
} Late;

static void *
begin_late(void *arg)
{
	Late late = *(Late *)arg;
	free(arg);
	while (hold)
		sleep_ms(1);
	return late.begin(late.arg);
}

int
pthread_create(pthread_t *thread, const pthread_attr_t *attr,
	void *(*begin)(void *), void *arg)
{
	static int (*create)(pthread_t *, const pthread_attr_t *,
		void *(*)(void *), void *);
	if (!create)
		*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
	if (refuse >= 0 && refuse-- == 0)
		return EAGAIN;
	if (!hold)
		return create(thread, attr, begin, arg);
	Late *late = malloc(sizeof *late);
	*late = (Late){begin, arg};
	return create(thread, attr, begin_late, late);
}

static int
threads_now(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/task");
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* A thread that was joined may be listed for a moment more; a sanitizer has a
 * thread of its own. */
static int usual;

static bool
none_left(void)
{
	for (int i = 0; i < 1000 && threads_now() != usual; i++)
		sleep_ms(2);
	return threads_now() == usual;
}

/* ---- a job that counts ---- */

typedef struct Tally {
	int members;            /* of the team */
	int64_t n;
	atomic_int done[PIECES_MAX];
	atomic_int busy[TEAM_MAX];      /* 1 while that thread is in the body */
	atomic_int helped;      /* threads that got a piece */
	atomic_int wrong;
	bool linger;            /* at each piece */
} Tally;

static void
count_pieces(const void *arg, Share *s)
{
	Tally *t = *(Tally *const *)arg;
	bool known = s->id >= 0 && s->id < t->members, some = false;
	t->wrong += !known || atomic_exchange(&t->busy[s->id], 1);
	while (share_next(s)) {
		t->wrong += s->first < 0 || s->first >= s->end
			|| s->end > t->n;
		for (int64_t i = s->first; i < s->end; i++) {
			t->done[i]++;
			if (t->linger)
				sleep_ms(1);
		}
		some = true;
	}
	t->helped += some;
	if (known)
		t->busy[s->id] = 0;
}

static void
tally_run(Tally *t, Threads *team, int most, int64_t n, int64_t grain)
{
	memset(t->done, 0, sizeof t->done);
	t->members = threads_count(team);
	t->n = n;
	t->helped = 0;
	threads_run(team, most, n, grain, count_pieces, &t);
	for (int64_t i = 0; i < PIECES_MAX; i++)
		t->wrong += t->done[i] != (i < n);
	t->wrong += t->helped > most && t->helped > 1;
}

static Tally tally;

static void
every_piece(int count)
{
	static const int64_t pieces[] = {0, 1, 2, 3, 7, 64, 1000, PIECES_MAX};
	static const int64_t grains[] = {1, 2, 5, 4000};
	char name[80];
	snprintf(name, sizeof name, "a team of %d does every piece once", count);
	test(name);
	Threads *team = threads_start(count, error, sizeof error);
	CHECK(team && threads_count(team) == count, "%s", error);
	for (int round = 0; round < 30; round++)
		for (size_t i = 0; i < COUNT_OF(pieces); i++)
			for (size_t g = 0; g < COUNT_OF(grains); g++)
				for (int most = 1; most <= count + 1; most += 3)
					tally_run(&tally, team, most, pieces[i],
						grains[g]);
	CHECK(tally.wrong == 0, "%d times", tally.wrong);
	threads_stop(team);
	CHECK(none_left(), "%d threads", threads_now());
}

static void
sleepers(void)
{
	test("threads that sleep are woken, and all help");
	Threads *team = threads_start(4, error, sizeof error);
	tally.linger = true;
	int most = 0;
	for (int i = 0; i < 20 && most < 4; i++) {
		sleep_ms(5);
		tally_run(&tally, team, 4, 60, 1);
		most = tally.helped > most ? tally.helped : most;
	}
	tally.linger = false;
	CHECK(tally.wrong == 0 && most == 4, "%d of 4 helped", most);
	threads_stop(team);
}

static void
late_ones(void)
{
	test("nobody waits for a thread that comes too late");
	hold = true;
	Threads *team = threads_start(3, error, sizeof error);
	for (int i = 0; i < 100; i++) {
		tally_run(&tally, team, 3, 50, 1);      /* returns at all */
		tally.wrong += tally.helped != 1;
	}
	hold = false;
	tally_run(&tally, team, 3, 50, 1);
	CHECK(tally.wrong == 0, "%d times", tally.wrong);
	threads_stop(team);
}

static void
no_team(void)
{
	test("no team is the caller alone");
	CHECK(threads_count(NULL) == 1 && threads_available() >= 1);
	tally_run(&tally, NULL, 5, 100, 3);
	tally_run(&tally, NULL, 5, 0, 1);
	CHECK(tally.wrong == 0);
	threads_stop(NULL);
}

static void
refused(void)
{
	test("a thread that is not to be had leaves none behind");
	for (int i = 0; i < 4; i++) {
		char want[80];
		refuse = i;
		snprintf(want, sizeof want, "cannot start thread %d of 5: ",
			i + 2);
		CHECK(!threads_start(5, error, sizeof error));
		CHECK(!strncmp(error, want, strlen(want)), "%s", error);
		CHECK(none_left(), "%d threads", threads_now());
	}
	refuse = -1;
}

static void
pinned(void)
{
	cpu_set_t all, now;
	test("each thread has a processor of its own, then all of them again");
	CHECK(!sched_getaffinity(0, sizeof all, &all));
	Threads *team = threads_start(3, error, sizeof error);
	threads_pin(team, true);
	CHECK(!sched_getaffinity(0, sizeof now, &now) && CPU_COUNT(&now) == 1);
	threads_pin(team, false);
	CHECK(!sched_getaffinity(0, sizeof now, &now) && CPU_EQUAL(&all, &now));
	threads_stop(team);
}

int
main(void)
{
	threads_stop(threads_start(2, error, sizeof error));
	sleep_ms(50);
	usual = threads_now();
	no_team();
	for (int count = 1; count <= TEAM_MAX; count += 2)
		every_piece(count);
	sleepers();
	late_ones();
	refused();
	pinned();
	return test_end();
}
