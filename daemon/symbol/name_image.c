/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/name_image.h"

#include <assert.h>
#include <sys/stat.h>

#include "sonde/base/strbuf.h"

static_assert(sizeof(struct name_question) == 16, "no holes");
static_assert(sizeof(struct name_image_header) == 24, "no holes");

#define QUESTION_MAX ((uint64_t)NAMES_MAX * (DEMANGLE_INPUT_MAX + 1))

static uint64_t size_of(const char *const *names, size_t n)
{
	uint64_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += strlen(names[i]) + 1;
	return size;
}

int name_question_write(const char *const *names, size_t n, enum demangle_style style, int fd)
{
	struct name_question q = {.n = (uint32_t)n, .style = style, .size = size_of(names, n)};
	_cleanup_(strbuf_release) struct strbuf b = {};
	int r;

	strbuf_append(&b, &q, sizeof(q));
	for (size_t i = 0; i < n; i++)
		strbuf_append(&b, names[i], strlen(names[i]) + 1);
	r = strbuf_error(&b);
	return r < 0 ? r : write_fully(fd, b.data, b.len);
}

size_t name_question_begun(const char *const *names, size_t n, int fd)
{
	uint64_t size = sizeof(struct name_question) + size_of(names, n);
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size < size)
		return 0;
	return MIN((uint64_t)st.st_size - size, n);
}

static int take_question(int fd, struct name_question *ret, char **ret_names)
{
	_cleanup_(freep) char *names = NULL;
	struct name_question q;
	uint64_t done = 0;

	if (pread(fd, &q, sizeof(q), 0) != sizeof(q) || q.n > NAMES_MAX || q.size > QUESTION_MAX ||
	    q.style > DEMANGLE_FULL)
		return -EINVAL;
	names = malloc(q.size + 1);
	if (!names)
		return -ENOMEM;
	while (done < q.size) {
		ssize_t n = pread(fd, names + done, q.size - done, (off_t)(sizeof(q) + done));

		if (n <= 0)
			return n < 0 ? -errno : -EINVAL;
		done += (uint64_t)n;
	}
	if (q.size > 0 && names[q.size - 1] != '\0')
		return -EINVAL;
	*ret = q;
	*ret_names = TAKE_PTR(names);
	return 0;
}

static int demangle_all(int fd, const struct name_question *q, const char *names, uint32_t *at,
			struct strbuf *texts)
{
	const char *name = names;
	int r = 0;

	for (uint32_t i = 0; i < q->n && r >= 0; i++) {
		_cleanup_(freep) char *text = NULL;

		if (name >= names + q->size)
			return -EINVAL;
		r = write_fully(fd, "", 1);
		text = r < 0 ? NULL : demangle_as(name, (enum demangle_style)q->style);
		if (text && strlen(text) <= NAME_TEXT_MAX) {
			at[i] = (uint32_t)texts->len;
			strbuf_append(texts, text, strlen(text) + 1);
		}
		name += strlen(name) + 1;
	}
	return r < 0 ? r : strbuf_error(texts);
}

int name_question_answer(int fd)
{
	_cleanup_(strbuf_release) struct strbuf texts = {};
	_cleanup_(freep) uint32_t *at = NULL;
	_cleanup_(freep) char *names = NULL;
	struct name_image image = {};
	struct name_question q = {};
	int r;

	r = take_question(fd, &q, &names);
	if (r < 0)
		return r;
	at = calloc((size_t)q.n + 1, sizeof(*at));
	if (!at)
		return -ENOMEM;
	if (lseek(fd, 0, SEEK_END) < 0)
		return -errno;
	strbuf_append(&texts, "", 1);
	r = demangle_all(fd, &q, names, at, &texts);
	if (r < 0)
		return r;
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	image = (struct name_image){
		.texts_at = at, .n = q.n, .texts = texts.data, .texts_size = texts.len};
	return name_image_write(&image, fd);
}

int name_image_write(const struct name_image *image, int fd)
{
	struct name_image_header h = {
		.magic = NAME_IMAGE_MAGIC,
		.version = NAME_IMAGE_VERSION,
		.n = (uint32_t)image->n,
		.texts_size = image->texts_size,
	};
	int r;

	r = write_fully(fd, &h, sizeof(h));
	if (r >= 0)
		r = write_fully(fd, image->texts_at, image->n * sizeof(*image->texts_at));
	if (r >= 0)
		r = write_fully(fd, image->texts, image->texts_size);
	return r;
}

/* Each text lies right behind the one before, so that reading them all is one walk over them. */
static int check(const struct name_image *image, struct error *error)
{
	size_t at = 1;

	if (image->texts[0] != '\0')
		return flat_bad(error, "its first text is not empty");
	for (size_t i = 0; i < image->n; i++) {
		size_t rest = image->texts_size - at, len;

		if (image->texts_at[i] == 0)
			continue;
		if (image->texts_at[i] != at || rest == 0)
			return flat_bad(error, "a text is not where it should be");
		len = strnlen(image->texts + at, MIN(rest, (size_t)NAME_TEXT_MAX + 1));
		if (len == 0 || len == rest || len > NAME_TEXT_MAX)
			return flat_bad(error, "a text is empty or has no end");
		at += len + 1;
	}
	return at == image->texts_size ? 0 : flat_bad(error, "there are texts of nothing");
}

static int use(struct name_image *image, size_t n, struct error *error)
{
	const struct name_image_header *h = (const void *)image->flat.data;

	if (memcmp(h->magic, NAME_IMAGE_MAGIC, sizeof(h->magic)) != 0 ||
	    h->version != NAME_IMAGE_VERSION)
		return flat_bad(error, "it has another format");
	if (h->n != n || h->n > NAMES_MAX || h->texts_size == 0 || h->texts_size > FLAT_SIZE_MAX ||
	    image->flat.size != sizeof(*h) + h->n * sizeof(*image->texts_at) + h->texts_size)
		return flat_bad(error, "it has another size than it says");
	image->texts_at = (const void *)(h + 1);
	image->n = h->n;
	image->texts = (const void *)(image->texts_at + image->n);
	image->texts_size = h->texts_size;
	return check(image, error);
}

int name_image_open(int fd, size_t n, struct error *error, struct name_image *ret)
{
	struct name_image image _cleanup_(name_image_release) = {};
	int r;

	r = flat_map(fd, sizeof(struct name_image_header), error, &image.flat);
	if (r >= 0)
		r = use(&image, n, error);
	if (r < 0)
		return r;
	*ret = image;
	image = (struct name_image){};
	return 0;
}

void name_image_release(struct name_image *image)
{
	flat_unmap(&image->flat);
	*image = (struct name_image){};
}

const char *name_image_get(const struct name_image *image, size_t i)
{
	return image->texts_at[i] ? image->texts + image->texts_at[i] : NULL;
}
