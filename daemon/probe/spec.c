/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/spec.h"

#include <ctype.h>
#include <fnmatch.h>

/* The words before the first colon that say what kind of probe it is, in bpftrace's spelling. */
enum word_kind { WORD_USER, WORD_KERNEL, WORD_FENTRY, WORD_STATIC, WORD_SOURCE, WORD_LATER };

static const struct spec_word {
	const char *word;
	enum word_kind kind;
	const char *note; /* of the specification; LATER: what it would probe */
} words[] = {
	{"uprobe", WORD_USER, NULL},
	{"u", WORD_USER, NULL},
	{"uretprobe", WORD_USER, "uretprobe is taken as uprobe: a span records entry and return"},
	{"ur", WORD_USER, "ur is taken as uprobe: a span records entry and return"},
	{"kprobe", WORD_KERNEL, NULL},
	{"k", WORD_KERNEL, NULL},
	{"kretprobe", WORD_KERNEL, "kretprobe is taken as kprobe: a span records entry and return"},
	{"kr", WORD_KERNEL, "kr is taken as kprobe: a span records entry and return"},
	{"fentry", WORD_FENTRY, NULL},
	{"f", WORD_FENTRY, NULL},
	{"kfunc", WORD_FENTRY, NULL},
	{"fexit", WORD_FENTRY, "fexit is taken as fentry: a span records entry and return"},
	{"fr", WORD_FENTRY, "fr is taken as fentry: a span records entry and return"},
	{"kretfunc", WORD_FENTRY, "kretfunc is taken as fentry: a span records entry and return"},
	{"tracepoint", WORD_LATER, "tracepoints"},
	{"t", WORD_LATER, "tracepoints"},
	{"rawtracepoint", WORD_LATER, "tracepoints"},
	{"rt", WORD_LATER, "tracepoints"},
	{"usdt", WORD_STATIC, NULL},
	{"U", WORD_STATIC, NULL},
	{"span", WORD_SOURCE, NULL},
};

static const char one_spec[] =
	"expected the end: give each specification as an argument of its own";

/* A piece of the text being parsed. */
struct piece {
	const char *start, *end;
};

struct parser {
	const char *text; /* columns are counted from here */
	struct error *e;
};

static int bad(const struct parser *p, const char *at, const char *what)
{
	int r = error_set(p->e, EINVAL, "BadSpec", "column %zu of '%s': %s",
			  (size_t)(at - p->text) + 1, p->text, what);

	error_fix(p->e, "write FUNC_GLOB, LIB:FUNC_GLOB, uprobe:/path/of/file:FUNC_GLOB, "
			"kprobe:FUNC_GLOB, usdt:/path/of/file:PROVIDER:NAME, span:CATEGORY/NAME, "
			"or !GLOB to exclude");
	return r;
}

/*
 * The colon that separates a binary from its function: the last single one outside quotes, or the
 * first of the last three in a row. "::" belongs to a C++ or Rust name. NULL: there is none.
 */
static const char *find_colon(struct piece in, bool first)
{
	const char *found = NULL;
	bool quoted = false;

	for (const char *s = in.start; s < in.end; s++) {
		const char *run = s;

		if (*s == '"')
			quoted = !quoted;
		if (quoted || *s != ':')
			continue;
		while (run < in.end && *run == ':')
			run++;
		if ((run - s) % 2) {
			found = s;
			if (first)
				return found;
		}
		s = run - 1;
	}
	return found;
}

static bool piece_is(struct piece in, const char *word)
{
	return (size_t)(in.end - in.start) == strlen(word) &&
	       memcmp(in.start, word, in.end - in.start) == 0;
}

static int unquote(const struct parser *p, struct piece *in, bool *ret_quoted)
{
	bool quoted = in->start < in->end && *in->start == '"';

	if (quoted) {
		if (in->end - in->start < 2 || in->end[-1] != '"')
			return bad(p, in->end, "expected '\"' to end what was quoted");
		in->start++;
		in->end--;
	}
	for (const char *s = in->start; s < in->end; s++)
		if (*s == '"')
			return bad(p, s, "expected no '\"' in the middle of a name");
	*ret_quoted = quoted;
	return 0;
}

