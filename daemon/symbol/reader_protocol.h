/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon and its reader process (reader.h) say to each other, over a SOCK_SEQPACKET
 * socket: one request, one answer, never two at a time. Both are the same program, so there are no
 * versions. With a request come READER_FD_* descriptors; an answer has none.
 */
#ifndef SONDE_SYMBOL_READER_PROTOCOL_H
#define SONDE_SYMBOL_READER_PROTOCOL_H

#include "symbol/elf_image.h"

#define READER_OPTION "--reader" /* the only argument of the program, and internal */

/*
 * AddressSanitizer reserves terabytes of addresses, and allocates, reports and unwinds by calls of
 * its own; UndefinedBehaviorSanitizer needs none. Such builds are for tests alone, which also get
 * to see what the process reports.
 */
#if defined(__SANITIZE_ADDRESS__)
enum { READER_IS_SANITIZED = true };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { READER_IS_SANITIZED = true };
#else
enum { READER_IS_SANITIZED = false };
#endif
#else
enum { READER_IS_SANITIZED = false };
#endif

enum {
	READER_SOCKET = 3, /* the child's descriptor */
	READER_RESULT_MIN = -4095,
	READER_MESSAGE_MAX = 256,
	READER_LINK_MAX = 256,
};

enum reader_kind {
	READ_GREETING = 0, /* no request: the first answer, once the child has confined itself */
	READ_IDENTITY = 1,
	READ_SYMBOLS = 2,   /* the answer's file becomes a symbol image */
	READ_UNWIND = 3,    /* the answer's file becomes an unwind image */
	READ_FORBIDDEN = 4, /* open a file: a test of the confinement, which kills the child */
	READ_LINES = 5,	    /* the answer's file has offsets (uint64_t), and becomes a line image */
	READ_FILE = 6,	    /* the answer's file has names, and becomes a file image */
	READ_LANDINGS = 7,  /* the answer's file becomes a landing image */
	READ_NOTES = 8,	    /* the answer's file becomes an image of notes */
	READ_TYPES = 9, /* the answer's file has a struct type_question, and becomes a type image */
	/* The answer's file has a struct jit_question, and becomes a jit image; no ELF files. */
	READ_PERF_MAP = 10,
	READ_JITDUMP = 11,
	/* The answer's file, which is both, has a struct name_question, and becomes a name image.
	 */
	READ_NAMES = 12,
	READ_FORGET = 13, /* no file: what was kept open for READ_TYPES is of no use any more */
};

/* In this order; the last two are optional, and the last one comes with the one before alone. */
enum reader_fd {
	READER_FD_FILE = 0,	  /* the ELF file, open for reading */
	READER_FD_ANSWER = 1,	  /* a memfd to write to; some questions have more in it */
	READER_FD_DEBUG = 2,	  /* its separate debug file */
	READER_FD_SUPPLEMENT = 3, /* what dwz made of that one and others */
	READER_FDS = 4,
};

struct reader_request {
	uint32_t kind, seq;
	uint32_t n_fds;
	uint32_t limit_s; /* the child ends by itself after that: nobody may be there to end it */
};

enum reader_file_flags {
	READER_FILE_STRIPPED = 1 << 0, /* of a full symbol table, the debug file disregarded */
	READER_FILE_X86_64 = 1 << 1,
	READER_FILE_EH_FRAME = 1 << 2,
	READER_FILE_DWARF = 1 << 3, /* itself */
	/* Of an answer to READ_IDENTITY with READER_FD_DEBUG alone: that one belongs to the file.
	 */
	READER_FILE_HAS_DEBUG = 1 << 4,
};

struct reader_identity {
	uint8_t build_id[BUILD_ID_SIZE]; /* zero padded; a hash of the content where len is 0 */
	uint32_t build_id_len;
	uint32_t flags;			   /* enum reader_file_flags */
	uint8_t supplement[BUILD_ID_SIZE]; /* the build-id of that file; zeros: there is none */
};

struct reader_answer {
	uint32_t kind, seq;
	int32_t result; /* 0 or -errno */
	struct reader_identity identity;
	uint64_t bytes;		    /* written to the answer's file */
	char link[READER_LINK_MAX]; /* READ_IDENTITY: what .gnu_debuglink names; "": nothing */
	char message[READER_MESSAGE_MAX]; /* one sentence about a result below 0 */
};

#endif
