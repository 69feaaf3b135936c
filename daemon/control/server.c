/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/server.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control/interface.h"
#include "control/peer.h"
#include "sonde/base/log.h"

enum {
	MAX_CONNECTIONS = 64,
	/* Those who may not use the daemon cannot take all places of those who may. */
	MAX_DENIED_CONNECTIONS = 16,
	MAX_LISTENERS = 8,
	BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
	ACCEPTS_AT_ONCE = 16,
	LOCK_TRIES = 100,
	LOCK_PAUSE_US = 10000,
};

struct listener {
	struct server *server;
	int fd;
	sd_event_source *source;
	char *path; /* NULL: the socket file is not this process's */
	dev_t device;
	ino_t inode;
};

struct server {
	struct peer_context context;
	struct varlink_service *service;
	struct listener *listeners[MAX_LISTENERS];
	size_t n_listeners;
	struct peer *peers[MAX_CONNECTIONS];
	size_t n_peers;
	int spare_fd; /* given up to accept and refuse a connection when descriptors have run out */
	void (*idle)(void *arg);
	void *idle_arg;
};

static void remove_peer(void *arg, struct peer *peer)
{
	struct server *s = arg;

	for (size_t i = 0; i < s->n_peers; i++)
		if (s->peers[i] == peer) {
			s->peers[i] = s->peers[--s->n_peers];
			break;
		}
	peer_free(peer);
	/* The last thing done: it may end the loop. */
	if (!s->n_peers && s->idle)
		s->idle(s->idle_arg);
}

int server_new(sd_event *event, dispatch_t dispatch, void *arg, struct server **ret)
{
	static const struct varlink_service_info info = {
		.vendor = "sonde", .product = "sonded", .version = SONDE_VERSION, .url = ""};
	_cleanup_(server_freep) struct server *s = calloc(1, sizeof(*s));
	struct error error = {};
	int r;

	if (!s)
		return -ENOMEM;
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	r = varlink_service_new(&info, sonde_interface, &s->service, &error);
	if (r < 0) {
		log_debug("the built-in interface: %s", error.message);
		return r;
	}
	s->context = (struct peer_context){
		.event = sd_event_ref(event),
		.service = s->service,
		.dispatch = dispatch,
		.dispatch_arg = arg,
		.closed = remove_peer,
		.closed_arg = s,
	};
	*ret = TAKE_PTR(s);
	return 0;
}

/* Removes the socket file, unless another daemon has put its own there since. */
static void unlink_own(const struct listener *l)
{
	struct stat st;

	if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
		unlink(l->path);
}

static struct listener *listener_free(struct listener *l)
{
	if (!l)
		return NULL;
	sd_event_source_disable_unref(l->source);
	unlink_own(l);
	safe_close(l->fd);
	free(l->path);
	free(l);
	return NULL;
}
DEFINE_CLEANUP(struct listener *, listener_free)

struct server *server_free(struct server *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_listeners; i++)
		listener_free(s->listeners[i]);
	while (s->n_peers)
		peer_free(s->peers[--s->n_peers]);
	varlink_service_free(s->service);
	safe_close(s->spare_fd);
	sd_event_unref(s->context.event);
	free(s);
	return NULL;
}

size_t server_connections(const struct server *s)
{
	return s->n_peers;
}

void server_on_idle(struct server *s, void (*idle)(void *arg), void *arg)
{
	s->idle = idle;
	s->idle_arg = arg;
}

/* The credentials of the process that connected, or made the pair. */
static uint32_t peer_uid(int fd)
{
	struct ucred credentials;
	socklen_t len = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
		return UINT32_MAX;
	return credentials.uid;
}

static bool uid_allowed(uint32_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* The reply to a call that has not been read: the peer finds it when it looks for its answer. */
static void refuse(int fd, const char *why, const char *fix)
{
	_cleanup_(strbuf_release) struct strbuf out = {};
	struct error error = {};

	error_set(&error, EMFILE, "TooMany", "%s", why);
	error_fix(&error, "%s", fix);
	varlink_error_encode_struct(&out, SONDE_INTERFACE, &error);
	if (strbuf_error(&out) == 0)
		(void)!send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	log_debug("refused a connection: %s", why);
}

static size_t count_denied(const struct server *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_peers; i++)
		n += !peer_allowed(s->peers[i]);
	return n;
}

/* Takes over fd in any case. */
static int add_peer(struct server *s, int fd, bool trusted)
{
	_cleanup_(closep) int owned = fd;
	uint32_t uid = peer_uid(fd);
	bool allowed = trusted || uid_allowed(uid);
	int r;

	if (s->n_peers >= MAX_CONNECTIONS ||
	    (!allowed && count_denied(s) >= MAX_DENIED_CONNECTIONS)) {
		refuse(fd, "the daemon has no place for another connection",
		       "end other sonde commands, or try again");
		return -EMFILE;
	}
	r = peer_new(&s->context, fd, uid, allowed, &s->peers[s->n_peers]);
	if (r < 0)
		return r;
	s->n_peers++;
	TAKE_FD(owned);
	return 0;
}

/*
 * Out of descriptors: a connection left in the queue would wake the loop for ever, so it is taken
 * with the spare one and told.
 */
