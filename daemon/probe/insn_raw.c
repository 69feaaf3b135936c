/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole functions are decoded to place a probe, thousands of them to attach to a library. Zydis
 * takes 100 to 200 ns an instruction; the common encodings, nine of ten instructions, are told
 * apart here in a tenth of that. A test holds both against each other.
 */
#include "probe/insn_raw.h"

enum { SIB = 4, NO_BASE = 5 };

/*
 * What follows an opcode: nothing '.', ModRM 'm', ModRM and a byte 'b', ModRM and an immediate 'i',
 * a byte '1', an immediate '4', a displacement 'j'; anything else is left to Zydis '-'. An
 * immediate has four bytes, or two with an operand size prefix.
 */
static const char one_byte[16][17] = {
	"mmmm14--mmmm14--", "mmmm14--mmmm14--", "mmmm14--mmmm14--", "mmmm14--mmmm14--",
	"----------------", "................", "---m----4i1b----", "1111111111111111",
	"bi-bmmmmmmmm-m--", "..........-.....", "----....14......", "1111111144444444",
	"bb-.--bi-.--.---", "mmmm------------", "1111----jj-1----", "-----.mm..--..mm",
};

static const char two_byte[16][17] = {
	"----------------", "mm------m-----mm", "--------mm--m-mm", "----------------",
	"mmmmmmmmmmmmmmmm", "-m--mmmmmmm-mmmm", "--------------mm", "--------------mm",
	"jjjjjjjjjjjjjjjj", "mmmmmmmmmmmmmmmm", "---mbm-----mbm-m", "---m--mm--bmmmmm",
	"mm------........", "----m-----------", "-----------m---m", "----------m---m-",
};

struct cursor {
	const uint8_t *at, *end;
};

static bool take(struct cursor *c, size_t n, int64_t *ret)
{
	int32_t four;
	int16_t two;

	if ((size_t)(c->end - c->at) < n)
		return false;
	switch (n) {
	case 1:
		*ret = (int8_t)*c->at;
		break;
	case 2:
		memcpy(&two, c->at, 2);
		*ret = two;
		break;
	case 4:
		memcpy(&four, c->at, 4);
		*ret = four;
		break;
	default:
		memcpy(ret, c->at, 8);
	}
	c->at += n;
	return true;
}

static bool take_modrm(struct cursor *c, uint8_t rex, struct raw *r)
{
	uint8_t modrm, sib;
	size_t disp;

	if (c->at >= c->end)
		return false;
	modrm = *c->at++;
	r->has_modrm = true;
	r->mod = modrm >> 6;
	r->group = modrm >> 3 & 7;
	r->reg = r->group | (rex & 4 ? 8 : 0);
	r->rm = (modrm & 7) | (rex & 1 ? 8 : 0);
	if (r->mod == 3)
		return true;
	disp = r->mod == 1 ? 1 : r->mod == 2 ? 4 : 0;
	if ((modrm & 7) == SIB) {
		if (c->at >= c->end)
			return false;
		sib = *c->at++;
		r->has_index = (sib >> 3 & 7) != SIB || (rex & 2);
		r->base = (sib & 7) | (rex & 1 ? 8 : 0);
		if ((sib & 7) == NO_BASE && r->mod == 0)
			disp = 4;
	} else if ((modrm & 7) == NO_BASE && r->mod == 0) {
		disp = 4;
	}
	return disp == 0 || take(c, disp, &r->disp);
}

/* Groups in which not every member is an instruction, or has the same immediate. */
static bool is_common_group(const struct raw *r)
{
	if (r->map == RAW_0F)
		return r->opcode != 0xba || r->group >= 4;
	switch (r->opcode) {
	case 0x8d:
		return r->mod != 3;
	case 0xc0:
	case 0xc1:
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return r->group != 6;
	case 0xc6:
	case 0xc7:
		return r->group == 0;
	case 0xf6:
	case 0xf7:
		return r->group != 1;
	case 0xfe:
		return r->group < 2;
	case 0xff:
		return r->group != 7 && ((r->group != 3 && r->group != 5) || r->mod != 3);
	default:
		return true;
	}
}

/* With a repeat prefix, only these scalar moves and computations, and endbr64, are common. */
static bool is_common_repeated(const struct raw *r, uint8_t prefix)
{
	if (r->map == RAW_ONE_BYTE)
		return r->opcode == 0xc3 || r->opcode == 0xa4 || r->opcode == 0xa5 ||
		       r->opcode == 0xaa || r->opcode == 0xab || r->opcode == 0x90;
	switch (r->opcode) {
	case 0x10:
	case 0x11:
	case 0x51:
	case 0x58:
	case 0x59:
	case 0x5a:
	case 0x5c:
	case 0x5d:
	case 0x5e:
	case 0x5f:
		return true;
	case 0x1e:
	case 0x6f:
	case 0x7e:
	case 0x7f:
		return prefix == 0xf3;
	default:
		return false;
	}
}

