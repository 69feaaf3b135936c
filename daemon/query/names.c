/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "snapshot.h"

/* "[libfoo.so+0x1234]", "[vdso+0x10]": what is known of an address without a symbol. */
static char *address_name(const struct snapshot_frame *f)
{
	const char *base = path_base(f->file_path);
	size_t len = strlen(base);
	char *name;

	/* Special mappings bring brackets of their own. */
	if (len > 2 && base[0] == '[' && base[len - 1] == ']') {
		base++;
		len -= 2;
	}
	if (asprintf(&name, "[%.*s+0x%llx]", (int)MIN(len, 4096), base,
		     (unsigned long long)f->offset) < 0)
		return NULL;
	return name;
}

static char *fallback_name(const struct snapshot_frame *f)
{
	if (f->kind == FRAME_KERNEL)
		return strdup("[kernel]");
	if (!f->mapped || !f->file_path[0])
		return strdup("[unknown]");
	return address_name(f);
}

/* Whether resolve is asked for it. */
static bool is_asked_for(const struct snapshot_frame *f)
{
	return !f->function && (f->mapped || f->kind == FRAME_KERNEL);
}

/* Whether its name may be of a file that is still there. */
static bool may_be_renamed(const struct snapshot_frame *f)
{
	return f->function && f->mapped && !f->inlined && f->kind == FRAME_USER &&
	       !(f->file.flags & ~(uint32_t)FILE_CONTENT_HASH);
}

int snapshot_name_frames(struct snapshot *s, snapshot_resolve_t resolve, void *arg)
{
	for (size_t i = 0; i < s->n_frames; i++) {
		struct snapshot_frame *f = &s->frames[i];
		_cleanup_(freep) char *name = NULL;

		if (f->function)
			continue;
		if (resolve && is_asked_for(f))
			name = resolve(arg, &f->file, f->file_path, f->offset);
		f->nameless = !name || !name[0];
		f->function = f->nameless ? fallback_name(f) : TAKE_PTR(name);
		if (!f->function)
			return -ENOMEM;
	}
	return 0;
}

/* What that way says of a frame: by the recording, else by the file. */
static char *name_by(const struct snapshot *s, const struct snapshot_frame *f,
		     const struct snapshot_names *names)
{
	if (f->n_lines && s->lines[f->first_line].function)
		return names->show(names->arg, s->lines[f->first_line].function);
	return names->resolve(names->arg, &f->file, f->file_path, f->offset);
}

void snapshot_each_unnamed(const struct snapshot *s, bool named_too,
			   const struct snapshot_names *names)
{
	for (size_t i = 0; i < s->n_frames; i++) {
		const struct snapshot_frame *f = &s->frames[i];

		if (is_asked_for(f))
			free(names->resolve(names->arg, &f->file, f->file_path, f->offset));
		else if (named_too && may_be_renamed(f))
			free(name_by(s, f, names));
	}
}

int snapshot_rename_frames(struct snapshot *s, const struct snapshot_names *plain,
			   const struct snapshot_names *better)
{
	for (size_t i = 0; i < s->n_frames; i++) {
		struct snapshot_frame *f = &s->frames[i];
		_cleanup_(freep) char *name = NULL, *old = NULL;

		if (!may_be_renamed(f))
			continue;
		old = name_by(s, f, plain);
		if (!old || !streq(old, f->function))
			continue;
		name = name_by(s, f, better);
		if (!name || !name[0])
			continue;
		free(f->function);
		f->function = TAKE_PTR(name);
	}
	return 0;
}
