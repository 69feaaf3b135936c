/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types of kernel functions from the running kernel's BTF, as function_type.h has those of programs
 * from DWARF. Places are those of the calling convention, which the kernel's compiler may have left
 * for static functions that it cloned; BTF does not list those under their own names.
 */
#ifndef SONDE_PROBE_BTF_TYPE_H
#define SONDE_PROBE_BTF_TYPE_H

#include "symbol/function_type.h"

struct btf_types;

/* The kernel's own types, without those of modules. -ENODATA when the kernel has no BTF. */
int btf_types_open(struct error *e, struct btf_types **ret);
struct btf_types *btf_types_free(struct btf_types *t);
DEFINE_CLEANUP(struct btf_types *, btf_types_free)

/* -ENOENT when there is no function of that name. The type is owned by t. */
int btf_types_find(struct btf_types *t, const char *name, const struct function_type **ret);

#endif
