/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/dwarf_file.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "symbol/debug_dirs.h"
#include "symbol/debug_file.h"

enum { STRINGS_MAX = 12, STRING_LEN_MAX = 4096, ID_MAX = 64 };
#define DEBUG_SIZE_MAX (4ULL << 30)
#define FUSE_MAGIC     0x65735546

/* A section that strings may lie in, so that each can be checked to have an end. */
struct strings {
	const char *start;
	size_t size;
};

struct dwarf_file {
	struct elf_image *debug;
	Elf *elf, *supplement_elf;
	Dwarf *dwarf, *supplement_dwarf;
	struct strings strings[STRINGS_MAX];
	size_t n_strings;
	uint64_t info_size;
	int fd, supplement_fd; /* what the Elf read from */
};

struct dwarf_file *dwarf_file_free(struct dwarf_file *f)
{
	if (!f)
		return NULL;
	if (f->dwarf)
		dwarf_end(f->dwarf);
	if (f->supplement_dwarf)
		dwarf_end(f->supplement_dwarf);
	if (f->elf)
		elf_end(f->elf);
	if (f->supplement_elf)
		elf_end(f->supplement_elf);
	elf_image_free(f->debug);
	safe_close(f->fd);
	safe_close(f->supplement_fd);
	free(f);
	return NULL;
}

bool dwarf_file_is_in(const struct elf_image *image)
{
	const struct elf_section *s = elf_image_find_section(image, ".debug_info");

	if (!s)
		s = elf_image_find_section(image, ".zdebug_info");
	return s && s->type != SHT_NOBITS && s->size > 0;
}

/*
 * A mapping costs no memory for what is never looked at, but whoever can cut the file short kills
 * its reader: so only what root alone can write to is mapped, and nothing on FUSE, where anyone is
 * root who says so.
 */
static bool may_be_mapped(int fd)
{
	struct statfs fs;
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
	       fstatfs(fd, &fs) == 0 && fs.f_type != FUSE_MAGIC;
}

/* Remembers where strings are. Sections are what libdw has read already, not another copy. */
static void add_strings(struct dwarf_file *f, Elf *elf)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) < 0)
		return;
	while ((scn = elf_nextscn(elf, scn)) && f->n_strings < STRINGS_MAX) {
		static const char *const wanted[] = {"info", "types", "str", "line_str"};
		GElf_Shdr h;
		const char *name;
		Elf_Data *data;
		bool is_wanted = false;

		if (!gelf_getshdr(scn, &h) || !(name = elf_strptr(elf, names, h.sh_name)))
			continue;
		if (startswith(name, ".debug_"))
			name += strlen(".debug_");
		else if (startswith(name, ".zdebug_"))
			name += strlen(".zdebug_");
		else
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			is_wanted |= streq(name, wanted[i]);
		if (!is_wanted || h.sh_type == SHT_NOBITS || !(data = elf_rawdata(scn, NULL)) ||
		    !data->d_buf)
			continue;
		f->strings[f->n_strings++] = (struct strings){data->d_buf, data->d_size};
		if (streq(name, "info"))
			f->info_size += data->d_size;
	}
}

static int open_dwarf(int fd, bool mapped, Elf **ret_elf, Dwarf **ret_dwarf)
{
	Elf *elf = elf_begin(fd, mapped ? ELF_C_READ_MMAP : ELF_C_READ, NULL);

	if (!elf)
		return -ENODATA;
	*ret_elf = elf; /* freed with the file, whatever comes of it */
	*ret_dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	return *ret_dwarf ? 0 : -ENODATA;
}

