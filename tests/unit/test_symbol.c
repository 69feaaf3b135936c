/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Symbols, checked against what readelf and objdump say about programs compiled
 * here and libraries of the system, and against files that are damaged on purpose.
 */
#include <elf.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "symbol/debug_file.h"
#include "symbol_help.h"

TestSuite(symbol, .init = setup, .fini = teardown, .timeout = 120);

static const char *name_at(const struct symtab *st, uint64_t vaddr)
{
	const char *name = "";
	uint64_t start;

	return symtab_lookup(st, vaddr, &name, &start) == 0 ? name : "";
}

/* Counts the lines that a command prints for each of which check() must hold. */
static int each_line(const char *command, void (*check)(char *line, void *data), void *data)
{
	FILE *f = popen(command, "re");
	char line[65536];
	int n = 0;

	cr_assert_not_null(f);
	for (; fgets(line, sizeof(line), f); n++)
		check(line, data);
	cr_assert_eq(pclose(f), 0);
	return n;
}

static void check_readelf(char *line, void *data)
{
	struct symtab *st = data;
	char name[60000], type[32], section[32];
	const char *best;
	uint64_t vaddr, start;

	if (sscanf(line, " %*d: %lx %*s %31s %*s %*s %31s %59999s", &vaddr, type, section, name) !=
		    4 ||
	    (!streq(type, "FUNC") && !streq(type, "IFUNC")) || streq(section, "UND"))
		return;
	/* Whatever alias is best, it must be a name that begins at this very address. */
	name[strcspn(name, "@")] = '\0';
	cr_assert_eq(symtab_lookup(st, vaddr, &best, &start), 0, "%s has no name", name);
	cr_assert_eq(start, vaddr, "%s resolves to %s", name, best);
	cr_assert_geq(find(st, name).count, 1, "%s is missing", name);
}

Test(symbol, agrees_with_readelf)
{
	static const char *const libraries[] = {"/lib/x86_64-linux-gnu/libc.so.6",
						"/usr/lib/x86_64-linux-gnu/libsqlite3.so.0",
						"/usr/bin/python3.11"};

	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
		struct symtab *st _cleanup_(symtab_freep) = NULL;
		char command[256];

		if (access(libraries[i], R_OK) < 0)
			continue;
		st = load(libraries[i]);
		snprintf(command, sizeof(command), "readelf --dyn-syms -W %s", libraries[i]);
		cr_assert_gt(each_line(command, check_readelf, st), 100);
	}
}

struct id_check {
	const uint8_t *id;
	bool seen;
};

static void check_id(char *line, void *data)
{
	char *hex = strstr(line, "Build ID: "), expected[64] = "";
	struct id_check *c = data;

	if (!hex)
		return;
	for (int i = 0; i < BUILD_ID_SIZE; i++)
		snprintf(expected + 2 * i, 3, "%02x", c->id[i]);
	cr_assert_eq(strncmp(hex + 10, expected, 40), 0);
	c->seen = true;
}

Test(symbol, image_identity)
{
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(compile("a", ""));
	struct elf_image *no_id _cleanup_(elf_image_freep) = NULL;
	struct elf_image *other _cleanup_(elf_image_freep) = NULL;
	struct elf_image *fixed _cleanup_(elf_image_freep) = NULL;
	struct id_check c = {.id = elf_image_build_id(image)};
	char command[128];

	snprintf(command, sizeof(command), "readelf -n %s/a", dir);
	each_line(command, check_id, &c);
	cr_assert(c.seen);
	cr_assert(elf_image_has_build_id(image));
	cr_assert_eq(elf_image_build_id_len(image), 20);
	cr_assert(!elf_image_is_stripped(image));
	cr_assert(elf_image_has_eh_frame(image));
	cr_assert_eq(elf_image_type(image), ELF_TYPE_DYN);

	no_id = open_image(compile("b", "-Wl,--build-id=none"));
	cr_assert(!elf_image_has_build_id(no_id));
	run("cp %s/b %s/c && printf x >> %s/c", dir, dir, dir);
	other = open_image(path_of("c"));
	cr_assert_neq(memcmp(elf_image_build_id(no_id), elf_image_build_id(other), 20), 0);
	fixed = open_image(compile("d", "-no-pie -s"));
	cr_assert_eq(elf_image_type(fixed), ELF_TYPE_EXEC);
	cr_assert(elf_image_is_stripped(fixed));
}

