/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/unwind.h"
#include "probe/flow.h"

/* How far calls are followed for one answer: beyond, a function can unwind. */
enum { DEPTH_MAX = 24, WALKS_MAX = 400, CIRCLE_MAX = 1000 };

enum verdict { VERDICT_NONE, VERDICT_ASKED, VERDICT_NO, VERDICT_YES };

struct node {
	uint64_t vaddr;
	uint32_t size;
	uint8_t verdict;
	uint8_t depth; /* while it is asked about */
	/* Of the search for circles of calls (Tarjan): in what order nodes were met, the earliest
	 * one that can be reached, and what came of it. */
	uint32_t met, lowest;
	bool is_open, recurs;
};

struct unwind_graph {
	const struct symtab *st;
	struct place_file *file;
	struct node *nodes; /* by address */
	size_t n, cap;
	uint64_t plt[4][2]; /* sections of stubs: start and end */
	size_t n_plt;
	struct node **open; /* nodes of circles that are not complete yet */
	size_t n_open, open_cap;
	uint32_t n_met;
};

static int add_node(const struct symbol *symbol, void *data)
{
	struct unwind_graph *g = data;
	int r;

	if (g->n > 0 && g->nodes[g->n - 1].vaddr == symbol->vaddr) {
		g->nodes[g->n - 1].size = MAX(g->nodes[g->n - 1].size, symbol->size);
		return 0;
	}
	r = array_reserve(&g->nodes, &g->cap, g->n + 1, sizeof(*g->nodes));
	if (r < 0)
		return r;
	/* What a resolver returns is called in its place, and cannot be seen. */
	g->nodes[g->n++] =
		(struct node){.vaddr = symbol->vaddr,
			      .size = symbol->size,
			      .verdict = symbol->flags & SYMBOL_IFUNC ? VERDICT_YES : VERDICT_NONE};
	return 0;
}

static void find_plt(struct unwind_graph *g, const struct file_image *image)
{
	static const char *const names[] = {".plt", ".plt.sec", ".plt.got", ".iplt"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct file_section *s = file_image_section(image, names[i]);

		if (!s)
			continue;
		g->plt[g->n_plt][0] = s->vaddr;
		g->plt[g->n_plt++][1] = s->vaddr + s->size;
	}
}

int unwind_graph_new(const struct place_source *from, struct unwind_graph **ret)
{
	struct unwind_graph *g _cleanup_(unwind_graph_freep) = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->st = from->st;
	r = place_file_new(from, &g->file);
	if (r >= 0)
		r = symtab_each(from->st, add_node, g);
	if (r < 0)
		return r;
	find_plt(g, from->image);
	*ret = TAKE_PTR(g);
	return 0;
}

struct unwind_graph *unwind_graph_free(struct unwind_graph *g)
{
	if (!g)
		return NULL;
	place_file_free(g->file);
	free(g->nodes);
	free(g->open);
	free(g);
	return NULL;
}

static struct node *find_node(struct unwind_graph *g, uint64_t vaddr)
{
	size_t low = 0, high = g->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->nodes[middle].vaddr < vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->n && g->nodes[low].vaddr == vaddr ? &g->nodes[low] : NULL;
}

static bool in_plt(const struct unwind_graph *g, uint64_t vaddr)
{
	for (size_t i = 0; i < g->n_plt; i++)
		if (vaddr >= g->plt[i][0] && vaddr < g->plt[i][1])
			return true;
	return false;
}

/*
 * What a function calls, as far as can be seen; false when that is not all. *ret_calls is to be
 * freed.
 */
static bool read_calls(struct unwind_graph *g, const struct node *node, uint64_t **ret_calls,
		       size_t *ret_n)
{
	struct place_code code;
	struct flow *f, local;
	bool known;

	*ret_calls = NULL;
	*ret_n = 0;
	if (place_file_code(g->file, node->vaddr, node->size, &code) < 0)
		return false;
	f = flow_of(&code, &local);
	known = f->result == 0 && !f->runs_on && !f->calls_indirect && !f->jumps_indirect;
	*ret_n = f->n_calls;
	*ret_calls = f->calls;
	f->calls = NULL;
	f->calls_cap = f->n_calls = 0;
	flow_release(&local);
	return known;
}

/* One question, with its answer's limits. */
struct question {
	struct unwind_graph *g;
	size_t walks;
};

static bool can(struct question *q, struct node *node, uint8_t depth, uint8_t *lowest);

static bool callee_can(struct question *q, uint64_t vaddr, uint8_t depth, uint8_t *lowest)
{
	struct node *node;
	const char *name;
	uint64_t start;

	if (in_plt(q->g, vaddr))
		return symtab_lookup(q->g->st, vaddr, &name, &start) < 0 || start != vaddr ||
		       !unwind_is_harmless(name);
	node = find_node(q->g, vaddr);
	return !node || can(q, node, depth, lowest);
}

/*
 * A function that is asked about already, further up, counts as not unwinding: a circle of calls
 * does not by itself. Then a "no" holds only if it holds for that one, so it is not remembered.
 * *lowest: the depth of the highest function that the answer relies on.
 */
