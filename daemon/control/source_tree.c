/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/source_tree.h"

#include <fnmatch.h>

#include "control/source_facts.h"
#include "control/source_shares.h"

enum {
	MAX_SITES = 1 << 16,
	/* Paths noted whose site is not asked for again; more come only of programs that mean ill.
	 */
	MAX_NOTED = 1 << 18,
	MAX_PATHS = 1 << 18,
	MAX_SEARCHED = 256, /* sites that are tried for a path that nobody has said anything of */
};

struct source_tree {
	struct session *session;
	struct spec **specs;
	size_t n_specs;
	struct expr *where;
	struct source_site *sites;
	size_t n_sites, sites_cap;
	struct table site_index; /* of (id, file) → index */
	struct table noted;	 /* path → index in noted_sites */
	uint64_t *noted_sites;
	size_t n_noted, noted_cap;
	struct table paths; /* of (path, file) → the model's */
	size_t n_made;	    /* paths of the model */
	struct source_shares shares;
};

struct source_tree *source_tree_free(struct source_tree *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_sites; i++) {
		bound_free(t->sites[i].where);
		free(t->sites[i].category);
		free(t->sites[i].name);
	}
	for (size_t i = 0; i < t->n_specs; i++)
		spec_free(t->specs[i]);
	free(t->specs);
	free(t->sites);
	free(t->noted_sites);
	expr_free(t->where);
	table_release(&t->site_index);
	table_release(&t->noted);
	table_release(&t->paths);
	source_shares_release(&t->shares);
	free(t);
	return NULL;
}

/* Whether the condition has a meaning for any span: what it says of functions only has none. */
static int try_where(const struct source_tree *t, struct error *error)
{
	_cleanup_(signature_freep) struct signature *signature = NULL;
	_cleanup_(bound_freep) struct bound *bound = NULL;
	struct expr_scope scope = {.stage = EXPR_AT_END, .bind = signature_bind};
	int r = signature_of_source("", &signature);

	scope.arg = signature;
	return r < 0 ? r : expr_bind(t->where, &scope, &bound, error);
}

int source_tree_set_where(struct source_tree *t, const char *where, struct error *error)
{
	struct expr *x = NULL, *old = t->where;
	int r = where ? expr_parse(where, &x, error) : 0;

	if (r < 0)
		return r;
	t->where = x;
	r = x ? try_where(t, error) : 0;
	if (r < 0) {
		expr_free(x);
		t->where = old;
		return r;
	}
	expr_free(old);
	for (size_t i = 0; i < t->n_sites; i++) {
		t->sites[i].where = bound_free(t->sites[i].where);
		t->sites[i].is_bound = false;
	}
	return 0;
}

