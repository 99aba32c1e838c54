/* test.h - the few lines that every test program shares.
 *
 * test("name") begins a test, CHECK states what must hold in it; main ends with
 * return test_end().  A test prints one line, "ok NAME" or "not ok NAME".
 */
#ifndef SLUICE_TEST_H
#define SLUICE_TEST_H

#include <stdio.h>
#include <string.h>

static char test_name[256];
static int test_bad, test_failed;

static inline void
test_close(void)
{
	if (test_name[0])
		printf("%s %s\n", test_bad ? "not ok" : "ok", test_name);
	test_failed += test_bad != 0;
	test_bad = 0;
	test_name[0] = 0;
	fflush(stdout);
}

static inline void
test(const char *name)
{
	test_close();
	snprintf(test_name, sizeof test_name, "%s", name);
}

static inline int
test_end(void)
{
	test_close();
	return test_failed != 0;
}

/* A failed check is reported on a line in front of the test's own. */
#define CHECK(cond, ...) \
	((cond) ? (void)0 \
		: (test_bad++, printf("# %s:%d: %s:", __FILE__, __LINE__, \
			#cond), printf(" " __VA_ARGS__), (void)putchar('\n')))

#endif
