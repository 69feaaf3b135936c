/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sonde/base/format.h"
#include "symbol/flat.h"

#define START_LIMIT_NS (20 * NSEC_PER_SEC)

static void actions_destroyp(posix_spawn_file_actions_t *actions)
{
	posix_spawn_file_actions_destroy(actions);
}

static void attributes_destroyp(posix_spawnattr_t *attributes)
{
	posix_spawnattr_destroy(attributes);
}

/*
 * Signals of a terminal or of a service that ends are the daemon's affair: names are still needed
 * while it completes its recordings. So the child has a session of its own and blocks them.
 */
static int spawn(const char *program, int socket, pid_t *ret)
{
	char *const argv[] = {(char *)"sonded", (char *)READER_OPTION, NULL}, *const env[] = {NULL};
	posix_spawn_file_actions_t actions _cleanup_(actions_destroyp);
	posix_spawnattr_t attributes _cleanup_(attributes_destroyp);
	const int last = READER_IS_SANITIZED ? STDOUT_FILENO : STDERR_FILENO;
	sigset_t blocked, defaults;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGQUIT);
	sigfillset(&defaults);
	posix_spawnattr_setsigmask(&attributes, &blocked);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETSID);
	/* Of the failures below only that of memory is possible, and spawning then fails as well.
	 */
	r = posix_spawn_file_actions_adddup2(&actions, socket, READER_SOCKET);
	for (int fd = 0; fd <= last && r == 0; fd++)
		r = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, READER_SOCKET + 1);
	if (r == 0)
		r = posix_spawn(ret, program, &actions, &attributes, argv, env);
	return -r;
}

/* A descriptor above those that the child's are made to be. */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, READER_SOCKET + 1);

	safe_close(fd);
	return moved;
}

/* True when the process is gone, or is no child any more. */
static bool reap(pid_t pid, int *ret_status)
{
	pid_t r;

	do
		r = waitpid(pid, ret_status, WNOHANG);
	while (r < 0 && errno == EINTR);
	return r != 0;
}

/* -EBUSY when there are as many as there may be. */
static int reap_stuck(struct reader_process *p)
{
	int r = -EBUSY, status;

	for (size_t i = 0; i < READER_STUCK_MAX; i++) {
		if (p->stuck[i] > 0 && reap(p->stuck[i], &status))
			p->stuck[i] = 0;
		if (p->stuck[i] == 0)
			r = 0;
	}
	return r;
}

static void leave_stuck(struct reader_process *p)
{
	for (size_t i = 0; i < READER_STUCK_MAX; i++)
		if (p->stuck[i] == 0) {
			p->stuck[i] = p->pid;
			return;
		}
}

int reader_process_stop(struct reader_process *p)
{
	uint64_t until_ns = now_monotonic_ns() + NSEC_PER_SEC;
	int status = -1;

	if (p->pid <= 0)
		return -1;
	p->socket = safe_close(p->socket);
	/* One that may not be killed ends at its own alarm. */
	(void)kill(p->pid, SIGKILL);
	while (!reap(p->pid, &status)) {
		if (now_monotonic_ns() >= until_ns) {
			leave_stuck(p);
			break;
		}
		usleep(200);
	}
	p->pid = 0;
	return status;
}

static const char *signal_in_words(int number)
{
	switch (number) {
	case SIGSYS:
		return "a bad system call";
	case SIGSEGV:
	case SIGBUS:
		return "a bad memory access";
	case SIGABRT:
		return "a check of its own";
	case SIGXFSZ:
		return "the limit of its answer's size";
	case SIGALRM:
		return "its alarm clock";
	default:
		return sigdescr_np(number) ? sigdescr_np(number) : "a signal";
	}
}

