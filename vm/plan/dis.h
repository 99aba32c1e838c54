/* dis.h - what the two forms of the disassembly share (dis.c, dis_json.c). */
#ifndef SLUICE_DIS_H
#define SLUICE_DIS_H

#include "vm/plan/plan.h"

enum { DIS_AFFINE = 192 };

const char *dis_role_name(BufferRole role);
/* "4r1-1" into `buf` (DIS_AFFINE bytes); returns it. */
char *dis_affine(char *buf, const Affine *a);

#endif
