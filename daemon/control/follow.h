/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Followers: answers of Spans that go on, after what was kept, with the spans that end from then
 * on, until the session ends or the caller goes. All on the main thread. A caller that reads too
 * slowly misses spans, which are counted; nobody waits for it.
 */
#ifndef SONDE_CONTROL_FOLLOW_H
#define SONDE_CONTROL_FOLLOW_H

#include "control/methods.h"
#include "query/spans.h"

struct follower;

/*
 * From now on spans that the query and the filter let through are gathered. The filter's limit
 * and order are of no account. BadArgument when no spans are to come of the session.
 */
int follower_new(struct daemon *d, const struct asked *asked, const struct spans_filter *filter,
		 struct follower **ret, struct error *error);
struct follower *follower_free(struct follower *f); /* also when it has not begun */
/* What was kept has been sent: sends what has been gathered, and what will be. Takes over the
 * follower and the handler's reference of the call. */
void follower_begin(struct follower *f, struct call *call);

/* Spans may have been added to windows: looks at them. */
void follow_spans(struct daemon *d);
/* The window's spans are about to be moved on. final: nothing will come after them. arg: the
 * daemon. For the session's context. */
void follow_roll(void *arg, struct session *s, bool final);

#endif