/* Opening a device or a FIFO for reading has side effects, so look before. */
static int open_regular(const char *path)
{
	int handle _cleanup_(closep) = open(path, O_PATH | O_CLOEXEC);
	char self[64];
	struct stat st;
	int fd;

	if (handle < 0 || fstat(handle, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* It is an object file without segments, which an elf_image is not. */
static int use_supplement(struct dwarf_file *f, int supplement, bool mapped, const void *id,
			  size_t id_len)
{
	int fd _cleanup_(closep) = supplement;
	Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	const void *found = NULL;
	bool same = elf && !f->supplement_elf &&
		    dwelf_elf_gnu_build_id(elf, &found) == (ssize_t)id_len &&
		    memcmp(found, id, id_len) == 0;

	elf_end(elf);
	if (!same)
		return -ENOENT;
	f->supplement_fd = TAKE_FD(fd);
	return open_dwarf(f->supplement_fd, mapped, &f->supplement_elf, &f->supplement_dwarf);
}

static int open_supplement_at(struct dwarf_file *f, const char *path, const void *id, size_t id_len)
{
	int fd = open_regular(path);

	return use_supplement(f, fd, fd >= 0 && may_be_mapped(fd), id, id_len);
}

/*
 * Debian's dwz names it "/usr/lib/debug/.dwz/x86_64-linux-gnu/NAME.debug" or relative to the
 * file. The name is hostile, but regular files only are opened, and the build-id must be right.
 */
static int find_supplement(struct dwarf_file *f, const char *path, const char *debug_dir,
			   const char *name, const void *id, size_t id_len)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	char candidate[PATH_MAX];
	int fd;

	if (id_len < 2 || id_len > ID_MAX)
		return -ENOENT;
	if (debug_dirs_open(debug_dir, id, id_len, &fd) >= 0 &&
	    use_supplement(f, fd, may_be_mapped(fd), id, id_len) == 0)
		return 0;
	if (name[0] == '/')
		return open_supplement_at(f, name, id, id_len);
	if (!slash || snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)(slash - path), path,
			       name) >= (int)sizeof(candidate))
		return -ENOENT;
	return open_supplement_at(f, candidate, id, id_len);
}

/* fd is duplicated, and mapped: so only in a process that may be killed by who cuts it short. */
static int take_supplement(struct dwarf_file *f, int fd, const void *id, size_t id_len)
{
	return use_supplement(f, fd < 0 ? -EBADF : fcntl(fd, F_DUPFD_CLOEXEC, 0), true, id, id_len);
}

/* debug_dir NULL: nothing may be opened, and fd is the file, or negative. */
static int open_supplement(struct dwarf_file *f, const char *path, const char *debug_dir, int fd,
			   struct error *e)
{
	const void *id = NULL;
	const char *name = NULL;
	ssize_t id_len = dwelf_dwarf_gnu_debugaltlink(f->dwarf, &name, &id);
	int r;

	/* Without the section libdw does not go looking for a file by itself, either. */
	if (id_len == 0)
		return 0;
	if (id_len < 0)
		return error_set(e, ENODATA, "BadFile", "The .gnu_debugaltlink of %s is damaged.",
				 path);
	r = debug_dir ? find_supplement(f, path, debug_dir, name, id, id_len)
		      : take_supplement(f, fd, id, id_len);
	if (r < 0) {
		error_set(e, ENODATA, "NotSupported",
			  "The debug information of %s needs %.200s, which is not there.", path,
			  name);
		error_fix(e, "Install the debug package that has this file.");
		return -ENODATA;
	}
	dwarf_setalt(f->dwarf, f->supplement_dwarf);
	add_strings(f, f->supplement_elf);
	return 0;
}

/* Looked for in the first units only: a program is built one way. */
static bool is_split(Dwarf *dwarf)
{
	Dwarf_CU *cu = NULL;

	for (int i = 0; i < 8; i++) {
		Dwarf_Die die;
		Dwarf_Half version;
		uint8_t type;

		if (dwarf_get_units(dwarf, cu, &cu, &version, &type, &die, NULL) != 0)
			return false;
		if (type == DW_UT_skeleton || dwarf_hasattr(&die, DW_AT_GNU_dwo_name))
			return true;
	}
	return false;
}

static int none(struct error *e, const char *path)
{
	error_set(e, ENODATA, "NotSupported", "%s has no debug information.", path);
	error_fix(e,
		  "Install the -dbgsym or -dbg package of the package that has it (dpkg -S %.200s "
		  "names that), or build it with -g; arg0 ... arg5 work without.",
		  path);
	return -ENODATA;
}

static uint64_t debug_size(const struct elf_image *image)
{
	const struct elf_section *sections;
	uint64_t total = 0;
	size_t n;

	sections = elf_image_sections(image, &n);
	for (size_t i = 0; i < n; i++)
		if (sections[i].type != SHT_NOBITS && (startswith(sections[i].name, ".debug_") ||
						       startswith(sections[i].name, ".zdebug_")))
			total += MIN(sections[i].size, DEBUG_SIZE_MAX);
	return total;
}

