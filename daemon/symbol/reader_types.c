/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_types.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "sonde/base/strbuf.h"
#include "sonde/base/table.h"
#include "symbol/debug_file.h"
#include "symbol/dwarf_file.h"
#include "symbol/reader_private.h"
#include "symbol/reader_probe.h"
#include "symbol/reader_serve.h"
#include "symbol/type_image.h"

struct struct_members {
	struct type_key key;
	const struct ctype_member *members;
	size_t n;
	uint8_t abi;
};

struct reader_types {
	struct reader *reader; /* NULL: in this process, by `kept` */
	struct kept_types kept;
	const char *path;
	int fd, debug_fd, supplement_fd; /* the first is borrowed */
	uint64_t token;
	bool asked, over; /* over: nothing is to be had any more */
	struct error failure;
	struct type_arena arena;
	const struct function_type **functions; /* NULL: there is none at that address */
	struct struct_members *structs;
	size_t n_functions, functions_cap, n_structs, structs_cap;
	struct table by_vaddr, by_key; /* address, hash of a key to index */
};

/* What the process has open may be a lot of memory. If it does not answer, it is killed. */
static void forget(struct reader *r)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->probes.mutex);
	struct reader_answer answer;

	if (r->probes.process.pid > 0)
		(void)reader_process_ask(&r->probes.process, r->program, READ_FORGET, NULL, 0,
					 r->limit_ns, NULL, &answer);
}

struct reader_types *reader_types_free(struct reader_types *t)
{
	if (!t)
		return NULL;
	if (t->reader && t->asked)
		forget(t->reader);
	kept_types_forget(&t->kept);
	safe_close(t->debug_fd);
	safe_close(t->supplement_fd);
	free(t->functions);
	free(t->structs);
	table_release(&t->by_vaddr);
	table_release(&t->by_key);
	type_arena_release(&t->arena);
	free(t);
	return NULL;
}

static int without_dwarf(const struct reader_types *t, struct error *error)
{
	return error_set(error, ENODATA, "NotSupported", "%s has no debug information.", t->path);
}

/* Which file has the debug information; *ret is of that one. */
static int find_debug(struct reader_types *t, const char *debug_dir, struct error *error,
		      struct reader_identity *ret)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ =
		reader_lock(&t->reader->probes.mutex);
	struct question id _cleanup_(reader_question_donep) =
		reader_question(READ_IDENTITY, t->fd, t->path);
	int r;

	r = reader_ask(t->reader, &t->reader->probes, &id, error);
	if (r >= 0 && !(id.answer.identity.flags & READER_FILE_DWARF)) {
		t->debug_fd = reader_open_debug(t->reader, &t->reader->probes, &id, debug_dir);
		if (t->debug_fd < 0)
			return without_dwarf(t, error);
		id.fd = t->debug_fd;
		r = reader_ask(t->reader, &t->reader->probes, &id, error);
	}
	if (r >= 0)
		*ret = id.answer.identity;
	return r;
}

static int find_debug_here(struct reader_types *t, const char *debug_dir, struct error *error,
			   struct reader_identity *ret)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct elf_image *debug _cleanup_(elf_image_freep) = NULL;
	int r;

	r = elf_image_open(t->fd, error, &image);
	if (r < 0)
		return r;
	if (!dwarf_file_is_in(image)) {
		if (debug_file_open(image, t->path, debug_dir, &debug) < 0)
			return without_dwarf(t, error);
		t->debug_fd = fcntl(elf_image_fd(debug), F_DUPFD_CLOEXEC, 0);
	}
	debug_file_supplement(debug ? debug : image, ret->supplement);
	return 0;
}

/* That, and what goes with it. */
static int find_dwarf(struct reader_types *t, const char *debug_dir, struct error *error)
{
	static const uint8_t none[BUILD_ID_SIZE];
	struct reader_identity id = {};
	int r = t->reader ? find_debug(t, debug_dir, error, &id)
			  : find_debug_here(t, debug_dir, error, &id);

	if (r < 0)
		return r;
	if (memcmp(id.supplement, none, sizeof(none)) != 0)
		t->supplement_fd = reader_open_by_id(id.supplement, sizeof(none), debug_dir);
	if (t->supplement_fd >= 0 && t->debug_fd < 0)
		t->debug_fd = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);
	return 0;
}

