/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions of a resolved set, described once more: for conditions that replace others. */
#include "probe/btf_type.h"
#include "probe/static_match.h"
#include "symbol/reader_types.h"

/* What a file of the set says about types. */
struct file_types {
	struct file_image *image;
	struct reader_types *functions; /* NULL when there are none, as of the kernel */
	struct usdt_notes *notes;
	struct usdt_type note; /* of the point at hand */
};

static void file_types_release(struct file_types *t)
{
	reader_types_free(t->functions);
	usdt_notes_free(t->notes);
	file_image_free(t->image);
}

/* Whether it has a type; of spans written in source code the name is all there is. */
static bool has_type(const struct probe_point *p)
{
	return p->role == ROLE_SPAN || p->role == ROLE_GATE || p->role == ROLE_END;
}

/* The address of a point's function in the file. */
static int find_vaddr(const struct file_types *t, const struct probe_point *p, uint64_t *ret)
{
	return elf_segments_to_vaddr(t->image->segments, t->image->n_segments,
				     p->offset - p->skipped, ret);
}

/* The types of all n points at once, which are of that file. */
static void fetch_types(struct file_types *t, const struct probe_point *points, size_t n)
{
	uint64_t *vaddrs _cleanup_(freep) = calloc(n + 1, sizeof(*vaddrs));
	size_t wanted = 0;

	for (size_t i = 0; vaddrs && i < n; i++)
		if (has_type(&points[i]) && !points[i].is_static &&
		    find_vaddr(t, &points[i], &vaddrs[wanted]) >= 0)
			wanted++;
	if (vaddrs)
		reader_types_fetch(t->functions, vaddrs, wanted);
}

static void open_types(struct reader *reader, const struct probe_file *f,
		       const struct probe_point *points, size_t n, struct file_types *t)
{
	bool functions = false, statics = false;

	for (size_t i = 0; i < n; i++) {
		functions |= has_type(&points[i]) && !points[i].is_static;
		statics |= has_type(&points[i]) && points[i].is_static;
	}
	if (f->fd < 0 || (!functions && !statics) ||
	    reader_file(reader, f->fd, f->path, NULL, 0, NULL, &t->image) < 0)
		return;
	if (statics)
		(void)reader_notes(reader, f->fd, f->path, NULL, &t->notes);
	if (functions && !f->is_go &&
	    reader_types_open(reader, f->fd, f->path, NULL, NULL, &t->functions) >= 0)
		fetch_types(t, points, n);
}

static const struct function_type *type_of(const struct probe_point *p, struct file_types *t,
					   struct btf_types *kernel_types)
{
	const struct function_type *type = NULL;
	uint64_t vaddr;

	if (p->kernel)
		return kernel_types && btf_types_find(kernel_types, p->symbol, &type) >= 0 ? type
											   : NULL;
	if (!t->image || p->role == ROLE_END)
		return NULL;
	if (find_vaddr(t, p, &vaddr) < 0)
		return NULL;
	if (p->is_static)
		return t->notes && static_match_type(t->notes, p, vaddr, &t->note) ? &t->note.type
										   : NULL;
	return t->functions && reader_types_find(t->functions, vaddr, &type) >= 0 ? type : NULL;
}

int probe_set_describe(const struct probe_set *set, struct reader *reader, describe_t describe,
		       void *arg, struct error *e)
{
	_cleanup_(btf_types_freep) struct btf_types *kernel_types = NULL;
	int r = 0;

	/* The points of a file come one after the other. */
	for (size_t i = 0; i < set->n && r >= 0;) {
		uint32_t file = set->points[i].file;
		_cleanup_(file_types_release) struct file_types types = {};
		size_t n = 0;

		while (i + n < set->n && set->points[i + n].file == file)
			n++;
		open_types(reader, &set->files[file], &set->points[i], n, &types);
		if (set->points[i].kernel && !kernel_types)
			(void)btf_types_open(NULL, &kernel_types);
		for (; r >= 0 && i < set->n && set->points[i].file == file; i++) {
			const struct probe_point *p = &set->points[i];
			uint8_t needed;

			if (p->role == ROLE_THROW || p->role == ROLE_CATCH)
				continue;
			if (describe(arg, p, set->files[file].path,
				     has_type(p) ? type_of(p, &types, kernel_types) : NULL, &needed,
				     e))
				r = -EINVAL;
		}
	}
	return r;
}
