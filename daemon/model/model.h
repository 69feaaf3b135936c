/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sonde knows about the machine, each thing once: strings, files, processes and their
 * mappings, frames, stacks (a trie), probes and call paths (a tree). Tables are append-only with
 * dense ids from 1; id 0 means none. One thread owns a model; there are no locks. Pointers that
 * getters return are good until the next insertion into the same table.
 *
 * Ids are returned as uint32_t, 0 when out of memory (or when the input is refused).
 */
#ifndef SONDE_MODEL_MODEL_H
#define SONDE_MODEL_MODEL_H

#include "sonde/base/util.h"

enum { BUILD_ID_LEN = 20 };

/* A mapped file: build-id and path. Frames are (file, offset), never addresses. */
enum file_flags {
	FILE_KERNEL = 1 << 0,  /* the one kernel file, FILE_ID_KERNEL: offsets are addresses */
	FILE_SPECIAL = 1 << 1, /* [vdso], [uprobes], anonymous memory: offsets are from its start */
	FILE_CONTENT_HASH = 1 << 2, /* no build-id: build_id holds a hash of the content */
	FILE_PYTHON = 1 << 3, /* source of Python functions: offsets are lines, 0 when not known */
};

enum {
	FILE_ID_KERNEL = 1,
	MODEL_MAX_DEPTH =
		4096, /* of stacks and call paths: deeper ones are refused, so that walks end */
	MODEL_MAX_LINES = 64, /* functions of a frame, the inlined ones included */
};

struct model_file {
	uint8_t build_id[BUILD_ID_LEN];
	uint32_t path; /* string */
	uint32_t flags;
};

static inline bool model_file_has_id(const struct model_file *f)
{
	static const uint8_t none[BUILD_ID_LEN];

	return memcmp(f->build_id, none, BUILD_ID_LEN) != 0;
}

struct model_mapping {
	uint64_t start, end, offset; /* [start, end) shows the file from offset on */
	uint64_t since_ns;	     /* CLOCK_MONOTONIC */
	uint32_t file;
};

enum process_flags { PROCESS_EXITED = 1 << 0, PROCESS_MAPPED = 1 << 1 /* mappings were read */ };

struct model_process {
	/* pid 0: of old history, all those of a program that lived shortly
	 * (store/history_programs.c) */
	uint32_t pid, ppid, uid;
	/* In its own PID namespace, of a process in another one than the daemon is in; else 0, as
	 * of a process that was gone before it could be read. */
	uint32_t ns_pid;
	uint32_t flags;
	int32_t exit_status;
	uint64_t start_ns; /* CLOCK_BOOTTIME: pid and start name a process for ever */
	uint64_t exec_ns;  /* CLOCK_MONOTONIC of the last exec seen; 0 when none */
	uint64_t exit_ns;
	uint32_t comm, exe, cmdline; /* strings */
	/* Strings: the path below the root of its hierarchy, the id (model/container.h); 0: not
	 * known, in no container. As they were at the last exec, or when it was first heard of. */
	uint32_t cgroup, container;
	/* Strings: of the machine and of its run, where these are not the model's own; else 0. */
	uint32_t host, boot;
	struct model_mapping *mappings; /* sorted by start, not overlapping */
	size_t n_mappings, mappings_cap;
};

struct model_frame {
	uint32_t file;
	/* String: the name, when it was known from the start, as a recording's, or as that of code
	 * which a running program has made; else 0. */
	uint32_t function;
	uint64_t offset;
};

struct model_stack {
	uint32_t parent; /* 0 for the root */
	uint32_t frame;
	uint32_t depth; /* 1 for the root */
};

struct model_probe {
	uint32_t spec, symbol,
		name; /* strings: as the user wrote it, as in the ELF file, demangled */
	uint32_t file;
	uint64_t offset;
	uint32_t strategy; /* string: "multi", "perf", "session" */
	uint32_t skipped;
	uint32_t signature; /* string: what is known of arguments and result (probe/signature.h) */
};

/* String: what a probe is called in answers. */
static inline uint32_t model_probe_label(const struct model_probe *p)
{
	return p->name ? p->name : p->symbol ? p->symbol : p->spec;
}

struct model_path {
	uint32_t parent; /* 0: outermost */
	uint32_t probe;
	uint32_t depth; /* 0: outermost */
};

struct model;

int model_new(struct model **ret);
struct model *model_free(struct model *m);
DEFINE_CLEANUP(struct model *, model_free)

/* A NUL ends the string; NULL and more than 1 MiB are refused. "" has an id as any other text. */
uint32_t model_string(struct model *m, const char *s);
uint32_t model_stringn(struct model *m, const char *s, size_t len);
const char *model_string_get(const struct model *m, uint32_t id); /* "" for 0 or an unknown id */

/* The name of the machine that all of this is of, and the id of its run: "" when not known. host
 * NULL: it stays as it is; boot NULL: as "". */
int model_set_host(struct model *m, const char *host, const char *boot);
/* Strings of a process: its own, else the model's; 0: not known. */
uint32_t model_process_host(const struct model *m, const struct model_process *p);
uint32_t model_process_boot(const struct model *m, const struct model_process *p);
bool model_has_several_hosts(const struct model *m); /* of its processes */

/* Finds or adds the file of that build-id and path; build_id NULL means none is known. Source
 * files (FILE_PYTHON) and mapped files are never the same. */
