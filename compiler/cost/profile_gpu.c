/* profile_gpu.c - profiles of GPUs from their data sheets: estimates, since no
 * such device has been measured.  Their terms are the linear ones of every
 * profile: a launch, multiply-adds at a share of the sheet's rate, bytes at a
 * share of its bandwidth, weights over the link.  What they lack is waves: a
 * kernel that does not fill the device is predicted too fast, so the launch is
 * priced at 10 us, which keeps the default from slices that small.
 */
#include "compiler/cost/profile.h"

#include <string.h>

enum { HALF = 1 << DT_F16 | 1 << DT_BF16 };

/* From the vendor's sheets: 10^12 operations a second of f16 with f32 sums and of
 * f32, 10^9 bytes a second of memory and of the link to the host; and the share
 * of the first that a good kernel reaches. */
typedef struct Sheet {
	const char *name;
	double half, reached, single, memory, link;
} Sheet;

static const Sheet sheets[] = {
	{"rtx2080ti", 53.8, 0.80, 13.4, 616, 12},
	{"rtx3090", 71, 0.85, 35.6, 936, 24},
	{"rtx4090", 165.2, 0.85, 82.6, 1008, 24},
	{"a100", 312, 0.72, 19.5, 1555, 24},
	{"h200", 989, 0.55, 67, 4800, 50},
};

static void
fill_terms(const Sheet *s, DType t, double *seconds)
{
	bool half = HALF >> t & 1;
	double rate = 1e12 * (half ? s->half * s->reached : s->single * 0.7);
	double byte = 1 / (s->memory * 1e9 * 0.85);
	double number = byte * (double)dtype_bytes(t);
	memset(seconds, 0, COST_COUNT * sizeof *seconds);
	seconds[COST_launch] = 1e-5;
	seconds[COST_matrix_mac] = 2 / rate;
	/* most of the times that weights are walked over, they are in L2 */
	seconds[COST_matrix_weight] = 0.1 * number;
	seconds[COST_matrix_out] = number;
	seconds[COST_attend_mac] = 2 / (0.65 * rate);
	seconds[COST_attend_out] = number;
	seconds[COST_norm_stats] = number;
	seconds[COST_norm_combine] = 2 * number;
	seconds[COST_norm_apply] = 2 * number;
	seconds[COST_layer_norm] = 2 * number;
	seconds[COST_sinusoid] = 1e-11;
	seconds[COST_each_byte] = seconds[COST_move_byte] = byte;
	seconds[COST_load_call] = 1e-5;
	seconds[COST_load_byte] = 1 / (s->link * 1e9);
}

const Profile *
profile_built_in(Arena *a, const char *name)
{
	for (size_t i = 0; i < COUNT_OF(sheets); i++) {
		if (strcmp(sheets[i].name, name))
			continue;
		Profile *c = arena_alloc(a, sizeof *c);
		c->name = arena_printf(a, "%s (estimate)", name);
		c->target = "cuda";
		c->threads = 1;
		for (int t = 0; t < COST_DTYPES; t++)
			fill_terms(&sheets[i], (DType)t, c->seconds[t]);
		return c;
	}
	return NULL;
}

const char *
profile_built_in_names(void)
{
	return "rtx2080ti, rtx3090, rtx4090, a100, h200";
}
