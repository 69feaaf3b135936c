/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How comparisons are combined. Private to gate. */
#ifndef SONDE_QUERY_GATE_NODE_H
#define SONDE_QUERY_GATE_NODE_H

#include "gate.h"

enum gate_node_kind { GATE_COMPARISON, GATE_NOT, GATE_AND, GATE_OR };

struct gate_node {
	enum gate_node_kind kind;
	uint32_t left, right; /* nodes before this one; of a comparison left is its index */
};

#endif
