/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this kernel can attach, found out by doing it to a function of this process. */
#include "probe/attach.h"

#include <fcntl.h>
#include <link.h>

#include "probe/link.h"

/* What is probed: called by nobody, so that a probe on it costs nothing. */
static __attribute__((__noinline__, __used__)) int probed_function(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

struct place {
	uintptr_t address;
	const char *path; /* "" is the executable */
	uint64_t offset;
	bool found;
};

/* The segment that holds the address, in the executable or (in a test) a library. */
static int find_segment(struct dl_phdr_info *info, size_t size, void *data)
{
	struct place *place = data;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || place->address < start ||
		    place->address - start >= p->p_filesz)
			continue;
		place->path = info->dlpi_name;
		place->offset = place->address - start + p->p_offset;
		place->found = true;
		return 1;
	}
	return 0;
}

/*
 * Multi and session links are tried on a directory: a kernel that has them gets as far as to find
 * that it is no file (-EBADF), others refuse the kind of link. Nothing is attached, so that nothing
 * has to be detached, which can take long when other programs are probed (see reaper.h).
 */
static int try_link(int type)
{
	_cleanup_(closep) int prog = link_noop_program(type), link = -EBADF;
	const uint64_t offset = 1, cookie = 0;

	if (prog < 0)
		return prog;
	link = link_multi(prog, type, "/", &offset, &cookie, NULL, 1, false, getpid());
	if (link >= 0)
		return -EPROTO;
	return link == -EBADF ? 0 : link;
}

static int try_perf(void)
{
	struct place place = {.address = (uintptr_t)probed_function};
	_cleanup_(closep) int file = -EBADF, prog = -EBADF, event = -EBADF, link = -EBADF;
	char path[LINK_PATH_MAX];

	dl_iterate_phdr(find_segment, &place);
	if (!place.found)
		return -ENOENT;
	file = open(place.path[0] ? place.path : "/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	prog = link_noop_program(0);
	if (prog < 0)
		return prog;
	link_path(path, file);
	return link_perf(prog, path, place.offset, 0, 0, false, getpid(), &link, &event);
}

int attach_probe_multi(void)
{
	return try_link(LINK_UPROBE_MULTI);
}

int attach_probe_session(void)
{
	return try_link(LINK_UPROBE_SESSION);
}

int attach_probe_perf(void)
{
	return try_perf();
}
