# options.awk - the man page (-v kind=man) or bash's completion (-v kind=bash)
# from the table of commands and options, options.def.
function roff(s) {
	gsub(/\\/, "\\e", s)
	gsub(/-/, "\\-", s)
	return s
}
function add_command() {
	name = $1
	sub(/^COMMAND\(/, "", name)
	sub(/,.*/, "", name)
	order[++n] = name
	operands[name] = $2
	doc[name] = $4
}
function add_option(list, i, count, short) {
	count = split($2, list, " ")
	short = $4 == "output" ? "-o" : $4 == "define" ? "-D" \
		: $4 == "dump" ? "-d" : ""
	for (i = 1; i <= count; i++) {
		words[list[i]] = words[list[i]] " --" $4 (short ? " " short : "")
		text[list[i]] = text[list[i]] ".TP\n.B " roff((short ? short ", " : "") \
			"--" $4) ($6 ? " \\fI" roff($6) "\\fR" : "") "\n\\&" roff($8) "\n"
	}
}
function man(i) {
	print ".TH SLUICE 1\n.SH NAME\nsluice \\- plans and runs video diffusion" \
		" models within a memory budget\n.SH SYNOPSIS\n.B sluice\n" \
		".I command\n[\\fIoption\\fR ...] [\\fIoperand\\fR ...]\n.SH COMMANDS"
	for (i = 1; i <= n; i++)
		printf ".SS \"sluice %s %s\"\n%s\n%s", roff(order[i]),
			roff(operands[order[i]]), roff(doc[order[i]]), text[order[i]]
}
function bash(i, all) {
	for (i = 1; i <= n; i++)
		all = all (i > 1 ? " " : "") order[i]
	print "_sluice()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words="
	print "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\twords=\"" all \
		"\"\n\telse\n\t\tcase ${COMP_WORDS[1]} in"
	for (i = 1; i <= n; i++)
		print "\t\t" order[i] ") words=\"--help" words[order[i]] "\" ;;"
	print "\t\tesac\n\t\tcase $cur in -*) ;; *) words= ;; esac\n\tfi"
	print "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}"
	print "complete -o default -F _sluice sluice"
}
BEGIN { FS = "\"" }
/^COMMAND\(/ { add_command() }
/^OPTION\(/ { add_option() }
END { if (kind == "man") man(); else bash() }
