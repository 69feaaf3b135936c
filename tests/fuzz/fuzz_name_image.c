/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The input is a name image of three names, as a reader process that was taken over may answer it;
 * and a question, as the process gets it, which is answered by such an image.
 */
#include <sys/mman.h>

#include "symbol/name_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct name_image *image)
{
	for (size_t i = 0; i < image->n; i++) {
		const char *text = name_image_get(image, i);

		if (text && (!*text || strlen(text) > NAME_TEXT_MAX))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	_cleanup_(name_image_release) struct name_image image = {}, answer = {};
	struct name_question q;

	if (fd < 0 || write_fully(fd, data, size) < 0)
		return 0;
	if (name_image_open(fd, 3, NULL, &image) >= 0)
		use(&image);
	name_image_release(&image);
	if (name_question_answer(fd) < 0)
		return 0;
	memcpy(&q, data, sizeof(q));
	if (name_image_open(fd, q.n, NULL, &answer) < 0)
		abort();
	use(&answer);
	return 0;
}
