/* elab.h - elaboration: running a file at compile time.
 *
 *   load.c        files and what they include
 *   names.c       what each file defines; names that may not be used
 *   params.c      -D, config keys, defaults; a file's parameters and constants
 *   settings.c    config keys that no parameter reads
 *   value.c       compile-time values
 *   elab.c        lang_compile; models and pipelines as programs
 *   elab_stmt.c   statements, the denoising loop
 *   elab_expr.c   expressions
 *   elab_call.c   calls of blocks and models
 *   elab_op.c     calls of ops: the table of ops, their arguments
 *   elab_layer.c  ops that own weights, attention
 *   elab_sampler.c  samplers and their steps
 *   elab_view.c   ops that move, join or make tensors
 *   elab_node.c   graph nodes: sites, weights, arithmetic
 *
 * Everything lives in the compilation's arena.  A failed evaluation gives
 * V_ERROR, which passes through whatever uses it without a second message.
 */
#ifndef SLUICE_ELAB_H
#define SLUICE_ELAB_H

#include "lang/ast.h"
#include "lang/lang.h"

enum {
	LIST_MAX = 65536,       /* elements of a list, bytes of a string */
	SCOPE_MAX = 1024,       /* bytes of a weight's name */
	FILE_BYTES_MAX = 1 << 20,
	INCLUDE_MAX = 16,       /* levels of inclusion */
	EVAL_DEPTH_MAX = 1500,  /* nested evaluations, over all calls */
	WORK_MAX = 10000000,    /* evaluated expressions */
	MEMORY_MAX = 512 << 20, /* bytes for values, names, nodes */
};

/* ---- values ---- */

typedef enum ValueKind {
	V_UNSET, V_ERROR, V_NONE, V_BOOL, V_INT, V_FLOAT, V_STRING, V_LIST,
	V_RANGE, V_MAP, V_AXIS, V_TENSOR, V_SAMPLER, V_STEP
} ValueKind;

typedef struct Value {
	ValueKind kind;
	int64_t i;              /* V_BOOL, V_INT; V_AXIS: the axis; V_RANGE:
	                           begin; V_TENSOR: the node */
	int64_t n;              /* V_RANGE: end; V_LIST, V_MAP: elements */
	double f;               /* V_FLOAT */
	const char *s;          /* V_STRING */
	struct List *list;      /* V_LIST, V_MAP */
	struct Schedule *schedule;      /* V_SAMPLER, V_STEP */
} Value;

/* Storage of lists and maps.  Values never change, but a list that is appended
 * to shares its storage with the shorter one: a value sees its first n. */
typedef struct List {
	Value *at;
	const char **key;       /* maps only */
	int64_t used, cap;
} List;

/* A sampler's schedule and its nodes in the loop, made when first used. */
typedef struct Schedule {
	const Sampler *sampler;
	uint32_t t, scale, noise;
	uint32_t rows[2][2];    /* tables of x' and h1', in up to two parts */
	/* what it carries: zeros to begin with, and the value in the loop */
	uint32_t init[SAMPLER_HISTORY], carry[SAMPLER_HISTORY];
	bool updated;           /* the loop has called update */
} Schedule;

/* ---- environments ---- */

typedef struct Var {
	const char *name;
	Value value;
} Var;

/* Values of a file's parameters and constants in one instance. */
typedef struct FileEnv {
	const Source *file;
	Value *value;           /* for each of file->params */
	size_t done;            /* so many have their value */
} FileEnv;

typedef struct Forced {
	const char *name;       /* parameter that is an input's extent */
	int64_t extent;
} Forced;

/* A model as it is used once: its component and parameters. */
typedef struct Instance {
	const char *component;  /* "": compiled alone, or a pipeline's own */
	const Ast *model;       /* MODEL or PIPELINE */
	Vec(Forced) forced;
	Vec(FileEnv *) envs;
} Instance;

/* A block or model being evaluated (def NULL: a file's parameters). */
typedef struct Frame {
	struct Frame *up;
	const Ast *def;
	Loc call;               /* where it was called; file NULL: nowhere */
	const char *scope;      /* weight scope of the call */
	Instance *instance;
	FileEnv *env;
	size_t base;            /* its first variable */
	int loops;              /* denoising loops around the statement */
	bool returned;
	Value result;
	size_t nresult;         /* values that `return` named */
} Frame;

/* A -D argument. */
typedef struct Define {
	const char *text;       /* as written, without the value */
	const char *component;  /* before the last dot, or NULL */
	const char *name;
	Value value;
	bool used;
} Define;

/* A key of a component's config that the program reads; NULL: all of them. */
typedef struct ReadKey {
	const char *component, *key;
} ReadKey;