static bool take_immediate(struct cursor *c, char form, uint8_t rex, struct raw *r)
{
	size_t z = r->prefixes & RAW_OPERAND && !r->wide ? 2 : 4;

	switch (form) {
	case '.':
	case 'm':
		/* test with an immediate is the first of its group. */
		if (r->map == RAW_ONE_BYTE && (r->opcode & 0xfe) == 0xf6 && r->group == 0)
			return take(c, r->opcode == 0xf6 ? 1 : z, &r->imm);
		return true;
	case '1':
	case 'b':
		return take(c, 1, &r->imm);
	case 'j':
		return !(r->prefixes & RAW_OPERAND) && take(c, 4, &r->imm);
	default:
		if (r->opcode >= 0xb8 && r->opcode <= 0xbf && (rex & 8))
			return take(c, 8, &r->imm);
		return take(c, z, &r->imm);
	}
}

bool raw_decode_common(const uint8_t *bytes, size_t size, struct raw *r)
{
	struct cursor c = {bytes, bytes + MIN(size, (size_t)15)};
	uint8_t rex = 0, repeat = 0;
	char form;

	*r = (struct raw){};
	while (c.at < c.end && (*c.at == 0x66 || *c.at == 0xf2 || *c.at == 0xf3 || *c.at == 0x64 ||
				*c.at == 0x65)) {
		if (*c.at == 0x66)
			r->prefixes |= RAW_OPERAND;
		else if (*c.at < 0x66)
			;
		else if (repeat)
			return false;
		else
			repeat = *c.at;
		c.at++;
	}
	if (c.at < c.end && (*c.at & 0xf0) == 0x40)
		rex = *c.at++;
	if (c.at >= c.end)
		return false;
	r->opcode = *c.at++;
	if (r->opcode == 0x0f) {
		if (c.at >= c.end)
			return false;
		r->map = RAW_0F;
		r->opcode = *c.at++;
	}
	r->prefixes |= repeat ? RAW_REPEAT : 0;
	r->wide = rex & 8;
	r->low = (r->opcode & 7) | (rex & 1 ? 8 : 0);
	form = (r->map == RAW_0F ? two_byte : one_byte)[r->opcode >> 4][r->opcode & 15];
	if (form == '-' || (repeat && !is_common_repeated(r, repeat)))
		return false;
	if ((form == 'm' || form == 'b' || form == 'i') && !take_modrm(&c, rex, r))
		return false;
	if ((r->has_modrm && !is_common_group(r)) || !take_immediate(&c, form, rex, r))
		return false;
	r->length = (uint8_t)(c.at - bytes);
	return true;
}

#if defined(__x86_64__)

#include "probe/zydis.h"

bool raw_decode(const uint8_t *bytes, size_t size, struct raw *r)
{
	ZydisDecodedInstruction x;
	uint8_t rex_b, rex_r;

	if (raw_decode_common(bytes, size, r))
		return true;
	if (!zydis_quick(bytes, size, &x))
		return false;
	*r = (struct raw){.length = x.length, .map = RAW_OTHER};
	if (x.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return true;
	rex_b = x.raw.rex.B ? 8 : 0;
	rex_r = x.raw.rex.R ? 8 : 0;
	*r = (struct raw){
		.length = x.length,
		.map = x.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT ? RAW_ONE_BYTE
		       : x.opcode_map == ZYDIS_OPCODE_MAP_0F	? RAW_0F
								: RAW_OTHER,
		.opcode = x.opcode,
		.has_modrm = x.raw.modrm.offset != 0,
		.wide = x.raw.rex.W,
		.mod = x.raw.modrm.mod,
		.group = x.raw.modrm.reg,
		.reg = x.raw.modrm.reg | rex_r,
		.rm = x.raw.modrm.rm | rex_b,
		.low = (x.opcode & 7) | rex_b,
		.has_index = x.raw.sib.offset && (x.raw.sib.index != SIB || x.raw.rex.X),
		.base = x.raw.sib.base | rex_b,
		.disp = x.raw.disp.value,
		.imm = x.raw.imm[0].value.s,
	};
	for (uint8_t i = 0; i < x.raw.prefix_count; i++) {
		uint8_t prefix = x.raw.prefixes[i].value;

		r->prefixes |= prefix == 0x66			  ? RAW_OPERAND
			       : prefix == 0x3e			  ? RAW_NOTRACK
			       : prefix == 0xf2 || prefix == 0xf3 ? RAW_REPEAT
								  : 0;
	}
	return true;
}

#else

bool raw_decode(const uint8_t *bytes, size_t size, struct raw *r)
{
	(void)bytes, (void)size, (void)r;
	return false;
}

#endif
