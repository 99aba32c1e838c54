/* plan_input.h - the plan that a command explains. */
#ifndef SLUICE_PLAN_INPUT_H
#define SLUICE_PLAN_INPUT_H

#include "compiler/cli/source_options.h"

/* Operand `at`: a plan file, which goes through all gates, or a source (.slu),
 * which is compiled with the command's options.  A plan that is refused ends
 * the program; a source that does not compile has printed its messages, the
 * exit code is returned. */
int plan_input(const Args *args, size_t at, Arena *a, Plan **plan);
/* What `write` makes of its argument, to --output or standard output, whole or
 * not at all; ends the program when that fails. */
void write_output(const Args *args, void (*write)(const void *what, FILE *out),
	const void *what);

#endif
