/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/resolve.h"

#include <sys/stat.h>

#include "probe/arrange.h"
#include "probe/hazard.h"
#include "probe/kernel_match.h"
#include "probe/match.h"
#include "probe/source_match.h"

/* Adds a file unless it is in the set; takes fd. Returns its index. */
static int add_file(struct resolver *r, int fd_given, const char *path, bool deleted)
{
	_cleanup_(closep) int fd = fd_given;
	struct probe_set *set = r->set;
	struct match_file *m;
	struct stat st;
	size_t i = set->n_files;
	int x;

	if (fstat(fd, &st) < 0)
		return error_set(r->e, errno, "BadFile", "cannot examine %s: %m", path);
	for (size_t k = 0; k < i; k++)
		if (set->files[k].dev == st.st_dev && set->files[k].ino == st.st_ino)
			return k;
	if (i >= PROBE_MAX_FILES) {
		x = error_set(r->e, E2BIG, "TooMany", "more than %d files match", PROBE_MAX_FILES);
		error_fix(r->e, "name fewer processes, or the library by its path");
		return x;
	}
	x = array_reserve(&set->files, &set->files_cap, i + 1, sizeof(*set->files));
	if (x >= 0)
		x = array_reserve(&r->files, &r->files_cap, i + 1, sizeof(*r->files));
	if (x < 0)
		return x;
	m = &r->files[i];
	*m = (struct match_file){.wanted = calloc(r->n_specs, sizeof(bool))};
	set->files[i] = (struct probe_file){.path = strdup(path),
					    .fd = TAKE_FD(fd),
					    .dev = st.st_dev,
					    .ino = st.st_ino,
					    .deleted = deleted};
	set->n_files++;
	r->n_files++;
	return set->files[i].path && m->wanted ? (int)i : -ENOMEM;
}

static int want_file(struct resolver *r, size_t spec, int fd, const char *path, bool deleted,
		     bool must)
{
	int i = fd < 0 ? fd : add_file(r, fd, path, deleted);

	if (i < 0)
		return i;
	r->files[i].wanted[spec] = true;
	r->files[i].must |= must;
	return 0;
}

/*
 * A file that merely bears the name of a library may be anybody's: it must not be able to spoil a
 * session over many processes, so what is wrong with it becomes a note.
 */
static int forgive(struct resolver *r, int code, const struct error *e)
{
	if (code == -ENOMEM || code == -EMFILE || code == -ENFILE || streq(e->name, "TooMany")) {
		if (r->e && e->name[0])
			*r->e = *e;
		return code;
	}
	return match_note(r, "%s", e->message);
}

/* Of all that the target has mapped, what has spans written in source code. */
static int want_sources(struct resolver *r, size_t spec)
{
	/* Those are the same for each specification that names no file. */
	for (size_t k = 0; k < spec; k++) {
		const struct spec *s = r->specs[k];

		if (!s->is_source || s->kind != SPEC_EXECUTABLE || s->exclude)
			continue;
		for (size_t i = 0; i < r->n_files; i++)
			r->files[i].wanted[spec] = r->files[i].wanted[k];
		return 0;
	}
	for (size_t i = 0; i < r->mapped.n; i++) {
		const struct target_file *f = &r->mapped.items[i];
		_cleanup_(closep) int fd = -EBADF;
		struct error e = {};
		int x;

		fd = target_open(f, &e);
		if (fd < 0 || !source_match_has(r, fd, f->path))
			continue;
		x = want_file(r, spec, TAKE_FD(fd), f->path, f->deleted, false);
		if (x < 0)
			return x;
	}
	return 0;
}

static int want_mapped(struct resolver *r, size_t spec)
{
	const struct spec *s = r->specs[spec];

	for (size_t i = 0; i < r->mapped.n; i++) {
		const struct target_file *f = &r->mapped.items[i];
		bool must = s->kind == SPEC_EXECUTABLE;
		struct error e = {}, *saved = r->e;
		int x;

		if (must ? !f->executable : !spec_library_matches(s->binary, f->name))
			continue;
		r->e = &e;
		x = want_file(r, spec, target_open(f, &e), f->path, f->deleted, must);
		r->e = saved;
		if (x >= 0)
			continue;
		if (!must) {
			x = forgive(r, x, &e);
			if (x < 0)
				return x;
			continue;
		}
		if (saved)
			*saved = e;
		return x;
	}
	return 0;
}

