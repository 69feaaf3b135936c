/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of protobuf as JSON, by their descriptors, as OTLP wants it: names in lowerCamelCase,
 * integers of 64 bits as strings, enumerations as numbers, the ids of traces and spans in
 * hexadecimal, other bytes as base64. Fields that have their default are left out.
 */
#ifndef SONDE_EXPORT_PROTO_JSON_H
#define SONDE_EXPORT_PROTO_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "sonde/base/json.h"

void proto_json_write(struct json_writer *w, const char *key, const ProtobufCMessage *message);

#endif