int reader_types_open(struct reader *r, int fd, const char *path, const char *debug_dir,
		      struct error *error, struct reader_types **ret)
{
	static atomic_uint_least64_t last_token;
	struct reader_types *t _cleanup_(reader_types_freep) = calloc(1, sizeof(*t));
	int x;

	if (!t)
		return -ENOMEM;
	t->reader = r;
	t->fd = fd;
	t->path = path;
	t->debug_fd = t->supplement_fd = -EBADF;
	t->token = ++last_token;
	x = find_dwarf(t, debug_dir, error);
	if (x < 0)
		return x;
	*ret = TAKE_PTR(t);
	return 0;
}

/* The answer is in q->answer_fd then. */
static int ask_here(struct reader_types *t, struct question *q, struct error *error)
{
	int fds[READER_FDS], r;

	q->answer_fd = memfd_create("sonde-answer", MFD_CLOEXEC);
	if (q->answer_fd < 0)
		return -errno;
	r = write_fully(q->answer_fd, q->data, q->size);
	if (r < 0)
		return r;
	fds[READER_FD_FILE] = q->fd;
	fds[READER_FD_ANSWER] = q->answer_fd;
	fds[READER_FD_DEBUG] = q->debug_fd;
	fds[READER_FD_SUPPLEMENT] = q->supplement_fd;
	return reader_serve_types(&t->kept, fds, error);
}

static int ask_question(struct reader_types *t, struct question *q, size_t n_functions,
			size_t n_structs, struct error *error, struct type_image **ret)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = NULL;
	struct error why = {};
	int r;

	if (!t->reader) {
		r = ask_here(t, q, error);
		return r < 0 ? r
			     : type_image_open(q->answer_fd, n_functions, n_structs, error, ret);
	}
	held = reader_lock(&t->reader->probes.mutex);
	t->asked = true;
	r = reader_ask(t->reader, &t->reader->probes, q, error);
	if (r < 0)
		return r;
	r = type_image_open(q->answer_fd, n_functions, n_structs, &why, ret);
	return r < 0 ? reader_check(t->reader, &t->reader->probes, q, r, &why, error) : 0;
}

static int ask(struct reader_types *t, const uint64_t *vaddrs, size_t n,
	       const struct type_key *keys, size_t n_structs, struct type_image **ret)
{
	const struct type_question head = {t->token, (uint32_t)n, (uint32_t)n_structs};
	struct question q = reader_question(READ_TYPES, t->fd, t->path);
	struct strbuf text _cleanup_(strbuf_release) = {};
	struct error error = {};
	int r;

	if (t->over)
		return -ENOENT;
	strbuf_append(&text, &head, sizeof(head));
	strbuf_append(&text, vaddrs, n * sizeof(*vaddrs));
	strbuf_append(&text, keys, n_structs * sizeof(*keys));
	r = strbuf_error(&text);
	q.data = text.data;
	q.size = text.len;
	q.debug_fd = t->debug_fd;
	q.supplement_fd = t->supplement_fd;
	if (r >= 0)
		r = ask_question(t, &q, n, n_structs, &error, ret);
	/* These two are asked with again. */
	q.debug_fd = q.supplement_fd = -EBADF;
	reader_question_donep(&q);
	if (r >= 0)
		return 0;
	t->over = true;
	if (reader_gave_up(r))
		t->failure = error;
	return r;
}

static uint64_t hash_of(const struct type_key *key)
{
	return hash_mix(hash_mix(1, key->section), key->offset);
}

static bool is_same(const struct type_key *a, const struct type_key *b)
{
	return a->offset == b->offset && a->section == b->section;
}

