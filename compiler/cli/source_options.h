/* source_options.h - the options that say what to compile, shared by the
 * commands that take a source.
 */
#ifndef SLUICE_SOURCE_OPTIONS_H
#define SLUICE_SOURCE_OPTIONS_H

#include "compiler/compiler.h"
#include "compiler/cli/options.h"

/* Reads -D, --dtype, --config, --hf, --component, --model, --threads, --device,
 * --profile, --dump, --table into `o`; bad ones end the program with the documented
 * code. */
void source_options(const Args *args, Arena *a, CompileOptions *o);
/* The table of --table, NULL: none. */
const Sampler *source_table(const Args *args, Arena *a);
/* Ends the program when an option that says where configs are means nothing to
 * the program that was compiled: --hf and --component for a model compiled
 * alone, --config for a pipeline, a component that it does not have. */
void source_options_used(const Args *args, Arena *a, const Plan *p);

#endif
