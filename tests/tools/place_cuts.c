/* place_cuts.c - prints an instance for `sluice place` whose height is known.
 *
 *   place_cuts COUNT SEED [--pinwheels PERCENT] [--holes PERCENT] [--even]
 *              [--side STEPS] [--step BYTES]
 *
 * A square of side x side steps (1024 x 1024 of 1024 bytes each) is cut into
 * COUNT pieces (tests/lib/place_cuts.h), so all fit into side * step bytes.
 */
#include "tests/lib/place_cuts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: place_cuts COUNT SEED "
	"[--pinwheels PERCENT] [--holes PERCENT] [--even] [--side STEPS] "
	"[--step BYTES]";

static int64_t
number(const char *s, int64_t lo, int64_t hi)
{
	char *end;
	long long v = s ? strtoll(s, &end, 10) : 0;
	if (!s || end == s || *end || v < lo || v > hi)
		fatal(EXIT_USAGE, "'%s' is no integer in %" PRId64 " .. %"
			PRId64 "\n%s", s ? s : "", lo, hi, usage);
	return v;
}

int
main(int argc, char **argv)
{
	CutOptions o = {.side = 1024, .step = 1024, .pinwheels = 50};
	if (argc < 3)
		fatal(EXIT_USAGE, "%s", usage);
	o.count = (size_t)number(argv[1], 1, 1000000);
	o.seed = (uint64_t)number(argv[2], 0, INT64_MAX);
	for (int i = 3; i < argc; i++) {
		const char *value = argv[i + 1];        /* or NULL */
		if (!strcmp(argv[i], "--even")) {
			o.even = true;
			continue;
		}
		if (!strcmp(argv[i], "--pinwheels"))
			o.pinwheels = (int)number(value, 0, 100);
		else if (!strcmp(argv[i], "--holes"))
			o.holes = (int)number(value, 0, 99);
		else if (!strcmp(argv[i], "--side"))
			o.side = number(value, 1, 1 << 20);
		else if (!strcmp(argv[i], "--step"))
			o.step = number(value, 1, 1 << 20);
		else
			fatal(EXIT_USAGE, "no option %s\n%s", argv[i], usage);
		i++;
	}
	PlaceItem *items = calloc(o.count, sizeof *items);
	if (!items)
		fatal(EXIT_MEMORY, "out of memory");
	size_t n = cut_instance(items, &o);
	puts("id,lower,upper,size");
	for (size_t i = 0; i < n; i++)
		printf("%zu,%" PRId64 ",%" PRId64 ",%" PRId64 "\n", i,
			items[i].first, items[i].last, items[i].bytes);
	free(items);
	return 0;
}
