/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of placement share: code given as bytes, files to compile, a disassembly. */
#ifndef SONDE_TESTS_PLACE_HELP_H
#define SONDE_TESTS_PLACE_HELP_H

#include <criterion/criterion.h>
#include <fcntl.h>

#include "probe/place_file.h"
#include "symbol/reader_probe.h"

#if defined(__x86_64__)
#define SKIP_ELSEWHERE()
#else
#define SKIP_ELSEWHERE() cr_skip_test("placement is for x86-64")
#endif

/* Of the options that programs are compiled with. Compilers take most of the time, and another
 * build has seen all; with the sanitizers some are enough. */
#if defined(__SANITIZE_ADDRESS__)
enum { EVERY_OPTION = 3 };
#else
enum { EVERY_OPTION = 1 };
#endif

/* A function at 0x1000 of the bytes given. */
#define CODE(...)                                                                                  \
	(struct place_code)                                                                        \
	{                                                                                          \
		.bytes = (const uint8_t[]){__VA_ARGS__}, .size = sizeof((uint8_t[]){__VA_ARGS__}), \
		.vaddr = 0x1000                                                                    \
	}

struct opened {
	struct place_source source;
	int fd;
	struct file_image *image;
	struct symtab *st;
	struct landing_table *landings;
	struct place_file *file;
};

static _unused_ bool open_file(const char *path, struct opened *o)
{
	*o = (struct opened){.fd = open(path, O_RDONLY | O_CLOEXEC)};
	if (o->fd < 0)
		return false;
	cr_assert_eq(reader_file(NULL, o->fd, path, NULL, 0, NULL, &o->image), 0);
	cr_assert_eq(reader_functions(NULL, o->fd, path, NULL, NULL, &o->st), 0);
	cr_assert_eq(reader_landings(NULL, o->fd, path, NULL, &o->landings), 0);
	o->source = (struct place_source){o->image, o->st, o->landings, o->fd};
	cr_assert_eq(place_file_new(&o->source, &o->file), 0);
	return true;
}

static _unused_ void close_file(struct opened *o)
{
	place_file_free(o->file);
	symtab_free(o->st);
	landing_table_free(o->landings);
	file_image_free(o->image);
	close(o->fd);
}

static char place_dir[64];

static _unused_ void make_dir(void)
{
	snprintf(place_dir, sizeof(place_dir), "/tmp/sonde-place-XXXXXX");
	cr_assert_not_null(mkdtemp(place_dir));
}

_printf_(1, 2) static _unused_ void shell(const char *fmt, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	cr_assert_eq(system(command), 0, "%s", command);
}

static _unused_ void remove_dir(void)
{
	shell("rm -rf %s", place_dir);
}

/* Compiles text as place_dir/name with a compiler and options; the path is static. */
static _unused_ const char *compile_text(const char *text, const char *compiler,
					 const char *options)
{
	static char path[128];
	char source[128];
	FILE *f;

	snprintf(source, sizeof(source), "%s/s.%s", place_dir, strstr(compiler, "++") ? "cc" : "c");
	f = fopen(source, "we");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
	snprintf(path, sizeof(path), "%s/program", place_dir);
	shell("%s -w %s -o %s %s", compiler, options, path, source);
	return path;
}

/* Lines of a disassembly, by address. */
struct line {
	uint64_t vaddr;
	char name[16]; /* "ret", "jmp", "jne" …, without prefixes */
	bool is_indirect;
};

struct listing {
	struct line *lines;
	size_t n, cap;
};

static _unused_ struct listing disassemble(const char *path)
{
	struct listing l = {};
	char command[256], text[512];
	FILE *f;

	snprintf(command, sizeof(command), "objdump -dw --no-show-raw-insn %s", path);
	f = popen(command, "re");
	cr_assert_not_null(f);
	while (fgets(text, sizeof(text), f)) {
		static const char *const prefixes[] = {"bnd ",	  "rep ", "repz ", "notrack ",
						       "data16 ", "cs ",  "ds ",   "lock "};
		unsigned long vaddr;
		int n = 0;
		char *at;

		if (sscanf(text, " %lx:%n", &vaddr, &n) != 1 || n == 0 || text[n - 1] != ':')
			continue;
		at = text + n + strspn(text + n, " \t");
		for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
			if (startswith(at, prefixes[i])) {
				at += strlen(prefixes[i]);
				i = -1;
			}
		cr_assert_eq(array_reserve(&l.lines, &l.cap, l.n + 1, sizeof(*l.lines)), 0);
		l.lines[l.n].vaddr = vaddr;
		l.lines[l.n].is_indirect = strchr(at, '*') != NULL;
		snprintf(l.lines[l.n].name, sizeof(l.lines[l.n].name), "%.*s",
			 (int)strcspn(at, " ,\n"), at);
		l.n++;
	}
	pclose(f);
	cr_assert_gt(l.n, 100, "%s has no disassembly", path);
	return l;
}

/* The first line at or behind an address; l->n when there is none. */
static _unused_ size_t line_at(const struct listing *l, uint64_t vaddr)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->lines[middle].vaddr < vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#endif
