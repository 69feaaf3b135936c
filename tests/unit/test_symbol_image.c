/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flat tables: written and mapped they are the same; whatever is wrong of one is noticed. */
#include "symbol/symbol_image.h"

#include <sys/mman.h>

#include "symbol/symtab_internal.h"
#include "symbol/unwind_image.h"
#include "symbol_help.h"

TestSuite(symbol_image, .init = setup, .fini = teardown, .timeout = 120);

struct block {
	uint8_t *data;
	size_t size;
};

static void block_donep(struct block *b)
{
	free(b->data);
}

static struct block copy(const struct block *b)
{
	struct block c = {malloc(b->size), b->size};

	memcpy(c.data, b->data, b->size);
	return c;
}

static struct block content_of(int fd)
{
	struct block b = {NULL, (size_t)lseek(fd, 0, SEEK_END)};

	b.data = malloc(b.size);
	cr_assert_eq(pread(fd, b.data, b.size, 0), (ssize_t)b.size);
	return b;
}

static int memory_file(const void *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	cr_assert_eq(write_fully(fd, data, size), 0);
	return fd;
}

static struct block symbols_of(const char *path)
{
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int fd _cleanup_(closep) = memfd_create("image", MFD_CLOEXEC);

	cr_assert_eq(symtab_load(image, path, "/nonexistent", NULL, &st), 0);
	cr_assert_eq(symbol_image_write(st, image, fd), 0);
	return content_of(fd);
}

static struct block rows_of(const char *path)
{
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
	struct unwind_table *t _cleanup_(unwind_table_freep) = NULL;
	int fd _cleanup_(closep) = memfd_create("image", MFD_CLOEXEC);

	cr_assert_eq(unwind_table_new(image, NULL, &t), 0);
	cr_assert_eq(unwind_image_write(t, image, fd), 0);
	return content_of(fd);
}

static int use(const struct block *b, size_t size)
{
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int fd _cleanup_(closep) = memory_file(b->data, size), r;
	struct error error = {};

	r = symbol_image_open(fd, &error, &st);
	cr_assert_eq(r < 0, error.message[0] != '\0');
	return r;
}

/* With a checksum that fits, so that it is what else is wrong that must be noticed. */
static int use_sealed(struct block *b)
{
	struct symbol_image_header *h = (void *)b->data;

	h->checksum = symbol_image_checksum(h);
	return use(b, b->size);
}

static int use_rows(const struct block *b, size_t size)
{
	struct unwind_image *u _cleanup_(unwind_image_freep) = NULL;
	int fd _cleanup_(closep) = memory_file(b->data, size);

	return unwind_image_open(fd, NULL, &u);
}

Test(symbol_image, header_says_whose_it_is)
{
	char *path = compile("a", "");
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
	struct block b _cleanup_(block_donep) = symbols_of(path);
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int fd _cleanup_(closep) = memory_file(b.data, b.size);
	const struct symbol_image_header *h;
	struct symtab *here _cleanup_(symtab_freep) = load(path);
	size_t size;

	cr_assert_eq(symbol_image_open(fd, NULL, &st), 0);
	h = symbol_image_header(st, &size);
	cr_assert_eq(size, b.size);
	cr_assert_eq(h->build_id_len, 20);
	cr_assert_eq(memcmp(h->build_id, elf_image_build_id(image), BUILD_ID_SIZE), 0);
	cr_assert_eq(find(st, "hidden_helper").found.vaddr,
		     find(here, "hidden_helper").found.vaddr);
	cr_assert_eq(symtab_memory(st), symtab_memory(here));
	cr_assert_null(symbol_image_header(here, &size));
}

/* One byte changed, wherever it is, and one byte less or more. */
Test(symbol_image, damage_is_noticed)
{
	struct block b _cleanup_(block_donep) = symbols_of(compile("a", ""));

	cr_assert_eq(use(&b, b.size), 0);
	for (size_t i = 0; i < b.size; i++) {
		const size_t id = offsetof(struct symbol_image_header, build_id);

		/* Whose table it is only the caller can tell; the flag is no danger. */
		if (i >= offsetof(struct symbol_image_header, flags) && i < id + BUILD_ID_SIZE)
			continue;
		b.data[i] ^= 0x40;
		cr_assert_eq(use(&b, b.size), -EBADMSG, "byte %zu", i);
		b.data[i] ^= 0x40;
	}
	cr_assert_eq(use(&b, 0), -EBADMSG);
	for (size_t size = 1; size < b.size; size += 61)
		cr_assert_eq(use(&b, size), -EBADMSG);
	cr_assert_eq(use(&b, b.size - 1), -EBADMSG);
	b.data = realloc(b.data, b.size + 1);
	b.data[b.size] = 0;
	cr_assert_eq(use(&b, b.size + 1), -EBADMSG);
}

