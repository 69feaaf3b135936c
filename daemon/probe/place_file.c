/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/place_file.h"
#include "probe/flow.h"

enum { FUNCTION_MAX = 4 << 20, NAMES = 4096 };

/* The same functions are called from everywhere: looking them up is what takes the time. */
struct name {
	uint64_t vaddr;
	const char *name;
	bool is_known;
};

struct place_file {
	struct place_source from;
	bool is_go;
	uint8_t *bytes;
	size_t bytes_cap;
	struct flow memo;
	struct name names[NAMES];
};

int place_file_new(const struct place_source *from, struct place_file **ret)
{
	struct place_file *f;

#if !defined(__x86_64__)
	return -EOPNOTSUPP;
#endif
	if (!from->image->is_x86_64)
		return -EOPNOTSUPP;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->from = *from;
	f->is_go = file_image_section(from->image, ".gopclntab") ||
		   file_image_section(from->image, ".data.rel.ro.gopclntab");
	*ret = f;
	return 0;
}

struct place_file *place_file_free(struct place_file *f)
{
	if (!f)
		return NULL;
	flow_release(&f->memo);
	free(f->bytes);
	free(f);
	return NULL;
}

static const struct elf_segment *segment_of(const struct place_file *f, uint64_t vaddr)
{
	const struct file_image *image = f->from.image;

	for (size_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *s = &image->segments[i];

		if (vaddr >= s->vaddr && vaddr - s->vaddr < s->file_size)
			return s;
	}
	return NULL;
}

static size_t read_bytes(void *arg, uint64_t vaddr, void *buf, size_t size)
{
	const struct place_file *f = arg;
	const struct elf_segment *s = segment_of(f, vaddr);
	ssize_t n;

	if (!s)
		return 0;
	size = MIN(size, s->file_size - (vaddr - s->vaddr));
	n = pread(f->from.fd, buf, size, (off_t)(s->offset + (vaddr - s->vaddr)));
	return n < 0 ? 0 : (size_t)n;
}

static const char *name_at(void *arg, uint64_t vaddr)
{
	struct place_file *f = arg;
	struct name *n = &f->names[(vaddr ^ vaddr >> 12) % NAMES];
	const char *name;
	uint64_t start;

	if (!n->is_known || n->vaddr != vaddr) {
		if (symtab_lookup(f->from.st, vaddr, &name, &start) < 0 || start != vaddr)
			name = NULL;
		*n = (struct name){.vaddr = vaddr, .name = name, .is_known = true};
	}
	return n->name;
}

static bool is_function(void *arg, uint64_t vaddr)
{
	return name_at(arg, vaddr) != NULL;
}

static bool part_at(void *arg, uint64_t vaddr, struct place_part *ret)
{
	const struct place_file *f = arg;
	struct landing_part part;

	if (!landing_table_part(f->from.landings, vaddr, &part))
		return false;
	*ret = (struct place_part){
		.vaddr = part.vaddr,
		.size = part.size,
		.landings = part.landings,
		.n_landings = part.n,
	};
	return true;
}

int place_file_code(struct place_file *f, uint64_t vaddr, size_t size, struct place_code *ret)
{
	const struct elf_segment *s = segment_of(f, vaddr);
	int r;

	if (size == 0 || !s || !s->executable || s->file_size - (vaddr - s->vaddr) < size)
		return -ENOENT;
	if (size > FUNCTION_MAX)
		return -EFBIG;
	r = array_reserve(&f->bytes, &f->bytes_cap, size, 1);
	if (r < 0)
		return r;
	if (read_bytes(f, vaddr, f->bytes, size) != size)
		return -ENOENT;
	flow_reset(&f->memo);
	*ret = (struct place_code){
		.bytes = f->bytes,
		.size = size,
		.vaddr = vaddr,
		.read = read_bytes,
		.is_function = is_function,
		.name = name_at,
		.part = part_at,
		.arg = f,
		.memo = &f->memo,
		.is_go = f->is_go,
	};
	ret->landings = landing_table_find(f->from.landings, vaddr, size, &ret->n_landings);
	return 0;
}
