/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/hazard.h"

#include <pthread.h>
#include <sys/stat.h>

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

/* Known by it alone: it has it all for those who use it. */
static const char libc_symbol[] = "__libc_start_main";

int hazard_read_file(struct reader *reader, int fd, const char *path, struct error *e,
		     struct file_image **ret)
{
	const char *names[ARRAY_SIZE(symbols) + 1];

	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		names[i] = symbols[i].name;
	names[ARRAY_SIZE(symbols)] = libc_symbol;
	return reader_file(reader, fd, path, names, ARRAY_SIZE(names), e, ret);
}

unsigned int hazard_of_image(const struct file_image *file)
{
	unsigned int hazards = 0;

	if (file->symbols[ARRAY_SIZE(symbols)] & FILE_SYMBOL_DEFINED)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		if (file->symbols[i] & FILE_SYMBOL_THERE)
			hazards |= symbols[i].hazard;
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (file_image_section(file, sections[i].name))
			hazards |= sections[i].hazard;
	return hazards;
}

/* What is known of files, which many processes share. */
struct known_file {
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
	unsigned int hazards;
	bool is_known;
};

static struct known_file cache[CACHE];
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

static struct known_file *slot_of(const struct stat *st)
{
	return &cache[(st->st_ino ^ st->st_dev) % CACHE];
}

static bool find_known(const struct stat *st, unsigned int *ret_hazards)
{
	const struct known_file *known = slot_of(st);
	bool found;

	pthread_mutex_lock(&cache_lock);
	found = known->is_known && known->dev == st->st_dev && known->ino == st->st_ino &&
		known->mtime.tv_sec == st->st_mtim.tv_sec &&
		known->mtime.tv_nsec == st->st_mtim.tv_nsec;
	if (found)
		*ret_hazards = known->hazards;
	pthread_mutex_unlock(&cache_lock);
	return found;
}

static void keep_known(const struct stat *st, unsigned int hazards)
{
	pthread_mutex_lock(&cache_lock);
	*slot_of(st) = (struct known_file){st->st_dev, st->st_ino, st->st_mtim, hazards, true};
	pthread_mutex_unlock(&cache_lock);
}

/*
 * The lock is not held while another process is asked, which may take seconds. A failure is not
 * kept: it may be the reader's and not the file's.
 */
int hazard_of_file(struct reader *reader, int fd, const char *path, unsigned int *ret_hazards)
{
	struct file_image *file _cleanup_(file_image_freep) = NULL;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (find_known(&st, ret_hazards))
		return 0;
	r = hazard_read_file(reader, fd, path, NULL, &file);
	if (r < 0)
		return r;
	*ret_hazards = hazard_of_image(file);
	keep_known(&st, *ret_hazards);
	return 0;
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

int hazard_of_process(struct reader *reader, pid_t pid, unsigned int *ret_hazards)
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
		unsigned int found;

		hazards |= by_library(files.items[i].name);
		if (fd >= 0 && hazard_of_file(reader, fd, files.items[i].path, &found) >= 0)
			hazards |= found;
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