Test(symbol_image, lies_are_noticed)
{
	struct block good _cleanup_(block_donep) = symbols_of(compile("a", ""));
	size_t n = ((struct symbol_image_header *)good.data)->n_entries;

	cr_assert_gt(n, 4);
	for (int lie = 0; lie <= 11; lie++) {
		struct block b _cleanup_(block_donep) = copy(&good);
		struct symbol_image_header *h = (void *)b.data;
		struct symtab_entry *entries = (void *)(h + 1);
		struct flat_segment *segments = (void *)(entries + n);
		char *names = (char *)(segments + h->n_segments);

		switch (lie) {
		case 0:
			break;
		case 1:
			entries[1].vaddr = entries[2].vaddr + 1;
			break;
		case 2:
			entries[n - 1].name = UINT32_MAX;
			break;
		case 3: /* names that overlap */
			entries[2].name = entries[1].name;
			break;
		case 4:
			names[h->names_size - 1] = 'x';
			break;
		case 5: /* two names of one function */
			names[entries[1].name + 1] = '\0';
			break;
		case 6:
			entries[3].flags = 0x20;
			break;
		case 7:
			segments[0].file_size = UINT64_MAX;
			break;
		case 8:
			segments[0].vaddr = UINT64_MAX - 8;
			break;
		case 9:
			segments[0].offset = 1ULL << 63;
			break;
		case 10:
			segments[0].executable = 2;
			break;
		case 11: /* one name in the place of two */
			names[entries[2].name - 1] = 'x';
			break;
		}
		cr_assert_eq(use_sealed(&b), lie == 0 ? 0 : -EBADMSG, "lie %d", lie);
	}
}

Test(symbol_image, names_of_nothing)
{
	struct block b _cleanup_(block_donep) = symbols_of(compile("a", ""));
	struct symbol_image_header *h;

	b.data = realloc(b.data, b.size + 2);
	memcpy(b.data + b.size, "x", 2);
	b.size += 2;
	h = (void *)b.data;
	h->names_size += 2;
	cr_assert_eq(use_sealed(&b), -EBADMSG);
}

/* Counts whose products overflow, or that fit each other but not the file. */
Test(symbol_image, counts_are_checked)
{
	static const uint64_t counts[] = {0, 1, 1ULL << 20, 1ULL << 32, 1ULL << 60, UINT64_MAX};
	struct block good _cleanup_(block_donep) = symbols_of(compile("a", ""));

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		for (int field = 0; field < 3; field++) {
			struct block b _cleanup_(block_donep) = copy(&good);
			struct symbol_image_header *h = (void *)b.data;

			if (field == 0)
				h->n_entries = counts[i];
			else if (field == 1)
				h->n_segments = counts[i];
			else
				h->names_size = counts[i];
			cr_assert_eq(use(&b, b.size), -EBADMSG);
		}
}

Test(symbol_image, file_without_functions)
{
	struct symbol_image_header h = {.magic = SYMBOL_IMAGE_MAGIC,
					.version = SYMBOL_IMAGE_VERSION};
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int fd _cleanup_(closep) = -EBADF;
	const char *name, *near[2];
	uint64_t start;

	h.checksum = symbol_image_checksum(&h);
	fd = memory_file(&h, sizeof(h));
	cr_assert_eq(symbol_image_open(fd, NULL, &st), 0);
	cr_assert_eq(symtab_lookup(st, 0, &name, &start), -ENOENT);
	cr_assert_eq(symtab_lookup_offset(st, 0, &name, &start), -ENOENT);
	cr_assert_eq(symtab_find_near(st, "main", near, 2), 0);
}

Test(symbol_image, unwind_lies_are_noticed)
{
	struct block good _cleanup_(block_donep) = rows_of(compile("a", ""));

	for (int lie = 0; lie <= 14; lie++) {
		struct block b _cleanup_(block_donep) = copy(&good);
		struct unwind_image_header *h = (void *)b.data;
		struct flat_segment *segments = (void *)(h + 1);
		struct unwind_row *rows = (void *)(segments + h->n_segments);

		switch (lie) {
		case 0:
			break;
		case 1:
			h->magic[3] ^= 1;
			break;
		case 2:
			h->version++;
			break;
		case 3:
			h->n_rows++;
			break;
		case 4:
			h->n_segments = UINT32_MAX;
			break;
		case 5:
			h->base = UINT64_MAX;
			break;
		case 6:
			rows[1].pc = rows[0].pc;
			break;
		case 7:
			rows[1].rule = UNWIND_SIGNAL + 1;
			break;
		case 8:
			rows[1].rule = 0x40;
			break;
		case 9:
			rows[h->n_rows - 1].rule = UNWIND_RSP;
			break;
		case 10:
			segments[0].file_size = UINT64_MAX;
			break;
		case 11: /* the very product of sizes that the file has, by overflow */
			h->n_rows += 1ULL << 61;
			break;
		case 12:
			h->python.found = 2;
			break;
		case 13: /* Python that evaluates nothing */
			h->python.found = 1;
			break;
		case 14:
			h->python.n_eval = PYTHON_MAX_EVAL + 1;
			break;
		}
		cr_assert_eq(use_rows(&b, b.size), lie == 0 ? 0 : -EBADMSG, "lie %d", lie);
	}
	for (size_t size = 1; size < good.size; size += 7)
		cr_assert_eq(use_rows(&good, size), -EBADMSG);
}

Test(symbol_image, unwind_rows_are_found)
{
	char *path = compile("a", "");
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path);
	struct unwind_table *t _cleanup_(unwind_table_freep) = NULL;
	struct block b _cleanup_(block_donep) = rows_of(path);
	int fd _cleanup_(closep) = memory_file(b.data, b.size);
	struct unwind_image *u _cleanup_(unwind_image_freep) = NULL;

	cr_assert_eq(unwind_table_new(image, NULL, &t), 0);
	cr_assert_eq(unwind_image_open(fd, NULL, &u), 0);
	for (uint64_t at = t->base; at < t->base + 4096; at++) {
		const struct unwind_row *x = unwind_table_find(t, at);
		const struct unwind_row *y = unwind_table_find(&u->table, at);

		cr_assert_eq(x - t->rows, x ? y - u->table.rows : x - t->rows);
		cr_assert_eq(!x, !y);
	}
}