Test(symbol, functions_of_a_program)
{
	static const char *const options[] = {"", "-no-pie", "-static-pie", "-fuse-ld=gold"};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct symtab *st _cleanup_(symtab_freep) = NULL;
		struct wanted visible, helper, chosen, sizeless, next;
		char *path;

		if (strstr(options[i], "gold") && system("command -v ld.gold >/dev/null") != 0)
			continue;
		path = compile("a", options[i]);
		st = load(path);
		visible = find(st, "visible");
		helper = find(st, "hidden_helper");
		chosen = find(st, "chosen");
		sizeless = find(st, "sizeless");
		next = find(st, "sized_next");
		cr_assert_eq(visible.count, 1);
		cr_assert_eq(visible.found.flags, SYMBOL_GLOBAL);
		cr_assert_eq(helper.found.flags, SYMBOL_LOCAL);
		cr_assert(chosen.found.flags & SYMBOL_IFUNC);
		cr_assert_eq(find(st, "_visible_alias").found.vaddr, visible.found.vaddr);
		cr_assert_eq(find(st, "shown").found.flags, SYMBOL_WEAK);

		/* The alias with underscores loses, and so does the weak one. */
		cr_assert_str_eq(name_at(st, visible.found.vaddr), "visible");
		cr_assert_str_eq(name_at(st, visible.found.vaddr + visible.found.size - 1),
				 "visible");
		cr_assert_str_eq(name_at(st, helper.found.vaddr + 1), "hidden_helper");
		cr_assert_eq(sizeless.found.size, 3);
		cr_assert_eq(next.found.vaddr, sizeless.found.vaddr + 3);
		cr_assert_str_eq(name_at(st, sizeless.found.vaddr + 2), "sizeless");
		cr_assert_eq(symtab_is_stripped(st), false);

		/* nop nop ret ret, at the offset in the file. */
		int fd _cleanup_(closep) = open(path, O_RDONLY | O_CLOEXEC);
		uint8_t code[4];

		cr_assert_eq(pread(fd, code, 4, sizeless.found.file_offset), 4);
		cr_assert_eq(memcmp(code, "\x90\x90\xc3\xc3", 4), 0);
		const char *name;
		uint64_t offset;

		cr_assert_eq(
			symtab_lookup_offset(st, sizeless.found.file_offset + 1, &name, &offset),
			0);
		cr_assert_str_eq(name, "sizeless");
		cr_assert_eq(offset, 1);
		cr_assert_eq(symtab_lookup(st, 0, &name, &offset), -ENOENT);
		cr_assert_eq(symtab_lookup(st, UINT64_MAX, &name, &offset), -ENOENT);
	}
}

Test(symbol, functions_of_a_32_bit_library)
{
	static const char source[] = "static int __attribute__((noinline, noclone)) inner(int x) { "
				     "return x * 7; }\nint outer(int x) { return inner(x) + 1; }\n";
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	char command[256];

	write_file(path_of("l.c"), source, strlen(source));
	snprintf(command, sizeof(command),
		 "cd %s && gcc -O2 -m32 -shared -fPIC -nostdlib -o l l.c 2>/dev/null", dir);
	if (system(command) != 0)
		cr_skip_test("gcc cannot make 32-bit code here");
	st = load(path_of("l"));
	cr_assert_eq(find(st, "inner").found.flags, SYMBOL_LOCAL);
	cr_assert_str_eq(name_at(st, find(st, "outer").found.vaddr + 1), "outer");
}

static void check_plt(char *line, void *data)
{
	char name[256];
	uint64_t vaddr;

	if (sscanf(line, "%lx <%255[^>]>:", &vaddr, name) != 2 || !strstr(name, "@plt") ||
	    name[0] == '*')
		return;
	cr_assert_str_eq(name_at(data, vaddr), name);
	cr_assert_str_eq(name_at(data, vaddr + 5), name);
}

Test(symbol, plt_stubs_agree_with_objdump)
{
	static const char *const options[] = {"", "-Wl,-z,lazy", "-fcf-protection -Wl,-z,ibtplt",
					      "-no-pie"};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct symtab *st _cleanup_(symtab_freep) = load(compile("a", options[i]));
		const char *name;
		char command[128];
		uint64_t start;
		bool puts_seen = false;

		snprintf(command, sizeof(command), "objdump -d %s/a | grep '@plt>:'", dir);
		cr_assert_gt(each_line(command, check_plt, st), 0);
		cr_assert_eq(find(st, "puts@plt").count, 0, "stubs are no targets for probes");
		for (uint64_t at = 0; at < 0x500000 && !puts_seen; at++)
			puts_seen = symtab_lookup(st, at, &name, &start) == 0 &&
				    streq(name, "puts@plt");
		cr_assert(puts_seen);
	}
}

