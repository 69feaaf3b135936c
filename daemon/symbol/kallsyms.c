/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/kallsyms.h"

#include <ctype.h>
#include <inttypes.h>

#include "sonde/base/strbuf.h"
#include "symbol/symtab_internal.h"

#define FUNCTION_SIZE_MAX (1ULL << 20)
enum { MODULES_MAX = 65535, LINES_MAX = 16 << 20, NAME_MAX_LEN = 1023 };

/* Symbols that are not functions stay only as the end of the function before them. */
struct entry {
	uint64_t address;
	uint32_t name;
	uint16_t module; /* index in modules; 0 is the kernel itself */
	uint8_t rank;	 /* among aliases, the least is the best known name */
	uint8_t function;
};

struct kallsyms {
	struct entry *entries;
	size_t len, cap, n_functions;
	struct strbuf names;
	uint32_t *modules; /* offsets in names */
	size_t n_modules, modules_cap;
};

struct kallsyms *kallsyms_free(struct kallsyms *ks)
{
	if (!ks)
		return NULL;
	free(ks->entries);
	free(ks->modules);
	strbuf_release(&ks->names);
	free(ks);
	return NULL;
}

size_t kallsyms_len(const struct kallsyms *ks)
{
	return ks->n_functions;
}

size_t kallsyms_memory(const struct kallsyms *ks)
{
	return sizeof(*ks) + ks->cap * sizeof(*ks->entries) + ks->names.cap +
	       ks->modules_cap * sizeof(*ks->modules);
}

/* Adds a name to the arena with its final NUL. */
static uint32_t add_name(struct kallsyms *ks, const char *name, size_t len)
{
	uint32_t at = ks->names.len;

	strbuf_append(&ks->names, name, len);
	strbuf_putc(&ks->names, '\0');
	return at;
}

static int find_module(struct kallsyms *ks, const char *module, uint16_t *ret)
{
	int r;

	/* The lines of a module are together, so it is nearly always the last one. */
	for (size_t i = ks->n_modules; i-- > 0;)
		if (streq(ks->names.data + ks->modules[i], module)) {
			*ret = i;
			return 0;
		}
	if (ks->n_modules >= MODULES_MAX)
		return -EFBIG;
	r = array_reserve(&ks->modules, &ks->modules_cap, ks->n_modules + 1, sizeof(*ks->modules));
	if (r < 0)
		return r;
	ks->modules[ks->n_modules] = add_name(ks, module, strlen(module));
	*ret = ks->n_modules++;
	return strbuf_error(&ks->names);
}

/* "ffffffff81000000 T _stext" or "ffffffffc0000000 t init_once\t[ext4]" */
static int add_line(struct kallsyms *ks, char *line)
{
	char *end, *name, *module = "";
	struct entry e = {};
	size_t len;
	int r;

	errno = 0;
	e.address = strtoull(line, &end, 16);
	if (end == line || errno != 0 || end[0] != ' ' || !end[1] || end[2] != ' ')
		return 0;
	e.function = strchr("tTwW", end[1]) != NULL;
	name = end + 3;
	len = strcspn(name, " \t\n");
	if (len == 0 || len > NAME_MAX_LEN)
		return 0;
	if (name[len] == '\t' && name[len + 1] == '[') {
		module = name + len + 2;
		module[strcspn(module, "]\n")] = '\0';
	}
	name[len] = '\0';

	e.rank = symbol_underscores(name, len) | (isupper((unsigned char)end[1]) ? 0 : 0x80);
	if (e.function) {
		r = find_module(ks, module, &e.module);
		if (r < 0)
			return r;
		e.name = add_name(ks, name, len);
	}
	r = array_reserve(&ks->entries, &ks->cap, ks->len + 1, sizeof(*ks->entries));
	if (r < 0)
		return r;
	ks->entries[ks->len++] = e;
	return ks->names.len > UINT32_MAX / 2 ? -EFBIG : strbuf_error(&ks->names);
}

static int compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->function != b->function)
		return (int)b->function - a->function;
	if (a->rank != b->rank)
		return (int)a->rank - b->rank;
	return (a->name > b->name) - (a->name < b->name);
}

