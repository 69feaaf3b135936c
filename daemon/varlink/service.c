/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink/service.h"

#include "sonde/base/json.h"
#include "varlink/params.h"

#define SERVICE_INTERFACE "org.varlink.service"

/* As varlink.org gives it. */
static const char service_description[] =
	"# The Varlink Service Interface is provided by every varlink service. It\n"
	"# describes the service and the interfaces it implements.\n"
	"interface org.varlink.service\n"
	"\n"
	"# Get a list of all the interfaces a service provides and information\n"
	"# about the implementation.\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"# Get the description of an interface that is implemented by this service.\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"# The requested interface was not found.\n"
	"error InterfaceNotFound (interface: string)\n"
	"\n"
	"# The requested method was not found\n"
	"error MethodNotFound (method: string)\n"
	"\n"
	"# The interface defines the requested method, but the service does not\n"
	"# implement it.\n"
	"error MethodNotImplemented (method: string)\n"
	"\n"
	"# One of the passed parameters is invalid.\n"
	"error InvalidParameter (parameter: string)\n";

struct varlink_service {
	char *vendor, *product, *version, *url;
	char *description;
	struct idl *idl, *own; /* the interface served, and org.varlink.service */
};

int varlink_service_new(const struct varlink_service_info *info, const char *description,
			struct varlink_service **ret, struct error *e)
{
	_cleanup_(varlink_service_freep) struct varlink_service *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->vendor = strdup(info->vendor);
	s->product = strdup(info->product);
	s->version = strdup(info->version);
	s->url = strdup(info->url);
	s->description = strdup(description);
	if (!s->vendor || !s->product || !s->version || !s->url || !s->description)
		return -ENOMEM;
	r = idl_parse(service_description, &s->own, e);
	if (r < 0)
		return r;
	r = idl_parse(description, &s->idl, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct varlink_service *varlink_service_free(struct varlink_service *s)
{
	if (!s)
		return NULL;
	free(s->vendor);
	free(s->product);
	free(s->version);
	free(s->url);
	free(s->description);
	idl_free(s->idl);
	idl_free(s->own);
	free(s);
	return NULL;
}

const struct idl *varlink_service_idl(const struct varlink_service *service)
{
	return service->idl;
}

/* An error of org.varlink.service; each has one parameter that is a string. */
static int reply_service_error(struct varlink_peer *peer, const char *name, const char *key,
			       const char *value, size_t len)
{
	_cleanup_(strbuf_release) struct strbuf parameters = {};
	struct json_writer w;

	json_begin(&w, &parameters);
	json_object_begin(&w, NULL);
	json_stringn(&w, key, value, len);
	json_object_end(&w);
	if (strbuf_error(&parameters) < 0)
		return -ENOMEM;
	return varlink_peer_reply_named(peer, name, parameters.data, parameters.len);
}

static int reply_method_error(struct varlink_peer *peer, const char *name)
{
	const char *method = varlink_peer_call(peer)->method;

	return reply_service_error(peer, name, "method", method, strlen(method));
}

static int handle_get_info(const struct varlink_service *s, struct varlink_peer *peer)
{
	_cleanup_(strbuf_release) struct strbuf parameters = {};
	struct json_writer w;

	json_begin(&w, &parameters);
	json_object_begin(&w, NULL);
	json_string(&w, "vendor", s->vendor);
	json_string(&w, "product", s->product);
	json_string(&w, "version", s->version);
	json_string(&w, "url", s->url);
	json_array_begin(&w, "interfaces");
	json_string(&w, NULL, SERVICE_INTERFACE);
	json_string(&w, NULL, s->idl->name);
	json_array_end(&w);
	json_object_end(&w);
	if (strbuf_error(&parameters) < 0)
		return -ENOMEM;
	return varlink_peer_reply(peer, parameters.data, parameters.len, false);
}

static int handle_get_description(const struct varlink_service *s, struct varlink_peer *peer)
{
	_cleanup_(strbuf_release) struct strbuf parameters = {};
	const char *interface = NULL, *text;
	struct json_writer w;
	int r = param_string(varlink_peer_call(peer)->parameters, "interface", PARAM_REQUIRED,
			     &interface, NULL);

	if (r < 0)
		return r;
	if (streq(interface, SERVICE_INTERFACE))
		text = service_description;
	else if (streq(interface, s->idl->name))
		text = s->description;
	else
		return reply_service_error(peer, SERVICE_INTERFACE ".InterfaceNotFound",
					   "interface", interface, strlen(interface));
	json_begin(&w, &parameters);
	json_object_begin(&w, NULL);
	json_string(&w, "description", text);
	json_object_end(&w);
	if (strbuf_error(&parameters) < 0)
		return -ENOMEM;
	return varlink_peer_reply(peer, parameters.data, parameters.len, false);
}

/*
 * An interface that declares BadArgument tells the person what is wrong; the standard's own error
 * has room for the parameter's name only.
 */
static int reply_bad_parameters(const struct idl *idl, struct varlink_peer *peer,
				const struct error *e)
{
	if (idl_find(idl, IDL_ERROR, "BadArgument"))
		return varlink_peer_reply_error(peer, e);
	return reply_service_error(peer, SERVICE_INTERFACE ".InvalidParameter", "parameter",
				   e->message, strcspn(e->message, ":"));
}

/* The interface of the first len bytes of a method's name; NULL: it is not served here. */
static const struct idl *find_interface(const struct varlink_service *s, const char *method,
					size_t len)
{
	if (strlen(s->own->name) == len && startswith(method, s->own->name))
		return s->own;
	if (strlen(s->idl->name) == len && startswith(method, s->idl->name))
		return s->idl;
	return NULL;
}

/* 0 when the call is a good one of the interface served, 1 when it was answered. */
static int handle_method(const struct varlink_service *s, struct varlink_peer *peer,
			 const struct idl *idl, const char *method)
{
	struct error why = {};
	int r = idl_check(idl, method, varlink_peer_call(peer)->parameters, false, &why);

	if (r == 0 && idl == s->idl)
		return 0;
	if (r == 0)
		r = streq(method, "GetInfo") ? handle_get_info(s, peer)
					     : handle_get_description(s, peer);
	else if (r == -ENOENT)
		r = reply_method_error(peer, SERVICE_INTERFACE ".MethodNotFound");
	else if (r == -EINVAL)
		r = reply_bad_parameters(idl, peer, &why);
	return r < 0 ? r : 1;
}

int varlink_service_handle(const struct varlink_service *s, struct varlink_peer *peer,
			   const char **ret_method)
{
	const struct varlink_call *call = varlink_peer_call(peer);
	const struct idl *idl;
	const char *dot;
	int r;

	if (!call)
		return -EPROTO;
	dot = strrchr(call->method, '.');
	if (!dot) {
		r = reply_service_error(peer, SERVICE_INTERFACE ".InvalidParameter", "parameter",
					"method", strlen("method"));
		return r < 0 ? r : 1;
	}
	idl = find_interface(s, call->method, dot - call->method);
	if (!idl) {
		r = reply_service_error(peer, SERVICE_INTERFACE ".InterfaceNotFound", "interface",
					call->method, dot - call->method);
		return r < 0 ? r : 1;
	}
	r = handle_method(s, peer, idl, dot + 1);
	if (r == 0)
		*ret_method = dot + 1;
	return r;
}

int varlink_service_not_implemented(struct varlink_peer *peer)
{
	if (!varlink_peer_call(peer))
		return -EPROTO;
	return reply_method_error(peer, SERVICE_INTERFACE ".MethodNotImplemented");
}