Test(symbol, separate_debug_files)
{
	struct symtab *st = NULL;
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	char hex[64] = "";

	compile("a", "");
	run("cd %s && objcopy --only-keep-debug a a.debug && strip -o s a && "
	    "objcopy --add-gnu-debuglink=a.debug s linked && mkdir -p debug/.build-id .debug",
	    dir);

	st = load(path_of("s"));
	cr_assert_eq(find(st, "hidden_helper").count, 0);
	cr_assert(symtab_is_stripped(st));
	symtab_free(st);

	/* By link: beside the file, in .debug beside it. */
	st = load(path_of("linked"));
	cr_assert_eq(find(st, "hidden_helper").count, 1);
	cr_assert(!symtab_is_stripped(st));
	symtab_free(st);
	run("cd %s && mv a.debug .debug/", dir);
	st = load(path_of("linked"));
	cr_assert_eq(find(st, "hidden_helper").count, 1);
	symtab_free(st);

	/* By build-id, below the directory of debug files. */
	image = open_image(path_of("s"));
	for (int i = 0; i < BUILD_ID_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", elf_image_build_id(image)[i]);
	run("cd %s && mkdir debug/.build-id/%.2s && mv .debug/a.debug "
	    "debug/.build-id/%.2s/%s.debug",
	    dir, hex, hex, hex + 2);
	st = load_in(path_of("s"), path_of("debug"));
	cr_assert_eq(find(st, "hidden_helper").count, 1);
	cr_assert_str_eq(name_at(st, find(st, "hidden_helper").found.vaddr), "hidden_helper");
	cr_assert_eq(find(st, "visible").count, 1);
	symtab_free(st);

	/* A debug file of another program is not believed, whatever its place. */
	compile("other", "-DX -O0");
	run("cd %s && cp other debug/.build-id/%.2s/%s.debug && cp other a.debug", dir, hex,
	    hex + 2);
	st = load_in(path_of("s"), path_of("debug"));
	cr_assert_eq(find(st, "hidden_helper").count, 0);
	symtab_free(st);
	st = load(path_of("linked"));
	cr_assert_eq(find(st, "hidden_helper").count, 0);
	symtab_free(st);
}

Test(symbol, debug_link_without_build_id_needs_the_checksum)
{
	struct symtab *st;

	compile("a", "-Wl,--build-id=none");
	run("cd %s && objcopy --only-keep-debug a a.debug && strip -o s a && "
	    "objcopy --add-gnu-debuglink=a.debug s linked",
	    dir);
	st = load(path_of("linked"));
	cr_assert_eq(find(st, "hidden_helper").count, 1);
	symtab_free(st);
	run("printf x >> %s/a.debug", dir);
	st = load(path_of("linked"));
	cr_assert_eq(find(st, "hidden_helper").count, 0);
	symtab_free(st);
}

Test(symbol, mini_debug_info)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct elf_image *mini = NULL;
	struct symtab *st;

	compile("a", "");
	run("cd %s && objcopy --only-keep-debug a m && strip -o s a && xz -k m && "
	    "objcopy --add-section .gnu_debugdata=m.xz s with",
	    dir);
	st = load(path_of("with"));
	cr_assert_eq(find(st, "hidden_helper").count, 1);
	cr_assert_str_eq(name_at(st, find(st, "hidden_helper").found.vaddr), "hidden_helper");
	cr_assert(!symtab_is_stripped(st));
	symtab_free(st);

	/* A bomb of 200 MB, and data that is not xz at all: the other symbols are still there. */
	run("cd %s && head -c 200000000 /dev/zero | xz -1 > bomb.xz && "
	    "objcopy --add-section .gnu_debugdata=bomb.xz s bomb && "
	    "objcopy --add-section .gnu_debugdata=p.c s junk",
	    dir);
	image = open_image(path_of("bomb"));
	cr_assert_eq(debug_file_open_mini(image, &mini), -EFBIG);
	st = load(path_of("bomb"));
	cr_assert_str_eq(name_at(st, 0), "");
	symtab_free(st);
	st = load(path_of("junk"));
	cr_assert_eq(find(st, "hidden_helper").count, 0);
	symtab_free(st);
}

