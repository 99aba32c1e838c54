/* frontier.h - memory against predicted time over all budgets: what frontier.c
 * finds and explain/ draws.
 */
#ifndef SLUICE_FRONTIER_H
#define SLUICE_FRONTIER_H

#include <stddef.h>
#include <stdint.h>

typedef struct FrontierPoint {
	int64_t bytes;          /* height of a quick placement; `compile --memory`
	                           searches for longer and needs no more */
	double seconds;         /* predicted, of the whole program */
	uint32_t groups;
	int64_t loaded_bytes;   /* of weights read in the whole run */
} FrontierPoint;

typedef struct Frontier {
	FrontierPoint unsliced; /* no loops, weights resident */
	FrontierPoint *point;   /* by rising bytes and falling seconds; each is
	                           better than all others in one of them */
	size_t n;
} Frontier;

#endif
