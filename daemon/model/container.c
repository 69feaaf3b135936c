/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/container.h"

#include <ctype.h>
#include <fnmatch.h>

enum { HEX_ID_LEN = 64, TASK_ID_LEN = 32, SHORT_ID_LEN = 12 };

/* A directory of a path. */
struct part {
	const char *s;
	size_t len;
};

static bool part_is(struct part p, const char *s)
{
	return p.len == strlen(s) && memcmp(p.s, s, p.len) == 0;
}

static bool part_begins(struct part *p, const char *s)
{
	size_t len = strlen(s);

	if (p->len < len || memcmp(p->s, s, len) != 0)
		return false;
	*p = (struct part){p->s + len, p->len - len};
	return true;
}

static bool part_ends(struct part *p, const char *s)
{
	size_t len = strlen(s);

	if (p->len < len || memcmp(p->s + p->len - len, s, len) != 0)
		return false;
	p->len -= len;
	return true;
}

static bool all_hex(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)s[i]) && !(s[i] >= 'a' && s[i] <= 'f'))
			return false;
	return true;
}

static bool copy(struct part p, char *ret)
{
	if (p.len == 0 || p.len >= CONTAINER_ID_SIZE)
		return false;
	memcpy(ret, p.s, p.len);
	ret[p.len] = '\0';
	return true;
}

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}

/* As systemd names its units: web\x2d1 is web-1. */
static bool copy_unescaped(struct part p, char *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < p.len; i++) {
		bool escaped = i + 3 < p.len && p.s[i] == '\\' && p.s[i + 1] == 'x';
		int high = escaped ? hex_value(p.s[i + 2]) : -1;
		int low = escaped ? hex_value(p.s[i + 3]) : -1;

		if (n + 1 >= CONTAINER_ID_SIZE)
			return false;
		if (high >= 0 && low >= 0 && (high | low)) {
			ret[n++] = (char)(high << 4 | low);
			i += 3;
		} else {
			ret[n++] = p.s[i];
		}
	}
	ret[n] = '\0';
	return n > 0;
}

/*
 * ID, docker-ID.scope, libpod-ID.scope, libpod-payload-ID, crio-ID, cri-containerd-ID.scope,
 * kubepods-podUID.slice:cri-containerd:ID. In libpod-conmon-ID.scope is what watches the container.
 */
static bool has_hex_id(struct part p, char *ret)
{
	struct part id;

	part_ends(&p, ".scope");
	if (p.len < HEX_ID_LEN)
		return false;
	p.len -= HEX_ID_LEN;
	id = (struct part){p.s + p.len, HEX_ID_LEN};
	if (!all_hex(id.s, id.len))
		return false;
	if (p.len > 0 && p.s[p.len - 1] != '-' && p.s[p.len - 1] != ':')
		return false;
	return !part_ends(&p, "conmon-") && copy(id, ret);
}

/* Of ECS on Fargate: a task's 32 digits, a dash, and a decimal number. */
static bool is_task_id(struct part p, char *ret)
{
	if (p.len < TASK_ID_LEN + 2 || !all_hex(p.s, TASK_ID_LEN) || p.s[TASK_ID_LEN] != '-')
		return false;
	for (size_t i = TASK_ID_LEN + 1; i < p.len; i++)
		if (!isdigit((unsigned char)p.s[i]))
			return false;
	return copy(p, ret);
}

static bool is_good_or_bad(struct part p)
{
	return part_is(p, "good") || part_is(p, "bad");
}