/* NULL: out of memory, or, without ret_new, not known. */
static struct struct_members *find_struct(struct reader_types *t, const struct type_key *key,
					  bool *ret_new)
{
	for (uint64_t hash = hash_of(key);; hash = hash_mix(hash, 1)) {
		bool is_new = false;
		uint32_t *slot;

		if (ret_new && array_reserve(&t->structs, &t->structs_cap, t->n_structs + 1,
					     sizeof(*t->structs)) < 0)
			return NULL;
		slot = ret_new ? table_put(&t->by_key, hash, &is_new) : table_get(&t->by_key, hash);
		if (!slot)
			return NULL;
		if (is_new) {
			*slot = (uint32_t)t->n_structs++;
			t->structs[*slot] = (struct struct_members){.key = *key};
			*ret_new = true;
		}
		if (is_same(&t->structs[*slot].key, key))
			return &t->structs[*slot];
	}
}

static void complete(struct ctype *c);

/* What an answer says of a struct. */
static void take_struct(struct reader_types *t, const struct type_image *image,
			struct struct_members *ret)
{
	const char *strings;
	const struct lazy_ctype *types = type_image_types(image, &t->arena, complete, t, &strings);

	if (!types)
		return;
	ret->members = type_image_members(image, 0, types, strings, &t->arena);
	ret->n = ret->members ? image->n_members : 0;
	ret->abi = (uint8_t)image->structs[0].abi;
}

/* Asks once for each place, under whatever name the struct is known. */
static void complete(struct ctype *c)
{
	struct lazy_ctype *lazy = (struct lazy_ctype *)c;
	struct type_image *image _cleanup_(type_image_freep) = NULL;
	struct reader_types *t = lazy->owner;
	struct struct_members *s;
	bool is_new = false;

	c->complete = NULL;
	s = find_struct(t, &lazy->key, &is_new);
	if (!s)
		return;
	if (is_new && ask(t, NULL, 0, &lazy->key, 1, &image) >= 0)
		take_struct(t, image, s);
	c->members = s->members;
	c->n_members = s->n;
	c->abi = MAX(c->abi, s->abi);
}

static int keep_function(struct reader_types *t, uint64_t vaddr, const struct function_type *f)
{
	bool is_new = false;
	uint32_t *slot;
	int r;

	r = array_reserve(&t->functions, &t->functions_cap, t->n_functions + 1,
			  sizeof(*t->functions));
	if (r < 0)
		return r;
	slot = table_put(&t->by_vaddr, vaddr, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new)
		*slot = (uint32_t)t->n_functions++;
	t->functions[*slot] = f;
	return 0;
}

static void take_functions(struct reader_types *t, const struct type_image *image,
			   const uint64_t *vaddrs)
{
	const char *strings = NULL;
	const struct lazy_ctype *types = type_image_types(image, &t->arena, complete, t, &strings);

	for (size_t i = 0; i < image->n_functions; i++) {
		const struct function_type *f = NULL;

		if (types && image->functions[i].flags & FLAT_FUNCTION_FOUND)
			f = type_image_function(image, i, types, strings, &t->arena);
		if (keep_function(t, vaddrs[i], f) < 0)
			return;
	}
}

void reader_types_fetch(struct reader_types *t, const uint64_t *vaddrs, size_t n)
{
	while (n > 0 && !t->over) {
		struct type_image *image _cleanup_(type_image_freep) = NULL;
		size_t some = MIN(n, (size_t)TYPE_FUNCTIONS_MAX);

		if (ask(t, vaddrs, some, NULL, 0, &image) < 0)
			return;
		take_functions(t, image, vaddrs);
		vaddrs += some;
		n -= some;
	}
}

int reader_types_find(struct reader_types *t, uint64_t vaddr, const struct function_type **ret)
{
	uint32_t *slot = table_get(&t->by_vaddr, vaddr);

	if (!slot) {
		reader_types_fetch(t, &vaddr, 1);
		slot = table_get(&t->by_vaddr, vaddr);
	}
	if (!slot || !t->functions[*slot])
		return -ENOENT;
	*ret = t->functions[*slot];
	return 0;
}

const char *reader_types_failure(const struct reader_types *t)
{
	return t->failure.message[0] ? t->failure.message : NULL;
}
