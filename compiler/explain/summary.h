/* summary.h - what a plan says of itself. */
#ifndef SLUICE_SUMMARY_H
#define SLUICE_SUMMARY_H

#include "vm/plan/plan.h"

/* The plan's summary: for people, and as the JSON object that architecture.md
 * promises. */
void summary_print(const Plan *p, FILE *out);
void summary_print_json(const Plan *p, FILE *out);
/* The largest buffers that live at an instruction, one a line. */
void summary_print_live(const Plan *p, uint32_t insn, FILE *out);

#endif
