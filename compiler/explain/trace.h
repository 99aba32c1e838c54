/* trace.h - the trace of a run. */
#ifndef SLUICE_TRACE_H
#define SLUICE_TRACE_H

#include "vm/vm.h"

/* Writes the events of a traced run in Chrome's trace form ("X" for each
 * instruction, "C" for the arena's height in use). */
bool trace_write(const char *path, const Plan *p, const VmTimes *t, char *err);

#endif
