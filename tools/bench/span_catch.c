/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * span_catch OBJECT PROGRAM batch|span OFFSET SEMAPHORE: attaches to that probe of sonde/span.h in
 * all processes of the program and drains what comes until stdin ends; then prints how many
 * records there were. OBJECT is span_catch.bpf.c, compiled; the offsets are those in the file of
 * what is probed and of its semaphore.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "multi.h"

#define SONDE_SPAN_ABI_ONLY
#include <sonde/span.h>

static uint64_t records;

static int take(void *context, void *data, size_t size)
{
	const struct sonde_batch *b = data;

	(void)context;
	if (size >= sizeof(*b) && b->magic == SONDE_BATCH_MAGIC)
		records += b->n_records;
	return 0;
}

static int drain(struct ring_buffer *ring)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	printf("attached\n");
	fflush(stdout);
	while (poll(&in, 1, 1) == 0)
		ring_buffer__consume(ring);
	ring_buffer__consume(ring);
	printf("%llu\n", (unsigned long long)records);
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *program;
	struct ring_buffer *ring;

	if (argc != 6) {
		fprintf(stderr, "usage: span_catch OBJECT PROGRAM batch|span OFFSET SEMAPHORE\n");
		return 2;
	}
	object = bpf_object__open_file(argv[1], NULL);
	program = object ? bpf_object__find_program_by_name(object, argv[3]) : NULL;
	if (!program ||
	    bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)MULTI) ||
	    bpf_object__load(object)) {
		fprintf(stderr, "span_catch: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "ring"), take, NULL, NULL);
	if (!ring || multi_attach(bpf_program__fd(program), argv[2], strtoull(argv[4], NULL, 0),
				  strtoull(argv[5], NULL, 0), MULTI, 0) < 0) {
		fprintf(stderr, "span_catch: %s of %s: %s\n", argv[3], argv[2], strerror(errno));
		return 1;
	}
	return drain(ring);
}
