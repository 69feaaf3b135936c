/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/keeper.h"

#include "control/frame_names.h"
#include "sonde/base/format.h"
#include "sonde/base/log.h"

enum {
	MAX_WAITING = 64, /* windows that wait for a disk with room */
	MAX_LIFE = 30,	  /* starts and ends of processes a window: most machines have fewer */
	TEND_SECONDS = 30,
	RETRY_SECONDS = 10,
};

/* A session in the store: what the worker needs to note it, again and again. */
struct kept {
	const struct session *session; /* the main thread's; NULL: it has ended */
	char *name, *targets, **specs, *where, *begin;
	struct store_session row; /* points to the above */
	int64_t id;		  /* the worker's: its row */
	uint32_t file;		  /* the worker's: in which file of those it has opened; 0: none */
	struct kept *next;
};

struct pending {
	struct kept *kept;
	struct history_batch *batch;
	struct pending *next;
};

struct keeper {
	struct keeper_options options;
	char *dir, *path;
	struct worker *worker;
	struct kept *sessions; /* the first one last */
	struct history_sent sent;
	struct keeper_status status;		  /* as of the last job */
	struct history_event_item life[MAX_LIFE]; /* of processes, since the last window */
	uint32_t n_life;
	uint64_t more_life; /* that there was no room for */
	uint32_t *ended;    /* processes that have ended since the last window */
	size_t n_ended, ended_cap;
	uint64_t tended_ns;

	/* The worker's. */
	struct history *store;
	struct pending *first, *last;
	size_t n_pending;
	uint64_t retry_ns;
	struct keeper_status now;
	bool gave_up;
	bool is_damaged; /* found by the job that runs */
	uint32_t file;	 /* how many were opened */
};

static struct kept *kept_free(struct kept *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; p->specs && i < p->row.n_specs; i++)
		free(p->specs[i]);
	free(p->specs);
	free(p->name);
	free(p->targets);
	free(p->where);
	free(p->begin);
	free(p);
	return NULL;
}
DEFINE_CLEANUP(struct kept *, kept_free)

/* The worker's part. */

static void note_problem(struct keeper *k, const struct error *error)
{
	if (!streq(k->now.problem, error->message))
		log_warn("the history is not written: %s", error->message);
	snprintf(k->now.problem, sizeof(k->now.problem), "%s", error->message);
}

static void say_what_was_found(struct keeper *k, struct kept *kept, struct history_found *found)
{
	uint64_t now_ns = now_monotonic_ns();
	char text[1200], clock[FORMAT_MAX];
	struct error error = {};

	if (found->set_aside) {
		snprintf(text, sizeof(text), "the store was damaged (%s) and is now %s",
			 found->damage, found->set_aside);
		log_warn("%s", text);
		(void)history_event(k->store, kept->id, now_ns, "set-aside", 0, text, &error);
	}
	if (!found->was_there || !found->last_seen_us)
		return;
	format_clock(clock, found->last_seen_us);
	if (found->unclean) {
		snprintf(text, sizeof(text),
			 "the daemon before ended without notice: what came after %s is missing",
			 clock);
		(void)history_event(k->store, kept->id, now_ns - 1, "killed", 0, text, &error);
	}
}

static bool begin_session(struct keeper *k, struct kept *kept, struct error *error)
{
	if (kept->file == k->file)
		return true;
	if (history_begin_session(k->store, &kept->row, error, &kept->id) < 0)
		return false;
	kept->file = k->file;
	return true;
}

/* Opens the store unless it is; sessions are noted in it anew. */
static bool have_store(struct keeper *k, struct kept *kept, struct error *error)
{
	struct history_found found = {};

	if (!k->store) {
		if (now_monotonic_ns() < k->retry_ns)
			return false;
		k->retry_ns = now_monotonic_ns() + RETRY_SECONDS * NSEC_PER_SEC;
		if (history_open(k->options.dir, &k->options.limits, error, &found, &k->store) < 0)
			return false;
		k->retry_ns = 0;
		k->file++;
	}
	if (!begin_session(k, kept, error)) {
		free(found.set_aside);
		return false;
	}
	say_what_was_found(k, kept, &found);
	free(found.set_aside);
	return true;
}

/* It is set aside when it is opened next; rows of sessions are made anew. */
static void close_damaged(struct keeper *k)
{
	k->store = history_free(k->store);
	k->is_damaged = true;
}

