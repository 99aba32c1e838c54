/* threads.h - a team of threads for work that falls into independent pieces.
 *
 * A job is n pieces.  The calling thread begins at once; the others join when
 * they get a processor, and take pieces as long as there are any: first of a
 * range of their own (neighbouring jobs find the same range in the same cache),
 * then what is left of the others'.  A thread that comes too late is not waited
 * for, so on a busy machine the job goes on with those that run.  Which thread
 * does a piece must not show in the piece's result.
 *
 * Threads without a job look for one for a tenth of a millisecond and then sleep,
 * as does a caller that waits for the last pieces.
 *
 * Ownership: threads_start makes all there ever is; threads_run neither
 * allocates nor fails.  A team has one caller at a time, and a job starts no
 * other of its own team.
 */
#ifndef SLUICE_THREADS_H
#define SLUICE_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { THREADS_MAX = 1024 };    /* of a team */

typedef struct Threads Threads;

/* A thread's part in a job. */
typedef struct Share {
	int id;                 /* of the thread: 0 is the caller, < count */
	int64_t first, end;     /* share_next: the pieces [first, end) are ours */
	Threads *team;          /* private from here on */
	int range, visited;
} Share;

/* Does pieces until share_next says that there are none. */
typedef void (*ShareBody)(const void *arg, Share *s);

/* A team of n (1 .. THREADS_MAX) threads, the caller's among them.  NULL with
 * the reason in `err` when memory or a thread is not to be had; then none is
 * left behind. */
Threads *threads_start(int n, char *err, size_t err_size);
/* Ends the threads.  NULL: nothing. */
void threads_stop(Threads *t);

/* Threads of the team; NULL is a team of the caller alone, here and below. */
int threads_count(const Threads *t);
/* Processors that this process may use. */
int threads_available(void);

/* Calls body(arg, share) in the caller and in up to `most` - 1 threads more and
 * returns when all `n` pieces are done.  At least `grain` (> 0) neighbouring
 * pieces are taken at once. */
void threads_run(Threads *t, int most, int64_t n, int64_t grain,
	ShareBody body, const void *arg);
/* Takes the next pieces; false: there are none left. */
bool share_next(Share *s);

/* Puts each thread on a processor of its own, or with `pin` false back on all
 * that were there when the team was made.  For measuring: a thread that waits
 * behind another one of ours is not what is to be measured. */
void threads_pin(Threads *t, bool pin);

#endif
