/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flame_svg.h"

#include <math.h>

#define WIDTH	   1200
#define MARGIN	   12
#define ROW	   17
#define HEADER	   76
#define FOOTER	   34
#define CHAR_WIDTH 6.65 /* of the 11 px monospace font; a narrower one only leaves room */
#define MIN_WIDTH  0.1

struct picture {
	struct strbuf *out;
	struct flame_tree *tree;
	const struct flame_info *info;
	const struct flame_node *nodes;
	size_t n;
	double scale; /* pixels a unit of value */
	double most;  /* of a comparison: the largest change of a share, either way; else 0 */
	uint32_t depth;
	size_t hidden;
};

static const char style[] =
	"text{font:11px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1f2328}"
	".bg{fill:#fff}.t{font:600 16px system-ui,'DejaVu Sans',sans-serif}"
	".s,.l{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#59636e}"
	"g rect[style]+text{fill:#1f2328}g text{pointer-events:none}g:hover "
	"rect{stroke:#1f2328;stroke-width:1}"
	".process{fill:#d5dae0}.user{fill:#a9c6ea}.kernel{fill:#f0b98e}.python{fill:#a8d5b0}"
	".span{fill:#cdbcec}"
	"@media(prefers-color-scheme:dark){.bg{fill:#15181c}text{fill:#e6eaef}"
	".s,.l{fill:#9aa4af}g:hover rect{stroke:#fff}"
	".process{fill:#454c55}.user{fill:#2f5583}.kernel{fill:#8a4f26}.python{fill:#2f6a3d}"
	".span{fill:#5b4690}}";

/* How many bytes the first `chars` characters of valid UTF-8 take; *ret_all: nothing was cut. */
static size_t cut(const char *s, size_t chars, bool *ret_all)
{
	size_t i = 0;

	for (; s[i]; i++)
		if ((s[i] & 0xc0) != 0x80 && chars-- == 0)
			break;
	*ret_all = s[i] == '\0';
	return i;
}