Test(symbol, near_matches)
{
	struct symtab *st _cleanup_(symtab_freep) = load(compile("a", ""));
	const char *names[4];

	cr_assert_geq(symtab_find_near(st, "visibel", names, 4), 1);
	cr_assert_str_eq(names[0], "visible");
	cr_assert_geq(symtab_find_near(st, "den_hel*", names, 4), 1);
	cr_assert_str_eq(names[0], "hidden_helper");
	cr_assert_eq(symtab_find_near(st, "visible", names, 1), 1);
	cr_assert_eq(symtab_find_near(st, "qqqqqqqqqqqq", names, 4), 0);
	cr_assert_eq(symtab_find_near(st, "***", names, 4), 0);
	cr_assert_eq(symtab_find_near(st, "", names, 4), 0);
}

static void resolve_all(struct symtab *st, const struct elf_image *image)
{
	size_t n;
	const struct elf_segment *segments = elf_image_segments(image, &n);
	struct wanted w = {.name = "nothing"};
	const char *names[4], *name;
	uint64_t start;

	symtab_each(st, match, &w);
	symtab_find_near(st, "main", names, 4);
	for (size_t i = 0; i < n; i++)
		for (uint64_t at = 0; at < MIN(segments[i].file_size, 8192); at += 61)
			symtab_lookup(st, segments[i].vaddr + at, &name, &start);
}

/* Opens and uses a file made of these bytes; true when it was an ELF file at all. */
static bool survive(const void *data, size_t size)
{
	int fd _cleanup_(closep) = memfd_create("test", MFD_CLOEXEC);
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	struct error error = {};

	cr_assert_eq(write(fd, data, size), (ssize_t)size);
	if (elf_image_open(fd, &error, &image) < 0) {
		cr_assert(error.message[0], "an error needs a message");
		return false;
	}
	if (symtab_load(image, NULL, "/nonexistent", NULL, &st) == 0)
		resolve_all(st, image);
	return true;
}

static uint8_t *slurp(const char *path, size_t *ret_size)
{
	char *data;

	cr_assert_eq(read_file(path, 64 << 20, &data, ret_size), 0);
	return (uint8_t *)data;
}

static Elf64_Shdr *section_headers(uint8_t *data)
{
	return (Elf64_Shdr *)(data + ((Elf64_Ehdr *)data)->e_shoff);
}

Test(symbol, hostile_headers)
{
	size_t size;
	uint8_t *good _cleanup_(freep) = slurp(compile("a", ""), &size);
	uint8_t *bad _cleanup_(freep) = malloc(size);
	Elf64_Ehdr *h = (Elf64_Ehdr *)bad;
	int n = ((Elf64_Ehdr *)good)->e_shnum;
	static const uint64_t lies[] = {0, 1, 0xfff, 1ULL << 31, 1ULL << 47, INT64_MAX, UINT64_MAX};

	cr_assert(survive(good, size));
	cr_assert(!survive("", 0));
	cr_assert(!survive("#!/bin/sh\necho this is longer than an ELF header is, by far\n", 60));
	for (size_t cut = 0; cut < size; cut += 97)
		survive(good, cut);
	for (int field = 0; field < 4; field++)
		for (size_t l = 0; l < ARRAY_SIZE(lies); l++)
			for (int i = 0; i < n; i++) {
				memcpy(bad, good, size);
				Elf64_Shdr *s = &section_headers(bad)[i];

				if (field == 0)
					s->sh_offset = lies[l];
				else if (field == 1)
					s->sh_size = lies[l];
				else if (field == 2)
					s->sh_entsize = lies[l];
				else
					s->sh_link = lies[l];
				survive(bad, size);
			}

	/* 2^40 sections by the extended count; each would cost libelf an element. */
	memcpy(bad, good, size);
	h->e_shnum = 0;
	section_headers(bad)[0].sh_size = 1ULL << 40;
	cr_assert(!survive(bad, size));
	memcpy(bad, good, size);
	h->e_shentsize = 0;
	cr_assert(!survive(bad, size));
	memcpy(bad, good, size);
	h->e_phnum = 0xffff;
	cr_assert(!survive(bad, size));
	memcpy(bad, good, size);
	h->e_shoff = UINT64_MAX - 8;
	cr_assert(!survive(bad, size));
	memcpy(bad, good, size);
	bad[EI_CLASS] = ELFCLASS32;
	survive(bad, size);
	memcpy(bad, good, size);
	h->e_shnum = h->e_shoff = h->e_shstrndx = 0;
	cr_assert(survive(bad, size));
}

