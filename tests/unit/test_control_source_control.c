/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of programs is written into this one: a file that is mapped has the control. */
#include <criterion/criterion.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/session_source_private.h"
#include "control/source_control.h"

static const struct sonde_control fresh = {.version = SONDE_CONTROL_VERSION,
					   .size = sizeof(struct sonde_control)};

/* The file, whose control is not where it begins. */
struct program {
	uint64_t code;
	struct sonde_control control;
};

struct fixture {
	struct source_control *control;
	struct program *program;
	struct probe_file file;
	struct probe_point point;
	struct probe_set probes;
	struct session_sources sources[2];
	struct session sessions[2];
	char *specs[1];
	uint32_t pids[1];
};

/* A program with spans is mapped, at that address if there is one. */
static void map_program(struct fixture *f, void *address)
{
	const struct program program = {.control = fresh};
	char path[] = "/tmp/sonde-control-XXXXXX";
	int fd = mkstemp(path);
	struct stat st;

	cr_assert_geq(fd, 0);
	unlink(path);
	cr_assert_eq(write(fd, &program, sizeof(program)), (ssize_t)sizeof(program));
	cr_assert_eq(fstat(fd, &st), 0);
	f->file.ino = st.st_ino;
	f->program = mmap(address, sizeof(program), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | (address ? MAP_FIXED : 0), fd, 0);
	cr_assert_neq(f->program, MAP_FAILED);
	close(fd);
}

static void open_fixture(struct fixture *f)
{
	*f = (struct fixture){.specs = {(char *)"span:io/*"}, .pids = {(uint32_t)getpid()}};
	cr_assert_eq(source_control_new(&f->control), 0);
	map_program(f, NULL);
	f->point = (struct probe_point){.role = ROLE_SOURCE,
					.control = offsetof(struct program, control)};
	f->probes =
		(struct probe_set){.files = &f->file, .n_files = 1, .points = &f->point, .n = 1};
	for (int i = 0; i < 2; i++) {
		f->sessions[i].sources = &f->sources[i];
		f->sessions[i].probes = &f->probes;
		f->sessions[i].active = true;
		f->sessions[i].options.pids = f->pids;
		f->sessions[i].options.n_pids = 1;
		f->sessions[i].options.specs = f->specs;
		f->sessions[i].options.n_specs = 1;
		f->sessions[i].options.min_duration_ns = 1000 * (uint64_t)(i + 1);
	}
	f->sessions[0].next = &f->sessions[1];
}

static void close_fixture(struct fixture *f)
{
	source_control_free(f->control);
	munmap(f->program, sizeof(*f->program));
}

/* The session with the lower threshold goes first, and second. */
Test(control_source_control, what_is_asked_follows_the_sessions_that_are_left)
{
	struct fixture f;
	const struct sonde_control *c;
	uint32_t generation;

	open_fixture(&f);
	c = &f.program->control;
	for (int first = 0; first < 2; first++) {
		f.sessions[0].active = f.sessions[1].active = true;
		source_control_update(f.control, f.sessions, &f.sessions[1]);
		cr_expect_eq(c->threshold_ns, 1000);
		cr_expect_str_eq(c->rules, "io/*");
		generation = c->generation;
		cr_expect_neq(generation, 0);
		f.sessions[first].active = false;
		source_control_update(f.control, f.sessions, NULL);
		cr_expect_eq(c->threshold_ns, first == 0 ? 2000 : 1000);
		cr_expect_neq(c->generation, 0);
		f.sessions[1 - first].active = false;
		source_control_update(f.control, f.sessions, NULL);
		cr_expect_eq(c->generation, 0);
		cr_expect_eq(c->n_bytes, 0);
	}
	close_fixture(&f);
}

/* What looks like a control, in memory that is the program's no more, is left alone. */
Test(control_source_control, nothing_is_written_where_another_program_is)
{
	struct fixture f;

	open_fixture(&f);
	source_control_update(f.control, f.sessions, NULL);
	cr_assert_neq(f.program->control.generation, 0);
	f.program = mmap(f.program, sizeof(*f.program), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	cr_assert_neq(f.program, MAP_FAILED);
	f.program->control = fresh;
	f.program->control.generation = 77;
	source_control_update(f.control, NULL, NULL);
	cr_expect_eq(f.program->control.generation, 77);
	close_fixture(&f);
}

/* execve() of a program that always has the same addresses. */
Test(control_source_control, a_program_that_starts_again_is_told_again)
{
	struct fixture f;

	open_fixture(&f);
	source_control_update(f.control, f.sessions, NULL);
	map_program(&f, f.program);
	cr_assert_eq(f.program->control.generation, 0);
	source_control_forget(f.control, f.pids[0]);
	source_control_update_process(f.control, f.sessions, f.pids[0]);
	cr_expect_neq(f.program->control.generation, 0);
	close_fixture(&f);
}
