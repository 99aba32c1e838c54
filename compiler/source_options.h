/* source_options.h - the options that say what to compile, shared by the
 * commands that take a source.
 */
#ifndef SLUICE_SOURCE_OPTIONS_H
#define SLUICE_SOURCE_OPTIONS_H

#include "compiler.h"
#include "options.h"

/* Reads -D, --dtype, --config, --hf, --component, --model, --threads, --device,
 * --profile, --dump into `o`; bad ones end the program with the documented
 * code. */
void source_options(const Args *args, Arena *a, CompileOptions *o);

#endif
