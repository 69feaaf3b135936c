/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/elf_image.h"

#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>

#include "sonde/base/table.h"

#define FILE_SIZE_MAX	 (8ULL << 30)
#define SECTION_SIZE_MAX (256ULL << 20)
#define NOTE_SIZE_MAX	 (64ULL << 10)
#define HASH_HEAD_SIZE	 (64ULL << 10)
#define HASH_TAIL_SIZE	 (4ULL << 10)
/* Far beyond real files, and small enough that no walk over them takes noticeable time. */
enum {
	SECTIONS_MAX = 65536,
	SEGMENTS_MAX = 512,
	LOADS_MAX = 64,
	NOTES_MAX = 64,
	NAME_LEN_MAX = 256
};

struct elf_image {
	int fd;
	Elf *elf;
	uint64_t size;
	enum elf_type type;
	uint16_t machine;
	bool is_64bit, stripped, eh_frame;
	uint8_t build_id[BUILD_ID_SIZE];
	size_t build_id_len;
	struct elf_segment *segments;
	size_t n_segments;
	struct elf_section *sections;
	size_t n_sections;
};

struct elf_image *elf_image_free(struct elf_image *image)
{
	if (!image)
		return NULL;
	if (image->elf)
		elf_end(image->elf);
	safe_close(image->fd);
	free(image->segments);
	free(image->sections);
	free(image);
	return NULL;
}

static int damaged(struct error *error, const char *what)
{
	return error_set(error, ENOEXEC, "BadFile", "The ELF file is damaged: %s.", what);
}

/* Reads exactly size bytes; a file that ends early is -ENOEXEC. */
static int read_exactly(int fd, uint64_t offset, void *data, size_t size)
{
	uint8_t *p = data;

	while (size > 0) {
		ssize_t n = pread(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOEXEC;
		p += n;
		offset += n;
		size -= n;
	}
	return 0;
}

static bool in_file(const struct elf_image *image, uint64_t offset, uint64_t size)
{
	return offset <= image->size && size <= image->size - offset;
}

/* What the ELF header says about its tables, the same for both classes. */
struct header {
	uint64_t shoff;
	uint32_t type, machine, shnum, phnum, shentsize, phentsize;
};

static int read_header(struct elf_image *image, struct error *error, struct header *ret)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf64_Ehdr e64;
		Elf32_Ehdr e32;
	} h = {};
	int r;

	if (image->size < sizeof(h.e32))
		return error_set(error, ENOEXEC, "BadFile", "This is not an ELF file: %s.",
				 image->size == 0 ? "it is empty" : "it is too short");
	r = read_exactly(image->fd, 0, &h, MIN(sizeof(h), image->size));
	if (r < 0)
		return error_set(error, -r, "BadFile", "Cannot read the file: %s.", strerror(-r));
	if (memcmp(h.ident, ELFMAG, SELFMAG) != 0)
		return error_set(error, ENOEXEC, "BadFile",
				 "This is not an ELF file: it does not begin with \\x7fELF.");
	if (h.ident[EI_DATA] != (__BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB))
		return error_set(error, ENOEXEC, "BadFile",
				 "The ELF file has the byte order of another machine.");

	image->is_64bit = h.ident[EI_CLASS] == ELFCLASS64;
	if (image->is_64bit && image->size >= sizeof(h.e64)) {
		*ret = (struct header){h.e64.e_shoff,	 h.e64.e_type,	h.e64.e_machine,
				       h.e64.e_shnum,	 h.e64.e_phnum, h.e64.e_shentsize,
				       h.e64.e_phentsize};
		return 0;
	}
	if (h.ident[EI_CLASS] == ELFCLASS32) {
		*ret = (struct header){h.e32.e_shoff,	 h.e32.e_type,	h.e32.e_machine,
				       h.e32.e_shnum,	 h.e32.e_phnum, h.e32.e_shentsize,
				       h.e32.e_phentsize};
		return 0;
	}
	return damaged(error, "its class is unknown or its header is cut off");
}

/*
 * libelf allocates one element a section before it looks at any of them, so a sparse file that
 * claims millions must be refused here.
 */
