/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two passes over the windows: the first marks the stacks and paths that the wanted rows need,
 * with their ancestors; then these are copied in the order of their ids, in which parents come
 * first; the second pass copies the rows themselves.
 */
#include "snapshot.h"
#include "stat.h"

enum { NOT_SEEN = 0, LEFT_OUT = UINT32_MAX, MARKED = UINT32_MAX };

/* What a model's id became: NOT_SEEN, index + 1, or one of the marks above. [0] is id 0. */
struct take {
	struct model *m;
	struct model_counts counts;
	const struct selectors *selectors;
	unsigned int parts; /* enum snapshot_parts */
	uint64_t period_ns;
	struct snapshot *s;
	uint32_t *process_of, *stack_of, *path_of, *frame_of, *probe_of;
	struct table strings, stats;
	size_t processes_cap, frames_cap, strings_cap, stats_cap, lines_cap;
	size_t n_stacks, n_paths, n_samples; /* marked by the first pass */
	bool apart;			     /* windows are not added up */
	uint32_t window;		     /* then the one at hand */
};

static void take_release(struct take *t)
{
	free(t->process_of);
	free(t->stack_of);
	free(t->path_of);
	free(t->frame_of);
	free(t->probe_of);
	table_release(&t->strings);
	table_release(&t->stats);
	snapshot_free(t->s);
}

static int take_init(struct take *t)
{
	t->s = calloc(1, sizeof(*t->s));
	t->process_of = calloc((size_t)t->counts.processes + 1, sizeof(uint32_t));
	t->stack_of = calloc((size_t)t->counts.stacks + 1, sizeof(uint32_t));
	t->path_of = calloc((size_t)t->counts.paths + 1, sizeof(uint32_t));
	t->frame_of = calloc((size_t)t->counts.frames + 1, sizeof(uint32_t));
	t->probe_of = calloc((size_t)t->counts.probes + 1, sizeof(uint32_t));
	if (!t->s || !t->process_of || !t->stack_of || !t->path_of || !t->frame_of || !t->probe_of)
		return -ENOMEM;
	return 0;
}

static int copy_string(struct take *t, const char *text, size_t len, const char **ret)
{
	struct snapshot *s = t->s;
	char *copy;

	if (array_reserve(&s->strings, &t->strings_cap, s->n_strings + 1, sizeof(*s->strings)) < 0)
		return -ENOMEM;
	copy = strndup(text, len);
	if (!copy)
		return -ENOMEM;
	*ret = s->strings[s->n_strings++] = copy;
	return 0;
}

static int take_string(struct take *t, uint32_t id, const char **ret)
{
	struct snapshot *s = t->s;
	uint32_t *slot = table_get(&t->strings, id);
	const char *text;
	int r;

	if (slot) {
		*ret = s->strings[*slot];
		return 0;
	}
	text = model_string_get(t->m, id);
	r = copy_string(t, text, strlen(text), ret);
	if (r < 0)
		return r;
	slot = table_put(&t->strings, id, NULL);
	if (!slot)
		return -ENOMEM;
	*slot = s->n_strings - 1;
	return 0;
}

/* 1 when the process is wanted, 0 when the selectors leave it out. */
static int take_process(struct take *t, uint32_t id)
{
	const struct model_process *p;
	struct snapshot *s = t->s;
	struct snapshot_process copy;
	int r;

	if (!id || id > t->counts.processes)
		return -EBADMSG;
	if (t->process_of[id] != NOT_SEEN)
		return t->process_of[id] != LEFT_OUT;
	p = model_process_get(t->m, id);
	if (!selectors_match(t->selectors, t->m, p)) {
		t->process_of[id] = LEFT_OUT;
		return 0;
	}
	copy = (struct snapshot_process){.pid = p->pid, .uid = p->uid, .ns_pid = p->ns_pid};
	r = take_string(t, p->comm, &copy.comm);
	if (r >= 0)
		r = take_string(t, p->cgroup, &copy.cgroup);
	if (r >= 0)
		r = take_string(t, p->container, &copy.container);
	if (r >= 0)
		r = take_string(t, model_process_host(t->m, p), &copy.host);
	if (r < 0)
		return r;
	if (array_reserve(&s->processes, &t->processes_cap, s->n_processes + 1,
			  sizeof(*s->processes)) < 0)
		return -ENOMEM;
	s->processes[s->n_processes++] = copy;
	t->process_of[id] = s->n_processes;
	return 1;
}

