/* loader.c - see loader.h.
 *
 * Loads are numbered in the order of the program.  `taken` counts those that the
 * thread has begun, `done` those that are finished, `queued` all; a weight
 * remembers the number of its last one.  All fields are under the mutex but
 * those that never change.
 */
#include "vm/device/loader.h"

#include <pthread.h>
#include <string.h>

enum { LOADER_ERROR = 1024 };

struct Loader {
	const Plan *p;
	WeightSource *source;
	char *arena;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t work, progress;  /* something was queued; was finished */
	uint32_t *queue;        /* ring of `capacity` weights */
	uint64_t capacity, queued, taken, done;
	uint64_t *number;       /* by weight: of its last load, from 1 */
	bool ready, quit;
	int code;               /* of the first failure */
	double seconds;
	char error[LOADER_ERROR];
};

/* Reads one weight without the mutex. */
static int
read_weight(Loader *l, uint32_t weight, char *err)
{
	const PlanBuffer *b = &l->p->buffers[l->p->weights[weight].buffer];
	return weights_load(l->source, NULL, l->p, weight, l->arena + b->offset,
		err);
}

static void *
loader_main(void *user)
{
	Loader *l = user;
	char err[LOADER_ERROR];
	pthread_mutex_lock(&l->mutex);
	l->ready = true;
	pthread_cond_broadcast(&l->progress);
	for (;;) {
		while (!l->quit && l->taken == l->queued)
			pthread_cond_wait(&l->work, &l->mutex);
		if (l->quit)
			break;
		uint32_t weight = l->queue[l->taken++ % l->capacity];
		int code = l->code;
		pthread_mutex_unlock(&l->mutex);
		double start = now_seconds();
		if (code == EXIT_OK)
			code = read_weight(l, weight, err);
		double end = now_seconds();
		pthread_mutex_lock(&l->mutex);
		if (code != EXIT_OK && l->code == EXIT_OK) {
			l->code = code;
			memcpy(l->error, err, sizeof err);
		}
		l->seconds += end - start;
		l->done++;
		pthread_cond_broadcast(&l->progress);
	}
	pthread_mutex_unlock(&l->mutex);
	return NULL;
}

Loader *
loader_start(Arena *host, const Plan *p, WeightSource *s, char *arena)
{
	Loader *l = arena_alloc(host, sizeof *l);
	l->p = p;
	l->source = s;
	l->arena = arena;
	l->capacity = (uint64_t)p->n_weights + 1;
	l->queue = arena_array(host, (size_t)l->capacity, sizeof *l->queue);
	l->number = arena_array(host, p->n_weights + 1, sizeof *l->number);
	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->work, NULL);
	pthread_cond_init(&l->progress, NULL);
	if (pthread_create(&l->thread, NULL, loader_main, l))
		return NULL;
	pthread_mutex_lock(&l->mutex);
	while (!l->ready)
		pthread_cond_wait(&l->progress, &l->mutex);
	pthread_mutex_unlock(&l->mutex);
	return l;
}

void
loader_begin(Loader *l, uint32_t weight)
{
	pthread_mutex_lock(&l->mutex);
	while (l->queued - l->taken == l->capacity)
		pthread_cond_wait(&l->progress, &l->mutex);
	l->queue[l->queued++ % l->capacity] = weight;
	l->number[weight] = l->queued;
	pthread_cond_signal(&l->work);
	pthread_mutex_unlock(&l->mutex);
}

bool
loader_idle(Loader *l)
{
	pthread_mutex_lock(&l->mutex);
	bool idle = l->done == l->queued;
	pthread_mutex_unlock(&l->mutex);
	return idle;
}

int
loader_wait(Loader *l, uint32_t weight, char *err)
{
	pthread_mutex_lock(&l->mutex);
	while (l->done < l->number[weight])
		pthread_cond_wait(&l->progress, &l->mutex);
	int code = l->code;
	if (code != EXIT_OK)
		memcpy(err, l->error, sizeof l->error);
	pthread_mutex_unlock(&l->mutex);
	return code;
}

double
loader_seconds(Loader *l)
{
	pthread_mutex_lock(&l->mutex);
	double seconds = l->seconds;
	pthread_mutex_unlock(&l->mutex);
	return seconds;
}

void
loader_reset(Loader *l)
{
	pthread_mutex_lock(&l->mutex);
	l->done += l->queued - l->taken;
	l->taken = l->queued;
	while (l->done < l->queued)
		pthread_cond_wait(&l->progress, &l->mutex);
	l->code = EXIT_OK;
	l->seconds = 0;
	pthread_mutex_unlock(&l->mutex);
}

void
loader_stop(Loader *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->mutex);
	l->quit = true;
	pthread_cond_signal(&l->work);
	pthread_mutex_unlock(&l->mutex);
	pthread_join(l->thread, NULL);
	pthread_mutex_destroy(&l->mutex);
	pthread_cond_destroy(&l->work);
	pthread_cond_destroy(&l->progress);
}
