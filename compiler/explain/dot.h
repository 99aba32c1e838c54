/* dot.h - pictures of a plan in Graphviz' language. */
#ifndef SLUICE_DOT_H
#define SLUICE_DOT_H

#include "vm/plan/plan.h"

/* The model's graph: blocks as clusters, folded by scope until it is small
 * enough to read. */
void dot_graph(const Plan *p, FILE *out);
/* Time (instructions) to the right, addresses upwards, one box for each buffer,
 * its colour the kind; the peak is marked. */
void dot_memory(const Plan *p, FILE *out);
/* Loops over slices as clusters of instructions. */
void dot_groups(const Plan *p, FILE *out);

/* A quoted string in which nothing of `s` has a meaning to Graphviz. */
void dot_string(FILE *out, const char *s);
/* The same for a label whose lines are set to the left ('l'), to the right
 * ('r'). */
void dot_lines(FILE *out, const char *s, char align);
/* A name, or behind an ellipsis its end that fits into so many bytes. */
typedef struct DotFit { char text[260]; } DotFit;
const char *dot_fit(const char *name, size_t room, DotFit *fit);

#endif