static void refuse_without_fd(struct server *s, int listen_fd)
{
	int fd;

	s->spare_fd = safe_close(s->spare_fd);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		refuse(fd, "the daemon has run out of file descriptors",
		       "raise LimitNOFILE= of sonded.service, or end some sessions");
	safe_close(fd);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct listener *l = arg;

	(void)source, (void)revents;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (peer >= 0) {
			(void)add_peer(l->server, peer, false);
		} else if (errno == EMFILE || errno == ENFILE) {
			log_warn("out of file descriptors: a connection is refused");
			refuse_without_fd(l->server, fd);
			return 0;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return 0;
		}
	}
	return 0;
}

/* Takes over fd and path (which may be NULL) when it succeeds. */
static int add_listener(struct server *s, int fd, char *path)
{
	_cleanup_(listener_freep) struct listener *l = NULL;
	struct stat st;
	int r;

	if (s->n_listeners >= MAX_LISTENERS)
		return -E2BIG;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->server = s;
	l->fd = -EBADF;
	r = sd_event_add_io(s->context.event, &l->source, fd, EPOLLIN, on_connect, l);
	if (r < 0)
		return r;
	if (path && lstat(path, &st) == 0) {
		l->device = st.st_dev;
		l->inode = st.st_ino;
	}
	l->fd = fd;
	l->path = path;
	s->listeners[s->n_listeners++] = TAKE_PTR(l);
	return 0;
}

static int set_flags(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

int server_listen_fd(struct server *s, int fd)
{
	int listening = 0, r;
	socklen_t len = sizeof(listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
		return -errno;
	if (!listening)
		return -EINVAL;
	r = set_flags(fd);
	if (r < 0)
		return r;
	return add_listener(s, fd, NULL);
}

/* Takes over fd in any case. */
int server_add_connection(struct server *s, int fd)
{
	_cleanup_(closep) int owned = fd;
	int type = 0, r;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	if (type != SOCK_STREAM)
		return -EINVAL;
	r = set_flags(fd);
	if (r < 0)
		return r;
	return add_peer(s, TAKE_FD(owned), true);
}

static int make_directories(const char *path, struct error *error)
{
	_cleanup_(freep) char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
			int code = errno;

			error_set(error, code,
				  code == EACCES || code == EPERM ? "PermissionDenied"
								  : "WriteFailed",
				  "cannot make the directory %s: %s", copy, strerror(code));
			error_fix(error, "run sonded as root, or choose another --socket PATH");
			return -code;
		}
		*p = '/';
	}
	return 0;
}

/*
 * Two daemons that start at once must not both find the socket stale. The directory is locked, so
 * that no lock file stays behind; a stranger who holds the lock delays the start by a second.
 */
static int lock_directory(const char *path)
{
	_cleanup_(freep) char *copy = strdup(path);
	char *slash = copy ? strrchr(copy, '/') : NULL;
	int fd;

	if (slash)
		slash[slash == copy] = '\0';
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			break;
		usleep(LOCK_PAUSE_US);
	}
	return fd;
}

/* Makes sure that nobody answers at the address; a socket file that nobody serves is removed. */
static int remove_stale(const struct sockaddr_un *address, struct error *error)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *path = address->sun_path;
	struct stat st;

	if (fd < 0)
		return error_set(error, errno, "Internal", "cannot make a socket: %m");
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0
				       : error_set(error, errno, "WriteFailed",
						   "cannot look at %s: %m", path);
	if (!S_ISSOCK(st.st_mode)) {
		error_set(error, EEXIST, "WriteFailed", "%s is there already and is not a socket",
			  path);
		error_fix(error, "remove it, or choose another --socket PATH");
		return -EEXIST;
	}
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno == EAGAIN) {
		error_set(error, EADDRINUSE, "TooMany", "another daemon answers at %s", path);
		error_fix(error,
			  "stop it (systemctl stop sonded), or choose another --socket PATH");
		return -EADDRINUSE;
	}
	if (errno != ECONNREFUSED && errno != ENOENT)
		return error_set(error, errno, "WriteFailed",
				 "cannot tell whether a daemon answers at %s: %m", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set(error, errno, "WriteFailed", "cannot remove the old socket %s: %m",
				 path);
	return 0;
}

static int listen_at(int fd, const struct sockaddr_un *address, struct error *error)
{
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
	    chmod(address->sun_path, 0666) == 0 && listen(fd, BACKLOG) == 0)
		return 0;
	return error_set(error, errno,
			 errno == EACCES || errno == EPERM ? "PermissionDenied" : "WriteFailed",
			 "cannot listen at %s: %m", address->sun_path);
}

int server_listen(struct server *s, const char *path, struct error *error)
{
	_cleanup_(closep) int fd = -EBADF, lock_fd = -EBADF;
	_cleanup_(freep) char *copy = strdup(path);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r;

	if (!copy)
		return -ENOMEM;
	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return error_set(error, ENAMETOOLONG, "BadArgument",
				 "the path of a socket has 1 to %zu bytes, and this one has %zu",
				 sizeof(address.sun_path) - 1, strlen(path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = make_directories(path, error);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(error, errno, "Internal", "cannot make a socket: %m");
	lock_fd = lock_directory(path);
	r = remove_stale(&address, error);
	if (r < 0)
		return r;
	r = listen_at(fd, &address, error);
	if (r < 0)
		return r;
	r = add_listener(s, fd, copy);
	if (r < 0)
		return error_set(error, -r, "Internal", "cannot serve %s: %s", path, strerror(-r));
	TAKE_FD(fd);
	TAKE_PTR(copy);
	return 0;
}
