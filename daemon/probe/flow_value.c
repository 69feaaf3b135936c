/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/flow_value.h"

void value_init(struct value_state *s, const struct place_code *code)
{
	*s = (struct value_state){.next_id = 1, .read = code->read, .arg = code->arg};
}

#if defined(__x86_64__)

#include "probe/zydis.h"

enum { NO_REG = 0xff, RIP = 0xfe, BYTES_MAX = 1024 };

static struct value new_index(struct value_state *s, uint64_t max)
{
	return (struct value){.kind = VALUE_INDEX, .id = s->next_id++, .scale = 1, .max = max};
}

static struct value new_computed(struct value_state *s, uint64_t max)
{
	struct value v = new_index(s, max);

	v.is_computed = true;
	return v;
}

static uint8_t reg_of(ZydisRegister reg)
{
	ZydisRegisterClass class = ZydisRegisterGetClass(reg);

	if (reg == ZYDIS_REGISTER_RIP)
		return RIP;
	if (class != ZYDIS_REGCLASS_GPR64 && class != ZYDIS_REGCLASS_GPR32 &&
	    class != ZYDIS_REGCLASS_GPR16 && class != ZYDIS_REGCLASS_GPR8)
		return NO_REG;
	return (uint8_t)ZydisRegisterGetId(
		ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg));
}

/* A register gets an identity when it is first looked at, to be compared by. */
static struct value *reg_value(struct value_state *s, uint8_t reg)
{
	struct value *v = &s->regs[reg];

	if (v->kind == VALUE_UNKNOWN)
		*v = new_index(s, UINT64_MAX);
	return v;
}

/* The slot of a memory operand without index; NULL when it is something else. */
static struct value *slot_of(struct value_state *s, const ZydisDecodedOperand *o)
{
	uint8_t base = reg_of(o->mem.base);
	struct value_slot *slot;

	if (o->mem.index != ZYDIS_REGISTER_NONE || base >= 16)
		return NULL;
	for (size_t i = 0; i < s->n_slots; i++)
		if (s->slots[i].value.kind && s->slots[i].base == base &&
		    s->slots[i].disp == o->mem.disp.value)
			return &s->slots[i].value;
	slot = &s->slots[s->next_slot++ % VALUE_SLOTS];
	s->n_slots = MIN(s->next_slot, (uint32_t)VALUE_SLOTS);
	*slot = (struct value_slot){
		.base = base, .disp = o->mem.disp.value, .value = new_index(s, UINT64_MAX)};
	return &slot->value;
}

/* Registers that address the stack, where other writes through pointers do not reach. */
enum { STACK_BASES = 1 << 4 | 1 << 5, ALL_BASES = 0xffff };

/* Of the registers of a mask. */
static void forget_slots(struct value_state *s, unsigned int bases)
{
	for (size_t i = 0; i < s->n_slots; i++)
		if (bases >> s->slots[i].base & 1)
			s->slots[i].value.kind = VALUE_UNKNOWN;
}

static struct value scaled(struct value v, uint8_t scale)
{
	if (v.kind == VALUE_CONST)
		v.base *= scale;
	else if (v.kind == VALUE_INDEX && v.scale * scale <= 8 && v.scale)
		v.scale = (uint8_t)(v.scale * scale);
	else
		v = (struct value){};
	return v;
}

static struct value sum(struct value a, struct value b)
{
	struct value v = {};

	if (b.kind == VALUE_CONST) {
		v = a;
		a = b;
		b = v;
	}
	if (a.kind != VALUE_CONST)
		return (struct value){};
	if (b.kind == VALUE_CONST) {
		a.base += b.base;
		return a;
	}
	v = b;
	if (b.kind == VALUE_INDEX) {
		v.kind = VALUE_ENTRY;
		v.base = a.base;
	} else if (b.kind == VALUE_ENTRY) {
		v.base += a.base;
	} else if (b.kind == VALUE_LOADED) {
		v.kind = VALUE_TARGET;
		v.add = a.base;
	} else {
		v.kind = VALUE_UNKNOWN;
	}
	return v;
}

/* The address that a memory operand names. */
static struct value address_of(struct value_state *s, const ZydisDecodedOperand *o, uint64_t next)
{
	uint8_t base = reg_of(o->mem.base), index = reg_of(o->mem.index);
	struct value v = {.kind = VALUE_CONST, .base = (uint64_t)o->mem.disp.value};

	if (base == RIP)
		v.base += next;
	else if (base < 16)
		v = sum(v, *reg_value(s, base));
	if (index < 16)
		v = sum(v, o->mem.scale == 1 ? *reg_value(s, index)
					     : scaled(*reg_value(s, index), o->mem.scale));
	return v;
}

static struct value load(struct value_state *s, const ZydisDecodedOperand *o, uint64_t next)
{
	uint8_t width = (uint8_t)(o->size / 8);
	struct value *slot = slot_of(s, o), v;

