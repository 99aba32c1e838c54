/* cost.h - predicted seconds of instructions on a device. */
#ifndef SLUICE_COST_H
#define SLUICE_COST_H

#include "program.h"

/* What a device can do; all rates for the whole device. */
typedef struct Profile {
	const char *name;
	double matrix_flops;    /* flop/s of linear and conv, f32 */
	double attend_flops;
	double small_flops;     /* other arithmetic */
	double bandwidth;       /* bytes/s of memory */
	double launch;          /* seconds of an instruction that does nothing */
	double rows_half;       /* rows of a matrix product at which it reaches
	                           half its rate */
	double load_bandwidth;  /* bytes/s of reading and packing weights */
} Profile;

const Profile *cost_profile(void);

/* Seconds of a node whose result is made in `slices` slices one after the
 * other, all slices together. */
double cost_node(const Profile *c, const Graph *g, const Node *n,
	int64_t slices);
/* Seconds of loading a weight of so many bytes. */
double cost_load(const Profile *c, int64_t bytes);

#endif