/* debug_dir and supplement as in open_supplement(). */
static int use(struct dwarf_file *f, const struct elf_image *from, const char *shown,
	       const char *debug_dir, int supplement, struct error *e)
{
	bool mapped;
	int r;

	if (debug_size(from) > DEBUG_SIZE_MAX)
		return error_set(e, EFBIG, "TooMany",
				 "The debug information of %s is larger than 4 GiB.", shown);
	/* Sections are read when they are asked for, and the image may be gone by then. */
	f->fd = fcntl(elf_image_fd(from), F_DUPFD_CLOEXEC, 0);
	if (f->fd < 0)
		return -errno;
	mapped = !debug_dir || may_be_mapped(f->fd);
	if (open_dwarf(f->fd, mapped, &f->elf, &f->dwarf) < 0)
		return error_set(e, ENODATA, "BadFile",
				 "The debug information of %s cannot be read: %s.", shown,
				 dwarf_errmsg(-1));
	add_strings(f, f->elf);
	r = open_supplement(f, shown, debug_dir, supplement, e);
	if (r < 0)
		return r;
	if (is_split(f->dwarf)) {
		error_set(e, ENODATA, "NotSupported",
			  "The debug information of %s is in separate .dwo files.", shown);
		error_fix(e, "Build it without -gsplit-dwarf; arg0 ... arg5 work without.");
		return -ENODATA;
	}
	return 0;
}

int dwarf_file_open(struct elf_image *image, const char *path, const char *debug_dir,
		    struct error *e, struct dwarf_file **ret)
{
	struct dwarf_file *f _cleanup_(dwarf_file_freep) = calloc(1, sizeof(*f));
	struct elf_image *from = image;
	const char *shown = path ? path : "the file";
	int r;

	if (!f)
		return -ENOMEM;
	f->fd = f->supplement_fd = -EBADF;
	if (!debug_dir)
		debug_dir = DEBUG_DIR;
	if (!dwarf_file_is_in(image)) {
		if (debug_file_open(image, path, debug_dir, &f->debug) < 0 ||
		    !dwarf_file_is_in(f->debug))
			return none(e, shown);
		from = f->debug;
	}
	r = use(f, from, shown, debug_dir, -EBADF, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

int dwarf_file_open_confined(const struct elf_image *image, int supplement, struct error *e,
			     struct dwarf_file **ret)
{
	struct dwarf_file *f _cleanup_(dwarf_file_freep) = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->fd = f->supplement_fd = -EBADF;
	if (!dwarf_file_is_in(image))
		return error_set(e, ENODATA, "NotSupported", "The file has no debug information.");
	r = use(f, image, "the file", NULL, supplement, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

Dwarf *dwarf_file_dwarf(const struct dwarf_file *f)
{
	return f->dwarf;
}

Dwarf *dwarf_file_supplement(const struct dwarf_file *f)
{
	return f->supplement_dwarf;
}

uint64_t dwarf_file_info_size(const struct dwarf_file *f)
{
	return f->info_size;
}

const char *dwarf_file_string(const struct dwarf_file *f, Dwarf_Die *die, unsigned attribute)
{
	Dwarf_Attribute a;
	const char *s;

	if (!dwarf_attr(die, attribute, &a) || !(s = dwarf_formstring(&a)))
		return "";
	for (size_t i = 0; i < f->n_strings; i++) {
		const struct strings *in = &f->strings[i];

		if (s >= in->start && s < in->start + in->size) {
			size_t rest = MIN((size_t)(in->start + in->size - s), STRING_LEN_MAX);

			return memchr(s, '\0', rest) ? s : "";
		}
	}
	return "";
}

bool dwarf_number(Dwarf_Die *die, unsigned attribute, uint64_t *ret)
{
	Dwarf_Attribute a;
	Dwarf_Word value;

	if (!dwarf_attr(die, attribute, &a) || dwarf_formudata(&a, &value) != 0)
		return false;
	*ret = value;
	return true;
}

bool dwarf_flag(Dwarf_Die *die, unsigned attribute)
{
	Dwarf_Attribute a;
	bool value = false;

	return dwarf_attr(die, attribute, &a) && dwarf_formflag(&a, &value) == 0 && value;
}

bool dwarf_reference(Dwarf_Die *die, unsigned attribute, Dwarf_Die *ret)
{
	Dwarf_Attribute a;

	return dwarf_attr(die, attribute, &a) && dwarf_formref_die(&a, ret) != NULL;
}
