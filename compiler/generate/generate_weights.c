/* generate_weights.c - the weights of a job's model: opened for a plan, and told from
 * other models' by a hash.
 */
#include "compiler/generate/generate.h"

#include <string.h>
#include <xxhash.h>

enum { SAMPLE = 4096 };         /* bytes of a tensor that are hashed */

WeightSource *
job_weights(Arena *a, const Job *job, const Plan *p, bool quiet, int *code,
	char *err)
{
	const char **component = arena_array(a, job->n_component,
		sizeof *component);
	size_t n = 0;
	for (size_t i = 0; i < job->n_component; i++) {
		const char *item = job->component[i];
		size_t length = strcspn(item, "=");
		for (uint32_t w = 0; w < p->n_weights; w++) {
			const char *name = p->strings + p->weights[w].component;
			if (strlen(name) == length && !memcmp(name, item, length)) {
				component[n++] = item;
				break;
			}
		}
	}
	*code = EXIT_WEIGHTS;
	return weights_open(a, p, job->run->folder, component, n, quiet, code,
		err, GENERATE_ERR);
}

/* ---- the hash ---- */

/* The folders of the UNet, one behind the other. */
static int
open_unet(Arena *a, const Job *job, TensorSet *set, char *err)
{
	static const char key[] = "unet=";
	const char *list = job->run->folder
		? arena_printf(a, "%s/unet", job->run->folder) : "";
	for (size_t i = 0; i < job->n_component; i++)
		if (!strncmp(job->component[i], key, sizeof key - 1))
			list = job->component[i] + sizeof key - 1;
	int code = EXIT_OK;
	while (*list && !code) {
		size_t n = strcspn(list, ",");
		code = tensors_open(set, arena_strndup(a, list, n), err);
		list += n + (list[n] == ',');
	}
	return code;
}

int
job_model_hash(Arena *a, const Job *job, const char **hash, char *err)
{
	TensorSet set = {.arena = a};
	char sample[SAMPLE];
	XXH64_hash_t h = 0;
	int code = open_unet(a, job, &set, err);
	for (size_t i = 0; i < set.tensors.n && !code; i++) {
		const Tensor *t = &set.tensors.at[i];
		int64_t n = min64(t->bytes, SAMPLE);
		code = tensor_read(&set, t, 0, sample, n, err);
		h = XXH64(t->name, strlen(t->name), h);
		h = XXH64(t->dim, (size_t)t->rank * sizeof *t->dim, h);
		h = XXH64(sample, code ? 0 : (size_t)n, h);
	}
	tensors_close(&set);
	*hash = arena_printf(a, "%016llx", (unsigned long long)h);
	return code;
}
