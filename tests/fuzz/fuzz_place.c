/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes are a function: what is answered lies inside it, or in a part that a jump led to. The
 * first bytes choose what is known around it.
 */
#include "probe/flow.h"
#include "probe/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BASE = 0x10000 };

struct input {
	const uint8_t *data;
	size_t size;
};

/* The file is the input again and again: tables and parts are found anywhere. */
static size_t read_input(void *arg, uint64_t vaddr, void *buf, size_t size)
{
	const struct input *in = arg;
	uint8_t *to = buf;

	if (vaddr < BASE / 2 || vaddr > BASE * 4)
		return 0;
	for (size_t i = 0; i < size; i++)
		to[i] = in->data[(vaddr + i) % in->size];
	return size;
}

static bool is_function(void *arg, uint64_t vaddr)
{
	(void)arg;
	return vaddr % 7 == 0;
}

static const char *name(void *arg, uint64_t vaddr)
{
	(void)arg;
	return vaddr % 11 == 0 ? "f.cold" : vaddr % 13 == 0 ? "abort" : NULL;
}

static const uint64_t landings[] = {BASE + 5, BASE + 21, BASE * 2};

/* Addresses outside the function are parts of it, of 64 bytes each. */
static bool part(void *arg, uint64_t vaddr, struct place_part *ret)
{
	(void)arg;
	*ret = (struct place_part){
		.vaddr = vaddr & ~63ULL, .size = 64, .landings = landings, .n_landings = 2};
	return vaddr % 5;
}

static bool can_call(void *arg, uint64_t vaddr)
{
	(void)arg;
	return vaddr % 3 == 0;
}

static void check_site(const struct place_code *code, const struct return_site *site)
{
	bool own = site->vaddr >= code->vaddr && site->vaddr - code->vaddr < code->size;
	struct insn insn;

	if (site->hit >= HIT_KINDS || (!own && !code->read))
		abort();
	if (!own)
		return;
	if (!insn_decode(code->bytes + (site->vaddr - code->vaddr),
			 code->size - (site->vaddr - code->vaddr), site->vaddr, &insn) ||
	    insn.kind == INSN_OTHER || insn.kind == INSN_CALL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data + 1, size - 1};
	_cleanup_(freep) struct return_site *sites = NULL;
	struct place_code code = {.vaddr = BASE, .arg = &in};
	const char *reason = NULL;
	struct entry_place place;
	size_t n = 0;

	if (size < 2 || size > 4096)
		return 0;
	code.bytes = data + 1;
	code.size = size - 1;
	code.read = data[0] & 1 ? read_input : NULL;
	code.is_function = data[0] & 2 ? is_function : NULL;
	code.name = data[0] & 4 ? name : NULL;
	code.is_go = data[0] & 8;
	if (data[0] & 16) {
		code.landings = landings;
		code.n_landings = ARRAY_SIZE(landings);
		code.part = part;
	}
	for (int i = 0; i < 4; i++) {
		place_entry(&code, data[0] >> 4, i & 1, i & 2, &place);
		if (place.skipped >= code.size || place.hit > HIT_KINDS ||
		    (place.lost_args & (data[0] >> 4) && !code.is_go) ||
		    (!(i & 1) && place.sp_below) ||
		    strnlen(place.instruction, sizeof(place.instruction)) ==
			    sizeof(place.instruction))
			abort();
	}
	place_can_unwind(&code, can_call, NULL);
	if (place_returns(&code, &sites, &n, &reason) < 0) {
		if (!reason)
			abort();
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		check_site(&code, &sites[i]);
		if (i > 0 && sites[i].vaddr <= sites[i - 1].vaddr)
			abort();
	}
	return 0;
}
