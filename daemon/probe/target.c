/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/target.h"

#include "sonde/base/table.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { MAPS_MAX = 64 << 20, STATUS_MAX = 64 << 10 };

static int no_process(pid_t pid, struct error *e)
{
	int r = error_set(e, ESRCH, "NoSuchProcess", "no process has the PID %d", pid);

	error_fix(e, "list running processes with ps -e");
	return r;
}

static int open_failed(const char *path, int code, struct error *e)
{
	int r;

	switch (code) {
	case EACCES:
	case EPERM:
		r = error_set(e, code, "PermissionDenied", "cannot open %s: %s", path,
			      strerror(code));
		error_fix(e, "run sonded as root");
		return r;
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return error_set(e, code, "NoSuchFile", "cannot open %s: %s", path, strerror(code));
	default:
		return error_set(e, code, "BadFile", "cannot open %s: %s", path, strerror(code));
	}
}

/* /proc/TID exists for every thread, too; the kernel's probes want the process. */
static int check_pid(pid_t pid, struct error *e)
{
	_cleanup_(freep) char *status = NULL;
	char path[64], *line;
	int tgid, r;

	if (pid <= 0)
		return error_set(e, EINVAL, "BadArgument", "%d is not a PID", pid);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	r = read_file(path, STATUS_MAX, &status, NULL);
	if (r == -ENOENT || r == -ESRCH)
		return no_process(pid, e);
	if (r < 0)
		return open_failed(path, -r, e);
	line = strstr(status, "\nTgid:");
	if (!line || sscanf(line, "\nTgid: %d", &tgid) != 1)
		return error_set(e, EIO, "Internal", "%s has no Tgid line", path);
	if (tgid != pid) {
		r = error_set(e, ESRCH, "NoSuchProcess", "%d is a thread of process %d", pid, tgid);
		error_fix(e, "name the process: -p %d; its threads are all covered", tgid);
		return r;
	}
	if (strstr(status, "\nState:\tZ"))
		return error_set(e, ESRCH, "NoSuchProcess", "process %d has ended already", pid);
	return 0;
}

