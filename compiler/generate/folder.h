/* folder.h - what stands at a path that is not what a user took it for.
 */
#ifndef SLUICE_FOLDER_H
#define SLUICE_FOLDER_H

#include "ir/base/json.h"

enum { FOLDER_ERR = 512 };      /* bytes behind every `err` here */

/* Why `folder` is no model as diffusers saves it (it has no model_index.json), and
 * what to do: it is missing, a file, a component, the root of a download cache, a
 * folder around the model.  Returns EXIT_IO or EXIT_SOURCE. */
int folder_explain(Arena *a, const char *folder, char *err);
/* The same for a component's folder without a config. */
int folder_explain_component(Arena *a, const char *component,
	const char *folder, char *err);
/* What the pipeline class of a model_index.json is ("Stable Diffusion XL"), for
 * those that are not supported; "" when it is not known. */
const char *folder_pipeline(const char *class_name);

/* A component that is one file of weights without a config beside it: the config of
 * a motion adapter, as far as its tensors tell it.  NULL with the reason in `err`
 * and an exit code in *code: a pickle, no motion modules, names of another kind. */
const Json *adapter_config(Arena *a, const char *file, int *code, char *err);

#endif
