/* lang.h - from the text of a .slu file to a graph.
 *
 *   scan.l        characters -> tokens with places
 *   gram.y        tokens -> syntax tree
 *   expect.c      what a syntax error says was expected
 *   ast.c         the tree's constructors and printer
 *   elab*.c       runs the file: parameters, blocks, loops; makes graph nodes
 *   params.c      parameters: -D, config keys, defaults
 *   settings.c    config keys that no parameter reads: harmless, or an error
 *   sampler/      a scheduler's config to its table
 *   diag.c        errors with place, source line, caret, block instantiation, note
 */
#ifndef SLUICE_LANG_H
#define SLUICE_LANG_H

#include "ir/ir.h"
#include "ir/base/json.h"
#include "lang/sampler/sampler.h"

/* A config.json (or scheduler_config.json) for a component; "" is the nameless
 * component of a model compiled alone.  Several for one component: later ones
 * win, their nulls do not. */
typedef struct LangConfig {
	const char *component;
	const char *path;       /* for messages */
	const Json *json;       /* NULL: `path` is the folder where it should be;
	                           a program that uses the component is refused */
	bool partial;           /* settings over a config; where there is none,
	                           over what the program has without */
} LangConfig;

typedef struct LangOptions {
	const char *path;       /* of the .slu file, "-" for standard input; a
	                           path that does not exist is looked up among
	                           the built-in examples by its last part */
	const char *text;       /* the file's text itself instead of what `path`
	                           holds; it includes built-in files only */
	size_t size;            /* of it */
	const char *model;      /* --model, or NULL */
	DType dtype;
	const char *const *define;      /* the arguments of -D: "name=value" */
	size_t ndefine;
	const LangConfig *config;
	size_t nconfig;
	const Sampler *table;   /* the rows of every schedule, whatever the
	                           config and the number of steps say; NULL: none */
	bool keep_latents;      /* one more output "latents" [step, ...]: the
	                           carried value after each step */
	FILE *dump_ast;         /* print the syntax tree here, or NULL */
	FILE *errors;           /* print errors here; NULL: stderr */
} LangOptions;

/* Compiles the file to a graph in `a`.  On errors prints up to 20 of them and
 * returns NULL; the exit code is EXIT_SOURCE, or EXIT_IO when the
 * file cannot be read (in *code). */
Graph *lang_compile(Arena *a, const LangOptions *o, int *code);

/* ---- the built-in examples (generated from examples/ by the Makefile) ---- */
extern const Builtin lang_builtins[];   /* ends with a NULL name */

#endif