int source_tree_new(struct session *s, struct source_tree **ret, struct error *error)
{
	_cleanup_(source_tree_freep) struct source_tree *t = calloc(1, sizeof(*t));
	const struct session_options *o = &s->options;
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->session = s;
	t->specs = calloc(o->n_specs + 1, sizeof(*t->specs));
	if (!t->specs)
		return -ENOMEM;
	for (; t->n_specs < o->n_specs && r >= 0; t->n_specs += r >= 0)
		r = spec_parse(o->specs[t->n_specs], &t->specs[t->n_specs], error);
	if (r >= 0)
		r = source_tree_set_where(t, o->where, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

/* The file a specification names is not looked at: only the files that match are probed. */
static bool is_wanted(const struct source_tree *t, const char *category, const char *name)
{
	bool wanted = false;

	for (size_t i = 0; i < t->n_specs; i++) {
		const struct spec *s = t->specs[i];

		if (!s->is_source || fnmatch(s->provider, category, 0) != 0 ||
		    fnmatch(s->pattern, name, 0) != 0)
			continue;
		if (s->exclude)
			return false;
		wanted = true;
	}
	return wanted;
}

/* What the span is called, as far as that is known by now. */
static int name_site(struct source_tree *t, struct source_site *site)
{
	const struct source_names *names = t->session->context->source_names;
	struct model *m = t->session->context->model;
	_cleanup_(signature_freep) struct signature *signature = NULL;
	_cleanup_(freep) char *text = NULL, *symbol = NULL, *copy = NULL, *copied = NULL;
	const char *category = "", *name;
	char number[24];
	struct model_probe probe = {.file = site->file};

	snprintf(number, sizeof(number), "0x%016llx", (unsigned long long)site->id);
	site->named = source_names_site(names, site->id, &category, &name);
	if (!site->named)
		name = number;
	copy = strdup(name);
	copied = strdup(category);
	if (!copy || !copied || asprintf(&symbol, "%s/%s", category, name) < 0 ||
	    signature_of_source(category, &signature) < 0)
		return -ENOMEM;
	text = signature_encode(signature);
	if (!text)
		return -ENOMEM;
	free(site->name);
	free(site->category);
	site->name = TAKE_PTR(copy);
	site->category = TAKE_PTR(copied);
	site->where = bound_free(site->where);
	site->is_bound = false;
	site->wanted = is_wanted(t, site->category, site->name);
	probe.spec = model_string(m, "span");
	probe.symbol = model_string(m, symbol);
	probe.name = model_string(m, site->name);
	probe.strategy = model_string(m, "span");
	probe.signature = model_string(m, text);
	if (site->probe)
		model_probe_rename(m, site->probe, &probe);
	else
		site->probe = model_probe(m, &probe);
	return site->probe ? 0 : -ENOMEM;
}

static struct source_site *add_site(struct source_tree *t, uint64_t id, uint32_t file, uint64_t key)
{
	struct source_site site = {.id = id, .file = file};
	struct source_share *share = source_shares_of(&t->shares, file);
	uint32_t *slot;

	if (!share || share->sites >= MAX_SITES / SOURCE_SHARES || t->n_sites >= MAX_SITES ||
	    array_reserve(&t->sites, &t->sites_cap, t->n_sites + 1, sizeof(*t->sites)) < 0)
		return NULL;
	slot = name_site(t, &site) < 0 ? NULL : table_put(&t->site_index, key, NULL);
	if (!slot) {
		free(site.category);
		free(site.name);
		return NULL;
	}
	share->sites++;
	*slot = (uint32_t)t->n_sites;
	t->sites[t->n_sites] = site;
	return &t->sites[t->n_sites++];
}

struct source_site *source_tree_site(struct source_tree *t, uint64_t id, uint32_t file)
{
	const uint64_t key = hash_mix(hash_mix(id, file), file);
	uint32_t *slot = table_get(&t->site_index, key);
	const char *category, *name;
	struct source_site *site;

	if (!slot)
		return add_site(t, id, file, key);
	site = &t->sites[*slot];
	/* Ids are what programs say: one may be made to have the key of another. */
	if (site->id != id || site->file != file)
		return NULL;
	if (!site->named &&
	    source_names_site(t->session->context->source_names, id, &category, &name))
		(void)name_site(t, site);
	return site;
}

void source_tree_note(struct source_tree *t, uint64_t path, uint64_t site, uint32_t file)
{
	struct source_share *share = source_shares_of(&t->shares, file);
	uint32_t *slot;
	bool is_new;

	if (!path || !site || !share || share->noted >= MAX_NOTED / SOURCE_SHARES ||
	    t->n_noted >= MAX_NOTED ||
	    array_reserve(&t->noted_sites, &t->noted_cap, t->n_noted + 1, sizeof(*t->noted_sites)) <
		    0)
		return;
	slot = table_put(&t->noted, path, &is_new);
	if (!slot || !is_new)
		return;
	share->noted++;
	*slot = (uint32_t)t->n_noted;
	t->noted_sites[t->n_noted++] = site;
}

/* Which of the known sites makes a path whose own way up is known: a guess cannot be wrong, but
 * for one in 2^64. */
static uint64_t search_site(const struct source_tree *t, uint64_t path)
{
	for (size_t i = 0; i < t->n_sites && i < MAX_SEARCHED; i++) {
		uint64_t parent = source_parent_path(path, t->sites[i].id);

		if (parent == 0 || table_get(&t->noted, parent))
			return t->sites[i].id;
	}
	return 0;
}

static uint64_t site_of(const struct source_tree *t, uint64_t path)
{
	const uint32_t *noted = table_get(&t->noted, path);

	return noted ? t->noted_sites[*noted] : search_site(t, path);
}

static size_t count_paths(const struct model *m)
{
	struct model_counts counts;

	model_counts(m, &counts);
	return counts.paths;
}

/* Beyond MAX_PATHS, or its file's share, spans stand at the root, however they lie in each other.
 */
static uint32_t path_below(struct source_tree *t, uint32_t parent, uint32_t probe, uint32_t file)
{
	struct model *m = t->session->context->model;
	struct source_share *share = source_shares_of(&t->shares, file);
	const bool room =
		t->n_made < MAX_PATHS && share && share->paths < MAX_PATHS / SOURCE_SHARES;
	const size_t before = count_paths(m);
	uint32_t path = model_path(m, room ? parent : 0, probe);
	const size_t made = count_paths(m) - before;

	t->n_made += made;
	if (share)
		share->paths += (uint32_t)made;
	return path;
}

uint32_t source_tree_path(struct source_tree *t, uint64_t path, uint64_t site, uint32_t file,
			  const struct source_below *below)
{
	uint64_t chain[SONDE_MAX_OPEN + 1], sites[SONDE_MAX_OPEN + 1];
	const uint64_t around = below ? (uint64_t)below->path << 32 | file : file;
	const uint64_t top = below ? below->source : 0;
	uint32_t *known, found = below ? below->path : 0;
	bool whole = true;
	size_t n = 0;

	for (; path && path != top && n <= SONDE_MAX_OPEN; n++) {
		known = table_get(&t->paths, hash_mix(path, around));
		if (known) {
			found = *known;
			break;
		}
		site = site ? site : site_of(t, path);
		/* The way up ends here: it stands at the root, and no one remembers that. */
		whole = site != 0;
		if (!site)
			break;
		chain[n] = path;
		sites[n] = site;
		path = source_parent_path(path, site);
		site = 0;
	}
	while (n-- > 0) {
		const struct source_site *s = source_tree_site(t, sites[n], file);

		if (!s)
			return 0;
		/* What nobody asked for is not in the tree: what is in it goes to what is around.
		 */
		if (s->wanted || !s->named)
			found = path_below(t, found, s->probe, file);
		if (!found && s->wanted)
			return 0;
		known = whole && t->paths.len < MAX_PATHS
				? table_put(&t->paths, hash_mix(chain[n], around), NULL)
				: NULL;
		if (known)
			*known = found;
	}
	return found;
}

bool source_tree_knows(const struct source_tree *t, uint64_t path)
{
	/* One whose way up is not known stays below what is known of it, or is not there at all. */
	for (size_t n = 0; path && n <= SONDE_MAX_OPEN; n++) {
		uint64_t site = site_of(t, path);

		if (!site)
			return false;
		path = source_parent_path(path, site);
	}
	return path == 0;
}

static const char *name_of_parent(const struct model *m, uint32_t path)
{
	const struct model_path *p = model_path_get(m, path);
	const struct model_path *parent = p ? model_path_get(m, p->parent) : NULL;
	const struct model_probe *probe = parent ? model_probe_get(m, parent->probe) : NULL;

	return probe ? model_string_get(m, probe->name) : NULL;
}

static void bind_site(struct source_tree *t, struct source_site *site)
{
	_cleanup_(signature_freep) struct signature *signature = NULL;
	struct model *m = t->session->context->model;
	const struct model_file *file = model_file_get(m, site->file);
	const char *path = file ? model_string_get(m, file->path) : "";
	const char *slash = strrchr(path, '/');
	struct error unused = {};
	struct expr_scope scope = {
		.stage = EXPR_AT_END,
		.name = site->name,
		.binary = slash ? slash + 1 : path,
		.cat = site->category,
		.monotonic_to_epoch_ns = t->session->context->monotonic_to_epoch_ns,
		.bind = signature_bind,
	};

	site->is_bound = true;
	if (signature_of_source(site->category, &signature) < 0)
		return;
	scope.arg = signature;
	(void)expr_bind(t->where, &scope, &site->where, &unused);
}

bool source_tree_passes(struct source_tree *t, struct source_site *site, uint32_t path,
			const struct record_call *call, const struct span_more *more)
{
	const struct model *m = t->session->context->model;
	const struct model_process *process;
	struct expr_facts facts = {
		.call = call, .attr = source_facts_attr, .attr_arg = (void *)more};
	char comm[RECORD_COMM_LEN + 1] = {0};

	if (!t->where)
		return true;
	if (!site->is_bound)
		bind_site(t, site);
	if (!site->where)
		return false;
	process = model_process_peek(
		m, processes_find(t->session->context->processes, call->span.pid));
	facts.caller = name_of_parent(m, path);
	if (process) {
		snprintf(comm, sizeof(comm), "%s", model_string_get(m, process->comm));
		facts.comm = comm;
		facts.cgroup = process->cgroup ? model_string_get(m, process->cgroup) : NULL;
	}
	return bound_eval(site->where, EXPR_WHOLE, &facts);
}