/* bpftrace writes FUNCTION+OFFSET and bare addresses: both are probes inside functions. */
static bool is_inside_function(struct piece in)
{
	const char *s = in.end;

	if (in.end - in.start > 2 && in.start[0] == '0' && (in.start[1] | 0x20) == 'x')
		return true;
	while (s > in.start && isxdigit((unsigned char)s[-1]))
		s--;
	if (s == in.end)
		return false;
	if (s - in.start >= 2 && s[-1] == 'x' && s[-2] == '0')
		return s - in.start > 3 && s[-3] == '+';
	return s - in.start > 1 && s[-1] == '+' && isdigit((unsigned char)*s);
}

static bool contains(struct piece in, const char *what)
{
	return memmem(in.start, in.end - in.start, what, strlen(what)) != NULL;
}

/* A comma or a blank outside the brackets of a C++ name is the mark of two specifications. */
static int check_single(const struct parser *p, struct piece in)
{
	bool spaced = contains(in, "::") || contains(in, "operator") || contains(in, "non-virtual");
	int depth = 0;

	for (const char *s = in.start; s < in.end; s++) {
		if (*s == '(' || *s == '<' || *s == '[' || *s == '{')
			depth++;
		else if ((*s == ')' || *s == '>' || *s == ']' || *s == '}') && depth > 0)
			depth--;
		else if (depth == 0 && *s == ',')
			return bad(p, s, one_spec);
		else if (depth == 0 && *s == ' ' && !spaced && !contains(in, "("))
			return bad(p, s, one_spec);
	}
	return 0;
}

static int take_function(const struct parser *p, struct piece in, struct spec *s)
{
	static const char hint[] = "expected a function name or glob, such as malloc or sqlite3_*";
	bool quoted;
	int r;

	r = unquote(p, &in, &quoted);
	if (r < 0)
		return r;
	if (in.start == in.end)
		return bad(p, in.start, hint);
	if (!quoted) {
		r = check_single(p, in);
		if (r < 0)
			return r;
		if (*in.start == '/' || contains(in, "/"))
			return bad(p, in.end, "expected ':' and a function name behind the path");
		if (*in.start == '!')
			return bad(p, in.start,
				   "expected a function name: '!' stands before the whole");
	}
	if (is_inside_function(in)) {
		r = error_set(p->e, EOPNOTSUPP, "NotSupported",
			      "'%s' names a place inside a function, which comes with a later "
			      "version of sonde",
			      p->text);
		error_fix(p->e, "name the function without an offset");
		return r;
	}
	s->demangled = s->demangled || contains(in, "::") || contains(in, "(") ||
		       contains(in, "<") || contains(in, " ") || contains(in, "operator");
	s->pattern = strndup(in.start, in.end - in.start);
	return s->pattern ? 0 : -ENOMEM;
}

static int take_binary(const struct parser *p, struct piece in, struct spec *s)
{
	bool quoted;
	int r;

	r = unquote(p, &in, &quoted);
	if (r < 0)
		return r;
	if (in.start == in.end)
		return bad(p, in.start, "expected the path or the library the function is in");
	if (*in.start == '/')
		s->kind = SPEC_PATH;
	else if (memchr(in.start, '/', in.end - in.start))
		return bad(p, in.start, "expected an absolute path");
	else
		s->kind = SPEC_LIBRARY;
	if (!quoted && s->kind == SPEC_LIBRARY) {
		size_t len = in.end - in.start, blank = strcspn(in.start, " ,");

		if (blank < len)
			return bad(p, in.start + blank, one_spec);
		if (memchr(in.start, ':', len))
			return bad(p, memchr(in.start, ':', len),
				   "expected only a library before the function's ':'");
	}
	s->binary = strndup(in.start, in.end - in.start);
	return s->binary ? 0 : -ENOMEM;
}