	if (slot)
		return *slot;
	v = address_of(s, o, next);
	/* Without a scale it is the member of a structure. */
	if (v.kind != VALUE_ENTRY || v.scale != width)
		return new_index(s, UINT64_MAX);
	v.kind = VALUE_LOADED;
	v.width = width;
	return v;
}

static struct value read_operand(struct value_state *s, const ZydisDecodedOperand *o, uint64_t next)
{
	switch (o->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		return reg_of(o->reg.value) < 16 ? *reg_value(s, reg_of(o->reg.value))
						 : (struct value){};
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		return (struct value){.kind = VALUE_CONST, .base = o->imm.value.u};
	case ZYDIS_OPERAND_TYPE_MEMORY:
		return load(s, o, next);
	default:
		return (struct value){};
	}
}

static void write_reg(struct value_state *s, uint8_t reg, struct value v)
{
	if (reg >= 16)
		return;
	forget_slots(s, 1U << reg);
	s->regs[reg] = v;
}

static void write_operand(struct value_state *s, const ZydisDecodedOperand *o, struct value v)
{
	uint8_t base;
	struct value *slot;

	if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		write_reg(s, reg_of(o->reg.value), v);
	} else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		base = reg_of(o->mem.base);
		/* What is behind a pointer may be what another one points to. */
		if (base > 15 || !(STACK_BASES >> base & 1))
			forget_slots(s, ALL_BASES & ~STACK_BASES);
		slot = slot_of(s, o);
		if (slot)
			*slot = v;
	}
}

static void compare(struct value_state *s, struct value a, struct value b)
{
	s->compared = 0;
	if (a.kind == VALUE_INDEX && a.scale == 1 && b.kind == VALUE_CONST) {
		s->compared = a.id;
		s->constant = b.base;
	}
}

/* add, sub, and, shl, shr: the arithmetic that tables are indexed with. */
static struct value compute(struct value_state *s, ZydisMnemonic what, struct value a,
			    struct value b, uint16_t width)
{
	bool is_const = b.kind == VALUE_CONST;

	if (what == ZYDIS_MNEMONIC_ADD) {
		struct value v = sum(a, b);

		return v.kind == VALUE_ENTRY && (is_const || v.scale == 1)
			       ? new_computed(s, UINT64_MAX)
			       : v;
	}
	if (what == ZYDIS_MNEMONIC_AND && is_const)
		return new_computed(s, MIN(b.base, a.kind == VALUE_INDEX ? a.max : UINT64_MAX));
	if (what == ZYDIS_MNEMONIC_SHL && is_const && b.base <= 3)
		return scaled(a, (uint8_t)(1 << b.base));
	if (what == ZYDIS_MNEMONIC_SHR && is_const && b.base > 0 && b.base < width && width <= 64)
		return new_computed(s, (width == 64 ? UINT64_MAX : (1ULL << width) - 1) >> b.base);
	return new_computed(s, UINT64_MAX);
}