/* A path is looked up as each process sees it; where none does, as the daemon sees it. */
static int want_path(struct resolver *r, size_t spec)
{
	const char *path = r->specs[spec]->binary;
	bool found = false;

	for (size_t i = 0; i < r->target->n_pids; i++) {
		struct error ignored = {};
		int x, fd = target_open_path(r->target->pids[i], path, &ignored);

		if (fd < 0)
			continue;
		found = true;
		x = want_file(r, spec, fd, path, false, true);
		if (x < 0)
			return x;
	}
	if (found)
		return 0;
	return want_file(r, spec, target_open_path(0, path, r->e), path, false, true);
}

static int want_files(struct resolver *r, size_t spec)
{
	const struct spec *s = r->specs[spec];
	int x;

	if (s->exclude)
		return 0;
	if (s->note) {
		x = match_note(r, "%s: %s", s->text, s->note);
		if (x < 0)
			return x;
	}
	if (s->kind == SPEC_KERNEL)
		return 0;
	if (s->kind == SPEC_PATH)
		return want_path(r, spec);
	if (s->kind == SPEC_EXECUTABLE && r->target->all) {
		x = error_set(r->e, EINVAL, "BadSpec",
			      s->is_source ? "'%s' does not say which program has the spans"
					   : "'%s' does not say which program it is a function of",
			      s->text);
		if (s->is_source)
			error_fix(r->e, "write span:/path/of/program:%s/%s, or name processes",
				  s->provider, s->pattern);
		else if (s->is_static)
			error_fix(r->e,
				  "write usdt:/path/of/program:%s:%s or usdt:LIB:%s:%s, or name "
				  "processes",
				  s->provider, s->pattern, s->provider, s->pattern);
		else
			error_fix(r->e,
				  "write uprobe:/path/of/program:%s or LIB:%s, or name processes",
				  s->pattern, s->pattern);
		return x;
	}
	return s->is_source && s->kind == SPEC_EXECUTABLE ? want_sources(r, spec)
							  : want_mapped(r, spec);
}

/* Marks the files that an exclusion is about: all, those of a library, or one. */
static void apply_exclusion(struct resolver *r, size_t spec)
{
	const struct spec *s = r->specs[spec];
	struct stat st = {};
	bool exists = s->kind == SPEC_PATH && stat(s->binary, &st) == 0;

	for (size_t i = 0; i < r->set->n_files; i++) {
		const struct probe_file *f = &r->set->files[i];
		const char *slash = strrchr(f->path, '/');
		bool *wanted = &r->files[i].wanted[spec];

		/* Which spans are left out turns out when they run. */
		if (s->kind == SPEC_KERNEL || s->is_source)
			*wanted = false;
		else if (s->kind == SPEC_EXECUTABLE)
			*wanted = true;
		else if (s->kind == SPEC_LIBRARY)
			*wanted = spec_library_matches(s->binary, slash ? slash + 1 : f->path);
		else
			*wanted = streq(s->binary, f->path) ||
				  (exists && st.st_dev == f->dev && st.st_ino == f->ino);
	}
}

static int bad_file(const struct probe_file *f, int code, const struct error *why, struct error *e)
{
	char head[2];
	int r;

	if (pread(f->fd, head, 2, 0) == 2 && head[0] == '#' && head[1] == '!') {
		r = error_set(e, ENOEXEC, "BadFile", "%s is a script, not a program", f->path);
		error_fix(e, "probe the functions of its interpreter, which its first line names");
		return r;
	}
	if (code == -ENOMEM)
		return code;
	r = error_set(e, -code, "BadFile", "%s cannot be read as a program: %s", f->path,
		      why->message[0] ? why->message : strerror(-code));
	error_fix(e, "name an ELF executable or shared library");
	return r;
}

static int load_functions(struct resolver *r, uint32_t index, struct error *e)
{
	const struct probe_file *f = &r->set->files[index];
	struct match_file *m = &r->files[index];
	size_t first = r->set->n;
	struct error why = {};
	int x = reader_functions(r->options->reader, f->fd, f->path, NULL, &why, &m->symtab);

	if (x < 0)
		return bad_file(f, x, &why, e);
	m->stripped = symtab_is_stripped(m->symtab);
	x = match_functions(r, index);
	if (x < 0 || r->set->n == first)
		return x;
	x = reader_landings(r->options->reader, f->fd, f->path, &why, &m->landings);
	return x < 0 ? bad_file(f, x, &why, e) : arrange_file(r, index, first);
}

