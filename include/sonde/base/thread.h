/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads beside the main one, which signals are for: others are born without them. */
#ifndef SONDE_BASE_THREAD_H
#define SONDE_BASE_THREAD_H

#include <pthread.h>

/* As pthread_create(): attr may be NULL. 0 or -errno. */
int thread_start(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *arg), void *arg);

#endif
