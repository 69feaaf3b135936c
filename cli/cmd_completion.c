/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bash script is made from the tables: a verb or an option that is added is completed. */
#include "options.h"
#include "render/output.h"

static void verb_words(struct strbuf *out)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		strbuf_printf(out, "%s%s", i ? " " : "", verbs[i].name);
}

static void option_words(struct strbuf *out, const struct verb *v)
{
	bool first = true;

	for (size_t i = 0; i < option_defs_count; i++) {
		const struct option_def *d = &option_defs[i];

		if (!option_taken_by(d, v))
			continue;
		if (d->letter)
			strbuf_printf(out, "%s-%c", first ? "" : " ", d->letter);
		strbuf_printf(out, "%s--%s", first && !d->letter ? "" : " ", d->name);
		first = false;
	}
}

/* What may follow an option that takes a value, for the verb at hand. */
static void value_case(struct strbuf *out, const struct option_def *d, const struct verb *v)
{
	strbuf_printf(out, "\t%s:--%s", v ? v->name : "*", d->name);
	if (d->letter)
		strbuf_printf(out, "|%s:-%c", v ? v->name : "*", d->letter);
	strbuf_puts(out, ") ");
	if (d->kind == OPTION_CHOICE) {
		strbuf_puts(out, "COMPREPLY=($(compgen -W \"");
		for (const char *c = d->choices; *c; c++)
			strbuf_putc(out, *c == '|' ? ' ' : *c);
		strbuf_puts(out, "\" -- \"$cur\"))");
	} else if (d->kind == OPTION_PIDS) {
		strbuf_puts(out,
			    "COMPREPLY=($(compgen -W \"$(ps -eo pid= 2>/dev/null)\" -- \"$cur\"))");
	} else if (d->kind == OPTION_UID) {
		strbuf_puts(out, "COMPREPLY=($(compgen -u -- \"$cur\"))");
	} else if (streq(d->argument, "FILE") || streq(d->argument, "PATH")) {
		strbuf_puts(out, "COMPREPLY=($(compgen -f -- \"$cur\"))");
	} else {
		strbuf_puts(out, "COMPREPLY=()");
	}
	strbuf_puts(out, "; return ;;\n");
}

static void value_cases(struct strbuf *out)
{
	for (size_t i = 0; i < option_defs_count; i++) {
		const struct option_def *d = &option_defs[i];

		if (d->kind == OPTION_FLAG)
			continue;
		if (d->verbs == OPTION_GLOBAL) {
			value_case(out, d, NULL);
			continue;
		}
		for (size_t v = 0; v < VERB_COUNT; v++)
			if (option_taken_by(d, &verbs[v]))
				value_case(out, d, &verbs[v]);
	}
}

static void bash_script(struct strbuf *out)
{
	strbuf_puts(out, "# bash completion for sonde, made by: sonde completion bash\n"
			 "_sonde()\n{\n"
			 "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
			 "\tlocal verb= words= i verbs=\"");
	verb_words(out);
	strbuf_puts(out,
		    "\"\n"
		    "\tCOMPREPLY=()\n"
		    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		    "\t\tif [[ ${COMP_WORDS[i]} == -- ]]; then\n"
		    "\t\t\t((i + 1 == COMP_CWORD)) && COMPREPLY=($(compgen -c -- \"$cur\")) ||\n"
		    "\t\t\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
		    "\t\t\treturn\n"
		    "\t\tfi\n"
		    "\t\t[[ -z $verb && \" $verbs \" == *\" ${COMP_WORDS[i]} \"* ]] && "
		    "verb=${COMP_WORDS[i]}\n"
		    "\tdone\n"
		    "\tcase $verb:$prev in\n");
	value_cases(out);
	strbuf_puts(out,
		    "\tcompletion:completion) COMPREPLY=($(compgen -W \"bash\" -- \"$cur\")); "
		    "return ;;\n"
		    "\tbaseline:baseline) COMPREPLY=($(compgen -W \"save list rm\" -- "
		    "\"$cur\")); return ;;\n"
		    "\thelp:help) COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\")); return ;;\n"
		    "\tesac\n"
		    "\tcase $verb in\n");
	for (size_t v = 0; v < VERB_COUNT; v++) {
		strbuf_printf(out, "\t%s) words=\"", verbs[v].name);
		option_words(out, &verbs[v]);
		strbuf_puts(out, "\"");
		/* What may be a file, besides. */
		if (strstr(verbs[v].operands, "BEFORE"))
			strbuf_puts(out, "; COMPREPLY=($(compgen -f -- \"$cur\"))");
		strbuf_puts(out, " ;;\n");
	}
	strbuf_puts(out, "\t*) words=\"$verbs ");
	option_words(out, NULL);
	strbuf_puts(out, "\" ;;\n"
			 "\tesac\n"
			 "\tCOMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n"
			 "}\n"
			 "complete -F _sonde sonde\n");
}

int cmd_completion(struct cli *cli)
{
	const struct options *o = cli->options;

	if (o->n_operands != 1 || !streq(o->operands[0], "bash"))
		return usage_error(o, &cli->error, "name the shell: sonde completion bash");
	bash_script(output_data(cli->output));
	return EXIT_OK;
}