static int load_statics(struct resolver *r, uint32_t index, struct error *e)
{
	const struct probe_file *f = &r->set->files[index];
	_cleanup_(usdt_notes_freep) struct usdt_notes *notes = NULL;
	struct error why = {};
	int x;

	if (!r->files[index].image->is_x86_64)
		return match_note(r, "%s: static probes of x86-64 programs only can be read",
				  f->path);
	x = reader_notes(r->options->reader, f->fd, f->path, &why, &notes);
	if (reader_gave_up(x))
		return bad_file(f, x, &why, e);
	if (x < 0)
		return x == -ENOMEM ? x : 0;
	if (source_match_wanted(r, index)) {
		x = source_match(r, index, notes);
		if (x < 0)
			return x;
	}
	return static_match(r, index, notes);
}

static int load_file(struct resolver *r, uint32_t index, struct error *e)
{
	const struct probe_file *f = &r->set->files[index];
	struct match_file *m = &r->files[index];
	struct error why = {};
	int x;

	x = hazard_read_file(r->options->reader, f->fd, f->path, &why, &m->image);
	if (x < 0)
		return bad_file(f, x, &why, e);
	if (static_match_wanted(r, index, false))
		x = load_functions(r, index, e);
	if (x >= 0 && (static_match_wanted(r, index, true) || source_match_wanted(r, index)))
		x = load_statics(r, index, e);
	/* The table of functions stands alone; the others of many big libraries would be a lot. */
	m->image = file_image_free(m->image);
	m->landings = landing_table_free(m->landings);
	return x;
}

static int load_files(struct resolver *r)
{
	for (size_t i = 0; i < r->set->n_files; i++) {
		struct error e = {};
		int x = load_file(r, i, &e);

		if (x >= 0)
			continue;
		if (r->files[i].must) {
			if (r->e && e.name[0])
				*r->e = e;
			return x;
		}
		x = forgive(r, x, &e);
		if (x < 0)
			return x;
	}
	return 0;
}

static int finish(struct resolver *r)
{
	int x;

	if (r->total > PROBE_MAX_POINTS) {
		x = error_set(r->e, E2BIG, "TooMany",
			      "%zu functions match, more than the limit of %d of a session",
			      r->total, PROBE_MAX_POINTS);
		error_fix(r->e, "narrow the glob, or exclude functions with '!GLOB'");
		return x;
	}
	if (r->total == 0 && r->n_described && r->e) {
		*r->e = r->described;
		if (r->types_failure.message[0])
			error_set(r->e, EINVAL, r->described.name, "%.300s; %s",
				  r->described.message, r->types_failure.message);
		return -EINVAL;
	}
	if (r->total == 0)
		return match_explain(r);
	if (r->n_described) {
		const char *name = r->described_name ? r->described_name : "";

		x = r->n_described == 1 ? match_note(r, "%s: %s", name, r->described.message)
					: match_note(r, "%s and %zu more: %s", name,
						     r->n_described - 1, r->described.message);
		if (x < 0)
			return x;
	}
	for (size_t i = 0; i < r->n_specs; i++) {
		if (r->specs[i]->exclude || r->matched[i])
			continue;
		x = match_note(r, "'%s' matches no %s", r->specs[i]->text,
			       r->specs[i]->is_source	? "span of the target's files"
			       : r->specs[i]->is_static ? "static probe"
							: "function");
		if (x < 0)
			return x;
	}
	return match_reasons_to_notes(r);
}

static void find_hazards(struct resolver *r)
{
	for (size_t i = 0; i < r->target->n_pids; i++) {
		unsigned int hazards;

		if (hazard_of_process(r->options->reader, r->target->pids[i], &hazards) >= 0)
			r->process_hazards |= hazards;
	}
	/* A command about to start: what its files say. */
	for (size_t i = 0; i < r->target->n_files; i++) {
		_cleanup_(closep) int fd = target_open_path(0, r->target->files[i], NULL);
		unsigned int hazards;

		if (fd >= 0 &&
		    hazard_of_file(r->options->reader, fd, r->target->files[i], &hazards) >= 0)
			r->process_hazards |= hazards;
	}
}

