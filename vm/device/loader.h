/* loader.h - private to cpu.c: weights that are read while kernels run.
 *
 * `load w` puts a weight into a queue, `wait w` blocks until it is there.  One
 * thread takes them in order; it packs with that one thread, so that it takes
 * no more than a core from the kernels.  Nothing is allocated after
 * loader_start.
 */
#ifndef SLUICE_LOADER_H
#define SLUICE_LOADER_H

#include "vm/weights/weights.h"

typedef struct Loader Loader;

/* Starts the thread for a plan's weights; `arena`: byte 0 of the plan.  The
 * Loader's tables live in `host`.  NULL when there is no thread to be had. */
Loader *loader_start(Arena *host, const Plan *p, WeightSource *s, char *arena);
/* Queues a weight. */
void loader_begin(Loader *l, uint32_t weight);
/* Whether nothing is queued or being read. */
bool loader_idle(Loader *l);
/* Returns when all that was queued up to the weight's last loader_begin is done:
 * EXIT_OK, or the exit code of the first load that failed, with its reason in
 * `err`. */
int loader_wait(Loader *l, uint32_t weight, char *err);
/* Seconds that the thread has worked since loader_reset. */
double loader_seconds(Loader *l);
/* Forgets what is queued and any failure; returns when the thread rests. */
void loader_reset(Loader *l);
/* Ends the thread.  NULL: nothing. */
void loader_stop(Loader *l);

#endif
