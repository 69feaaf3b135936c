/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/span_text.h"

#include <math.h>

#include "control/frame_names.h"

#include "probe/signature.h"

struct known_signature {
	uint32_t text;		     /* string of the model it was decoded from; 0: not yet */
	struct signature *signature; /* NULL: none, or not one that this sonde reads */
};

struct span_texts {
	struct model *model;
	struct known_signature *signatures; /* by probe */
	size_t signatures_cap;
	char **frames; /* by frame: "main [app]"; NULL: not named yet */
	size_t frames_cap;
};

/* Frames alone, in a snapshot of their own; file paths are its strings. */
struct unnamed_frames {
	struct snapshot *snapshot;
	uint32_t *ids; /* of the model, of each of its frames */
	size_t cap, ids_cap, strings_cap;
};

int span_texts_new(struct model *m, struct span_texts **ret)
{
	struct span_texts *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->model = m;
	*ret = t;
	return 0;
}

struct span_texts *span_texts_free(struct span_texts *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->signatures_cap; i++)
		signature_free(t->signatures[i].signature);
	for (size_t i = 0; i < t->frames_cap; i++)
		free(t->frames[i]);
	free(t->signatures);
	free(t->frames);
	free(t);
	return NULL;
}

const struct signature *span_texts_signature(struct span_texts *t, uint32_t path)
{
	const struct model_path *p = model_path_get(t->model, path);
	const struct model_probe *probe = p ? model_probe_get(t->model, p->probe) : NULL;
	struct known_signature *known;

	if (!probe || !probe->signature ||
	    array_reserve(&t->signatures, &t->signatures_cap, (size_t)p->probe + 1,
			  sizeof(*t->signatures)) < 0)
		return NULL;
	known = &t->signatures[p->probe];
	/* A session whose conditions are replaced gets signatures that have more. */
	if (known->text != probe->signature) {
		const char *text = model_string_get(t->model, probe->signature);

		known->text = probe->signature;
		known->signature = signature_free(known->signature);
		if (signature_decode(text, &known->signature) < 0)
			known->signature = NULL;
	}
	return known->signature;
}

struct unnamed_frames *unnamed_frames_free(struct unnamed_frames *u)
{
	if (!u)
		return NULL;
	snapshot_free(u->snapshot);
	free(u->ids);
	free(u);
	return NULL;
}

static int add_frame(struct unnamed_frames *u, struct span_texts *t, uint32_t id)
{
	struct snapshot *s = u->snapshot;
	const struct model_frame *frame = model_frame_peek(t->model, id);
	const struct model_file *file = frame ? model_file_get(t->model, frame->file) : NULL;
	struct snapshot_frame copy = {.file_path = "", .kind = FRAME_USER};

	if (!frame)
		return 0;
	if (array_reserve(&s->frames, &u->cap, s->n_frames + 1, sizeof(*s->frames)) < 0 ||
	    array_reserve(&u->ids, &u->ids_cap, s->n_frames + 1, sizeof(*u->ids)) < 0 ||
	    array_reserve(&s->strings, &u->strings_cap, s->n_strings + 1, sizeof(*s->strings)) < 0)
		return -ENOMEM;
	copy.offset = frame->offset;
	if (file) {
		char *path = strdup(model_string_get(t->model, file->path));

		if (!path)
			return -ENOMEM;
		s->strings[s->n_strings++] = path;
		copy.file = *file;
		copy.file_path = path;
		copy.mapped = true;
		copy.kind = file->flags & FILE_KERNEL ? FRAME_KERNEL : FRAME_USER;
	}
	if (frame->function) {
		copy.function = strdup(model_string_get(t->model, frame->function));
		if (!copy.function)
			return -ENOMEM;
	}
	u->ids[s->n_frames] = id;
	s->frames[s->n_frames++] = copy;
	return 0;
}

static bool is_named(const struct span_texts *t, uint32_t frame)
{
	return frame < t->frames_cap && t->frames[frame];
}

/* Frames come as often as stacks have them: `seen` keeps each from being named twice. */
static int add_stack(struct unnamed_frames *u, struct span_texts *t, uint32_t stack,
		     struct table *seen)
{
	const struct model_stack *s;

	while ((s = model_stack_get(t->model, stack))) {
		bool is_new;

		/* A stack that was here before had all its callers seen. */
		if (!table_put(seen, (uint64_t)1 << 32 | stack, &is_new))
			return -ENOMEM;
		if (!is_new)
			return 0;
		if (!table_put(seen, s->frame, &is_new))
			return -ENOMEM;
		if (is_new && !is_named(t, s->frame) && add_frame(u, t, s->frame) < 0)
			return -ENOMEM;
		stack = s->parent;
	}
	return 0;
}

int span_texts_unnamed(struct span_texts *t, const struct span_row *rows, size_t n,
		       struct unnamed_frames **ret)
{
	_cleanup_(unnamed_frames_freep) struct unnamed_frames *u = calloc(1, sizeof(*u));
	_cleanup_(table_release) struct table seen = {};
	int r = 0;

	if (!u || !(u->snapshot = calloc(1, sizeof(*u->snapshot))))
		return -ENOMEM;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (rows[i].more.stack)
			r = add_stack(u, t, rows[i].more.stack, &seen);
	if (r < 0)
		return r;
	*ret = u->snapshot->n_frames > 0 ? TAKE_PTR(u) : NULL;
	return 0;
}

