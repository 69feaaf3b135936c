/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fentry and fexit programs are loaded for one function each, so each is an object of its own: the
 * same object again, with the maps of the first, its constants and variables included.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include "span.skel.h"
#include "span_program_private.h"

static int share_maps(const struct span_bpf *from, struct span_bpf *to)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, to->obj)
	{
		const struct bpf_map *shared =
			bpf_object__find_map_by_name(from->obj, bpf_map__name(m));
		int r = shared ? bpf_map__reuse_fd(m, bpf_map__fd(shared)) : -ENOENT;

		if (r < 0)
			return r;
	}
	return 0;
}

int span_program_load_tracing(struct span_program *p, const char *function, bool is_return)
{
	struct span_bpf *copy = span_bpf__open();
	struct bpf_program *program, *wanted;
	int r;

	if (!copy)
		return -errno;
	wanted = is_return ? copy->progs.kernel_fexit : copy->progs.kernel_fentry;
	bpf_object__for_each_program(program, copy->obj)
		bpf_program__set_autoload(program, program == wanted);
	r = share_maps(p->span, copy);
	if (r >= 0)
		r = bpf_program__set_attach_target(wanted, 0, function);
	if (r >= 0)
		r = bpf_object__load(copy->obj);
	if (r >= 0)
		r = fcntl(bpf_program__fd(wanted), F_DUPFD_CLOEXEC, 0);
	if (r == -1)
		r = -errno;
	span_bpf__destroy(copy);
	return r;
}