static int check_header(struct elf_image *image, const struct header *h, struct error *error)
{
	size_t shentsize = image->is_64bit ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	size_t phentsize = image->is_64bit ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	uint64_t sections = h->shnum;

	if (h->type != ET_EXEC && h->type != ET_DYN)
		return error_set(error, ENOEXEC, "BadFile",
				 "The ELF file is neither an executable nor a shared library.");
	if (h->phnum > SEGMENTS_MAX || (h->phnum > 0 && h->phentsize != phentsize))
		return damaged(error, "its program headers have an impossible number or size");
	if (h->shoff == 0)
		return 0;
	if (h->shoff >= image->size)
		return damaged(error, "its section headers lie outside the file");
	if (sections == 0) {
		union {
			Elf64_Shdr s64;
			Elf32_Shdr s32;
		} first;

		if (!in_file(image, h->shoff, shentsize) ||
		    read_exactly(image->fd, h->shoff, &first, shentsize) < 0)
			return damaged(error, "its section headers lie outside the file");
		sections = image->is_64bit ? first.s64.sh_size : first.s32.sh_size;
	}
	if (sections > SECTIONS_MAX || h->shentsize != shentsize)
		return damaged(error, "its section headers have an impossible number or size");
	if (!in_file(image, h->shoff, sections * shentsize))
		return damaged(error, "its section headers lie outside the file");
	return 0;
}

static int load_segments(struct elf_image *image, struct error *error)
{
	size_t n = 0;

	if (elf_getphdrnum(image->elf, &n) < 0 || n > SEGMENTS_MAX)
		return damaged(error, "its program headers cannot be read");
	image->segments = calloc(n ? n : 1, sizeof(*image->segments));
	if (!image->segments)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(image->elf, i, &p))
			return damaged(error, "its program headers cannot be read");
		/* In a separate debug file the segments are as long as ever, the file is not. */
		if (p.p_type != PT_LOAD || p.p_offset > INT64_MAX || p.p_filesz > INT64_MAX ||
		    p.p_vaddr + p.p_filesz < p.p_vaddr)
			continue;
		if (image->n_segments >= LOADS_MAX)
			return damaged(error, "it has more than 64 loaded segments");
		image->segments[image->n_segments++] = (struct elf_segment){
			.vaddr = p.p_vaddr,
			.offset = p.p_offset,
			.file_size = p.p_filesz,
			.memory_size = p.p_memsz,
			.executable = (p.p_flags & PF_X) != 0,
		};
	}
	return 0;
}

int elf_image_section_data(struct elf_image *image, const struct elf_section *section,
			   const uint8_t **ret_data, size_t *ret_size)
{
	Elf_Scn *scn;
	Elf_Data *data;

	if (section->type == SHT_NOBITS || section->type == SHT_NULL || section->size == 0)
		return -ENODATA;
	if (!in_file(image, section->offset, section->size))
		return -ENOEXEC;
	if (section->size > SECTION_SIZE_MAX)
		return -EFBIG;
	scn = elf_getscn(image->elf, section->index);
	data = scn ? elf_rawdata(scn, NULL) : NULL;
	if (!data)
		return -ENOEXEC;
	if (!data->d_buf || data->d_size == 0)
		return -ENODATA;
	*ret_data = data->d_buf;
	*ret_size = data->d_size;
	return 0;
}

static const char *string_at(const uint8_t *strings, size_t size, uint32_t offset)
{
	if (offset >= size || !memchr(strings + offset, '\0', MIN(size - offset, NAME_LEN_MAX)))
		return "";
	return (const char *)strings + offset;
}

/* Sections only add knowledge: a file without them, or with unreadable ones, is still good. */
static int load_sections(struct elf_image *image)
{
	const uint8_t *strings = NULL;
	size_t n = 0, strings_index = 0, strings_size = 0;
	uint32_t *names _cleanup_(freep) = NULL;

	if (elf_getshdrnum(image->elf, &n) < 0 || n == 0)
		return 0;
	n = MIN(n, SECTIONS_MAX);
	image->sections = calloc(n, sizeof(*image->sections));
	names = calloc(n, sizeof(*names));
	if (!image->sections || !names)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		Elf_Scn *scn = elf_getscn(image->elf, i);
		GElf_Shdr s = {};

		if (scn && !gelf_getshdr(scn, &s))
			s = (GElf_Shdr){};
		names[i] = s.sh_name;
		image->sections[i] = (struct elf_section){
			.name = "",
			.vaddr = s.sh_addr,
			.offset = s.sh_offset,
			.size = s.sh_size,
			.flags = s.sh_flags,
			.index = i,
			.type = s.sh_type,
			.link = s.sh_link,
		};
	}
	image->n_sections = n;

	if (elf_getshdrstrndx(image->elf, &strings_index) < 0 || strings_index >= n)
		return 0;
	if (elf_image_section_data(image, &image->sections[strings_index], &strings,
				   &strings_size) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		image->sections[i].name = string_at(strings, strings_size, names[i]);
	return 0;
}

