/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions of a resolved set, described once more: for conditions that replace others. */
#include "probe/btf_type.h"
#include "probe/static_match.h"

/* What a file of the set says about types. */
struct file_types {
	struct elf_image *image;
	struct function_types *functions; /* NULL when there are none, as of the kernel */
	struct usdt_notes *notes;
	struct usdt_type note; /* of the point at hand */
};

static void file_types_release(struct file_types *t)
{
	function_types_free(t->functions);
	usdt_notes_free(t->notes);
	elf_image_free(t->image);
}

static void open_types(const struct probe_file *f, struct file_types *t)
{
	if (f->fd < 0 || elf_image_open(f->fd, NULL, &t->image) < 0)
		return;
	if (!f->is_go)
		(void)function_types_open(t->image, f->path, NULL, NULL, &t->functions);
	(void)usdt_notes_read(t->image, &t->notes);
}

static const struct function_type *type_of(const struct probe_point *p, struct file_types *t,
					   struct btf_types *kernel_types)
{
	const struct function_type *type = NULL;
	const struct elf_segment *segments;
	uint64_t vaddr;
	size_t n;

	if (p->kernel)
		return kernel_types && btf_types_find(kernel_types, p->symbol, &type) >= 0 ? type
											   : NULL;
	if (!t->image || p->role == ROLE_END)
		return NULL;
	segments = elf_image_segments(t->image, &n);
	if (elf_segments_to_vaddr(segments, n, p->offset - p->skipped, &vaddr) < 0)
		return NULL;
	if (p->is_static)
		return t->notes && static_match_type(t->notes, p, vaddr, &t->note) ? &t->note.type
										   : NULL;
	return t->functions && function_types_find(t->functions, vaddr, &type) >= 0 ? type : NULL;
}

int probe_set_describe(const struct probe_set *set, describe_t describe, void *arg, struct error *e)
{
	_cleanup_(btf_types_freep) struct btf_types *kernel_types = NULL;
	int r = 0;

	/* The points of a file come one after the other. */
	for (size_t i = 0; i < set->n && r >= 0;) {
		uint32_t file = set->points[i].file;
		_cleanup_(file_types_release) struct file_types types = {};

		open_types(&set->files[file], &types);
		if (set->points[i].kernel && !kernel_types)
			(void)btf_types_open(NULL, &kernel_types);
		for (; r >= 0 && i < set->n && set->points[i].file == file; i++) {
			const struct probe_point *p = &set->points[i];
			uint8_t needed;

			if (p->role != ROLE_SPAN && p->role != ROLE_GATE && p->role != ROLE_END)
				continue;
			if (describe(arg, p, set->files[file].path,
				     type_of(p, &types, kernel_types), &needed, e))
				r = -EINVAL;
		}
	}
	return r;
}