static bool is_wanted(const struct take *t, const struct sample_row *row)
{
	return t->parts & (row->kind == SAMPLE_OFFCPU ? SNAPSHOT_OFFCPU : SNAPSHOT_CPU);
}

static int mark_window(struct take *t, const struct window *w)
{
	for (size_t i = 0; i < w->n_samples; i++) {
		uint32_t id = w->samples[i].stack;
		int r;

		if (!is_wanted(t, &w->samples[i]))
			continue;
		r = take_process(t, w->samples[i].process);
		if (r < 0 || id > t->counts.stacks)
			return r < 0 ? r : -EBADMSG;
		if (!r)
			continue;
		t->n_samples++;
		/* Id 0, no stack, gets a mark as well. */
		while (t->stack_of[id] != MARKED) {
			t->stack_of[id] = MARKED;
			t->n_stacks++;
			if (id)
				id = model_stack_get(t->m, id)->parent;
			if (!id)
				break;
		}
	}
	for (size_t i = 0; i < w->n_stats && t->parts & SNAPSHOT_SPANS; i++) {
		uint32_t id = w->stats[i].path;
		int r = w->stats[i].calls ? take_process(t, w->stats[i].process) : 0;

		if (r < 0 || !id || id > t->counts.paths)
			return r < 0 ? r : -EBADMSG;
		for (; r && id && t->path_of[id] != MARKED; id = model_path_get(t->m, id)->parent) {
			t->path_of[id] = MARKED;
			t->n_paths++;
		}
	}
	return 0;
}

/* Room for what was marked, at once: there may be millions, and the model's owner is waiting. */
static int reserve_marked(struct take *t)
{
	t->s->stacks = malloc((t->n_stacks + 1) * sizeof(*t->s->stacks));
	t->s->paths = malloc((t->n_paths + 1) * sizeof(*t->s->paths));
	t->s->samples = malloc((t->n_samples + 1) * sizeof(*t->s->samples));
	return t->s->stacks && t->s->paths && t->s->samples ? 0 : -ENOMEM;
}

/* Adds a frame of that file; file 0: outside every mapping. name: string of its name, or 0. */
static int add_frame(struct take *t, uint32_t file, uint64_t offset, uint32_t name,
		     enum frame_kind kind)
{
	const struct model_file *f = model_file_get(t->m, file);
	struct snapshot_frame copy = {.offset = offset, .kind = kind, .mapped = f != NULL};
	struct snapshot *s = t->s;
	int r;

	if (f)
		copy.file = *f;
	if (kind == FRAME_USER && (file == FILE_ID_KERNEL || copy.file.flags & FILE_KERNEL))
		copy.kind = FRAME_KERNEL;
	r = take_string(t, copy.file.path, &copy.file_path);
	if (r < 0)
		return r;
	if (array_reserve(&s->frames, &t->frames_cap, s->n_frames + 1, sizeof(*s->frames)) < 0)
		return -ENOMEM;
	if (name) {
		copy.function = strdup(model_string_get(t->m, name));
		if (!copy.function)
			return -ENOMEM;
	}
	s->frames[s->n_frames++] = copy;
	return 0;
}

static int take_known(struct take *t, uint32_t id, const char **ret)
{
	*ret = NULL;
	return id ? take_string(t, id, ret) : 0;
}

/* Of the frame that was added last. */
static int take_lines(struct take *t, uint32_t id)
{
	struct snapshot *s = t->s;
	struct snapshot_frame *frame = &s->frames[s->n_frames - 1];
	size_t n = 0;
	const struct model_line *lines = model_lines_get(t->m, id, &n);
	int r = lines ? array_reserve(&s->lines, &t->lines_cap, s->n_lines + n, sizeof(*s->lines))
		      : 0;

	frame->first_line = (uint32_t)s->n_lines;
	for (size_t i = 0; i < n && r >= 0; i++) {
		struct snapshot_line *line = &s->lines[s->n_lines];

		line->line = lines[i].line;
		r = take_known(t, lines[i].function, &line->function);
		if (r >= 0)
			r = take_known(t, lines[i].source, &line->source);
		s->n_lines++;
		frame->n_lines++;
	}
	return r < 0 ? r : 0;
}

