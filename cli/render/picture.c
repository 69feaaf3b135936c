/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "picture.h"

#include "flame_folded.h"
#include "flame_html.h"
#include "flame_svg.h"
#include "flame_times.h"
#include "session.h"
#include "sonde/base/format.h"

/* What the answer's stacks refer to, and room for the longest of them. */
struct frames {
	struct flame_frame *all, *stack;
	size_t n, cap_stack;
	bool by_process; /* processes of one name are told apart by their number */
};

static void frames_release(struct frames *f)
{
	free(f->all);
	free(f->stack);
}

int picture_format_of(const char *path, enum picture_format *ret)
{
	static const struct {
		const char *extension;
		enum picture_format format;
	} known[] = {{".html", PICTURE_HTML},
		     {".htm", PICTURE_HTML},
		     {".svg", PICTURE_SVG},
		     {".folded", PICTURE_FOLDED},
		     {".txt", PICTURE_FOLDED}};
	const char *dot;

	if (!path || streq(path, "-") || startswith(path, "/dev/")) {
		*ret = PICTURE_FOLDED;
		return 0;
	}
	dot = strrchr(path, '.');
	for (size_t i = 0; dot && i < ARRAY_SIZE(known); i++)
		if (streq(known[i].extension, dot)) {
			*ret = known[i].format;
			return 0;
		}
	return -EINVAL;
}

static int read_frames(struct frames *f, reply_t *reply)
{
	f->all = calloc(reply_count(reply, "frames") + 1, sizeof(*f->all));
	if (!f->all)
		return -ENOMEM;
	reply_foreach(frame, reply, "frames") f->all[f->n++] =
		(struct flame_frame){.name = reply_str(frame, "func"),
				     .binary = reply_str(frame, "binary"),
				     .kind = flame_kind_of(reply_str(frame, "kind")),
				     .inlined = reply_bool(frame, "inlined")};
	return 0;
}

/* The process's name is the first frame; an index out of range is shown as unknown. */
static int add_stack(struct flame_tree *tree, struct frames *f, reply_t *stack, bool before)
{
	static const struct flame_frame unknown = {.kind = FLAME_USER};
	char pid[16] = "";
	size_t depth = 1;

	if (f->by_process)
		flame_process_text(pid, reply_u64(stack, "pid"));

	if (array_reserve(&f->stack, &f->cap_stack, reply_count(stack, "frames") + 1,
			  sizeof(*f->stack)) < 0)
		return -ENOMEM;
	f->stack[0] = (struct flame_frame){
		.name = reply_str(stack, "comm"), .binary = pid, .kind = FLAME_PROCESS};
	reply_foreach(index, stack, "frames")
	{
		uint64_t i = reply_value(index);

		f->stack[depth++] = i < f->n ? f->all[i] : unknown;
	}
	return (before ? flame_tree_add_before : flame_tree_add)(tree, f->stack, depth,
								 reply_u64(stack, "value"));
}

static int write_picture(struct strbuf *out, struct flame_tree *tree, reply_t *reply,
			 const struct picture_options *options)
{
	static const char *const titles[][2] = {
		[ANSWER_SPANS] = {"Spans by self time", "Spans by self time, compared"},
		[ANSWER_CPU] = {"CPU samples", "CPU samples, compared"},
		[ANSWER_WAITS] = {"Waits (off the CPU)", "Waits (off the CPU), compared"},
	};
	reply_t *session = reply_get(reply, "session"), *coverage = reply_get(reply, "coverage");
	bool ns = streq(reply_str(reply, "unit"), "ns");
	enum answer_kind kind = answer_kind(reply);
	bool compared = flame_tree_before(tree) > 0;
	char period[96], clock[FORMAT_MAX];
	struct flame_info info = {
		.title = options->title ? options->title : titles[kind][compared],
		.order = options->order,
		.target = reply_str(session, "targets"),
		.period = period,
		.unit = ns ? FLAME_NANOSECONDS : FLAME_SAMPLES,
		.counted = answer_kind_plural(kind),
		.count = reply_u64(reply, "count"),
		.lost = reply_u64(coverage, kind == ANSWER_SPANS ? "spans_lost" : "samples_lost"),
	};
	uint64_t hz = reply_u64(session, "frequency");

	format_clock(clock, reply_u64(session, "started_us"));
	clock[strcspn(clock, ".")] = '\0';
	if (ns || !hz)
		snprintf(period, sizeof(period), "since %s", clock);
	else
		snprintf(period, sizeof(period), "since %s at %llu Hz", clock,
			 (unsigned long long)hz);
	return options->format == PICTURE_HTML	? flame_html_write(out, tree, &info)
	       : options->format == PICTURE_SVG ? flame_svg_write(out, tree, &info)
						: flame_folded_write(out, tree);
}

static int add_stacks(struct flame_tree *tree, reply_t *reply, bool before, bool by_process)
{
	_cleanup_(frames_release) struct frames f = {.by_process = by_process};
	int r = read_frames(&f, reply);

	if (r < 0)
		return r;
	reply_foreach(stack, reply, "stacks")
	{
		r = add_stack(tree, &f, stack, before);
		if (r < 0)
			return r;
	}
	return 0;
}

int picture_write(struct strbuf *out, reply_t *reply, reply_t *before,
		  const struct picture_options *options)
{
	_cleanup_(flame_tree_freep) struct flame_tree *tree = flame_tree_new();
	/* The page can show each on its own; those of two recordings have different numbers. */
	bool by_process = options->format == PICTURE_HTML && !before;
	int r;

	if (!tree)
		return -ENOMEM;
	r = add_stacks(tree, reply, false, by_process);
	if (r >= 0 && before)
		r = add_stacks(tree, before, true, false);
	if (r >= 0 && by_process && options->times)
		r = flame_times_add(tree, options->times);
	return r < 0 ? r : write_picture(out, tree, reply, options);
}
