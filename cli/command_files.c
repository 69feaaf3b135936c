/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command_files.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "spawn.h"

void file_list_release(struct file_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->paths[i]);
	free(list->paths);
	*list = (struct file_list){0};
}

static int add_file(struct file_list *list, const char *path)
{
	_cleanup_(freep) char *real = realpath(path, NULL);

	if (!real)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (size_t i = 0; i < list->n; i++)
		if (streq(list->paths[i], real))
			return 0;
	if (array_reserve(&list->paths, &list->cap, list->n + 1, sizeof(*list->paths)) < 0)
		return -ENOMEM;
	list->paths[list->n++] = TAKE_PTR(real);
	return 0;
}

static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : -EACCES;
}

int find_program(const char *name, char **ret_path)
{
	const char *env = getenv("PATH");
	_cleanup_(freep) char *dirs = strdup(env ? env : "/usr/local/bin:/usr/bin:/bin");
	char *rest = dirs, *dir, *path;
	int result = -ENOENT;

	if (!dirs)
		return -ENOMEM;
	if (strchr(name, '/')) {
		result = executable(name);
		if (result < 0)
			return result;
		path = strdup(name);
		if (!path)
			return -ENOMEM;
		*ret_path = path;
		return 0;
	}
	while ((dir = strsep(&rest, ":"))) {
		int r;

		if (asprintf(&path, "%s/%s", *dir ? dir : ".", name) < 0)
			return -ENOMEM;
		r = executable(path);
		if (r == 0) {
			*ret_path = path;
			return 0;
		}
		free(path);
		if (r == -EACCES)
			result = -EACCES;
	}
	return result;
}

/* The dynamic loader a 64-bit ELF program asks for; "" when it asks for none. */
static void read_interp(int fd, char interp[static PATH_MAX])
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	interp[0] = '\0';
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(segment))
		return;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		ssize_t n;

		if (header.e_phoff > INT64_MAX - i * sizeof(segment) ||
		    pread(fd, &segment, sizeof(segment),
			  (off_t)(header.e_phoff + i * sizeof(segment))) != sizeof(segment))
			return;
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_filesz < 2 || segment.p_filesz > PATH_MAX ||
		    segment.p_offset > INT64_MAX)
			return;
		n = pread(fd, interp, segment.p_filesz, (off_t)segment.p_offset);
		interp[n == (ssize_t)segment.p_filesz ? n - 1 : 0] = '\0';
		return;
	}
}

/* "\tlibc.so.6 => /lib/libc.so.6 (0x…)", or "\t/lib64/ld-linux-x86-64.so.2 (0x…)". */
static int parse_library(char *line, struct file_list *list)
{
	char *path = strstr(line, "=> ");
	char *end;

	path = path ? path + 3 : line + strspn(line, " \t");
	end = strstr(path, " (0x");
	if (*path != '/' || !end)
		return 0;
	*end = '\0';
	return add_file(list, path);
}

/* The loader itself says what it would map; LD_LIBRARY_PATH and LD_PRELOAD count, as they will. */
static int list_libraries(const char *interp, const char *program, struct file_list *list)
{
	_cleanup_(fclosep) FILE *f = NULL;
	_cleanup_(freep) char *line = NULL;
	size_t cap = 0;
	int fds[2], r = 0, status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		spawn_reset_signals();
		dup2(null, STDIN_FILENO);
		dup2(null, STDERR_FILENO);
		dup2(fds[1], STDOUT_FILENO);
		setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
		execl(interp, interp, "--list", program, (char *)NULL);
		_exit(127);
	}
	safe_close(fds[1]);
	f = fdopen(fds[0], "r");
	if (!f)
		safe_close(fds[0]);
	while (f && pid > 0 && r >= 0 && getline(&line, &cap, f) > 0)
		r = parse_library(line, list);
	if (pid < 0)
		return -EAGAIN;
	waitpid(pid, &status, 0);
	return r;
}

/* What "#!/usr/bin/env python3" executes in the end is python3. */
static int read_shebang(int fd, char **ret_interpreter)
{
	char head[256], *word, *rest = head + 2;
	ssize_t n = pread(fd, head, sizeof(head) - 1, 0);

	if (n < 3 || head[0] != '#' || head[1] != '!')
		return 0;
	head[n] = '\0';
	head[strcspn(head, "\n")] = '\0';
	rest += strspn(rest, " \t");
	word = strsep(&rest, " \t");
	if (rest && (streq(word, "/usr/bin/env") || streq(word, "/bin/env"))) {
		char *name;

		while ((name = strsep(&rest, " \t")))
			if (*name && *name != '-' && !strchr(name, '='))
				return find_program(name, ret_interpreter) < 0 ? 0 : 1;
		return 0;
	}
	*ret_interpreter = strdup(word);
	return *ret_interpreter ? 1 : -ENOMEM;
}

static int list_program(const char *program, struct file_list *list, unsigned int depth)
{
	_cleanup_(closep) int fd = open(program, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) char *interpreter = NULL;
	char interp[PATH_MAX + 1];
	int r;

	/* May be executed but not read: the daemon, which can, is told its path at least. */
	if (fd < 0)
		return add_file(list, program);
	r = read_shebang(fd, &interpreter);
	if (r < 0)
		return r;
	if (r > 0 && depth < 4) {
		r = list_program(interpreter, list, depth + 1);
		return r < 0 ? r : add_file(list, program);
	}
	r = add_file(list, program);
	if (r < 0)
		return r;
	read_interp(fd, interp);
	return interp[0] == '/' ? list_libraries(interp, program, list) : 0;
}

int list_files(const char *program, struct file_list *list)
{
	return list_program(program, list, 0);
}
