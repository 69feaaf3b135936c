/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking the kernel side what a thread has open: a program that is run for that task. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "span.skel.h"
#include "span_program_private.h"

int span_program_look(const struct span_program *p, uint32_t tid)
{
	union bpf_iter_link_info info = {.task.tid = tid};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	_cleanup_(closep) int fd = -1;
	struct bpf_link *link;
	char none[64];
	ssize_t n;

	if (!p->span || !bpf_program__autoload(p->span->progs.source_look))
		return -EOPNOTSUPP;
	link = bpf_program__attach_iter(p->span->progs.source_look, &opts);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	/* It is kept by what was made of it. */
	bpf_link__destroy(link);
	if (fd < 0)
		return fd;
	do
		n = read(fd, none, sizeof(none));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}
