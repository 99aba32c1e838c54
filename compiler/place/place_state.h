/* place_state.h - private to the search of the placement engine: the state that
 * it changes and undoes (place_state.c), and the reasons of its failures
 * (place_why.c); place_search.c walks the tree.
 *
 * The placement is built upwards.  bottom[i] is the lowest offset that the
 * unplaced item i can still have, floor[s] the lowest bottom of section s, and
 * rest[s] the sum of its unplaced sizes: floor[s] + rest[s] <= capacity must
 * hold.
 */
#ifndef SLUICE_PLACE_STATE_H
#define SLUICE_PLACE_STATE_H

#include "compiler/place/place_part.h"

typedef enum UndoKind { UNDO_PUT, UNDO_BOTTOM, UNDO_SECTION } UndoKind;

typedef struct Undo {
	UndoKind kind;
	int32_t index;          /* item or section */
	int32_t count;
	int64_t floor, top;     /* of a section; floor: of an item its bottom */
	int64_t level;          /* of an item: the frame that lifted it ...;
	                           of a section: its highest item */
	int64_t before;         /* ... and its lift before that one in `undo` */
} Undo;

/* A set of unplaced items, open[first .. first+n-1], that live in sections
 * a .. b-1 and are joined. */
typedef struct Piece {
	int32_t a, b;
	size_t first, n;
	int64_t cut;            /* frame to go back to when it fails, or -1 */
	int64_t next;           /* pending piece to search after it, or -1 */
} Piece;

typedef struct Frame {
	Piece piece;
	int32_t section;        /* that is branched on ... */
	int64_t base;           /* ... and its floor */
	bool wasted;            /* the branch without an item was tried */
	size_t branch, branch_end;
	size_t undo;            /* marks: lengths of the stacks */
	size_t pending;
	uint64_t key;           /* of the state, 0: not hashed */
} Frame;

typedef struct Search {
	PlacePart *p;
	int64_t capacity;
	int flavour;
	int64_t nodes;          /* left of this call's budget */
	PlaceLimit *limit;
	/* sections */
	int64_t *floor, *top, *rest;    /* top: of the placed items ... */
	int64_t *highest;       /* ... and the one that has it, or -1 */
	int32_t *cross;         /* unplaced items in both s-1 and s */
	int32_t *count;         /* unplaced items with bottom == floor */
	uint64_t *saved;        /* the move that saved this section last */
	size_t *head;           /* list[head[s] .. head[s+1]-1]: its items */
	uint32_t *list;
	int32_t *dirty;
	int32_t full;           /* the section that settle() found too full */
	/* items */
	int64_t *bottom, *at;
	bool *placed;
	int64_t *level_of;      /* of a placed item: the frame that put it */
	int64_t *lifted;        /* index in undo of its last lift, or -1 */
	uint64_t *seen;         /* the range that looked at it last */
	uint64_t range;
	uint32_t *open, *where; /* where: index in open */
	uint64_t move;
	int64_t level;          /* the frame that moves */
	int64_t most_align;
	Vec(Undo) undo;
	Vec(uint32_t) branches;
	Vec(Frame) frames;
	Vec(Piece) pending;
	/* sets of frames: `words` words of bits each; 0: not kept */
	size_t words;
	uint64_t *why;          /* the reason that is being collected */
	Vec(uint64_t) failed;   /* (frames, words): of branches that failed */
} Search;

/* ---- place_state.c ---- */

/* Sets up the state before the first move; arrays come from the arena. */
void state_open(Search *z, Arena *a);
/* Frees the stacks. */
void state_close(Search *z);
/* Takes back every change since undo had the length `mark`. */
void state_undo(Search *z, size_t mark);
/* Puts item i of piece q at its bottom; false when something does not fit any
 * more: z->full is then a section that is too full. */
bool state_put(Search *z, const Piece *q, uint32_t i);
/* Nothing unplaced lies below `floor` in sections lo .. hi-1 any more; the
 * same result. */
bool state_raise(Search *z, const Piece *q, int32_t lo, int32_t hi,
	int64_t floor);
/* Whether item i, put at its bottom, rests on a placed item or on 0. */
bool state_rests(const Search *z, uint32_t i);
/* The sections of the items of section s that can lie at its floor. */
void state_reach(const Search *z, int32_t s, int32_t *lo, int32_t *hi);
/* The lowest offset above floor[s] that an item of section s could have if
 * nothing lies there at floor[s]: the bottom of one that sticks out of the
 * valley, or on top of an item that is not in s. */
int64_t state_step_up(const Search *z, int32_t s);

/* ---- place_why.c ----
 * A frame's decision is "item i lies at offset x" or "nothing of section s
 * begins in x .. y-1".  A reason is a set of frames whose decisions together
 * allow no placement, whatever the others are: frames that are not in it need
 * not be changed to get out of the failure. */

/* Makes room for the reasons of frame `level`; false when there are too many
 * frames to keep them. */
bool why_open(Search *z, int64_t level);
/* The last move of the frame failed because section z->full is too full ... */
int64_t why_full(Search *z, int64_t level);
/* ... or because the piece's state is known to fail. */
int64_t why_known(Search *z, const Piece *q);
/* All branches of the frame failed. */
int64_t why_all(Search *z, int64_t level);
/* All three return the frame to go on with, or -1: there is no placement. */

#endif