/* The files whose functions throw and catch for all others: the C++ runtime, or a static program.
 */
static int add_exception_points(struct resolver *r)
{
	if (!(r->set->hazards & HAZARD_UNWINDER))
		return 0;
	for (size_t i = 0; i < r->mapped.n; i++) {
		const struct target_file *f = &r->mapped.items[i];
		struct error ignored = {};
		int fd, index, x;

		if (!f->executable && !spec_library_matches("libstdc++", f->name) &&
		    !spec_library_matches("libc++abi", f->name))
			continue;
		fd = target_open(f, &ignored);
		if (fd < 0)
			continue;
		index = add_file(r, fd, f->path, f->deleted);
		if (index == -ENOMEM)
			return index;
		x = index < 0 ? 0 : arrange_exceptions(r, index);
		if (x < 0)
			return x;
	}
	return 0;
}

static int run(struct resolver *r)
{
	bool any = false, mapped = r->target->n_files > 0;
	int x;

	for (size_t i = 0; i < r->n_specs; i++) {
		any |= !r->specs[i]->exclude;
		mapped |= !r->specs[i]->exclude && r->specs[i]->kind == SPEC_LIBRARY;
		mapped |= !r->specs[i]->exclude && r->specs[i]->kind == SPEC_EXECUTABLE &&
			  !r->target->all;
	}
	if (!any) {
		x = error_set(r->e, EINVAL, "BadSpec",
			      "no probe specification includes a function");
		error_fix(r->e, "add one that does not begin with '!', such as '*'");
		return x;
	}
	mapped |= r->options->exceptions && !r->target->all;
	x = mapped ? target_list(r->target, &r->mapped, r->e) : target_check(r->target, r->e);
	for (size_t i = 0; x >= 0 && i < r->n_specs; i++)
		x = want_files(r, i);
	if (x < 0)
		return x;
	for (size_t i = 0; i < r->n_specs; i++)
		if (r->specs[i]->exclude)
			apply_exclusion(r, i);
	find_hazards(r);
	x = load_files(r);
	if (x >= 0)
		x = kernel_match(r);
	if (x >= 0)
		x = finish(r);
	return x >= 0 && r->options->exceptions ? add_exception_points(r) : x;
}

static void resolver_release(struct resolver *r)
{
	for (size_t i = 0; i < r->n_files; i++) {
		free(r->files[i].wanted);
		file_image_free(r->files[i].image);
		landing_table_free(r->files[i].landings);
		symtab_free(r->files[i].symtab);
	}
	for (size_t i = 0; i < MATCH_REASONS; i++)
		strbuf_release(&r->reasons[i].names);
	free(r->files);
	free(r->matched);
	free(r->described_name);
	target_files_release(&r->mapped);
	btf_types_free(r->kernel_types);
	kernel_functions_free(r->kernel);
	probe_set_free(r->set);
}

int probe_resolve(const struct probe_target *target, struct spec *const *specs, size_t n,
		  const struct resolve_options *options, struct probe_set **ret_set,
		  struct error *e)
{
	static const struct resolve_options defaults = {.returns = RETURN_AUTO};
	_cleanup_(resolver_release) struct resolver r = {.target = target,
							 .specs = specs,
							 .n_specs = n,
							 .options = options ? options : &defaults,
							 .e = e};
	int x;

	r.set = calloc(1, sizeof(*r.set));
	r.matched = calloc(n + 1, sizeof(*r.matched));
	if (!r.set || !r.matched)
		return -ENOMEM;
	x = run(&r);
	if (x < 0)
		return x;
	*ret_set = TAKE_PTR(r.set);
	return 0;
}

struct probe_set *probe_set_free(struct probe_set *set)
{
	if (!set)
		return NULL;
	for (size_t i = 0; i < set->n_files; i++) {
		free(set->files[i].path);
		safe_close(set->files[i].fd);
	}
	for (size_t i = 0; i < set->n; i++)
		free(set->points[i].symbol);
	for (size_t i = 0; i < set->n_notes; i++)
		free(set->notes[i]);
	free(set->files);
	free(set->points);
	free(set->sites);
	free(set->notes);
	free(set);
	return NULL;
}
