/* team.h - threads for tests that call kernels themselves. */
#ifndef SLUICE_TEST_TEAM_H
#define SLUICE_TEST_TEAM_H

#include "ir/base/base.h"
#include "ir/base/threads.h"

/* A team of n threads; it lives as long as the test. */
static inline Threads *
test_team(int n)
{
	enum { MOST = 16 };
	static Threads *team[MOST + 1];
	char err[256];
	if (n < 1 || n > MOST)
		die("test_team", "%d threads", n);
	if (!team[n] && !(team[n] = threads_start(n, err, sizeof err)))
		fatal(EXIT_MEMORY, "%s", err);
	return team[n];
}

#endif