static bool can(struct question *q, struct node *node, uint8_t depth, uint8_t *lowest)
{
	_cleanup_(freep) uint64_t *calls = NULL;
	uint8_t relies_on = UINT8_MAX;
	size_t n = 0;
	bool yes;

	switch ((enum verdict)node->verdict) {
	case VERDICT_NO:
		return false;
	case VERDICT_YES:
		return true;
	case VERDICT_ASKED:
		*lowest = MIN(*lowest, node->depth);
		return false;
	case VERDICT_NONE:
		break;
	}
	if (depth >= DEPTH_MAX || ++q->walks > WALKS_MAX)
		return true;
	node->verdict = VERDICT_ASKED;
	node->depth = depth;
	yes = !read_calls(q->g, node, &calls, &n);
	for (size_t i = 0; !yes && i < n; i++)
		yes = callee_can(q, calls[i], depth + 1, &relies_on);
	if (yes)
		node->verdict = VERDICT_YES;
	else
		node->verdict = relies_on < depth ? VERDICT_NONE : VERDICT_NO;
	if (relies_on < depth)
		*lowest = MIN(*lowest, relies_on);
	return yes;
}

bool unwind_graph_can(struct unwind_graph *g, uint64_t vaddr)
{
	struct question q = {.g = g};
	struct node *node = find_node(g, vaddr);
	uint8_t lowest = UINT8_MAX;

	return !node || can(&q, node, 0, &lowest);
}

/* Whatever is open above a node is in a circle with it, unless it is the node alone. */
static void close_circle(struct unwind_graph *g, const struct node *node, bool calls_itself)
{
	bool is_circle = g->open[g->n_open - 1] != node || calls_itself;
	struct node *last;

	do {
		last = g->open[--g->n_open];
		last->is_open = false;
		last->recurs = is_circle;
	} while (last != node);
}

/* False when memory is short or the calls nest too deep: what is open then stays so. */
static bool find_circles(struct unwind_graph *g, struct node *node, unsigned int depth)
{
	_cleanup_(freep) uint64_t *calls = NULL;
	bool calls_itself = false;
	size_t n = 0;

	if (depth >= CIRCLE_MAX ||
	    array_reserve(&g->open, &g->open_cap, g->n_open + 1, sizeof(*g->open)) < 0)
		return false;
	node->met = node->lowest = ++g->n_met;
	node->is_open = true;
	g->open[g->n_open++] = node;
	(void)read_calls(g, node, &calls, &n);
	for (size_t i = 0; i < n; i++) {
		struct node *callee = find_node(g, calls[i]);

		if (!callee)
			continue;
		calls_itself |= callee == node;
		if (!callee->met && !find_circles(g, callee, depth + 1))
			return false;
		if (callee->is_open)
			node->lowest = MIN(node->lowest, callee->lowest);
	}
	if (node->lowest == node->met)
		close_circle(g, node, calls_itself);
	return true;
}

bool unwind_graph_recurs(struct unwind_graph *g, uint64_t vaddr)
{
	struct node *node = find_node(g, vaddr);

	if (!node)
		return false;
	if (!node->met && !find_circles(g, node, 0)) {
		while (g->n_open > 0)
			g->open[--g->n_open]->is_open = false;
	}
	return node->recurs;
}

/* A space behind each. The "__x_chk" variants end the program where they find an overflow. */
static const char harmless[] =
	" _ZdaPv _ZdaPvm _ZdlPv _ZdlPvm __ctype_b_loc __ctype_tolower_loc "
	"__ctype_toupper_loc __errno_location __memcpy_chk __memmove_chk __memset_chk "
	"__stack_chk_fail __strcat_chk __strcpy_chk __strncpy_chk __tls_get_addr abort abs atof "
	"atoi atol calloc ceil clock clock_gettime cos difftime exp floor fmod free getegid "
	"getenv geteuid getgid getpid getppid gettimeofday getuid gmtime_r isalnum isalpha "
	"isdigit isspace labs log log10 log2 lround malloc memchr memcmp memcpy memmem memmove "
	"mempcpy memrchr memset posix_memalign pow pthread_equal pthread_getspecific "
	"pthread_mutex_init pthread_mutex_lock pthread_mutex_trylock pthread_mutex_unlock "
	"pthread_self pthread_setspecific pthread_spin_lock pthread_spin_unlock rand rand_r "
	"realloc round sched_getcpu sin sqrt stpcpy strcasecmp strcat strchr strcmp strcpy "
	"strcspn strdup strlcpy strlen strncasecmp strncat strncmp strncpy strndup strnlen "
	"strpbrk strrchr strspn strstr strtod strtok_r strtol strtoll strtoul strtoull time "
	"tolower toupper ";

bool unwind_is_harmless(const char *name)
{
	char word[64];
	size_t len = strlen(name);

	if (len > 4 && streq(name + len - 4, "@plt"))
		len -= 4;
	snprintf(word, sizeof(word), " %.*s ", (int)len, name);
	return len > 0 && !strchr(name, ' ') && strstr(harmless, word);
}
