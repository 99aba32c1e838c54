/* shim.cpp - fibers, barriers, warp instructions and the checks; see shim.h.
 *
 * Threads of a block run one after the other, each until it meets a barrier or
 * a warp-wide instruction; shim_options.shuffle changes the order, because one
 * order hides races.  cp.async moves its bytes only at the wait that covers it,
 * and until then its target is poisoned.
 */
#include "ir/ops.h"
#include "tests/kernels/cuda/shim_dev.h"

#include <map>
#include <set>
#include <vector>

#include <stdio.h>
#include <stdlib.h>

ShimStats shim_stats;
int64_t shim_executed[4];
ShimOptions shim_options;

enum {
	STACK = 1 << 18,        /* of a fiber; PTX has many registers */
	SHARED = 1024,          /* address of the first byte of shared memory */
	PRINTED = 8,            /* errors of a launch that are printed */
	GRID_MAX = 0x7fffffff, BLOCK_MAX = 1024, SHARED_MAX = 227 * 1024,
};

/* ---- the list of kernels ---- */

static ShimKernel *kernels;

ShimKernel::ShimKernel(const char *name_, void (*run_)(const void *),
	int threads_, size_t args_bytes_)
	: name(name_), run(run_), threads(threads_), args_bytes(args_bytes_),
	next(kernels)
{
	kernels = this;
}