static struct pending *pending_free(struct pending *p)
{
	if (p)
		history_batch_free(p->batch);
	free(p);
	return NULL;
}

static void give_up(struct keeper *k)
{
	while (k->first) {
		struct pending *p = k->first;

		k->first = p->next;
		pending_free(p);
		k->now.lost++;
	}
	k->last = NULL;
	k->n_pending = 0;
	k->gave_up = true;
}

static int write_batch(struct keeper *k, const struct pending *p, struct error *error)
{
	_cleanup_(frame_names_release) struct frame_names shown = {.symbolizer =
									   k->options.symbolizer};

	history_each_unnamed(k->store, p->batch, frame_names_note, &shown);
	frame_names_prepare(&shown, DEMANGLE_SHORT);
	return history_write(k->store, p->kept->id, p->batch, processes_name_frame,
			     k->options.symbolizer, error);
}

/* Writes what waits, in its order; what fails stays. */
static void write_pending(struct keeper *k)
{
	uint64_t written = k->now.written;

	while (k->first) {
		struct pending *p = k->first;
		struct error error = {};
		int r;

		if (!have_store(k, p->kept, &error)) {
			if (error.name[0])
				note_problem(k, &error);
			break;
		}
		r = write_batch(k, p, &error);
		if (r == -EBADMSG)
			close_damaged(k);
		if (r < 0 && r != -ESTALE) {
			note_problem(k, &error);
			break;
		}
		k->now.lost += r == -ESTALE;
		k->gave_up |= r == -ESTALE;
		k->now.written += r >= 0;
		if (r >= 0)
			k->now.problem[0] = '\0';
		k->first = p->next;
		if (!k->first)
			k->last = NULL;
		k->n_pending--;
		pending_free(p);
	}
	if (k->n_pending > MAX_WAITING)
		give_up(k);
	if (k->store && k->now.written != written)
		(void)history_stats(k->store, &k->now.store);
	k->now.waiting = k->n_pending;
}

enum job_kind { JOB_WRITE, JOB_EVENT, JOB_TEND, JOB_BEGIN, JOB_END, JOB_SETTLE, JOB_CLOCK };

struct keeper_job {
	enum job_kind kind;
	struct keeper *keeper;
	struct kept *kept;
	struct history_batch *batch;
	/* of an event; detail: of JOB_CLOCK, too */
	uint64_t time_ns;
	char *event, *text;
	int64_t detail;
	/* the outcome, for the main thread */
	struct keeper_status status;
	bool gave_up;
	void (*done)(void *arg);
	void *arg;
};

static void push(struct keeper *k, struct kept *kept, struct history_batch *batch)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p) {
		history_batch_free(batch);
		give_up(k);
		return;
	}
	*p = (struct pending){.kept = kept, .batch = batch};
	if (k->last)
		k->last->next = p;
	else
		k->first = p;
	k->last = p;
	k->n_pending++;
}

static void run_event(struct keeper *k, const struct keeper_job *j, struct error *error)
{
	if (have_store(k, j->kept, error) &&
	    history_event(k->store, j->kept->id, j->time_ns, j->event, j->detail, j->text, error) ==
		    -EBADMSG)
		close_damaged(k);
}

static void tend(struct keeper *k, struct error *error)
{
	int r;

	if (!k->store)
		return;
	r = history_maintain(k->store, now_epoch_us(), error);
	if (r == -EBADMSG)
		close_damaged(k);
	else
		(void)history_stats(k->store, &k->now.store);
}

/* Windows before were written by the clock of the row that ends here, as far as they could be. */
static void change_clock(struct keeper *k, const struct keeper_job *j)
{
	struct store_session *row = &j->kept->row;
	int64_t by_us = (j->detail - row->monotonic_to_epoch_ns) / (int64_t)NSEC_PER_USEC;
	struct error error = {};

	if (k->store && j->kept->file == k->file)
		(void)history_end_session(k->store, j->kept->id, now_epoch_us() - (uint64_t)by_us,
					  &error);
	row->monotonic_to_epoch_ns = j->detail;
	row->started_us = now_epoch_us();
	j->kept->file = 0;
	if (have_store(k, j->kept, &error))
		(void)history_stats(k->store, &k->now.store);
}