/* Of data symbols in a row only the first is needed, and none that shares a function's address. */
static void compact(struct kallsyms *ks)
{
	struct entry *shrunk;
	size_t n = 0;

	if (ks->len == 0)
		return;
	qsort(ks->entries, ks->len, sizeof(*ks->entries), compare);
	for (size_t i = 0; i < ks->len; i++) {
		const struct entry *e = &ks->entries[i];

		if (!e->function && (n == 0 || !ks->entries[n - 1].function ||
				     ks->entries[n - 1].address == e->address))
			continue;
		ks->n_functions += e->function;
		ks->entries[n++] = *e;
	}
	ks->len = n;
	shrunk = n > 0 ? realloc(ks->entries, n * sizeof(*shrunk)) : NULL;
	if (shrunk) {
		ks->entries = shrunk;
		ks->cap = n;
	}
}

static int read_lines(struct kallsyms *ks, FILE *file)
{
	char *line _cleanup_(freep) = NULL;
	size_t size = 0;
	uint16_t kernel;
	int r;

	r = find_module(ks, "", &kernel);
	for (size_t i = 0; r >= 0 && i < LINES_MAX && getline(&line, &size, file) > 0; i++)
		r = add_line(ks, line);
	if (r >= 0 && ferror(file))
		return -EIO;
	return r;
}

int kallsyms_load(const char *path, struct error *error, struct kallsyms **ret)
{
	struct kallsyms *ks _cleanup_(kallsyms_freep) = NULL;
	FILE *file _cleanup_(fclosep) = NULL;
	bool hidden = true;
	int r;

	if (!path)
		path = "/proc/kallsyms";
	file = fopen(path, "re");
	if (!file)
		return error_set(error, errno, "NotSupported", "Cannot open %s: %s.", path,
				 strerror(errno));
	ks = calloc(1, sizeof(*ks));
	if (!ks)
		return -ENOMEM;
	r = read_lines(ks, file);
	if (r < 0)
		return error_set(error, -r, "NotSupported", "Cannot read %s: %s.", path,
				 strerror(-r));
	for (size_t i = 0; i < ks->len && hidden; i++)
		hidden = ks->entries[i].address == 0;
	compact(ks);
	if (ks->n_functions == 0)
		return error_set(error, ENODATA, "NotSupported", "%s lists no functions.", path);
	if (hidden) {
		r = error_set(
			error, EPERM, "NotSupported",
			"The kernel hides its addresses in %s, so kernel functions have no names.",
			path);
		error_fix(error,
			  "Run sonded with CAP_SYSLOG, and set kernel.kptr_restrict to 0 or 1.");
		return r;
	}
	*ret = TAKE_PTR(ks);
	return 0;
}

int kallsyms_lookup(const struct kallsyms *ks, uint64_t address, char *name, size_t name_size,
		    uint64_t *ret_offset)
{
	size_t low = 0, high = ks->len;
	const struct entry *e;
	const char *module;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ks->entries[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return -ENOENT;
	e = &ks->entries[low - 1];
	while (e > ks->entries && e[-1].address == e->address)
		e--;
	if (!e->function || address - e->address >= FUNCTION_SIZE_MAX)
		return -ENOENT;
	module = ks->names.data + ks->modules[e->module];
	if (module[0])
		snprintf(name, name_size, "%s [%s]", ks->names.data + e->name, module);
	else
		snprintf(name, name_size, "%s", ks->names.data + e->name);
	*ret_offset = address - e->address;
	return 0;
}

int kallsyms_each(const struct kallsyms *ks,
		  int (*fn)(const char *name, const char *module, uint64_t address, void *data),
		  void *data)
{
	for (size_t i = 0; i < ks->len; i++) {
		const struct entry *e = &ks->entries[i];
		int r;

		if (!e->function)
			continue;
		r = fn(ks->names.data + e->name, ks->names.data + ks->modules[e->module],
		       e->address, data);
		if (r != 0)
			return r;
	}
	return 0;
}
