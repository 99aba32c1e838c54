/* ast.c - constructors of the syntax tree, interned names, and the tree's
 * printer.
 */
#include "lang/ast.h"

#include <string.h>

/* ---- names ---- */

static size_t
hash_name(const char *s, size_t n)
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static void
names_grow(Arena *a, Names *names)
{
	Names old = *names;
	names->cap = old.cap ? old.cap * 2 : 256;
	names->at = arena_array(a, names->cap, sizeof *names->at);
	for (size_t i = 0; i < old.cap; i++) {
		if (!old.at[i])
			continue;
		size_t k = hash_name(old.at[i], strlen(old.at[i]));
		while (names->at[k & (names->cap - 1)])
			k++;
		names->at[k & (names->cap - 1)] = old.at[i];
	}
}

const char *
name_intern(Arena *a, Names *names, const char *s, size_t n)
{
	if (names->n * 2 >= names->cap)
		names_grow(a, names);
	size_t k = hash_name(s, n);
	for (;; k++) {
		const char **slot = &names->at[k & (names->cap - 1)];
		if (!*slot) {
			names->n++;
			return *slot = arena_strndup(a, s, n);
		}
		if (!strncmp(*slot, s, n) && !(*slot)[n])
			return *slot;
	}
}

/* ---- constructors ---- */

Loc
loc_join(Loc a, Loc b)
{
	return (Loc){a.file, a.begin, b.end > a.begin ? b.end : a.end};
}

Ast *
ast_new(Parse *p, AstKind kind, Loc loc)
{
	Ast *node = arena_alloc(p->arena, sizeof *node);
	node->kind = kind;
	node->loc = node->at = loc;
	return node;
}

Ast *
ast_named(Parse *p, AstKind kind, Loc loc, const char *name, Loc at)
{
	Ast *node = ast_new(p, kind, loc);
	node->name = name;
	node->at = at;
	return node;
}

/* A node's children have changed: it is one deeper than the deepest. */
static void
deepen(Parse *p, Ast *node, const Ast *child)
{
	if (!child || child->depth < node->depth)
		return;
	node->depth = child->depth + 1;
	if (node->depth > NEST_MAX && !p->fatal) {
		diag(p->diags, node->loc, NULL, NULL,
			"nested more than %d levels deep", NEST_MAX);
		p->fatal = true;
	}
}

Ast *
ast_with(Parse *p, Ast *node, Ast *a, Ast *b, Ast *c)
{
	node->a = a;
	node->b = b;
	node->c = c;
	deepen(p, node, a);
	deepen(p, node, b);
	deepen(p, node, c);
	return node;
}

Ast *
ast_take(Parse *p, Ast *node, Ast *list)
{
	if (!list)
		return node;
	node->list = list->list;
	node->last = list->last;
	node->n = list->n;
	for (const Ast *i = node->list; i; i = i->next)
		deepen(p, node, i);
	return node;
}

Ast *
ast_list(Parse *p, Loc loc)
{
	return ast_new(p, A_LIST, loc);
}

Ast *
ast_append(Ast *list, Ast *item)
{
	if (!item)
		return list;
	if (list->last)
		list->last->next = item;
	else
		list->list = item;
	list->last = item;
	list->n++;
	return list;
}

Ast *
ast_prepend(Ast *list, Ast *item)
{
	item->next = list->list;
	list->list = item;
	if (!list->last)
		list->last = item;
	list->n++;
	return list;
}

Ast *
ast_binary(Parse *p, Loc loc, const char *op, Loc at, Ast *a, Ast *b)
{
	return ast_with(p, ast_named(p, A_BINARY, loc, op, at), a, b, NULL);
}

/* ---- printer ---- */

static const char *const kind_name[] = {
#define X(id, name) [A_##id] = name,
	AST_KINDS(X)
#undef X
};

static void
print_node(const Ast *node, FILE *out, int indent)
{
	if (!node)
		return;
	fprintf(out, "%*s%s", indent, "", kind_name[node->kind]);
	if (node->kind == A_STRING) {
		fputc(' ', out);
		print_json_string(out, node->name);
	} else if (node->name) {
		fputc(' ', out);
		print_clean(out, node->name);
	}
	if (node->kind == A_INT)
		fprintf(out, " %lld", (long long)node->integer);
	if (node->kind == A_FLOAT)
		fprintf(out, " %g", node->number);
	if (node->kind == A_BOOL)
		fputs(node->integer ? " true" : " false", out);
	fprintf(out, "  :%d\n", source_line(node->loc.file, node->at.begin));
	for (const Ast *i = node->list; i; i = i->next)
		print_node(i, out, indent + 2);
	print_node(node->a, out, indent + 2);
	print_node(node->b, out, indent + 2);
	print_node(node->c, out, indent + 2);
}

void
ast_print(const Ast *node, FILE *out)
{
	for (const Ast *i = node->list; i; i = i->next)
		print_node(i, out, 0);
}
