/* device.c - see device.h. */
#include "vm/device/device.h"

#include <string.h>

static const DeviceTable *const tables[] = {&device_cpu, &device_cuda};

const DeviceTable *
device_find(const char *target)
{
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		if (!strcmp(tables[i]->target, target))
			return tables[i];
	return NULL;
}

const char *
device_error(const Device *d)
{
	return d->error;
}

int
device_fail(Device *d, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(d->error, sizeof d->error, fmt, ap);
	va_end(ap);
	return code;
}