uint32_t model_file(struct model *m, const uint8_t *build_id, const char *path, uint32_t flags);
const struct model_file *model_file_get(const struct model *m, uint32_t id);

/* The live process of that pid (the newest), or 0. */
uint32_t model_process_find(const struct model *m, uint32_t pid);
/*
 * Finds or adds a process; a process of the same pid but another start is another process. Starts
 * within a clock tick (10 ms) are the same, as /proc knows no better. start_ns 0 means unknown: it
 * is the live process of that pid; and a live one whose start is unknown takes the start given.
 */
uint32_t model_process(struct model *m, uint32_t pid, uint64_t start_ns);
/* Adds a process without looking for it, as the live one of its pid: for loading a recording. */
uint32_t model_process_append(struct model *m, uint32_t pid, uint64_t start_ns);
/*
 * The process of that host, boot, pid and start, added if there is none: for putting models
 * together. What p says of one that is there already counts if it knows the later program or end.
 */
uint32_t model_process_same(struct model *m, const struct model_process *p);
struct model_process *model_process_get(struct model *m,
					uint32_t id); /* fields may be set by the caller */
const struct model_process *model_process_peek(const struct model *m, uint32_t id);
/*
 * Notes a mapping; replaces what it overlaps. A mapping older than the process's last exec is
 * ignored, so that records of two sources may arrive in either order. 0, -EINVAL for an empty
 * range or an unknown id, -ENOSPC when the process has too many, -ENOMEM.
 */
int model_process_map(struct model *m, uint32_t process, const struct model_mapping *map);
/* The program was replaced at that time: mappings older than it are dropped. */
void model_process_exec(struct model *m, uint32_t process, uint64_t time_ns);
/*
 * A forked child starts with its parent's mappings. Those noted for the child before stay on top;
 * nothing happens when the child has run another program since.
 */
int model_process_inherit(struct model *m, uint32_t child, uint32_t parent);
/*
 * Drops the mappings of a process. They are kept after its exit, as records may come late; a while
 * after it nothing needs them, since samples become frames when they arrive.
 */
void model_process_forget_mappings(struct model *m, uint32_t process);
/* The frame an address of that process belongs to: (file, offset), or (0, address) outside every
 * mapping. */
uint32_t model_frame_at(struct model *m, uint32_t process, uint64_t address);
/* The mapping an address of that process lies in, or NULL; good until its mappings change. */
const struct model_mapping *model_mapping_at(const struct model *m, uint32_t process,
					     uint64_t address);

uint32_t model_frame(struct model *m, uint32_t file, uint64_t offset);
/*
 * The frame of that name: one place may have several, as code that is made while a program runs
 * is replaced. function 0: as model_frame().
 */
uint32_t model_named_frame(struct model *m, uint32_t file, uint64_t offset, uint32_t function);
/* Adds a frame without looking for it: for loading a recording. */
uint32_t model_frame_append(struct model *m, uint32_t file, uint64_t offset, uint32_t function);
/*
 * What an unnamed frame was has turned out: it becomes that one, with the stacks it is in. There
 * may be another frame of that name and place already; answers add the two up. A frame that has a
 * name keeps it.
 */
void model_frame_become(struct model *m, uint32_t id, const struct model_frame *what);
uint32_t model_late_frame(const struct model *m, uint32_t i);
struct model_frame *model_frame_get(struct model *m, uint32_t id);
const struct model_frame *model_frame_peek(const struct model *m, uint32_t id);

/* A function at a frame's address and where in it that is. Strings, 0 and line 0: not known. */
struct model_line {
	uint32_t function; /* as it is named in the file, mangled or not */
	uint32_t source, line;
	uint32_t level; /* 0: the frame's own function, n + 1: inlined into that of level n */
};
/*
 * Of recordings: what is known of a frame without its file. The levels of a frame are added one
 * after the other, from 0 on, and once. -EINVAL when they are not, or for ids the model does not
 * have; -ENOMEM.
 */
int model_line_append(struct model *m, uint32_t frame, uint32_t level,
		      const struct model_line *line);
/* By level; NULL: none are known. Good until the next one is added. */
const struct model_line *model_lines_get(const struct model *m, uint32_t frame, size_t *ret_n);

uint32_t model_stack(struct model *m, uint32_t parent, uint32_t frame);
const struct model_stack *model_stack_get(const struct model *m, uint32_t id);

/* Probes are added, not merged: each session has its own. */
uint32_t model_probe(struct model *m, const struct model_probe *probe);
/* Another signature for a probe: one that has all that the one before had. */
void model_probe_sign(struct model *m, uint32_t id, uint32_t signature);
/* What it is called has turned out: spec, symbol, name, strategy and signature are taken. */
void model_probe_rename(struct model *m, uint32_t id, const struct model_probe *names);
const struct model_probe *model_probe_get(const struct model *m, uint32_t id);
/* The category of a span written in source code: its length, 0 when there is none; not terminated.
 */
size_t model_probe_category(const struct model *m, const struct model_probe *p, const char **ret);

uint32_t model_path(struct model *m, uint32_t parent, uint32_t probe);
const struct model_path *model_path_get(const struct model *m, uint32_t id);

/* How many of each there are: ids 1 … count are valid. For writers that save what is new. */
struct model_counts {
	uint32_t strings, files, processes, frames, stacks, probes, paths;
	uint32_t late; /* frames that became others: model_late_frame(1 … late) are their ids */
};
void model_counts(const struct model *m, struct model_counts *ret);

#endif