/* Takes the word of the kind off the front: 1 when there was one, 0 when not, -errno. */
static int take_kind(const struct parser *p, struct piece *in, struct spec *s)
{
	const char *colon = find_colon(*in, true);
	int r;

	if (!colon)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const struct spec_word *w = &words[i];

		if (!piece_is((struct piece){in->start, colon}, w->word))
			continue;
		if (w->kind == WORD_LATER) {
			r = error_set(p->e, EOPNOTSUPP, "NotSupported",
				      "'%s' asks for %s (%s:), which come with a later version "
				      "of sonde",
				      p->text, w->note, w->word);
			error_fix(p->e, "name functions of programs and libraries: FUNC_GLOB, "
					"LIB:FUNC_GLOB or uprobe:/path/of/file:FUNC_GLOB; of the "
					"kernel: kprobe:FUNC_GLOB");
			return r;
		}
		s->note = w->note;
		s->fentry = w->kind == WORD_FENTRY;
		s->is_static = w->kind == WORD_STATIC;
		s->is_source = w->kind == WORD_SOURCE;
		if (w->kind == WORD_KERNEL || w->kind == WORD_FENTRY)
			s->kind = SPEC_KERNEL;
		in->start = colon + 1;
		return 1;
	}
	return 0;
}

/* FUNC_GLOB or MODULE:FUNC_GLOB, behind the word of the kind. */
static int parse_kernel(const struct parser *p, struct piece in, struct spec *s)
{
	const char *colon = find_colon(in, false);
	int r;

	if (colon) {
		struct piece module = {in.start, colon};

		for (const char *c = module.start; c < module.end; c++)
			if (!isalnum((unsigned char)*c) && !strchr("_-*?[]!", *c))
				return bad(p, c,
					   "expected the name of a kernel module, or vmlinux");
		if (module.start == module.end)
			return bad(p, module.start,
				   "expected the name of a kernel module, or vmlinux");
		s->binary = strndup(module.start, module.end - module.start);
		if (!s->binary)
			return -ENOMEM;
		in.start = colon + 1;
	}
	r = take_function(p, in, s);
	s->demangled = false;
	return r;
}

/* A glob over the names of static probes or their providers; nothing stands for all of them. */
static int take_glob(const struct parser *p, struct piece in, char **ret)
{
	bool quoted;
	int r = unquote(p, &in, &quoted);

	if (r < 0)
		return r;
	for (const char *c = in.start; c < in.end && !quoted; c++)
		if (strchr(" ,", *c))
			return bad(p, c, one_spec);
		else if (*c == '/')
			return bad(p, in.end, "expected ':' and PROVIDER:NAME behind the path");
	*ret = in.start == in.end ? strdup("*") : strndup(in.start, (size_t)(in.end - in.start));
	return *ret ? 0 : -ENOMEM;
}

/* The last colon outside quotes; here each one separates. */
static const char *last_colon(struct piece in)
{
	const char *found = NULL;
	bool quoted = false;

	for (const char *c = in.start; c < in.end; c++) {
		quoted ^= *c == '"';
		if (*c == ':' && !quoted)
			found = c;
	}
	return found;
}

/* [/path or LIB:][PROV:]NAME; with a path the provider may be missing, as bpftrace has it. */
static int parse_static(const struct parser *p, struct piece in, struct spec *s)
{
	const char *colon = last_colon(in);
	bool has_path = in.start < in.end && (*in.start == '/' || startswith(in.start, "\"/"));
	int r;

	if (in.start == in.end || (has_path && !colon))
		return bad(p, in.end,
			   "expected PROVIDER:NAME, as in usdt:/usr/bin/x:provider:name");
	r = take_glob(p, (struct piece){colon ? colon + 1 : in.start, in.end}, &s->pattern);
	if (r < 0)
		return r;
	in.end = colon ? colon : in.start;
	colon = last_colon(in);
	if (has_path && !colon) {
		s->provider = strdup("*");
		return s->provider ? take_binary(p, in, s) : -ENOMEM;
	}
	r = take_glob(p, (struct piece){colon ? colon + 1 : in.start, in.end}, &s->provider);
	if (r < 0 || !colon)
		return r;
	in.end = colon;
	return in.start == in.end ? 0 : take_binary(p, in, s);
}

/* A glob over categories or names; they may have blanks in them. */
static int take_source_glob(struct piece in, char **ret)
{
	*ret = in.start == in.end ? strdup("*") : strndup(in.start, (size_t)(in.end - in.start));
	return *ret ? 0 : -ENOMEM;
}

