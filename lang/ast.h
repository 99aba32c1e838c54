/* ast.h - the syntax tree, and what scanner and parser share.
 *
 * One struct for every kind of node, no unions; what a kind does not use is
 * zero.  Names are interned: equal names are equal pointers.  The tree lives in
 * the compilation's arena.
 */
#ifndef SLUICE_AST_H
#define SLUICE_AST_H

#include "lang/diag.h"

enum { NEST_MAX = 256 };        /* levels of nesting in a file */

/* kind, then which fields it uses */
#define AST_KINDS(X) \
	X(LIST,     "outputs")   /* list of nodes in a production */ \
	/* items */ \
	X(INCLUDE,  "include")   /* name */ \
	X(AXIS,     "axis")      /* list of IDENT */ \
	X(PARAM,    "param")     /* name, a count, b default, list of STRING */ \
	X(CONST,    "const")     /* name, b value */ \
	X(BLOCK,    "block")     /* name, list of FORMAL, a body */ \
	X(MODEL,    "model")     /* name, list of INPUT, a body, b outputs */ \
	X(PIPELINE, "pipeline")  /* the same */ \
	X(FORMAL,   "formal")    /* name, a default */ \
	X(INPUT,    "input")     /* name, b element type, list of ARG extents */ \
	X(IDENT,    "name")      /* name */ \
	/* statements */ \
	X(BODY,     "body")      /* list of statements */ \
	X(ASSIGN,   "assign")    /* list of IDENT, a value */ \
	X(APPEND,   "append")    /* name, a value */ \
	X(IF,       "if")        /* a condition, b then, c else */ \
	X(FOR,      "for")       /* name, a list, b body */ \
	X(DENOISE,  "denoise")   /* name, a sampler, b body */ \
	X(SCOPE,    "scope")     /* a text, b body */ \
	X(RETURN,   "return")    /* list of values */ \
	X(CHECK,    "check")     /* a condition, b text */ \
	/* expressions */ \
	X(INT,      "int")       /* integer */ \
	X(FLOAT,    "float")     /* number */ \
	X(BOOL,     "bool")      /* integer */ \
	X(NONE,     "none")      \
	X(STRING,   "string")    /* name */ \
	X(TEXT,     "text")      /* list of STRING and expressions by turns */ \
	X(NAME,     "var")       /* name */ \
	X(CALL,     "call")      /* name, list of arguments, a label */ \
	X(ARG,      "arg")       /* name, a value */ \
	X(METHOD,   "method")    /* a object, name, list of arguments */ \
	X(FIELD,    "field")     /* a object, name */ \
	X(INDEX,    "index")     /* a list, b index */ \
	X(LISTOF,   "list")      /* list of elements */ \
	X(MAP,      "map")       /* list of ARG */ \
	X(NEGATE,   "negate")    /* a */ \
	X(NOT,      "not")       /* a */ \
	X(AND,      "and")       /* a, b */ \
	X(OR,       "or")        /* a, b */ \
	X(COND,     "cond")      /* a ? b : c */ \
	X(RANGE,    "range")     /* a .. b */ \
	X(BINARY,   "binary")    /* name is the operator: a, b */

typedef enum AstKind {
#define X(id, name) A_##id,
	AST_KINDS(X)
#undef X
} AstKind;

typedef struct Ast {
	AstKind kind;
	int depth;              /* levels of nodes below it */
	Loc loc;                /* all of it */
	Loc at;                 /* its name or operator */
	const char *name;
	struct Ast *a, *b, *c;
	struct Ast *list, *last;        /* children, chained by next */
	size_t n;               /* of the list */
	struct Ast *next;
	int64_t integer;
	double number;
	struct Ast *target;     /* CALL: the block or model, once looked up */
	const Source *file;     /* BLOCK, MODEL, PIPELINE: where it stands */
} Ast;

/* ---- interned names ---- */
typedef struct Names {
	const char **at;
	size_t n, cap;
} Names;

const char *name_intern(Arena *a, Names *names, const char *s, size_t n);

/* ---- the parser's state ---- */
typedef struct Bracket {
	char kind;              /* ( [ {, or s p: a { in a string or path */
	Loc loc;
} Bracket;

typedef struct Parse {
	Arena *arena;
	Names *names;
	Diags *diags;
	Source *file;
	void *scanner;          /* yyscan_t */
	/* the token that the scanner gives next */
	Ast *ast;               /* NUMBER, STRING, HEAD, MID, TAIL */
	const char *name;       /* NAME */
	Loc loc;
	uint32_t offset;
	bool first;             /* the token is the first of its line */
	bool line_begins;       /* nothing but space so far in this line */
	bool more;              /* in a text: behind {expr} */
	bool segment_done;      /* in a path: just behind {expr} */
	Vec(char) text;         /* of the string being scanned */
	uint32_t text_begin;
	Vec(Bracket) open;
	bool made_up;           /* it is a '}' that the text lacks */
	uint32_t previous_end;  /* of the token before it */
	/* recovery */
	bool skip;              /* look for a place to go on */
	uint32_t resumed;       /* offset of the token where parsing went on:
	                           refused again, it is skipped */
	int held;               /* the token that comes behind it, or 0 */
	int skip_braces;        /* open ones that an error took away */
	bool fatal;             /* give up */
	Ast *items;
} Parse;

/* Scanner (scan.l): */
void scan_begin(Parse *p);
int scan_token(Parse *p);
void scan_end(Parse *p);

/* What an error says was expected (expect.c): the names of n tokens in a few
 * words, as "an expression or ')'". */
void expect_list(const char *const *name, size_t n, char *out, size_t size);
/* Whether the token (one-character ones with their quotes) makes a longer
 * expression of one. */
bool expect_operator(const char *name);

/* Parses p->file into p->file->items; errors are reported (gram.y). */
void parse_file(Arena *a, Names *names, Diags *d, Source *file);

/* ---- constructors ---- */
/* The location [a.begin, b.end). */
Loc loc_join(Loc a, Loc b);
Ast *ast_new(Parse *p, AstKind kind, Loc loc);
Ast *ast_named(Parse *p, AstKind kind, Loc loc, const char *name, Loc at);
/* With children, which may be NULL.  Reports nesting beyond NEST_MAX. */
Ast *ast_with(Parse *p, Ast *node, Ast *a, Ast *b, Ast *c);
/* Moves the children of `list` (may be NULL) to `node`. */
Ast *ast_take(Parse *p, Ast *node, Ast *list);
Ast *ast_list(Parse *p, Loc loc);
Ast *ast_append(Ast *list, Ast *item);
Ast *ast_prepend(Ast *list, Ast *item);
Ast *ast_binary(Parse *p, Loc loc, const char *op, Loc at, Ast *a, Ast *b);
/* Prints the tree, a line for a node (--dump=A). */
void ast_print(const Ast *node, FILE *out);

#endif
