/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Static probes by hand: a nop, and a note that says what the test wants it to say. sys/sdt.h
 * makes the same ones, but chooses the operands itself.
 */
#ifndef SONDE_TESTS_USDT_NOTE_H
#define SONDE_TESTS_USDT_NOTE_H

#define NOTE_SEMAPHORE(provider, name)                                                             \
	__extension__ volatile unsigned short provider##_##name##_semaphore                        \
		__attribute__((unused, section(".probes"), visibility("hidden")))
#define NOTE_IS_UP(provider, name) (provider##_##name##_semaphore != 0)

/* place: code with what is probed at label 990. args: as in the note, with operands %0 … of what
 * follows; semaphore: its symbol, or "0". */
#define NOTE_AT(place, provider, name, semaphore, args, ...)                                       \
	__asm__ volatile(                                                                          \
		place "\n"                                                                         \
		      ".pushsection .note.stapsdt, \"\", \"note\"\n"                               \
		      ".balign 4\n"                                                                \
		      ".4byte 992f - 991f, 994f - 993f, 3\n"                                       \
		      "991: .asciz \"stapsdt\"\n"                                                  \
		      "992: .balign 4\n"                                                           \
		      "993: .8byte 990b\n"                                                         \
		      ".8byte _.stapsdt.base\n"                                                    \
		      ".8byte " semaphore "\n"                                                     \
		      ".asciz \"" provider "\"\n"                                                  \
		      ".asciz \"" name "\"\n"                                                      \
		      ".asciz \"" args "\"\n"                                                      \
		      "994: .balign 4\n"                                                           \
		      ".popsection\n"                                                              \
		      ".ifndef _.stapsdt.base\n"                                                   \
		      ".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n"  \
		      ".weak _.stapsdt.base\n"                                                     \
		      ".hidden _.stapsdt.base\n"                                                   \
		      "_.stapsdt.base: .space 1\n"                                                 \
		      ".size _.stapsdt.base, 1\n"                                                  \
		      ".popsection\n"                                                              \
		      ".endif\n" ::__VA_ARGS__                                                     \
		: "memory")

#define NOTE_PROBE(...) NOTE_AT("990: nop", __VA_ARGS__)

#endif