/* [/path or LIB:]CATEGORY[/NAME]; a path ends at the last colon, a library at the first. */
static int parse_source(const struct parser *p, struct piece in, struct spec *s)
{
	bool has_path = in.start < in.end && (*in.start == '/' || startswith(in.start, "\"/"));
	const char *colon = has_path ? last_colon(in) : find_colon(in, true);
	const char *slash;
	int r;

	if (in.start == in.end || (has_path && !colon))
		return bad(p, in.end, "expected CATEGORY/NAME, as in span:io/* or span:*");
	if (colon) {
		r = take_binary(p, (struct piece){in.start, colon}, s);
		if (r < 0)
			return r;
		in.start = colon + 1;
	}
	for (const char *c = in.start; c < in.end; c++)
		if (*c == ',')
			return bad(p, c, one_spec);
	slash = memchr(in.start, '/', (size_t)(in.end - in.start));
	r = take_source_glob((struct piece){in.start, slash ? slash : in.end}, &s->provider);
	if (r < 0)
		return r;
	return take_source_glob((struct piece){slash ? slash + 1 : in.end, in.end}, &s->pattern);
}

static int parse_body(const struct parser *p, struct piece in, struct spec *s)
{
	const char *colon;
	int r, worded;

	worded = take_kind(p, &in, s);
	if (worded < 0)
		return worded;
	if (s->kind == SPEC_KERNEL)
		return parse_kernel(p, in, s);
	if (s->is_static)
		return parse_static(p, in, s);
	if (s->is_source)
		return parse_source(p, in, s);
	colon = find_colon(in, false);
	if (!colon) {
		if (worded)
			return bad(p, in.end,
				   "expected a path, ':' and a function name, as in "
				   "uprobe:/usr/bin/x:main");
		return take_function(p, in, s);
	}
	r = take_function(p, (struct piece){colon + 1, in.end}, s);
	if (r < 0)
		return r;
	in.end = colon;
	/* bpftrace: uprobe:BINARY:cpp:"ns::function(int)". */
	colon = find_colon(in, false);
	if (colon && piece_is((struct piece){colon + 1, in.end}, "cpp")) {
		s->demangled = true;
		in.end = colon;
	}
	return take_binary(p, in, s);
}

int spec_parse(const char *text, struct spec **ret_spec, struct error *e)
{
	_cleanup_(spec_freep) struct spec *s = calloc(1, sizeof(*s));
	struct parser p = {.e = e};
	struct piece in;
	size_t len;
	int r;

	if (!s)
		return -ENOMEM;
	while (*text == ' ' || *text == '\t' || *text == '\n')
		text++;
	len = strlen(text);
	while (len > 0 && strchr(" \t\n", text[len - 1]))
		len--;
	if (len > SPEC_MAX_LEN)
		return error_set(e, EINVAL, "BadSpec",
				 "a probe specification has %zu bytes, more than the limit of %d",
				 len, SPEC_MAX_LEN);
	s->text = strndup(text, len);
	if (!s->text)
		return -ENOMEM;
	p.text = s->text;
	in = (struct piece){s->text, s->text + len};
	for (const char *c = in.start; c < in.end; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return bad(&p, c, "expected no control character");
	if (in.start < in.end && *in.start == '!') {
		s->exclude = true;
		in.start++;
	}
	r = parse_body(&p, in, s);
	if (r < 0)
		return r;
	*ret_spec = TAKE_PTR(s);
	return 0;
}

struct spec *spec_free(struct spec *s)
{
	if (s) {
		free(s->text);
		free(s->binary);
		free(s->pattern);
		free(s->provider);
		free(s);
	}
	return NULL;
}

size_t spec_library_stem(const char *file_name)
{
	size_t i;

	for (i = 0; file_name[i]; i++) {
		/* A dot that begins the name hides the file; it does not end its name. */
		if (file_name[i] == '.' && i > 0)
			break;
		if (file_name[i] == '-' && i > 0 && isdigit((unsigned char)file_name[i + 1]))
			break;
	}
	return i;
}

bool spec_library_matches(const char *glob, const char *file_name)
{
	_cleanup_(freep) char *stem = strdup(file_name);
	char *so;

	if (!stem)
		return false;
	if (fnmatch(glob, stem, 0) == 0)
		return true;
	so = strstr(stem, ".so");
	if (so && so > stem) {
		*so = '\0';
		if (fnmatch(glob, stem, 0) == 0)
			return true;
	}
	stem[spec_library_stem(stem)] = '\0';
	return fnmatch(glob, stem, 0) == 0;
}
