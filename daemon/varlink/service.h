/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every Varlink service answers by itself: org.varlink.service (GetInfo,
 * GetInterfaceDescription), and the refusal of calls that the described interface does not have or
 * whose parameters do not fit it.
 */
#ifndef SONDE_VARLINK_SERVICE_H
#define SONDE_VARLINK_SERVICE_H

#include "varlink/idl.h"
#include "varlink/server.h"

struct varlink_service;

struct varlink_service_info {
	const char *vendor, *product, *version, *url;
};

/*
 * description: the text of the one interface served, which is parsed and kept; the strings of info
 * are copied. -EINVAL with the line in e when it is not an interface; -ENOMEM.
 */
int varlink_service_new(const struct varlink_service_info *info, const char *description,
			struct varlink_service **ret, struct error *e);
struct varlink_service *varlink_service_free(struct varlink_service *service);
DEFINE_CLEANUP(struct varlink_service *, varlink_service_free)
const struct idl *varlink_service_idl(const struct varlink_service *service);

/*
 * Looks at the peer's current call: 0 when it is a method of the interface with parameters that fit
 * and the caller must answer it (*ret_method then is the method's bare name), 1 when it was
 * answered here, with org.varlink.service's own methods and errors or BadArgument; -errno.
 */
int varlink_service_handle(const struct varlink_service *service, struct varlink_peer *peer,
			   const char **ret_method);
/* Answers the current call with MethodNotImplemented. */
int varlink_service_not_implemented(struct varlink_peer *peer);

#endif