/* Whatever an instruction writes that is not understood is unknown then. */
static void forget_written(struct value_state *s, const ZydisDecodedInstruction *x,
			   const ZydisDecodedOperand *o)
{
	for (uint8_t i = 0; i < x->operand_count; i++)
		if (o[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			write_operand(s, &o[i], (struct value){});
}

static void forget_call(struct value_state *s)
{
	static const uint8_t kept[] = {3, 4, 5, 12, 13, 14, 15};
	struct value saved[ARRAY_SIZE(kept)];

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		saved[i] = s->regs[kept[i]];
	memset(s->regs, 0, sizeof(s->regs));
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		s->regs[kept[i]] = saved[i];
	forget_slots(s, ALL_BASES & ~STACK_BASES);
}

/* The largest byte of a table with a constant address; UINT64_MAX when that cannot be said. */
static uint64_t largest_byte(const struct value_state *s, const struct value *entry)
{
	uint8_t bytes[BYTES_MAX], largest = 0;
	size_t n = entry->max + 1;

	if (entry->kind != VALUE_ENTRY || entry->scale != 1 || entry->is_weak ||
	    entry->max >= sizeof(bytes) || !s->read || s->read(s->arg, entry->base, bytes, n) != n)
		return UINT64_MAX;
	for (size_t i = 0; i < n; i++)
		largest = MAX(largest, bytes[i]);
	return largest;
}

/* movzx: what was compared in its low part is known whole then. */
static struct value extended(struct value_state *s, const ZydisDecodedOperand *o, uint64_t next)
{
	struct value v = read_operand(s, o, next);
	uint64_t max = (1ULL << o->size) - 1;

	if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->size == 8) {
		struct value entry = address_of(s, o, next);
		uint64_t largest = largest_byte(s, &entry);

		if (largest != UINT64_MAX)
			return new_index(s, largest);
	}
	if (v.kind != VALUE_INDEX || v.scale != 1)
		v = new_index(s, UINT64_MAX);
	if (v.max > max) {
		v.max = max;
		v.is_weak = true;
	}
	return v;
}

static bool writes_flags(const ZydisDecodedInstruction *x)
{
	const ZydisAccessedFlags *f = x->cpu_flags;

	return f && ((f->modified | f->set_0 | f->set_1 | f->undefined) &
		     (ZYDIS_CPUFLAG_CF | ZYDIS_CPUFLAG_ZF));
}

static void execute(struct value_state *s, const ZydisDecodedInstruction *x,
		    const ZydisDecodedOperand *o, uint64_t next)
{
	struct value a, b;

	switch (x->mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		a = read_operand(s, &o[1], next);
		/* Half a register is no address and no copy of a number. */
		if (o[0].size < 32 || (o[0].size == 32 && a.kind == VALUE_LOADED && a.width != 4))
			a = (struct value){};
		write_operand(s, &o[0], a);
		break;
	case ZYDIS_MNEMONIC_MOVSXD:
		write_operand(s, &o[0], read_operand(s, &o[1], next));
		break;
	case ZYDIS_MNEMONIC_CDQE:
		break;
	case ZYDIS_MNEMONIC_MOVZX:
		write_operand(s, &o[0], extended(s, &o[1], next));
		break;
	case ZYDIS_MNEMONIC_LEA:
		a = address_of(s, &o[1], next);
		/* Without a base it is a multiplication, without a scale an addition. */
		if (a.kind == VALUE_ENTRY && a.base == 0)
			a.kind = VALUE_INDEX;
		else if (a.kind == VALUE_ENTRY && a.scale == 1)
			a = new_computed(s, UINT64_MAX);
		write_operand(s, &o[0], a.kind || o[0].size < 64 ? a : new_computed(s, UINT64_MAX));
		break;
	case ZYDIS_MNEMONIC_CMP:
		a = read_operand(s, &o[0], next);
		b = read_operand(s, &o[1], next);
		compare(s, a, b);
		break;
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_SHL:
	case ZYDIS_MNEMONIC_SHR:
		a = read_operand(s, &o[0], next);
		b = read_operand(s, &o[1], next);
		if (x->mnemonic == ZYDIS_MNEMONIC_SUB)
			compare(s, a, b);
		else
			s->compared = 0;
		write_operand(s, &o[0], compute(s, x->mnemonic, a, b, o[0].size));
		break;
	default:
		if (writes_flags(x))
			s->compared = 0;
		if (x->meta.category == ZYDIS_CATEGORY_CALL)
			forget_call(s);
		else
			forget_written(s, x, o);
	}
}

bool value_step(struct value_state *s, const uint8_t *bytes, size_t size, uint64_t vaddr)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction x;

	if (!zydis_full(bytes, size, &x, operands))
		return false;
	execute(s, &x, operands, vaddr + x.length);
	return true;
}

static void bound(struct value *v, uint32_t id, uint64_t max)
{
	if (v->kind == VALUE_UNKNOWN || v->id != id || v->max < max)
		return;
	v->max = max;
	v->is_weak = false;
}

/* The conditions that unsigned comparisons of an index are followed by. */
void value_branch(struct value_state *s, uint8_t code, bool taken)
{
	uint64_t max;

	if (!s->compared)
		return;
	switch (taken ? code : code ^ 1) {
	case 2: /* below */
		if (s->constant == 0)
			return;
		max = s->constant - 1;
		break;
	case 6: /* below or equal */
		max = s->constant;
		break;
	default:
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(s->regs); i++)
		bound(&s->regs[i], s->compared, max);
	for (size_t i = 0; i < s->n_slots; i++)
		bound(&s->slots[i].value, s->compared, max);
}

struct value value_of_jump(struct value_state *s, const uint8_t *bytes, size_t size, uint64_t vaddr)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction x;
	struct value v;

	if (!zydis_full(bytes, size, &x, operands))
		return (struct value){};
	if (operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
		return s->regs[reg_of(operands[0].reg.value) & 15];
	v = address_of(s, &operands[0], vaddr + x.length);
	/* An index that is always the same: one entry. Without any, it is a pointer somewhere. */
	if (v.kind == VALUE_CONST && operands[0].mem.index != ZYDIS_REGISTER_NONE)
		v = (struct value){.kind = VALUE_ENTRY, .base = v.base, .scale = 8};
	if (v.kind != VALUE_ENTRY || v.scale != 8)
		return (struct value){};
	v.kind = VALUE_LOADED;
	v.width = 8;
	return v;
}

#else

bool value_step(struct value_state *s, const uint8_t *bytes, size_t size, uint64_t vaddr)
{
	(void)s, (void)bytes, (void)size, (void)vaddr;
	return false;
}

void value_branch(struct value_state *s, uint8_t code, bool taken)
{
	(void)s, (void)code, (void)taken;
}

struct value value_of_jump(struct value_state *s, const uint8_t *bytes, size_t size, uint64_t vaddr)
{
	(void)s, (void)bytes, (void)size, (void)vaddr;
	return (struct value){};
}

#endif
