/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record_check.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/* Text of whole characters. */
static bool text_valid(uint8_t kind, uint16_t len, size_t most)
{
	if (kind == 0)
		return len == 0;
	return (kind == 1 || kind == 2 || kind == 4) && len <= most && len % kind == 0;
}

static bool python_code_valid(const struct record_python_code *c, size_t size)
{
	return text_valid(c->name_kind, c->name_len, RECORD_PYTHON_NAME_LEN) &&
	       text_valid(c->file_kind, c->file_len, RECORD_PYTHON_FILE_LEN) &&
	       c->lines_len <= RECORD_PYTHON_LINES_LEN && c->lines_len <= c->lines_size &&
	       size == offsetof(struct record_python_code, lines) + c->lines_len;
}

static bool source_valid(const struct record_source *s, size_t size)
{
	size_t rest = size - sizeof(*s), batch = ((size_t)s->bytes + 7) & ~(size_t)7;

	return s->bytes <= RECORD_SOURCE_BYTES && s->n_open <= RECORD_MAX_OPEN && batch <= rest &&
	       (size_t)s->n_open * RECORD_SOURCE_OPEN <= rest - batch;
}

bool record_valid(const void *data, size_t size)
{
	const struct record_header *h = data;

	if (size < sizeof(*h) || h->session >= RECORD_MAX_SESSIONS)
		return false;
	switch (h->kind) {
	case RECORD_SPAN:
		return size == (h->flags & SPAN_ARGS ? sizeof(struct record_span_args)
						     : sizeof(struct record_span));
	case RECORD_CALL:
		return size >= offsetof(struct record_call, values) &&
		       size <= sizeof(struct record_call);
	case RECORD_THROW: {
		const struct record_throw *t = data;

		return size == sizeof(*t) && t->type[RECORD_TYPE_LEN - 1] == 0 &&
		       t->message[RECORD_MESSAGE_LEN - 1] == 0;
	}
	case RECORD_STACK: {
		const struct record_stack *s = data;

		return size >= sizeof(*s) && s->user_count <= RECORD_MAX_STACK &&
		       size == sizeof(*s) + s->user_count * sizeof(__u64);
	}
	case RECORD_PATH:
		return size == sizeof(struct record_path);
	case RECORD_SAMPLE:
	case RECORD_WAIT: {
		const struct record_sample *s = data;

		return size >= sizeof(*s) && s->user_count <= RECORD_MAX_STACK &&
		       s->kernel_count <= RECORD_MAX_STACK &&
		       size == sizeof(*s) + (s->user_count + s->kernel_count) * sizeof(__u64);
	}
	case RECORD_WAIT_END:
		return size == sizeof(struct record_wait_end);
	case RECORD_FORK:
		return size == sizeof(struct record_fork);
	case RECORD_EXEC: {
		const struct record_exec *e = data;

		return size == sizeof(*e) && e->filename[RECORD_FILENAME_LEN - 1] == 0;
	}
	case RECORD_EXIT:
		return size == sizeof(struct record_exit);
	case RECORD_MMAP: {
		const struct record_mmap *m = data;

		return size >= sizeof(*m) && m->path_len < PATH_MAX &&
		       size == sizeof(*m) + m->path_len && m->length <= UINT64_MAX - m->address;
	}
	case RECORD_IMAGE:
		return size == sizeof(struct record_image);
	case RECORD_PYTHON: {
		const struct record_python *p = data;

		return size >= sizeof(*p) && p->count <= RECORD_MAX_PYTHON &&
		       size == sizeof(*p) + p->count * sizeof(struct record_python_frame);
	}
	case RECORD_SOURCE:
		return size >= sizeof(struct record_source) && source_valid(data, size);
	case RECORD_AROUND:
		return size == sizeof(struct record_around);
	case RECORD_PYTHON_CODE:
		return size >= offsetof(struct record_python_code, lines) &&
		       python_code_valid(data, size);
	default:
		return false;
	}
}
