/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folded stacks: "process;outermost;…;innermost COUNT", one a line. */
#include "formats.h"
#include "lines.h"
#include "number.h"

struct stack {
	struct import_frame *frames;
	size_t n, cap;
};

/* Marks that stackcollapse programs put behind names. */
static bool cut_mark(char *name, char mark)
{
	size_t len = strlen(name);
	char text[5] = {'_', '[', mark, ']', '\0'};

	if (len <= 4 || !streq(name + len - 4, text))
		return false;
	name[len - 4] = '\0';
	return true;
}

static int add_frame(struct stack *s, char *name)
{
	if (array_reserve(&s->frames, &s->cap, s->n + 1, sizeof(*s->frames)) < 0)
		return -ENOMEM;
	s->frames[s->n] = (struct import_frame){.kernel = cut_mark(name, 'k')};
	if (!s->frames[s->n].kernel)
		(void)(cut_mark(name, 'j') || cut_mark(name, 'i') || cut_mark(name, 'w'));
	s->frames[s->n++].name = name[0] ? name : "[unknown]";
	return 0;
}

static void reverse(struct stack *s)
{
	for (size_t i = 0; i < s->n / 2; i++) {
		struct import_frame f = s->frames[i];

		s->frames[i] = s->frames[s->n - 1 - i];
		s->frames[s->n - 1 - i] = f;
	}
}

/* The count behind the last space; the line then ends before it. */
static int take_count(char *line, size_t len, uint64_t *ret)
{
	char *space;

	while (len && line[len - 1] == ' ')
		line[--len] = '\0';
	space = strrchr(line, ' ');
	if (!space || import_digits(space + 1, strlen(space + 1), ret) < 0)
		return -EINVAL;
	*space = '\0';
	return 0;
}

static int take(struct stack *s, char *line, uint64_t count, struct import_sink *sink)
{
	struct import_sample sample = {.count = count};
	char *rest = strchr(line, ';');
	int r = 0;

	s->n = 0;
	sample.comm = sample.thread = line;
	if (rest)
		*rest++ = '\0';
	while (rest && r >= 0) {
		char *name = rest;

		rest = strchr(name, ';');
		if (rest)
			*rest++ = '\0';
		r = add_frame(s, name);
	}
	if (r < 0)
		return r;
	reverse(s);
	return sink->sample(sink->arg, &sample, s->frames, s->n);
}

int import_folded(struct import_input *in, struct import_sink *sink, struct error *error)
{
	_cleanup_(import_lines_release) struct import_lines lines = {.in = in};
	struct stack stack = {};
	size_t len;
	char *line;
	int r;

	while ((r = import_lines_next(&lines, &line, &len, error)) > 0) {
		uint64_t count;

		if (!len || line[0] == '#')
			continue;
		if (take_count(line, len, &count) < 0)
			r = import_lines_bad(&lines, error,
					     "the line does not end in a number of samples: a "
					     "line of folded stacks is \"process;function;"
					     "function 12\"");
		else if (count > IMPORT_MAX_SPAN)
			sink->notes[NOTE_HUGE]++;
		else if (!count)
			sink->notes[NOTE_ZERO]++;
		else
			r = take(&stack, line, count, sink);
		if (r < 0)
			break;
	}
	free(stack.frames);
	return r;
}

bool import_is_folded(const char *head, size_t len)
{
	_cleanup_(freep) char *line = NULL;
	const char *end;
	uint64_t count;

	while (len && *head == '#' && (end = memchr(head, '\n', len))) {
		len -= (size_t)(end + 1 - head);
		head = end + 1;
	}
	end = memchr(head, '\n', len);
	line = strndup(head, end ? (size_t)(end - head) : len);
	return line && take_count(line, strlen(line), &count) == 0;
}
