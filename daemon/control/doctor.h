/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel and this user can do, and the exact fix for what they can't. Asks by trying;
 * what takes bpf(2) has been tried by the caller.
 */
#ifndef SONDE_CONTROL_DOCTOR_H
#define SONDE_CONTROL_DOCTOR_H

#include "sonde/base/json.h"
#include "symbol/reader.h"

/* What was tried with bpf(2): true when it worked. */
struct doctor_facts {
	bool bpf_load;
	int bpf_errno; /* why a program could not be loaded, 0 when not known */
	bool ring_buffer, task_storage, tp_btf;
	bool multi_uprobe, session_link;
	int kprobe, kprobe_multi, fentry; /* on kernel functions: 0, or -errno why not */
	/* A process whose Python frames cannot be read, and why; 0: there is none. */
	uint32_t python_pid;
	const char *python_failure;
	/* The process that reads programs: why there is none that is confined, "" when there is
	 * one; NULL: it was not tried. And the files that it failed at. */
	const char *reader_error;
	const struct reader_failure *unreadable;
	size_t n_unreadable;
	/* Stands in front of /proc and /sys; NULL for the machine's own. For tests. */
	const char *root;
};

struct doctor_check {
	const char *name; /* constant */
	bool ok;
	bool required; /* without it sonde cannot work */
	char *detail;  /* what was found */
	char *fix;     /* what to do about it; "" when there is nothing to be done */
};

struct doctor;

int doctor_run(const struct doctor_facts *facts, struct doctor **ret);
struct doctor *doctor_free(struct doctor *d);
DEFINE_CLEANUP(struct doctor *, doctor_free)

const struct doctor_check *doctor_checks(const struct doctor *d, size_t *ret_n);
/* []Check of io.sonde.varlink. */
void doctor_write(const struct doctor *d, struct json_writer *w, const char *key);

#endif
