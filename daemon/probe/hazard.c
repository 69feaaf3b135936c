/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/hazard.h"

#include <elf.h>
#include <pthread.h>
#include <sys/stat.h>

#include "symbol/elf_image.h"

enum { CACHE = 256, STATUS_MAX = 64 << 10 };

struct name_hazard {
	const char *name;
	unsigned int hazard;
};

/* What a file imports, or defines for others. */
static const struct name_hazard symbols[] = {
	{"_Unwind_RaiseException", HAZARD_UNWINDER},
	{"_Unwind_ForcedUnwind", HAZARD_UNWINDER},
	{"_Unwind_Resume", HAZARD_UNWINDER},
	{"__cxa_throw", HAZARD_UNWINDER},
	{"makecontext", HAZARD_STACKS},
	{"swapcontext", HAZARD_STACKS},
	{"sigaltstack", HAZARD_STACKS},
	{"pthread_cancel", HAZARD_CANCEL},
	{"pthread_exit", HAZARD_CANCEL},
	{"_Unwind_Backtrace", HAZARD_UNWINDER},
	{"backtrace", HAZARD_UNWINDER},
	{"longjmp", HAZARD_JUMPS},
	{"_longjmp", HAZARD_JUMPS},
	{"siglongjmp", HAZARD_JUMPS},
	{"__longjmp_chk", HAZARD_JUMPS},
};

/* Libraries that are known, by the beginning of their names. */
static const struct name_hazard libraries[] = {
	{"libgcc_s.so", HAZARD_UNWINDER},  {"libstdc++.so", HAZARD_UNWINDER},
	{"libc++abi.so", HAZARD_UNWINDER}, {"libunwind.so", HAZARD_UNWINDER},
	{"libunwind-", HAZARD_UNWINDER},   {"libboost_context", HAZARD_STACKS},
	{"libgreenlet", HAZARD_STACKS},	   {"greenlet.", HAZARD_STACKS},
	{"_greenlet.", HAZARD_STACKS},	   {"libpth.so", HAZARD_STACKS},
	{"libcoro.", HAZARD_STACKS},	   {"libcoroutine", HAZARD_STACKS},
};

static const struct name_hazard sections[] = {
	{".gopclntab", HAZARD_GO},
	{".data.rel.ro.gopclntab", HAZARD_GO},
	/* Where unwinding stops or passes: somebody expects it. */
	{".gcc_except_table", HAZARD_UNWINDER},
};

static unsigned int by_symbol(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		if (streq(name, symbols[i].name))
			return symbols[i].hazard;
	return 0;
}

/* The hazards among the dynamic symbols; *ret_is_libc when they are those of the C library. */
static unsigned int by_symbols(struct elf_image *image, bool *ret_is_libc)
{
	const struct elf_section *dynsym = elf_image_find_section(image, ".dynsym");
	const struct elf_section *dynstr = elf_image_find_section(image, ".dynstr");
	const uint8_t *data, *strings;
	size_t size, strings_size;
	unsigned int hazards = 0;

	*ret_is_libc = false;
	if (!dynsym || !dynstr || !elf_image_is_64bit(image) ||
	    elf_image_section_data(image, dynsym, &data, &size) < 0 ||
	    elf_image_section_data(image, dynstr, &strings, &strings_size) < 0)
		return 0;
	for (size_t at = 0; at + sizeof(Elf64_Sym) <= size; at += sizeof(Elf64_Sym)) {
		Elf64_Sym sym;

		memcpy(&sym, data + at, sizeof(sym));
		if (sym.st_name >= strings_size ||
		    !memchr(strings + sym.st_name, '\0', strings_size - sym.st_name))
			continue;
		hazards |= by_symbol((const char *)strings + sym.st_name);
		if (sym.st_shndx != SHN_UNDEF &&
		    streq((const char *)strings + sym.st_name, "__libc_start_main"))
			*ret_is_libc = true;
	}
	return hazards;
}

int hazard_of_file(int fd, unsigned int *ret_hazards)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	unsigned int hazards;
	bool is_libc;
	int r;

	r = elf_image_open(fd, NULL, &image);
	if (r < 0)
		return r;
	/* The C library has it all for those who use it. */
	hazards = by_symbols(image, &is_libc);
	if (is_libc)
		hazards = 0;
	for (size_t i = 0; !is_libc && i < ARRAY_SIZE(sections); i++)
		if (elf_image_find_section(image, sections[i].name))
			hazards |= sections[i].hazard;
	*ret_hazards = hazards;
	return 0;
}

/* What is known of files, which many processes share. */
static struct {
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
	unsigned int hazards;
	bool is_known;
} cache[CACHE];
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned int hazards_of_fd(int fd)
{
	unsigned int hazards = 0;
	struct stat st;
	size_t i;

	if (fstat(fd, &st) < 0)
		return 0;
	i = (st.st_ino ^ st.st_dev) % CACHE;
	pthread_mutex_lock(&cache_lock);
	if (!cache[i].is_known || cache[i].dev != st.st_dev || cache[i].ino != st.st_ino ||
	    cache[i].mtime.tv_sec != st.st_mtim.tv_sec ||
	    cache[i].mtime.tv_nsec != st.st_mtim.tv_nsec) {
		if (hazard_of_file(fd, &hazards) < 0)
			hazards = 0;
		cache[i].dev = st.st_dev;
		cache[i].ino = st.st_ino;
		cache[i].mtime = st.st_mtim;
		cache[i].hazards = hazards;
		cache[i].is_known = true;
	}
	hazards = cache[i].hazards;
	pthread_mutex_unlock(&cache_lock);
	return hazards;
}

static unsigned int by_library(const char *name)
{
	unsigned int hazards = 0;

	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++)
		if (startswith(name, libraries[i].name))
			hazards |= libraries[i].hazard;
	return hazards;
}

static unsigned int by_status(pid_t pid)
{
	_cleanup_(freep) char *text = NULL;
	const char *line;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (read_file(path, STATUS_MAX, &text, NULL) < 0)
		return 0;
	line = strstr(text, "\nSeccomp:\t");
	return line && line[10] != '0' ? HAZARD_SECCOMP : 0;
}

int hazard_of_process(pid_t pid, unsigned int *ret_hazards)
{
	struct probe_target target = {.pids = &pid, .n_pids = 1};
	struct target_files files = {};
	unsigned int hazards = 0;
	struct error e = {};
	int r;

	r = target_list(&target, &files, &e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < files.n; i++) {
		_cleanup_(closep) int fd = target_open(&files.items[i], NULL);

		hazards |= by_library(files.items[i].name);
		if (fd >= 0)
			hazards |= hazards_of_fd(fd);
	}
	target_files_release(&files);
	*ret_hazards = hazards | by_status(pid);
	return 0;
}

const char *hazard_reason(unsigned int hazards)
{
	if (hazards & HAZARD_GO)
		return "it is a Go program, whose stacks move";
	if (hazards & HAZARD_UNWINDER)
		return "it maps an unwinder, which exceptions and panics use";
	if (hazards & HAZARD_STACKS)
		return "it switches stacks";
	if (hazards & HAZARD_CANCEL)
		return "it cancels threads, which unwinds their stacks";
	if (hazards & HAZARD_SECCOMP)
		return "its system calls are filtered";
	if (hazards & HAZARD_JUMPS)
		return "it jumps out of calls of itself, of which the kernel keeps track of 64";
	return "nothing is known against it";
}