/* 100,000 functions whose names are all the same 16,000 bytes: 1.6 GB if they were copied. */
Test(symbol, overlapping_names_cost_nothing)
{
	enum { SYMBOLS = 100000, NAME = 16000, STRINGS = 4096, TABLE = STRINGS + NAME + 8 };
	size_t size = TABLE + SYMBOLS * sizeof(Elf64_Sym) + 3 * sizeof(Elf64_Shdr);
	uint8_t *data _cleanup_(freep) = calloc(1, size);
	Elf64_Ehdr *h = (Elf64_Ehdr *)data;
	Elf64_Phdr *p = (Elf64_Phdr *)(h + 1);
	Elf64_Sym *symbols = (Elf64_Sym *)(data + TABLE);
	Elf64_Shdr *s = (Elf64_Shdr *)(symbols + SYMBOLS);
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct symtab *st = NULL;
	struct error error = {};

	*h = (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			  .e_type = ET_DYN,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof(*h),
			  .e_shoff = (uint8_t *)s - data,
			  .e_ehsize = sizeof(*h),
			  .e_phentsize = sizeof(*p),
			  .e_phnum = 1,
			  .e_shentsize = sizeof(*s),
			  .e_shnum = 3};
	*p = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_X | PF_R, .p_filesz = size, .p_memsz = size};
	memset(data + STRINGS, 'a', NAME);
	s[1] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = STRINGS, .sh_size = NAME + 8};
	s[2] = (Elf64_Shdr){.sh_type = SHT_DYNSYM,
			    .sh_offset = TABLE,
			    .sh_size = SYMBOLS * sizeof(*symbols),
			    .sh_link = 1,
			    .sh_entsize = sizeof(*symbols)};
	for (int i = 0; i < SYMBOLS; i++)
		symbols[i] = (Elf64_Sym){.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					 .st_shndx = 1,
					 .st_value = i};
	write_file(path_of("names"), data, size);
	image = open_image(path_of("names"));
	cr_assert_eq(symtab_load(image, NULL, "/nonexistent", &error, &st), -EFBIG);
	cr_assert_not_null(strstr(error.message, "too long"));
}

Test(symbol, damaged_at_random)
{
	unsigned seed = time(NULL) ^ getpid();
	size_t size;
	uint8_t *good _cleanup_(freep) = slurp(compile("a", "-s"), &size);
	uint8_t *bad _cleanup_(freep) = malloc(size);

	cr_log_info("seed %u", seed);
	fprintf(stderr, "damaged_at_random: seed %u\n", seed);
	for (int round = 0; round < 1500; round++) {
		memcpy(bad, good, size);
		for (int k = rand_r(&seed) % 8; k >= 0; k--) {
			size_t at = rand_r(&seed) % 2 ? rand_r(&seed) % 1024 : rand_r(&seed) % size;

			bad[rand_r(&seed) % 3 ? at : size - 1 - at % 2048] = rand_r(&seed);
		}
		survive(bad, size);
	}
}

Test(symbol, not_regular_files)
{
	struct elf_image *image;
	struct error error = {};

	run("mkfifo %s/fifo", dir);
	cr_assert_eq(elf_image_open_path(path_of("fifo"), &error, &image), -EINVAL);
	cr_assert_eq(elf_image_open_path("/dev/zero", NULL, &image), -EINVAL);
	cr_assert_eq(elf_image_open_path(dir, NULL, &image), -EINVAL);
	cr_assert_eq(elf_image_open_path(path_of("none"), NULL, &image), -ENOENT);
	cr_assert_eq(elf_image_open(-1, NULL, &image), -EBADF);
}

Test(symbol, warm_lookups_are_fast)
{
	struct symtab *st _cleanup_(symtab_freep) = load("/lib/x86_64-linux-gnu/libc.so.6");
	uint64_t base = find(st, "malloc").found.vaddr, start;
	struct timespec a, b;
	const char *name;
	double seconds;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (unsigned i = 0; i < 200000; i++)
		symtab_lookup(st, base + i * 2654435761u % 500000, &name, &start);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	seconds = (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9;
	/* The aim is 1 M/s; sanitizers are slower, so this only notices a linear search. */
	cr_assert_lt(seconds, 2.0);
}
