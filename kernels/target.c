/* target.c - the targets that plans can be compiled for. */
#include "kernels/target.h"

#include "ir/base/base.h"

#include <string.h>

static const Target *const targets[] = {&target_cpu, &target_cuda};

const Target *
target_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(targets); i++)
		if (!strcmp(targets[i]->name, name))
			return targets[i];
	return NULL;
}

const char *
target_names(void)
{
	static char text[80];
	size_t at = 0;
	for (size_t i = 0; i < COUNT_OF(targets); i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s",
			i ? ", " : "", targets[i]->name);
	return text;
}
