/* driver.c - see driver.h. */
#include "kernels/cuda/driver.h"

#include "ir/base/base.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define HELP "install the NVIDIA driver (Debian: nvidia-driver, from non-free), " \
	"or leave --device cuda away"

static const struct {
	size_t offset;
	const char *symbol;
} entries[] = {
#define X(name, symbol, args) {offsetof(CudaDriver, name), symbol},
	CUDA_ENTRIES(X)
#undef X
};

/* A function pointer is stored as dlsym gives it: a pointer to data. */
static bool
find_entries(CudaDriver *d, char *err, size_t size)
{
	for (size_t i = 0; i < COUNT_OF(entries); i++) {
		void *p = dlsym(d->library, entries[i].symbol);
		if (!p) {
			snprintf(err, size, "the CUDA driver has no %s: it is "
				"too old; " HELP, entries[i].symbol);
			return false;
		}
		memcpy((char *)d + entries[i].offset, &p, sizeof p);
	}
	return true;
}

const char *
cuda_error(const CudaDriver *d, int code, char *buf, size_t size)
{
	const char *name = NULL, *text = NULL;
	if (d->error_name(code, &name))
		name = NULL;
	if (d->error_text(code, &text))
		text = NULL;
	snprintf(buf, size, "%s (%d)%s%s", name ? name : "CUDA error", code,
		text ? ": " : "", text ? text : "");
	return buf;
}

static bool
begin(CudaDriver *d, char *err, size_t size)
{
	char text[200];
	int code = d->init(0);
	if (code == CUDA_NO_DEVICE) {
		snprintf(err, size, "the CUDA driver sees no GPU");
		return false;
	}
	if (!code)
		code = d->version(&d->version_number);
	if (code) {
		snprintf(err, size, "the CUDA driver does not start: %s",
			cuda_error(d, code, text, sizeof text));
		return false;
	}
	if (d->version_number < CUDA_DRIVER_LEAST) {
		snprintf(err, size, "the driver is for CUDA %d.%d, CUDA %d.%d "
			"is needed: install a newer NVIDIA driver",
			d->version_number / 1000, d->version_number % 1000 / 10,
			CUDA_DRIVER_LEAST / 1000,
			CUDA_DRIVER_LEAST % 1000 / 10);
		return false;
	}
	return true;
}

const CudaDriver *
cuda_driver(char *err, size_t size)
{
	static CudaDriver d;
	static bool ready;
	const char *path = getenv("SLUICE_CUDA_DRIVER");
	if (ready)
		return &d;
	if (!d.library)
		d.library = dlopen(path && *path ? path : "libcuda.so.1",
			RTLD_NOW | RTLD_LOCAL);
	if (!d.library) {
		snprintf(err, size, "there is no CUDA driver (%s): " HELP,
			dlerror());
		return NULL;
	}
	ready = find_entries(&d, err, size) && begin(&d, err, size);
	return ready ? &d : NULL;
}