static int take_frame(struct take *t, uint32_t id, uint32_t *ret_index)
{
	if (id > t->counts.frames)
		return -EBADMSG;
	if (!t->frame_of[id]) {
		const struct model_frame none = {};
		const struct model_frame *f = id ? model_frame_get(t->m, id) : &none;
		int r = add_frame(t, f->file, f->offset, f->function, FRAME_USER);

		if (r >= 0)
			r = take_lines(t, id);
		if (r < 0)
			return r;
		t->frame_of[id] = t->s->n_frames;
	}
	*ret_index = t->frame_of[id] - 1;
	return 0;
}

static int take_category(struct take *t, const struct model_probe *p, const char **ret)
{
	const char *category;
	size_t len = model_probe_category(t->m, p, &category);

	return len ? copy_string(t, category, len, ret) : 0;
}

static int take_probe(struct take *t, uint32_t id, struct snapshot_path *path)
{
	const struct model_probe *p = model_probe_get(t->m, id);
	int r;

	if (!p)
		return -EBADMSG;
	if (!t->probe_of[id]) {
		r = add_frame(t, p->file, p->offset, model_probe_label(p), FRAME_SPAN);
		if (r >= 0)
			r = take_category(t, p, &t->s->frames[t->s->n_frames - 1].category);
		if (r < 0)
			return r;
		t->probe_of[id] = t->s->n_frames;
	}
	path->frame = t->probe_of[id] - 1;
	return take_string(t, p->spec, &path->spec);
}

static int take_stacks(struct take *t)
{
	struct snapshot *s = t->s;

	for (size_t id = 0; id <= t->counts.stacks; id++) {
		const struct model_stack *from = model_stack_get(t->m, id);
		struct snapshot_stack copy = {};
		int r;

		if (t->stack_of[id] != MARKED)
			continue;
		if (from && from->parent >= id)
			return -EBADMSG;
		if (from && from->parent)
			copy.parent = t->stack_of[from->parent];
		r = take_frame(t, from ? from->frame : 0, &copy.frame);
		if (r < 0)
			return r;
		s->stacks[s->n_stacks++] = copy;
		t->stack_of[id] = s->n_stacks;
	}
	return 0;
}

static int take_paths(struct take *t)
{
	struct snapshot *s = t->s;

	for (size_t id = 1; id <= t->counts.paths; id++) {
		const struct model_path *from = model_path_get(t->m, id);
		struct snapshot_path copy = {};
		int r;

		if (t->path_of[id] != MARKED)
			continue;
		if (from->parent >= id)
			return -EBADMSG;
		if (from->parent)
			copy.parent = t->path_of[from->parent];
		r = take_probe(t, from->probe, &copy);
		if (r < 0)
			return r;
		s->paths[s->n_paths++] = copy;
		t->path_of[id] = s->n_paths;
	}
	return 0;
}

static int take_sample(struct take *t, const struct sample_row *row)
{
	struct snapshot *s = t->s;
	struct snapshot_sample copy = {
		.process = t->process_of[row->process] - 1,
		.stack = t->stack_of[row->stack] - 1,
		.window = t->window,
		.count = row->count,
		.ns = row->total_ns || row->kind != SAMPLE_CPU ? row->total_ns
							       : row->count * t->period_ns,
	};
	int r;

	if (t->process_of[row->process] == LEFT_OUT)
		return 0;
	r = take_string(t, row->thread, &copy.thread);
	if (r < 0)
		return r;
	s->samples[s->n_samples++] = copy;
	return 0;
}

static int take_stat(struct take *t, const struct span_stat *from)
{
	uint32_t process = t->process_of[from->process], path = t->path_of[from->path];
	struct snapshot *s = t->s;
	uint32_t *slot;
	bool is_new;

	if (process == LEFT_OUT || !from->calls)
		return 0;
	if (array_reserve(&s->stats, &t->stats_cap, s->n_stats + 1, sizeof(*s->stats)) < 0)
		return -ENOMEM;
	slot = table_put(&t->stats, (uint64_t)process << 32 | path, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new) {
		*slot = s->n_stats;
		s->stats[s->n_stats++] = (struct snapshot_stat){
			.process = process - 1,
			.path = path - 1,
			.window = t->window,
			.stat = {.process = from->process, .path = from->path},
		};
	}
	return stat_add(&s->stats[*slot].stat, from);
}