static void append_label(struct strbuf *out, const char *name, double x, double y, double width)
{
	size_t chars = width > 8 ? (size_t)((width - 6) / CHAR_WIDTH) : 0;
	bool all = false;
	size_t len = cut(name, chars, &all);

	if (chars < 3 && !all)
		return;
	if (!all)
		len = cut(name, chars - 1, &all);
	strbuf_printf(out, "<text x=\"%.2f\" y=\"%.0f\" xml:space=\"preserve\">", x + 3, y);
	flame_escape(out, name, len);
	if (!all)
		strbuf_puts(out, "\u2026");
	strbuf_puts(out, "</text>");
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void append_tooltip(struct picture *p, const struct flame_node *node,
			   const struct flame_frame *frame)
{
	uint64_t whole = flame_tree_total(p->tree);

	strbuf_puts(p->out, "<title>");
	flame_escape(p->out, frame->name, strlen(frame->name));
	if (*frame->binary) {
		strbuf_puts(p->out, "\n");
		flame_escape(p->out, frame->binary, strlen(frame->binary));
	}
	strbuf_printf(p->out, " (%s%s)\ntotal ", flame_kind_name(frame->kind),
		      frame->inlined ? ", inlined" : "");
	flame_value(p->info->unit, node->total, p->out);
	strbuf_printf(p->out, ", %.2f %%\nself ", percent(node->total, whole));
	flame_value(p->info->unit, node->self, p->out);
	strbuf_printf(p->out, ", %.2f %%", percent(node->self, whole));
	if (flame_tree_before(p->tree))
		strbuf_printf(p->out, "\nbefore %.2f %%, change %+.2f points",
			      percent(node->before, flame_tree_before(p->tree)),
			      100 * flame_tree_change(p->tree, node));
	strbuf_puts(p->out, "</title>");
}

/* Red is more, blue is less, white is as before; the style's colour is for what is no comparison.
 */
static void append_fill(struct picture *p, const struct flame_node *node)
{
	double change = flame_tree_change(p->tree, node);
	int fade;

	if (!flame_tree_before(p->tree))
		return;
	fade = p->most > 0 ? 255 - (int)(190 * fabs(change) / p->most) : 255;
	if (change >= 0)
		strbuf_printf(p->out, " style=\"fill:#ff%02x%02x\"", (unsigned)fade,
			      (unsigned)fade);
	else
		strbuf_printf(p->out, " style=\"fill:#%02x%02xff\"", (unsigned)fade,
			      (unsigned)fade);
}

static void append_frame(struct picture *p, const struct flame_node *node)
{
	struct flame_frame frame = flame_tree_frame(p->tree, node->frame);
	double x = MARGIN + (double)node->start * p->scale;
	double width = (double)node->total * p->scale;
	double y = HEADER + (double)(p->depth - node->depth) * ROW;
	/* A gap between neighbours, where there is room for one. */
	double shown = width > 3 ? width - 0.6 : width;

	strbuf_puts(p->out, "<g>");
	append_tooltip(p, node, &frame);
	strbuf_printf(p->out,
		      "<rect class=\"%s\" x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%d\" "
		      "rx=\"1.5\"",
		      flame_kind_name(frame.kind), x, y, shown, ROW - 1);
	append_fill(p, node);
	strbuf_puts(p->out, "/>");
	append_label(p->out, frame.name, x, y + 12, shown);
	strbuf_puts(p->out, "</g>\n");
}

/* Whether the node is drawn. The children of a node that is not are narrower still. */
static bool wide_enough(const struct picture *p, const struct flame_node *node)
{
	return (double)node->total * p->scale >= MIN_WIDTH;
}

static void append_header(struct picture *p)
{
	_cleanup_(strbuf_release) struct strbuf title = {0}, subtitle = {0};
	size_t height = HEADER + (size_t)(p->depth + 1) * ROW + FOOTER;
	bool all;

	strbuf_printf(p->out,
		      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" "
		      "viewBox=\"0 0 %d %zu\">\n<style>%s</style>\n"
		      "<rect class=\"bg\" width=\"100%%\" height=\"100%%\"/>\n"
		      "<text class=\"t\" x=\"%d\" y=\"26\">",
		      WIDTH, height, WIDTH, height, style, MARGIN);
	flame_clean(&title, p->info->title ? p->info->title : "Flame graph");
	if (title.data)
		flame_escape(p->out, title.data, cut(title.data, 130, &all));
	strbuf_printf(p->out, "</text>\n<text class=\"s\" x=\"%d\" y=\"46\">", MARGIN);
	flame_info_subtitle(p->info, &subtitle);
	if (subtitle.data)
		flame_escape(p->out, subtitle.data, cut(subtitle.data, 190, &all));
	strbuf_puts(p->out, "</text>\n");
}

static void append_legend(struct picture *p)
{
	uint64_t self[FLAME_KINDS] = {0};
	double x = MARGIN;

	if (flame_tree_before(p->tree)) {
		strbuf_printf(
			p->out,
			"<text class=\"l\" x=\"%d\" y=\"67\">width: share after; red: more than "
			"before, blue: less, at most %.2f points</text>\n",
			MARGIN, 100 * p->most);
		return;
	}
	for (size_t i = 0; i < p->n; i++)
		self[flame_tree_frame(p->tree, p->nodes[i].frame).kind] += p->nodes[i].self;
	for (int kind = 0; kind < FLAME_KINDS; kind++) {
		if (self[kind] == 0)
			continue;
		strbuf_printf(p->out,
			      "<rect class=\"%s\" x=\"%.0f\" y=\"57\" width=\"11\" height=\"11\" "
			      "rx=\"2\"/><text class=\"l\" x=\"%.0f\" y=\"67\">%s %.1f %%</text>\n",
			      flame_kind_name(kind), x, x + 16, flame_kind_name(kind),
			      percent(self[kind], flame_tree_total(p->tree)));
		x += 120;
	}
}

int flame_svg_write(struct strbuf *out, struct flame_tree *tree, const struct flame_info *info)
{
	struct picture p = {.out = out, .tree = tree, .info = info};
	uint64_t whole;
	int r;

	r = flame_tree_layout(tree, &p.nodes, &p.n);
	if (r < 0)
		return r;
	whole = flame_tree_total(tree);
	p.scale = whole ? (double)(WIDTH - 2 * MARGIN) / (double)whole : 0;
	for (size_t i = 1; i < p.n && flame_tree_before(tree); i++)
		p.most = fmax(p.most, fabs(flame_tree_change(tree, &p.nodes[i])));
	for (size_t i = 0; i < p.n; i++) {
		if (wide_enough(&p, &p.nodes[i]))
			p.depth = MAX(p.depth, p.nodes[i].depth);
		else
			p.hidden++;
	}
	append_header(&p);
	append_legend(&p);
	for (size_t i = 0; i < p.n; i++)
		if (wide_enough(&p, &p.nodes[i]))
			append_frame(&p, &p.nodes[i]);
	strbuf_printf(out, "<text class=\"s\" x=\"%d\" y=\"%zu\">", MARGIN,
		      HEADER + (size_t)(p.depth + 1) * ROW + 20);
	if (whole == 0)
		strbuf_puts(out, "Nothing was sampled.");
	else
		strbuf_printf(out, "%zu frames shown, %zu narrower than 0.1 pixel not shown",
			      p.n - p.hidden, p.hidden);
	strbuf_puts(out, "</text>\n</svg>\n");
	return strbuf_error(out);
}
