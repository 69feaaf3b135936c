/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/place_file.h"
#include "probe/flow.h"
#include "symbol/landing.h"

enum { FUNCTION_MAX = 4 << 20, NAMES = 4096 };

/* The same functions are called from everywhere: looking them up is what takes the time. */
struct name {
	uint64_t vaddr;
	const char *name;
	bool is_known;
};

struct place_file {
	const struct symtab *st;
	struct landing_table *landings;
	const struct elf_segment *segments;
	size_t n_segments;
	int fd;
	bool is_go;
	uint8_t *bytes;
	size_t bytes_cap;
	struct flow memo;
	struct name names[NAMES];
};

int place_file_new(struct elf_image *image, const struct symtab *st, struct place_file **ret)
{
	struct place_file *f _cleanup_(place_file_freep) = NULL;
	int r;

#if !defined(__x86_64__)
	return -EOPNOTSUPP;
#endif
	if (!elf_image_is_x86_64(image))
		return -EOPNOTSUPP;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->st = st;
	f->segments = elf_image_segments(image, &f->n_segments);
	f->fd = elf_image_fd(image);
	f->is_go = elf_image_find_section(image, ".gopclntab") ||
		   elf_image_find_section(image, ".data.rel.ro.gopclntab");
	r = landing_table_new(image, &f->landings);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

struct place_file *place_file_free(struct place_file *f)
{
	if (!f)
		return NULL;
	flow_release(&f->memo);
	landing_table_free(f->landings);
	free(f->bytes);
	free(f);
	return NULL;
}

static const struct elf_segment *segment_of(const struct place_file *f, uint64_t vaddr)
{
	for (size_t i = 0; i < f->n_segments; i++)
		if (vaddr >= f->segments[i].vaddr &&
		    vaddr - f->segments[i].vaddr < f->segments[i].file_size)
			return &f->segments[i];
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
	n = pread(f->fd, buf, size, (off_t)(s->offset + (vaddr - s->vaddr)));
	return n < 0 ? 0 : (size_t)n;
}

static const char *name_at(void *arg, uint64_t vaddr)
{
	struct place_file *f = arg;
	struct name *n = &f->names[(vaddr ^ vaddr >> 12) % NAMES];
	const char *name;
	uint64_t start;

	if (!n->is_known || n->vaddr != vaddr) {
		if (symtab_lookup(f->st, vaddr, &name, &start) < 0 || start != vaddr)
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

	if (!landing_table_part(f->landings, vaddr, &part))
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
	ret->landings = landing_table_find(f->landings, vaddr, size, &ret->n_landings);
	return 0;
}