static int take_window(struct take *t, const struct window *w)
{
	int r = 0;

	for (size_t i = 0; i < w->n_samples && r >= 0; i++)
		if (is_wanted(t, &w->samples[i]))
			r = take_sample(t, &w->samples[i]);
	for (size_t i = 0; i < w->n_stats && t->parts & SNAPSHOT_SPANS && r >= 0; i++)
		r = take_stat(t, &w->stats[i]);
	return r;
}

static int take_apart(struct take *t, const struct window *const *windows, size_t n)
{
	t->s->windows = calloc(n + 1, sizeof(*t->s->windows));
	if (!t->s->windows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r;

		t->s->windows[i] = (struct snapshot_window){.start_ns = windows[i]->start_ns,
							    .end_ns = windows[i]->end_ns};
		/* Recordings of versions up to 3 do not say where windows behind the first begin.
		 */
		if (i && !windows[i]->start_ns)
			t->s->windows[i].start_ns = MIN(windows[i - 1]->end_ns, windows[i]->end_ns);
		t->s->n_windows++;
		/* Statistics of the window before are not to be added to. */
		table_clear(&t->stats);
		t->window = (uint32_t)i;
		r = take_window(t, windows[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_all(struct take *t, const struct window *const *windows, size_t n_windows,
		    struct snapshot **ret)
{
	int r;

	model_counts(t->m, &t->counts);
	r = take_init(t);
	for (size_t i = 0; i < n_windows && r >= 0; i++)
		r = mark_window(t, windows[i]);
	if (r >= 0)
		r = reserve_marked(t);
	if (r >= 0)
		r = take_stacks(t);
	if (r >= 0)
		r = take_paths(t);
	if (r >= 0 && t->apart)
		r = take_apart(t, windows, n_windows);
	for (size_t i = 0; i < n_windows && r >= 0 && !t->apart; i++)
		r = take_window(t, windows[i]);
	if (r < 0)
		return r;
	t->s->period_ns = t->period_ns;
	*ret = TAKE_PTR(t->s);
	return 0;
}

int snapshot_take(struct model *m, const struct window *const *windows, size_t n_windows,
		  const struct selectors *selectors, unsigned int parts, uint64_t period_ns,
		  struct snapshot **ret)
{
	_cleanup_(take_release) struct take t = {
		.m = m, .selectors = selectors, .parts = parts, .period_ns = period_ns};

	return take_all(&t, windows, n_windows, ret);
}

int snapshot_take_apart(struct model *m, const struct window *const *windows, size_t n_windows,
			const struct selectors *selectors, unsigned int parts, uint64_t period_ns,
			struct snapshot **ret)
{
	_cleanup_(take_release) struct take t = {.m = m,
						 .selectors = selectors,
						 .parts = parts,
						 .period_ns = period_ns,
						 .apart = true};

	return take_all(&t, windows, n_windows, ret);
}

uint64_t snapshot_count(const struct snapshot *s, bool samples)
{
	uint64_t n = 0;

	for (size_t i = 0; samples && i < s->n_samples; i++)
		n += s->samples[i].count;
	for (size_t i = 0; !samples && i < s->n_stats; i++)
		n += s->stats[i].stat.calls;
	return n;
}

bool snapshot_has_several_hosts(const struct snapshot *s)
{
	/* Texts of a snapshot are each there once. */
	for (size_t i = 1; i < s->n_processes; i++)
		if (s->processes[i].host != s->processes[0].host)
			return true;
	return false;
}

struct snapshot *snapshot_free(struct snapshot *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_frames; i++) {
		free(s->frames[i].function);
		free(s->frames[i].source);
	}
	for (size_t i = 0; i < s->n_stats; i++)
		hist_release(&s->stats[i].stat.hist);
	for (size_t i = 0; i < s->n_strings; i++)
		free(s->strings[i]);
	free(s->processes);
	free(s->frames);
	free(s->stacks);
	free(s->samples);
	free(s->paths);
	free(s->stats);
	free(s->lines);
	free(s->windows);
	free(s->strings);
	free(s);
	return NULL;
}