/* Finds the build-id among the notes of one segment or section; 0 when it is not there. */
static size_t build_id_in_notes(const struct elf_image *image, uint64_t offset, uint64_t size,
				uint64_t align, uint8_t ret[static BUILD_ID_SIZE])
{
	uint8_t *notes _cleanup_(freep) = NULL;
	uint64_t at = 0;

	if (!in_file(image, offset, size) || size > NOTE_SIZE_MAX || size == 0)
		return 0;
	notes = malloc(size);
	if (!notes || read_exactly(image->fd, offset, notes, size) < 0)
		return 0;
	align = align == 8 ? 8 : 4;
	while (size - at >= sizeof(Elf64_Nhdr)) {
		uint64_t name, desc, next;
		Elf64_Nhdr h; /* the same as Elf32_Nhdr */

		memcpy(&h, notes + at, sizeof(h));
		name = at + sizeof(h);
		desc = (name + h.n_namesz + align - 1) & ~(align - 1);
		next = (desc + h.n_descsz + align - 1) & ~(align - 1);
		if (desc > size || h.n_descsz > size - desc)
			return 0;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 &&
		    memcmp(notes + name, "GNU", 4) == 0 && h.n_descsz > 0 &&
		    h.n_descsz <= BUILD_ID_SIZE) {
			memset(ret, 0, BUILD_ID_SIZE);
			memcpy(ret, notes + desc, h.n_descsz);
			return h.n_descsz;
		}
		if (next >= size)
			return 0;
		at = next;
	}
	return 0;
}

/* Segments first, as the kernel does; a separate debug file's notes are found by its sections. */
static size_t find_build_id(const struct elf_image *image, uint8_t ret[static BUILD_ID_SIZE])
{
	size_t n = 0, len, tried = 0;

	(void)elf_getphdrnum(image->elf, &n);
	for (size_t i = 0; i < MIN(n, SEGMENTS_MAX); i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(image->elf, i, &p) || p.p_type != PT_NOTE || tried++ >= NOTES_MAX)
			continue;
		len = build_id_in_notes(image, p.p_offset, p.p_filesz, p.p_align, ret);
		if (len > 0)
			return len;
	}
	for (size_t i = 0; i < image->n_sections; i++) {
		const struct elf_section *s = &image->sections[i];

		if (s->type != SHT_NOTE || tried++ >= NOTES_MAX)
			continue;
		len = build_id_in_notes(image, s->offset, s->size, 4, ret);
		if (len > 0)
			return len;
	}
	return 0;
}

static int hash_content(struct elf_image *image)
{
	size_t head = MIN(image->size, HASH_HEAD_SIZE), tail = MIN(image->size, HASH_TAIL_SIZE);
	size_t size = sizeof(image->size) + head + tail;
	uint8_t *data _cleanup_(freep) = malloc(size);
	uint64_t digest[3];
	int r;

	if (!data)
		return -ENOMEM;
	memcpy(data, &image->size, sizeof(image->size));
	r = read_exactly(image->fd, 0, data + sizeof(image->size), head);
	if (r < 0)
		return r;
	r = read_exactly(image->fd, image->size - tail, data + size - tail, tail);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(digest); i++)
		digest[i] = hash_bytes(data, size, i + 1);
	memcpy(image->build_id, digest, BUILD_ID_SIZE);
	return 0;
}

static int load(struct elf_image *image, struct error *error)
{
	struct header h = {};
	int r;

	r = read_header(image, error, &h);
	if (r < 0)
		return r;
	r = check_header(image, &h, error);
	if (r < 0)
		return r;
	image->type = h.type == ET_DYN ? ELF_TYPE_DYN : ELF_TYPE_EXEC;
	image->machine = h.machine;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return error_set(error, ENOSYS, "Internal", "libelf has another ELF version.");
	image->elf = elf_begin(image->fd, ELF_C_READ, NULL);
	if (!image->elf || elf_kind(image->elf) != ELF_K_ELF)
		return damaged(error, "its header cannot be read");
	r = load_segments(image, error);
	if (r < 0)
		return r;
	r = load_sections(image);
	if (r < 0)
		return r;

	image->stripped = true;
	for (size_t i = 0; i < image->n_sections; i++)
		if (image->sections[i].type == SHT_SYMTAB)
			image->stripped = false;
	image->eh_frame = elf_image_find_section(image, ".eh_frame") != NULL;
	image->build_id_len = find_build_id(image, image->build_id);
	return image->build_id_len > 0 ? 0 : hash_content(image);
}

