/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree behind a flame graph: stacks are added one by one, root first, and merged where they
 * begin alike. The pictures (flame_folded, flame_svg, flame_html) are drawn from its layout.
 * Nothing here recurses, so that a stack may be as deep as FLAME_MAX_DEPTH.
 */
#ifndef SONDE_RENDER_FLAME_TREE_H
#define SONDE_RENDER_FLAME_TREE_H

#include "sonde/base/strbuf.h"

enum { FLAME_MAX_DEPTH = 65535 };
#define FLAME_NO_TIME UINT64_MAX

enum flame_kind {
	FLAME_PROCESS, /* a command or thread name at the root, not code */
	FLAME_USER,
	FLAME_KERNEL,
	FLAME_PYTHON,
	FLAME_SPAN,
	FLAME_KINDS,
};

enum flame_unit { FLAME_SAMPLES, FLAME_NANOSECONDS };

struct flame_frame {
	const char *name;   /* NULL or "" is shown as [unknown] */
	const char *binary; /* may be NULL; shown where the frame is explained */
	enum flame_kind kind;
	bool inlined; /* into the frame before it */
};

/* What the header of a picture says. All strings may be NULL; they are borrowed. */
struct flame_info {
	const char *title;    /* "CPU samples of redis-server" */
	const char *target;   /* "redis-server (4711)" */
	const char *period;   /* "10 s at 99 Hz, 14:03:07 to 14:03:17" */
	enum flame_unit unit; /* of the tree's values */
	uint64_t count;	      /* how many of `counted` the tree was made from */
	const char *counted;  /* "samples", "spans", "waits" */
	uint64_t lost;	      /* how many were lost */
	const char *order;    /* in which a page begins: "size", "name", "time"; NULL: by size */
};

/* A node of the layout. Node 0 is the root ("all"), its parent is itself. */
struct flame_node {
	uint32_t parent;	      /* index in the layout; smaller than the node's own */
	uint32_t frame;		      /* for flame_tree_frame() */
	uint32_t depth;		      /* 0 for the root */
	uint64_t start;		      /* where the node begins between 0 and the root's total */
	uint64_t total;		      /* self and everything below */
	uint64_t self;		      /* of stacks that end here */
	uint64_t before, before_self; /* of a comparison: the same of the other recording */
	uint64_t first_ns;	      /* when it first began, FLAME_NO_TIME: not known */
};

struct flame_tree;

struct flame_tree *flame_tree_new(void); /* NULL: out of memory */
struct flame_tree *flame_tree_free(struct flame_tree *t);
DEFINE_CLEANUP(struct flame_tree *, flame_tree_free)

/*
 * Adds one stack of n frames, root first. The strings are copied; what cannot be shown (invalid
 * UTF-8, control characters) is replaced by U+FFFD and '?', so that every output is valid text.
 * A value of 0 adds nothing; n = 0 adds to the root. 0, -E2BIG (too deep, or too many different
 * names), -EOVERFLOW (the sum would not fit), -EINVAL (unknown kind), -ENOMEM; on failure no
 * value has changed.
 */
int flame_tree_add(struct flame_tree *t, const struct flame_frame *frames, size_t n,
		   uint64_t value);

/*
 * The same of the recording that the tree is compared with; it then is one of a comparison. Its
 * widths stay those of flame_tree_add().
 */
int flame_tree_add_before(struct flame_tree *t, const struct flame_frame *frames, size_t n,
			  uint64_t value);

/* Something with that stack began then; the earliest time counts. Values stay. As flame_tree_add().
 */
int flame_tree_began(struct flame_tree *t, const struct flame_frame *frames, size_t n,
		     uint64_t time_ns);

uint64_t flame_tree_total(const struct flame_tree *t);
uint64_t flame_tree_before(const struct flame_tree *t); /* 0: it is no comparison */
/* How much larger the node's share of all is than it was: -1 … 1. */
double flame_tree_change(const struct flame_tree *t, const struct flame_node *node);

/*
 * The nodes in pre-order, siblings by falling total and then by name, without those whose total
 * is 0 (of a comparison, on both sides). The array belongs to the tree and is good until the next
 * flame_tree_add().
 */
int flame_tree_layout(struct flame_tree *t, const struct flame_node **ret_nodes, size_t *ret_n);

/* The distinct frames: 0 … count - 1. The strings are the tree's; binary is never NULL here. */
size_t flame_tree_frames(const struct flame_tree *t);
struct flame_frame flame_tree_frame(const struct flame_tree *t, uint32_t frame);

const char *flame_kind_name(enum flame_kind kind);
/* Of the kind that a frame of an answer has. */
enum flame_kind flame_kind_of(const char *kind);

/* "redis-server (4711) · 10 s at 99 Hz · 990 samples · 0 lost" */
void flame_info_subtitle(const struct flame_info *info, struct strbuf *out);

/* Appends text with what cannot be shown replaced, as flame_tree_add() does. */
void flame_clean(struct strbuf *out, const char *text);
/* Appends len bytes of such text quoted for attributes and text of XML alike. */
void flame_escape(struct strbuf *out, const char *text, size_t len);

/* "1,234 samples" or "1.23 ms". */
void flame_value(enum flame_unit unit, uint64_t value, struct strbuf *out);

#endif
