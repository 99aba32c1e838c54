/* gram.y - tokens to the syntax tree.
 *
 * Actions are constructor calls; all work is done after parsing.  The tree is
 * in the arena, so there is nothing to free when an error drops a symbol.
 * After a syntax error the parser goes on at the next token that starts a line
 * and can start a statement, or at '}' (see sync_point).
 */
%{
#include "lang/ast.h"

#include <string.h>

#define SLU_LTYPE Loc
#define YYLLOC_DEFAULT(result, rhs, n) \
	((result) = (n) ? loc_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n)) \
		: (Loc){YYRHSLOC(rhs, 0).file, YYRHSLOC(rhs, 0).end, \
			YYRHSLOC(rhs, 0).end})
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
%}
%code requires { #include "lang/ast.h" }
%define api.prefix {slu_}
%define api.pure full
%define api.location.type {Loc}
%define api.token.prefix {SLU_}
%define parse.error custom
%define parse.lac full
%locations
%param {Parse *p}
%expect 0
%initial-action { @$ = (Loc){p->file, 0, 0}; }

%union {
	Ast *ast;
	const char *name;
}

%token END 0 "the end of the file"
%token <name> NAME "a name"
%token <ast> NUMBER "a number" STRING "a text" HEAD "a text with {" MID "}" TAIL "} ending a text"
%token INCLUDE "include" AXIS "axis" PARAM "param" FROM "from" BLOCK "block"
%token MODEL "model" PIPELINE "pipeline" IF "if" ELSE "else" FOR "for" IN "in"
%token SCOPE "scope" DENOISE "denoise" RETURN "return" CHECK "check"
%token AND "and" OR "or" NOT "not" TRUE "true" FALSE "false" NONE "none"
%token DOTS ".." ARROW "->" APPEND "+=" PIPE "|>" EQ "==" NE "!=" LE "<=" GE ">="

%type <ast> items item names froms from formals formal inputs input extents
%type <ast> extent body stmts stmt if else exprs expr cond or and not rel
%type <ast> compare range span sum product unary postfix primary args arg arglist
%type <ast> entries entry label text mids count default callargs
%type <name> relop type

/* A '{' that recovery takes away leaves its '}' to be skipped. */
%token <name> '{'
%destructor { p->skip_braces++; } '{'

%code {
static int slu_lex(SLU_STYPE *value, Loc *loc, Parse *p);
static void slu_error(const Loc *loc, Parse *p, const char *text);
static bool sync_point(const Parse *p, int token);
static Ast *definition(Parse *p, AstKind kind, Loc loc, const char *name, Loc at,
	Ast *list, Ast *body, Ast *outputs);
static void chained(Parse *p, Loc at, const char *op, bool relation);
static Ast *args_append(Parse *p, Ast *list, Ast *arg);
static Ast *call(Parse *p, Loc loc, const char *name, Loc at, Ast *args,
	Ast *label);

#define RECOVER \
	do { \
		if (p->fatal || yychar == SLU_END) \
			YYABORT; \
		if (yychar == SLU_SLU_EMPTY || p->skip_braces \
			|| p->resumed == p->loc.begin \
			|| !sync_point(p, yychar)) { \
			p->skip_braces += (yychar == '{') \
				- (yychar == '}' && p->skip_braces); \
			yyclearin; \
			p->skip = true; \
		} \
		p->resumed = p->loc.begin; \
		yyerrok; \
	} while (0)
}

%%

file:
  items                 { p->items = $1; }
;
items:
  %empty                { $$ = ast_list(p, @$); }
| items item            { $$ = ast_append($1, $2); }
| items ';'             { $$ = $1; }
| items error           { $$ = $1; RECOVER; }
;
item:
  "include" STRING      { $$ = ast_named(p, A_INCLUDE, @$, $2->name, @2); }
| "axis" names          { $$ = ast_take(p, ast_new(p, A_AXIS, @$), $2); }
| "param" NAME count '=' expr froms
	{ $$ = ast_take(p, ast_with(p, ast_named(p, A_PARAM, @$, $2, @2), $3, $5, NULL), $6); }
| NAME '=' expr         { $$ = ast_with(p, ast_named(p, A_CONST, @$, $1, @1), NULL, $3, NULL); }
| "block" NAME '(' formals ')' body
	{ $$ = definition(p, A_BLOCK, @$, $2, @2, $4, $6, NULL); }
| "model" NAME '(' inputs ')' "->" names body
	{ $$ = definition(p, A_MODEL, @$, $2, @2, $4, $8, $7); }
| "pipeline" NAME '(' inputs ')' "->" names body
	{ $$ = definition(p, A_PIPELINE, @$, $2, @2, $4, $8, $7); }
;
count:
  %empty                { $$ = NULL; }
| '[' expr ']'          { $$ = $2; }
;
froms:
  %empty                { $$ = NULL; }
| "from" from           { $$ = $2; }
;
from:
  STRING                { $$ = ast_append(ast_list(p, @$), $1); }
| from ',' STRING       { $$ = ast_append($1, $3); }
;
names:
  NAME                  { $$ = ast_append(ast_list(p, @$), ast_named(p, A_IDENT, @1, $1, @1)); }
| names ',' NAME        { $$ = ast_append($1, ast_named(p, A_IDENT, @3, $3, @3)); $$->loc = @$; }
;
formals:
  %empty                { $$ = ast_list(p, @$); }
| formal                { $$ = ast_append(ast_list(p, @$), $1); }
| formals ',' formal    { $$ = ast_append($1, $3); }
| formals ','           { $$ = $1; }
;
formal:
  NAME default          { $$ = ast_with(p, ast_named(p, A_FORMAL, @$, $1, @1), $2, NULL, NULL); }
;
default:
  %empty                { $$ = NULL; }
| '=' expr              { $$ = $2; }
;
inputs:
  %empty                { $$ = ast_list(p, @$); }
| input                 { $$ = ast_append(ast_list(p, @$), $1); }
| inputs ',' input      { $$ = ast_append($1, $3); }
| inputs ','            { $$ = $1; }
;
input:
  NAME ':' type '[' extents ']'
	{
		$$ = ast_take(p, ast_named(p, A_INPUT, @$, $1, @1), $5);
		if ($3)
			$$->b = ast_named(p, A_IDENT, @3, $3, @3);
	}
;
type:
  %empty                { $$ = NULL; }
| NAME                  { $$ = $1; }
;
extents:
  %empty                { $$ = ast_list(p, @$); }
| extent                { $$ = ast_append(ast_list(p, @$), $1); }
| extents ',' extent    { $$ = ast_append($1, $3); }
| extents ','           { $$ = $1; }
;
extent:
  NAME '=' expr         { $$ = ast_with(p, ast_named(p, A_ARG, @$, $1, @1), $3, NULL, NULL); }
;
body:
  '{' stmts '}'         { $$ = ast_take(p, ast_new(p, A_BODY, @$), $2); (void)$1; }
;
stmts:
  %empty                { $$ = ast_list(p, @$); }
| stmts stmt            { $$ = ast_append($1, $2); }
| stmts ';'             { $$ = $1; }
| stmts error           { $$ = $1; RECOVER; }
;
stmt:
  names '=' expr        { $$ = ast_take(p, ast_with(p, ast_new(p, A_ASSIGN, @$), $3, NULL, NULL), $1); $$->at = @1; }
| NAME "+=" expr        { $$ = ast_with(p, ast_named(p, A_APPEND, @$, $1, @1), $3, NULL, NULL); }
| if
| "for" NAME "in" expr body
	{ $$ = ast_with(p, ast_named(p, A_FOR, @$, $2, @2), $4, $5, NULL); }
| "denoise" NAME "in" expr body
	{ $$ = ast_with(p, ast_named(p, A_DENOISE, @$, $2, @2), $4, $5, NULL); }
| "scope" text body     { $$ = ast_with(p, ast_new(p, A_SCOPE, @$), $2, $3, NULL); $$->at = @1; }
| "return" exprs        { $$ = ast_take(p, ast_new(p, A_RETURN, @$), $2); }
| "check" expr ',' text { $$ = ast_with(p, ast_new(p, A_CHECK, @$), $2, $4, NULL); }
;
if:
  "if" expr body else   { $$ = ast_with(p, ast_new(p, A_IF, @$), $2, $3, $4); $$->at = @1; }
;
else:
  %empty                { $$ = NULL; }
| "else" body           { $$ = $2; }
| "else" if             { $$ = $2; }
;
exprs:
  expr                  { $$ = ast_append(ast_list(p, @$), $1); }
| exprs ',' expr        { $$ = ast_append($1, $3); $$->loc = @$; }
;
expr:
  cond
| expr "|>" NAME callargs label
	{ $$ = call(p, @$, $3, @3, ast_prepend($4, $1), $5); }
;
callargs:
  %empty                { $$ = ast_list(p, @$); }
| '(' args ')'          { $$ = $2; }
;
cond:
  or
| or '?' cond ':' cond  { $$ = ast_with(p, ast_new(p, A_COND, @$), $1, $3, $5); }
;
or:
  and
| or "or" and           { $$ = ast_with(p, ast_new(p, A_OR, @$), $1, $3, NULL); }
;
and:
  not
| and "and" not         { $$ = ast_with(p, ast_new(p, A_AND, @$), $1, $3, NULL); }
;
not:
  rel
| "not" not             { $$ = ast_with(p, ast_new(p, A_NOT, @$), $2, NULL, NULL); }
;
rel:
  range
| compare
;
compare:
  range relop range     { $$ = ast_binary(p, @$, $2, @2, $1, $3); }
| compare relop range   { $$ = $1; (void)$3; chained(p, @2, $2, true); }
;
relop:
  "=="                  { $$ = "=="; }
| "!="                  { $$ = "!="; }
| '<'                   { $$ = "<"; }
| "<="                  { $$ = "<="; }
| '>'                   { $$ = ">"; }
| ">="                  { $$ = ">="; }
| "in"                  { $$ = "in"; }
;
range:
  sum
| span
;
span:
  sum ".." sum          { $$ = ast_with(p, ast_named(p, A_RANGE, @$, "..", @2), $1, $3, NULL); }
| span ".." sum         { $$ = $1; (void)$3; chained(p, @2, "..", false); }
;
sum:
  product
| sum '+' product       { $$ = ast_binary(p, @$, "+", @2, $1, $3); }
| sum '-' product       { $$ = ast_binary(p, @$, "-", @2, $1, $3); }
;
product:
  unary
| product '*' unary     { $$ = ast_binary(p, @$, "*", @2, $1, $3); }
| product '/' unary     { $$ = ast_binary(p, @$, "/", @2, $1, $3); }
| product '%' unary     { $$ = ast_binary(p, @$, "%", @2, $1, $3); }
;
unary:
  postfix
| '-' unary             { $$ = ast_with(p, ast_named(p, A_NEGATE, @$, "-", @1), $2, NULL, NULL); }
;
postfix:
  primary
| postfix '[' expr ']'  { $$ = ast_with(p, ast_named(p, A_INDEX, @$, "[ ]", loc_join(@2, @4)), $1, $3, NULL); }
| postfix '.' NAME      { $$ = ast_with(p, ast_named(p, A_FIELD, @$, $3, @3), $1, NULL, NULL); }
| postfix '.' NAME '(' args ')'
	{ $$ = ast_take(p, ast_with(p, ast_named(p, A_METHOD, @$, $3, @3), $1, NULL, NULL), $5); }
| postfix '.' NAME '(' args ')' '@' text
	{
		$$ = ast_take(p, ast_with(p, ast_named(p, A_METHOD, @$, $3, @3), $1, NULL, NULL), $5);
		(void)$8;
		diag(p->diags, loc_join(@7, @8), NULL, NULL,
			"a step's method owns no weights and takes no @name");
	}
;
primary:
  NUMBER
| text
| "true"                { $$ = ast_new(p, A_BOOL, @$); $$->integer = 1; }
| "false"               { $$ = ast_new(p, A_BOOL, @$); }
| "none"                { $$ = ast_new(p, A_NONE, @$); }
| NAME                  { $$ = ast_named(p, A_NAME, @$, $1, @1); }
| NAME '(' args ')' label       { $$ = call(p, @$, $1, @1, $3, $5); }
| '(' expr ')'          { $$ = $2; }
| '[' ']'               { $$ = ast_new(p, A_LISTOF, @$); }
| '[' exprs ']'         { $$ = ast_take(p, ast_new(p, A_LISTOF, @$), $2); }
| '[' exprs ',' ']'     { $$ = ast_take(p, ast_new(p, A_LISTOF, @$), $2); }
| '{' entries '}'       { $$ = ast_take(p, ast_new(p, A_MAP, @$), $2); (void)$1; }
;
args:
  %empty                { $$ = ast_list(p, @$); }
| arglist
| arglist ','           { $$ = $1; }
;
arglist:
  arg                   { $$ = args_append(p, ast_list(p, @$), $1); }
| arglist ',' arg       { $$ = args_append(p, $1, $3); }
;
arg:
  expr
| NAME '=' expr         { $$ = ast_with(p, ast_named(p, A_ARG, @$, $1, @1), $3, NULL, NULL); }
;
entries:
  %empty                { $$ = ast_list(p, @$); }
| entry                 { $$ = ast_append(ast_list(p, @$), $1); }
| entries ',' entry     { $$ = ast_append($1, $3); }
| entries ','           { $$ = $1; }
;
entry:
  NAME ':' expr         { $$ = ast_with(p, ast_named(p, A_ARG, @$, $1, @1), $3, NULL, NULL); }
;
label:
  %empty                { $$ = NULL; }
| '@' text              { $$ = $2; }
;
text:
  STRING
| HEAD expr mids TAIL
	{
		$$ = ast_take(p, ast_new(p, A_TEXT, @$), ast_append(
			ast_prepend(ast_prepend($3, $2), $1), $4));
	}
;
mids:
  %empty                { $$ = ast_list(p, @$); }
| mids MID expr         { $$ = ast_append(ast_append($1, $2), $3); }
;

%%

static Ast *
definition(Parse *p, AstKind kind, Loc loc, const char *name, Loc at, Ast *list,
	Ast *body, Ast *outputs)
{
	Ast *node = ast_named(p, kind, loc, name, at);
	node->file = p->file;
	return ast_take(p, ast_with(p, node, body, outputs, NULL), list);
}

static Ast *
call(Parse *p, Loc loc, const char *name, Loc at, Ast *args, Ast *label)
{
	Ast *node = ast_with(p, ast_named(p, A_CALL, loc, name, at), label, NULL,
		NULL);
	return ast_take(p, node, args);
}

static void
chained(Parse *p, Loc at, const char *op, bool relation)
{
	diag(p->diags, at, NULL, relation ? "use 'and'" : NULL,
		"'%s' does not chain", op);
}

static Ast *
args_append(Parse *p, Ast *list, Ast *arg)
{
	if (arg->kind != A_ARG && list->last && list->last->kind == A_ARG)
		diag(p->diags, arg->loc, NULL, NULL,
			"an argument without a name follows named ones");
	return ast_append(list, arg);
}

/* ---- errors ---- */

typedef struct Expected {
	char text[200];
	bool assign;            /* "+=": what began is an assignment */
	bool compare;           /* "==", behind an operand */
	bool pipe;              /* "|>" */
} Expected;

/* The tokens that the parser would take, by name; of those that end a piece of
 * text, one. */
static void
list_expected(const yypcontext_t *ctx, Expected *e)
{
	enum { MOST = 64 };
	yysymbol_kind_t symbol[MOST];
	char plain[MOST][4];
	const char *name[MOST];
	size_t k = 0;
	int n = yypcontext_expected_tokens(ctx, symbol, MOST);
	for (int i = 0; i < n; i++) {
		const char *s = yysymbol_name(symbol[i]);
		e->assign |= symbol[i] == YYSYMBOL_APPEND;
		e->compare |= symbol[i] == YYSYMBOL_EQ;
		e->pipe |= symbol[i] == YYSYMBOL_PIPE;
		if (symbol[i] == YYSYMBOL_TAIL)
			continue;
		if (strlen(s) == 3 && *s == '\'') {    /* with its quotes */
			snprintf(plain[k], sizeof plain[k], "%c", s[1]);
			s = plain[k];
		}
		name[k++] = s;
	}
	if (e->assign)
		snprintf(e->text, sizeof e->text, "'='");
	else
		expect_list(name, k, e->text, sizeof e->text);
}

static void
report_open(Parse *p, const Bracket *b, const char *note)
{
	char kind = b->kind == 's' || b->kind == 'p' ? '{' : b->kind;
	Loc loc = b->loc;
	if (kind == '{' && loc.end > loc.begin)
		loc.begin = loc.end - 1;
	diag(p->diags, loc, NULL, note, "'%c' is never closed", kind);
}

/* The token that was found, as it is written. */
static void
found_token(Loc loc, char *out, size_t size)
{
	int length = (int)(loc.end - loc.begin);
	const char *s = loc.file->text + loc.begin;
	const char *newline = memchr(s, '\n', (size_t)length);
	if (newline)
		length = (int)(newline - s);
	snprintf(out, size, "'%.*s%s'", length > 32 ? 32 : length, s,
		length > 32 ? "..." : "");
}

/* The fix, where the token found (in quotes, and by its name) tells it. */
static const char *
likely_fix(const Expected *e, const char *found, const char *name)
{
	if (e->pipe && !e->compare && expect_operator(name))
		return "after a pipe only another pipe may follow: use "
			"parentheses";
	if (e->assign && (!strcmp(found, "'('") || !strcmp(found, "'|>'")))
		return "a call alone does nothing: its value wants a name";
	return e->compare && !strcmp(found, "'='") ? "'==' compares" : NULL;
}

static int
yyreport_syntax_error(const yypcontext_t *ctx, Parse *p)
{
	Loc loc = *yypcontext_location(ctx);
	bool end = yypcontext_token(ctx) == YYSYMBOL_YYEOF;
	char found[48] = "the end of the file";
	Expected e = {.text = ""};
	if (p->fatal || p->made_up || p->resumed == loc.begin)
		return 0;
	if (end && p->open.n) {
		report_open(p, &p->open.at[p->open.n - 1], NULL);
		return 0;
	}
	list_expected(ctx, &e);
	if (end)
		loc.begin = loc.end = p->previous_end;
	else {
		if (loc.file->text[loc.begin] == '}')   /* and no text behind */
			loc.end = loc.begin + 1;
		found_token(loc, found, sizeof found);
	}
	diag(p->diags, loc, NULL, likely_fix(&e, found,
		yysymbol_name(yypcontext_token(ctx))),
		"expected %s, found %s", e.text, found);
	return 0;
}

/* bison's own: its stack is exhausted. */
static void
slu_error(const Loc *loc, Parse *p, const char *text)
{
	(void)text;
	if (!p->fatal)
		diag(p->diags, *loc, NULL, NULL, "nested more than %d levels deep",
			NEST_MAX);
	p->fatal = true;
}

/* ---- recovery ---- */

static bool
starts_definition(int token)
{
	switch (token) {
	case SLU_INCLUDE: case SLU_AXIS: case SLU_PARAM: case SLU_BLOCK:
	case SLU_MODEL: case SLU_PIPELINE:
		return true;
	default:
		return false;
	}
}

/* Whether parsing can go on at the token just scanned. */
static bool
sync_point(const Parse *p, int token)
{
	switch (token) {
	case '}': case SLU_END:
		return true;
	case SLU_NAME: case SLU_IF: case SLU_FOR: case SLU_DENOISE:
	case SLU_SCOPE: case SLU_RETURN: case SLU_CHECK:
		return p->first;
	default:
		return p->first && starts_definition(token);
	}
}

/* Reads on to where parsing can continue, over bodies as a whole. */
static int
skip_tokens(Parse *p, int token)
{
	int depth = p->skip_braces;
	for (;; token = scan_token(p)) {
		if (token == SLU_END || (depth <= 0 && sync_point(p, token))
			|| (p->first && starts_definition(token)))
			break;
		depth += token == '{';
		depth -= token == '}';
	}
	p->skip = false;
	p->skip_braces = 0;
	return token;
}

/* Forgets what is open up to the innermost '{' of a body or map; false when
 * there is none. */
static bool
close_body(Parse *p)
{
	size_t i = p->open.n;
	while (i-- > 0)
		if (p->open.at[i].kind == '{') {
			p->open.n = i;
			return true;
		}
	return false;
}

/* No definition stands in a body: where one begins a line, the bodies still
 * open have lost their '}'.  The first time (`held` is not set yet) that is an
 * error; the parser is given each of them, then the definition. */
static int
close_bodies(Parse *p, int token)
{
	Bracket innermost = p->open.n ? p->open.at[p->open.n - 1] : (Bracket){0};
	bool lost = close_body(p);
	if (lost && !p->held)
		report_open(p, &innermost, arena_printf(p->arena,
			"the definition in line %d begins inside it",
			source_line(p->file, p->loc.begin)));
	p->held = lost ? token : 0;
	p->made_up = lost;
	return lost ? '}' : token;
}

static int
slu_lex(SLU_STYPE *value, Loc *loc, Parse *p)
{
	int token = p->held ? p->held : scan_token(p);
	p->made_up = false;
	if (p->skip)
		token = skip_tokens(p, token);
	if (p->first && starts_definition(token))
		token = close_bodies(p, token);
	*loc = p->loc;
	if (token == SLU_NAME || token == '{')
		value->name = p->name;
	else
		value->ast = p->ast;
	return token;
}

void
parse_file(Arena *a, Names *names, Diags *d, Source *file)
{
	Parse p = {.arena = a, .names = names, .diags = d, .file = file,
		.resumed = UINT32_MAX};
	scan_begin(&p);
	slu_parse(&p);
	scan_end(&p);
	file->items = p.items ? p.items : ast_list(&p, (Loc){file, 0, 0});
}