int target_check(const struct probe_target *t, struct error *e)
{
	if (t->selected)
		return 0;
	for (size_t i = 0; i < t->n_pids; i++) {
		int r = check_pid(t->pids[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Takes the ownership of path, also when it fails. */
static int add_file(struct target_files *files, const struct target_file *f, char *path)
{
	_cleanup_(freep) char *owned = path;
	const char *slash;
	int r;

	if (!path)
		return -ENOMEM;
	r = array_reserve(&files->items, &files->cap, files->n + 1, sizeof(*files->items));
	if (r < 0)
		return r;
	slash = strrchr(path, '/');
	files->items[files->n] = *f;
	files->items[files->n].path = TAKE_PTR(owned);
	files->items[files->n].name = slash ? slash + 1 : path;
	files->n++;
	return 0;
}

/* Takes " (deleted)" off; the kernel writes it behind the path of a file without a name. */
static bool strip_deleted(char *path)
{
	static const char suffix[] = " (deleted)";
	size_t len = strlen(path), cut = sizeof(suffix) - 1;

	if (len <= cut || !streq(path + len - cut, suffix))
		return false;
	path[len - cut] = '\0';
	return true;
}

/* /proc/PID/maps writes a newline in a path as \012 and nothing else escaped. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++) {
		if (strncmp(from, "\\012", 4) == 0) {
			*to = '\n';
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Puts a line of maps into f: true when it is code from a file. The path stays inside the line. */
static bool parse_mapping(char *line, struct target_file *f, char **ret_path)
{
	unsigned long long start, end, ino;
	unsigned int major, minor;
	char perms[5];
	int at = 0;

	if (sscanf(line, "%llx-%llx %4s %*x %x:%x %llu %n", &start, &end, perms, &major, &minor,
		   &ino, &at) != 6 ||
	    at == 0)
		return false;
	if (perms[0] == '\0' || perms[1] == '\0' || perms[2] != 'x' || !ino || line[at] != '/')
		return false;
	f->start = start;
	f->end = end;
	f->dev = (uint64_t)major << 32 | minor;
	f->ino = ino;
	unescape(line + at);
	f->deleted = strip_deleted(line + at);
	*ret_path = line + at;
	return true;
}

static int list_maps(pid_t pid, struct table *seen, struct target_files *files)
{
	_cleanup_(freep) char *maps = NULL;
	char path[64], *save = NULL;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	r = read_file(path, MAPS_MAX, &maps, NULL);
	if (r < 0)
		return r;
	for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct target_file f = {.pid = pid};
		char *mapped;
		bool new;

		if (!parse_mapping(line, &f, &mapped))
			continue;
		/* By a 64-bit hash: the mapped files of a system are far too few to collide. */
		if (!table_put(seen, hash_mix(hash_mix(f.dev, f.ino), f.ino), &new))
			return -ENOMEM;
		if (!new)
			continue;
		r = add_file(files, &f, strdup(mapped));
		if (r < 0)
			return r;
	}
	return 0;
}

static int list_executable(pid_t pid, struct target_files *files)
{
	struct target_file f = {.pid = pid, .executable = true};
	char link[64], path[4096 + 16];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	f.deleted = strip_deleted(path);
	return add_file(files, &f, strdup(path));
}

static int list_process(pid_t pid, struct table *seen, struct target_files *files, struct error *e)
{
	char path[64];
	int r = list_executable(pid, files);

	if (r == -ENOENT)
		return error_set(e, ESRCH, "NoSuchProcess",
				 "process %d has no program: it has ended or is a kernel thread",
				 pid);
	if (r >= 0)
		r = list_maps(pid, seen, files);
	if (r == -ESRCH || r == -ENOENT)
		return no_process(pid, e);
	if (r < 0 && r != -ENOMEM) {
		snprintf(path, sizeof(path), "/proc/%d/maps", pid);
		return open_failed(path, -r, e);
	}
	return r;
}

static int list_all(struct table *seen, struct target_files *files, struct error *e)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	if (!proc)
		return open_failed("/proc", errno, e);
	while (r != -ENOMEM && (entry = readdir(proc))) {
		uint64_t pid;

		if (parse_u64(entry->d_name, &pid) < 0 || pid > INT32_MAX)
			continue;
		r = list_maps(pid, seen, files);
	}
	closedir(proc);
	return r == -ENOMEM ? r : 0;
}

static int list_into(const struct probe_target *t, struct table *seen, struct target_files *files,
		     struct error *e)
{
	int r;

	for (size_t i = 0; i < t->n_files; i++) {
		struct target_file f = {.executable = i == 0};

		r = add_file(files, &f, strdup(t->files[i]));
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < t->n_pids; i++) {
		struct error ignored = {};

		r = list_process(t->pids[i], seen, files, t->selected ? &ignored : e);
		if (r < 0 && (!t->selected || r == -ENOMEM))
			return r;
	}
	return t->all ? list_all(seen, files, e) : 0;
}

int target_list(const struct probe_target *t, struct target_files *ret_files, struct error *e)
{
	_cleanup_(target_files_release) struct target_files files = {};
	_cleanup_(table_release) struct table seen = {};
	int r;

	r = target_check(t, e);
	if (r < 0)
		return r;
	r = list_into(t, &seen, &files, e);
	if (r < 0)
		return r;
	*ret_files = files;
	files = (struct target_files){};
	return 0;
}

void target_files_release(struct target_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->items[i].path);
	free(files->items);
	*files = (struct target_files){};
}

/* Only a regular file is opened for reading: opening a device or a FIFO may have effects. */
static int open_regular(int path_fd, const char *path, struct error *e)
{
	char link[64];
	struct stat st;
	int fd;

	if (fstat(path_fd, &st) < 0)
		return open_failed(path, errno, e);
	if (S_ISDIR(st.st_mode))
		return error_set(e, EISDIR, "BadFile", "%s is a directory, not a program", path);
	if (!S_ISREG(st.st_mode))
		return error_set(e, EINVAL, "BadFile", "%s is not a regular file", path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? open_failed(path, errno, e) : fd;
}

static int open_at(int dir, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int fd;

	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static int open_in_root(pid_t pid, const char *path)
{
	_cleanup_(closep) int root = -EBADF;
	char link[64];

	if (pid == 0) {
		int fd = open(path, O_PATH | O_CLOEXEC);

		return fd < 0 ? -errno : fd;
	}
	snprintf(link, sizeof(link), "/proc/%d/root", pid);
	root = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno : open_at(root, path);
}

int target_open_path(pid_t pid, const char *path, struct error *e)
{
	_cleanup_(closep) int fd = open_in_root(pid, path);

	if (fd < 0)
		return open_failed(path, -fd, e);
	return open_regular(fd, path, e);
}

/*
 * The links in map_files and exe lead to the file itself, wherever it was moved or deleted, but
 * map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE. Without, the path is followed from the
 * process's root, and must have the inode that is mapped.
 */
int target_open(const struct target_file *f, struct error *e)
{
	_cleanup_(closep) int fd = -EBADF;
	struct stat st;
	char link[96];

	if (!f->pid)
		return target_open_path(0, f->path, e);
	if (f->executable)
		snprintf(link, sizeof(link), "/proc/%d/exe", f->pid);
	else
		snprintf(link, sizeof(link), "/proc/%d/map_files/%lx-%lx", f->pid, f->start,
			 f->end);
	fd = open(link, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		fd = open_in_root(f->pid, f->path);
		if (fd < 0)
			return open_failed(f->path, -fd, e);
		if (f->ino && (fstat(fd, &st) < 0 || st.st_ino != f->ino))
			return error_set(e, ESTALE, "BadFile",
					 "%s was replaced since process %d mapped it", f->path,
					 f->pid);
	}
	return open_regular(fd, f->path, e);
}