static int died(struct reader_process *p, struct error *error)
{
	int status = reader_process_stop(p);

	/* By nothing that it did itself: somebody else, or a machine that is out of memory. */
	if (status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return error_set(error, EOWNERDEAD, "BadFile",
				 "The reader was killed from outside.");
	if (status != -1 && WIFSIGNALED(status))
		return error_set(error, EPIPE, "BadFile", "The reader was killed by %s.",
				 signal_in_words(WTERMSIG(status)));
	return error_set(error, EPIPE, "BadFile", "The reader ended by itself (status %d).",
			 status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static int confused(struct reader_process *p, struct error *error)
{
	reader_process_stop(p);
	return error_set(error, EPROTO, "BadFile", "The reader answered nonsense.");
}

/* Waits for the answer until the time has come. */
static int receive(struct reader_process *p, uint64_t until_ns, struct error *error,
		   struct reader_answer *ret)
{
	struct pollfd wait = {.fd = p->socket, .events = POLLIN};
	ssize_t n;
	int r;

	do {
		uint64_t now = now_monotonic_ns();

		if (now >= until_ns) {
			reader_process_stop(p);
			return error_set(error, ETIMEDOUT, "BadFile",
					 "The reader took too long and was killed.");
		}
		r = poll(&wait, 1, (int)MIN((until_ns - now) / NSEC_PER_MSEC + 1, 60000));
	} while (r == 0 || (r < 0 && errno == EINTR));
	/* Descriptors, if any came with it, are dropped by the kernel. */
	n = recv(p->socket, ret, sizeof(*ret), MSG_DONTWAIT | MSG_TRUNC);
	if (n <= 0)
		return died(p, error);
	if (n != sizeof(*ret) || ret->seq != p->seq || ret->result > 0 ||
	    ret->result < READER_RESULT_MIN || ret->bytes > FLAT_SIZE_MAX ||
	    ret->identity.build_id_len > BUILD_ID_SIZE)
		return confused(p, error);
	ret->message[READER_MESSAGE_MAX - 1] = '\0';
	ret->link[READER_LINK_MAX - 1] = '\0';
	return 0;
}

static int start(struct reader_process *p, const char *program, struct error *error)
{
	int pair[2], ours _cleanup_(closep) = -EBADF, theirs _cleanup_(closep) = -EBADF, r;
	struct reader_answer greeting;

	if (reap_stuck(p) < 0)
		return error_set(
			error, EBUSY, "Internal",
			"The reader is not started: %d that were killed hang in the kernel.",
			READER_STUCK_MAX);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(error, errno, "Internal", "The reader cannot be started: %s.",
				 strerror(errno));
	ours = pair[0];
	theirs = move_up(pair[1]);
	r = theirs < 0 ? -errno : spawn(program, theirs, &p->pid);
	if (r < 0) {
		p->pid = 0;
		return error_set(error, -r, "Internal", "The reader cannot be started: %s.",
				 strerror(-r));
	}
	theirs = safe_close(theirs);
	p->socket = TAKE_FD(ours);
	p->seq = 0;
	r = receive(p, now_monotonic_ns() + START_LIMIT_NS, error, &greeting);
	/* Whatever it was, no file has to do with it. */
	if (r < 0)
		return -ECHILD;
	if (greeting.result < 0) {
		reader_process_stop(p);
		return error_set(error, -greeting.result, "Internal", "%s", greeting.message);
	}
	return 0;
}

static int send_request(struct reader_process *p, const struct reader_request *q, const int *fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(READER_FDS * sizeof(int))];
	} control = {};
	struct iovec data = {(void *)q, sizeof(*q)};
	struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1};
	struct cmsghdr *c;
	ssize_t n;

	if (q->n_fds > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(q->n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(q->n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, q->n_fds * sizeof(int));
	}
	do
		n = sendmsg(p->socket, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* It ended, or says something, while nobody asked: no fault of the file that is asked for next. */
static bool is_done_with(const struct reader_process *p)
{
	struct pollfd idle = {.fd = p->socket, .events = POLLIN};

	return poll(&idle, 1, 0) != 0;
}

int reader_process_ask(struct reader_process *p, const char *program, enum reader_kind kind,
		       const int *fds, size_t n, uint64_t limit_ns, struct error *error,
		       struct reader_answer *ret)
{
	struct reader_request q = {.kind = kind, .n_fds = n};
	int r;

	if (p->pid > 0 && is_done_with(p))
		reader_process_stop(p);
	if (p->pid <= 0) {
		r = start(p, program, error);
		if (r < 0)
			return r;
	}
	q.seq = ++p->seq;
	q.limit_s = (uint32_t)MIN(2 * (limit_ns / NSEC_PER_SEC + 1), 3600);
	if (send_request(p, &q, fds) < 0)
		return died(p, error);
	r = receive(p, now_monotonic_ns() + limit_ns, error, ret);
	if (r >= 0 && ret->kind != kind)
		return confused(p, error);
	return r;
}