int elf_image_open(int fd, struct error *error, struct elf_image **ret)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct stat st;
	int r;

	image = calloc(1, sizeof(*image));
	if (!image)
		return -ENOMEM;
	image->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (image->fd < 0 || fstat(image->fd, &st) < 0)
		return error_set(error, errno, "BadFile", "Cannot read the file: %s.",
				 strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(error, EINVAL, "BadFile", "This is not a regular file.");
	image->size = st.st_size;
	if (image->size > FILE_SIZE_MAX)
		return error_set(error, EFBIG, "BadFile", "The file is larger than 8 GiB.");
	r = load(image, error);
	if (r < 0)
		return error_set(error, -r, "BadFile", "Cannot read the ELF file: %s.",
				 strerror(-r));
	*ret = TAKE_PTR(image);
	return 0;
}

int elf_open_file(const char *path, struct error *error, int *ret)
{
	int handle _cleanup_(closep) = open(path, O_PATH | O_CLOEXEC);
	char self[64];
	struct stat st;
	int fd;

	if (handle < 0 || fstat(handle, &st) < 0)
		return error_set(error, errno, errno == ENOENT ? "NoSuchFile" : "BadFile",
				 "Cannot open %s: %s.", path, strerror(errno));
	/* Opening a device or a FIFO for reading has side effects, so look before. */
	if (!S_ISREG(st.st_mode))
		return error_set(error, EINVAL, "BadFile", "%s is not a regular file.", path);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(error, errno, "BadFile", "Cannot read %s: %s.", path,
				 strerror(errno));
	*ret = fd;
	return 0;
}

int elf_image_open_path(const char *path, struct error *error, struct elf_image **ret)
{
	int fd _cleanup_(closep) = -EBADF;
	int r = elf_open_file(path, error, &fd);

	return r < 0 ? r : elf_image_open(fd, error, ret);
}

const uint8_t *elf_image_build_id(const struct elf_image *image)
{
	return image->build_id;
}

size_t elf_image_build_id_len(const struct elf_image *image)
{
	return image->build_id_len;
}

bool elf_image_has_build_id(const struct elf_image *image)
{
	return image->build_id_len > 0;
}

enum elf_type elf_image_type(const struct elf_image *image)
{
	return image->type;
}

bool elf_image_is_64bit(const struct elf_image *image)
{
	return image->is_64bit;
}

bool elf_image_is_x86_64(const struct elf_image *image)
{
	return image->machine == EM_X86_64 && image->is_64bit;
}

bool elf_image_is_stripped(const struct elf_image *image)
{
	return image->stripped;
}

bool elf_image_has_eh_frame(const struct elf_image *image)
{
	return image->eh_frame;
}

int elf_image_fd(const struct elf_image *image)
{
	return image->fd;
}

uint64_t elf_image_file_size(const struct elf_image *image)
{
	return image->size;
}

const struct elf_segment *elf_image_segments(const struct elf_image *image, size_t *ret_n)
{
	*ret_n = image->n_segments;
	return image->segments;
}

const struct elf_section *elf_image_sections(const struct elf_image *image, size_t *ret_n)
{
	*ret_n = image->n_sections;
	return image->sections;
}

const struct elf_section *elf_image_find_section(const struct elf_image *image, const char *name)
{
	for (size_t i = 0; i < image->n_sections; i++)
		if (streq(image->sections[i].name, name))
			return &image->sections[i];
	return NULL;
}

int elf_segments_to_offset(const struct elf_segment *segments, size_t n, uint64_t vaddr,
			   uint64_t *ret_offset)
{
	for (size_t i = 0; i < n; i++) {
		const struct elf_segment *s = &segments[i];

		if (vaddr >= s->vaddr && vaddr - s->vaddr < s->file_size) {
			*ret_offset = vaddr - s->vaddr + s->offset;
			return 0;
		}
	}
	return -ENOENT;
}

int elf_segments_to_vaddr(const struct elf_segment *segments, size_t n, uint64_t offset,
			  uint64_t *ret_vaddr)
{
	const struct elf_segment *found = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct elf_segment *s = &segments[i];

		if (offset < s->offset || offset - s->offset >= s->file_size)
			continue;
		if (!found || (s->executable && !found->executable))
			found = s;
	}
	if (!found)
		return -ENOENT;
	*ret_vaddr = offset - found->offset + found->vaddr;
	return 0;
}