typedef struct Elab {
	Arena *arena;
	Names names;
	Diags diags;
	const LangOptions *o;
	Vec(Source *) files;
	unsigned walk;
	Vec(Define) defines;
	Vec(ReadKey) read_keys;
	Graph *g;
	const Ast *program;     /* the model or pipeline that is compiled */
	Frame *frame;
	Vec(Var) vars;
	Vec(Value) stack;       /* arguments being collected */
	const char *scope;
	Stage stage;
	Schedule *loop;         /* schedule of the denoising loop inside */
	int64_t work;
	int depth;
	bool stop;              /* a limit was reached */
	bool missing;           /* a config is not there */
	Vec(uint32_t) weight_node;      /* node of each of the graph's weights */
	Vec(const char *) rehash_names; /* component, name by turns */
	uint32_t last_site;
	uint32_t latents;       /* what the first carried value is next */
} Elab;

/* Reports an error at `loc` and gives V_ERROR. */
Value elab_error(Elab *e, Loc loc, const char *note, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Counts work; false when the limit was reached (reported at loc). */
bool elab_work(Elab *e, Loc loc, int64_t units);
/* "did you mean 'x'?" for the nearest of the names, or NULL. */
const char *elab_nearest(Elab *e, const char *name, const char *const *names,
	size_t n);

/* ---- load.c ---- */
/* Reads the main file, which the options name or hold, and all it includes;
 * returns it, or NULL with *code set when it cannot be read. */
Source *load_files(Elab *e, int *code);

/* ---- names.c ---- */
/* Fills the files' lists of definitions, declares axes, and reports names that
 * are taken. */
void names_define(Elab *e);
/* Axis of that name, or -1. */
int names_axis(const Elab *e, const char *name);
/* The same with an error at `loc`. */
int names_need_axis(Elab *e, const char *name, Loc loc);
/* The block or model that `name` means in `file`: NULL when there is none or
 * there are two (reported, *two set). */
Ast *names_callable(Elab *e, Source *file, const char *name, Loc loc,
	bool *two);
/* All callables that `file` sees, for messages; n is their number. */
const char *const *names_visible(Elab *e, Source *file, size_t *n);
/* Calls `each` for file and what it includes, at any depth. */
void names_walk(Elab *e, Source *file, void (*each)(Elab *, Source *, void *),
	void *user);
/* Index among the file's parameters and constants, or -1. */
int64_t names_param(const Source *file, const char *name);

/* ---- params.c ---- */
void params_define(Elab *e);            /* reads the -D arguments */
/* Marks the -D that the instance can use; reports others of its kind. */
void params_claim(Elab *e, Instance *in);
void params_unused(Elab *e);
/* Parameters and constants of `file` in the instance, evaluated when first
 * asked for. */
FileEnv *params_env(Elab *e, Instance *in, const Source *file);
/* Config of a component with later files over earlier ones; `usual` (or NULL)
 * where there is none. */
const Json *params_config(Elab *e, const char *component, const Json *usual);

/* ---- settings.c ---- */
/* Whether the configs belong together: an adapter to its UNet, a UNet to these
 * models; if not, it is reported. */
bool settings_belong(Elab *e);
/* Notes that the program reads a key of a component's config; NULL: any key. */
void settings_read(Elab *e, const char *component, const char *key);
/* Reports the keys that the program does not read and that may change what the
 * model computes. */
void settings_check(Elab *e);

/* ---- value.c ---- */
Value value_int(int64_t i);
Value value_float(double f);
Value value_bool(bool b);
Value value_string(const char *s);
Value value_tensor(uint32_t node);
Value value_list(Elab *e, int64_t cap);
Value value_error(void);
/* Appends to a list; false when it is full or work runs out (reported). */
bool value_append(Elab *e, Loc loc, Value *list, const Value *item);
/* Element k of a list or range. */
Value value_element(const Value *list, int64_t k);
int64_t value_length(const Value *list);
bool value_is_number(const Value *v);
double value_number(const Value *v);
/* 1 equal, 0 not, -1 reported. */
int value_equal(Elab *e, Loc loc, const Value *a, const Value *b);
/* "int", "a list of 2", "f32[h=4, c=8]". */
const char *value_describe(Elab *e, const Value *v);
Value value_from_json(Elab *e, const Json *j);

/* ---- elab_expr.c, elab_stmt.c, elab_call.c ---- */
Value eval(Elab *e, const Ast *a);
/* 1 true, 0 false, -1 reported. */
int eval_condition(Elab *e, const Ast *a);
/* x OP y, the operator being a's name. */
Value eval_arithmetic(Elab *e, const Ast *a, const Value *x, const Value *y);
/* Text of an interpolated string; NULL when an error was reported. */
const char *eval_text(Elab *e, const Ast *a);
/* The scope extended by a label (NULL: unchanged); NULL on error. */
const char *eval_scope(Elab *e, const Ast *label);
void exec_body(Elab *e, const Ast *body);
Value eval_call(Elab *e, const Ast *a);
Value eval_method(Elab *e, const Ast *a);
Var *find_var(Elab *e, const char *name);
void push_var(Elab *e, const char *name, const Value *v);
/* Evaluates the arguments onto e->stack and sorts them into n slots for the
 * names; returns the stack index of the first slot, or SIZE_MAX (reported).
 * Axis-named arguments that no name takes go to `extra` (may be NULL). */
typedef struct Extra {
	const Ast *at[AXIS_MAX];
	Value value[AXIS_MAX];
	int axis[AXIS_MAX];
	int n;
} Extra;
size_t bind_args(Elab *e, const Ast *call, const char *const *names, size_t n,
	Extra *extra);
/* The expression given for slot i, NULL when left out. */
const Ast *bound_arg(const Ast *call, const char *const *names, size_t i);
void enter_frame(Elab *e, Frame *f, const Ast *def, Instance *in,
	FileEnv *env);
void leave_frame(Elab *e, Frame *f);
/* Evaluates an input's declared type in the current frame; false: reported. */
bool input_type(Elab *e, const Ast *input, Type *t);

/* ---- elab_op.c ---- */
enum { FORMALS_MAX = 8 };

typedef struct OpCall {
	Elab *e;
	const Ast *call;
	Loc loc;                /* name and arguments */
	const struct OpDef *def;
	Value arg[FORMALS_MAX];
	Extra extra;
} OpCall;

typedef struct OpDef {
	const char *name;
	const char *formal[FORMALS_MAX];
	int required;
	bool axes;              /* takes axis=value arguments */
	Value (*eval)(OpCall *c);       /* NULL: handled by eval_op itself */
} OpDef;

const OpDef *op_lookup(const char *name);
const char *const *op_names(size_t *n);
Value eval_op(Elab *e, const Ast *call, const OpDef *op);
/* Arguments by slot; false: reported. */
bool arg_given(const OpCall *c, int i);
bool arg_tensor(OpCall *c, int i, uint32_t *node);
bool arg_int(OpCall *c, int i, int64_t lo, int64_t hi, int64_t *out);
bool arg_number(OpCall *c, int i, double *out);
bool arg_bool(OpCall *c, int i, bool *out);
bool arg_over(OpCall *c, int i, AxisSet *out);
Loc arg_loc(const OpCall *c, int i);
/* Extent given by an axis=n argument. */
bool extra_extent(OpCall *c, int i, int64_t *out);

/* ---- elab_node.c ---- */
const Type *node_type(const Elab *e, uint32_t node);
/* Infers and appends a node; 0 when it does not fit (reported at loc). */
uint32_t node_add(Elab *e, Node *n, Loc loc);
uint32_t node_unary(Elab *e, Op op, uint32_t x, Loc loc);
uint32_t node_binary(Elab *e, Op op, uint32_t x, uint32_t y, Loc loc);
uint32_t node_scalar(Elab *e, Op op, uint32_t x, double scalar, bool reversed,
	Loc loc);
uint32_t node_copy(Elab *e, uint32_t x, DType to, Loc loc);
uint32_t node_input(Elab *e, const char *name, const Type *t, Loc loc);
uint32_t node_table(Elab *e, const char *name, int64_t rows, int64_t cols,
	const double *data, Loc loc);
/* A weight of the current scope; suffix "weight", "bias", or NULL for the
 * scope's own name.  Matrices have type [c=elements], others `type`. */
uint32_t node_weight(Elab *e, const OpCall *c, const char *suffix, int rank,
	const int64_t *dim, const Type *type);
/* V_TENSOR of a node, V_ERROR of 0. */
Value node_value(uint32_t node);
/* Arithmetic of two values of which one at least is a tensor. */
Value node_arithmetic(Elab *e, const Ast *a, const Value *x, const Value *y);

/* ---- elab_sampler.c ---- */
/* The schedule of the component's config for so many steps. */
Value elab_sampler(Elab *e, const char *component, int64_t steps, Loc loc);
/* The latent that the loop starts from: noise times the schedule's start. */
Value sampler_start(Elab *e, Schedule *s, uint32_t noise, Loc loc);
/* Around the denoising loop: brings in what the sampler carries; sees that the
 * step made it anew.  False: reported. */
bool sampler_enter(Elab *e, Schedule *s, Loc loc);
bool sampler_leave(Elab *e, const Schedule *s, Loc loc);
/* A step's time, the model's input made of the latent, the next latent. */
Value sampler_time(Elab *e, Schedule *s, Loc loc);
Value sampler_scale(Elab *e, Schedule *s, uint32_t x, Loc loc);
Value sampler_update(Elab *e, Schedule *s, uint32_t x, uint32_t result, Loc loc);

/* ---- elab_layer.c, elab_view.c: ops by name ---- */
Value op_linear(OpCall *c);
Value op_conv(OpCall *c);
Value op_group_norm(OpCall *c);
Value op_layer_norm(OpCall *c);
Value op_embed(OpCall *c);
Value op_weight(OpCall *c);
Value op_attend(OpCall *c);
Value op_at(OpCall *c);
Value op_merge(OpCall *c);
Value op_expand(OpCall *c);
Value op_resize(OpCall *c);
Value op_index(OpCall *c);
Value op_sinusoid(OpCall *c);
Value op_rehash(OpCall *c);
Value op_concat(Elab *e, const Ast *call);

#endif