/* Runtimes that name containers as users do. before: the two directories above. */
static bool has_name(struct part p, const struct part before[2], char *ret)
{
	struct part name = p;

	if (part_begins(&name, "lxc.payload."))
		return copy(name, ret);
	if (part_is(before[0], "lxc") || part_is(before[0], "lxc.payload"))
		return copy(name, ret);
	/* Of libvirt's virtual machines it is machine-qemu\x2d1\x2dNAME.scope. */
	if (part_begins(&name, "machine-") && part_ends(&name, ".scope"))
		return !part_begins(&name, "qemu\\x2d") && copy_unescaped(name, ret);
	name = p;
	if (part_begins(&name, "systemd-nspawn@") && part_ends(&name, ".service"))
		return copy_unescaped(name, ret);
	/* Garden throttles in groups of its own: garden/bad/HANDLE. */
	if (part_is(before[0], "garden") ||
	    (is_good_or_bad(before[0]) && part_is(before[1], "garden")))
		return !is_good_or_bad(p) && copy(p, ret);
	return false;
}

bool container_of_path(const char *path, char ret[CONTAINER_ID_SIZE])
{
	struct part before[2] = {{"", 0}, {"", 0}};
	char id[CONTAINER_ID_SIZE];
	bool found = false;

	while (*path) {
		struct part p = {path, strcspn(path, "/")};

		path += p.len + (path[p.len] == '/');
		if (p.len == 0)
			continue;
		if (has_hex_id(p, id) || is_task_id(p, id) || has_name(p, before, id)) {
			strcpy(ret, id);
			found = true;
		}
		before[1] = before[0];
		before[0] = p;
	}
	return found;
}

enum hierarchy { UNIFIED, SYSTEMD, OTHER, N_HIERARCHIES };

/* The path in "4:memory:/docker/…", which may have colons itself; NULL: not such a line. */
static char *split_line(char *line, enum hierarchy *ret)
{
	char *controllers = strchr(line, ':'), *path;

	if (!controllers)
		return NULL;
	path = strchr(++controllers, ':');
	if (!path || path[1] != '/')
		return NULL;
	*path++ = '\0';
	*ret = !*controllers ? UNIFIED : streq(controllers, "name=systemd") ? SYSTEMD : OTHER;
	return path;
}

void cgroup_parse(char *text, struct cgroup_place *ret)
{
	const char *paths[N_HIERARCHIES] = {NULL};
	char containers[N_HIERARCHIES][CONTAINER_ID_SIZE] = {""};
	enum hierarchy h;

	*ret = (struct cgroup_place){.path = ""};
	for (char *line = text, *next; *line; line = next) {
		char *path, *gone;

		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		path = split_line(line, &h);
		if (!path)
			continue;
		/* The kernel's mark for a group that was removed while the process was in it. */
		gone = strrchr(path, ' ');
		if (gone && gone != path && streq(gone, " (deleted)"))
			*gone = '\0';
		if (!paths[h] || streq(paths[h], "/"))
			paths[h] = path;
		if (!containers[h][0])
			(void)container_of_path(path, containers[h]);
	}
	for (h = UNIFIED; h < N_HIERARCHIES && !ret->container[0]; h++)
		strcpy(ret->container, containers[h]);
	/* Where there is version 2, the groups of other controllers are none of systemd's. */
	for (h = UNIFIED; h < (paths[UNIFIED] ? OTHER : N_HIERARCHIES); h++)
		if (paths[h] && (!*ret->path || streq(ret->path, "/")))
			ret->path = paths[h];
}

uint32_t ns_pid_parse(const char *status)
{
	const char *line = strstr(status, "\nNSpid:");
	unsigned long value = 0;
	size_t n = 0;

	if (!line)
		return 0;
	line += strlen("\nNSpid:");
	for (;;) {
		char *end;

		line += strspn(line, " \t");
		if (!isdigit((unsigned char)*line))
			break;
		value = strtoul(line, &end, 10);
		line = end;
		n++;
	}
	return n > 1 && value <= INT32_MAX ? (uint32_t)value : 0;
}

bool container_matches(const char *pattern, const char *container)
{
	size_t len = strlen(pattern);

	if (!*container)
		return false;
	if (fnmatch(pattern, container, 0) == 0)
		return true;
	return len >= SHORT_ID_LEN && strlen(container) == HEX_ID_LEN && all_hex(pattern, len) &&
	       startswith(container, pattern);
}