static const ShimKernel *
find(const char *name)
{
	for (const ShimKernel *k = kernels; k; k = k->next)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

bool
shim_find(const char *name, int *threads, size_t *args_bytes)
{
	const ShimKernel *k = find(name);
	if (!k)
		return false;
	*threads = k->threads;
	*args_bytes = k->args_bytes;
	return true;
}

const char *
shim_kernel(int i)
{
	const ShimKernel *k = kernels;
	while (k && i-- > 0)
		k = k->next;
	return k ? k->name : NULL;
}

/* ---- fibers: the callee-saved registers of x86-64 ---- */

extern "C" void shim_switch(void **from_sp, void *to_sp);
asm(R"(
.text
.globl shim_switch
shim_switch:
	push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp
	ret
)");

enum Wait { RUN, BARRIER, WARP, DONE };
enum Kind { K_SYNC, K_LDSM, K_MMA, K_SHFL };

struct Copy {
	uint32_t to;
	const void *from;
	bool on;
	int group;
};

struct Fiber {
	void *sp;
	Wait wait;
	int id;
	int group;              /* groups of copies that were committed */
	std::vector<Copy> copies;
	/* the warp-wide instruction that it waits at */
	Kind kind;
	int line, n;
	bool turned, bf16;
	uint32_t at, *out, a[4], b[2];
	float *c;
	std::map<int, int> count;       /* executions by line */
};

/* Who last wrote and read 4 bytes of shared memory, and when: `epoch` counts
 * barriers, `sync` the warp's own. */
struct Access { int thread, epoch, sync; };
struct Cell {
	Access writer, reader;
	bool many;              /* readers of several warps */
};

/* A request: a warp's execution of a line. */
struct RequestKey {
	int warp, line, nth, kind, bytes;
	bool operator<(const RequestKey &o) const
	{
		if (warp != o.warp) return warp < o.warp;
		if (line != o.line) return line < o.line;
		if (nth != o.nth) return nth < o.nth;
		if (kind != o.kind) return kind < o.kind;
		return bytes < o.bytes;
	}
};
enum { REQ_LD, REQ_ST, REQ_LDS, REQ_STS, REQ_KINDS };

ShimRange shim_range[SHIM_RANGES];
uint8_t shim_hint[SHIM_LINES];
static int ranges;
static struct {
	const ShimKernel *kernel;
	const void *args;
	int64_t block;
	int threads, epoch, errors;
	void *main_sp;
	Fiber *now;
	std::vector<Fiber> fibers;
	std::vector<char *> stacks;
	std::vector<unsigned char> shared;
	std::vector<Cell> cells;
	std::vector<char> pending;      /* 16 bytes with a cp.async under way */
	std::vector<int> warp_sync;     /* warp-wide barriers of each warp */
	std::map<RequestKey, std::vector<uint64_t>> requests;
} g;

static void
bad(const char *what, int line, uint64_t at)
{
	shim_stats.errors++;
	if (g.errors++ < PRINTED && !shim_options.quiet)
		fprintf(stderr, "# %s: %s, line %d, block %lld thread %d, "
			"address %llx\n", g.kernel->name, what, line,
			(long long)g.block, g.now->id, (unsigned long long)at);
}

static void
yield(Wait w)
{
	Fiber *f = g.now;
	f->wait = w;
	shim_switch(&f->sp, g.main_sp);
}

static void
entry()
{
	g.kernel->run(g.args);
	for (const Copy &c : g.now->copies)
		if (c.on) {
			bad("cp.async that is never waited for", 0, c.to);
			break;
		}
	yield(DONE);
	abort();
}

/* ---- shared memory: bounds, early reads, races between barriers ---- */

static unsigned char *
place(uint32_t at)
{
	return &g.shared[(at - SHARED) % g.shared.size()];
}

/* Whether an earlier access is in order before one of the running thread: a
 * barrier lies between them, or they are of one warp and a __syncwarp does. */
static bool
ordered(const Access &a)
{
	int me = g.now->id, warp = me / 32;
	return a.thread < 0 || a.thread == me || a.epoch != g.epoch
		|| (a.thread / 32 == warp
			&& a.sync != g.warp_sync[(size_t)warp]);
}

static void
touch_cell(Cell &c, bool write, int line, uint32_t at)
{
	Access now = {g.now->id, g.epoch,
		g.warp_sync[(size_t)g.now->id / 32]};
	if (!ordered(c.writer)) {
		bad(write ? "race: write after write"
			: "race: read after write", line, at);
		c.writer.thread = -1;
	}
	if (!write) {
		c.many = c.reader.thread >= 0 && c.reader.epoch == g.epoch
			&& (c.many || c.reader.thread / 32 != now.thread / 32);
		c.reader = now;
		return;
	}
	if (c.many ? c.reader.epoch == g.epoch : !ordered(c.reader)) {
		bad("race: write after read", line, at);
		c.reader.thread = -1;
		c.many = false;
	}
	c.writer = now;
}

static void
touch(uint32_t at, int bytes, bool write, int line)
{
	uint32_t n = (uint32_t)bytes, o = at - SHARED;
	if (at < SHARED || (size_t)o + n > g.shared.size() || at % n) {
		bad("shared address outside or unaligned", line, at);
		return;
	}
	if (g.pending[o / 16]) {
		bad("shared memory used before its cp.async was waited for",
			line, at);
		g.pending[o / 16] = 0;
	}
	for (uint32_t i = o / 4; i < (o + n) / 4; i++)
		touch_cell(g.cells[i], write, line, at);
}

/* ---- global memory ---- */

void
shim_allow(const void *p, size_t bytes, bool write)
{
	if (ranges == SHIM_RANGES) {
		fprintf(stderr, "shim: more than %d ranges\n", SHIM_RANGES);
		abort();
	}
	shim_range[ranges++] = {(uintptr_t)p, (uintptr_t)p + bytes, write};
}

void
shim_allow_clear(void)
{
	memset(shim_range, 0, sizeof shim_range);
	ranges = 0;
}

static bool
inside(const ShimRange &r, uintptr_t a, int bytes, bool write)
{
	return r.lo <= a && a + (uintptr_t)bytes <= r.hi && (r.write || !write);
}

static bool
global_ok(const void *p, int bytes, bool write, int line)
{
	uintptr_t a = (uintptr_t)p;
	if (a % (uintptr_t)bytes) {
		bad("unaligned global access", line, a);
		return false;
	}
	for (int i = 0; i < ranges; i++)
		if (inside(shim_range[i], a, bytes, write)) {
			shim_hint[line % SHIM_LINES] = (uint8_t)i;
			return true;
		}
	bad(write ? "global write outside" : "global read outside", line, a);
	return false;
}

/* ---- counts ---- */

/* Notes a lane's part of a request.  Lanes are joined by how often they were at
 * the line, so one that is masked off must come by, too (bytes 0). */
static void
request(int kind, int line, uint64_t at, int bytes)
{
	if (!shim_options.count)
		return;
	int nth = g.now->count[line * REQ_KINDS + kind]++;
	if (bytes)
		g.requests[{g.now->id / 32, line, nth, kind, bytes}]
			.push_back(at);
}

/* Shared memory moves 32 banks of 4 bytes in a wavefront; accesses of 16 bytes
 * go by 8 lanes, of 8 bytes by 16, of 4 by 32. */
static int
wavefronts(const uint64_t *at, size_t n, int bytes)
{
	int total = 0;
	size_t lanes = 128 / (size_t)bytes;
	for (size_t p = 0; p < n; p += lanes) {
		std::map<int, std::set<uint64_t>> banks;
		size_t most = 1;
		for (size_t i = p; i < p + lanes && i < n; i++)
			for (int k = 0; k < bytes / 4; k++) {
				uint64_t word = at[i] / 4 + (uint64_t)k;
				banks[(int)(word % 32)].insert(word);
			}
		for (const auto &b : banks)
			most = b.second.size() > most ? b.second.size() : most;
		total += (int)most;
	}
	return total;
}

static void
count_shared(const std::vector<uint64_t> &at, int bytes, int64_t *used,
	int64_t *ideal)
{
	std::set<uint64_t> distinct(at.begin(), at.end());
	*used += wavefronts(at.data(), at.size(), bytes);
	*ideal += (int64_t)((distinct.size() * (size_t)bytes + 127) / 128);
}

static void
count_global(const std::vector<uint64_t> &at, int bytes, int64_t *requests,
	int64_t *used, int64_t *fewest)
{
	std::set<uint64_t> sectors, distinct(at.begin(), at.end());
	for (uint64_t a : distinct)
		sectors.insert(a / 32);
	++*requests;
	*used += (int64_t)sectors.size();
	*fewest += (int64_t)((distinct.size() * (size_t)bytes + 31) / 32);
}

static void
count_requests()
{
	ShimStats &s = shim_stats;
	for (const auto &r : g.requests) {
		int bytes = r.first.bytes;
		switch (r.first.kind) {
		case REQ_LD:
			count_global(r.second, bytes, &s.ld_requests,
				&s.ld_sectors, &s.ld_fewest);
			break;
		case REQ_ST:
			count_global(r.second, bytes, &s.st_requests,
				&s.st_sectors, &s.st_fewest);
			break;
		case REQ_LDS:
			count_shared(r.second, bytes, &s.lds_wavefronts,
				&s.lds_ideal);
			break;
		case REQ_STS:
			count_shared(r.second, bytes, &s.sts_wavefronts,
				&s.sts_ideal);
			break;
		}
	}
	g.requests.clear();
}

/* ---- the functions of dev.h ---- */

int thread_x() { return g.now->id; }
int64_t block_x() { return g.block; }
uint32_t shared_base() { return SHARED; }
void sync_threads() { yield(BARRIER); }

void
cp16(uint32_t to, const void *from, bool on, int line)
{
	touch(to, 16, true, line);
	if (on && !global_ok(from, 16, false, line))
		on = false;
	request(REQ_LD, line, (uint64_t)(uintptr_t)from, on ? 16 : 0);
	request(REQ_STS, line, to, 16);
	memset(place(to), 0xff, 16);
	g.pending[(to - SHARED) % g.shared.size() / 16] = 1;
	g.now->copies.push_back({to, from, on, g.now->group});
}

void cp_commit() { g.now->group++; }

void
cp_wait_n(int n)
{
	Fiber *f = g.now;
	size_t left = 0;
	for (const Copy &c : f->copies) {
		if (c.group >= f->group - n) {
			f->copies[left++] = c;
			continue;
		}
		if (c.on)
			memcpy(place(c.to), c.from, 16);
		else
			memset(place(c.to), 0, 16);
		g.pending[(c.to - SHARED) % g.shared.size() / 16] = 0;
	}
	f->copies.resize(left);
}

static void
warp_call(Kind kind, int line)
{
	g.now->kind = kind;
	g.now->line = line;
	yield(WARP);
}

void sync_warp(int line) { warp_call(K_SYNC, line); }

void
ldmatrix_n(uint32_t *r, uint32_t at, int n, bool turned, int line)
{
	Fiber *f = g.now;
	f->at = at;
	f->out = r;
	f->n = n;
	f->turned = turned;
	warp_call(K_LDSM, line);
}

float
shfl_xor(float v, int lanes, int line)
{
	float r = v;
	g.now->c = &r;
	g.now->n = lanes;
	warp_call(K_SHFL, line);
	return r;
}

void
mma_16816(float c[4], const uint32_t a[4], const uint32_t b[2], bool bf16,
	int line)
{
	Fiber *f = g.now;
	f->c = c;
	f->bf16 = bf16;
	memcpy(f->a, a, sizeof f->a);
	memcpy(f->b, b, sizeof f->b);
	warp_call(K_MMA, line);
}

void
mma_1688(float c[4], const uint32_t a[2], const uint32_t b[1], bool bf16,
	int line)
{
	const uint32_t a4[4] = {a[0], a[1], 0, 0}, b2[2] = {b[0], 0};
	mma_16816(c, a4, b2, bf16, line);
}

template <class T>
static T
lds(uint32_t at, int line)
{
	T v;
	touch(at, sizeof v, false, line);
	request(REQ_LDS, line, at, sizeof v);
	memcpy(&v, place(at), sizeof v);
	return v;
}

static void
sts(uint32_t at, const void *v, int bytes, int line)
{
	touch(at, bytes, true, line);
	request(REQ_STS, line, at, bytes);
	memcpy(place(at), v, (size_t)bytes);
}

void
shim_load(void *v, const void *p, int bytes, int line)
{
	bool ok = global_ok(p, bytes, false, line);
	request(REQ_LD, line, (uint64_t)(uintptr_t)p, ok ? bytes : 0);
	if (ok)
		memcpy(v, p, (size_t)bytes);
	else
		memset(v, 0, (size_t)bytes);
}

void
shim_store(void *p, const void *v, int bytes, int line)
{
	bool ok = global_ok(p, bytes, true, line);
	request(REQ_ST, line, (uint64_t)(uintptr_t)p, ok ? bytes : 0);
	if (ok)
		memcpy(p, v, (size_t)bytes);
}

V4 lds16(uint32_t at, int line) { return lds<V4>(at, line); }
uint32_t lds4(uint32_t at, int line) { return lds<uint32_t>(at, line); }
double lds_double(uint32_t at, int line) { return lds<double>(at, line); }
void sts_double(uint32_t at, double v, int line) { sts(at, &v, 8, line); }
void sts16(uint32_t at, V4 v, int line) { sts(at, &v, 16, line); }
void sts4(uint32_t at, uint32_t v, int line) { sts(at, &v, 4, line); }
void
sts8(uint32_t at, uint32_t a, uint32_t b, int line)
{
	uint32_t v[2] = {a, b};
	sts(at, v, 8, line);
}
void
atomic_min(uint64_t *p, uint64_t v, int line)
{
	if (global_ok(p, sizeof v, true, line) && v < *p)
		*p = v;
}

/* ---- warp-wide instructions, once all lanes are there ---- */

static void
do_shfl(Fiber *w)
{
	float v[32];
	for (int l = 0; l < 32; l++)
		v[l] = *w[l ^ w[l].n].c;
	for (int l = 0; l < 32; l++)
		*w[l].c = v[l];
}

/* What lane l gets of the matrix whose rows lanes 8 i .. 8 i + 7 name. */
static uint32_t
matrix_word(const Fiber *w, int i, int l)
{
	uint32_t v = 0;
	if (!w[0].turned) {
		memcpy(&v, place(w[8 * i + l / 4].at) + l % 4 * 4, 4);
		return v;
	}
	for (int h = 0; h < 2; h++)
		memcpy((char *)&v + 2 * h,
			place(w[8 * i + l % 4 * 2 + h].at) + l / 4 * 2, 2);
	return v;
}

static void
do_ldmatrix(Fiber *w)
{
	int n = w[0].n;
	uint64_t at[32];
	for (int l = 0; l < 8 * n; l++) {
		g.now = &w[l];
		touch(w[l].at, 16, false, w[l].line);
		at[l] = w[l].at;
	}
	if (shim_options.count) {
		shim_stats.ldsm_ideal += n;
		shim_stats.ldsm_wavefronts += wavefronts(at, (size_t)(8 * n),
			16);
	}
	for (int l = 0; l < 32; l++)
		for (int i = 0; i < n; i++)
			w[l].out[i] = matrix_word(w, i, l);
}

static float
half_of_pair(uint32_t pair, int h, bool bf16)
{
	uint16_t v = (uint16_t)(h ? pair >> 16 : pair);
	return bf16 ? as_float((uint32_t)v << 16) : f16_to(v);
}

static void
do_mma(Fiber *w)
{
	float a[16][16], b[16][8];
	bool bf16 = w[0].bf16;
	for (int l = 0; l < 32; l++)
		for (int h = 0; h < 2; h++) {
			int r = l / 4, k = l % 4 * 2 + h;
			a[r][k] = half_of_pair(w[l].a[0], h, bf16);
			a[r + 8][k] = half_of_pair(w[l].a[1], h, bf16);
			a[r][k + 8] = half_of_pair(w[l].a[2], h, bf16);
			a[r + 8][k + 8] = half_of_pair(w[l].a[3], h, bf16);
			b[k][r] = half_of_pair(w[l].b[0], h, bf16);
			b[k + 8][r] = half_of_pair(w[l].b[1], h, bf16);
		}
	for (int l = 0; l < 32; l++)
		for (int i = 0; i < 4; i++) {
			int r = l / 4 + i / 2 * 8, n = l % 4 * 2 + i % 2;
			float s = w[l].c[i];
			for (int k = 0; k < 16; k++)
				s += a[r][k] * b[k][n];
			w[l].c[i] = s;
		}
	shim_stats.mma++;
}

/* Carries out the instruction that all lanes of a warp wait at. */
static bool
warp_run(Fiber *w, int lanes)
{
	for (int l = 0; l < lanes; l++)
		if (w[l].wait != WARP)
			return false;
	for (int l = 1; l < lanes; l++)
		if (w[l].kind != w[0].kind || w[l].line != w[0].line) {
			g.now = &w[l];
			bad("lanes at different warp instructions", w[l].line,
				0);
		}
	if (lanes != 32) {
		g.now = w;
		bad("a warp of less than 32 lanes", w[0].line, 0);
		lanes = 0;
	}
	switch (lanes ? w[0].kind : K_SYNC) {
	case K_LDSM: do_ldmatrix(w); break;
	case K_SHFL: do_shfl(w); break;
	case K_MMA:  do_mma(w); break;
	case K_SYNC: g.warp_sync[(size_t)w[0].id / 32]++; break;
	}
	for (int l = 0; l < 32 && w[l].wait == WARP; l++)
		w[l].wait = RUN;
	return true;
}

/* ---- a block ---- */

static void
prepare_fiber(Fiber &f, int id)
{
	char *stack = g.stacks[(size_t)id];
	void **top = (void **)(((uintptr_t)stack + STACK) & ~(uintptr_t)15);
	f.id = id;
	f.wait = RUN;
	f.group = 0;
	f.copies.clear();
	f.count.clear();
	*--top = NULL;
	*--top = (void *)entry;
	f.sp = top - 6;
	memset(f.sp, 0, 6 * sizeof *top);
}

static void
prepare_block(int threads, size_t shared)
{
	const Access none = {-1, 0, 0};
	while (g.stacks.size() < (size_t)threads)
		g.stacks.push_back((char *)malloc(STACK));
	g.threads = threads;
	g.epoch = 0;
	g.shared.assign(shared, 0xff);
	g.cells.assign(shared / 4, {none, none, false});
	g.pending.assign(shared / 16 + 1, 0);
	g.warp_sync.assign((size_t)threads / 32 + 1, 0);
	/* one more: warp_run looks behind the last lane of a short warp */
	g.fibers.resize((size_t)(threads + 32));
	for (int i = 0; i < threads + 32; i++)
		g.fibers[(size_t)i].wait = DONE;
	for (int i = 0; i < threads; i++)
		prepare_fiber(g.fibers[(size_t)i], i);
}

/* Runs a warp until all its lanes wait at a barrier or are done. */
static bool
run_warp(int warp)
{
	int lanes = g.threads - warp * 32 < 32 ? g.threads - warp * 32 : 32;
	Fiber *f = &g.fibers[(size_t)warp * 32];
	bool moved = false;
	for (bool any = true; any; moved |= any) {
		any = false;
		for (int l = 0; l < lanes; l++) {
			int lane = shim_options.shuffle & 1 ? lanes - 1 - l : l;
			if (f[lane].wait != RUN)
				continue;
			any = true;
			g.now = &f[lane];
			shim_switch(&g.main_sp, f[lane].sp);
		}
		any |= warp_run(f, lanes);
	}
	return moved;
}

/* All warps, in an order that depends on *random; whether any of them moved. */
static bool
run_warps(unsigned *random)
{
	int warps = (g.threads + 31) / 32, first = 0;
	bool moved = false;
	if (shim_options.shuffle) {
		*random = *random * 1664525u + 1013904223u;
		first = (int)(*random >> 8) % warps;
	}
	for (int k = 0; k < warps; k++) {
		int w = (first + k) % warps;
		moved |= run_warp(*random >> 30 & 1 ? warps - 1 - w : w);
	}
	return moved;
}

static void
run_block(int64_t block, int threads, size_t shared)
{
	unsigned random = shim_options.shuffle * 2654435761u;
	g.block = block;
	prepare_block(threads, shared);
	random += shim_options.shuffle ? (unsigned)block : 0;
	for (;;) {
		int done = 0, barrier = 0;
		bool moved = run_warps(&random);
		for (int i = 0; i < threads; i++) {
			done += g.fibers[(size_t)i].wait == DONE;
			barrier += g.fibers[(size_t)i].wait == BARRIER;
		}
		if (done == threads)
			break;
		if (barrier == threads) {
			g.epoch++;
			shim_stats.barriers++;
			for (int i = 0; i < threads; i++)
				g.fibers[(size_t)i].wait = RUN;
		} else if (!moved) {
			bad("a barrier or a warp instruction that not all "
				"threads reach", 0, 0);
			break;
		}
	}
	count_requests();
}

int
shim_launch(const char *kernel, const void *args, size_t args_bytes,
	int64_t grid, int block, size_t shared)
{
	g.kernel = find(kernel);
	if (!g.kernel || grid < 1 || grid > GRID_MAX || block < 1
		|| block > BLOCK_MAX || block > g.kernel->threads
		|| shared > SHARED_MAX || args_bytes != g.kernel->args_bytes)
		return -1;
	g.args = args;
	g.errors = 0;
	for (int64_t i = 0; i < grid && g.errors < PRINTED; i++)
		run_block(i, block, shared / 16 * 16 + 16);
	return g.errors;
}