void unnamed_frames_prepare(const struct unnamed_frames *u, struct symbolizer *symbolizer)
{
	_cleanup_(frame_names_release) struct frame_names names = {.symbolizer = symbolizer};
	const struct snapshot_names note = {.resolve = frame_names_note, .arg = &names};

	snapshot_each_unnamed(u->snapshot, false, &note);
	frame_names_prepare(&names, DEMANGLE_SHORT);
}

int unnamed_frames_resolve(struct unnamed_frames *u, snapshot_resolve_t resolve, void *arg)
{
	return snapshot_name_frames(u->snapshot, resolve, arg);
}

/* "parse [libfoo.so]"; names that are no functions say their file themselves. */
static char *frame_text(const struct snapshot_frame *f)
{
	const char *slash = strrchr(f->file_path, '/');
	const char *binary = f->kind == FRAME_KERNEL ? "kernel" : slash ? slash + 1 : f->file_path;
	char *text = NULL;

	if (!f->function || f->function[0] == '[' || !*binary)
		return strdup(f->function ? f->function : "[unknown]");
	if (f->file.flags & FILE_PYTHON && f->offset)
		return asprintf(&text, "%s [%s:%llu]", f->function, binary,
				(unsigned long long)f->offset) < 0
			       ? NULL
			       : text;
	return asprintf(&text, "%s [%s]", f->function, binary) < 0 ? NULL : text;
}

int span_texts_learn(struct span_texts *t, const struct unnamed_frames *u)
{
	for (size_t i = 0; i < u->snapshot->n_frames; i++) {
		uint32_t id = u->ids[i];

		if (array_reserve(&t->frames, &t->frames_cap, (size_t)id + 1, sizeof(*t->frames)) <
		    0)
			return -ENOMEM;
		if (!t->frames[id])
			t->frames[id] = frame_text(&u->snapshot->frames[i]);
	}
	return 0;
}

static struct call_values values_of(const struct raw_span *span, const struct span_more *more)
{
	return (struct call_values){
		.args = more->args,
		.values = more->values,
		.values_len = more->values_len,
		.valid = more->valid,
		.ret = span->ret,
		.flags = (span->flags & ~(SPAN_ARGS | SPAN_VALUES)) | (more->args ? SPAN_ARGS : 0) |
			 (more->values_len ? SPAN_VALUES : 0),
	};
}

static void write_text(struct json_writer *w, const char *key, const struct strbuf *text)
{
	if (strbuf_error(text) == 0)
		json_stringn(w, key, text->data ? text->data : "", text->len);
}

static void write_stack(struct span_texts *t, struct json_writer *w, uint32_t stack)
{
	const struct model_stack *s;

	json_array_begin(w, "stack");
	for (; (s = model_stack_get(t->model, stack)); stack = s->parent)
		json_string(w, NULL, is_named(t, s->frame) ? t->frames[s->frame] : "[unknown]");
	json_array_end(w);
}

static void write_exception(struct span_texts *t, struct json_writer *w,
			    const struct span_more *more)
{
	json_object_begin(w, "exception");
	json_string(w, "type", model_string_get(t->model, more->exception_type));
	json_string(w, "message", model_string_get(t->model, more->exception_message));
	json_object_end(w);
}

/* JSON has no numbers that are not finite: they are texts. */
static void write_value(struct json_writer *w, const struct span_more *more)
{
	_cleanup_(strbuf_release) struct strbuf text = {};
	double value;

	if (!span_more_value(more, &value))
		return;
	strbuf_double(&text, value);
	if (isfinite(value))
		json_double(w, "value", value);
	else
		write_text(w, "value", &text);
}

void span_texts_write(struct span_texts *t, struct json_writer *w, const struct span_row *row)
{
	const struct signature *signature = span_texts_signature(t, row->span.path);
	const struct span_more *more = &row->more;
	_cleanup_(strbuf_release) struct strbuf call = {}, result = {};
	struct call_values values = values_of(&row->span, &row->more);

	if (signature_category(signature))
		json_string(w, "cat", signature_category(signature));
	if (row->span.flags & SPAN_COUNTER)
		write_value(w, more);
	if (signature && (more->args || more->values_len)) {
		signature_print_args(signature, &values, &call);
		write_text(w, "call", &call);
	}
	if (signature) {
		signature_print_result(signature, &values, &result);
		write_text(w, "result", &result);
	}
	if (more->offcpu_ns)
		json_u64(w, "offcpu_ns", more->offcpu_ns);
	if (more->exception_type || more->exception_message)
		write_exception(t, w, more);
	if (more->stack)
		write_stack(t, w, more->stack);
}

static void write_arg(void *arg, const char *name, const char *text)
{
	json_string(arg, name, text);
}

void span_write_args(const struct signature *signature, struct json_writer *w,
		     const struct raw_span *span, const struct span_more *more)
{
	struct call_values values = values_of(span, more);
	char name[] = "arg0";

	if (!more->args && !more->values_len)
		return;
	if (signature) {
		signature_each(signature, &values, write_arg, w);
		return;
	}
	for (int i = 0; more->args && i < RECORD_ARGS; i++, name[3]++)
		json_hex(w, name, more->args[i]);
}

void span_write_result(const struct signature *signature, struct strbuf *out,
		       const struct raw_span *span, const struct span_more *more)
{
	struct call_values values = values_of(span, more);

	signature_print_result(signature, &values, out);
}

bool span_texts_has_attributes(struct span_texts *t, const struct span_row *row)
{
	return signature_category(span_texts_signature(t, row->span.path));
}

void span_texts_write_args(struct span_texts *t, struct json_writer *w, const struct span_row *row)
{
	span_write_args(span_texts_signature(t, row->span.path), w, &row->span, &row->more);
}