static void job_run(void *arg)
{
	struct keeper_job *j = arg;
	struct keeper *k = j->keeper;
	struct error error = {};

	switch (j->kind) {
	case JOB_WRITE:
		push(k, j->kept, TAKE_PTR(j->batch));
		break;
	case JOB_EVENT:
		run_event(k, j, &error);
		break;
	case JOB_TEND:
		tend(k, &error);
		break;
	case JOB_BEGIN:
		if (have_store(k, j->kept, &error))
			(void)history_stats(k->store, &k->now.store);
		break;
	case JOB_CLOCK:
	case JOB_END:
	case JOB_SETTLE:
		break;
	}
	write_pending(k);
	if (j->kind == JOB_END && k->store && j->kept->file == k->file)
		(void)history_end_session(k->store, j->kept->id, now_epoch_us(), &error);
	if (j->kind == JOB_CLOCK)
		change_clock(k, j);
	if (error.name[0])
		note_problem(k, &error);
	if (k->is_damaged)
		give_up(k);
	k->is_damaged = false;
	j->status = k->now;
	j->gave_up = k->gave_up;
	k->gave_up = false;
}

/* The main thread's part. */

static void keeper_job_free(struct keeper_job *j)
{
	history_batch_free(j->batch);
	free(j->event);
	free(j->text);
	free(j);
}

static void job_done(void *arg, bool cancelled)
{
	struct keeper_job *j = arg;
	struct keeper *k = j->keeper;

	if (!cancelled) {
		k->status = j->status;
		if (j->gave_up)
			history_sent_reset(&k->sent);
		if (j->gave_up && k->sessions)
			keeper_event(k, NULL, "lost", (int64_t)k->status.lost,
				     "windows could not be written and were given up");
	}
	if (j->done)
		j->done(j->arg);
	keeper_job_free(j);
}

