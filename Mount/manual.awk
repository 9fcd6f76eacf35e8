# What `coffer VERB --help` says, as a manual page in roff (man(7)): paragraphs stay paragraphs, indented lines are
# examples, and the columns of options become tagged paragraphs. Called by Mount/install, with lines that are not
# wrapped, with the page's name as `page` and the program's version as `version`.

function text(line) {
    gsub(/\\/, "\\e", line)
    gsub(/-/, "\\-", line)
    if (line ~ /^[.']/) line = "\\&" line
    return line
}

function add(line) { body[section] = body[section] line "\n" }

# A blank line of the help parts what is before it from what comes.
function begin(form) {
    if (form != last) {
        if (last == "example") add(".RE\n.fi")
        if (form == "example") add(".PP\n.nf\n.RS")
    }
    if (form == "paragraph" && isParted && body[section] != "") add(".PP")
    last = form
    isParted = 0
}

function enter(name) {
    begin("")
    section = name
}

function tagged(tag, what) {
    add(".TP\n.B " text(tag))
    if (what != "") add(text(what))
}

/^OVERVIEW: / {
    abstract = substr($0, 11)
    sub(/\.$/, "", abstract)
    enter("NAME")
    add(text(page) " \\- " text(abstract))
    enter("DESCRIPTION")
    next
}

/^USAGE: / {
    enter("SYNOPSIS")
    add(text(substr($0, 8)))
    next
}

/^(ARGUMENTS|OPTIONS|SUBCOMMANDS):$/ {
    enter(substr($0, 1, length($0) - 1))
    inColumns = 1
    next
}

/^Example:$/ { enter("EXAMPLE"); next }

/^Exit codes: / {
    enter("EXIT STATUS")
    sub(/\.$/, "")
    count = split(substr($0, 13), codes, ", ")
    for (i = 1; i <= count; i++) {
        match(codes[i], / /)
        tagged(substr(codes[i], 1, RSTART - 1), substr(codes[i], RSTART + 1))
    }
    next
}

# The parser's hint at its own help.
/^  See / { next }

inColumns && /^  [^ ]/ {
    line = substr($0, 3)
    if (match(line, /  +/)) tagged(substr(line, 1, RSTART - 1), substr(line, RSTART + RLENGTH))
    else tagged(line, "")
    next
}

inColumns && /^ +[^ ]/ { sub(/^ +/, ""); add(text($0)); next }

/^$/ { isParted = 1; next }

/^  / { begin("example"); add(text(substr($0, 3))); next }

{ begin("paragraph"); add(text($0)) }

END {
    enter("FILES")
    if (page == "coffer") {
        add(".TP\n.I $XDG_DATA_HOME/coffer/vault.coffer")
        add("The vault, unless\n.B \\-\\-vault\nor\n.B $COFFER_VAULT\nnames another.")
        add(".TP\n.I $XDG_STATE_HOME/coffer/\nThe counter by which an older copy of a vault is recognised; the modes of mount points, where their file system keeps no attributes; and the log that\n.B coffer log\nreads.")
    }
    enter("SEE ALSO")
    if (page == "coffer") count = split(verbs, others, " ")
    else others[count = 1] = ""
    for (i = 1; i <= count; i++) add(".BR coffer" (others[i] == "" ? "" : "\\-" text(others[i])) " (1),")
    add(".BR fusermount3 (1),\n.BR mount (8)")

    printf ".TH %s 1 \"\" \"coffer %s\" \"Coffer\"\n", toupper(page), version
    order = "NAME,SYNOPSIS,DESCRIPTION,ARGUMENTS,OPTIONS,SUBCOMMANDS,EXIT STATUS,FILES,EXAMPLE,SEE ALSO"
    count = split(order, sections, ",")
    for (i = 1; i <= count; i++)
        if (body[sections[i]] != "") printf ".SH %s\n%s", sections[i], body[sections[i]]
}
