/* format.h - how a plan lies in its file, and the limits of what is read back;
 * for save.c, load.c, format.c and verify.c only.
 *
 *   PlanFile            header, length of the file, where each section lies
 *   sections            in the order of PLAN_SECTIONS, each at the next
 *                       multiple of 64 with zeros in front
 *   uint64_t            XXH3-64 of everything before it, at a multiple of 64
 *
 * There is one valid place for everything, so sections cannot overlap, leave
 * holes or hide bytes behind them.
 */
#ifndef SLUICE_FORMAT_H
#define SLUICE_FORMAT_H

#include "vm/plan/plan.h"
#include "ir/base/threads.h"          /* defines: THREADS_MAX */

enum {
#define X(type, name) SECTION_##name,
	PLAN_SECTIONS(X)
#undef X
	SECTION_COUNT,
	SECTION_ALIGN = 64,
};

typedef struct PlanSection {
	uint64_t offset, bytes; /* in the file */
	uint64_t hash;          /* XXH3-64 of the bytes */
} PlanSection;

typedef struct PlanFile {
	PlanHeader head;
	uint64_t file_bytes;    /* length of the whole file */
	uint32_t sections;      /* SECTION_COUNT */
	uint32_t pad_;
	PlanSection section[SECTION_COUNT];
} PlanFile;

extern const char plan_magic[8];

/* Records are stored as they stand, so none may have padding of its own or
 * another size elsewhere. */
_Static_assert(sizeof(PlanHeader) == 216, "layout of the file");
_Static_assert(sizeof(PlanBuffer) == 32, "layout of the file");
_Static_assert(sizeof(PlanDim) == 144, "layout of the file");
_Static_assert(sizeof(PlanView) == 24, "layout of the file");
_Static_assert(sizeof(PlanOperand) == 8, "layout of the file");
_Static_assert(sizeof(Attr) == 136, "layout of the file");
_Static_assert(sizeof(PlanInsn) == 32, "layout of the file");
_Static_assert(sizeof(PlanWeight) == 104, "layout of the file");
_Static_assert(sizeof(PlanPort) == 144, "layout of the file");
_Static_assert(sizeof(PlanTable) == 24, "layout of the file");
_Static_assert(sizeof(PlanDebug) == 24, "layout of the file");
_Static_assert(sizeof(PlanPhase) == 32, "layout of the file");
_Static_assert(sizeof(PlanGroup) == 48, "layout of the file");
_Static_assert(sizeof(PlanNode) == 32, "layout of the file");
_Static_assert(sizeof(PlanFile) == 232 + 24 * SECTION_COUNT, "no padding");
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "plan files are little-endian and read as they stand"
#endif

/* ---- limits: what lies beyond them is refused ---- */
#define FILE_MAX ((uint64_t)1 << 28)
#define BYTES_MAX ((int64_t)1 << 46)    /* of a buffer, of the arena */
#define EXTENT_MAX (((int64_t)1 << 31) - 1)
#define AFFINE_BASE_MAX ((int64_t)1 << 40)
#define AFFINE_STEP_MAX ((int64_t)1 << 31)
enum {
	LOOP_MAX = 1 << 24,     /* iterations of one loop */
	WORK_MAX = 1 << 26,     /* instructions of a run, loops unrolled */
	STEPS_MAX = 1 << 20,
	STAGES = 4,             /* of a graph's node */
};

/* Writes the reason to `e`; always false. */
bool plan_fail(PlanError *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same with "instruction 12 (conv, unet.conv_in): " in front; the plan's
 * code, debugs and strings must have been checked. */
bool plan_fail_at(const Plan *p, PlanError *e, uint32_t insn,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Gate 1 for the records of a plan in memory: every enum, index, name and
 * number is in its range, loops nest, and the header's sums agree. */
bool plan_format(const Plan *p, PlanError *e);

#endif