static int submit(struct keeper *k, const struct keeper_job *job)
{
	struct keeper_job *j = malloc(sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	*j = *job;
	j->keeper = k;
	r = worker_submit(k->worker, job_run, job_done, j);
	if (r < 0)
		free(j);
	return r;
}

int keeper_new(sd_event *event, const struct keeper_options *options, struct keeper **ret)
{
	_cleanup_(keeper_freep) struct keeper *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->options = *options;
	k->dir = strdup(options->dir);
	k->options.dir = k->dir;
	if (!k->dir || asprintf(&k->path, "%s/%s", k->dir, HISTORY_FILE) < 0) {
		k->path = NULL;
		return -ENOMEM;
	}
	r = worker_new(event, "sonded-store", &k->worker);
	if (r < 0)
		return r;
	k->tended_ns = now_monotonic_ns();
	*ret = TAKE_PTR(k);
	return 0;
}

struct keeper *keeper_free(struct keeper *k)
{
	if (!k)
		return NULL;
	if (k->worker)
		worker_drain(k->worker);
	worker_free(k->worker);
	give_up(k);
	history_free(k->store);
	while (k->sessions) {
		struct kept *p = k->sessions;

		k->sessions = p->next;
		kept_free(p);
	}
	history_sent_release(&k->sent);
	free(k->ended);
	free(k->dir);
	free(k->path);
	free(k);
	return NULL;
}

static struct kept *find_kept(const struct keeper *k, const struct session *s)
{
	struct kept *p = k->sessions;

	while (p && (s ? p->session != s : p->next != NULL))
		p = p->next;
	return p;
}

static int describe(struct kept *p, const struct session *s)
{
	const struct session_options *o = &s->options;
	int r = strdup_to(&p->name, s->name);

	if (r >= 0)
		r = strdup_to(&p->targets, s->targets);
	if (r >= 0)
		r = strdup_to(&p->where, o->where);
	if (r >= 0)
		r = strdup_to(&p->begin, o->begin);
	p->specs = calloc(o->n_specs + 1, sizeof(*p->specs));
	if (r < 0 || !p->specs)
		return -ENOMEM;
	session_describe_row(s, &p->row);
	p->row.n_specs = 0;
	for (size_t i = 0; i < o->n_specs; i++, p->row.n_specs++)
		if (strdup_to(&p->specs[i], o->specs[i]) < 0)
			return -ENOMEM;
	p->row.name = p->name;
	p->row.targets = p->targets;
	p->row.where = p->where;
	p->row.begin = p->begin;
	p->row.specs = p->specs;
	return 0;
}

int keeper_add(struct keeper *k, const struct session *s)
{
	_cleanup_(kept_freep) struct kept *p = calloc(1, sizeof(*p));
	struct kept *taken;
	int r = p ? describe(p, s) : -ENOMEM;

	if (r < 0)
		return r;
	p->session = s;
	p->next = k->sessions;
	k->sessions = taken = TAKE_PTR(p);
	return submit(k, &(struct keeper_job){.kind = JOB_BEGIN, .kept = taken});
}

void keeper_remove(struct keeper *k, const struct session *s)
{
	struct kept *p = find_kept(k, s);

	if (!p)
		return;
	p->session = NULL; /* batches on their way still name it */
	(void)submit(k, &(struct keeper_job){.kind = JOB_END, .kept = p});
}

void keeper_set_clock(struct keeper *k, int64_t monotonic_to_epoch_ns)
{
	for (struct kept *p = k->sessions; p; p = p->next)
		if (p->session &&
		    submit(k, &(struct keeper_job){.kind = JOB_CLOCK,
						   .kept = p,
						   .detail = monotonic_to_epoch_ns}) < 0)
			log_error("session %s: its times are those of the old clock", p->name);
}

bool keeper_is_due(const struct keeper *k, const struct window *w)
{
	return now_monotonic_ns() - w->start_ns >= k->options.window_ns;
}

void keeper_note_life(struct keeper *k, uint32_t process, uint64_t time_ns, const char *kind,
		      int64_t detail)
{
	if (streq(kind, "exit") &&
	    array_reserve(&k->ended, &k->ended_cap, k->n_ended + 1, sizeof(*k->ended)) == 0)
		k->ended[k->n_ended++] = process;
	if (k->n_life < MAX_LIFE)
		k->life[k->n_life++] = (struct history_event_item){time_ns, process, kind, detail};
	else
		k->more_life++;
}

/* Into the first session's window; what there was no room for is counted. */
static int add_life(struct keeper *k, const struct session *s, struct history_batch *b)
{
	int r = 0;

	if (k->more_life) {
		const struct history_event_item more = {.time_ns = b->window.end_ns,
							.kind = "more",
							.detail = (int64_t)k->more_life};

		r = history_batch_add_event(b, s->context->model, &more, &k->sent);
	}
	for (uint32_t i = 0; i < k->n_life && r >= 0; i++)
		r = history_batch_add_event(b, s->context->model, &k->life[i], &k->sent);
	for (size_t i = 0; i < k->n_ended && r >= 0; i++)
		r = history_batch_update_process(b, s->context->model, k->ended[i], &k->sent);
	k->n_life = 0;
	k->more_life = 0;
	k->n_ended = 0;
	return r;
}

void keeper_take(struct keeper *k, const struct session *s, struct window *w)
{
	struct kept *p = find_kept(k, s);
	struct keeper_job job = {.kind = JOB_WRITE, .kept = p};
	uint64_t now_ns = now_monotonic_ns();
	int r;

	if (!p)
		return;
	r = history_batch_new(s->context->model, w, &k->sent, &job.batch);
	if (r >= 0 && !p->next)
		r = add_life(k, s, job.batch);
	if (r >= 0)
		r = submit(k, &job);
	if (r < 0) {
		history_batch_free(job.batch);
		history_sent_reset(&k->sent);
		k->status.lost++;
		log_error("session %s: a window is lost: %s", s->name, strerror(-r));
	}
	if (now_ns - k->tended_ns < TEND_SECONDS * NSEC_PER_SEC)
		return;
	k->tended_ns = now_ns;
	(void)submit(k, &(struct keeper_job){.kind = JOB_TEND});
}

void keeper_forget_model(struct keeper *k)
{
	/* Their ids mean nothing any more; windows were taken just now. */
	k->n_life = 0;
	k->n_ended = 0;
	history_sent_reset(&k->sent);
}

void keeper_event(struct keeper *k, const struct session *s, const char *kind, int64_t detail,
		  const char *text)
{
	struct keeper_job job = {.kind = JOB_EVENT,
				 .kept = find_kept(k, s),
				 .time_ns = now_monotonic_ns(),
				 .event = strdup(kind),
				 .text = strdup(text ? text : ""),
				 .detail = detail};

	if (job.kept && job.event && job.text && submit(k, &job) >= 0)
		return;
	free(job.event);
	free(job.text);
}

int keeper_settle(struct keeper *k, void (*done)(void *arg), void *arg)
{
	return submit(k, &(struct keeper_job){.kind = JOB_SETTLE, .done = done, .arg = arg});
}

const char *keeper_path(const struct keeper *k)
{
	return k->path;
}

void keeper_get_status(const struct keeper *k, struct keeper_status *ret)
{
	*ret = k->status;
}
